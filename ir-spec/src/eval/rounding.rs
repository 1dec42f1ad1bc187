//! What rounding can do to an answer, found by trying it.
//!
//! Operands and results of the steps that are equal only up to rounding (`Reals`) move at random by a few units in the
//! last place. Moved operands stand for the order of sums: their error is one of the sum of the absolute terms, however
//! small the sum is. Source: D. S. Parker, "Monte Carlo arithmetic", 1997; J. Vignes, "Discrete stochastic arithmetic
//! for validating results of numerical software", 2004.

use crate::frame::{Data, Frame};
use crate::ops::Arg;

/// By how much, relatively: 64 units in the last place of a double, 4 of a float.
const F64: f64 = 64.0 * f64::EPSILON;
const F32: f64 = 4.0 * f32::EPSILON as f64;

/// One way of rounding out of many; a seed gives the same always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    seed: u64,
    /// The first row of those that are evaluated.
    start: usize,
}

impl Rounding {
    /// The way of a seed.
    pub fn new(seed: u64) -> Rounding {
        Rounding { seed: mix(seed), start: 0 }
    }

    /// The way of a node, for rows from `start` on.
    pub(super) fn at(self, node: usize, start: usize) -> Rounding {
        Rounding { seed: mix(self.seed ^ node as u64), start }
    }

    /// An operand moved, where it is numbers of rows; constants stay.
    pub(super) fn operand(self, arg: &Arg<'_>, rows: usize) -> Option<Frame> {
        match arg {
            Arg::Frame(f) if f.rows == rows && matches!(f.data, Data::F32(_) | Data::F64(_)) => {
                Some(Rounding { seed: mix(self.seed ^ 1), ..self }.result((*f).clone()))
            }
            _ => None,
        }
    }

    /// A result moved.
    pub(super) fn result(self, mut frame: Frame) -> Frame {
        let rows = frame.rows.max(1);
        let by = |at: usize, size: f64| 1.0 + size * self.part(self.start + at % rows, at / rows);
        match &mut frame.data {
            Data::F32(values) => {
                values.iter_mut().enumerate().for_each(|(at, v)| *v = (f64::from(*v) * by(at, F32)) as f32);
            }
            Data::F64(values) => values.iter_mut().enumerate().for_each(|(at, v)| *v *= by(at, F64)),
            Data::Bool(_) | Data::I64(_) | Data::Str(_) => {}
        }
        frame
    }

    /// From -1 to 1, evenly.
    fn part(self, row: usize, column: usize) -> f64 {
        let bits = mix(mix(self.seed ^ row as u64) ^ column as u64) >> 11;
        bits as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Source: SplitMix64 (G. Steele, D. Lea, C. Flood, 2014).
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
