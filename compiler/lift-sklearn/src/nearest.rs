//! Squared distances as the library computes them where it holds all points at once: |x|² − 2 x · c + |c|².
//! Far from the points this loses digits that differences would keep, and the library's answer with them.
//! Source: scikit-learn `metrics/pairwise.py`, `_euclidean_distances`; `EuclideanArgKmin`.

use flock_ir_spec::{Data, Diagnostic, Frame, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::lift::Lift;
use crate::linear;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// A table of float64 with a column for each column of the input. One of float32 was fitted on float32 alone, and the
/// library then computes in float32 or refuses other rows.
pub(crate) fn double_table(view: &View<'_>, name: &str, width: usize) -> Res<Matrix> {
    let table = view.attr(name)?;
    refuse_float32(&table)?;
    linear::table(view, name, width)
}

/// Refuses what was fitted on float32.
pub(crate) fn refuse_float32(array: &View<'_>) -> Res<()> {
    match array.element_size() {
        Some(4) => Err(array.unsupported("a model that was fitted on columns of float32 alone")),
        _ => Ok(()),
    }
}

/// |c|² of each row.
pub(crate) fn squared_norms(points: &Matrix) -> Vec<f64> {
    points.values.chunks(points.columns.max(1)).map(|row| row.iter().fold(0.0, |a, x| a + x * x)).collect()
}

/// The squared distance to each point, a row each; never negative.
pub(crate) fn squared(cx: &mut Lift, x: NodeId, points: Matrix, norms: Vec<f64>) -> Res<NodeId> {
    let n = points.rows;
    let minus_two = Matrix { values: points.values.iter().map(|c| -2.0 * c).collect(), ..points };
    let products = linear::map(cx, x, minus_two, vec![0.0; n])?;
    let squares = cx.op(Op::Mul, &[x, x])?;
    let own = cx.op(Op::Sum, &[squares])?;
    let sum = cx.op(Op::Add, &[products, own])?;
    let sum = cx.with_row(Op::Add, sum, norms)?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    cx.op(Op::Max, &[sum, zero])
}

/// The distances to each point as columns for the next step: `transform` of a clusterer.
pub(crate) fn columns(cx: &mut Lift, view: &View<'_>, x: NodeId, points: Matrix) -> Res<Columns> {
    let (n, norms) = (points.rows, squared_norms(&points));
    let squared = squared(cx, x, points, norms)?;
    let distances = cx.op(Op::Sqrt, &[squared])?;
    let facts = Facts { overflow: true, ..Facts::RAW };
    Ok(Columns::node(distances, n, facts, Some(numbered_names(view, n))))
}

/// `kmeans0`, `kmeans1`, …: the class in lower case and a number (`ClassNamePrefixFeaturesOutMixin`).
pub(crate) fn numbered_names(view: &View<'_>, n: usize) -> Vec<String> {
    let class = view.class().unwrap_or_default();
    let prefix = class.rsplit('.').next().unwrap_or_default().to_lowercase();
    (0..n).map(|i| format!("{prefix}{i}")).collect()
}

/// The index of the least column, the first of equal ones.
pub(crate) fn least(cx: &mut Lift, distances: NodeId) -> Res<NodeId> {
    if cx.width(distances) == 1 {
        return Ok(cx.b.constant(Frame::row_i64([0])));
    }
    let minus = cx.op(Op::Neg, &[distances])?;
    cx.op(Op::ArgMax, &[minus])
}

/// The index of the nearest point (`pairwise_distances_argmin`).
pub(crate) fn nearest(cx: &mut Lift, x: NodeId, points: Matrix) -> Res<NodeId> {
    let norms = squared_norms(&points);
    let squared = squared(cx, x, points, norms)?;
    least(cx, squared)
}

/// A number of the table for each index.
pub(crate) fn look_up(cx: &mut Lift, index: NodeId, table: Vec<i64>) -> Res<NodeId> {
    if table.iter().enumerate().all(|(i, label)| *label == i as i64) {
        return Ok(index);
    }
    let table = cx.b.constant(Frame { rows: table.len(), width: 1, data: Data::I64(table), valid: None });
    cx.op(Op::Lookup, &[index, table])
}
