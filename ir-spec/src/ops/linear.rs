//! Linear maps.

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
    let (x, w, b) = (c.frame(0), c.frame(1), c.frame(2));
    c.each(|r, j| {
        let mut f64_sum = 0.0;
        let mut f32_sum = 0.0f32;
        for k in 0..x.width {
            match (c.at(0, r, k), w.get(k, j)) {
                (Scalar::F64(a), Scalar::F64(b)) => f64_sum += a * b,
                (Scalar::F32(a), Scalar::F32(b)) => f32_sum += a * b,
                _ => return Scalar::Null,
            }
        }
        match b.get_flat(j) {
            Scalar::F64(b) => Scalar::F64(f64_sum + b),
            Scalar::F32(b) => Scalar::F32(f32_sum + b),
            _ => Scalar::Null,
        }
    })
}
