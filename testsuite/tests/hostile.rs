//! The seeds of the fuzzer, what it once found, and mutations of both: a fault or a module, in bounded memory.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

#[path = "../fuzz/targets.rs"]
mod targets;

use targets::{TARGETS, run};

#[global_allocator]
static ALLOCATOR: targets::Counting = targets::Counting;

/// splitmix64, so that a failure happens again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// The file with a few bits flipped, bytes of another place or file, a length made large, or its end cut off.
fn mutated(random: &mut Random, file: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => {
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                let value = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
                bytes[at..at + width].fill(value);
            }
            4 => {
                let (from, length) = (random.below(other.len()), random.below(64));
                let piece = &other[from..(from + length).min(other.len())];
                bytes.splice(at..(at + random.below(64)).min(bytes.len()), piece.iter().copied());
            }
            _ => {
                let (from, length) = (random.below(bytes.len()), random.below(256));
                let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    files
}

#[test]
fn readers_end_in_a_fault_or_a_module() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mutations: usize = std::env::var("FLOCK_MUTATIONS").map_or(300, |n| n.parse().unwrap());
    let only = std::env::var("FLOCK_TARGET").ok();
    for (name, target) in TARGETS.into_iter().filter(|(name, _)| only.as_ref().is_none_or(|o| o == name)) {
        let mut inputs = files(&folder.join("seeds").join(name));
        assert!(!inputs.is_empty(), "{name} has no seeds");
        inputs.extend(files(&folder.join("found").join(name)));
        let inputs: Vec<Vec<u8>> = inputs.iter().map(|path| std::fs::read(path).unwrap()).collect();
        let mut random = Random(1);
        for input in &inputs {
            run(target, input);
            for _ in 0..mutations {
                let other = &inputs[random.below(inputs.len())];
                let mutant = mutated(&mut random, input, other);
                // What fails is left where it can be looked at.
                let left = std::env::temp_dir().join(format!("flock-hostile-{name}-{}", std::process::id()));
                let outcome = std::panic::catch_unwind(|| run(target, &mutant));
                if outcome.is_err() {
                    std::fs::write(&left, &mutant).unwrap();
                    panic!("{name} fails on {}", left.display());
                }
            }
        }
    }
}
