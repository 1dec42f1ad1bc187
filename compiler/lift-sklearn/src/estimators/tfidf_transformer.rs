//! `TfidfTransformer`: counts of terms, weighed by how rare each term is, and normalised.
//!
//! | `idf_` | [k] f64, read when `use_idf`; until 1.4 the diagonal `_idf_diag` |
//! | `sublinear_tf` | 1 + ln of a count that is not 0 |   | `norm` | `l1`, `l2` or None |
//!
//! Its output is a sparse matrix. NaN and infinities are refused. Source: scikit-learn `feature_extraction/text.py`.

use flock_ir_spec::{Attr, Diagnostic, NodeId, Op, Word};

use crate::columns::{Columns, Facts};
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
    let x = linear::finite(cx, view, &input)?;
    let (weighed, _) = weighed(cx, view, x, ANY)?;
    let mut out = one_to_one(cx, &input, weighed, ANY);
    out.sparse = true;
    Ok(Lifted::Columns(out))
}

/// Counts as the transformer weighs them. The library works on what is not 0 alone.
pub(super) fn weighed(cx: &mut Lift, view: &View<'_>, counts: NodeId, facts: Facts) -> Result<(NodeId, Facts), Diagnostic> {
    let (mut x, mut facts) = (counts, facts);
    let only_present = |cx: &mut Lift, x: NodeId| {
        let (none, zero) = (cx.with_row(Op::Eq, counts, vec![0.0])?, row(cx, vec![0.0]));
        cx.op(Op::Select, &[none, zero, x])
    };
    if view.attr("sublinear_tf")?.bool()? {
        let logarithm = cx.op(Op::Ln, &[x])?;
        let damped = cx.with_row(Op::Add, logarithm, vec![1.0])?;
        x = only_present(cx, damped)?;
    }
    if view.attr("use_idf")?.bool()? {
        let weights = view.get("idf_").map_or_else(|| view.attr("_idf_diag")?.attr("data"), Ok)?;
        let weights = weights.f64s_of(cx.width(counts))?;
        let finite = weights.iter().all(|w| w.is_finite());
        x = cx.with_row(Op::Mul, x, weights)?;
        // A term that no document had may weigh infinitely.
        if !finite {
            x = only_present(cx, x)?;
            facts = ANY;
        }
    }
    Ok((normed(cx, &view.attr("norm")?, x)?, facts))
}

/// Each row divided by its norm, if that is not None.
pub(super) fn normed(cx: &mut Lift, norm: &View<'_>, x: NodeId) -> Result<NodeId, Diagnostic> {
    match norm.str() {
        Some("l1") => cx.op_with(Op::Normalize, Attr::Word(Word::L1), &[x]),
        Some("l2") => cx.op_with(Op::Normalize, Attr::Word(Word::L2), &[x]),
        None if norm.is_none() => Ok(x),
        _ => Err(norm.unsupported("a norm that is not known")),
    }
}
