//! Rows of a constant table by index.

use crate::abi::FlockStr;
use crate::blob::{Blob, Plain};
use crate::kernels::{PackError, export, section};

/// Header of a packed table; then its columns, each with one element more than it has rows: what an index outside gives.
/// A text element is `[offset, length]` into the section of bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    rows: u64,
    width: u64,
    cells: u64,
    bytes: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Header {}

fn pack<T: Plain>(rows: usize, width: usize, cells: &[T], outside: T, bytes: &[u8]) -> Result<Blob, PackError> {
    if rows.checked_mul(width) != Some(cells.len()) {
        return Err(PackError(format!("{} cells for {rows} x {width}", cells.len())));
    }
    let mut padded = Vec::with_capacity(cells.len() + width);
    for j in 0..width {
        padded.extend_from_slice(&cells[j * rows..(j + 1) * rows]);
        padded.push(outside);
    }
    let mut blob = Blob::of(&[0u8; size_of::<Header>()]);
    let cells = blob.section(&padded) as u64;
    let bytes = blob.section(bytes) as u64;
    blob.set_header(Header { rows: rows as u64, width: width as u64, cells, bytes });
    Ok(blob)
}

/// A table of f64 for [`flock_lookup_f64`], column-major; an index outside gives 0.
///
/// # Errors
/// Where there are not rows × width cells.
pub fn pack_table_f64(rows: usize, width: usize, cells: &[f64]) -> Result<Blob, PackError> {
    pack(rows, width, cells, 0.0, &[])
}

/// A table of f32 for [`flock_lookup_f32`].
///
/// # Errors
/// Where there are not rows × width cells.
pub fn pack_table_f32(rows: usize, width: usize, cells: &[f32]) -> Result<Blob, PackError> {
    pack(rows, width, cells, 0.0, &[])
}

/// A table of i64 for [`flock_lookup_i64`].
///
/// # Errors
/// Where there are not rows × width cells.
pub fn pack_table_i64(rows: usize, width: usize, cells: &[i64]) -> Result<Blob, PackError> {
    pack(rows, width, cells, 0, &[])
}

/// A table of truth values for [`flock_lookup_bool`]; an index outside gives false.
///
/// # Errors
/// Where there are not rows × width cells.
pub fn pack_table_bool(rows: usize, width: usize, cells: &[bool]) -> Result<Blob, PackError> {
    let cells: Vec<u8> = cells.iter().map(|c| u8::from(*c)).collect();
    pack(rows, width, &cells, 0, &[])
}

/// A table of text for [`flock_lookup_str`]; an index outside gives the empty text.
///
/// # Errors
/// Where there are not rows × width cells.
pub fn pack_table_str<S: AsRef<str>>(rows: usize, width: usize, cells: &[S]) -> Result<Blob, PackError> {
    let mut bytes = Vec::new();
    let spans: Vec<[u64; 2]> = cells
        .iter()
        .map(|s| {
            let at = bytes.len() as u64;
            bytes.extend_from_slice(s.as_ref().as_bytes());
            [at, s.as_ref().len() as u64]
        })
        .collect();
    pack(rows, width, &spans, [0, 0], &bytes)
}

unsafe fn lookup<T: Copy, R>(
    table: *const u8,
    index: *const i64,
    stride: usize,
    rows: usize,
    out: *mut R,
    f: impl Fn(T) -> R,
) {
    // SAFETY: the table was written by `pack`, the frames are as the conventions say; the index is brought inside.
    unsafe {
        let h = &*table.cast::<Header>();
        for j in 0..h.width as usize {
            let column = section::<T>(table, h.cells).add(j * (h.rows as usize + 1));
            for i in 0..rows {
                let at = (*index.add(i) as u64).min(h.rows) as usize;
                out.add(j * stride + i).write(f(column.add(at).read()));
            }
        }
    }
}

export! {
    /// The table's row at the index, as a frame of its width.
    fn flock_lookup_f64(table: *const u8, index: *const i64, stride: usize, rows: usize, out: *mut f64) {
        lookup(table, index, stride, rows, out, |x: f64| x)
    }
    /// The same for f32.
    fn flock_lookup_f32(table: *const u8, index: *const i64, stride: usize, rows: usize, out: *mut f32) {
        lookup(table, index, stride, rows, out, |x: f32| x)
    }
    /// The same for i64.
    fn flock_lookup_i64(table: *const u8, index: *const i64, stride: usize, rows: usize, out: *mut i64) {
        lookup(table, index, stride, rows, out, |x: i64| x)
    }
    /// The same for truth values, a byte each.
    fn flock_lookup_bool(table: *const u8, index: *const i64, stride: usize, rows: usize, out: *mut u8) {
        lookup(table, index, stride, rows, out, |x: u8| x)
    }
    /// The same for text, borrowed from the table.
    fn flock_lookup_str(table: *const u8, index: *const i64, stride: usize, rows: usize, out: *mut FlockStr) {
        let bytes = section::<u8>(table, (*table.cast::<Header>()).bytes);
        lookup(table, index, stride, rows, out, |[at, len]: [u64; 2]| FlockStr { ptr: bytes.add(at as usize), len: len as usize })
    }
    /// 1 in the column of the index, 0 elsewhere.
    fn flock_one_hot_f64(index: *const i64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        one_hot(index, stride, width, rows, out, 1.0)
    }
    /// The same in f32.
    fn flock_one_hot_f32(index: *const i64, stride: usize, width: usize, rows: usize, out: *mut f32) {
        one_hot(index, stride, width, rows, out, 1.0)
    }
}

unsafe fn one_hot<T: Copy>(index: *const i64, stride: usize, width: usize, rows: usize, out: *mut T, one: T) {
    // SAFETY: the frames are as the conventions say; only indices inside are written. Zero bytes are the number 0.
    unsafe {
        (0..width).for_each(|j| out.add(j * stride).write_bytes(0, rows));
        for i in 0..rows {
            let at = *index.add(i) as u64;
            if at < width as u64 {
                out.add(at as usize * stride + i).write(one);
            }
        }
    }
}
