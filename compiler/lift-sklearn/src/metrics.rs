//! How far a row is from the rows that a model keeps, in the metrics of neighbours.
//! Source: scikit-learn `metrics/_dist_metrics.pyx`, `metrics/pairwise.py`; scipy `spatial/distance.py`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op, Word};

use crate::kernels;
use crate::lift::Lift;
use crate::linear;
use crate::nearest;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// A metric with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Metric {
    /// The root of Σ (x − y)².
    Euclidean,
    /// Σ (x − y)².
    SquaredEuclidean,
    /// Σ |x − y|.
    Manhattan,
    /// The greatest |x − y|.
    Chebyshev,
    /// The pth root of Σ w |x − y|^p.
    Minkowski { p: f64, weights: Option<Vec<f64>> },
    /// 1 − x · y over both lengths.
    Cosine,
    /// Σ |x − y| / (|x| + |y|), 0 where both are 0.
    Canberra,
    /// Σ |x − y| / Σ (|x| + |y|), 0 where the latter is.
    BrayCurtis,
    /// The share of columns that differ.
    Hamming,
    /// The columns are the distances already.
    Precomputed,
}

impl Metric {
    /// `effective_metric_` with `effective_metric_params_`.
    pub fn of(view: &View<'_>, width: usize) -> Res<Metric> {
        let name = view.attr("effective_metric_")?;
        let parameters = view.attr("effective_metric_params_")?;
        Ok(match name.str() {
            Some("euclidean" | "l2") => Metric::Euclidean,
            Some("sqeuclidean") => Metric::SquaredEuclidean,
            Some("manhattan" | "cityblock" | "l1") => Metric::Manhattan,
            Some("chebyshev" | "infinity") => Metric::Chebyshev,
            Some("minkowski" | "p") => {
                let p = parameters.entry("p").or_else(|| view.get("p"));
                let p = p.ok_or_else(|| parameters.expected("the power `p`"))?.f64()?;
                let weights = match parameters.entry("w").filter(|w| !w.is_none()) {
                    Some(weights) => Some(weights.f64s_of(width)?),
                    None => None,
                };
                match (p, &weights) {
                    (1.0, None) => Metric::Manhattan,
                    (2.0, None) => Metric::Euclidean,
                    (p, None) if p == f64::INFINITY => Metric::Chebyshev,
                    (p, _) if p > 0.0 && p.is_finite() => Metric::Minkowski { p, weights },
                    _ => return Err(name.unsupported(format!("the Minkowski metric of p = {p} with weights"))),
                }
            }
            Some("cosine") => Metric::Cosine,
            Some("canberra") => Metric::Canberra,
            Some("braycurtis") => Metric::BrayCurtis,
            Some("hamming") => Metric::Hamming,
            Some("precomputed") => Metric::Precomputed,
            Some(other) => return Err(name.unsupported(format!("the metric `{other}`"))),
            None => return Err(name.unsupported("a metric that is a function of Python: a file has its name alone")),
        })
    }

    /// What the library compares in place of the distance: the sum under a root. `expanded` is its brute force, which
    /// takes |x|² − 2 x · y + |y|² for the square.
    pub fn reduced(&self, cx: &mut Lift, x: NodeId, points: &Matrix, expanded: bool) -> Res<NodeId> {
        match self {
            Metric::Euclidean | Metric::SquaredEuclidean if expanded => {
                nearest::squared(cx, x, points.clone(), nearest::squared_norms(points))
            }
            Metric::Euclidean | Metric::SquaredEuclidean => {
                kernels::distances(cx, Word::SqEuclidean, x, points.clone())
            }
            Metric::Manhattan => kernels::distances(cx, Word::L1, x, points.clone()),
            Metric::Chebyshev => kernels::distances(cx, Word::Chebyshev, x, points.clone()),
            Metric::Minkowski { p, weights } => minkowski(cx, x, points, *p, weights.as_deref()),
            Metric::Cosine => cosine(cx, x, points),
            Metric::Canberra => canberra(cx, x, points),
            Metric::BrayCurtis => {
                let apart = kernels::distances(cx, Word::L1, x, points.clone())?;
                let sizes = points.values.chunks(points.columns.max(1)).map(|row| row.iter().map(|y| y.abs()).sum());
                let own = cx.op(Op::Abs, &[x])?;
                let own = cx.op(Op::Sum, &[own])?;
                let together = cx.with_row(Op::Add, own, sizes.collect())?;
                let quotient = cx.op(Op::Div, &[apart, together])?;
                let zero = cx.b.constant(Frame::row_f64([0.0]));
                let some = cx.op(Op::Gt, &[together, zero])?;
                cx.op(Op::Select, &[some, quotient, zero])
            }
            Metric::Hamming => hamming(cx, x, points),
            Metric::Precomputed => Ok(x),
        }
    }

    /// The distance of what is compared.
    pub fn distance(&self, cx: &mut Lift, reduced: NodeId) -> Res<NodeId> {
        match self {
            Metric::Euclidean => cx.op(Op::Sqrt, &[reduced]),
            Metric::Minkowski { p, .. } => cx.with_row(Op::Pow, reduced, vec![1.0 / p]),
            _ => Ok(reduced),
        }
    }

    /// What is compared with, for a radius.
    pub fn reduced_radius(&self, radius: f64) -> f64 {
        match self {
            Metric::Euclidean => radius * radius,
            Metric::Minkowski { p, .. } => radius.powf(*p),
            _ => radius,
        }
    }
}

/// A sum over the columns from left to right, each column against all points: `term` gets the column, [n,1], and a row of
/// the points' values in it.
fn per_column(
    cx: &mut Lift,
    x: NodeId,
    points: &Matrix,
    mut term: impl FnMut(&mut Lift, NodeId, Vec<f64>, usize) -> Res<NodeId>,
) -> Res<NodeId> {
    let mut sum = None;
    for column in 0..points.columns {
        let own = cx.pick(x, &[column])?;
        let theirs = points.values.iter().skip(column).step_by(points.columns).copied().collect();
        let term = term(cx, own, theirs, column)?;
        sum = Some(match sum {
            None => term,
            Some(sum) => cx.op(Op::Add, &[sum, term])?,
        });
    }
    sum.ok_or_else(|| Diagnostic::new("flock::lift::internal", "model", "points without columns"))
}

fn minkowski(cx: &mut Lift, x: NodeId, points: &Matrix, p: f64, weights: Option<&[f64]>) -> Res<NodeId> {
    per_column(cx, x, points, |cx, own, theirs, column| {
        let difference = cx.with_row(Op::Sub, own, theirs)?;
        let size = cx.op(Op::Abs, &[difference])?;
        let power = cx.with_row(Op::Pow, size, vec![p])?;
        match weights {
            None => Ok(power),
            Some(weights) => cx.with_row(Op::Mul, power, vec![weights[column]]),
        }
    })
}

fn canberra(cx: &mut Lift, x: NodeId, points: &Matrix) -> Res<NodeId> {
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    per_column(cx, x, points, |cx, own, theirs, _| {
        let sizes = theirs.iter().map(|y| y.abs()).collect();
        let difference = cx.with_row(Op::Sub, own, theirs)?;
        let difference = cx.op(Op::Abs, &[difference])?;
        let size = cx.op(Op::Abs, &[own])?;
        let sum = cx.with_row(Op::Add, size, sizes)?;
        let quotient = cx.op(Op::Div, &[difference, sum])?;
        let some = cx.op(Op::Gt, &[sum, zero])?;
        cx.op(Op::Select, &[some, quotient, zero])
    })
}

fn hamming(cx: &mut Lift, x: NodeId, points: &Matrix) -> Res<NodeId> {
    let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
    let differing = per_column(cx, x, points, |cx, own, theirs, _| {
        let differs = cx.with_row(Op::Ne, own, theirs)?;
        cx.op(Op::Select, &[differs, one, zero])
    })?;
    cx.with_row(Op::Div, differing, vec![points.columns as f64])
}

/// Within 0 and 2, as the library cuts it.
fn cosine(cx: &mut Lift, x: NodeId, points: &Matrix) -> Res<NodeId> {
    let x = cx.op_with(Op::Normalize, Attr::Word(Word::L2), &[x])?;
    let minus = kernels::normalised(points.clone()).values.into_iter().map(|v| -v).collect();
    let n = points.rows;
    let distance = linear::map(cx, x, Matrix { values: minus, ..*points }, vec![1.0; n])?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let distance = cx.op(Op::Max, &[distance, zero])?;
    let two = cx.b.constant(Frame::row_f64([2.0]));
    cx.op(Op::Min, &[distance, two])
}
