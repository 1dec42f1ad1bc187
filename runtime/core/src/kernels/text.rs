//! Text elements.

use std::borrow::Cow;
use std::cmp::Ordering;

use flock_text::{
    Digest, Instruction, Machine, Pattern, Program, city_hash, eight_digits, leading_float, leading_integer,
};

use crate::abi::{FlockStatus, FlockStr};
use crate::arena::Arena;
use crate::blob::{Blob, Plain};
use crate::kernels::{export, section};

/// The text of an element. What is no UTF-8 is read as it is printed.
/// # Safety
/// What the element was made from must still be alive.
pub(crate) unsafe fn read<'a>(s: FlockStr) -> Cow<'a, str> {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { s.bytes() })
}

/// Header of a packed pattern.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct PatternHeader {
    code: u64,
    instructions: u64,
    ranges: u64,
    runs: u64,
    splits: u64,
    reserved: u64,
}
// SAFETY: numbers without padding.
unsafe impl Plain for PatternHeader {}

/// A pattern for [`flock_text_matches`].
pub fn pack_pattern(pattern: &Pattern) -> Blob {
    let mut blob = Blob::of(&[0u8; size_of::<PatternHeader>()]);
    let code: Vec<[u32; 4]> = pattern.code.iter().map(|i| [i.code, i.a, i.b, i.c]).collect();
    let (at, ranges) = (blob.section(&code) as u64, blob.section(&pattern.ranges) as u64);
    blob.set_header(PatternHeader {
        code: at,
        instructions: code.len() as u64,
        ranges,
        runs: pattern.ranges.len() as u64,
        splits: u64::from(pattern.splits),
        reserved: 0,
    });
    blob
}

/// # Safety
/// `table` was written by [`pack_pattern`].
pub(crate) unsafe fn program<'a>(table: *const u8) -> Program<'a> {
    // SAFETY: the sections lie inside of the table; an instruction is four numbers in the order of its fields.
    unsafe {
        let h = &*table.cast::<PatternHeader>();
        let code = section::<Instruction>(table, h.code);
        Program {
            code: std::slice::from_raw_parts(code, h.instructions as usize),
            ranges: std::slice::from_raw_parts(section(table, h.ranges), h.runs as usize),
            splits: h.splits as u32,
        }
    }
}

/// Texts changed one by one, in the call's arena where they differ from what they were.
/// # Safety
/// Pointers are as the conventions say.
unsafe fn change(
    arena: *mut Arena,
    x: *const FlockStr,
    valid: *const u8,
    rows: usize,
    out: *mut FlockStr,
    f: impl Fn(&str) -> String,
) -> i32 {
    for i in 0..rows {
        // SAFETY: the caller's promise; texts are read where they are there.
        unsafe {
            let there = valid.is_null() || *valid.add(i) != 0;
            *out.add(i) = FlockStr::new(b"");
            if there {
                let text = read(*x.add(i));
                let changed = f(&text);
                *out.add(i) = *x.add(i);
                if changed.as_bytes() != (*x.add(i)).bytes() {
                    let Some(s) = (*arena).concat(&[changed.as_bytes()]) else { return FlockStatus::Memory as i32 };
                    *out.add(i) = s;
                }
            }
        }
    }
    FlockStatus::Ok as i32
}

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
            *out.add(i) = if there { city_hash((*x.add(i)).bytes()).cast_signed() } else { 0 };
        }
    }
    /// The float that each text begins with; `out_valid` is 0 where there is none. Where `valid` (may be null) is 0, a text
    /// is not read and there is none.
    fn flock_parse_f64(x: *const FlockStr, valid: *const u8, rows: usize, out: *mut f64, out_valid: *mut u8) {
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            let found = if there { leading_float(&read(*x.add(i))) } else { None };
            *out.add(i) = found.unwrap_or(0.0);
            *out_valid.add(i) = u8::from(found.is_some());
        }
    }
    /// The same of integers, which may be negative where `signed` is not 0.
    fn flock_parse_i64(signed: usize, x: *const FlockStr, valid: *const u8, rows: usize, out: *mut i64, out_valid: *mut u8) {
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            let found = if there { leading_integer(&read(*x.add(i)), signed != 0) } else { None };
            *out.add(i) = found.unwrap_or(0);
            *out_valid.add(i) = u8::from(found.is_some());
        }
    }
    /// Numbers in eight digits, in the call's arena.
    fn flock_digits_f64(arena: *mut Arena, x: *const f64, rows: usize, out: *mut FlockStr) -> i32 {
        for i in 0..rows {
            match (*arena).concat(&[eight_digits(*x.add(i)).as_bytes()]) {
                Some(s) => *out.add(i) = s,
                None => return FlockStatus::Memory as i32,
            }
        }
        FlockStatus::Ok as i32
    }
    /// The words of each text's digest, a column each; `how` is its place in [`Digest::ALL`]. Where `valid` (may be null)
    /// is 0, a text is not read and 0 is given.
    fn flock_digest(how: usize, x: *const FlockStr, valid: *const u8, stride: usize, rows: usize, out: *mut i64) {
        let Some(digest) = Digest::ALL.get(how) else { return };
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            let words = if there { digest.of((*x.add(i)).bytes()) } else { [0; 16] };
            (0..digest.words()).for_each(|j| *out.add(j * stride + i) = i64::from(words[j]));
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
    /// Texts in lower case (`how` 0), in upper case (1), without accents (2) or without what is no ASCII (3).
    fn flock_text_change(arena: *mut Arena, how: usize, x: *const FlockStr, valid: *const u8, rows: usize, out: *mut FlockStr) -> i32 {
        match how {
            0 => change(arena, x, valid, rows, out, flock_text::lower),
            1 => change(arena, x, valid, rows, out, flock_text::upper),
            2 => change(arena, x, valid, rows, out, flock_text::without_accents),
            _ => change(arena, x, valid, rows, out, flock_text::without_accents_ascii),
        }
    }
    /// One text behind the other. Steps and `valid` are as for [`flock_compare_str`].
    fn flock_text_append(arena: *mut Arena, x: *const FlockStr, x_step: usize, y: *const FlockStr, y_step: usize, valid: *const u8, rows: usize, out: *mut FlockStr) -> i32 {
        for i in 0..rows {
            *out.add(i) = FlockStr::new(b"");
            if valid.is_null() || *valid.add(i) != 0 {
                match (*arena).concat(&[(*x.add(i * x_step)).bytes(), (*y.add(i * y_step)).bytes()]) {
                    Some(s) => *out.add(i) = s,
                    None => return FlockStatus::Memory as i32,
                }
            }
        }
        FlockStatus::Ok as i32
    }
    /// Whether the pattern matches all of each text. Where `valid` (may be null) is 0, 0 is given.
    fn flock_text_matches(table: *const u8, x: *const FlockStr, valid: *const u8, rows: usize, out: *mut u8) {
        let (program, mut machine) = (program(table), Machine::default());
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            *out.add(i) = u8::from(there && program.matches_all(&read(*x.add(i)), &mut machine));
        }
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
