//! `OrdinalEncoder`: the position of the value's category, as a number.
//!
//! | `categories_` | per column, sorted; None or NaN last |
//! | `_missing_indices` | column → position of its missing category, which becomes `encoded_missing_value` |
//! | `_default_to_infrequent_mappings` | per column, category → position, the missing one left out (1.3 and later) |
//! | `handle_unknown` | `error` refuses the row, `use_encoded_value` gives `unknown_value` |
//!
//! Infinities are refused. Source: scikit-learn `preprocessing/_encoders.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::categories::{Categories, UNKNOWN};
use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.OrdinalEncoder",
    reads: &[
        "handle_unknown",
        "unknown_value",
        "encoded_missing_value",
        "dtype",
        "categories_",
        "_missing_indices",
        "_infrequent_enabled",
        "_default_to_infrequent_mappings",
    ],
    ignores: &["categories", "min_frequency", "max_categories", "_infrequent_indices"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let handle = view.attr("handle_unknown")?;
    let unknown = match handle.str() {
        Some("error") => None,
        Some("use_encoded_value") => Some(view.attr("unknown_value")?.f64()?),
        _ => return Err(handle.unsupported("an unknown way to handle unknown categories")),
    };
    cx.settle(&input)?;
    let single = super::dtype_is_single(&view.attr("dtype")?)?;
    let missing = missing(view)?;
    let categories = super::per_column(&view.attr("categories_")?, input.width())?;
    let mappings = super::infrequent_mappings(view, input.width())?;
    let columns = cx.split(&input)?;
    let mut out = Columns::none();
    for (i, (place, column)) in categories.iter().zip(columns).enumerate() {
        let mapping = mappings.as_ref().map(|m| &m[i]).filter(|m| !m.is_none());
        let missing = missing.iter().find(|(c, _)| *c == i).map(|(_, m)| *m);
        match encode(cx, view, place, &column, mapping, missing, unknown) {
            Ok((node, nan)) => {
                let facts = Facts { nan, single, ..Facts::CODES };
                out.append(Columns::node(node, 1, facts, column.names));
            }
            Err(fault) => {
                cx.report(fault);
                out.append(Columns::unknown(1));
            }
        }
    }
    Ok(Lifted::Columns(out))
}

/// `{column: position}`.
fn missing(view: &View<'_>) -> Result<Vec<(usize, usize)>, Diagnostic> {
    let entries = view.attr("_missing_indices")?.entries()?;
    entries.iter().map(|(column, position)| Ok((column.size()?, position.size()?))).collect()
}

/// The numbers of one column, and whether one of them may be NaN.
fn encode(
    cx: &mut Lift,
    view: &View<'_>,
    place: &View<'_>,
    column: &Columns,
    mapping: Option<&View<'_>>,
    missing: Option<usize>,
    unknown: Option<f64>,
) -> Result<(NodeId, bool), Diagnostic> {
    let categories = Categories::of(place)?;
    let n = categories.len();
    let mut positions: Vec<Option<usize>> = (0..n).map(Some).collect();
    if let Some(mapping) = mapping {
        let grouped = (0..n).filter(|c| Some(*c) != missing);
        grouped.zip(mapping.sizes()?).for_each(|(c, position)| positions[c] = Some(position));
    }
    if positions.iter().flatten().any(|p| *p >= n) {
        return Err(place.expected("positions within the categories"));
    }
    super::refuse_infinite_category(cx, column, &categories, place)?;
    let position = cx.positions(column, &categories, &positions, n, UNKNOWN, place)?;
    if unknown.is_none() {
        cx.refuse_unknown(position)?;
    }
    let mut node = cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1)), &[position])?;
    let mut nan = false;
    if let Some(at) = missing {
        let value = view.attr("encoded_missing_value")?.f64()?;
        nan |= value.is_nan();
        node = replaced(cx, position, at as i64, value, node)?;
    }
    if let Some(value) = unknown.filter(|v| *v != UNKNOWN as f64) {
        nan |= value.is_nan();
        node = replaced(cx, position, UNKNOWN, value, node)?;
    }
    Ok((node, nan))
}

/// `value` where the position is `at`.
fn replaced(cx: &mut Lift, position: NodeId, at: i64, value: f64, node: NodeId) -> Result<NodeId, Diagnostic> {
    let at = cx.b.constant(Frame::row_i64([at]));
    let there = cx.op(Op::Eq, &[position, at])?;
    let value = cx.b.constant(Frame::row_f64([value]));
    cx.op(Op::Select, &[there, value, node])
}
