//! The compressions that joblib writes, told apart by their first bytes.

use std::borrow::Cow;
use std::io::Read;

use flock_ir_spec::Diagnostic;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib.
    Zlib,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// The older lzma container.
    Lzma,
    /// lz4 frames.
    Lz4,
}

impl Compression {
    /// The compression that a file's first bytes tell.
    pub fn of(bytes: &[u8]) -> Compression {
        match bytes {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [b'B', b'Z', b'h', ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x5d, 0, ..] => Compression::Lzma,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            // The header is a multiple of 31; 0x78 alone is also the text `x`.
            [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0 => Compression::Zlib,
            _ => Compression::None,
        }
    }

    /// The name that joblib gives it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Zlib => "zlib",
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bz2",
            Compression::Xz => "xz",
            Compression::Lzma => "lzma",
            Compression::Lz4 => "lz4",
        }
    }

    fn decoder<'a>(self, bytes: &'a [u8]) -> std::io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compression::None => Box::new(bytes),
            Compression::Zlib => Box::new(flate2::read::ZlibDecoder::new(bytes)),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
            Compression::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
            Compression::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, DICTIONARY_KIB)),
            Compression::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(bytes, DICTIONARY_KIB, None)?),
            Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(bytes)),
        })
    }
}

/// The largest lzma dictionary: `xz -9` takes 64 MiB.
const DICTIONARY_KIB: u32 = 128 * 1024;

/// The most that a compressed file may expand to: 8 GiB, and 100 × its size + 64 MiB. Forests shrink to a third or a
/// tenth; a file that shrank a thousandfold holds nothing that a model needs.
pub fn limit(compressed: usize) -> u64 {
    (compressed as u64).saturating_mul(100).saturating_add(64 << 20).min(8 << 30)
}

/// The content of a file: borrowed where it is not compressed.
pub fn decompress(bytes: &[u8]) -> Result<(Compression, Cow<'_, [u8]>), Diagnostic> {
    let compression = Compression::of(bytes);
    if compression == Compression::None {
        return Ok((compression, Cow::Borrowed(bytes)));
    }
    let limit = limit(bytes.len());
    let mut content = Vec::with_capacity(bytes.len().saturating_mul(3));
    let read = compression.decoder(bytes).and_then(|d| d.take(limit + 1).read_to_end(&mut content));
    match read {
        Err(e) => Err(fault(format!("the {} stream is damaged: {e}", compression.name()))),
        Ok(n) if n as u64 > limit => {
            let what = format!("{} bytes of {} expand to more than {limit}", bytes.len(), compression.name());
            Err(fault(what).help("load the file with joblib and save it again without compression"))
        }
        Ok(_) => Ok((compression, Cow::Owned(content))),
    }
}

/// The first bytes of the content, as far as they can be read.
pub fn peek(bytes: &[u8], n: u64) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(decoder) = Compression::of(bytes).decoder(bytes) {
        // What was read before an error is all that is asked for.
        let _ = decoder.take(n).read_to_end(&mut head);
    }
    head
}

fn fault(message: String) -> Diagnostic {
    Diagnostic::new("flock::lift::compression", "byte 0", message)
}
