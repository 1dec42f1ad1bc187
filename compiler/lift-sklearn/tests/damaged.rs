//! Real files cut short and with bits flipped: a fault or a lift, never a panic, in bounded time and memory.

use std::io::Write;
use std::path::{Path, PathBuf};

use flock_lift_sklearn::{Options, describe, lift, sniff};

fn model(name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/cases").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const MODELS: &[&str] = &[
    "tree/models/missing.sklearn-1.9.joblib",
    "boosting/models/init_zero.sklearn-1.2.joblib",
    "compose/models/nested.sklearn-1.9.joblib",
    "encode/models/onehot_infrequent.sklearn-1.2.joblib",
];

/// splitmix64, so that a failure happens again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[test]
fn truncated_files_end_in_a_fault() {
    for name in MODELS {
        let bytes = model(name);
        for n in 0..bytes.len() {
            assert!(lift("m", &bytes[..n], &Options::default()).is_err(), "{name} cut at {n}");
        }
    }
}

#[test]
fn flipped_bits_end_in_a_fault_or_a_lift() {
    for name in MODELS {
        let bytes = model(name);
        let mut random = Random(7);
        let mut faults = 0;
        for _ in 0..4_000 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
            }
            faults += usize::from(lift("m", &damaged, &Options::default()).is_err());
            let _ = describe(&damaged);
        }
        assert!(faults > 100, "{name}: flips are noticed");
    }
}

#[test]
fn compressed_files_read_as_plain_ones_do() {
    let plain = model(MODELS[0]);
    let wanted = lift("m", &plain, &Options::default()).expect("a module");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    for encoder in [&mut zlib as &mut dyn Write, &mut gzip, &mut bzip2, &mut lz4] {
        encoder.write_all(&plain).expect("memory");
    }
    let files = [
        zlib.finish().expect("zlib"),
        gzip.finish().expect("gzip"),
        bzip2.finish().expect("bz2"),
        lz4.finish().expect("lz4"),
    ];
    let mut random = Random(11);
    for file in files {
        assert!(sniff(&file));
        assert_eq!(lift("m", &file, &Options::default()).expect("a module"), wanted);
        for _ in 0..200 {
            let mut damaged = file.clone();
            let at = random.below(damaged.len());
            damaged[at] ^= 1 << random.below(8);
            // Checksums find most flips; what they do not find must still not hurt.
            let _ = lift("m", &damaged, &Options::default());
            assert!(lift("m", &file[..random.below(file.len())], &Options::default()).is_err());
        }
    }
}

#[test]
fn a_file_that_expands_a_thousandfold_is_refused() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&zeros).expect("memory");
    }
    let bomb = encoder.finish().expect("zlib");
    let faults = lift("m", &bomb, &Options::default()).expect_err("a fault");
    assert_eq!((faults[0].code, bomb.len() < 2 << 20), ("flock::lift::compression", true));
}

#[test]
fn other_files_are_told_apart() {
    for other in [&b""[..], b"x", b"xyz", b"BZ", b"PK\x03\x04", b"\x89HDF", b"{\"a\": 1}", b"import os", b"\x80\x09"] {
        assert!(!sniff(other), "{}", other.escape_ascii());
        assert!(lift("m", other, &Options::default()).is_err(), "{}", other.escape_ascii());
    }
    for name in MODELS {
        assert!(sniff(&model(name)), "{name}");
    }
}
