//! Columns put together, cut and permuted.

use super::{Apply, Attr, AttrKind, frame, ops, table};
use crate::frame::Frame;
use crate::types::{DType, Type};

ops! {
    /// The operands' columns side by side. A constant of one row repeats on every row. A null stays a
    /// null.
    CONCAT = "concat"("a...") { shape "[n,k1] [n,k2] ... -> [n,k1+k2+...] of one dtype", nulls Own, exact Bits, source "ONNX Concat-13", infer concat_type, eval concat }
    /// A range of columns, nulls included.
    SLICE = "slice"("a") [AttrKind::Range] { shape "[n,k] -> [n,len]", nulls Own, exact Bits, source "ONNX Slice-13", infer slice_type, eval slice }
    /// Columns by index, in that order, repeats allowed, nulls included.
    TAKE = "take"("a", "columns") { shape "[n,k], constant i64 1 x m of 0..k -> [n,m]", nulls Own, exact Bits, source "ONNX Gather-13", infer take_type, eval take }
}

fn concat_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let mut t = frame(args, 0)?;
    for i in 1..args.len() {
        let f = frame(args, i)?;
        if f.dtype != t.dtype {
            return Err(format!("dtypes {} and {} differ", t.dtype, f.dtype));
        }
        t.width = t.width.checked_add(f.width).ok_or("more than 2^32 columns")?;
        t.nullable |= f.nullable;
    }
    Ok(Type::Frame(t))
}

fn concat(c: &Apply<'_>) -> Frame {
    let columns: Vec<(usize, usize)> =
        (0..c.args.len()).flat_map(|i| (0..c.frame(i).width).map(move |j| (i, j))).collect();
    c.pick(|r, k| {
        let (i, j) = columns[k];
        Some((i, c.frame(i).broadcast_index(r, j)))
    })
}

fn slice_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    match *attr {
        Attr::Range { start, len } if len > 0 && start.checked_add(len).is_some_and(|e| e <= t.width) => {
            Ok(Type::Frame(t.with_width(len)))
        }
        ref other => Err(format!("columns {other:?} of {t}")),
    }
}

fn slice(c: &Apply<'_>) -> Frame {
    let first = if let Attr::Range { start, .. } = *c.attr { start as usize } else { 0 };
    c.pick(|r, k| Some((0, c.frame(0).broadcast_index(r, first + k))))
}

fn take_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (t, (dtype, rows, width)) = (frame(args, 0)?, table(args, 1)?);
    if dtype != DType::I64 || rows != 1 {
        return Err(format!("columns are {dtype} with {rows} rows, expected one row of i64"));
    }
    Ok(Type::Frame(t.with_width(width)))
}

fn take(c: &Apply<'_>) -> Frame {
    let (x, columns) = (c.frame(0), c.frame(1).as_i64().unwrap_or(&[]));
    c.pick(|r, k| Some((0, x.broadcast_index(r, columns[k] as usize))))
}
