//! Values: literals, rows of tables, lists of floats.

use std::sync::Arc;

use super::{Parser, Tok};
use crate::frame::{Data, Frame, map_data};
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
            (0..width).flat_map(|j| (0..rows).map(move |i| v[i * width + j].clone())).collect()
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
        let read = match (&mut *data, &self.tok) {
            (Data::Bool(v), Tok::Word(w @ ("true" | "false"))) => Some(v.push(*w == "true")),
            (Data::I64(v), Tok::Number(n)) => n.parse().ok().map(|x| v.push(x)),
            (Data::F32(v), t) => float(t, f32::NAN, f32::INFINITY, |x| x.is_finite()).map(|x| v.push(x)),
            (Data::F64(v), t) => float(t, f64::NAN, f64::INFINITY, |x| x.is_finite()).map(|x| v.push(x)),
            (Data::Str(v), Tok::Quoted(q)) => Some(v.push(Arc::from(q.as_ref()))),
            _ => None,
        };
        if read.is_none() {
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
