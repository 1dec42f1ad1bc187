//! Digests of text, as Python's `hashlib` has them.
//! Source: RFC 1321 (MD5), FIPS 180-4 (SHA-1, SHA-2).

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

/// A way to digest text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// 4 words.
    Md5,
    /// 5 words.
    Sha1,
    /// 7 words.
    Sha224,
    /// 8 words.
    Sha256,
    /// 12 words.
    Sha384,
    /// 16 words.
    Sha512,
}

impl Digest {
    /// Every way; a kernel is told its place in this list.
    pub const ALL: [Digest; 6] =
        [Digest::Md5, Digest::Sha1, Digest::Sha224, Digest::Sha256, Digest::Sha384, Digest::Sha512];

    /// As `hashlib` names it.
    pub fn name(self) -> &'static str {
        match self {
            Digest::Md5 => "md5",
            Digest::Sha1 => "sha1",
            Digest::Sha224 => "sha224",
            Digest::Sha256 => "sha256",
            Digest::Sha384 => "sha384",
            Digest::Sha512 => "sha512",
        }
    }

    /// How many words of 32 bits it has.
    pub fn words(self) -> usize {
        match self {
            Digest::Md5 => 4,
            Digest::Sha1 => 5,
            Digest::Sha224 => 7,
            Digest::Sha256 => 8,
            Digest::Sha384 => 12,
            Digest::Sha512 => 16,
        }
    }

    /// The digest's words, the first the highest; what is behind [`Digest::words`] is 0.
    pub fn of(self, text: &[u8]) -> [u32; 16] {
        match self {
            Digest::Md5 => words(&Md5::digest(text)),
            Digest::Sha1 => words(&Sha1::digest(text)),
            Digest::Sha224 => words(&Sha224::digest(text)),
            Digest::Sha256 => words(&Sha256::digest(text)),
            Digest::Sha384 => words(&Sha384::digest(text)),
            Digest::Sha512 => words(&Sha512::digest(text)),
        }
    }
}

fn words(bytes: &[u8]) -> [u32; 16] {
    let mut words = [0; 16];
    words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_be_bytes(*bytes));
    words
}
