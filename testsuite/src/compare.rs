//! When an answer is the library's answer.

use flock_ir_spec::Scalar;

/// Why a cell is not what was expected, if it is not.
///
/// Numbers compare by value, whatever their dtypes. `NaN` that a library answered equals NaN and null of ours; a null that
/// it answered (a refused row) equals null, and NaN only where the database has no NaN of its own to tell them apart.
/// `tolerance` is a factor of max(1, |expected|); 0 asks for the same bits.
pub fn difference(found: &Scalar, expected: &Scalar, tolerance: f64) -> Option<String> {
    let equal = match (found, expected) {
        (Scalar::Null, e) => *e == Scalar::Null || number(e).is_some_and(f64::is_nan),
        (f, e) => match (number(f), number(e)) {
            (Some(f), Some(e)) if tolerance == 0.0 => f == e || (f.is_nan() && e.is_nan()),
            (Some(f), Some(e)) => f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= tolerance * e.abs().max(1.0),
            _ => f == e,
        },
    };
    (!equal).then(|| format!("found {found:?}, expected {expected:?}"))
}

/// How far a finite float is from the finite one that was expected, as a part of max(1, |expected|); 0 for all else.
pub fn distance(found: &Scalar, expected: &Scalar) -> f64 {
    match (number(found), number(expected)) {
        (Some(f), Some(e)) if f.is_finite() && e.is_finite() => (f - e).abs() / e.abs().max(1.0),
        _ => 0.0,
    }
}

fn number(s: &Scalar) -> Option<f64> {
    match s {
        Scalar::I64(x) => Some(*x as f64),
        Scalar::F32(x) => Some(f64::from(*x)),
        Scalar::F64(x) => Some(*x),
        _ => None,
    }
}
