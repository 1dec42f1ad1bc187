//! The other kernels against one-line models, and the table of kernels itself.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::ptr::{null, null_mut};

use flock_core::kernels::processor::Processor;
use flock_core::kernels::{category::*, columns::*, linear::*, math::*, nearest::*, rows::*, tables::*, text::*};
use flock_core::*;

const STRIDE: usize = 64;

fn hard() -> Vec<f64> {
    vec![0.0, -0.0, 1.0, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e-310, 1.0, 2.0, 3.0]
}

/// A frame whose element (i, j) is `f(i, j)`.
fn frame(width: usize, f: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..width).flat_map(|j| (0..STRIDE).map(move |i| (i, j))).map(|(i, j)| f(i, j)).collect()
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn names_are_unique_and_found() {
    let names: HashSet<_> = kernels().map(|k| k.name).collect();
    assert_eq!(names.len(), kernels().count());
    let k = kernel("flock_pow_f64").unwrap();
    assert_eq!((k.params.len(), k.result), (6, None));
    assert!(kernel("flock_load_f64").unwrap().result == Some(Abi::I32));
    assert!(kernels().all(|k| !k.address.is_null() && k.name.starts_with("flock_")));
}

#[test]
fn linear_adds_in_order_and_the_bias_last() {
    let h = hard();
    let (k, m) = (5, 3);
    let x = frame(k, |i, j| h[(i * 5 + j * 3) % h.len()] * if i % 2 == 0 { 0.1 } else { 1.0 });
    let w: Vec<f64> = (0..k * m).map(|i| 0.3 * i as f64 - 1.0).collect();
    let b = [0.1, -0.2, -0.0];
    let table = pack_linear_f64(k, &w, &b).unwrap();
    let mut out = vec![7.0; m * STRIDE];
    let rows = 45;
    unsafe { flock_linear_f64(table.as_ptr(), x.as_ptr(), STRIDE, rows, out.as_mut_ptr()) };
    for j in 0..m {
        for i in 0..rows {
            let want = (0..k).fold(0.0, |a, k2| a + x[k2 * STRIDE + i] * w[j * k + k2]) + b[j];
            assert_eq!(out[j * STRIDE + i].to_bits(), want.to_bits(), "row {i}, output {j}");
        }
        assert!(out[j * STRIDE + rows..(j + 1) * STRIDE].iter().all(|x| *x == 7.0), "rows behind are not written");
    }
    assert!(pack_linear_f64(2, &w, &b).is_err());
}

/// Maps of all shapes of block, on every processor, against the sum that the reference makes.
#[test]
fn linear_has_the_same_bits_on_every_processor() {
    macro_rules! check {
        ($t:ident, $pack:ident, $on:ident) => {
            let h: Vec<$t> = hard().into_iter().map(|x| x as $t).collect();
            for (inputs, outputs) in [(1, 1), (7, 3), (28, 64), (300, 9), (64, 1), (130, 8), (2, 17)] {
                let x: Vec<$t> = (0..inputs * STRIDE)
                    .map(|i| if i % 97 == 0 { h[i % h.len()] } else { ((i * 7919) % 1013) as $t * 0.37 - 180.0 })
                    .collect();
                let w: Vec<$t> = (0..inputs * outputs).map(|i| ((i * 31) % 101) as $t * 0.013 - 0.6).collect();
                let b: Vec<$t> = (0..outputs).map(|i| i as $t * 0.1 - 0.3).collect();
                let table = $pack(inputs, &w, &b).unwrap();
                let start: Vec<$t> = (0..outputs * STRIDE).map(|i| (i % 13) as $t * 0.7).collect();
                for rows in [1, 2, 3, 4, 15, 16, 33, 64] {
                    for (onto, floor) in [(false, None), (true, None), (false, Some(0.0)), (true, Some(-0.5))] {
                        let want = |i: usize, j: usize| {
                            let from = if onto { start[j * STRIDE + i] } else { 0.0 };
                            let sum = (0..inputs).fold(from, |a, k| a + x[k * STRIDE + i] * w[j * inputs + k]) + b[j];
                            floor.filter(|f| *f > sum).unwrap_or(sum)
                        };
                        for processor in Processor::all() {
                            // The frame that it starts from may be the one that it writes.
                            let mut out = if onto { start.clone() } else { vec![7.0; outputs * STRIDE] };
                            let start = if onto { out.as_ptr() } else { std::ptr::null() };
                            let floor = floor.as_ref().map_or(std::ptr::null(), |f| &raw const *f);
                            let (table, x, out_at) = (table.as_ptr(), x.as_ptr(), out.as_mut_ptr());
                            let map = Map { table, x, stride: STRIDE, rows, start, floor, out: out_at };
                            unsafe { $on(*processor, &map) };
                            for j in 0..outputs {
                                for i in 0..rows {
                                    let (found, want) = (out[j * STRIDE + i], want(i, j));
                                    let same = found.to_bits() == want.to_bits() || found.is_nan() && want.is_nan();
                                    assert!(same, "{processor:?} {inputs}x{outputs}, {rows} rows: {found} for {want}");
                                }
                                let untouched = |i: usize| {
                                    if onto { at(&out, j, i) == start_of(i, j) } else { at(&out, j, i) == 7.0 }
                                };
                                assert!((rows..STRIDE).all(untouched), "rows behind are not written");
                            }
                        }
                    }
                }
            }
            fn at(out: &[$t], j: usize, i: usize) -> $t {
                out[j * STRIDE + i]
            }
            fn start_of(i: usize, j: usize) -> $t {
                ((j * STRIDE + i) % 13) as $t * 0.7
            }
        };
    }
    {
        check!(f64, pack_linear_f64, linear_f64_on);
    }
    {
        check!(f32, pack_linear_f32, linear_f32_on);
    }
}

#[test]
fn numbers_find_their_category() {
    let categories = [1.0, f64::NAN, 0.0, 1.0, -3.5, f64::INFINITY];
    let table = pack_index_f64(&categories);
    let mut x = hard();
    x.extend([-f64::NAN, -3.5]);
    let mut out = vec![0; x.len()];
    unsafe { flock_index_f64(table.as_ptr(), x.as_ptr(), x.len(), out.as_mut_ptr()) };
    for (x, got) in x.iter().zip(&out) {
        let want = categories.iter().position(|c| c == x || c.is_nan() && x.is_nan());
        assert_eq!(*got, want.map_or(-1, |p| p as i64), "{x}");
    }
    let table = pack_index_i64(&[i64::MIN, 0, 7, 0]);
    let mut out = [0; 4];
    unsafe { flock_index_i64(table.as_ptr(), [0, i64::MIN, 8, 7].as_ptr(), 4, out.as_mut_ptr()) };
    assert_eq!(out, [1, 0, -1, 2]);
}

#[test]
fn texts_find_their_category() {
    let categories: Vec<String> = (0..1000).map(|i| "x".repeat(i % 37) + &(i / 37).to_string()).collect();
    let table = pack_index_str(&categories);
    let texts: Vec<FlockStr> = categories.iter().map(|s| FlockStr::new(s.as_bytes())).collect();
    let mut out = vec![0; texts.len()];
    unsafe { flock_index_str(table.as_ptr(), texts.as_ptr(), null(), texts.len(), out.as_mut_ptr()) };
    for (i, got) in out.iter().enumerate() {
        let first = categories.iter().position(|c| *c == categories[i]).unwrap();
        assert_eq!(*got, first as i64, "{}", categories[i]);
    }
    let other = ["", "y", "xx", "1 "].map(|s| FlockStr::new(s.as_bytes()));
    let mut out = [9; 4];
    unsafe { flock_index_str(table.as_ptr(), other.as_ptr(), [1u8, 0, 1, 1].as_ptr(), 4, out.as_mut_ptr()) };
    assert_eq!(out, [-1; 4]);
    let empty = pack_index_str::<&str>(&[]);
    unsafe { flock_index_str(empty.as_ptr(), other.as_ptr(), null(), 4, out.as_mut_ptr()) };
    assert_eq!(out, [-1; 4]);
}

/// One row goes another way than many: it is the same element, also of a slice and where none can be missing.
#[test]
fn a_row_by_itself_is_loaded_as_among_others() {
    let x = hard();
    for (from, start) in [(0, 0), (0, 3), (2, 0), (2, 3)] {
        let column = FlockColumn { offset: from, length: x.len() - from, ..*Column::numbers(&x).as_raw() };
        let (mut one, mut many) = ([0.0], [0.0; 2]);
        unsafe { flock_load_f64(&column, start, 1, one.as_mut_ptr(), null_mut()) };
        unsafe { flock_load_f64(&column, start, 2, many.as_mut_ptr(), null_mut()) };
        assert_eq!(one[0].to_bits(), many[0].to_bits());
        assert_eq!(one[0].to_bits(), x[from + start].to_bits());
    }
}

/// Of every length, with every byte another one, zeros among them: nothing is taken for what it differs from in one place.
#[test]
fn texts_that_differ_in_one_byte_are_apart() {
    let base = |len: usize| (0..len).map(|i| char::from(b'a' + i as u8)).collect::<String>();
    let changed = |len: usize, at: usize, to: &str| base(len)[..at].to_owned() + to + &base(len)[at + 1..];
    let mut all: Vec<String> = (0..=20).map(base).collect();
    all.extend((0..=20).flat_map(|len| (0..len).flat_map(move |at| ["\0", "~"].map(|to| changed(len, at, to)))));
    all.extend((1..=20).map(|len| "\0".repeat(len)));
    let categories: Vec<&String> = all.iter().step_by(2).collect();
    let table = pack_index_str(&categories);
    let texts: Vec<FlockStr> = all.iter().map(|s| FlockStr::new(s.as_bytes())).collect();
    let mut out = vec![0; texts.len()];
    unsafe { flock_index_str(table.as_ptr(), texts.as_ptr(), null(), texts.len(), out.as_mut_ptr()) };
    for (text, got) in all.iter().zip(out) {
        let want = categories.iter().position(|c| *c == text).map_or(-1, |i| i as i64);
        assert_eq!(got, want, "{text:?}");
    }
}

#[test]
fn edges_are_counted() {
    let edges = [-1.0, 0.0, 0.0, 2.0, f64::INFINITY];
    for right in [false, true] {
        let table = pack_edges(&edges, right).unwrap();
        let x = hard();
        let mut out = vec![0; x.len()];
        unsafe { flock_bucketize_f64(table.as_ptr(), x.as_ptr(), x.len(), out.as_mut_ptr()) };
        for (x, got) in x.iter().zip(out) {
            let want = edges.iter().filter(|e| x.is_nan() || if right { *e <= x } else { *e < x }).count();
            assert_eq!(got, want as i64, "{x} {right}");
        }
    }
    assert!(pack_edges(&[1.0, 0.0], true).is_err());
}

#[test]
fn lookups_outside_give_zero() {
    let index = [0, 2, -1, 3, 1, i64::MAX, i64::MIN];
    let table = pack_table_f64(3, 2, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]).unwrap();
    let mut out = vec![9.0; 2 * STRIDE];
    unsafe { flock_lookup_f64(table.as_ptr(), index.as_ptr(), STRIDE, index.len(), out.as_mut_ptr()) };
    assert_eq!(out[..7], [1.0, 3.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    assert_eq!(out[STRIDE..STRIDE + 7], [10.0, 30.0, 0.0, 0.0, 20.0, 0.0, 0.0]);
    let labels = pack_table_str(2, 1, &["on time", ""]).unwrap();
    let mut texts = vec![FlockStr::new(b"?"); STRIDE];
    unsafe { flock_lookup_str(labels.as_ptr(), [1, 0, 5].as_ptr(), STRIDE, 3, texts.as_mut_ptr()) };
    let texts: Vec<&[u8]> = texts[..3].iter().map(|t| unsafe { t.bytes() }).collect();
    assert_eq!(texts, [&b""[..], b"on time", b""]);
    let mut hot = vec![9.0f32; 3 * STRIDE];
    unsafe { flock_one_hot_f32(index.as_ptr(), STRIDE, 3, index.len(), hot.as_mut_ptr()) };
    for (i, at) in index.iter().enumerate() {
        (0..3).for_each(|j| assert_eq!(hot[j * STRIDE + i], f32::from(u8::from(*at == j as i64))));
    }
    assert!(pack_table_bool(2, 2, &[true]).is_err());
}

#[test]
fn row_functions_follow_their_models() {
    let h = hard();
    let (w, rows) = (4, 50);
    let x = frame(w, |i, j| h[(i * 7 + j * (i + 1)) % h.len()]);
    let row = |i: usize| -> Vec<f64> { (0..w).map(|j| x[j * STRIDE + i]).collect() };
    let run = |f: unsafe extern "C" fn(*const f64, usize, usize, usize, *mut f64)| {
        let mut out = vec![0.0; w * STRIDE];
        unsafe { f(x.as_ptr(), STRIDE, w, rows, out.as_mut_ptr()) };
        out
    };
    let (sum, min, max) = (run(flock_row_sum_f64), run(flock_row_min_f64), run(flock_row_max_f64));
    let soft = run(flock_softmax_f64);
    let mut arg = vec![0; rows];
    unsafe { flock_argmax_f64(x.as_ptr(), STRIDE, w, rows, arg.as_mut_ptr()) };
    for i in 0..rows {
        let r = row(i);
        let nan = r.iter().position(|x| x.is_nan());
        let same = |a: f64, b: f64| assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{r:?}: {a} {b}");
        same(sum[i], r.iter().fold(0.0, |a, x| a + x));
        let least = r.iter().copied().reduce(|a, b| if b < a { b } else { a }).unwrap();
        let greatest = r.iter().copied().reduce(|a, b| if b > a { b } else { a }).unwrap();
        same(min[i], nan.map_or(least, |_| f64::NAN));
        same(max[i], nan.map_or(greatest, |_| f64::NAN));
        assert_eq!(arg[i], nan.unwrap_or_else(|| r.iter().position(|x| *x == greatest).unwrap()) as i64, "{r:?}");
        let e: Vec<f64> = r.iter().map(|x| (x - max[i]).exp()).collect();
        (0..w).for_each(|j| same(soft[j * STRIDE + i], e[j] / e.iter().fold(0.0, |a, x| a + x)));
    }
    for (norm, size) in [(1, 8.0), (2, 34f64.sqrt()), (0, 5.0)] {
        let x = frame(2, |i, j| if i == 1 { 0.0 } else { [3.0, -5.0][j] });
        let mut out = vec![0.0; 2 * STRIDE];
        unsafe { flock_normalize_f64(x.as_ptr(), STRIDE, 2, 2, norm, out.as_mut_ptr()) };
        assert_eq!(bits(&[out[0], out[STRIDE], out[1]]), bits(&[3.0 / size, -5.0 / size, 0.0]));
    }
}

#[test]
fn quantifiers_are_three_valued() {
    let (f, t, n) = ((0, 1), (1, 1), (1, 0)); // (value, there)
    let rows = [[f, f], [f, t], [t, t], [f, n], [t, n], [n, n]];
    let mut x = [0; 2 * STRIDE];
    let mut valid = [0; 2 * STRIDE];
    for (i, row) in rows.iter().enumerate() {
        (0..2).for_each(|j| (x[j * STRIDE + i], valid[j * STRIDE + i]) = row[j]);
    }
    let run = |k: unsafe extern "C" fn(*const u8, *const u8, usize, usize, usize, *mut u8, *mut u8)| {
        let (mut out, mut there) = ([9; 6], [9; 6]);
        unsafe { k(x.as_ptr(), valid.as_ptr(), STRIDE, 2, 6, out.as_mut_ptr(), there.as_mut_ptr()) };
        (0..6).map(|i| (there[i] == 1).then_some(out[i] == 1)).collect::<Vec<_>>()
    };
    assert_eq!(run(flock_row_all), [Some(false), Some(false), Some(true), Some(false), None, None]);
    assert_eq!(run(flock_row_any), [Some(false), Some(true), Some(true), None, Some(true), None]);
    let mut all = [9; 6];
    unsafe { flock_valid_all(valid.as_ptr(), STRIDE, 2, 6, all.as_mut_ptr()) };
    assert_eq!(all, [1, 1, 1, 0, 0, 0]);
}

#[test]
fn integer_sums_that_overflow_are_missing() {
    let mut x = vec![0i64; 3 * STRIDE];
    for (i, row) in [[i64::MAX, 1, -1], [1, 2, 3], [i64::MIN, -1, 0]].iter().enumerate() {
        (0..3).for_each(|j| x[j * STRIDE + i] = row[j]);
    }
    let (mut out, mut valid) = ([0; 3], [1; 3]);
    unsafe { flock_row_sum_i64(x.as_ptr(), STRIDE, 3, 3, out.as_mut_ptr(), valid.as_mut_ptr()) };
    assert_eq!((out[1], valid), (6, [0, 1, 0]));
}

#[test]
fn math_is_rusts_own() {
    let x = hard();
    let mut out = vec![0.0; x.len()];
    unsafe { flock_logistic_f64(x.as_ptr(), out.as_mut_ptr(), x.len()) };
    assert_eq!(bits(&out), bits(&x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect::<Vec<_>>()));
    // Hidden from the compiler, which would make a square root of it.
    let y = std::hint::black_box(0.7);
    unsafe { flock_pow_f64(x.as_ptr(), 1, &y, 0, out.as_mut_ptr(), x.len()) };
    assert_eq!(bits(&out), bits(&x.iter().map(|x| x.powf(y)).collect::<Vec<_>>()));
}

#[test]
fn text_compares_and_prints() {
    let [a, b] = ["a", "b"].map(|s| FlockStr::new(s.as_bytes()));
    let mut out = [9; 3];
    unsafe { flock_compare_str([a, b, b].as_ptr(), 1, [b].as_ptr(), 0, [1u8, 1, 0].as_ptr(), 3, out.as_mut_ptr()) };
    assert_eq!(out, [-1, 0, 0]);
    let x = [0, -1, i64::MIN, i64::MAX, 1000];
    let mut texts = [a; 5];
    let mut arena = Arena::default();
    assert_eq!(unsafe { flock_text_of_i64(&raw mut arena, x.as_ptr(), 5, texts.as_mut_ptr()) }, 0);
    for (x, t) in x.iter().zip(texts) {
        assert_eq!(unsafe { t.bytes() }, x.to_string().as_bytes());
    }
    unsafe { flock_text_of_bool([0u8, 1].as_ptr(), 2, texts.as_mut_ptr()) };
    assert_eq!(unsafe { (texts[0].bytes(), texts[1].bytes()) }, (&b"False"[..], &b"True"[..]));
    let column = FlockColumn { layout: FlockLayout::F64 as u32, ..*Column::null(1).as_raw() };
    let status = unsafe {
        flock_index_column(pack_index_str(&["a"]).as_ptr(), &column, null(), 0, 1, [0].as_mut_ptr(), null_mut())
    };
    assert_eq!(status, FlockStatus::Schema as i32);
}

#[test]
fn ranks_are_stable_and_nan_comes_last() {
    let rows = [[3.0, f64::NAN, -0.0, 0.0, -1.0], [f64::NAN, f64::NAN, 5.0, f64::INFINITY, f64::NEG_INFINITY]];
    let x = frame(5, |i, j| rows[i % 2][j]);
    let mut work = vec![0u64; order_work(5) / 8];
    let mut ranks = |start: usize, len: usize| {
        let mut out = vec![-1; len * STRIDE];
        unsafe { flock_order_f64(x.as_ptr(), STRIDE, 5, 2, start, len, out.as_mut_ptr(), work.as_mut_ptr().cast()) };
        [0, 1].map(|i| (0..len).map(|j| out[j * STRIDE + i]).collect::<Vec<_>>())
    };
    let all = [vec![4, 2, 3, 0, 1], vec![4, 2, 3, 0, 1]];
    assert_eq!(ranks(0, 5), all);
    for start in 0..5 {
        for len in 1..=5 - start {
            assert_eq!(ranks(start, len), all.clone().map(|r| r[start..start + len].to_vec()), "{start} {len}");
        }
    }
}

/// numpy.interp([-1, 0, 0.5, 1, 1.5, 4, nan, inf], [0, 1, 1, 3], [0, 10, 20, 40])
#[test]
fn curves_are_those_of_numpy() {
    let table = pack_curve(&[0.0, 1.0, 1.0, 3.0], &[0.0, 10.0, 20.0, 40.0]).unwrap();
    let x = [-1.0, 0.0, 0.5, 1.0, 1.5, 4.0, f64::NAN, f64::INFINITY];
    let mut out = [9.0; 8];
    unsafe { flock_interpolate_f64(table.as_ptr(), x.as_ptr(), 8, out.as_mut_ptr()) };
    assert_eq!(out[..6], [0.0, 0.0, 5.0, 20.0, 25.0, 40.0]);
    assert!(out[6].is_nan() && out[7] == 40.0);
    // An infinite slope: numpy.interp([2.0], [1, 3], [-inf, inf]) is nan, of equal infinities inf.
    let table = pack_curve(&[1.0, 3.0], &[f64::INFINITY, f64::INFINITY]).unwrap();
    unsafe { flock_interpolate_f64(table.as_ptr(), [2.0].as_ptr(), 1, out.as_mut_ptr()) };
    assert_eq!(out[0], f64::INFINITY);
    assert!(pack_curve(&[1.0, 0.0], &[0.0, 0.0]).is_err() && pack_curve(&[], &[]).is_err());
}

#[test]
fn distances_add_column_by_column() {
    let h = [0.0, 1.5, -2.25, 1e200, f64::INFINITY, f64::NAN, 3.0];
    let x = frame(3, |i, j| h[(i + 2 * j) % h.len()]);
    let points = [[1.0, 0.0, -3.0], [1.5, f64::INFINITY, 2.0]];
    let cells: Vec<f64> = (0..3).flat_map(|k| points.map(|p| p[k])).collect();
    let table = pack_points_f64(2, 3, &cells).unwrap();
    for (kind, of) in [
        (1, (|d: [f64; 3]| d.iter().fold(0.0, |a, d| a + d.abs())) as fn([f64; 3]) -> f64),
        (2, |d| d.iter().fold(0.0, |a, d| a + d * d).sqrt()),
        (3, |d| d.iter().fold(0.0, |a, d| a + d * d)),
        (0, |d| {
            d.iter().fold(0.0, |a: f64, d| {
                if d.is_nan() {
                    f64::NAN
                } else if a.is_nan() {
                    a
                } else {
                    a.max(d.abs())
                }
            })
        }),
    ] {
        let mut out = vec![7.0; 2 * STRIDE];
        unsafe { flock_distances_f64(table.as_ptr(), x.as_ptr(), STRIDE, 45, kind, out.as_mut_ptr()) };
        for (i, (j, p)) in (0..45).flat_map(|i| points.iter().enumerate().map(move |jp| (i, jp))) {
            let want = of([0, 1, 2].map(|k| x[k * STRIDE + i] - p[k]));
            let got = out[j * STRIDE + i];
            assert!(got == want || got.is_nan() && want.is_nan(), "kind {kind} row {i} point {j}: {got} {want}");
        }
        assert!(out[45..STRIDE].iter().all(|x| *x == 7.0));
    }
}

#[test]
fn a_column_is_loaded_with_a_value_for_what_is_missing() {
    let values = [1.0, f64::NAN, 3.0, 4.0, 5.0];
    let column = Column::numbers(&values).validity(&[0b0101_0110], 1).unwrap();
    let (mut out, fill) = ([0.0; 4], [-7.0]);
    // SAFETY: the column has five elements, the output four.
    assert_eq!(unsafe { flock_load_filled_f64(column.as_raw(), 1, 4, out.as_mut_ptr(), fill.as_ptr()) }, 0);
    assert!(out[0].is_nan());
    assert_eq!(out[1..], [-7.0, 4.0, -7.0]);
    let (all, whole) = (Column::null(3), Column::numbers(&[1u8, 2, 3]));
    let mut singles = [0f32; 3];
    for (column, want) in [(&all, [0.5; 3]), (&whole, [1.0, 2.0, 3.0])] {
        // SAFETY: three elements each.
        assert_eq!(unsafe { flock_load_filled_f32(column.as_raw(), 0, 3, singles.as_mut_ptr(), [0.5].as_ptr()) }, 0);
        assert_eq!(singles, want);
    }
    // Rounded by way of f64: half-way there, where f32 at once would round up.
    let large = [(1i64 << 53) + (1 << 29) + 1, 7];
    let (mut once, mut rounded, column) = ([0f32; 2], [0f32; 2], Column::numbers(&large));
    // SAFETY: two elements each.
    unsafe { flock_load_f32(column.as_raw(), 0, 2, once.as_mut_ptr(), std::ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { flock_load_narrowed_f32(column.as_raw(), 0, 2, rounded.as_mut_ptr(), [0.1].as_ptr()) };
    assert_eq!((once[0], rounded), (9_007_200_328_482_816.0, [9_007_199_254_740_992.0, 7.0]));
}

#[test]
fn rows_within_a_limit_are_the_same_on_every_processor() {
    let h = hard();
    let x = frame(3, |i, j| h[(i * 5 + j * 7) % h.len()] * if i % 3 == 0 { 0.3 } else { 1.0 });
    let singles: Vec<f32> = x.iter().map(|v| *v as f32).collect();
    for rows in [1, 7, 33, STRIDE] {
        for limit in [1.0, 0.3, f64::INFINITY] {
            for processor in Processor::all() {
                let (mut wide, mut narrow) = ([9u8; STRIDE], [9u8; STRIDE]);
                // SAFETY: frames of three columns of the stride, a byte for each row.
                unsafe {
                    row_all_below_f64_on(*processor, (x.as_ptr(), STRIDE, 3), rows, limit, wide.as_mut_ptr());
                    let f32s = (singles.as_ptr(), STRIDE, 3);
                    row_all_below_f32_on(*processor, f32s, rows, limit as f32, narrow.as_mut_ptr());
                }
                for i in 0..rows {
                    let within = |v: f64, limit: f64| v.is_nan() || v.abs() < limit;
                    let want = (0..3).all(|j| within(x[j * STRIDE + i], limit));
                    let want_narrow =
                        (0..3).all(|j| within(f64::from(singles[j * STRIDE + i]), f64::from(limit as f32)));
                    assert_eq!((wide[i], narrow[i]), (u8::from(want), u8::from(want_narrow)), "{processor:?}, row {i}");
                }
                assert!(wide[rows..].iter().chain(&narrow[rows..]).all(|b| *b == 9), "rows behind are not written");
            }
        }
    }
}

#[test]
fn rows_within_a_limit() {
    let x = [1.0, -2.0, f64::NAN, 0.5, 1.9, -1.0, 0.0, f64::NEG_INFINITY];
    let mut out = [9u8; 5];
    // SAFETY: a frame of two columns and four rows; the last byte stays.
    unsafe { flock_row_all_below_f64(x.as_ptr(), 4, 2, 4, [2.0].as_ptr(), out.as_mut_ptr()) };
    assert_eq!(out, [1, 0, 1, 0, 9]);
    let singles = x.map(|v| v as f32);
    // SAFETY: as above.
    unsafe { flock_row_all_below_f32(singles.as_ptr(), 4, 2, 4, [1.9].as_ptr(), out.as_mut_ptr()) };
    assert_eq!(out, [0, 0, 1, 0, 9]);
}
