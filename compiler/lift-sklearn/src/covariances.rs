//! Kernels of Gaussian processes: a tree of sums, products and powers over covariances.
//! Source: scikit-learn `gaussian_process/kernels.py`, `__call__(X, Y)` and `diag(X)`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op, Word};

use crate::kernels::{self, Kernel, power};
use crate::lift::{Lift, public_name};
use crate::linear;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// Sums of products of sums, deeper than anybody writes them.
const MAX_DEPTH: usize = 32;

/// A covariance with its parameters.
pub(crate) enum Covariance {
    /// The same for all pairs.
    Constant(f64),
    /// Noise: for a row with itself, as which no row counts that was not fitted.
    White(f64),
    /// exp(-|x - y|² / 2), of columns divided by their scale
    Rbf { scale: Vec<f64> },
    /// Of nu = p + 1/2: a polynomial of the scaled distance and an exponential.
    Matern { scale: Vec<f64>, p: u32 },
    /// (1 + |x - y|² / (2 alpha scale²)) to the power of -alpha
    RationalQuadratic { scale: f64, alpha: f64 },
    /// exp(-2 (sin(π |x - y| / period) / scale)²)
    ExpSineSquared { scale: f64, period: f64 },
    /// x · y + sigma²
    DotProduct { sigma: f64 },
    /// One of the kernels of `metrics.pairwise`
    Pairwise(Kernel),
    /// The sum of two
    Sum(Box<[Covariance; 2]>),
    /// The product of two
    Product(Box<[Covariance; 2]>),
    /// One to the power of a number
    Power(Box<Covariance>, f64),
}

impl Covariance {
    /// The kernel of a fitted estimator on `width` columns.
    pub fn of(view: &View<'_>, width: usize) -> Res<Covariance> {
        Covariance::within(view, width, MAX_DEPTH)
    }

    fn within(view: &View<'_>, width: usize, depth: usize) -> Res<Covariance> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(view.unsupported("kernels nested too deep"));
        };
        let part = |name: &str| Covariance::within(&view.attr(name)?, width, depth);
        let both = || Ok::<_, Diagnostic>(Box::new([part("k1")?, part("k2")?]));
        let number = |name: &str| view.attr(name)?.f64();
        let class = view.class().ok_or_else(|| view.expected("a kernel"))?;
        let public = public_name(&class);
        Ok(match public.strip_prefix("sklearn.gaussian_process.kernels.").unwrap_or_default() {
            "ConstantKernel" => Covariance::Constant(number("constant_value")?),
            "WhiteKernel" => Covariance::White(number("noise_level")?),
            "RBF" => Covariance::Rbf { scale: scales(view, width)? },
            "Matern" => match matern(view)? {
                Some(p) => Covariance::Matern { scale: scales(view, width)?, p },
                None => Covariance::Rbf { scale: scales(view, width)? },
            },
            "RationalQuadratic" => {
                Covariance::RationalQuadratic { scale: number("length_scale")?, alpha: number("alpha")? }
            }
            "ExpSineSquared" => {
                Covariance::ExpSineSquared { scale: number("length_scale")?, period: number("periodicity")? }
            }
            "DotProduct" => Covariance::DotProduct { sigma: number("sigma_0")? },
            "PairwiseKernel" => Covariance::Pairwise(pairwise(view)?),
            "Sum" => Covariance::Sum(both()?),
            "Product" => Covariance::Product(both()?),
            "Exponentiation" => Covariance::Power(Box::new(part("kernel")?), number("exponent")?),
            "CompoundKernel" => {
                return Err(view.unsupported("a `CompoundKernel`, with which the library itself does not predict"));
            }
            _ => return Err(view.unsupported(format!("the kernel `{class}` is not one of the library's"))),
        })
    }

    /// A column per point, or one column where all are equal.
    pub fn values(&self, cx: &mut Lift, place: &View<'_>, x: NodeId, points: &Matrix) -> Res<NodeId> {
        match self {
            Covariance::Constant(value) => Ok(cx.b.constant(Frame::row_f64([*value]))),
            Covariance::White(_) => Ok(cx.b.constant(Frame::row_f64([0.0]))),
            Covariance::Rbf { scale } => {
                let distances = scaled_distances(cx, Word::SqEuclidean, x, points, scale)?;
                kernels::exp_times(cx, distances, -0.5)
            }
            Covariance::Matern { scale, p } => {
                let distances = scaled_distances(cx, Word::L2, x, points, scale)?;
                matern_values(cx, distances, *p)
            }
            Covariance::RationalQuadratic { scale, alpha } => {
                let squares = kernels::distances(cx, Word::SqEuclidean, x, points.clone())?;
                let part = cx.with_row(Op::Div, squares, vec![2.0 * alpha * scale * scale])?;
                let base = cx.with_row(Op::Add, part, vec![1.0])?;
                cx.with_row(Op::Pow, base, vec![-alpha])
            }
            Covariance::ExpSineSquared { scale, period } => {
                let distances = kernels::distances(cx, Word::L2, x, points.clone())?;
                let angle = cx.with_row(Op::Mul, distances, vec![std::f64::consts::PI / period])?;
                let sine = cx.op(Op::Sin, &[angle])?;
                let scaled = cx.with_row(Op::Div, sine, vec![*scale])?;
                let square = cx.op(Op::Mul, &[scaled, scaled])?;
                kernels::exp_times(cx, square, -2.0)
            }
            Covariance::DotProduct { sigma } => linear::map(cx, x, points.clone(), vec![sigma * sigma; points.rows]),
            Covariance::Pairwise(kernel) => kernel.values(cx, place, x, points.clone()),
            Covariance::Sum(parts) => join(cx, Op::Add, parts, |cx, part| part.values(cx, place, x, points)),
            Covariance::Product(parts) => join(cx, Op::Mul, parts, |cx, part| part.values(cx, place, x, points)),
            Covariance::Power(part, exponent) => {
                let base = part.values(cx, place, x, points)?;
                power(cx, base, *exponent)
            }
        }
    }

    /// The covariance of the row with itself: one column.
    pub fn own(&self, cx: &mut Lift, place: &View<'_>, x: NodeId) -> Res<NodeId> {
        match self {
            Covariance::Constant(value) | Covariance::White(value) => Ok(cx.b.constant(Frame::row_f64([*value]))),
            Covariance::Rbf { .. }
            | Covariance::Matern { .. }
            | Covariance::RationalQuadratic { .. }
            | Covariance::ExpSineSquared { .. } => Ok(cx.b.constant(Frame::row_f64([1.0]))),
            Covariance::DotProduct { sigma } => {
                let squares = cx.op(Op::Mul, &[x, x])?;
                let sum = cx.op(Op::Sum, &[squares])?;
                cx.with_row(Op::Add, sum, vec![sigma * sigma])
            }
            Covariance::Pairwise(_) => Err(place.unsupported("the variance under a `PairwiseKernel`")),
            Covariance::Sum(parts) => join(cx, Op::Add, parts, |cx, part| part.own(cx, place, x)),
            Covariance::Product(parts) => join(cx, Op::Mul, parts, |cx, part| part.own(cx, place, x)),
            Covariance::Power(part, exponent) => {
                let base = part.own(cx, place, x)?;
                power(cx, base, *exponent)
            }
        }
    }
}

fn join(
    cx: &mut Lift,
    op: Op,
    parts: &[Covariance; 2],
    mut of: impl FnMut(&mut Lift, &Covariance) -> Res<NodeId>,
) -> Res<NodeId> {
    let (first, second) = (of(cx, &parts[0])?, of(cx, &parts[1])?);
    cx.op(op, &[first, second])
}

/// `length_scale`: one for all columns, or one each.
fn scales(view: &View<'_>, width: usize) -> Res<Vec<f64>> {
    let scale = view.attr("length_scale")?;
    let values = scale.f64s().or_else(|_| Ok::<_, Diagnostic>(vec![scale.f64()?]))?;
    if values.len() == 1 || values.len() == width {
        Ok(values)
    } else {
        Err(scale.expected(&format!("one scale, or one for each of {width} columns")))
    }
}

/// p of `nu` = p + 1/2; None for the limit, which is `RBF`.
fn matern(view: &View<'_>) -> Res<Option<u32>> {
    let nu = view.attr("nu")?;
    let value = nu.f64()?;
    if value == f64::INFINITY {
        return Ok(None);
    }
    let p = value - 0.5;
    if p.fract() != 0.0 || !(0.0..=20.0).contains(&p) {
        let message = format!("`nu` of {value}: its Bessel function has a closed form for halves of odd numbers only");
        return Err(nu.unsupported(message));
    }
    Ok(Some(p as u32))
}

fn pairwise(view: &View<'_>) -> Res<Kernel> {
    let given = view.attr("pairwise_kernels_kwargs")?;
    if !given.is_none() {
        return Err(given.unsupported("further parameters of a `PairwiseKernel`"));
    }
    Kernel::named(&view.attr("metric")?, |of| match of {
        "gamma" => view.attr("gamma")?.f64(),
        // The defaults of `polynomial_kernel` and `sigmoid_kernel`.
        "degree" => Ok(3.0),
        _ => Ok(1.0),
    })
}

fn scaled_distances(cx: &mut Lift, metric: Word, x: NodeId, points: &Matrix, scale: &[f64]) -> Res<NodeId> {
    let x = cx.with_row(Op::Div, x, scale.to_vec())?;
    let mut points = points.clone();
    for row in points.values.chunks_mut(points.columns.max(1)) {
        row.iter_mut().enumerate().for_each(|(k, v)| *v /= scale[k % scale.len()]);
    }
    kernels::distances(cx, metric, x, points)
}

/// For p up to 2 as the library has them, else Σ (p + i)! / (i! (p - i)!) (2 t)^(p - i) · p! / (2 p)! · exp(-t), where t is
/// the distance times √(2 nu).
fn matern_values(cx: &mut Lift, distances: NodeId, p: u32) -> Res<NodeId> {
    let t = match p {
        0 => distances,
        _ => cx.with_row(Op::Mul, distances, vec![f64::from(2 * p + 1).sqrt()])?,
    };
    let decay = kernels::exp_times(cx, t, -1.0)?;
    if p == 0 {
        return Ok(decay);
    }
    // From the highest power of t down: c_p = 2^p p! / (2 p)!, c_(p - i) = c_(p - i + 1) (p + i)(p - i + 1) / (2 i).
    let p = f64::from(p);
    let mut c = (1..=p as u32).fold(1.0, |c, i| c * 2.0 * f64::from(i) / ((p + f64::from(i)) * f64::from(i)));
    let mut sum = cx.with_row(Op::Mul, t, vec![c])?;
    for i in 1..=p as u32 {
        let i = f64::from(i);
        c *= (p + i) * (p - i + 1.0) / (2.0 * i);
        sum = cx.with_row(Op::Add, sum, vec![c])?;
        if i < p {
            sum = cx.op(Op::Mul, &[sum, t])?;
        }
    }
    cx.op(Op::Mul, &[sum, decay])
}
