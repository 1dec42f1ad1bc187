//! `Normalizer`: the row over its norm.
//!
//! | `norm` | `l1`, `l2` or `max` |
//!
//! A norm below ten times the precision of a double counts as 1; on a sparse matrix only 0 does. NaN and infinities are
//! refused. Source: scikit-learn `preprocessing/_data.py`, `normalize`, `_handle_zeros_in_scale`.

use flock_ir_spec::{Attr, Diagnostic, NodeId, Op, Word};

use crate::columns::Columns;
use crate::features::{ANY, one_to_one, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

pub static LIFTER: Lifter =
    Lifter { class: "sklearn.preprocessing.Normalizer", reads: &["norm"], ignores: &["copy"], lift };

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let norm = view.attr("norm")?;
    let word = match norm.str() {
        Some("l1") => Word::L1,
        Some("l2") => Word::L2,
        Some("max") => Word::Max,
        _ => return Err(norm.unsupported("a norm that is not known")),
    };
    let x = linear::finite(cx, view, &input)?;
    let node = match input.sparse {
        true => cx.op_with(Op::Normalize, Attr::Word(word), &[x])?,
        false => normalized(cx, x, word)?,
    };
    let mut out = one_to_one(cx, &input, node, ANY);
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}

/// The row over its norm, and over 1 where that is next to nothing.
pub(crate) fn normalized(cx: &mut Lift, x: NodeId, norm: Word) -> Result<NodeId, Diagnostic> {
    let norm = match norm {
        Word::L2 => {
            let squares = cx.op(Op::Mul, &[x, x])?;
            let sum = cx.op(Op::Sum, &[squares])?;
            cx.op(Op::Sqrt, &[sum])?
        }
        word => {
            let sizes = cx.op(Op::Abs, &[x])?;
            cx.op(if word == Word::L1 { Op::Sum } else { Op::RowMax }, &[sizes])?
        }
    };
    let (least, one) = (row(cx, vec![10.0 * f64::EPSILON]), row(cx, vec![1.0]));
    let nothing = cx.op(Op::Lt, &[norm, least])?;
    let norm = cx.op(Op::Select, &[nothing, one, norm])?;
    cx.op(Op::Div, &[x, norm])
}
