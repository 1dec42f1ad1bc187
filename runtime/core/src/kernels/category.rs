//! Values to positions: hash tables for text and numbers, sorted edges.

use crate::abi::{FlockColumn, FlockLayout, FlockStatus, FlockStr};
use crate::blob::{Blob, Plain};
use crate::column::Column;
use crate::kernels::columns::each_text;
use crate::kernels::{PackError, export, section};

/// Header of an index table: open addressing with linear probing, at most half full.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    /// Slots less 1; their number is a power of two.
    mask: u64,
    slots: u64,
    bytes: u64,
    reserved: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Header {}

/// A slot: what is compared first (the hash of a text, the bits of a number), the position (-1: empty slot), and where a text lies;
/// of one below 8 bytes, the text itself, as [`word`] has it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    position: i64,
    at: u64,
    len: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Slot {}

const EMPTY: Slot = Slot { key: 0, position: -1, at: 0, len: 0 };

#[inline]
fn mix(x: u64) -> u64 {
    let wide = u128::from(x ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f;
    (wide >> 64) as u64 ^ wide as u64
}

/// Up to 7 bytes as a number. Not by way of memory: what is written byte by byte is slow to be read as a word.
#[inline]
fn word(s: &[u8]) -> u64 {
    let overlapping = |low: u64, high: u64, width: usize| low | high << (8 * (s.len() - width));
    match (s.first_chunk::<4>(), s.last_chunk::<4>(), s) {
        (Some(low), Some(high), _) => overlapping(u32::from_le_bytes(*low).into(), u32::from_le_bytes(*high).into(), 4),
        (_, _, [low, second, .., high]) => overlapping(u64::from(*low) | u64::from(*second) << 8, (*high).into(), 1),
        (_, _, [low, high]) => u64::from(*low) | u64::from(*high) << 8,
        (_, _, [low]) => u64::from(*low),
        _ => 0,
    }
}

/// A hash of bytes. Tables store it, so it may only change together with what packs them.
#[inline]
fn hash(s: &[u8]) -> u64 {
    let (words, rest) = s.as_chunks::<8>();
    let h = words.iter().fold(s.len() as u64, |h, w| mix(h ^ u64::from_le_bytes(*w)));
    mix(h ^ word(rest))
}

/// The bits by which numbers are looked up: -0 is 0, all NaNs are one.
#[inline]
fn float_key(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { (x + 0.0).to_bits() }
}

fn pack(keys: impl ExactSizeIterator<Item = Slot>, hashed: bool, bytes: &[u8]) -> Blob {
    let size = (keys.len() * 2).next_power_of_two().max(2);
    let mut slots = vec![EMPTY; size];
    for new in keys {
        let mut i = if hashed { new.key } else { mix(new.key) } as usize & (size - 1);
        let long = |s: &Slot| if s.len < 8 { &[][..] } else { &bytes[s.at as usize..(s.at + s.len) as usize] };
        let equal =
            |a: &Slot, b: &Slot| a.key == b.key && a.len == b.len && (a.len >= 8 || a.at == b.at) && long(a) == long(b);
        while slots[i].position >= 0 && !equal(&slots[i], &new) {
            i = (i + 1) & (size - 1);
        }
        // The first of equal elements counts.
        if slots[i].position < 0 {
            slots[i] = new;
        }
    }
    let mut blob = Blob::of(&[0u8; size_of::<Header>()]);
    let slots = blob.section(&slots) as u64;
    let bytes = blob.section(bytes) as u64;
    blob.set_header(Header { mask: size as u64 - 1, slots, bytes, reserved: 0 });
    blob
}

/// The index table of text categories, for [`flock_index_str`] and [`flock_index_column`].
pub fn pack_index_str<S: AsRef<str>>(categories: &[S]) -> Blob {
    let bytes: Vec<u8> = categories.iter().flat_map(|s| s.as_ref().bytes()).collect();
    let mut at = 0;
    let slots = categories.iter().enumerate().map(|(i, s)| {
        let s = s.as_ref().as_bytes();
        at += s.len() as u64;
        let place = if s.len() < 8 { word(s) } else { at - s.len() as u64 };
        Slot { key: hash(s), position: i as i64, at: place, len: s.len() as u64 }
    });
    pack(slots, true, &bytes)
}

/// The index table of float categories, for [`flock_index_f64`] and [`flock_index_f32`]. NaN among them is found by NaN.
pub fn pack_index_f64(categories: &[f64]) -> Blob {
    let slot = |(i, x): (usize, &f64)| Slot { key: float_key(*x), position: i as i64, at: 0, len: 0 };
    pack(categories.iter().enumerate().map(slot), false, &[])
}

/// The index table of integer categories, for [`flock_index_i64`].
pub fn pack_index_i64(categories: &[i64]) -> Blob {
    let slot = |(i, x): (usize, &i64)| Slot { key: *x as u64, position: i as i64, at: 0, len: 0 };
    pack(categories.iter().enumerate().map(slot), false, &[])
}

/// The position of a text, or -1.
/// # Safety
/// `table` was written by [`pack_index_str`].
#[inline]
pub(crate) unsafe fn find_text(table: *const u8, s: &[u8]) -> i64 {
    // SAFETY: the table's slots and spans lie inside of it; a table is never full, so the search ends.
    unsafe {
        let h = &*table.cast::<Header>();
        let (slots, bytes) = (section::<Slot>(table, h.slots), section::<u8>(table, h.bytes));
        let key = hash(s);
        let mut i = key & h.mask;
        loop {
            let slot = &*slots.add(i as usize);
            if slot.position < 0 {
                return -1;
            }
            let equal = || match s.len() {
                0..8 => slot.at == word(s),
                len => std::slice::from_raw_parts(bytes.add(slot.at as usize), len) == s,
            };
            if slot.key == key && slot.len == s.len() as u64 && equal() {
                return slot.position;
            }
            i = (i + 1) & h.mask;
        }
    }
}

/// The position of a number's bits, or -1.
/// # Safety
/// `table` was written by [`pack_index_f64`] or [`pack_index_i64`].
#[inline]
unsafe fn find_number(table: *const u8, key: u64) -> i64 {
    // SAFETY: as in `find_text`.
    unsafe {
        let h = &*table.cast::<Header>();
        let slots = section::<Slot>(table, h.slots);
        let mut i = mix(key) & h.mask;
        loop {
            let slot = &*slots.add(i as usize);
            if slot.position < 0 || slot.key == key {
                return slot.position;
            }
            i = (i + 1) & h.mask;
        }
    }
}

/// The positions of a dictionary's entries, where the column has a dictionary that is worth it.
/// # Safety
/// `table` was written by [`pack_index_str`].
pub(crate) unsafe fn memo(column: &Column<'_>, table: *const u8, rows: usize) -> Option<Vec<i64>> {
    let values = column.values().filter(|v| v.len() <= rows)?;
    let mut out = vec![-1; values.len()];
    // SAFETY: the column was checked when it was made, and the table is the one that the program names.
    unsafe {
        each_text(values.as_raw(), 0, values.len(), std::ptr::null_mut(), |i, s, _| {
            out[i] = find_text(table, s.bytes());
        })
    };
    Some(out)
}

/// Header of packed edges.
#[repr(C)]
#[derive(Clone, Copy)]
struct Edges {
    count: u64,
    /// 1: an edge equal to the value counts.
    right: u64,
    edges: u64,
    reserved: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Edges {}

/// Sorted edges for [`flock_bucketize_f64`] and [`flock_bucketize_f32`]; `right` counts an edge equal to the value too.
///
/// # Errors
/// Where they are not sorted, or one is NaN.
pub fn pack_edges(edges: &[f64], right: bool) -> Result<Blob, PackError> {
    if !edges.is_sorted_by(|a, b| a <= b) || edges.iter().any(|e| e.is_nan()) {
        return Err(PackError("edges are not sorted".into()));
    }
    let mut blob = Blob::of(&[0u8; size_of::<Edges>()]);
    let at = blob.section(edges) as u64;
    blob.set_header(Edges { count: edges.len() as u64, right: u64::from(right), edges: at, reserved: 0 });
    Ok(blob)
}

/// # Safety
/// `table` was written by [`pack_edges`].
#[inline]
unsafe fn bucket(table: *const u8, x: f64) -> i64 {
    // SAFETY: the caller's promise.
    let (h, edges) = unsafe {
        let h = &*table.cast::<Edges>();
        (h, std::slice::from_raw_parts(section::<f64>(table, h.edges), h.count as usize))
    };
    let below = |e: &f64| if h.right != 0 { *e <= x } else { *e < x };
    if x.is_nan() { h.count as i64 } else { edges.partition_point(below) as i64 }
}

export! {
    /// The position of each text among the categories, -1 where it is none of them. Elements that are not there
    /// (`valid` 0; `valid` may be null) give -1 without being read.
    fn flock_index_str(table: *const u8, x: *const FlockStr, valid: *const u8, rows: usize, out: *mut i64) {
        for i in 0..rows {
            let there = valid.is_null() || *valid.add(i) != 0;
            *out.add(i) = if there { find_text(table, (*x.add(i)).bytes()) } else { -1 };
        }
    }
    /// The same straight from a text column of the batch, with its validity (`valid` may be null). `memo` is the extra
    /// input of a [`crate::Memo`] with the same table, or null; a dictionary-encoded column then costs one load per row.
    fn flock_index_column(table: *const u8, column: *const FlockColumn, memo: *const FlockColumn, start: usize, rows: usize, out: *mut i64, valid: *mut u8) -> i32 {
        (0..rows).for_each(|i| *out.add(i) = -1);
        let known = if memo.is_null() { std::ptr::null() } else { (*memo).data.cast::<i64>() };
        let text = if known.is_null() || (*column).layout != FlockLayout::Dictionary as u32 {
            each_text(&*column, start, rows, valid, |i, s, _| *out.add(i) = find_text(table, s.bytes()))
        } else {
            each_text(&*column, start, rows, valid, |i, _, code| *out.add(i) = *known.add(code))
        };
        if text { FlockStatus::Ok as i32 } else { FlockStatus::Schema as i32 }
    }
    /// The position of each number among the categories, -1 where it is none of them. -0 is 0, NaN finds NaN.
    fn flock_index_f64(table: *const u8, x: *const f64, rows: usize, out: *mut i64) {
        (0..rows).for_each(|i| *out.add(i) = find_number(table, float_key(*x.add(i))))
    }
    /// The same for f32; the categories are the same numbers in f64.
    fn flock_index_f32(table: *const u8, x: *const f32, rows: usize, out: *mut i64) {
        (0..rows).for_each(|i| *out.add(i) = find_number(table, float_key(f64::from(*x.add(i)))))
    }
    /// The same for i64.
    fn flock_index_i64(table: *const u8, x: *const i64, rows: usize, out: *mut i64) {
        (0..rows).for_each(|i| *out.add(i) = find_number(table, *x.add(i) as u64))
    }
    /// Number of edges below each value; NaN counts all.
    fn flock_bucketize_f64(table: *const u8, x: *const f64, rows: usize, out: *mut i64) {
        (0..rows).for_each(|i| *out.add(i) = bucket(table, *x.add(i)))
    }
    /// The same for f32.
    fn flock_bucketize_f32(table: *const u8, x: *const f32, rows: usize, out: *mut i64) {
        (0..rows).for_each(|i| *out.add(i) = bucket(table, f64::from(*x.add(i))))
    }
}
