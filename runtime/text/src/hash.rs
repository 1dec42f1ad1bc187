//! The hash of a term, and the column that it falls into.

/// MurmurHash3 (x86, 32 bits) with seed 0, as a signed number.
pub fn murmur3(bytes: &[u8]) -> i32 {
    let (blocks, tail) = bytes.as_chunks::<4>();
    let scrambled = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let step = |h: u32, block: &[u8; 4]| {
        (h ^ scrambled(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    };
    let mut h = blocks.iter().fold(0, step);
    if !tail.is_empty() {
        let mut last = [0; 4];
        last[..tail.len()].copy_from_slice(tail);
        h ^= scrambled(u32::from_le_bytes(last));
    }
    h ^= bytes.len() as u32;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    (h ^ h >> 16) as i32
}

/// The column of a term among `columns`, and whether its sign is negative. Source: scikit-learn
/// `feature_extraction/_hashing_fast.pyx`, which takes the least number's absolute value to be 2^31 too.
pub fn column_of(term: &[u8], columns: u32) -> (u32, bool) {
    let h = murmur3(term);
    (h.unsigned_abs() % columns, h < 0)
}
