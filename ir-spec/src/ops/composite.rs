//! Composites: operators with a definition in the core. The text of the definition is the only meaning they have.

use super::{Attr, Record, ops, require, same};
use crate::types::{DType, Type};

/// `?c`: erfc of the size `?x` of `?a`, where that is above 0.46875; `?m`: erf(?a) / ?a, where it is not. The exponent is
/// split, so that the error of its square does not grow with it; beyond 28 the result is 0.
macro_rules! erfc_of_size {
    () => {
        "
        ?x = (abs ?a);
        ?n = (min ?x 0.46875);
        ?z = (mul ?n ?n);
        ?m = (div (horner ?z 0.18577770618460315 3.1611237438705656 113.86415415105016 377.485237685302 3209.3775891384694)
            (horner ?z 1 23.601290952344122 244.02463793444417 1282.6165260773723 2844.236833439171));
        ?y = (max (min ?x 28) 0.46875);
        ?mid = (div (horner ?y 2.1531153547440383e-8 0.564188496988670089 8.88314979438837594 66.1191906371416295 298.635138197400131 881.95222124176909 1712.04761263407058 2051.07837782607147 1230.33935479799725)
            (horner ?y 1 15.7449261107098347 117.693950891312499 537.181101862009858 1621.38957456669019 3290.79923573345963 4362.61909014324716 3439.36767414372164 1230.33935480374942));
        ?w = (div 1 (mul ?y ?y));
        ?tail = (mul ?w (div (horner ?w 0.0163153871373020978 0.305326634961232344 0.360344899949804439 0.125781726111229246 0.0160837851487422766 0.000658749161529837803)
            (horner ?w 1 2.56852019228982242 1.87295284992346725 0.527905102951428412 0.0605183413124413191 0.00233520497626869185)));
        ?g = (div (floor (mul ?y 16)) 16);
        ?d = (mul (sub ?y ?g) (add ?y ?g));
        ?c = (mul (mul (exp (neg (mul ?g ?g))) (exp (neg ?d))) (select (le ?y 4) ?mid (div (sub 0.5641895835477563 ?tail) ?y)));
        "
    };
}

ops! {
    /// Whether the element is missing: null or NaN.
    IS_MISSING = "is_missing"("a") { shape "floats [n,k] -> bool [n,k]", nulls Never, exact Bits, source "pandas.isna", infer missing_type, expands "(coalesce (is_nan ?a) true)" }
    /// The greater of the value and 0.
    RELU = "relu"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Bits, source "ONNX Relu-14", infer float_type, expands "(max ?a 0)" }
    /// Within the bounds.
    CLIP = "clip"("a", "low", "high") { shape "floats [n,k], bounds of width 1 or k -> [n,k]", nulls Strict, exact Bits, source "numpy.clip", infer float_type, expands "(min (max ?a ?low) ?high)" }
    /// Whether a float is neither infinite nor NaN.
    IS_FINITE = "is_finite"("a") { shape "floats [n,k] -> bool [n,k]", nulls Strict, exact Bits, source "numpy.isfinite", infer finite_type, expands "(lt (abs ?a) inf)" }
    /// -1, 0 or 1 as the value is below, at or above 0; NaN stays.
    SIGN = "sign"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Bits, source "numpy.sign", infer float_type, expands "(select (gt ?a 0) 1 (select (lt ?a 0) -1 (select (eq ?a 0) 0 ?a)))" }
    /// The value times itself.
    SQUARE = "square"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Bits, source "numpy.square", infer float_type, expands "(mul ?a ?a)" }
    /// 1 over the value.
    RECIPROCAL = "reciprocal"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Bits, source "numpy.reciprocal", infer float_type, expands "(div 1 ?a)" }
    /// Logarithm to base 10.
    LOG10 = "log10"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.8", infer float_type, expands "(div (ln ?a) 2.302585092994046)" }
    /// Logarithm to base 2.
    LOG2 = "log2"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.10", infer float_type, expands "(div (ln ?a) 0.6931471805599453)" }
    /// ln(1 + exp(a)), without overflow.
    SOFTPLUS = "softplus"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "ONNX Softplus-22", infer float_type, expands "(add (max ?a 0) (log1p (exp (neg (abs ?a)))))" }
    /// Tangent of an angle in radians.
    TAN = "tan"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.7", infer float_type, expands "(div (sin ?a) (cos ?a))" }
    /// The angle in radians of that sine; NaN outside of -1 to 1. The product keeps its digits near the ends, 1 - a² does not.
    ASIN = "asin"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.2", infer float_type, expands "(atan (div ?a (sqrt (mul (sub 1 ?a) (add 1 ?a)))))" }
    /// The angle in radians of that cosine, by half of it; NaN outside of -1 to 1.
    ACOS = "acos"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.1", infer float_type, expands "(mul 2 (atan (sqrt (div (sub 1 ?a) (add 1 ?a)))))" }
    /// Hyperbolic sine: by expm1 up to 22, beyond as the square of exp(a / 2), which overflows where the result does.
    SINH = "sinh"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.5", infer float_type, expands "?x = (abs ?a); ?e = (expm1 (min ?x 22)); ?h = (exp (mul ?x 0.5)); ?y = (select (le ?x 22) (mul 0.5 (add ?e (div ?e (add ?e 1)))) (mul (mul 0.5 ?h) ?h)); (select (lt ?a 0) (neg ?y) (select (eq ?a 0) ?a ?y))" }
    /// Hyperbolic cosine, by the square of exp(|a| / 2), which overflows where the result does.
    COSH = "cosh"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.4", infer float_type, expands "?h = (exp (mul (abs ?a) 0.5)); (add (mul (mul 0.5 ?h) ?h) (div (div 0.5 ?h) ?h))" }
    /// The value of that hyperbolic sine: by log1p, which loses no digits near 0; above 2^28 the 1 under the root is lost anyway.
    ASINH = "asinh"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.2", infer float_type, expands "?x = (abs ?a); ?n = (min ?x 268435456); ?s = (mul ?n ?n); ?y = (select (le ?x 268435456) (log1p (add ?n (div ?s (add 1 (sqrt (add 1 ?s)))))) (add (ln ?x) 0.6931471805599453)); (select (lt ?a 0) (neg ?y) (select (eq ?a 0) ?a ?y))" }
    /// The value from 0 on of that hyperbolic cosine; NaN below 1.
    ACOSH = "acosh"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.1", infer float_type, expands "?t = (sub (min ?a 268435456) 1); ?y = (select (gt ?a 268435456) (add (ln ?a) 0.6931471805599453) (log1p (add ?t (sqrt (mul ?t (add ?t 2)))))); (select (lt ?a 1) nan ?y)" }
    /// The value of that hyperbolic tangent; NaN outside of -1 to 1.
    ATANH = "atanh"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.3", infer float_type, expands "?x = (abs ?a); ?y = (mul 0.5 (log1p (div (mul 2 ?x) (sub 1 ?x)))); (select (lt ?a 0) (neg ?y) (select (eq ?a 0) ?a ?y))" }
    /// The error function 2/√π ∫ exp(-t²) dt from 0 to a, by Cody's rational approximations (Math. Comp. 23, 1969).
    ERF = "erf"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.8.1", infer float_type, expands concat!(erfc_of_size!(), "?y = (add 0.5 (sub 0.5 ?c)); (select (gt ?x 0.46875) (select (lt ?a 0) (neg ?y) ?y) (mul ?a ?m))") }
    /// 1 less the error function, to full accuracy where that is near 1.
    ERFC = "erfc"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.8.2", infer float_type, expands concat!(erfc_of_size!(), "(select (gt ?x 0.46875) (select (lt ?a 0) (sub 2 ?c) ?c) (sub 1 (mul ?a ?m)))") }
    /// The normal distribution function: the share below a of a standard normal.
    NDTR = "ndtr"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "scipy.special.ndtr", infer float_type, expands "(mul 0.5 (erfc (mul ?a -0.7071067811865476)))" }
    /// The quantile of the standard normal, the inverse of `ndtr`: infinite at 0 and 1, NaN outside. By Wichura's AS 241
    /// (Applied Statistics 37, 1988).
    PROBIT = "probit"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "scipy.special.ndtri", infer float_type, expands "
        ?q = (sub ?a 0.5);
        ?n = (max (min ?q 0.425) -0.425);
        ?r = (sub 0.180625 (mul ?n ?n));
        ?near = (div (mul ?n (horner ?r 2509.0809287301226727 33430.575583588128105 67265.770927008700853 45921.953931549871457 13731.693765509461125 1971.5909503065514427 133.14166789178437745 3.387132872796366608))
            (horner ?r 5226.495278852854561 28729.085735721942674 39307.89580009271061 21213.794301586595867 5394.1960214247511077 687.1870074920579083 42.313330701600911252 1));
        ?p = (min ?a (sub 1 ?a));
        ?s = (min (sqrt (neg (ln ?p))) 30);
        ?t = (sub ?s 1.6);
        ?u = (sub ?s 5);
        ?far = (select (le ?s 5)
            (div (horner ?t 7.7454501427834140764e-4 2.27238449892691845833e-2 2.4178072517745061177e-1 1.27045825245236838258 3.64784832476320460504 5.7694972214606914055 4.6303378461565452959 1.42343711074968357734)
                (horner ?t 1.05075007164441684324e-9 5.475938084995344946e-4 1.51986665636164571966e-2 1.4810397642748007459e-1 6.8976733498510000455e-1 1.6763848301838038494 2.05319162663775882187 1))
            (div (horner ?u 2.01033439929228813265e-7 2.71155556874348757815e-5 1.2426609473880784386e-3 2.65321895265761230930e-2 2.9656057182850489123e-1 1.7848265399172913358 5.4637849111641143699 6.6579046435011037772)
                (horner ?u 2.04426310338993978564e-15 1.4215117583164458887e-7 1.8463183175100546818e-5 7.868691311456132591e-4 1.48753612908506148525e-2 1.3692988092273580531e-1 5.9983220655588793769e-1 1)));
        ?tail = (select (eq ?p 0) inf ?far);
        (select (le (abs ?q) 0.425) ?near (select (lt ?q 0) (neg ?tail) ?tail))" }
}

/// A composite by its position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Composite(u16);

/// The list; a definition names composites above its own only.
macro_rules! list {
    ($($id:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Position { $($id),* }
        static COMPOSITES: &[&Record] = &[$(&$id),*];
        impl Composite { $(
            #[doc = concat!("See [`", stringify!($id), "`].")]
            pub const $id: Composite = Composite(Position::$id as u16);
        )* }
    };
}
list! {
    IS_MISSING RELU CLIP IS_FINITE SIGN SQUARE RECIPROCAL LOG10 LOG2 SOFTPLUS TAN ASIN ACOS SINH COSH ASINH ACOSH ATANH
    ERF ERFC NDTR PROBIT
}

impl Composite {
    /// Every composite.
    pub fn all() -> impl Iterator<Item = Composite> {
        (0..COMPOSITES.len() as u16).map(Composite)
    }

    /// The record.
    pub fn record(self) -> &'static Record {
        COMPOSITES[self.0 as usize]
    }
}

fn missing_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    finite_type(attr, args).map(|t| match t {
        Type::Frame(t) => Type::Frame(t.with_nulls(false)),
        other => other,
    })
}

fn finite_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?.with_dtype(DType::Bool)))
}

fn float_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?))
}
