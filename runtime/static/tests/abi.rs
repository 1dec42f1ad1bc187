//! The C functions as C calls them, with a program whose code is written here: runs under Miri as well.
#![allow(clippy::unwrap_used)]

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use flock_core::kernels::category::flock_index_column;
use flock_core::kernels::columns::{flock_load_f64, flock_load_str, flock_store_f64, flock_store_str};
use flock_core::{
    FLOCK_ABI, FlockCall, FlockField, FlockKind, FlockProgram, FlockStatus, FlockStr, Memo, pack_index_str,
};
use flock_runtime::arrow::{ArrowArray, ArrowSchema};
use flock_runtime::{flock_batch, flock_message, flock_row, flock_row_free, flock_row_new};

const B: usize = 64;

/// y = 2 x + the carrier's index; the text as it came.
unsafe extern "C" fn entry(call: *mut FlockCall) -> i32 {
    unsafe {
        let c = &*call;
        let at = |k: usize| c.scratch.add(k * B * 8);
        let (x, index, valid, text, there) = (at(0).cast::<f64>(), at(1).cast::<i64>(), at(2), at(3), at(5));
        let mut status = flock_load_f64(c.inputs, c.start, c.rows, x, valid);
        let (carrier, memo) = (c.inputs.add(1), c.inputs.add(2));
        status |= flock_index_column(*c.constants, carrier, memo, c.start, c.rows, index, null_mut());
        for i in 0..c.rows {
            *x.add(i) = 2.0 * *x.add(i) + *index.add(i) as f64;
        }
        status |= flock_load_str(carrier, c.start, c.rows, text.cast(), there);
        status |= flock_store_f64(c.outputs, c.start, c.rows, x, valid);
        status | flock_store_str(c.outputs.add(1), c.start, c.rows, text.cast(), there)
    }
}

fn field(name: &'static str, kind: FlockKind) -> FlockField {
    FlockField { name: name.as_ptr(), name_length: name.len(), kind: kind as u32, nullable: 1 }
}

fn program() -> &'static FlockProgram {
    let inputs = Box::leak(Box::new([field("x", FlockKind::F64), field("carrier", FlockKind::Str)]));
    let outputs = Box::leak(Box::new([field("y", FlockKind::F64), field("text", FlockKind::Str)]));
    let memos = Box::leak(Box::new([Memo { input: 1, table: 0 }]));
    let table = Box::leak(Box::new(pack_index_str(&["AA", "UA"])));
    let constants = Box::leak(Box::new([table.as_ptr()]));
    Box::leak(Box::new(FlockProgram {
        version: FLOCK_ABI,
        reserved: 0,
        entry: Some(entry),
        block_rows: B,
        scratch_bytes: 6 * B * 8,
        inputs: inputs.as_ptr(),
        input_count: 2,
        outputs: outputs.as_ptr(),
        output_count: 2,
        memos: memos.as_ptr(),
        memo_count: 1,
        constants: constants.as_ptr(),
        constant_count: 1,
    }))
}

unsafe extern "C" fn keep_array(a: *mut ArrowArray) {
    unsafe { (*a).release = None }
}
unsafe extern "C" fn keep_schema(s: *mut ArrowSchema) {
    unsafe { (*s).release = None }
}

fn schema(name: &'static CStr, format: &'static CStr, children: &mut [*mut ArrowSchema]) -> ArrowSchema {
    ArrowSchema {
        format: format.as_ptr(),
        name: name.as_ptr(),
        metadata: null(),
        flags: 2,
        n_children: children.len() as i64,
        children: children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(keep_schema),
        private_data: null_mut(),
    }
}

fn array(length: usize, buffers: &mut [*const c_void], children: &mut [*mut ArrowArray]) -> ArrowArray {
    ArrowArray {
        length: length as i64,
        null_count: -1,
        offset: 0,
        n_buffers: buffers.len() as i64,
        n_children: children.len() as i64,
        buffers: buffers.as_mut_ptr(),
        children: children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(keep_array),
        private_data: null_mut(),
    }
}

const NAMES: [&str; 3] = ["AA", "UA", "a longer one"];

/// Row i: x = i, missing every fifth; carrier = NAMES[i % 3], missing every seventh.
fn x_of(i: usize) -> Option<f64> {
    (!i.is_multiple_of(5)).then_some(i as f64)
}
fn carrier_of(i: usize) -> Option<&'static str> {
    (!i.is_multiple_of(7)).then_some(NAMES[i % 3])
}
fn y_of(i: usize) -> Option<f64> {
    let index = carrier_of(i).map_or(-1.0, |c| NAMES[..2].iter().position(|n| *n == c).map_or(-1.0, |p| p as f64));
    x_of(i).map(|x| 2.0 * x + index)
}

fn bits(n: usize, there: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut bits = vec![0u8; n.div_ceil(8)];
    (0..n).filter(|i| there(*i)).for_each(|i| bits[i / 8] |= 1 << (i % 8));
    bits
}

/// Scores `rows` rows by `threads` and compares every one.
fn check(program: &FlockProgram, rows: usize, threads: u32) {
    let x: Vec<f64> = (0..rows).map(|i| x_of(i).unwrap_or(0.0)).collect();
    let (mut ends, mut text) = (vec![0i32], String::new());
    for i in 0..rows {
        text.push_str(carrier_of(i).unwrap_or(""));
        ends.push(text.len() as i32);
    }
    let (x_there, carrier_there) = (bits(rows, |i| x_of(i).is_some()), bits(rows, |i| carrier_of(i).is_some()));
    let mut x_buffers = [x_there.as_ptr().cast(), x.as_ptr().cast()];
    let mut carrier_buffers = [carrier_there.as_ptr().cast(), ends.as_ptr().cast(), text.as_ptr().cast()];
    let (mut xa, mut ca) = (array(rows, &mut x_buffers, &mut []), array(rows, &mut carrier_buffers, &mut []));
    let (mut xs, mut cs) = (schema(c"x", c"g", &mut []), schema(c"carrier", c"u", &mut []));
    // In another order than the inputs.
    let (mut arrays, mut schemas) = ([&raw mut ca, &raw mut xa], [&raw mut cs, &raw mut xs]);
    let mut none = [null()];
    let batch = array(rows, &mut none, &mut arrays);
    let fields = schema(c"", c"+s", &mut schemas);
    let (mut out, mut out_fields) = (MaybeUninit::<ArrowArray>::uninit(), MaybeUninit::<ArrowSchema>::uninit());
    unsafe {
        let status = flock_batch(program, &batch, &fields, threads, out.as_mut_ptr(), out_fields.as_mut_ptr());
        assert_eq!(status, 0, "{:?}", CStr::from_ptr(flock_message()));
        let (mut out, mut out_fields) = (out.assume_init(), out_fields.assume_init());
        assert_eq!((out.length, out.n_children), (rows as i64, 2));
        let (y, t) = (&**out.children, &**out.children.add(1));
        let there = |a: &ArrowArray, i: usize| {
            let bits = (*a.buffers).cast::<u8>();
            bits.is_null() || *bits.add(i / 8) >> (i % 8) & 1 != 0
        };
        for i in 0..rows {
            let found = there(y, i).then(|| *(*y.buffers.add(1)).cast::<f64>().add(i));
            assert_eq!(found, y_of(i), "row {i}");
            let ends = (*t.buffers.add(1)).cast::<i32>();
            let (from, to) = (*ends.add(i) as usize, *ends.add(i + 1) as usize);
            let bytes = std::slice::from_raw_parts((*t.buffers.add(2)).cast::<u8>().add(from), to - from);
            assert_eq!(there(t, i).then_some(bytes), carrier_of(i).map(str::as_bytes), "row {i}");
        }
        assert_eq!(CStr::from_ptr((**out_fields.children).name), c"y");
        (out.release.unwrap())(&mut out);
        (out_fields.release.unwrap())(&mut out_fields);
        assert!(out.release.is_none() && out_fields.release.is_none());
    }
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let program = program();
    for rows in if cfg!(miri) { [0, 1, 200] } else { [0, 1, 3000] } {
        for threads in [0, 1, 2, 5] {
            check(program, rows, threads);
        }
    }
}

/// Many threads score at once, each with threads of its own, all by one pool.
#[test]
fn many_callers_at_once() {
    let program = program();
    let (callers, rounds, rows) = if cfg!(miri) { (2, 1, 130) } else { (8, 60, 1500) };
    std::thread::scope(|scope| {
        for caller in 0..callers {
            scope.spawn(move || (0..rounds).for_each(|round| check(program, rows + caller, 1 + (round % 4) as u32)));
        }
    });
}

#[repr(C)]
struct Input {
    x: f64,
    carrier: FlockStr,
}

#[repr(C)]
struct Output {
    y: f64,
    text: FlockStr,
    y_is_null: u8,
    text_is_null: u8,
}

#[test]
fn rows_one_by_one() {
    unsafe {
        let mut row = null_mut();
        assert_eq!(flock_row_new(program(), &mut row), 0);
        for i in 0..20 {
            let carrier = carrier_of(i).map_or(FlockStr { ptr: null(), len: 9 }, |c| FlockStr::new(c.as_bytes()));
            let input = Input { x: i as f64, carrier };
            let mut output = MaybeUninit::<Output>::uninit();
            assert_eq!(flock_row(row, (&raw const input).cast(), output.as_mut_ptr().cast()), 0);
            let o = output.assume_init();
            let index = carrier_of(i).map_or(-1.0, |_| if i % 3 < 2 { (i % 3) as f64 } else { -1.0 });
            assert_eq!((o.y, o.y_is_null), (2.0 * i as f64 + index, 0), "row {i}");
            let text = (o.text_is_null == 0).then(|| o.text.bytes());
            assert_eq!(text, carrier_of(i).map(str::as_bytes));
            assert!(text.is_some() || o.text.ptr.is_null());
        }
        let unaligned = [0u8; 64];
        let at = unaligned.as_ptr().wrapping_add(1 + unaligned.as_ptr().align_offset(8));
        assert_eq!(flock_row(row, at.cast(), at.cast_mut().cast()), FlockStatus::Alignment as i32);
        flock_row_free(row);
    }
}

#[test]
fn a_program_of_another_version_or_damaged_is_refused() {
    let refused = |change: fn(&mut FlockProgram)| {
        let mut p = *program();
        change(&mut p);
        let mut row = null_mut();
        let status = unsafe { flock_row_new(Box::leak(Box::new(p)), &mut row) };
        assert!(row.is_null());
        status
    };
    let version = FlockStatus::Version as i32;
    assert_eq!(refused(|p| p.version = 7), version);
    assert_eq!(refused(|p| p.entry = None), version);
    assert_eq!(refused(|p| p.inputs = null()), version);
    assert_eq!(refused(|p| p.block_rows = 63), version);
    assert_eq!(refused(|p| p.constants = null()), version);
    assert_eq!(refused(|p| p.input_count = usize::MAX), version);
    assert_eq!(refused(|p| p.input_count = 1), version, "the memo's input is gone");
}
