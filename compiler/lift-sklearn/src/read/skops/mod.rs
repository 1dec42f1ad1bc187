//! `.skops` files: a zip archive of `schema.json`, a tree of nodes that name their loaders, and one `.npy` per array.
//!
//! The result is what the pickle machine makes of the same object, so that no lifter notices. Objects that were one are
//! one again by their `__id__`. Source: skops `io/_general.py`, `_numpy.py`, `_scipy.py`, `_sklearn.py`, protocol 2.

mod json;
mod nodes;
mod npy;
mod zip;

use std::borrow::Cow;
use std::collections::HashMap;

use flock_ir_spec::Diagnostic;

use crate::read::compression;
use crate::read::value::{Heap, Id, Span};
use json::Json;
use zip::Entry;

/// The entry that says what the archive is.
const SCHEMA: &str = "schema.json";

/// The newest protocol of the schema that is known; 0 and 1 write functions and random states in another way.
const PROTOCOL: i64 = 2;

/// The reader of one archive.
struct Reader<'a> {
    heap: Heap<'a>,
    /// The next byte of the schema.
    at: usize,
    /// Its first byte, and the one behind its last.
    start: usize,
    end: usize,
    files: HashMap<String, File>,
    /// Values by their `__id__`.
    known: HashMap<i64, Id>,
    /// What the entries of sparse matrices may still unpack to.
    unpack: u64,
    /// Ids that were copied from one value to another; a library's file has each once.
    copied: usize,
}

/// An entry that is no schema, and what is in it once it was read: an array, or the state of a sparse matrix.
struct File {
    span: Span,
    content: Option<Id>,
}

/// Whether the bytes look like an archive with a schema.
pub fn sniff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        && zip::entries(bytes).is_ok_and(|entries| entries.iter().any(|entry| entry.name == SCHEMA))
}

/// The values of an archive and the root among them. Work and memory are bounded by the size of the unpacked entries.
///
/// # Errors
/// A damaged archive, a node that is not known, arrays that are not there.
pub fn read(bytes: &[u8]) -> Result<(Heap<'_>, Id), Diagnostic> {
    let entries = zip::entries(bytes).map_err(fault)?;
    let (data, spans) = unpack(bytes, &entries).map_err(fault)?;
    let mut files: HashMap<String, File> = HashMap::with_capacity(entries.len());
    for (entry, span) in entries.into_iter().zip(spans) {
        files.insert(entry.name, File { span, content: None });
    }
    let Some(schema) = files.remove(SCHEMA) else { return Err(fault("the archive has no schema.json".into())) };
    let (start, end) = (schema.span.start, schema.span.start + schema.span.len);
    let unpack = compression::limit(bytes.len());
    let (heap, known) = (Heap::new(data), HashMap::new());
    let mut reader = Reader { heap, at: start, start, end, files, known, unpack, copied: 0 };
    match reader.document().map_err(fault)? {
        Json::Node(root) => Ok((reader.heap, root)),
        _ => Err(fault("schema.json holds no node".into())),
    }
}

/// The archive itself where nothing in it is packed, else its entries one behind the other; and where each of them lies.
fn unpack<'a>(file: &'a [u8], entries: &[Entry]) -> Result<(Cow<'a, [u8]>, Vec<Span>), String> {
    let stored: Option<Vec<Span>> = entries.iter().map(|e| Some(Span { start: e.stored()?, len: e.size() })).collect();
    if let Some(spans) = stored {
        entries.iter().try_for_each(|entry| entry.content(file).map(drop))?;
        return Ok((Cow::Borrowed(file), spans));
    }
    let total = entries.iter().fold(0u64, |n, e| n.saturating_add(e.size() as u64));
    let limit = compression::limit(file.len());
    if total > limit {
        return Err(format!("{} bytes of an archive expand to more than {limit}", file.len()));
    }
    let (mut data, mut spans) = (Vec::new(), Vec::with_capacity(entries.len()));
    for entry in entries {
        let content = entry.content(file)?;
        spans.push(Span { start: data.len(), len: content.len() });
        data.extend_from_slice(&content);
    }
    Ok((Cow::Owned(data), spans))
}

fn fault(message: String) -> Diagnostic {
    Diagnostic::new("flock::lift::skops", "file", message)
}
