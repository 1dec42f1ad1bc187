//! Linear maps.

use super::apply::Element;
use super::{Apply, Attr, frame, ops, require, table};
use crate::frame::{Frame, Scalar};
use crate::types::Type;

ops! {
    /// x · w + b: for each output the products from left to right, summed from 0, then the bias.
    LINEAR = "linear"("x", "w", "b") { shape "floats [n,k], constant k x m, constant 1 x m -> [n,m]", nulls Strict, exact Reals, source "BLAS gemm", infer linear_type, eval linear }
}

fn linear_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (x, (dtype, rows, width), (bias, one, m)) = (frame(args, 0)?, table(args, 1)?, table(args, 2)?);
    require(x, x.dtype.is_float() && dtype == x.dtype && bias == x.dtype, "one float dtype for x, w and b")?;
    if rows != x.width || one != 1 || m != width {
        return Err(format!("x of width {}, w of {rows} x {width}, b of {one} x {m}", x.width));
    }
    Ok(Type::Frame(x.with_width(width)))
}

fn linear(c: &Apply<'_>) -> Frame {
    typed::<f64>(c).or_else(|| typed::<f32>(c)).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

/// Output by output and term by term over all rows: the order of additions within an element is that of the record.
fn typed<T>(c: &Apply<'_>) -> Option<Frame>
where
    T: Element + Copy + std::ops::Add<Output = T> + std::ops::Mul<Output = T>,
{
    let (x, w) = (c.frame(0), c.frame(1));
    let (xs, ws, bs) = (T::of(&x.data)?, T::of(&w.data)?, T::of(&c.frame(2).data)?);
    let mut out = Vec::with_capacity(c.rows * w.width);
    for j in 0..w.width {
        let mut sum = vec![T::default(); c.rows];
        for k in 0..x.width {
            let weight = ws[j * w.rows + k];
            match &xs[k * x.rows..(k + 1) * x.rows] {
                xs if xs.len() == c.rows => sum.iter_mut().zip(xs).for_each(|(s, x)| *s = *s + *x * weight),
                xs => sum.iter_mut().for_each(|s| *s = *s + xs[0] * weight),
            }
        }
        out.extend(sum.into_iter().map(|s| s + bs[j]));
    }
    let valid = x.valid.as_ref().map(|valid| {
        let row = |r: usize| (0..x.width).all(|k| valid[x.broadcast_index(r, k)]);
        (0..c.rows).map(row).collect::<Vec<_>>().repeat(w.width)
    });
    Some(Frame { rows: c.rows, width: w.width, data: T::wrap(out), valid })
}
