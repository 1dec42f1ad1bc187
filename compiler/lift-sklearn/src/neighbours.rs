//! The training rows that a model of neighbours keeps, and which of them are nearest to a row.
//!
//! | `_fit_X` | [m, k]: the training rows |   | `_fit_method` | `kd_tree`, `ball_tree` or `brute` |
//! | `effective_metric_`, `effective_metric_params_` | see [`Metric`] |
//!
//! **Ties.** Where several training rows are equally far and not all of them are among the nearest, the library's choice
//! follows the order in which its index meets them; here the first of them in the training data are taken. So answers may
//! differ for rows with such a tie, and for none else. With `brute` and the euclidean metric the library compares
//! |x|² − 2 x · y + |y|², whose rounding makes and breaks ties far from the origin; so do we, summing from left to right.
//!
//! A distance that overflows is never among the nearest: the library's index then keeps the number it began with, 0.
//! Source: scikit-learn `neighbors/_base.py`, `_binary_tree.pxi.tp`; `_argkmin.pyx.tp`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::lift::Lift;
use crate::linear;
use crate::metrics::Metric;
use crate::read::numpy::Kind;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// The training rows.
pub(crate) struct Training {
    points: Matrix,
    metric: Metric,
    brute: bool,
    /// Number of training rows.
    pub rows: usize,
}

/// The nearest training rows, nearest first.
pub(crate) struct Nearest {
    /// Their numbers, i64 [n, count].
    pub index: NodeId,
    /// Their distances as the library compares them, f64 [n, count].
    reduced: NodeId,
}

impl Training {
    /// The training rows of a model with `width` columns.
    pub fn of(view: &View<'_>, width: usize) -> Res<Training> {
        let metric = Metric::of(view, width)?;
        let method = view.attr("_fit_method")?;
        let brute = match method.str() {
            Some("brute") => true,
            Some("kd_tree" | "ball_tree") => false,
            _ => return Err(method.unsupported("an index that is not known")),
        };
        let rows_view = view.attr("_fit_X")?;
        if brute && rows_view.element_size() == Some(4) {
            return Err(
                rows_view.unsupported("training rows of float32, to which distances are rounded by the library")
            );
        }
        // Between integers scipy measures, with another divisor.
        let measured = brute && rows_view.element_kind() == Some(Kind::Float);
        if metric == Metric::BrayCurtis && !measured {
            let why =
                "the dissimilarity `braycurtis`, which is no metric: the library's index misses neighbours with it";
            return Err(view.attr("effective_metric_")?.unsupported(why).help("`algorithm=\"brute\"` finds them all"));
        }
        let rows = view.attr("n_samples_fit_")?.size()?;
        let points = match metric {
            Metric::Precomputed => Matrix { rows, columns: 0, values: Vec::new() },
            _ => linear::dense(&rows_view)?,
        };
        let fits = match metric {
            Metric::Precomputed => rows == width,
            _ => points.rows == rows && points.columns == width && points.values.len() == rows * width,
        };
        if rows == 0 || width == 0 || !fits {
            return Err(rows_view.expected(&format!("{rows} rows of {width} columns")));
        }
        Ok(Training { points, metric, brute, rows })
    }

    /// What the library compares to find neighbours: a column per training row. Rows that it refuses are refused.
    pub fn reduced(&self, cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
        let x = linear::finite(cx, view, input)?;
        if self.metric == Metric::Precomputed {
            let zero = cx.b.constant(Frame::row_f64([0.0]));
            let whole = cx.op(Op::Ge, &[x, zero])?;
            cx.refuse_unless_all(whole)?;
        }
        self.metric.reduced(cx, x, &self.points, self.brute)
    }

    /// The distances of what is compared.
    pub fn distance(&self, cx: &mut Lift, reduced: NodeId) -> Res<NodeId> {
        self.metric.distance(cx, reduced)
    }

    /// Whether each training row is within a radius.
    pub fn within(&self, cx: &mut Lift, reduced: NodeId, radius: f64) -> Res<NodeId> {
        cx.with_row(Op::Le, reduced, vec![self.metric.reduced_radius(radius)])
    }

    /// The nearest rows of those that were compared.
    pub fn nearest(&self, cx: &mut Lift, view: &View<'_>, reduced: NodeId, count: usize) -> Res<Nearest> {
        if count == 0 || count > self.rows {
            return Err(view.expected(&format!("from 1 to {} neighbours, not {count},", self.rows)));
        }
        let range = Attr::Range { start: 0, len: count as u32 };
        let index = cx.op_with(Op::Order, range, &[reduced])?;
        let chosen = cx.op(Op::Gather, &[reduced, index])?;
        let chosen = cx.or_else(chosen, Frame::row_f64([f64::NAN]))?;
        let finite = cx.with_row(Op::Lt, chosen, vec![f64::INFINITY])?;
        let first = cx.b.constant(Frame::row_i64([0]));
        let index = cx.op(Op::Select, &[finite, index, first])?;
        Ok(Nearest { index, reduced: chosen })
    }
}

impl Nearest {
    /// The distances of the nearest rows.
    pub fn distances(&self, cx: &mut Lift, training: &Training) -> Res<NodeId> {
        let mut reduced = self.reduced;
        if training.brute {
            // What brute force starts from.
            let greatest = cx.b.constant(Frame::row_f64([f64::MAX]));
            reduced = cx.op(Op::Min, &[reduced, greatest])?;
        }
        training.distance(cx, reduced)
    }

    /// A number of each of the nearest rows, out of one per training row.
    pub fn of(&self, cx: &mut Lift, numbers: Vec<f64>) -> Res<NodeId> {
        let row = cx.b.constant(Frame::row_f64(numbers));
        let chosen = cx.op(Op::Gather, &[row, self.index])?;
        cx.or_else(chosen, Frame::row_f64([f64::NAN]))
    }
}

/// Whether neighbours count alike; else by 1 over their distance.
pub(crate) fn alike(view: &View<'_>) -> Res<bool> {
    let weights = view.attr("weights")?;
    match weights.str() {
        Some("uniform") => Ok(true),
        None if weights.is_none() => Ok(true),
        Some("distance") => Ok(false),
        _ => Err(weights.unsupported("weights by a function of Python: a file has its name alone")),
    }
}

/// 1 over each distance; in a row with distances of 0, 1 for these and 0 for the others. Where `within` is given it says
/// which count at all.
pub(crate) fn weights(cx: &mut Lift, distances: NodeId, within: Option<NodeId>) -> Res<NodeId> {
    let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
    let inverse = cx.op(Op::Div, &[one, distances])?;
    let inverse = match within {
        None => inverse,
        Some(within) => cx.op(Op::Select, &[within, inverse, zero])?,
    };
    // 1 over a denormal number is infinite, and counts as 1 over 0.
    let infinite = cx.with_row(Op::Eq, inverse, vec![f64::INFINITY])?;
    let any = cx.op(Op::Any, &[infinite])?;
    let alone = cx.op(Op::Select, &[infinite, one, zero])?;
    cx.op(Op::Select, &[any, alone, inverse])
}

/// What the targets are: one number per training row, or a table of them.
pub(crate) struct Targets {
    /// Per target a number per training row.
    pub columns: Vec<Vec<f64>>,
    /// Whether they are integers.
    pub whole: bool,
}

impl Targets {
    /// `_y`.
    pub fn of(view: &View<'_>, rows: usize) -> Res<Targets> {
        let y = view.attr("_y")?;
        let shape = y.shape()?;
        let columns = match shape[..] {
            [n] if n == rows => 1,
            [n, columns] if n == rows && columns > 0 => columns,
            _ => return Err(y.expected(&format!("targets of {rows} rows"))),
        };
        let values = y.f64s_of(rows * columns)?;
        let column = |c: usize| values.iter().skip(c).step_by(columns).copied().collect();
        let whole = matches!(y.element_kind(), Some(Kind::Int | Kind::UInt));
        Ok(Targets { columns: (0..columns).map(column).collect(), whole })
    }
}
