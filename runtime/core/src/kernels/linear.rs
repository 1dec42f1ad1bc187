//! x · W + b.

use crate::blob::{Blob, Plain};
use crate::kernels::{PackError, export, section};

/// Header of a packed linear map; sections follow: weights, column-major (`inputs` of output 0, then of output 1, …), bias.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    inputs: u64,
    outputs: u64,
    weights: u64,
    bias: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Header {}

fn pack<T: Plain>(inputs: usize, weights: &[T], bias: &[T]) -> Result<Blob, PackError> {
    if inputs.checked_mul(bias.len()) != Some(weights.len()) {
        return Err(PackError(format!("{} weights for {inputs} x {}", weights.len(), bias.len())));
    }
    let mut blob = Blob::of(&[0u8; size_of::<Header>()]);
    let (weights, at) = (blob.section(weights), bias);
    let bias = blob.section(at);
    blob.set_header(Header {
        inputs: inputs as u64,
        outputs: at.len() as u64,
        weights: weights as u64,
        bias: bias as u64,
    });
    Ok(blob)
}

/// The table of [`flock_linear_f64`]: `weights` column-major, `inputs` for each of `bias.len()` outputs.
///
/// # Errors
/// Where the number of weights is not inputs × outputs.
pub fn pack_linear_f64(inputs: usize, weights: &[f64], bias: &[f64]) -> Result<Blob, PackError> {
    pack(inputs, weights, bias)
}

/// The table of [`flock_linear_f32`].
///
/// # Errors
/// Where the number of weights is not inputs × outputs.
pub fn pack_linear_f32(inputs: usize, weights: &[f32], bias: &[f32]) -> Result<Blob, PackError> {
    pack(inputs, weights, bias)
}

/// Inputs, outputs, weights and bias of a packed map.
/// # Safety
/// `table` was written by [`pack_linear_f64`] or, for f32, by [`pack_linear_f32`].
pub(crate) unsafe fn weights<T>(table: *const u8) -> (usize, usize, *const T, *const T) {
    // SAFETY: the sections lie inside of the table.
    unsafe {
        let h = &*table.cast::<Header>();
        (h.inputs as usize, h.outputs as usize, section(table, h.weights), section(table, h.bias))
    }
}

/// Rows that are summed together: their sums stay in registers.
const TILE: usize = 32;

/// The products from left to right, summed from 0, then the bias: the order in which the reference rounds.
macro_rules! linear {
    ($table:ident, $x:ident, $stride:ident, $rows:ident, $out:ident, $t:ty) => {
        linear!($table, $x, $stride, $rows, (std::ptr::null::<$t>()), $out, $t)
    };
    ($table:ident, $x:ident, $stride:ident, $rows:ident, $start:tt, $out:ident, $t:ty) => {{
        let h = &*$table.cast::<Header>();
        let (weights, bias) = (section::<$t>($table, h.weights), section::<$t>($table, h.bias));
        let inputs = h.inputs as usize;
        for first in (0..$rows).step_by(TILE) {
            let n = TILE.min($rows - first);
            for j in 0..h.outputs as usize {
                let w = weights.add(j * inputs);
                let mut sums = [0.0; TILE];
                if !$start.is_null() {
                    (0..n).for_each(|i| sums[i] = *$start.add(j * $stride + first + i));
                }
                if n == TILE {
                    for k in 0..inputs {
                        let (x, w) = ($x.add(k * $stride + first), *w.add(k));
                        (0..TILE).for_each(|i| sums[i] += *x.add(i) * w);
                    }
                } else {
                    for k in 0..inputs {
                        let (x, w) = ($x.add(k * $stride + first), *w.add(k));
                        (0..n).for_each(|i| sums[i] += *x.add(i) * w);
                    }
                }
                let (out, b) = ($out.add(j * $stride + first), *bias.add(j));
                (0..n).for_each(|i| *out.add(i) = sums[i] + b);
            }
        }
    }};
}

export! {
    /// x of the table's inputs to out of its outputs, both f64.
    fn flock_linear_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, out: *mut f64) {
        linear!(table, x, stride, rows, out, f64)
    }
    /// The same onto `start`, a frame of the outputs, which may be `out`.
    fn flock_linear_onto_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, start: *const f64, out: *mut f64) {
        linear!(table, x, stride, rows, start, out, f64)
    }
    /// The same in f32 throughout.
    fn flock_linear_f32(table: *const u8, x: *const f32, stride: usize, rows: usize, out: *mut f32) {
        linear!(table, x, stride, rows, out, f32)
    }
}
