//! Text elements.

use std::cmp::Ordering;

#[path = "../../../../ir-spec/src/city.rs"]
mod city;

use crate::abi::{FlockStatus, FlockStr};
use crate::arena::Arena;
use crate::kernels::export;

export! {
    /// Byte order of each pair: -1, 0 or 1. A step of 0 repeats the first element, 1 takes each. Where `valid` (may be
    /// null; the validity of both) is 0, texts are not read and 0 is given.
    fn flock_compare_str(x: *const FlockStr, x_step: usize, y: *const FlockStr, y_step: usize, valid: *const u8, rows: usize, out: *mut i8) {
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            let order = if there { (*x.add(i * x_step)).bytes().cmp((*y.add(i * y_step)).bytes()) } else { Ordering::Equal };
            *out.add(i) = order as i8;
        }
    }
    /// CityHash64 of each text. Where `valid` (may be null) is 0, a text is not read and 0 is given.
    fn flock_city_hash(x: *const FlockStr, valid: *const u8, rows: usize, out: *mut i64) {
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            *out.add(i) = if there { city::city_hash((*x.add(i)).bytes()).cast_signed() } else { 0 };
        }
    }
    /// Integers as decimal text, in the call's arena.
    fn flock_text_of_i64(arena: *mut Arena, x: *const i64, rows: usize, out: *mut FlockStr) -> i32 {
        for i in 0..rows {
            let mut digits = [0; 20];
            match (*arena).concat(&[decimal(*x.add(i), &mut digits)]) {
                Some(s) => *out.add(i) = s,
                None => return FlockStatus::Memory as i32,
            }
        }
        FlockStatus::Ok as i32
    }
    /// Truth values as `True` and `False`.
    fn flock_text_of_bool(x: *const u8, rows: usize, out: *mut FlockStr) {
        (0..rows).for_each(|i| *out.add(i) = FlockStr::new(if *x.add(i) != 0 { b"True" } else { b"False" }))
    }
}

/// The digits of x at the end of the buffer; the least i64 fills it.
fn decimal(x: i64, buffer: &mut [u8; 20]) -> &[u8] {
    let (mut rest, mut at) = (x.unsigned_abs(), buffer.len());
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if x < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}
