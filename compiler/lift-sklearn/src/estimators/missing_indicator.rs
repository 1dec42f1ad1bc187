//! `MissingIndicator`: whether a value is missing, of the columns that had gaps, or of all.
//!
//! | `features_` | positions of the columns that are told of |   | `missing_values` | NaN, None, `pandas.NA`, or a number |
//! | `features` | `missing-only` with `error_on_new`: a gap in another column is refused |
//!
//! With NaN for missing, infinities are refused; else NaN is refused as well. Source: scikit-learn `impute/_base.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.impute.MissingIndicator",
    reads: &["missing_values", "features", "error_on_new", "features_", "sparse"],
    ignores: &["_n_features", "_precomputed"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let features = positions(view, input.width())?;
    let x = cx.numbers(&input, view)?;
    let missing = missing(cx, view, &input, x)?;
    let only = view.attr("features")?.str() == Some("missing-only");
    if only && view.attr("error_on_new")?.bool()? {
        let others: Vec<usize> = (0..input.width()).filter(|i| !features.contains(i)).collect();
        if !others.is_empty() {
            let others = cx.pick(missing, &others)?;
            let there = cx.op(Op::Not, &[others])?;
            cx.refuse_unless_all(there)?;
        }
    }
    let mut out = flags(cx, &input, missing, &features)?;
    out.sparse = view.attr("sparse")?.plain()? == Plain::Bool(true);
    Ok(Lifted::Columns(out))
}

/// `features_`, within the columns.
pub(crate) fn positions(view: &View<'_>, width: usize) -> Result<Vec<usize>, Diagnostic> {
    let place = view.attr("features_")?;
    let features = place.sizes()?;
    match features.iter().find(|i| **i >= width) {
        Some(i) => Err(place.unsupported(format!("column {i} of {width}"))),
        None => Ok(features),
    }
}

/// The truth values of some columns, named `missingindicator_<column>`.
pub(crate) fn flags(
    cx: &mut Lift,
    input: &Columns,
    missing: NodeId,
    features: &[usize],
) -> Result<Columns, Diagnostic> {
    if features.is_empty() {
        return Ok(Columns::none());
    }
    let node = cx.pick(missing, features)?;
    let names = input.names.as_ref();
    let names = names.map(|n| features.iter().map(|i| format!("missingindicator_{}", n[*i])).collect());
    Ok(Columns::node(node, features.len(), Facts::CODES, names))
}

/// Which numbers are missing; the others are finite, or the row is refused.
pub(crate) fn missing(cx: &mut Lift, view: &View<'_>, input: &Columns, x: NodeId) -> Result<NodeId, Diagnostic> {
    let marker = view.attr("missing_values")?;
    cx.settle(input)?;
    match marker.plain()? {
        Plain::None | Plain::Na => missing_nan(cx, input, x),
        Plain::Float(f) if f.is_nan() => missing_nan(cx, input, x),
        plain => {
            let value = plain.number().ok_or_else(|| marker.unsupported("text for a missing number"))?;
            cx.refuse_non_finite(input, view)?;
            cx.with_row(Op::Eq, x, vec![value])
        }
    }
}

fn missing_nan(cx: &mut Lift, input: &Columns, x: NodeId) -> Result<NodeId, Diagnostic> {
    if input.facts().big {
        cx.refuse_infinity(x)?;
    }
    cx.op(Op::IsNan, &[x])
}
