//! `TfidfTransformer`: counts of terms, weighed by how rare each term is, and normalised.
//!
//! | `idf_` | [k] f64, read when `use_idf`; until 1.4 the diagonal `_idf_diag` |
//! | `sublinear_tf` | 1 + ln of a count that is not 0 |   | `norm` | `l1`, `l2` or None |
//!
//! Its output is a sparse matrix. NaN and infinities are refused. Source: scikit-learn `feature_extraction/text.py`.

use flock_ir_spec::{Attr, Diagnostic, Op, Word};

use crate::columns::Columns;
use crate::features::{ANY, one_to_one, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.feature_extraction.text.TfidfTransformer",
    reads: &["norm", "use_idf", "sublinear_tf", "idf_", "_idf_diag"],
    ignores: &["smooth_idf"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let mut x = linear::finite(cx, view, &input)?;
    if view.attr("sublinear_tf")?.bool()? {
        let (none, zero) = (cx.with_row(Op::Eq, x, vec![0.0])?, row(cx, vec![0.0]));
        let logarithm = cx.op(Op::Ln, &[x])?;
        let damped = cx.with_row(Op::Add, logarithm, vec![1.0])?;
        x = cx.op(Op::Select, &[none, zero, damped])?;
    }
    if view.attr("use_idf")?.bool()? {
        let weights = view.get("idf_").map_or_else(|| view.attr("_idf_diag")?.attr("data"), Ok)?;
        x = cx.with_row(Op::Mul, x, weights.f64s_of(input.width())?)?;
    }
    let norm = view.attr("norm")?;
    x = match norm.str() {
        Some("l1") => cx.op_with(Op::Normalize, Attr::Word(Word::L1), &[x])?,
        Some("l2") => cx.op_with(Op::Normalize, Attr::Word(Word::L2), &[x])?,
        None if norm.is_none() => x,
        _ => return Err(norm.unsupported("a norm that is not known")),
    };
    let mut out = one_to_one(cx, &input, x, ANY);
    out.sparse = true;
    Ok(Lifted::Columns(out))
}
