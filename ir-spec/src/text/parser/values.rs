//! Values: literals, rows of tables, lists of floats.

use std::sync::Arc;

use super::{Parser, Tok};
use crate::frame::{Data, Frame, cloned, map_data};
use crate::types::DType;

impl Parser<'_> {
    /// `table f64[2] [1, 2; 3, 4]`
    pub(super) fn table(&mut self) -> Option<Frame> {
        self.next();
        let ty = self.ty()?;
        let pos = self.pos;
        self.expect("[")?;
        let (data, rows) = self.rows(ty.dtype, ty.width as usize)?;
        // Without rows the width alone would be looped over, and the text may say any.
        let width = if rows == 0 { 0 } else { ty.width as usize };
        // From row by row to column by column.
        let by_column = map_data!(&data, v => {
            (0..width).flat_map(|j| (0..rows).map(move |i| cloned(v, i * width + j))).collect()
        });
        if ty.nullable {
            self.fault("flock::text::value", pos, "a constant has no nulls");
            return None;
        }
        Frame::new(rows, ty.width as usize, by_column)
    }

    /// Rows of `width` values up to the closing bracket, row by row.
    fn rows(&mut self, dtype: DType, width: usize) -> Option<(Data, usize)> {
        let mut data = empty(dtype);
        let mut rows = 0;
        while !self.eat("]") {
            let pos = self.pos;
            let before = length(&data);
            self.values(&mut data)?;
            rows += 1;
            if length(&data) - before != width {
                let message = format!("row {rows} has {} values, expected {width}", length(&data) - before);
                self.fault("flock::text::value", pos, message);
                return None;
            }
            if !self.eat(";") {
                self.expect("]")?;
                break;
            }
        }
        Some((data, rows))
    }

    /// One or more values with commas between them.
    pub(super) fn values(&mut self, data: &mut Data) -> Option<()> {
        loop {
            self.value(data)?;
            if !self.eat(",") {
                return Some(());
            }
        }
    }

    pub(super) fn value(&mut self, data: &mut Data) -> Option<()> {
        let nan = (f32::NAN, f64::NAN);
        let infinite = (f32::INFINITY, f64::INFINITY);
        let read = match (&mut *data, &self.tok) {
            (Data::Bool(v), Tok::Word("true")) => push(v, Some(true)),
            (Data::Bool(v), Tok::Word("false")) => push(v, Some(false)),
            (Data::I64(v), Tok::Number(n)) => push(v, n.parse().ok()),
            (Data::F32(v), t) => push(v, float(t, nan.0, infinite.0, |x| x.is_finite())),
            (Data::F64(v), t) => push(v, float(t, nan.1, infinite.1, |x| x.is_finite())),
            (Data::Str(v), Tok::Quoted(q)) => push(v, Some(Arc::from(q.as_ref()))),
            _ => false,
        };
        if !read {
            let message = format!("{} is no {}", self.tok.show(), dtype(data));
            self.fault("flock::text::value", self.pos, message);
            return None;
        }
        self.next();
        Some(())
    }

    /// `[1, 2]` or `[]` of floats that are exact in `dtype`.
    pub(super) fn float_list(&mut self, dtype: DType) -> Option<Vec<f64>> {
        self.expect("[")?;
        let mut data = empty(dtype);
        if !self.is("]") {
            self.values(&mut data)?;
        }
        self.expect("]")?;
        match data {
            Data::F32(v) => Some(v.into_iter().map(f64::from).collect()),
            Data::F64(v) => Some(v),
            _ => self.expected("floats"),
        }
    }
}

pub(super) fn empty(dtype: DType) -> Data {
    match dtype {
        DType::Bool => Data::Bool(Vec::new()),
        DType::I64 => Data::I64(Vec::new()),
        DType::F32 => Data::F32(Vec::new()),
        DType::F64 => Data::F64(Vec::new()),
        DType::Str => Data::Str(Vec::new()),
    }
}

pub(super) fn length(data: &Data) -> usize {
    crate::with_data!(data, v => v.len())
}

fn dtype(data: &Data) -> DType {
    match data {
        Data::Bool(_) => DType::Bool,
        Data::I64(_) => DType::I64,
        Data::F32(_) => DType::F32,
        Data::F64(_) => DType::F64,
        Data::Str(_) => DType::Str,
    }
}

/// Whether there was something to append.
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let read = value.is_some();
    values.extend(value);
    read
}

/// A float as written; a number too large for the type is refused, since it would become infinite.
fn float<T: std::str::FromStr + std::ops::Neg<Output = T>>(
    tok: &Tok<'_>,
    nan: T,
    infinite: T,
    finite: impl Fn(&T) -> bool,
) -> Option<T> {
    match tok {
        Tok::Word("nan") => Some(nan),
        Tok::Word("inf") => Some(infinite),
        Tok::Number("-inf") => Some(-infinite),
        Tok::Number(n) => n.parse().ok().filter(finite),
        _ => None,
    }
}
