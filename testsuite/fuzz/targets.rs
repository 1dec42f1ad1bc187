//! What is fuzzed: every reader of files that people get from others. An input ends in a fault or in a module that
//! verifies and scores; never in a panic, never in memory beyond 8 × the input + 256 MiB.
//!
//! The same functions run under libFuzzer (`fuzz_targets/`) and in the tests, over the seeds and what was once found.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use flock_ir_spec::{DType, Faults, Frame, Module, Scalar, Verified, eval, text};

/// A reader under test.
pub type Target = fn(&[u8]);

/// Every reader by its name.
pub const TARGETS: [(&str, Target); 5] =
    [("sklearn", sklearn), ("skops", skops), ("onnx", onnx), ("trees", trees), ("flock", flock)];

/// The system's allocator, counting what is held.
pub struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator with the same arguments; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// The memory that an input of so many bytes may take.
fn allowed(bytes: usize) -> usize {
    8 * bytes + (256 << 20)
}

/// Runs a target on an input, and holds it to its memory.
pub fn run(target: Target, input: &[u8]) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    target(input);
    let took = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(took <= allowed(input.len()), "{took} bytes of memory for an input of {}", input.len());
}

/// Pickles, joblib's files, archives of skops as they are.
pub fn sklearn(input: &[u8]) {
    let _ = flock_lift_sklearn::sniff(input);
    let _ = flock_lift_sklearn::describe(input);
    judge(flock_lift_sklearn::lift("m", input, &flock_lift_sklearn::Options::default()));
}

/// What lies within an archive of skops: its checksums would hide it from a fuzzer. The input is the schema, then each
/// further file behind a line `FILE name`.
pub fn skops(input: &[u8]) {
    sklearn(&archive(input));
}

/// ONNX models.
pub fn onnx(input: &[u8]) {
    let _ = flock_lift_onnx::sniff(input);
    let _ = flock_lift_onnx::operators(input);
    judge(flock_lift_onnx::lift("m", input, &flock_lift_onnx::Options::default()));
}

/// Files of LightGBM, XGBoost and CatBoost.
pub fn trees(input: &[u8]) {
    let _ = flock_lift_trees::sniff(input);
    judge(flock_lift_trees::lift("m", input, &flock_lift_trees::Options::default()));
}

/// Flock IR as text.
pub fn flock(input: &[u8]) {
    let Ok(parsed) = text::parse(&String::from_utf8_lossy(input)) else { return };
    let printed = parsed.to_string();
    let again = text::parse(&printed).map(|m| m.to_string());
    assert_eq!(again.as_deref(), Ok(&*printed), "what is printed reads back");
    let _ = Verified::new(parsed);
}

/// What a lifter gives verifies, and scores two rows.
fn judge(lifted: Result<Module, Faults>) {
    let Ok(module) = lifted else { return };
    let verified = Verified::new(module).unwrap_or_else(|faults| panic!("a lifted module does not verify: {faults:?}"));
    let Some(function) = verified.functions.last() else { return };
    if function.graph.nodes().len() > 20_000 {
        return;
    }
    let params: Vec<Frame> =
        function.params.iter().map(|p| Frame::from_fn(2, p.ty, |row, _| cell(p.ty.dtype, row))).collect();
    let _ = eval::call(&verified, function, 2, &params);
}

fn cell(dtype: DType, row: usize) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(row == 0),
        DType::I64 => Scalar::I64([0, -3][row]),
        DType::F32 => Scalar::F32([0.5, f32::NAN][row]),
        DType::F64 => Scalar::F64([0.5, f64::NAN][row]),
        DType::Str => Scalar::Str(["a", ""][row].into()),
    }
}

const MARK: &[u8] = b"\nFILE ";

/// The archive of an input of `skops`.
pub fn archive(input: &[u8]) -> Vec<u8> {
    let mut parts = split(input).into_iter();
    let mut files = vec![(b"schema.json".as_slice(), parts.next().unwrap_or_default())];
    files.extend(parts.filter_map(|part| {
        let end = part.iter().position(|b| *b == b'\n')?;
        Some((&part[..end], &part[end + 1..]))
    }));
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in &files {
        let size = (content.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend([crc(content).to_le_bytes(), size, size].concat());
        common.extend([(name.len() as u16).to_le_bytes(), [0, 0]].concat());
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(*name);
        out.extend(b"PK\x03\x04");
        out.extend(common);
        out.extend(*name);
        out.extend(*content);
    }
    let (count, start) = ((files.len() as u16).to_le_bytes(), out.len() as u32);
    let size = directory.len() as u32;
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(MARK.len()).position(|w| w == MARK) {
        parts.push(&rest[..at]);
        rest = &rest[at + MARK.len()..];
    }
    parts.push(rest);
    parts
}

/// The checksum of zip archives (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
