//! Samples of a kernel's features: `RBFSampler`, `SkewedChi2Sampler`, `AdditiveChi2Sampler`.
//!
//! | `random_weights_`, `random_offset_` | [k, n], [n]: √(2 / n) cos(x · weights + offset) |
//! | `skewedness` | added to x before its logarithm; what is not above its negative is refused |
//! | `sample_steps`, `sample_interval` | how many cosines and sines of the logarithm, and how far apart |
//!
//! NaN and infinities are refused, and by the last one negative numbers. Source: scikit-learn `kernel_approximation.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::features::{ANY, prefixed, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.kernel_approximation.AdditiveChi2Sampler",
        reads: &["sample_steps", "sample_interval"],
        ignores: &["sample_interval_"],
        lift: additive,
    },
    Lifter {
        class: "sklearn.kernel_approximation.RBFSampler",
        reads: &["random_weights_", "random_offset_"],
        ignores: &["_gamma", "_n_features_out", "gamma", "n_components", "random_state"],
        lift: |cx, view, input| {
            let x = linear::finite(cx, view, &input)?;
            cosines(cx, view, x)
        },
    },
    Lifter {
        class: "sklearn.kernel_approximation.SkewedChi2Sampler",
        reads: &["skewedness", "random_weights_", "random_offset_"],
        ignores: &["_n_features_out", "n_components", "random_state"],
        lift: skewed,
    },
];

fn cosines(cx: &mut Lift, view: &View<'_>, x: NodeId) -> Res<Lifted> {
    let weights = view.attr("random_weights_")?;
    let matrix = weights.matrix()?;
    if matrix.rows != cx.width(x) {
        return Err(weights.expected(&format!("a row for each of {} columns", cx.width(x))));
    }
    let n = matrix.columns;
    let projected = linear::map(cx, x, matrix.transposed(), view.attr("random_offset_")?.f64s_of(n)?)?;
    let cosine = cx.op(Op::Cos, &[projected])?;
    let node = cx.with_row(Op::Mul, cosine, vec![(2.0 / n as f64).sqrt()])?;
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}

fn skewed(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let skewedness = view.attr("skewedness")?.f64()?;
    let x = linear::finite(cx, view, &input)?;
    let above = cx.with_row(Op::Gt, x, vec![-skewedness])?;
    cx.refuse_unless_all(above)?;
    let moved = cx.with_row(Op::Add, x, vec![skewedness])?;
    let logarithm = cx.op(Op::Ln, &[moved])?;
    cosines(cx, view, logarithm)
}

/// √(x L), and for each step j √(2 x L / cosh(π j L)) times the cosine and the sine of j L ln x; 0 where x is.
fn additive(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let steps = view.attr("sample_steps")?.size()?;
    let interval = view.attr("sample_interval")?;
    let interval = match (interval.is_none(), steps) {
        (false, _) => interval.f64()?,
        (true, 1) => 0.8,
        (true, 2) => 0.5,
        (true, 3) => 0.4,
        _ => return Err(interval.expected("an interval for that many steps")),
    };
    if steps > 1000 {
        return Err(view.unsupported(format!("{steps} steps")));
    }
    let x = linear::finite(cx, view, &input)?;
    let whole = cx.with_row(Op::Ge, x, vec![0.0])?;
    cx.refuse_unless_all(whole)?;
    let (empty, zero) = (cx.with_row(Op::Eq, x, vec![0.0])?, row(cx, vec![0.0]));
    let scaled = cx.with_row(Op::Mul, x, vec![interval])?;
    let mut blocks = vec![(cx.op(Op::Sqrt, &[scaled])?, "sqrt".to_string())];
    let logarithm = cx.op(Op::Ln, &[x])?;
    let logarithm = cx.with_row(Op::Mul, logarithm, vec![interval])?;
    // Doubled first, as the library does: so it overflows for the same rows.
    let double = cx.with_row(Op::Mul, x, vec![2.0])?;
    let double = cx.with_row(Op::Mul, double, vec![interval])?;
    for j in 1..steps {
        let width = (std::f64::consts::PI * j as f64 * interval).cosh();
        let factor = cx.with_row(Op::Div, double, vec![width])?;
        let factor = cx.op(Op::Sqrt, &[factor])?;
        let angle = cx.with_row(Op::Mul, logarithm, vec![j as f64])?;
        for (op, name) in [(Op::Cos, "cos"), (Op::Sin, "sin")] {
            let wave = cx.op(op, &[angle])?;
            let wave = cx.op(Op::Mul, &[factor, wave])?;
            blocks.push((cx.op(Op::Select, &[empty, zero, wave])?, format!("{name}{j}")));
        }
    }
    let mut out = Columns::none();
    for (node, suffix) in blocks {
        let named = |n: &String| format!("additivechi2sampler_{n}_{suffix}");
        let names = input.names.as_ref().map(|names| names.iter().map(named).collect());
        out.append(Columns::node(node, input.width(), ANY, names));
    }
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}
