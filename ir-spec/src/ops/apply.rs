//! One application of an operator, and the loops that the reference evaluations share. They go column by column over
//! typed slices; what an element means stays in the operator's own file.

use std::sync::Arc;

use super::Attr;
use crate::frame::{Data, Frame, Scalar};
use crate::terms::Terms;
use crate::trees::TreeEnsemble;
use crate::types::{DType, FrameType};

/// An operand as a value.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// Rows of data, or one row that repeats, or a constant table.
    Frame(&'a Frame),
    /// A tree ensemble.
    Trees(&'a TreeEnsemble),
    /// Terms of documents.
    Terms(&'a Terms),
}

/// One application of an operator, for the reference evaluation.
pub struct Apply<'a> {
    /// Rows of data.
    pub rows: usize,
    /// The attribute.
    pub attr: &'a Attr,
    /// The operands; the verifier has accepted their types.
    pub args: &'a [Arg<'a>],
    /// The type of the result.
    pub out: FrameType,
}

/// A type of elements.
pub(crate) trait Element: Clone + Default {
    /// The elements of a frame of this type.
    fn of(data: &Data) -> Option<&[Self]>;
    /// The same back.
    fn wrap(values: Vec<Self>) -> Data;
}

macro_rules! element {
    ($($ty:ty = $variant:ident),*) => { $(
        impl Element for $ty {
            fn of(data: &Data) -> Option<&[Self]> {
                if let Data::$variant(v) = data { Some(v) } else { None }
            }
            fn wrap(values: Vec<Self>) -> Data {
                Data::$variant(values)
            }
        }
    )* };
}
element!(bool = Bool, i64 = I64, f32 = F32, f64 = F64, Arc<str> = Str);

/// The values of a column: one per row, or one for all rows.
fn column<'f, T>(frame: &Frame, values: &'f [T], k: usize) -> &'f [T] {
    let k = if frame.width == 1 { 0 } else { k };
    &values[k * frame.rows..(k + 1) * frame.rows]
}

impl<'a> Apply<'a> {
    /// Operand `i` as a frame. Panics where it is none, which the verifier excludes.
    pub fn frame(&self, i: usize) -> &'a Frame {
        match self.args[i] {
            Arg::Frame(f) => f,
            Arg::Trees(_) | Arg::Terms(_) => panic!("operand {i} is no frame"),
        }
    }

    /// The element of operand `i` at (row, column), where one row or one column repeats.
    pub fn at(&self, i: usize, row: usize, column: usize) -> Scalar {
        let f = self.frame(i);
        f.get_flat(f.broadcast_index(row, column))
    }

    /// The result, element by element; null where `f` says so.
    pub fn each(&self, f: impl FnMut(usize, usize) -> Scalar) -> Frame {
        Frame::from_fn(self.rows, self.out, f)
    }

    fn width(&self) -> usize {
        self.out.width as usize
    }

    fn result<T: Element>(&self, values: Vec<T>, valid: Option<Vec<bool>>) -> Frame {
        Frame { rows: self.rows, width: self.width(), data: T::wrap(values), valid }
    }

    /// Where all operands are valid; None for everywhere.
    pub(crate) fn all_valid(&self) -> Option<Vec<bool>> {
        let operands: Vec<(&Frame, &Vec<bool>)> =
            (0..self.args.len()).filter_map(|i| Some((self.frame(i), self.frame(i).valid.as_ref()?))).collect();
        if operands.is_empty() {
            return None;
        }
        let mut valid = Vec::with_capacity(self.rows * self.width());
        for k in 0..self.width() {
            let columns: Vec<&[bool]> = operands.iter().map(|(f, v)| column(f, v, k)).collect();
            valid
                .extend((0..self.rows).map(|r| columns.iter().all(|c| if c.len() == self.rows { c[r] } else { c[0] })));
        }
        Some(valid)
    }

    /// Element by element, null where the operand is; None where the operand has another dtype.
    pub(crate) fn map<T: Element, U: Element>(&self, f: impl Fn(&T) -> U) -> Option<Frame> {
        let a = self.frame(0);
        let x = T::of(&a.data)?;
        let mut out = Vec::with_capacity(self.rows * self.width());
        for k in 0..self.width() {
            match column(a, x, k) {
                x if x.len() == self.rows => out.extend(x.iter().map(&f)),
                x => out.extend((0..self.rows).map(|_| f(&x[0]))),
            }
        }
        Some(self.result(out, self.all_valid()))
    }

    /// Pair by pair, null where either operand is; None where the operands have another dtype.
    pub(crate) fn zip<T: Element, U: Element>(&self, f: impl Fn(&T, &T) -> U) -> Option<Frame> {
        let (a, b) = (self.frame(0), self.frame(1));
        let (x, y) = (T::of(&a.data)?, T::of(&b.data)?);
        let mut out = Vec::with_capacity(self.rows * self.width());
        for k in 0..self.width() {
            let (x, y) = (column(a, x, k), column(b, y, k));
            match (x.len() == self.rows, y.len() == self.rows) {
                (true, true) => out.extend(x.iter().zip(y).map(|(x, y)| f(x, y))),
                (true, false) => out.extend(x.iter().map(|x| f(x, &y[0]))),
                (false, true) => out.extend(y.iter().map(|y| f(&x[0], y))),
                (false, false) => out.extend((0..self.rows).map(|_| f(&x[0], &y[0]))),
            }
        }
        Some(self.result(out, self.all_valid()))
    }

    /// Each element is one of an operand, at an index into its data, or null.
    pub(crate) fn pick(&self, choose: impl Fn(usize, usize) -> Option<(usize, usize)>) -> Frame {
        match self.out.dtype {
            DType::Bool => self.pick_typed::<bool>(choose),
            DType::I64 => self.pick_typed::<i64>(choose),
            DType::F32 => self.pick_typed::<f32>(choose),
            DType::F64 => self.pick_typed::<f64>(choose),
            DType::Str => self.pick_typed::<Arc<str>>(choose),
        }
    }

    fn pick_typed<T: Element>(&self, choose: impl Fn(usize, usize) -> Option<(usize, usize)>) -> Frame {
        let frames: Vec<&Frame> = (0..self.args.len()).map(|i| self.frame(i)).collect();
        // An operand of another dtype (a condition) is none that an element comes from.
        let values: Vec<&[T]> = frames.iter().map(|f| T::of(&f.data).unwrap_or(&[])).collect();
        let n = self.rows * self.width();
        let (mut out, mut valid, mut nulls) = (Vec::with_capacity(n), Vec::with_capacity(n), false);
        for k in 0..self.width() {
            for r in 0..self.rows {
                let from = choose(r, k).filter(|(i, at)| !frames[*i].is_null_flat(*at));
                out.push(from.map_or_else(T::default, |(i, at)| values[i][at].clone()));
                valid.push(from.is_some());
                nulls |= from.is_none();
            }
        }
        self.result(out, nulls.then_some(valid))
    }

    /// Where operand `i` is true: not false and not null. It is a bool.
    pub(crate) fn is_true(&self, i: usize) -> impl Fn(usize, usize) -> bool + 'a {
        let f = self.frame(i);
        let values = bool::of(&f.data).unwrap_or(&[]);
        move |row, column| {
            let at = f.broadcast_index(row, column);
            values[at] && !f.is_null_flat(at)
        }
    }

    /// Calls `f` with the values of each row of operand 0, a float, as f64; rows with a null are left out.
    pub(crate) fn each_row(&self, mut f: impl FnMut(usize, &mut [f64])) {
        let x = self.frame(0);
        let mut row = vec![0.0; x.width];
        for r in 0..self.rows {
            let at = |k: usize| x.broadcast_index(r, k);
            if x.valid.is_some() && (0..x.width).any(|k| x.is_null_flat(at(k))) {
                continue;
            }
            match &x.data {
                Data::F64(v) => row.iter_mut().enumerate().for_each(|(k, x)| *x = v[at(k)]),
                Data::F32(v) => row.iter_mut().enumerate().for_each(|(k, x)| *x = f64::from(v[at(k)])),
                _ => continue,
            }
            f(r, &mut row);
        }
    }

    /// A row of results for each row of operand 0; null where that has a null. `f` fills `out.width` values, which are
    /// representable in the dtype of the result.
    pub(crate) fn rows_to_rows(&self, mut f: impl FnMut(&mut [f64], &mut [f64])) -> Frame {
        match self.out.dtype {
            DType::F32 => self.filled_rows(|xs, out| f(xs, out), |x| x as f32),
            DType::I64 => self.filled_rows(|xs, out| f(xs, out), |x| x as i64),
            _ => self.filled_rows(|xs, out| f(xs, out), |x| x),
        }
    }

    fn filled_rows<T: Element>(&self, mut f: impl FnMut(&mut [f64], &mut [f64]), to: impl Fn(f64) -> T) -> Frame {
        let (rows, width) = (self.rows, self.width());
        let mut out = vec![T::default(); rows * width];
        let mut present = vec![false; rows];
        let mut row = vec![0.0; width];
        self.each_row(|r, xs| {
            f(xs, &mut row);
            present[r] = true;
            row.iter().enumerate().for_each(|(k, x)| out[k * rows + r] = to(*x));
        });
        let valid = present.contains(&false).then(|| present.repeat(width));
        self.result(out, valid)
    }
}
