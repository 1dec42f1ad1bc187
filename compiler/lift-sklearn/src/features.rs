//! What transformers have in common: numbers as the library checks them, and columns with the names that it gives.

use flock_ir_spec::{Attr, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::estimators::refuse_single;
use crate::lift::Lift;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// Numbers of which nothing is known.
pub(crate) const ANY: Facts = Facts { nan: true, big: true, overflow: true, single: false };

/// The columns as numbers, where the library lets NaN through and refuses infinities (`allow-nan`).
pub(crate) fn not_infinite(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
    refuse_single(input, view)?;
    cx.settle(input)?;
    let x = cx.numbers(input, view)?;
    if input.facts().big {
        cx.refuse_infinity(x)?;
    }
    Ok(x)
}

/// Columns named `<class in lower case><i>` (`ClassNamePrefixFeaturesOutMixin`).
pub(crate) fn prefixed(cx: &Lift, view: &View<'_>, node: NodeId) -> Columns {
    let prefix = view.kind().trim_matches('`').to_lowercase();
    let width = cx.width(node);
    let names = (0..width).map(|i| format!("{prefix}{i}")).collect();
    Columns::node(node, width, ANY, Some(names))
}

/// Columns with the names of the input's (`OneToOneFeatureMixin`).
pub(crate) fn one_to_one(cx: &Lift, input: &Columns, node: NodeId, facts: Facts) -> Columns {
    Columns::node(node, cx.width(node), facts, input.names.clone())
}

/// A truth value as 0 and 1.
pub(crate) fn as_number(cx: &mut Lift, condition: NodeId) -> Res<NodeId> {
    let ty = FrameType::new(flock_ir_spec::DType::F64, cx.width(condition) as u32);
    let ty = if cx.frame_type(condition).nullable { ty.nullable() } else { ty };
    cx.op_with(Op::Cast, Attr::Type(ty), &[condition])
}

/// The rows of a table by an index.
pub(crate) fn lookup(cx: &mut Lift, index: NodeId, table: &Matrix) -> Res<NodeId> {
    let frame = Frame::table_f64(table.rows, table.columns, &table.values);
    let frame = frame.ok_or_else(|| Diagnostic::new("flock::lift::internal", "model", "rows that are no table"))?;
    let frame = cx.b.constant(frame);
    cx.op(Op::Lookup, &[index, frame])
}

/// A row of numbers as a constant.
pub(crate) fn row(cx: &mut Lift, values: Vec<f64>) -> NodeId {
    cx.b.constant(Frame::row_f64(values))
}
