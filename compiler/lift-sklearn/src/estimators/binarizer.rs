//! `Binarizer`: 1 above the threshold, else 0.
//!
//! | `threshold` | a number |
//!
//! NaN and infinities are refused. Source: scikit-learn `preprocessing/_data.py`, `binarize`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::{Columns, Facts};
use crate::features::{as_number, one_to_one};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

pub static LIFTER: Lifter =
    Lifter { class: "sklearn.preprocessing.Binarizer", reads: &["threshold"], ignores: &["copy"], lift };

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let threshold = view.attr("threshold")?.f64()?;
    if input.sparse && threshold < 0.0 {
        return Err(view.unsupported("the library refuses a threshold below 0 on a sparse matrix"));
    }
    let x = linear::finite(cx, view, &input)?;
    let above = cx.with_row(Op::Gt, x, vec![threshold])?;
    let node = as_number(cx, above)?;
    let mut out = one_to_one(cx, &input, node, Facts::CODES);
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}
