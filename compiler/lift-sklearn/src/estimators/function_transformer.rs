//! `FunctionTransformer`: a function of numpy by its name, or none: the identity that a `ColumnTransformer` puts where
//! it passes columns through.
//!
//! | `func` | None, or a function of numpy on each number by itself |   | `kw_args` | none |
//! | `validate` | NaN and infinities are refused |   | `feature_names_out` | `one-to-one` keeps the names |
//!
//! A file holds of a function its name alone, so that one of Python's is refused. `numpy.reciprocal` is as well: of
//! integers it is a whole number, of floats it is not. Source: scikit-learn `preprocessing/_function_transformer.py`.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::features::{ANY, one_to_one, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.FunctionTransformer",
    reads: &["func", "validate", "feature_names_out", "kw_args"],
    ignores: &["inverse_func", "accept_sparse", "check_inverse", "inv_kw_args"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, mut input: Columns) -> Result<Lifted, Diagnostic> {
    let func = view.attr("func")?;
    if view.attr("feature_names_out")?.str() != Some("one-to-one") {
        input.names = None;
    }
    if view.attr("validate")?.bool()? {
        cx.refuse_non_finite(&input, view)?;
    }
    if func.is_none() {
        return Ok(Lifted::Columns(input));
    }
    let arguments = view.attr("kw_args")?;
    if !arguments.is_none() && !arguments.entries()?.is_empty() {
        return Err(arguments.unsupported("a function with further arguments"));
    }
    let name = func.class().unwrap_or_else(|| func.kind());
    super::refuse_single(&input, view)?;
    cx.settle(&input)?;
    let x = cx.numbers(&input, view)?;
    let node = of_numpy(cx, &name, x)?.ok_or_else(|| {
        let fault = func.unsupported(format!("the function `{name}` is not supported"));
        fault.help("functions of numpy on each number by itself are, such as `numpy.log1p`")
    })?;
    let mut out = one_to_one(cx, &input, node, ANY);
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}

/// What a function of numpy means in operators.
enum Function {
    Op(Op),
    Composite(Composite),
    /// The number times this.
    Times(f64),
    /// This to the power of the number.
    PowerOf(f64),
    Identity,
    Truncated,
    NanToNum,
}

fn of_numpy(cx: &mut Lift, name: &str, x: NodeId) -> Result<Option<NodeId>, Diagnostic> {
    let Some(function) = function(name) else { return Ok(None) };
    Ok(Some(match function {
        Function::Op(op) => cx.op(op, &[x])?,
        Function::Composite(c) => cx.op(Op::Composite(c), &[x])?,
        Function::Times(factor) => cx.with_row(Op::Mul, x, vec![factor])?,
        Function::PowerOf(base) => {
            let base = row(cx, vec![base]);
            cx.op(Op::Pow, &[base, x])?
        }
        Function::Identity => x,
        Function::Truncated => {
            let negative = cx.with_row(Op::Lt, x, vec![0.0])?;
            let (up, down) = (cx.op(Op::Ceil, &[x])?, cx.op(Op::Floor, &[x])?);
            cx.op(Op::Select, &[negative, up, down])?
        }
        Function::NanToNum => {
            let (missing, zero) = (cx.op(Op::IsNan, &[x])?, row(cx, vec![0.0]));
            let number = cx.op(Op::Select, &[missing, zero, x])?;
            let number = cx.with_row(Op::Min, number, vec![f64::MAX])?;
            cx.with_row(Op::Max, number, vec![f64::MIN])?
        }
    }))
}

/// `numpy.log1p`, and in files of numpy 1 `numpy.core._multiarray_umath.log1p`.
fn function(name: &str) -> Option<Function> {
    let (module, name) = name.rsplit_once('.')?;
    let numpy = matches!(
        module,
        "numpy" | "numpy.core._multiarray_umath" | "numpy._core._multiarray_umath" | "numpy.core.umath" | "numpy._core.umath"
    );
    if module == "scipy.special._ufuncs" || module == "scipy.special" {
        return Some(match name {
            "expit" => Function::Op(Op::Logistic),
            "log1p" => Function::Op(Op::Log1p),
            "expm1" => Function::Op(Op::Expm1),
            "erf" => Function::Composite(Composite::ERF),
            "ndtr" => Function::Composite(Composite::NDTR),
            "ndtri" => Function::Composite(Composite::PROBIT),
            _ => return None,
        });
    }
    let python = matches!((module, name), ("builtins" | "_operator", "abs") | ("_operator", "neg"));
    if !numpy && !python {
        return None;
    }
    Some(match name {
        "abs" | "absolute" | "fabs" => Function::Op(Op::Abs),
        "arccos" => Function::Composite(Composite::ACOS),
        "arccosh" => Function::Composite(Composite::ACOSH),
        "arcsin" => Function::Composite(Composite::ASIN),
        "arcsinh" => Function::Composite(Composite::ASINH),
        "arctan" => Function::Op(Op::Atan),
        "arctanh" => Function::Composite(Composite::ATANH),
        "ceil" => Function::Op(Op::Ceil),
        "cos" => Function::Op(Op::Cos),
        "cosh" => Function::Composite(Composite::COSH),
        "deg2rad" | "radians" => Function::Times(std::f64::consts::PI / 180.0),
        "exp" => Function::Op(Op::Exp),
        "exp2" => Function::PowerOf(2.0),
        "expm1" => Function::Op(Op::Expm1),
        "floor" => Function::Op(Op::Floor),
        "isnan" => Function::Op(Op::IsNan),
        "log" => Function::Op(Op::Ln),
        "log10" => Function::Composite(Composite::LOG10),
        "log1p" => Function::Op(Op::Log1p),
        "log2" => Function::Composite(Composite::LOG2),
        "nan_to_num" => Function::NanToNum,
        "neg" | "negative" => Function::Op(Op::Neg),
        "positive" => Function::Identity,
        "rad2deg" | "degrees" => Function::Times(180.0 / std::f64::consts::PI),
        "rint" => Function::Op(Op::Round),
        "sign" => Function::Composite(Composite::SIGN),
        "sin" => Function::Op(Op::Sin),
        "sinh" => Function::Composite(Composite::SINH),
        "sqrt" => Function::Op(Op::Sqrt),
        "square" => Function::Composite(Composite::SQUARE),
        "tan" => Function::Composite(Composite::TAN),
        "tanh" => Function::Op(Op::Tanh),
        "trunc" => Function::Truncated,
        _ => return None,
    })
}
