//! Reads pickles, joblib and skops files as data. Nothing in a file is called; what is not known stays an opaque object.

pub mod compression;
mod joblib;
mod machine;
pub mod numpy;
pub mod opcodes;
pub(crate) mod pandas;
mod reduce;
mod skops;
mod text;
pub mod value;
pub mod view;

use std::cell::Cell;

use flock_ir_spec::Diagnostic;

use compression::Compression;
use machine::Machine;
use value::{Heap, Id};

/// A file that was read.
pub struct Document<'a> {
    /// Its values.
    pub heap: Heap<'a>,
    /// The value of the whole file.
    pub root: Id,
    /// How it is compressed.
    pub compression: Compression,
    /// What wrote it.
    pub writer: Writer,
    /// Elements that lifters may still decode.
    budget: Cell<usize>,
}

/// What wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Python's pickle, in that protocol.
    Pickle(u8),
    /// joblib, with a pickle of that protocol.
    Joblib(u8),
    /// skops.
    Skops,
}

/// Reads a `.joblib`, `.pkl` or `.skops` file. Work and memory are bounded by the size of the (decompressed) file.
pub fn read(bytes: &[u8]) -> Result<Document<'_>, Diagnostic> {
    if skops::sniff(bytes) {
        let (heap, root) = skops::read(bytes)?;
        let budget = budget(heap.data().len());
        return Ok(Document { heap, root, compression: Compression::None, writer: Writer::Skops, budget });
    }
    let (compression, data) = compression::decompress(bytes)?;
    if let Some(what) = foreign(&data) {
        return Err(Diagnostic::new("flock::lift::not_a_pickle", "byte 0", what));
    }
    let budget = budget(data.len());
    let mut machine = Machine::new(data);
    let root = machine.run(true)?;
    let Machine { heap, protocol, joblib, .. } = machine;
    let writer = if joblib { Writer::Joblib(protocol) } else { Writer::Pickle(protocol) };
    Ok(Document { heap, root, compression, writer, budget })
}

fn budget(bytes: usize) -> Cell<usize> {
    Cell::new(bytes.saturating_mul(4).saturating_add(1 << 20))
}

/// Whether the bytes look like a pickle, compressed or not, or like an archive of skops. Opens the compression for a few
/// bytes, reads no more.
pub fn sniff(bytes: &[u8]) -> bool {
    skops::sniff(bytes) || sniff_pickle(bytes)
}

fn sniff_pickle(bytes: &[u8]) -> bool {
    match compression::peek(bytes, 24).as_slice() {
        [0x80, 2..=5, ..] => true,
        // Protocols 0 and 1 have no header; an object starts with the global that rebuilds it: `c`, module, line feed.
        [b'c', head @ ..] => {
            let module = head.split(|b| *b == b'\n').next().unwrap_or_default();
            module.len() < head.len()
                && !module.is_empty()
                && module.iter().all(|b| b.is_ascii_alphanumeric() || b"._".contains(b))
        }
        _ => false,
    }
}

/// Files that people have in place of a pickle.
fn foreign(data: &[u8]) -> Option<&'static str> {
    Some(match data {
        [] => "the file is empty",
        [b'Z', b'F', ..] => "written by joblib before 0.10, whose layout is not supported; load and save it again",
        [b'P', b'K', 3, 4, ..] => "a zip archive that is no skops file: it has no schema.json, or is truncated",
        [0x89, b'H', b'D', b'F', ..] => "an HDF5 file and not a pickle",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a bare numpy array and not a pickle",
        _ => return None,
    })
}

impl<'a> Document<'a> {
    /// Takes `n` elements from what lifters may decode: a file may name one array a million times, a library does not.
    pub(crate) fn charge(&self, n: usize) -> bool {
        let left = self.budget.get().checked_sub(n);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    /// A view of the whole file.
    pub fn view(&self) -> view::View<'_> {
        view::View::root(self)
    }
}
