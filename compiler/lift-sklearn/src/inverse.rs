//! The way back through transformers of targets (`inverse_transform`).
//! Source: scikit-learn `preprocessing/_data.py`, `_function_transformer.py`.

use flock_ir_spec::{Composite, Diagnostic, Frame, NodeId, Op};

use crate::lift::{Lift, public_name};
use crate::read::view::View;
use crate::version::Version;

type Res<T> = Result<T, Diagnostic>;

/// The numbers that the transformer made `x` of. Infinities are refused, as they are by all of these.
pub(crate) fn inverse(cx: &mut Lift, transformer: &View<'_>, x: NodeId) -> Res<NodeId> {
    let Some(class) = transformer.class() else { return Err(transformer.expected("a fitted transformer")) };
    Version::of(transformer)?;
    let class = public_name(&class);
    let name = class.strip_prefix("sklearn.preprocessing.").unwrap_or(&class);
    if name != "FunctionTransformer" {
        cx.refuse_infinity(x)?;
    }
    match name {
        "FunctionTransformer" => of_function(cx, transformer, x),
        "StandardScaler" => scaled_and_moved(cx, transformer, x, ["with_std", "scale_"], ["with_mean", "mean_"]),
        "RobustScaler" => {
            scaled_and_moved(cx, transformer, x, ["with_scaling", "scale_"], ["with_centering", "center_"])
        }
        "MaxAbsScaler" => with_own(cx, transformer, Op::Mul, x, "scale_"),
        "MinMaxScaler" => {
            let x = with_own(cx, transformer, Op::Sub, x, "min_")?;
            with_own(cx, transformer, Op::Div, x, "scale_")
        }
        "PowerTransformer" => of_power(cx, transformer, x),
        "QuantileTransformer" => of_quantiles(cx, transformer, x),
        _ => Err(transformer.unsupported(format!("the way back through `{class}`"))),
    }
}

/// `x op` an attribute of one number per column.
fn with_own(cx: &mut Lift, transformer: &View<'_>, op: Op, x: NodeId, name: &str) -> Res<NodeId> {
    let row = transformer.attr(name)?.f64s_of(cx.width(x))?;
    cx.with_row(op, x, row)
}

fn scaled_and_moved(
    cx: &mut Lift,
    transformer: &View<'_>,
    x: NodeId,
    scale: [&str; 2],
    center: [&str; 2],
) -> Res<NodeId> {
    let x = if transformer.attr(scale[0])?.bool()? { with_own(cx, transformer, Op::Mul, x, scale[1])? } else { x };
    if transformer.attr(center[0])?.bool()? { with_own(cx, transformer, Op::Add, x, center[1]) } else { Ok(x) }
}

/// A function of numpy, or none.
fn of_function(cx: &mut Lift, transformer: &View<'_>, x: NodeId) -> Res<NodeId> {
    if transformer.attr("validate")?.bool()? {
        let finite = cx.op(Op::Composite(Composite::IS_FINITE), &[x])?;
        cx.refuse_unless_all(finite)?;
    }
    let function = transformer.attr("inverse_func")?;
    if function.is_none() {
        return Ok(x);
    }
    let arguments = transformer.attr("inv_kw_args")?;
    if !arguments.is_none() && !arguments.entries()?.is_empty() {
        return Err(arguments.unsupported("arguments of a function"));
    }
    let name = function.class().unwrap_or_else(|| function.kind());
    match cx.numpy_function(&name, x)? {
        Some(y) => Ok(y),
        None => {
            Err(function.unsupported(format!("the function `{name}`: functions of numpy that are known by name lift")))
        }
    }
}

/// Per column the inverse of Box and Cox or of Yeo and Johnson.
fn of_power(cx: &mut Lift, transformer: &View<'_>, x: NodeId) -> Res<NodeId> {
    let x = match transformer.attr("standardize")?.bool()? {
        true => inverse(cx, &transformer.attr("_scaler")?, x)?,
        false => x,
    };
    let lambdas = transformer.attr("lambdas_")?.f64s_of(cx.width(x))?;
    let method = transformer.attr("method")?;
    // scipy's function, of exponentials, has replaced a power.
    let new = Version::of(transformer)? >= Version(1, 6);
    let columns = lambdas.iter().enumerate().map(|(k, lambda)| {
        let column = cx.pick(x, &[k])?;
        match method.str() {
            Some("box-cox") => un_box_cox(cx, column, *lambda, new),
            Some("yeo-johnson") => un_yeo_johnson(cx, column, *lambda),
            _ => Err(method.unsupported("a power that is not known")),
        }
    });
    let columns = columns.collect::<Res<Vec<_>>>()?;
    cx.side_by_side(&columns)
}

fn un_box_cox(cx: &mut Lift, x: NodeId, lambda: f64, new: bool) -> Res<NodeId> {
    if lambda == 0.0 {
        return cx.op(Op::Exp, &[x]);
    }
    let scaled = cx.with_row(Op::Mul, x, vec![lambda])?;
    if new {
        let log = cx.op(Op::Log1p, &[scaled])?;
        let log = cx.with_row(Op::Div, log, vec![lambda])?;
        return cx.op(Op::Exp, &[log]);
    }
    let base = cx.with_row(Op::Add, scaled, vec![1.0])?;
    cx.with_row(Op::Pow, base, vec![1.0 / lambda])
}

fn un_yeo_johnson(cx: &mut Lift, x: NodeId, lambda: f64) -> Res<NodeId> {
    let above = if lambda.abs() < f64::EPSILON {
        let e = cx.op(Op::Exp, &[x])?;
        cx.with_row(Op::Sub, e, vec![1.0])?
    } else {
        let base = cx.with_row(Op::Mul, x, vec![lambda])?;
        let base = cx.with_row(Op::Add, base, vec![1.0])?;
        let power = cx.with_row(Op::Pow, base, vec![1.0 / lambda])?;
        cx.with_row(Op::Sub, power, vec![1.0])?
    };
    let rest = 2.0 - lambda;
    let power = if (lambda - 2.0).abs() > f64::EPSILON {
        let base = cx.with_row(Op::Mul, x, vec![-rest])?;
        let base = cx.with_row(Op::Add, base, vec![1.0])?;
        cx.with_row(Op::Pow, base, vec![1.0 / rest])?
    } else {
        let minus = cx.op(Op::Neg, &[x])?;
        cx.op(Op::Exp, &[minus])?
    };
    let one = cx.row_f64([1.0]);
    let below = cx.op(Op::Sub, &[one, power])?;
    let positive = cx.with_row(Op::Ge, x, vec![0.0])?;
    // The library writes 1 - power where x is NaN; that is NaN too.
    cx.op(Op::Select, &[positive, above, below])
}

/// Per column linear between quantiles; of a normal output by its distribution function first.
fn of_quantiles(cx: &mut Lift, transformer: &View<'_>, x: NodeId) -> Res<NodeId> {
    /// Closer than this to 0 or 1 is the first or the last quantile.
    const BOUND: f64 = 1e-7;
    let distribution = transformer.attr("output_distribution")?;
    let normal = match distribution.str() {
        Some("normal") => true,
        Some("uniform") => false,
        _ => return Err(distribution.unsupported("a distribution that is not known")),
    };
    let (references, quantiles) = (transformer.attr("references_")?.f64s()?, transformer.attr("quantiles_")?.matrix()?);
    let (n, width) = (references.len(), cx.width(x));
    if n == 0 || quantiles.rows != n || quantiles.columns != width {
        return Err(transformer.expected(&format!("{n} quantiles of {width} columns")));
    }
    let references = cx.b.constant(Frame::row_f64(references));
    let mut columns = Vec::with_capacity(width);
    for k in 0..width {
        let own: Vec<f64> = (0..n).map(|q| quantiles.values[q * width + k]).collect();
        let (first, last) = (cx.row_f64([own[0]]), cx.row_f64([own[n - 1]]));
        let mut share = cx.pick(x, &[k])?;
        if normal {
            share = cx.op(Op::Composite(Composite::NDTR), &[share])?;
        }
        let own = cx.row_f64(own);
        let mut y = cx.op(Op::Interpolate, &[share, references, own])?;
        if normal {
            let above = cx.with_row(Op::Add, share, vec![BOUND])?;
            let above = cx.with_row(Op::Gt, above, vec![1.0])?;
            y = cx.op(Op::Select, &[above, last, y])?;
            let below = cx.with_row(Op::Sub, share, vec![BOUND])?;
            let below = cx.with_row(Op::Lt, below, vec![0.0])?;
            y = cx.op(Op::Select, &[below, first, y])?;
        }
        columns.push(y);
    }
    cx.side_by_side(&columns)
}
