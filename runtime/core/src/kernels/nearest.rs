//! Distances to points, ranks within a row, elements by index, functions given by points.

use crate::abi::FlockStr;
use crate::blob::{Blob, Plain};
use crate::kernels::{PackError, export, section};

/// Header of packed points: `count` rows of `width` coordinates each, one after the other.
#[repr(C)]
#[derive(Clone, Copy)]
struct Points {
    count: u64,
    width: u64,
    points: u64,
    reserved: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Points {}

fn pack<T: Plain>(count: usize, width: usize, cells: &[T]) -> Result<Blob, PackError> {
    if count.checked_mul(width) != Some(cells.len()) {
        return Err(PackError(format!("{} cells for {count} x {width}", cells.len())));
    }
    let rows: Vec<T> = (0..count).flat_map(|i| (0..width).map(move |k| cells[k * count + i])).collect();
    let mut blob = Blob::of(&[0u8; size_of::<Points>()]);
    let points = blob.section(&rows) as u64;
    blob.set_header(Points { count: count as u64, width: width as u64, points, reserved: 0 });
    Ok(blob)
}

/// The points of [`flock_distances_f64`] from a table of `count` rows, column-major.
///
/// # Errors
/// Where there are not count × width cells.
pub fn pack_points_f64(count: usize, width: usize, cells: &[f64]) -> Result<Blob, PackError> {
    pack(count, width, cells)
}

/// The points of [`flock_distances_f32`].
///
/// # Errors
/// Where there are not count × width cells.
pub fn pack_points_f32(count: usize, width: usize, cells: &[f32]) -> Result<Blob, PackError> {
    pack(count, width, cells)
}

/// Rows whose sums stay in registers.
const TILE: usize = 32;

/// For each point a fold over the columns, from left to right.
macro_rules! distances {
    ($table:ident, $x:ident, $stride:ident, $rows:ident, $out:ident, $t:ty, $join:expr, $end:expr) => {{
        let h = &*$table.cast::<Points>();
        let points = section::<$t>($table, h.points);
        let width = h.width as usize;
        for first in (0..$rows).step_by(TILE) {
            let n = TILE.min($rows - first);
            for j in 0..h.count as usize {
                let mut sums: [$t; TILE] = [0.0; TILE];
                for k in 0..width {
                    let (x, p) = ($x.add(k * $stride + first), *points.add(j * width + k));
                    // Behind the last row there is what may be read to be thrown away.
                    (0..TILE).for_each(|i| sums[i] = $join(sums[i], *x.add(i) - p));
                }
                let out = $out.add(j * $stride + first);
                (0..n).for_each(|i| *out.add(i) = $end(sums[i]));
            }
        }
    }};
}

macro_rules! every_distance {
    ($table:ident, $x:ident, $stride:ident, $rows:ident, $kind:ident, $out:ident, $t:ty) => {{
        let greatest = |a: $t, d: $t| if a >= d.abs() || a.is_nan() { a } else { d.abs() };
        let (sum, squares) = (|a: $t, d: $t| a + d.abs(), |a: $t, d: $t| a + d * d);
        match $kind {
            1 => distances!($table, $x, $stride, $rows, $out, $t, sum, |s: $t| s),
            2 => distances!($table, $x, $stride, $rows, $out, $t, squares, |s: $t| s.sqrt()),
            3 => distances!($table, $x, $stride, $rows, $out, $t, squares, |s: $t| s),
            _ => distances!($table, $x, $stride, $rows, $out, $t, greatest, |s: $t| s),
        }
    }};
}

/// Numbers in order, as integers.
trait Ranked: Copy {
    fn rank(self) -> u64;
}

impl Ranked for f64 {
    /// NaN last, both zeros one.
    #[inline]
    fn rank(self) -> u64 {
        if self.is_nan() {
            return u64::MAX;
        }
        let bits = (self + 0.0).to_bits();
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    }
}
impl Ranked for f32 {
    #[inline]
    fn rank(self) -> u64 {
        f64::from(self).rank()
    }
}
impl Ranked for i64 {
    #[inline]
    fn rank(self) -> u64 {
        self as u64 ^ 1 << 63
    }
}

/// Bytes of `work` that [`flock_order_f64`] needs for a frame of that width, in all.
pub const fn order_work(width: usize) -> usize {
    width * size_of::<[u64; 2]>()
}

/// The indices of ranks `start` to below `start + len`, row by row.
#[allow(clippy::too_many_arguments)]
unsafe fn order<T: Ranked>(
    x: *const T,
    stride: usize,
    width: usize,
    rows: usize,
    start: usize,
    len: usize,
    out: *mut i64,
    work: *mut u8,
) {
    // SAFETY: `work` is as long as `order_work` says and aligned, the frames are as the conventions say. An index makes
    // equal elements differ, so that the order is stable.
    unsafe {
        let all = std::slice::from_raw_parts_mut(work.cast::<[u64; 2]>(), width);
        for i in 0..rows {
            for (k, slot) in all.iter_mut().enumerate() {
                *slot = [(*x.add(k * stride + i)).rank(), k as u64];
            }
            let end = start + len;
            if end < width {
                all.select_nth_unstable(end);
            }
            all[..end].sort_unstable();
            for (j, [_, k]) in all[start..end].iter().enumerate() {
                out.add(j * stride + i).write(*k as i64);
            }
        }
    }
}

/// The element of each row at the index, and whether there is one.
#[allow(clippy::too_many_arguments)]
unsafe fn gather<T: Copy>(
    x: *const T,
    x_valid: *const u8,
    valid_stride: usize,
    stride: usize,
    width: usize,
    index: *const i64,
    index_valid: *const u8,
    rows: usize,
    out: *mut T,
    out_valid: *mut u8,
) {
    for i in 0..rows {
        // SAFETY: an index outside, or one that is not there, reads column 0; the frames are as the conventions say.
        unsafe {
            let at = *index.add(i) as u64;
            let inside = at < width as u64 && (index_valid.is_null() || *index_valid.add(i) != 0);
            let at = if inside { at as usize } else { 0 };
            out.add(i).write(x.add(at * stride + i).read());
            let there = inside && (x_valid.is_null() || *x_valid.add(at * valid_stride + i) != 0);
            *out_valid.add(i) = u8::from(there);
        }
    }
}

/// Header of a table of points; then their xs, their ys, and the slopes from each to the next.
#[repr(C)]
#[derive(Clone, Copy)]
struct Curve {
    count: u64,
    xs: u64,
    ys: u64,
    slopes: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Curve {}

/// The points of [`flock_interpolate_f64`].
///
/// # Errors
/// Where there is none, there are not as many ys as xs, or the xs do not ascend.
pub fn pack_curve(xs: &[f64], ys: &[f64]) -> Result<Blob, PackError> {
    if xs.is_empty() || xs.len() != ys.len() || !xs.is_sorted_by(|a, b| a <= b) || xs[0].is_nan() {
        return Err(PackError("points that do not ascend".into()));
    }
    let slopes: Vec<f64> = (1..xs.len()).map(|i| (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1])).collect();
    let mut blob = Blob::of(&[0u8; size_of::<Curve>()]);
    let (x, y) = (blob.section(xs) as u64, blob.section(ys) as u64);
    let slopes = blob.section(&slopes) as u64;
    blob.set_header(Curve { count: xs.len() as u64, xs: x, ys: y, slopes });
    Ok(blob)
}

/// # Safety
/// `table` was written by [`pack_curve`].
unsafe fn interpolate(table: *const u8, x: f64) -> f64 {
    // SAFETY: the caller's promise.
    let (xs, ys, slopes) = unsafe {
        let h = &*table.cast::<Curve>();
        let part = |at, len| std::slice::from_raw_parts(section::<f64>(table, at), len);
        let n = h.count as usize;
        (part(h.xs, n), part(h.ys, n), part(h.slopes, n - 1))
    };
    let last = xs.len() - 1;
    if x.is_nan() && last > 0 {
        return x;
    }
    match xs.partition_point(|e| *e <= x) {
        0 => ys[0],
        n if n > last => ys[last],
        n if xs[n - 1] == x => ys[n - 1],
        right => {
            let left = right - 1;
            let y = slopes[left] * (x - xs[left]) + ys[left];
            if !y.is_nan() {
                return y;
            }
            // An infinite slope or difference: from the other end, as numpy.interp.
            let y = slopes[left] * (x - xs[right]) + ys[right];
            if y.is_nan() && ys[left] == ys[right] { ys[left] } else { y }
        }
    }
}

export! {
    /// The distances of each row to the points. `kind`: 1 sum of absolute differences, 2 Euclidean, 3 its square, 0 greatest
    /// absolute difference.
    fn flock_distances_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, kind: usize, out: *mut f64) {
        every_distance!(table, x, stride, rows, kind, out, f64)
    }
    /// The same in f32 throughout.
    fn flock_distances_f32(table: *const u8, x: *const f32, stride: usize, rows: usize, kind: usize, out: *mut f32) {
        every_distance!(table, x, stride, rows, kind, out, f32)
    }
    /// The indices that would sort each row, of `len` ranks from `start`. `work` has [`order_work`] bytes.
    fn flock_order_f64(x: *const f64, stride: usize, width: usize, rows: usize, start: usize, len: usize, out: *mut i64, work: *mut u8) {
        order(x, stride, width, rows, start, len, out, work)
    }
    /// The same for f32.
    fn flock_order_f32(x: *const f32, stride: usize, width: usize, rows: usize, start: usize, len: usize, out: *mut i64, work: *mut u8) {
        order(x, stride, width, rows, start, len, out, work)
    }
    /// The same for i64.
    fn flock_order_i64(x: *const i64, stride: usize, width: usize, rows: usize, start: usize, len: usize, out: *mut i64, work: *mut u8) {
        order(x, stride, width, rows, start, len, out, work)
    }
    /// A column of elements by a column of indices. Either validity may be null; `valid_stride` is 0 where one column of
    /// validity stands for all of x.
    fn flock_gather_bool(x: *const u8, x_valid: *const u8, valid_stride: usize, stride: usize, width: usize, index: *const i64, index_valid: *const u8, rows: usize, out: *mut u8, out_valid: *mut u8) {
        gather(x, x_valid, valid_stride, stride, width, index, index_valid, rows, out, out_valid)
    }
    /// The same for f32.
    fn flock_gather_f32(x: *const f32, x_valid: *const u8, valid_stride: usize, stride: usize, width: usize, index: *const i64, index_valid: *const u8, rows: usize, out: *mut f32, out_valid: *mut u8) {
        gather(x, x_valid, valid_stride, stride, width, index, index_valid, rows, out, out_valid)
    }
    /// The same for f64.
    fn flock_gather_f64(x: *const f64, x_valid: *const u8, valid_stride: usize, stride: usize, width: usize, index: *const i64, index_valid: *const u8, rows: usize, out: *mut f64, out_valid: *mut u8) {
        gather(x, x_valid, valid_stride, stride, width, index, index_valid, rows, out, out_valid)
    }
    /// The same for i64.
    fn flock_gather_i64(x: *const i64, x_valid: *const u8, valid_stride: usize, stride: usize, width: usize, index: *const i64, index_valid: *const u8, rows: usize, out: *mut i64, out_valid: *mut u8) {
        gather(x, x_valid, valid_stride, stride, width, index, index_valid, rows, out, out_valid)
    }
    /// The same for text.
    fn flock_gather_str(x: *const FlockStr, x_valid: *const u8, valid_stride: usize, stride: usize, width: usize, index: *const i64, index_valid: *const u8, rows: usize, out: *mut FlockStr, out_valid: *mut u8) {
        gather(x, x_valid, valid_stride, stride, width, index, index_valid, rows, out, out_valid)
    }
    /// The piecewise linear function of each element.
    fn flock_interpolate_f64(table: *const u8, x: *const f64, rows: usize, out: *mut f64) {
        (0..rows).for_each(|i| *out.add(i) = interpolate(table, *x.add(i)))
    }
}
