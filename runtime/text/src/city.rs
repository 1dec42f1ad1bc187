//! CityHash64 in its first version, of 2011, which later ones do not agree with.
//! Source: Google's cityhash 1.0.3; CatBoost `util/digest/city.cpp`.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;
const MUL: u64 = 0x9ddf_ea08_eb38_2d69;

/// The hash of the bytes.
pub fn city_hash(s: &[u8]) -> u64 {
    match s.len() {
        0..=16 => up_to_16(s),
        17..=32 => up_to_32(s),
        33..=64 => up_to_64(s),
        _ => longer(s),
    }
}

fn word(s: &[u8], at: usize) -> u64 {
    s.get(at..).and_then(|s| s.first_chunk()).map_or(0, |w| u64::from_le_bytes(*w))
}

fn half(s: &[u8], at: usize) -> u64 {
    s.get(at..).and_then(|s| s.first_chunk()).map_or(0, |w| u64::from(u32::from_le_bytes(*w)))
}

fn shift_mix(x: u64) -> u64 {
    x ^ (x >> 47)
}

fn two(u: u64, v: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(MUL));
    shift_mix((v ^ a).wrapping_mul(MUL)).wrapping_mul(MUL)
}

fn up_to_16(s: &[u8]) -> u64 {
    let n = s.len();
    let len = n as u64;
    match n {
        0 => K2,
        1..4 => {
            let y = u64::from(s[0]) + (u64::from(s[n / 2]) << 8);
            let z = len + (u64::from(s[n - 1]) << 2);
            shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2)
        }
        4..=8 => two(len + (half(s, 0) << 3), half(s, n - 4)),
        _ => {
            let b = word(s, n - 8);
            two(word(s, 0), b.wrapping_add(len).rotate_right(n as u32)) ^ b
        }
    }
}

fn up_to_32(s: &[u8]) -> u64 {
    let n = s.len();
    let a = word(s, 0).wrapping_mul(K1);
    let b = word(s, 8);
    let c = word(s, n - 8).wrapping_mul(K2);
    let d = word(s, n - 16).wrapping_mul(K0);
    let u = a.wrapping_sub(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    two(u, a.wrapping_add((b ^ K3).rotate_right(20)).wrapping_sub(c).wrapping_add(n as u64))
}

fn up_to_64(s: &[u8]) -> u64 {
    let n = s.len();
    // 32 bytes from `at` on, with a start: their first half and their second.
    let quarters = |start: u64, at: usize| {
        let z = word(s, at + 24);
        let b = start.wrapping_add(z).rotate_right(52);
        let a = start.wrapping_add(word(s, at + 8));
        let c = start.rotate_right(37).wrapping_add(a.rotate_right(7));
        let a = a.wrapping_add(word(s, at + 16));
        (a.wrapping_add(z), b.wrapping_add(a.rotate_right(31)).wrapping_add(c))
    };
    let first = word(s, 0).wrapping_add((n as u64).wrapping_add(word(s, n - 16)).wrapping_mul(K0));
    let v = quarters(first, 0);
    let w = quarters(word(s, 16).wrapping_add(word(s, n - 32)), n - 32);
    let r = v.0.wrapping_add(w.1).wrapping_mul(K2).wrapping_add(w.0.wrapping_add(v.1).wrapping_mul(K0));
    shift_mix(shift_mix(r).wrapping_mul(K0).wrapping_add(v.1)).wrapping_mul(K2)
}

/// 32 bytes from `at` on, weakly, with two seeds.
fn weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let z = word(s, at + 24);
    let a = a.wrapping_add(word(s, at));
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let c = a;
    let a = a.wrapping_add(word(s, at + 8)).wrapping_add(word(s, at + 16));
    (a.wrapping_add(z), b.wrapping_add(a.rotate_right(44)).wrapping_add(c))
}

fn longer(s: &[u8]) -> u64 {
    let n = s.len();
    let mut x = word(s, 0);
    let mut y = word(s, n - 16) ^ K1;
    let mut z = word(s, n - 56) ^ K0;
    let mut v = weak(s, n - 64, n as u64, y);
    let mut w = weak(s, n - 32, (n as u64).wrapping_mul(K1), K0);
    z = z.wrapping_add(shift_mix(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    for at in (0..((n - 1) & !63)).step_by(64) {
        x = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(word(s, at + 16)).rotate_right(37).wrapping_mul(K1);
        y = y.wrapping_add(v.1).wrapping_add(word(s, at + 48)).rotate_right(42).wrapping_mul(K1);
        x ^= w.1;
        y ^= v.0;
        z = (z ^ w.0).rotate_right(33);
        v = weak(s, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = weak(s, at + 32, z.wrapping_add(w.1), y);
        std::mem::swap(&mut z, &mut x);
    }
    let y = shift_mix(y).wrapping_mul(K1);
    two(two(v.0, w.0).wrapping_add(y).wrapping_add(z), two(v.1, w.1).wrapping_add(x))
}
