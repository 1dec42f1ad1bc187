//! Distances, order, and elements by index: what neighbours are found with.

use super::{Apply, Attr, AttrKind, Word, frame, ops, require, table};
use crate::frame::{Data, Frame, Scalar};
use crate::types::{DType, Type};

ops! {
    /// The distance of the row to each point, a row of the constant, summed over the columns from left to right: of the
    /// differences' absolute values (`l1`), of their squares (`sqeuclidean`), its square root (`l2`), or the greatest
    /// absolute difference (`chebyshev`).
    DISTANCES = "distances"("x", "points") [AttrKind::Word(&[Word::L1, Word::L2, Word::SqEuclidean, Word::Chebyshev])] { shape "floats [n,k], constant m x k -> [n,m]", nulls Strict, exact Reals, source "scipy.spatial.distance.cdist", infer distances_type, eval distances }
    /// The indices that would sort the row, from rank `start` to below rank `end`: ascending, NaN last, equal elements
    /// (-0 and 0 are) in their order.
    ORDER = "order"("a") [AttrKind::Range] { shape "numbers [n,k] -> i64 [n,len]", nulls Strict, exact Bits, source "numpy.argsort, kind='stable'", infer order_type, eval order }
    /// The elements of the row at the indices; null where there is none of that index.
    GATHER = "gather"("a", "index") { shape "[n,k], i64 [n,m] -> nullable [n,m]", nulls Own, exact Bits, source "ONNX GatherElements-13", infer gather_type, eval gather }
}

fn distances_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (x, (dtype, rows, width)) = (frame(args, 0)?, table(args, 1)?);
    require(x, x.dtype.is_float() && dtype == x.dtype, "one float dtype for x and points")?;
    if width != x.width {
        return Err(format!("x of width {}, points of width {width}", x.width));
    }
    Ok(Type::Frame(x.with_width(rows)))
}

fn order_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let a = frame(args, 0)?;
    let a = require(a, a.dtype.is_number(), "a number")?;
    match *attr {
        Attr::Range { start, len } if len > 0 && start.checked_add(len).is_some_and(|e| e <= a.width) => {
            Ok(Type::Frame(a.with_dtype(DType::I64).with_width(len)))
        }
        ref other => Err(format!("ranks {other:?} of {a}")),
    }
}

fn gather_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (a, index) = (frame(args, 0)?, frame(args, 1)?);
    require(index, index.dtype == DType::I64, "i64")?;
    Ok(Type::Frame(a.with_width(index.width).nullable()))
}

fn distances(c: &Apply<'_>) -> Frame {
    let points = c.frame(1);
    let values: Vec<f64> = match &points.data {
        Data::F64(v) => v.clone(),
        Data::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        _ => Vec::new(),
    };
    let (m, single) = (points.rows, c.out.dtype == DType::F32);
    // Of f32, each step in double and rounded is the step in single.
    let round = |x: f64| if single { f64::from(x as f32) } else { x };
    let of = |xs: &[f64], j: usize, term: fn(f64) -> f64, join: fn(f64, f64) -> f64| {
        xs.iter().enumerate().fold(0.0, |a, (k, x)| round(join(a, round(term(round(x - values[k * m + j]))))))
    };
    let square = |x: f64| x * x;
    let sum = |a: f64, x: f64| a + x;
    let greatest = |a: f64, x: f64| if a >= x || a.is_nan() { a } else { x };
    c.rows_to_rows(|xs, out| {
        for (j, out) in out.iter_mut().enumerate() {
            *out = match c.attr {
                Attr::Word(Word::L1) => of(xs, j, f64::abs, sum),
                Attr::Word(Word::L2) => round(of(xs, j, square, sum).sqrt()),
                Attr::Word(Word::SqEuclidean) => of(xs, j, square, sum),
                _ => of(xs, j, f64::abs, greatest),
            };
        }
    })
}

fn order(c: &Apply<'_>) -> Frame {
    let start = if let Attr::Range { start, .. } = *c.attr { start as usize } else { 0 };
    let (a, width) = (c.frame(0), c.frame(0).width);
    // Integers by themselves, floats by their place in the order of floats.
    let key = |x: Scalar| match x {
        Scalar::I64(x) => Some(x),
        Scalar::F32(x) => Some(place(f64::from(x))),
        Scalar::F64(x) => Some(place(x)),
        _ => None,
    };
    let ranks = |r: usize| -> Option<Vec<usize>> {
        let keys: Vec<i64> = (0..width).map(|k| key(a.get_flat(a.broadcast_index(r, k)))).collect::<Option<_>>()?;
        let mut ranks: Vec<usize> = (0..width).collect();
        ranks.sort_by_key(|k| keys[*k]);
        Some(ranks)
    };
    let ranks: Vec<Option<Vec<usize>>> = (0..c.rows).map(ranks).collect();
    c.each(|r, k| ranks[r].as_ref().map_or(Scalar::Null, |ranks| Scalar::I64(ranks[start + k] as i64)))
}

/// An integer that is greater for a greater float; -0 is 0, NaN is greatest.
fn place(x: f64) -> i64 {
    if x.is_nan() {
        return i64::MAX;
    }
    let bits = x.abs().to_bits() as i64;
    if x < 0.0 { -bits } else { bits }
}

fn gather(c: &Apply<'_>) -> Frame {
    let a = c.frame(0);
    c.pick(|r, k| match c.at(1, r, k) {
        Scalar::I64(i) => {
            let column = usize::try_from(i).ok().filter(|i| *i < a.width)?;
            Some((0, column * a.rows + if a.rows == 1 { 0 } else { r }))
        }
        _ => None,
    })
}
