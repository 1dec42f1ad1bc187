//! Which characters are letters, digits and spaces.

use std::sync::LazyLock;

use crate::tables::{ASSIGNED, CASED, DIGIT, IGNORABLE, Ranges, SPACE, WORD};

/// Whether a character is in one of the runs.
pub(crate) fn within(ranges: &[[u32; 2]], c: u32) -> bool {
    ranges.get(ranges.partition_point(|[_, last]| *last < c)).is_some_and(|[first, _]| *first <= c)
}

/// A bit for each character: what is asked for every character of every document.
fn bits(ranges: Ranges) -> Vec<u64> {
    let mut bits = vec![0; 0x11_0000 / 64];
    for c in ranges.iter().flat_map(|[first, last]| *first..=*last) {
        bits[c as usize / 64] |= 1 << (c % 64);
    }
    bits
}

static WORD_BITS: LazyLock<Vec<u64>> = LazyLock::new(|| bits(WORD));

/// `\w` of Python's `re`.
#[inline]
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    WORD_BITS[c as usize / 64] >> (c as u32 % 64) & 1 == 1
}

/// `\d` of Python's `re`.
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { within(DIGIT, c as u32) }
}

/// `\s` of Python's `re`, and what `str.split()` splits at.
#[inline]
pub fn is_space(c: char) -> bool {
    if c.is_ascii() { matches!(c, ' ' | '\t'..='\r' | '\x1c'..='\x1f') } else { within(SPACE, c as u32) }
}

/// Whether this version of Unicode has the character.
pub(crate) fn is_assigned(c: char) -> bool {
    c.is_ascii() || within(ASSIGNED, c as u32)
}

/// A letter with case, for a sigma beside it.
pub(crate) fn is_cased(c: char) -> bool {
    within(CASED, c as u32)
}

/// What a sigma looks past.
pub(crate) fn is_ignorable(c: char) -> bool {
    within(IGNORABLE, c as u32)
}
