//! Frames as values: what the reference evaluator computes on and what constants hold.

use std::sync::Arc;

use crate::types::{DType, FrameType};

/// The elements of a frame, column by column: element (row i, column j) is at `j * rows + i`.
#[derive(Clone, Debug)]
pub enum Data {
    /// Truth values.
    Bool(Vec<bool>),
    /// Integers.
    I64(Vec<i64>),
    /// binary32.
    F32(Vec<f32>),
    /// binary64.
    F64(Vec<f64>),
    /// Text.
    Str(Vec<Arc<str>>),
}

/// Runs `$body` with `$v` bound to the vector, whatever its dtype.
#[macro_export]
macro_rules! with_data {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::Bool($v) => $body,
            $crate::Data::I64($v) => $body,
            $crate::Data::F32($v) => $body,
            $crate::Data::F64($v) => $body,
            $crate::Data::Str($v) => $body,
        }
    };
}

/// The same for `$body` that makes a vector of the same element type: gives it as [`Data`] again.
macro_rules! map_data {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::Bool($v) => $crate::Data::Bool($body),
            $crate::Data::I64($v) => $crate::Data::I64($body),
            $crate::Data::F32($v) => $crate::Data::F32($body),
            $crate::Data::F64($v) => $crate::Data::F64($body),
            $crate::Data::Str($v) => $crate::Data::Str($body),
        }
    };
}
pub(crate) use map_data;

/// An element of a vector of any dtype.
pub(crate) fn cloned<T: Clone>(values: &[T], i: usize) -> T {
    values[i].clone()
}

/// One element.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// Missing.
    Null,
    /// Truth value.
    Bool(bool),
    /// Integer.
    I64(i64),
    /// binary32.
    F32(f32),
    /// binary64.
    F64(f64),
    /// Text.
    Str(Arc<str>),
}

/// The same value: -0 differs from 0, and every NaN is one value, since IEEE 754 leaves a NaN's sign and payload to the
/// implementation.
impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        match (self, other) {
            (Scalar::Null, Scalar::Null) => true,
            (Scalar::Bool(a), Scalar::Bool(b)) => a == b,
            (Scalar::I64(a), Scalar::I64(b)) => a == b,
            (Scalar::F32(a), Scalar::F32(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Scalar::F64(a), Scalar::F64(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Scalar::Str(a), Scalar::Str(b)) => a == b,
            _ => false,
        }
    }
}

/// Rows × width elements of one dtype.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Rows of data; for a constant, rows of the table.
    pub rows: usize,
    /// Columns.
    pub width: usize,
    /// `rows * width` elements, column by column.
    pub data: Data,
    /// Per element, false where it is null; None where no element is. What `data` holds at a null is not defined.
    pub valid: Option<Vec<bool>>,
}

/// The same shape, nulls and values (see [`Scalar`]).
impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        self.rows == other.rows
            && self.width == other.width
            && self.dtype() == other.dtype()
            && (0..self.len()).all(|i| self.get_flat(i) == other.get_flat(i))
    }
}

impl Frame {
    /// A frame from elements in column order; None where their number is not `rows * width`.
    pub fn new(rows: usize, width: usize, data: Data) -> Option<Frame> {
        (with_data!(&data, v => v.len()) == rows.checked_mul(width)?).then_some(Frame {
            rows,
            width,
            data,
            valid: None,
        })
    }

    /// A constant of one row of f64.
    pub fn row_f64(values: impl Into<Vec<f64>>) -> Frame {
        let values = values.into();
        Frame { rows: 1, width: values.len(), data: Data::F64(values), valid: None }
    }

    /// A constant of one row of i64.
    pub fn row_i64(values: impl Into<Vec<i64>>) -> Frame {
        let values = values.into();
        Frame { rows: 1, width: values.len(), data: Data::I64(values), valid: None }
    }

    /// A constant of one row of f32.
    pub fn row_f32(values: impl Into<Vec<f32>>) -> Frame {
        let values = values.into();
        Frame { rows: 1, width: values.len(), data: Data::F32(values), valid: None }
    }

    /// A constant of one row of bool.
    pub fn row_bool(values: impl Into<Vec<bool>>) -> Frame {
        let values = values.into();
        Frame { rows: 1, width: values.len(), data: Data::Bool(values), valid: None }
    }

    /// A constant of one row of text.
    pub fn row_str<S: Into<Arc<str>>>(values: impl IntoIterator<Item = S>) -> Frame {
        let values: Vec<Arc<str>> = values.into_iter().map(Into::into).collect();
        Frame { rows: 1, width: values.len(), data: Data::Str(values), valid: None }
    }

    /// A constant f64 table from row-major values; None where their number is not `rows * width`.
    pub fn table_f64(rows: usize, width: usize, row_major: &[f64]) -> Option<Frame> {
        if row_major.len() != rows.checked_mul(width)? {
            return None;
        }
        let data = (0..width).flat_map(|j| (0..rows).map(move |i| row_major[i * width + j])).collect();
        Some(Frame { rows, width, data: Data::F64(data), valid: None })
    }

    /// A frame whose elements are computed one by one, in column order. `ty.width` columns; nulls where `f` gives Null.
    /// Panics where `f` gives a scalar of another dtype: that is a fault of the caller.
    pub fn from_fn(rows: usize, ty: FrameType, mut f: impl FnMut(usize, usize) -> Scalar) -> Frame {
        let mut out = FrameBuilder::new(rows, ty);
        for j in 0..ty.width as usize {
            for i in 0..rows {
                out.push(f(i, j));
            }
        }
        out.finish()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.width
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::Bool(_) => DType::Bool,
            Data::I64(_) => DType::I64,
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::Str(_) => DType::Str,
        }
    }

    /// The element at an index into `data`.
    pub fn get_flat(&self, i: usize) -> Scalar {
        if self.valid.as_ref().is_some_and(|v| !v[i]) {
            return Scalar::Null;
        }
        match &self.data {
            Data::Bool(v) => Scalar::Bool(v[i]),
            Data::I64(v) => Scalar::I64(v[i]),
            Data::F32(v) => Scalar::F32(v[i]),
            Data::F64(v) => Scalar::F64(v[i]),
            Data::Str(v) => Scalar::Str(v[i].clone()),
        }
    }

    /// The element at (row, column). No broadcasting.
    pub fn get(&self, row: usize, column: usize) -> Scalar {
        self.get_flat(column * self.rows + row)
    }

    /// The index into `data` that (row, column) reads when one row or one column repeats.
    #[inline]
    pub fn broadcast_index(&self, row: usize, column: usize) -> usize {
        (if self.width == 1 { 0 } else { column }) * self.rows + if self.rows == 1 { 0 } else { row }
    }

    /// Whether the element at an index into `data` is null.
    #[inline]
    pub fn is_null_flat(&self, i: usize) -> bool {
        self.valid.as_ref().is_some_and(|v| !v[i])
    }

    /// The rows of those indices, in that order, repeats allowed; None gives a row of nulls.
    /// Panics where an index is no row.
    pub fn gather(&self, rows: &[Option<usize>]) -> Frame {
        let flat = || (0..self.width).flat_map(|j| rows.iter().map(move |r| r.map(|r| j * self.rows + r)));
        let data =
            map_data!(&self.data, v => flat().map(|i| i.map_or_else(Default::default, |i| cloned(v, i))).collect());
        let nulls = self.valid.is_some() || rows.contains(&None);
        let valid = nulls.then(|| flat().map(|i| i.is_some_and(|i| !self.is_null_flat(i))).collect());
        Frame { rows: rows.len(), width: self.width, data, valid }
    }

    /// `len` rows from row `start`. Panics where they are not there.
    pub fn slice_rows(&self, start: usize, len: usize) -> Frame {
        let columns = || (0..self.width).map(|j| j * self.rows + start);
        let data = map_data!(&self.data, v => {
            let mut out = Vec::with_capacity(len * self.width);
            columns().for_each(|at| out.extend_from_slice(&v[at..at + len]));
            out
        });
        let valid = self.valid.as_ref().map(|v| columns().flat_map(|at| v[at..at + len].iter().copied()).collect());
        Frame { rows: len, width: self.width, data, valid }
    }

    /// The rows of all parts below one another; None for no parts, or parts that differ in dtype or width.
    pub fn stack(parts: &[Frame]) -> Option<Frame> {
        let first = parts.first()?;
        let (rows, width) = (parts.iter().map(|p| p.rows).sum::<usize>(), first.width);
        let mut out = FrameBuilder::new(rows, FrameType::new(first.dtype(), u32::try_from(width).ok()?));
        for j in 0..width {
            for part in parts {
                out.extend(part, j)?;
            }
        }
        (out.valid.len() == rows * width).then(|| out.finish())
    }

    /// The f64 values, where that is the dtype.
    pub fn as_f64(&self) -> Option<&[f64]> {
        if let Data::F64(v) = &self.data { Some(v) } else { None }
    }

    /// The i64 values, where that is the dtype.
    pub fn as_i64(&self) -> Option<&[i64]> {
        if let Data::I64(v) = &self.data { Some(v) } else { None }
    }

    /// The text values, where that is the dtype.
    pub fn as_str(&self) -> Option<&[Arc<str>]> {
        if let Data::Str(v) = &self.data { Some(v) } else { None }
    }
}

/// Collects elements in column order.
pub struct FrameBuilder {
    rows: usize,
    ty: FrameType,
    data: Data,
    valid: Vec<bool>,
    nulls: bool,
}

impl FrameBuilder {
    /// An empty frame of that type.
    pub fn new(rows: usize, ty: FrameType) -> FrameBuilder {
        let n = rows * ty.width as usize;
        let data = match ty.dtype {
            DType::Bool => Data::Bool(Vec::with_capacity(n)),
            DType::I64 => Data::I64(Vec::with_capacity(n)),
            DType::F32 => Data::F32(Vec::with_capacity(n)),
            DType::F64 => Data::F64(Vec::with_capacity(n)),
            DType::Str => Data::Str(Vec::with_capacity(n)),
        };
        FrameBuilder { rows, ty, data, valid: Vec::with_capacity(n), nulls: false }
    }

    /// Appends one element. Panics where its dtype is not the frame's.
    pub fn push(&mut self, value: Scalar) {
        let null = matches!(value, Scalar::Null);
        self.nulls |= null;
        self.valid.push(!null);
        match (&mut self.data, value) {
            (Data::Bool(v), Scalar::Bool(x)) => v.push(x),
            (Data::I64(v), Scalar::I64(x)) => v.push(x),
            (Data::F32(v), Scalar::F32(x)) => v.push(x),
            (Data::F64(v), Scalar::F64(x)) => v.push(x),
            (Data::Str(v), Scalar::Str(x)) => v.push(x),
            (Data::Bool(v), Scalar::Null) => v.push(false),
            (Data::I64(v), Scalar::Null) => v.push(0),
            (Data::F32(v), Scalar::Null) => v.push(0.0),
            (Data::F64(v), Scalar::Null) => v.push(0.0),
            (Data::Str(v), Scalar::Null) => v.push(Arc::from("")),
            (_, x) => panic!("{x:?} in a frame of {}", self.ty),
        }
    }

    /// Appends a column of another frame; None where that has another dtype or no such column.
    fn extend(&mut self, part: &Frame, column: usize) -> Option<()> {
        let range = column * part.rows..(column + 1) * part.rows;
        match (&mut self.data, &part.data) {
            (Data::Bool(v), Data::Bool(x)) => v.extend_from_slice(x.get(range.clone())?),
            (Data::I64(v), Data::I64(x)) => v.extend_from_slice(x.get(range.clone())?),
            (Data::F32(v), Data::F32(x)) => v.extend_from_slice(x.get(range.clone())?),
            (Data::F64(v), Data::F64(x)) => v.extend_from_slice(x.get(range.clone())?),
            (Data::Str(v), Data::Str(x)) => v.extend_from_slice(x.get(range.clone())?),
            _ => return None,
        }
        self.nulls |= part.valid.is_some();
        match &part.valid {
            Some(valid) => self.valid.extend_from_slice(&valid[range]),
            None => self.valid.resize(self.valid.len() + part.rows, true),
        }
        Some(())
    }

    /// The frame. Panics where the number of elements is not rows × width.
    pub fn finish(self) -> Frame {
        assert_eq!(self.valid.len(), self.rows * self.ty.width as usize, "elements of a frame");
        Frame {
            rows: self.rows,
            width: self.ty.width as usize,
            data: self.data,
            valid: self.nulls.then_some(self.valid),
        }
    }
}
