//! Between columns of a batch and frames in scratch.

use crate::abi::{FlockColumn, FlockLayout, FlockOutput, FlockStatus, FlockStr};
use crate::kernels::export;

const OK: i32 = FlockStatus::Ok as i32;
const SCHEMA: i32 = FlockStatus::Schema as i32;

#[inline]
unsafe fn bit(bits: *const u8, i: usize) -> bool {
    // SAFETY: the caller's bitmap is longer than i.
    unsafe { *bits.add(i / 8) >> (i % 8) & 1 != 0 }
}

/// Unpacks a bitmap to bytes.
pub(crate) unsafe fn unpack_bits(bits: *const u8, offset: usize, n: usize, out: *mut u8) {
    for i in 0..n {
        // SAFETY: the caller's bitmap has `offset + n` bits and `out` n bytes.
        unsafe { *out.add(i) = u8::from(bit(bits, offset + i)) }
    }
}

/// Writes the validity of rows; false where the column says that none is missing and `valid` is left to `fill`.
unsafe fn load_validity(c: &FlockColumn, start: usize, rows: usize, valid: *mut u8) {
    if valid.is_null() {
        return;
    }
    // SAFETY: the caller's bitmap covers the rows, and `valid` has one byte for each.
    unsafe {
        if c.layout == FlockLayout::Null as u32 {
            valid.write_bytes(0, rows);
        } else if c.validity.is_null() {
            valid.write_bytes(1, rows);
        } else {
            unpack_bits(c.validity, c.validity_offset + start, rows, valid);
        }
    }
}

/// Copies `rows` elements of type S, converted.
unsafe fn convert<S: Copy, T>(c: &FlockColumn, start: usize, rows: usize, out: *mut T, f: impl Fn(S) -> T) {
    // SAFETY: the caller's column has elements of type S up to `start + rows`, `out` has `rows`.
    unsafe {
        let data = c.data.cast::<S>().add(c.offset + start);
        for i in 0..rows {
            out.add(i).write(f(data.add(i).read_unaligned()));
        }
    }
}

/// A numeric column as T, by Rust's `as` (which rounds to nearest, and saturates to an integer), by way of another type if that is
/// given.
macro_rules! load_number {
    ($column:ident, $start:ident, $rows:ident, $out:ident, $valid:ident, $t:ty) => {
        load_number!($column, $start, $rows, $out, $valid, $t, $t)
    };
    ($column:ident, $start:ident, $rows:ident, $out:ident, $valid:ident, $via:ty, $t:ty) => {{
        let c = &*$column;
        load_validity(c, $start, $rows, $valid);
        macro_rules! from {
            ($s:ty) => {
                convert::<$s, $t>(c, $start, $rows, $out, |x| x as $via as $t)
            };
        }
        match c.layout {
            l if l == FlockLayout::Null as u32 => $out.write_bytes(0, $rows),
            l if l == FlockLayout::I8 as u32 => from!(i8),
            l if l == FlockLayout::I16 as u32 => from!(i16),
            l if l == FlockLayout::I32 as u32 => from!(i32),
            l if l == FlockLayout::I64 as u32 => from!(i64),
            l if l == FlockLayout::U8 as u32 => from!(u8),
            l if l == FlockLayout::U16 as u32 => from!(u16),
            l if l == FlockLayout::U32 as u32 => from!(u32),
            l if l == FlockLayout::U64 as u32 => from!(u64),
            l if l == FlockLayout::F32 as u32 => from!(f32),
            l if l == FlockLayout::F64 as u32 => from!(f64),
            l if l == FlockLayout::Bool as u32 => {
                for i in 0..$rows {
                    $out.add(i).write(u8::from(bit(c.data, c.offset + $start + i)) as $t);
                }
            }
            _ => return SCHEMA,
        }
        OK
    }};
}

/// The code of an element of a dictionary column.
unsafe fn code(c: &FlockColumn, i: usize) -> usize {
    // SAFETY: the caller's column has codes of that layout up to i. Negative codes become huge ones: outside.
    unsafe {
        macro_rules! at {
            ($s:ty) => {
                c.data.cast::<$s>().add(c.offset + i).read_unaligned() as i64 as usize
            };
        }
        match c.codes {
            l if l == FlockLayout::I8 as u32 => at!(i8),
            l if l == FlockLayout::I16 as u32 => at!(i16),
            l if l == FlockLayout::I32 as u32 => at!(i32),
            l if l == FlockLayout::U8 as u32 => at!(u8),
            l if l == FlockLayout::U16 as u32 => at!(u16),
            l if l == FlockLayout::U32 as u32 => at!(u32),
            _ => at!(u64),
        }
    }
}

const EMPTY: FlockStr = FlockStr { ptr: std::ptr::NonNull::<u8>::dangling().as_ptr(), len: 0 };

fn at(ptr: *const u8, start: usize, end: usize) -> FlockStr {
    let len = end.saturating_sub(start);
    if len == 0 { EMPTY } else { FlockStr { ptr: ptr.wrapping_add(start), len } }
}

/// The text at an index of a plain text column; whatever lies there where it is missing.
unsafe fn text(c: &FlockColumn, i: usize) -> FlockStr {
    // SAFETY: the caller's column has that layout and more than i elements.
    unsafe {
        match c.layout {
            l if l == FlockLayout::Str32 as u32 => {
                let o = c.offsets.cast::<i32>().add(c.offset + i);
                at(c.data, o.read_unaligned() as usize, o.add(1).read_unaligned() as usize)
            }
            l if l == FlockLayout::Str64 as u32 => {
                let o = c.offsets.cast::<i64>().add(c.offset + i);
                at(c.data, o.read_unaligned() as usize, o.add(1).read_unaligned() as usize)
            }
            _ => view(c, c.data.add((c.offset + i) * 16)),
        }
    }
}

/// An Arrow view: length, then up to 12 bytes in place, or a prefix, a buffer and an offset in it.
unsafe fn view(c: &FlockColumn, v: *const u8) -> FlockStr {
    // SAFETY: `v` is one of the column's 16-byte views, and its buffer and offset were checked when the column was made.
    unsafe {
        let len = v.cast::<u32>().read_unaligned() as usize;
        if len <= 12 {
            return at(v.add(4), 0, len);
        }
        let buffer = v.add(8).cast::<u32>().read_unaligned() as usize;
        let start = v.add(12).cast::<u32>().read_unaligned() as usize;
        at(*c.buffers.add(buffer), start, start + len)
    }
}

fn is_text(layout: u32) -> bool {
    [FlockLayout::Str32, FlockLayout::Str64, FlockLayout::StrView].iter().any(|l| *l as u32 == layout)
}

/// Calls `f(i, text, code)` for each of `rows` elements that is there, where a plain text column has code 0,
/// and writes `valid`. False where the column is not text.
pub(crate) unsafe fn each_text(
    c: &FlockColumn,
    start: usize,
    rows: usize,
    valid: *mut u8,
    mut f: impl FnMut(usize, FlockStr, usize),
) -> bool {
    // SAFETY: the caller's column covers the rows; codes and dictionary entries are checked here.
    unsafe {
        load_validity(c, start, rows, valid);
        let there = |c: &FlockColumn, i: usize| c.validity.is_null() || bit(c.validity, c.validity_offset + i);
        if c.layout == FlockLayout::Null as u32 {
            return true;
        }
        if is_text(c.layout) {
            (0..rows).filter(|i| there(c, start + i)).for_each(|i| f(i, text(c, start + i), 0));
            return true;
        }
        if c.layout != FlockLayout::Dictionary as u32 || c.dictionary.is_null() {
            return false;
        }
        let d = &*c.dictionary;
        if !is_text(d.layout) && d.layout != FlockLayout::Null as u32 {
            return false;
        }
        for i in (0..rows).filter(|i| there(c, start + i)) {
            let code = code(c, start + i);
            if code < d.length && d.layout != FlockLayout::Null as u32 && there(d, code) {
                f(i, text(d, code), code);
            } else if !valid.is_null() {
                *valid.add(i) = 0;
            }
        }
        true
    }
}

/// Packs bytes 0 or 1 to bits at a multiple of eight.
pub(crate) unsafe fn pack_bits(x: *const u8, rows: usize, out: *mut u8) {
    for b in 0..rows.div_ceil(8) {
        let mut byte = 0;
        for i in b * 8..rows.min(b * 8 + 8) {
            // SAFETY: the caller's `x` has `rows` bytes.
            byte |= (unsafe { *x.add(i) } & 1) << (i % 8);
        }
        // SAFETY: the caller's `out` has a bit for each row.
        unsafe { *out.add(b) = byte };
    }
}

unsafe fn store<T: Copy>(o: *const FlockOutput, start: usize, rows: usize, x: *const T, valid: *const u8) -> i32 {
    // SAFETY: the caller's output has room for the rows from `start - base` on.
    unsafe {
        let o = &*o;
        std::ptr::copy_nonoverlapping(x, o.data.cast::<T>().add(start - o.base), rows);
        store_validity(o, start, rows, valid)
    }
}

unsafe fn store_validity(o: &FlockOutput, start: usize, rows: usize, valid: *const u8) -> i32 {
    if o.validity.is_null() {
        return OK;
    }
    // SAFETY: as in `store`; `start - base` is a multiple of 8.
    unsafe {
        let out = o.validity.add((start - o.base) / 8);
        if valid.is_null() { out.write_bytes(0xff, rows.div_ceil(8)) } else { pack_bits(valid, rows, out) }
    }
    OK
}

/// Rows of a column as [`load_number`] gives them, with another value where one is missing.
macro_rules! load_filled {
    ($column:ident, $start:ident, $rows:ident, $out:ident, $fill:expr, $load:expr) => {{
        let status = $load($column, $start, $rows, $out, std::ptr::null_mut());
        let (c, fill) = (&*$column, $fill);
        if c.layout == FlockLayout::Null as u32 {
            (0..$rows).for_each(|i| $out.add(i).write(fill));
        } else if !c.validity.is_null() {
            for i in 0..$rows {
                if !bit(c.validity, c.validity_offset + $start + i) {
                    $out.add(i).write(fill);
                }
            }
        }
        status
    }};
}

/// A number or bool column as f64, then as f32.
unsafe fn narrowed(column: *const FlockColumn, start: usize, rows: usize, out: *mut f32, valid: *mut u8) -> i32 {
    // SAFETY: the caller keeps the conventions.
    unsafe { load_number!(column, start, rows, out, valid, f64, f32) }
}

export! {
    /// [`flock_load_f64`] with a value for what is missing.
    fn flock_load_filled_f64(column: *const FlockColumn, start: usize, rows: usize, out: *mut f64, fill: *const f64) -> i32 {
        load_filled!(column, start, rows, out, *fill, flock_load_f64)
    }
    /// [`flock_load_f32`] with a value for what is missing.
    fn flock_load_filled_f32(column: *const FlockColumn, start: usize, rows: usize, out: *mut f32, fill: *const f32) -> i32 {
        load_filled!(column, start, rows, out, *fill, flock_load_f32)
    }
    /// [`flock_load_filled_f64`], then rounded to f32.
    fn flock_load_narrowed_f32(column: *const FlockColumn, start: usize, rows: usize, out: *mut f32, fill: *const f64) -> i32 {
        load_filled!(column, start, rows, out, *fill as f32, narrowed)
    }
    /// Rows of a number or bool column as f64. `valid` may be null where the input cannot be.
    /// Integers beyond 2^53 round to nearest. Schema where the column is text.
    fn flock_load_f64(column: *const FlockColumn, start: usize, rows: usize, out: *mut f64, valid: *mut u8) -> i32 {
        let c = &*column;
        if rows == 1 && valid.is_null() && c.layout == FlockLayout::F64 as u32 {
            // One row: neither a jump by layout nor a loop.
            out.write(c.data.cast::<f64>().add(c.offset + start).read_unaligned());
            return OK;
        }
        load_number!(column, start, rows, out, valid, f64)
    }

    /// The same as f32: everything rounds to nearest, beyond the range to infinity.
    fn flock_load_f32(column: *const FlockColumn, start: usize, rows: usize, out: *mut f32, valid: *mut u8) -> i32 {
        load_number!(column, start, rows, out, valid, f32)
    }

    /// The same as i64, from integers and bools (the binding refuses floats).
    fn flock_load_i64(column: *const FlockColumn, start: usize, rows: usize, out: *mut i64, valid: *mut u8) -> i32 {
        load_number!(column, start, rows, out, valid, i64)
    }

    /// Rows of a bool column as bytes 0 or 1.
    fn flock_load_bool(column: *const FlockColumn, start: usize, rows: usize, out: *mut u8, valid: *mut u8) -> i32 {
        let c = &*column;
        load_validity(c, start, rows, valid);
        if c.layout == FlockLayout::Bool as u32 {
            unpack_bits(c.data, c.offset + start, rows, out);
        } else if c.layout == FlockLayout::Null as u32 {
            out.write_bytes(0, rows);
        } else {
            return SCHEMA;
        }
        OK
    }

    /// Rows of a text column, plain or dictionary-encoded, as borrowed text; a missing one is empty.
    fn flock_load_str(column: *const FlockColumn, start: usize, rows: usize, out: *mut FlockStr, valid: *mut u8) -> i32 {
        (0..rows).for_each(|i| out.add(i).write(EMPTY));
        if each_text(&*column, start, rows, valid, |i, s, _| out.add(i).write(s)) { OK } else { SCHEMA }
    }

    /// Writes rows of an f64 output. `valid` is null or one byte per row.
    fn flock_store_f64(output: *const FlockOutput, start: usize, rows: usize, x: *const f64, valid: *const u8) -> i32 {
        store(output, start, rows, x, valid)
    }

    /// Writes rows of an f32 output.
    fn flock_store_f32(output: *const FlockOutput, start: usize, rows: usize, x: *const f32, valid: *const u8) -> i32 {
        store(output, start, rows, x, valid)
    }

    /// Writes rows of an i64 output.
    fn flock_store_i64(output: *const FlockOutput, start: usize, rows: usize, x: *const i64, valid: *const u8) -> i32 {
        store(output, start, rows, x, valid)
    }

    /// Writes rows of a bool output, from bytes to bits.
    fn flock_store_bool(output: *const FlockOutput, start: usize, rows: usize, x: *const u8, valid: *const u8) -> i32 {
        let o = &*output;
        pack_bits(x, rows, o.data.add((start - o.base) / 8));
        store_validity(o, start, rows, valid)
    }

    /// Writes rows of a text output: the borrowed text itself, copied by the caller before the next block.
    fn flock_store_str(output: *const FlockOutput, start: usize, rows: usize, x: *const FlockStr, valid: *const u8) -> i32 {
        store(output, start, rows, x, valid)
    }
}
