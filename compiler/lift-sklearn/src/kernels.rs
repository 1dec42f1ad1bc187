//! Kernels between a row and the rows that a model keeps.
//! Source: scikit-learn `metrics/pairwise.py`; libsvm `svm.cpp`, `Kernel::k_function`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op, Word};

use crate::lift::Lift;
use crate::linear;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// A kernel with its parameters.
pub(crate) enum Kernel {
    /// x · y
    Linear,
    /// (gamma x · y + coef0) to the power of degree
    Polynomial { gamma: f64, coef0: f64, degree: f64 },
    /// tanh(gamma x · y + coef0)
    Sigmoid { gamma: f64, coef0: f64 },
    /// exp(-gamma |x - y|²)
    Rbf { gamma: f64 },
    /// exp(-gamma Σ |x - y|)
    Laplacian { gamma: f64 },
    /// x · y over both lengths
    Cosine,
    /// -Σ (x - y)² / (x + y)
    AdditiveChi2,
    /// exp(gamma times that)
    Chi2 { gamma: f64 },
}

/// Rows that a kernel without a closed form over all of them may be compared with.
const MAX_POINTS: usize = 4096;

impl Kernel {
    /// The kernel that a text names; `parameter` gives `gamma`, `coef0` and `degree` as they are asked for.
    pub fn named(name: &View<'_>, parameter: impl Fn(&str) -> Res<f64>) -> Res<Kernel> {
        Ok(match name.str() {
            Some("linear") => Kernel::Linear,
            Some("poly" | "polynomial") => Kernel::Polynomial {
                gamma: parameter("gamma")?,
                coef0: parameter("coef0")?,
                degree: parameter("degree")?,
            },
            Some("sigmoid") => Kernel::Sigmoid { gamma: parameter("gamma")?, coef0: parameter("coef0")? },
            Some("rbf") => Kernel::Rbf { gamma: parameter("gamma")? },
            Some("laplacian") => Kernel::Laplacian { gamma: parameter("gamma")? },
            Some("cosine") => Kernel::Cosine,
            Some("additive_chi2") => Kernel::AdditiveChi2,
            Some("chi2") => Kernel::Chi2 { gamma: parameter("gamma")? },
            Some(other) => return Err(name.unsupported(format!("the kernel `{other}`"))),
            None => return Err(name.unsupported("a kernel that is a function of Python: a file has its name alone")),
        })
    }

    /// Its value for each of the points, a row each: a column per point.
    pub fn values(&self, cx: &mut Lift, place: &View<'_>, x: NodeId, points: Matrix) -> Res<NodeId> {
        match *self {
            Kernel::Linear => dot(cx, x, points),
            Kernel::Polynomial { gamma, coef0, degree } => {
                let base = scaled_dot(cx, x, points, gamma, coef0)?;
                power(cx, base, degree)
            }
            Kernel::Sigmoid { gamma, coef0 } => {
                let argument = scaled_dot(cx, x, points, gamma, coef0)?;
                cx.op(Op::Tanh, &[argument])
            }
            Kernel::Rbf { gamma } => {
                let distances = distances(cx, Word::SqEuclidean, x, points)?;
                exp_times(cx, distances, -gamma)
            }
            Kernel::Laplacian { gamma } => {
                let distances = distances(cx, Word::L1, x, points)?;
                exp_times(cx, distances, -gamma)
            }
            Kernel::Cosine => {
                let x = cx.op_with(Op::Normalize, Attr::Word(Word::L2), &[x])?;
                dot(cx, x, normalised(points))
            }
            Kernel::AdditiveChi2 => additive_chi2(cx, place, x, &points),
            Kernel::Chi2 { gamma } => {
                let sums = additive_chi2(cx, place, x, &points)?;
                exp_times(cx, sums, gamma)
            }
        }
    }
}

fn dot(cx: &mut Lift, x: NodeId, points: Matrix) -> Res<NodeId> {
    let n = points.rows;
    linear::map(cx, x, points, vec![0.0; n])
}

fn scaled_dot(cx: &mut Lift, x: NodeId, points: Matrix, gamma: f64, coef0: f64) -> Res<NodeId> {
    let dot = dot(cx, x, points)?;
    let scaled = cx.with_row(Op::Mul, dot, vec![gamma])?;
    cx.with_row(Op::Add, scaled, vec![coef0])
}

/// e to the power of a multiple.
pub(crate) fn exp_times(cx: &mut Lift, x: NodeId, factor: f64) -> Res<NodeId> {
    let argument = cx.with_row(Op::Mul, x, vec![factor])?;
    cx.op(Op::Exp, &[argument])
}

/// The distances of the row to each point, a row each.
pub(crate) fn distances(cx: &mut Lift, metric: Word, x: NodeId, points: Matrix) -> Res<NodeId> {
    let place = || Diagnostic::new("flock::lift::internal", "model", "points that are no table");
    let points = Frame::table_f64(points.rows, points.columns, &points.values).ok_or_else(place)?;
    let points = cx.b.constant(points);
    cx.op_with(Op::Distances, Attr::Word(metric), &[x, points])
}

/// The power of a small whole exponent is products by squaring (libsvm's `powi`), of another one `pow`.
pub(crate) fn power(cx: &mut Lift, base: NodeId, exponent: f64) -> Res<NodeId> {
    if exponent == 0.5 {
        return cx.op(Op::Sqrt, &[base]);
    }
    if exponent.fract() != 0.0 || !(1.0..=64.0).contains(&exponent) {
        return cx.with_row(Op::Pow, base, vec![exponent]);
    }
    let (mut square, mut left, mut product) = (base, exponent as u32, None);
    loop {
        if left % 2 == 1 {
            product = Some(match product {
                None => square,
                Some(product) => cx.op(Op::Mul, &[product, square])?,
            });
        }
        left /= 2;
        match product {
            Some(product) if left == 0 => return Ok(product),
            _ => square = cx.op(Op::Mul, &[square, square])?,
        }
    }
}

pub(crate) fn normalised(mut points: Matrix) -> Matrix {
    for row in points.values.chunks_mut(points.columns.max(1)) {
        let norm = row.iter().fold(0.0, |a, x| a + x * x).sqrt();
        if norm != 0.0 {
            row.iter_mut().for_each(|x| *x /= norm);
        }
    }
    points
}

/// The library refuses negative values; terms whose sum of x and y is 0 count for nothing.
fn additive_chi2(cx: &mut Lift, place: &View<'_>, x: NodeId, points: &Matrix) -> Res<NodeId> {
    if points.rows > MAX_POINTS {
        return Err(place.unsupported(format!("a chi-squared kernel against {} rows", points.rows)));
    }
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let whole = cx.op(Op::Ge, &[x, zero])?;
    cx.refuse_unless_all(whole)?;
    let mut sums = Vec::with_capacity(points.rows);
    for point in points.values.chunks(points.columns.max(1)) {
        let difference = cx.with_row(Op::Sub, x, point.to_vec())?;
        let sum = cx.with_row(Op::Add, x, point.to_vec())?;
        let square = cx.op(Op::Mul, &[difference, difference])?;
        let quotient = cx.op(Op::Div, &[square, sum])?;
        let empty = cx.op(Op::Eq, &[sum, zero])?;
        let term = cx.op(Op::Select, &[empty, zero, quotient])?;
        sums.push(cx.op(Op::Sum, &[term])?);
    }
    let sums = cx.side_by_side(&sums)?;
    cx.op(Op::Neg, &[sums])
}
