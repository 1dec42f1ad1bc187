//! `KNNImputer`: the mean of the nearest training rows that have the value.
//!
//! | `_fit_X`, `_mask_fit_X` | [m, k], the training rows and where they have gaps |   | `_valid_mask` | [k], the columns with a value |
//! | `n_neighbors` | how many |   | `weights` | `uniform`, or `distance`: the reciprocal |
//! | `keep_empty_features` | columns without a value become 0, else they are dropped |   | `indicator_` | as of `SimpleImputer` |
//!
//! The squared distance is the mean over the columns that both rows have, times k. A training row that shares none has
//! no distance: it comes last, and counts for nothing (for `uniform` only since 1.9). A row without any distance gets
//! the column's mean. Of training rows at one distance the library takes any; here the first are taken.
//! Source: scikit-learn `impute/_knn.py`, `metrics/pairwise.py`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op};

use super::missing_indicator::{flags, missing, positions};
use crate::columns::{Columns, Facts};
use crate::features::{as_number, lookup, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::{Matrix, View};
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.impute.KNNImputer",
    reads: &[
        "missing_values",
        "n_neighbors",
        "weights",
        "metric",
        "add_indicator",
        "keep_empty_features",
        "indicator_",
        "_fit_X",
        "_mask_fit_X",
        "_valid_mask",
    ],
    ignores: &["copy"],
    lift,
};

type Res<T> = Result<T, Diagnostic>;

/// Training rows that a row is compared with at most: their distances are columns.
const MAX_ROWS: usize = 4096;

/// What the library keeps of the training data.
struct Donors {
    values: Matrix,
    gaps: Vec<bool>,
    neighbours: usize,
    by_distance: bool,
    /// Whether a training row without a distance counts like any other.
    counts_distant: bool,
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let width = input.width();
    let donors = Donors::of(view, width)?;
    let valid = truths(&view.attr("_valid_mask")?, width)?;
    super::refuse_single(&input, view)?;
    let x = cx.numbers(&input, view)?;
    let gaps = missing(cx, view, &input, x)?;
    let nearness = donors.distances(cx, x, gaps)?;
    let keep = view.attr("keep_empty_features")?.bool()?;
    let (mut columns, mut kept) = (Vec::new(), Vec::new());
    for column in (0..width).filter(|c| valid[*c] || keep) {
        kept.push(column);
        columns.push(match valid[column] {
            true => {
                let (value, gap) = (cx.pick(x, &[column])?, cx.pick(gaps, &[column])?);
                let imputed = donors.imputed(cx, column, &nearness)?;
                cx.op(Op::Select, &[gap, imputed, value])?
            }
            false => row(cx, vec![0.0]),
        });
    }
    let mut out = Columns::none();
    if !kept.is_empty() {
        let node = cx.side_by_side(&columns)?;
        // With columns that it keeps empty the library has fewer names than columns.
        let named = input.names.as_ref().filter(|_| kept.iter().all(|c| valid[*c]));
        let names = named.map(|n| kept.iter().map(|c| n[*c].clone()).collect());
        out.append(Columns::node(node, kept.len(), Facts { big: true, ..Facts::CODES }, names));
    }
    out.append(indicated(cx, view, &input, gaps)?);
    Ok(Lifted::Columns(out))
}

/// The flags of `add_indicator`, as numbers.
pub(super) fn indicated(cx: &mut Lift, view: &View<'_>, input: &Columns, gaps: NodeId) -> Res<Columns> {
    if !view.attr("add_indicator")?.bool()? {
        return Ok(Columns::none());
    }
    let features = positions(&view.attr("indicator_")?, input.width())?;
    if features.is_empty() {
        return Ok(Columns::none());
    }
    let gaps = as_number(cx, gaps)?;
    flags(cx, input, gaps, &features)
}

fn truths(view: &View<'_>, n: usize) -> Res<Vec<bool>> {
    Ok(view.f64s_of(n)?.into_iter().map(|v| v != 0.0).collect())
}

/// A column per training row.
struct Nearness {
    /// The distance; NaN where the two share no column.
    distances: NodeId,
    /// How many columns the two share.
    shared: NodeId,
}

impl Donors {
    fn of(view: &View<'_>, width: usize) -> Res<Donors> {
        let metric = view.attr("metric")?;
        if metric.str() != Some("nan_euclidean") {
            return Err(metric.unsupported("a metric that is a function of Python: a file has its name alone"));
        }
        let weights = view.attr("weights")?;
        let by_distance = match weights.str() {
            Some("uniform") => false,
            Some("distance") => true,
            _ => return Err(weights.unsupported("weights that are a function of Python: a file has its name alone")),
        };
        let values = linear::table(view, "_fit_X", width)?;
        if values.rows > MAX_ROWS {
            return Err(view.unsupported(format!("neighbours among {} rows; {MAX_ROWS} are supported", values.rows)));
        }
        let gaps = truths(&view.attr("_mask_fit_X")?, values.values.len())?;
        let counts_distant = !by_distance && Version::of(view)? < Version(1, 9);
        Ok(Donors { values, gaps, neighbours: view.attr("n_neighbors")?.size()?, by_distance, counts_distant })
    }

    /// The distance to each training row; NaN where the two share no column. With p and q for what is there (0 or 1),
    /// Σ p q (x - y)² is one linear map of x², x and p, all 0 in the gaps.
    fn distances(&self, cx: &mut Lift, x: NodeId, gaps: NodeId) -> Res<Nearness> {
        let (rows, k) = (self.values.rows, self.values.columns);
        let mut weights = Vec::with_capacity(rows * 3 * k);
        let mut there = Vec::with_capacity(rows * k);
        for (y, gaps) in self.values.values.chunks(k).zip(self.gaps.chunks(k)) {
            let q: Vec<f64> = gaps.iter().map(|gap| f64::from(u8::from(!gap))).collect();
            let y: Vec<f64> = y.iter().zip(gaps).map(|(y, gap)| if *gap { 0.0 } else { *y }).collect();
            weights.extend(&q);
            weights.extend(y.iter().map(|y| -2.0 * y));
            weights.extend(y.iter().map(|y| y * y));
            there.extend(q);
        }
        let zero = row(cx, vec![0.0]);
        let x = cx.op(Op::Select, &[gaps, zero, x])?;
        let present = cx.op(Op::Not, &[gaps])?;
        let present = as_number(cx, present)?;
        let squares = cx.op(Op::Mul, &[x, x])?;
        let all = cx.side_by_side(&[squares, x, present])?;
        let sums = linear::map(cx, all, Matrix { rows, columns: 3 * k, values: weights }, vec![0.0; rows])?;
        let sums = cx.op(Op::Max, &[sums, zero])?;
        let shared = linear::map(cx, present, Matrix { rows, columns: k, values: there }, vec![0.0; rows])?;
        // 0 over 0 is the NaN of what shares nothing.
        let mean = cx.op(Op::Div, &[sums, shared])?;
        let scaled = cx.with_row(Op::Mul, mean, vec![k as f64])?;
        Ok(Nearness { distances: cx.op(Op::Sqrt, &[scaled])?, shared })
    }

    fn imputed(&self, cx: &mut Lift, column: usize, nearness: &Nearness) -> Res<NodeId> {
        let k = self.values.columns;
        let having: Vec<usize> = (0..self.values.rows).filter(|r| !self.gaps[r * k + column]).collect();
        let values: Vec<f64> = having.iter().map(|r| self.values.values[r * k + column]).collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let n = self.neighbours.min(having.len());
        let (distances, shared) = (cx.pick(nearness.distances, &having)?, cx.pick(nearness.shared, &having)?);
        let nearest = cx.op_with(Op::Order, Attr::Range { start: 0, len: n as u32 }, &[distances])?;
        let shared = cx.op(Op::Gather, &[shared, nearest])?;
        let shared = cx.or_else(shared, Frame::row_f64([0.0]))?;
        let near = cx.with_row(Op::Gt, shared, vec![0.0])?;
        let table = Matrix { rows: values.len(), columns: 1, values };
        let mut found = Vec::with_capacity(n);
        for i in 0..n {
            let at = cx.pick(nearest, &[i])?;
            found.push(lookup(cx, at, &table)?);
        }
        let found = cx.side_by_side(&found)?;
        let weights = self.weights(cx, distances, nearest, near)?;
        let products = cx.op(Op::Mul, &[found, weights])?;
        let (sum, total) = (cx.op(Op::Sum, &[products])?, cx.op(Op::Sum, &[weights])?);
        let average = cx.op(Op::Div, &[sum, total])?;
        // The nearest has no distance where none has.
        let any = cx.pick(near, &[0])?;
        let mean = row(cx, vec![mean]);
        cx.op(Op::Select, &[any, average, mean])
    }

    /// The weights of the nearest; `near` says which of them have a distance.
    fn weights(&self, cx: &mut Lift, distances: NodeId, nearest: NodeId, near: NodeId) -> Res<NodeId> {
        if self.counts_distant {
            return Ok(cx.b.constant(Frame::row_f64(vec![1.0; cx.width(near)])));
        }
        if !self.by_distance {
            return as_number(cx, near);
        }
        let (zero, one) = (row(cx, vec![0.0]), row(cx, vec![1.0]));
        let far = cx.op(Op::Gather, &[distances, nearest])?;
        let far = cx.or_else(far, Frame::row_f64([0.0]))?;
        let distance = cx.op(Op::Select, &[near, far, one])?;
        let at_zero = cx.op(Op::Eq, &[distance, zero])?;
        let any = cx.op(Op::Any, &[at_zero])?;
        let (same, inverse) = (as_number(cx, at_zero)?, cx.op(Op::Div, &[one, distance])?);
        let weights = cx.op(Op::Select, &[any, same, inverse])?;
        cx.op(Op::Select, &[near, weights, zero])
    }
}
