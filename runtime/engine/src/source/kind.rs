//! What a file is, by its content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::EngineError;

/// The kinds of file that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Apache Parquet.
    Parquet,
    /// Arrow's file format (Feather version 2).
    ArrowFile,
    /// Arrow's stream format.
    ArrowStream,
    /// JSON objects, one behind the other or in one array.
    Json,
    /// Delimited text with a header.
    Csv,
}

/// Looks at the first bytes.
///
/// # Errors
/// Where it cannot be opened, or is none of these; formats that are known and not read are named.
pub fn file_kind(path: &Path) -> Result<FileKind, EngineError> {
    let mut head = Vec::with_capacity(4096);
    File::open(path).and_then(|f| f.take(4096).read_to_end(&mut head)).map_err(|e| EngineError::file(path, &e))?;
    kind_of(&head).map_err(|(found, help)| EngineError::Kind {
        path: path.display().to_string(),
        found: found.into(),
        help: help.into(),
    })
}

fn kind_of(head: &[u8]) -> Result<FileKind, (&'static str, &'static str)> {
    const COMPRESSED: &str = "unpack it first";
    const OTHER: &str = "Parquet, CSV, Arrow and JSON are read";
    match head {
        [b'P', b'A', b'R', b'1', ..] => return Ok(FileKind::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => return Ok(FileKind::ArrowFile),
        [0xff, 0xff, 0xff, 0xff, ..] => return Ok(FileKind::ArrowStream),
        [b'P', b'A', b'R', b'E', ..] => return Err(("an encrypted Parquet file", "decrypt it first")),
        [b'F', b'E', b'A', b'1', ..] => return Err(("a Feather file of version 1", "write version 2")),
        [0x1f, 0x8b, ..] => return Err(("a gzip file", COMPRESSED)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(("a zstd file", COMPRESSED)),
        [b'B', b'Z', b'h', ..] => return Err(("a bzip2 file", COMPRESSED)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(("an xz file", COMPRESSED)),
        [b'P', b'K', 3, 4, ..] => return Err(("a zip file or a spreadsheet", "save the sheet as CSV, or unpack it")),
        [b'O', b'R', b'C', ..] => return Err(("an ORC file", OTHER)),
        [b'O', b'b', b'j', 1, ..] => return Err(("an Avro file", OTHER)),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(("text in UTF-16", "save it as UTF-8")),
        [] => return Err(("an empty file", OTHER)),
        _ => {}
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let valid = match std::str::from_utf8(text) {
        Ok(_) => true,
        // The head may end within a character.
        Err(e) => e.error_len().is_none(),
    };
    if !valid || text.contains(&0) {
        return Err(("neither a known format nor text in UTF-8", OTHER));
    }
    match text.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => Ok(FileKind::Json),
        Some(b'[') => Ok(FileKind::Json),
        Some(_) => Ok(FileKind::Csv),
        None => Err(("nothing but white space", OTHER)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{FileKind, kind_of};

    #[test]
    fn content_decides() {
        assert_eq!(kind_of(b"PAR1\x15\x04"), Ok(FileKind::Parquet));
        assert_eq!(kind_of(b" \n[{\"a\": 1}"), Ok(FileKind::Json));
        assert_eq!(kind_of(b"\xef\xbb\xbfa,b\n1,2"), Ok(FileKind::Csv));
        assert_eq!(kind_of("a\n\u{e9}".as_bytes().split_at(3).0), Ok(FileKind::Csv), "cut within a character");
        for other in [&b""[..], b"\x1f\x8b\x08", b"PK\x03\x04", b"a\0b", b"caf\xe9,b\n", b"FEA1", b"  \n"] {
            assert!(kind_of(other).is_err(), "{other:?}");
        }
    }
}
