//! Constant tables: cut, joined and mapped.

use flock_ir_spec::{DType, Data, Frame, FrameType};

fn ty(t: &Frame, width: usize) -> FrameType {
    FrameType::new(t.dtype(), width as u32)
}

/// Some rows of a table, in that order; the caller has checked the indices.
pub fn rows_of(t: &Frame, rows: &[usize]) -> Frame {
    Frame::from_fn(rows.len(), ty(t, t.width), |i, j| t.get(rows[i], j))
}

/// Some columns of a table, in that order; the caller has checked the indices.
pub fn columns_of(t: &Frame, columns: &[usize]) -> Frame {
    Frame::from_fn(t.rows, ty(t, columns.len()), |i, j| t.get(i, columns[j]))
}

/// A table of f64 or f32 as f64.
pub fn floats(t: &Frame) -> Option<Vec<f64>> {
    match &t.data {
        Data::F64(v) => Some(v.clone()),
        Data::F32(v) => Some(v.iter().map(|x| f64::from(*x)).collect()),
        _ => None,
    }
}

/// A table of floats from f64 values in column order, rounded to the dtype.
pub fn table(dtype: DType, rows: usize, width: usize, values: Vec<f64>) -> Option<Frame> {
    let data = match dtype {
        DType::F32 => Data::F32(values.into_iter().map(|x| x as f32).collect()),
        _ => Data::F64(values),
    };
    Frame::new(rows, width, data)
}

/// Whether no value occurs twice, as `index_of` compares them.
pub fn distinct(t: &Frame) -> bool {
    fn all<T: Eq + std::hash::Hash>(mut of: impl Iterator<Item = T>) -> bool {
        let mut seen = std::collections::HashSet::new();
        of.all(|x| seen.insert(x))
    }
    let bits = |x: f64| if x.is_nan() { f64::NAN.to_bits() } else { (x + 0.0).to_bits() };
    match &t.data {
        Data::F64(v) => all(v.iter().map(|x| bits(*x))),
        Data::F32(v) => all(v.iter().map(|x| bits(f64::from(*x)))),
        Data::Bool(v) => all(v.iter()),
        Data::I64(v) => all(v.iter()),
        Data::Str(v) => all(v.iter()),
    }
}
