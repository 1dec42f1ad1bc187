//! Zip archives as Python's `zipfile` writes them: stored or deflated entries in one file.
//! Source: PKWARE's APPNOTE.TXT, 4.3.

use std::borrow::Cow;
use std::io::Read;

/// An entry of the central directory; its bytes lie within the file.
pub struct Entry {
    /// Its name.
    pub name: String,
    deflated: bool,
    crc: u32,
    start: usize,
    packed: usize,
    size: usize,
}

const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_LEN: usize = 20;
const END_64: &[u8] = b"PK\x06\x06";
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_LEN: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
/// The longest comment at the end of a file.
const MAX_COMMENT: usize = 65_535;

/// The entries of an archive.
///
/// # Errors
/// What is damaged, encrypted, larger than 4 GiB, packed in another way, or there twice.
pub fn entries(file: &[u8]) -> Result<Vec<Entry>, String> {
    let (count, mut at) = directory(file).ok_or("the archive has no directory: it is truncated or damaged")?;
    if count > file.len() / CENTRAL_LEN {
        return Err(format!("{count} entries in an archive of {} bytes", file.len()));
    }
    let (mut entries, mut packed) = (Vec::with_capacity(count), 0usize);
    for number in 0..count {
        let (entry, next) = entry(file, at).ok_or_else(|| format!("entry {number} of the archive is damaged"))??;
        packed = packed.saturating_add(entry.packed);
        entries.push(entry);
        at = next;
    }
    if packed > file.len() {
        return Err("the entries of the archive overlap".into());
    }
    let mut names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(format!("two entries of the archive are named `{}`", twice[0])),
        None => Ok(entries),
    }
}

impl Entry {
    /// Where the bytes lie in the file, for an entry that is not packed.
    pub fn stored(&self) -> Option<usize> {
        (!self.deflated).then_some(self.start)
    }

    /// Number of bytes, unpacked.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The bytes, unpacked and checked.
    ///
    /// # Errors
    /// Bytes that are not those of the checksum, or not as many as the directory says.
    pub fn content<'a>(&self, file: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let damaged = || format!("`{}` is damaged", self.name);
        let packed = file.get(self.start..self.start + self.packed).ok_or_else(damaged)?;
        let content = if self.deflated {
            let mut content = Vec::new();
            let stream = flate2::read::DeflateDecoder::new(packed).take(self.size as u64 + 1);
            { stream }.read_to_end(&mut content).map_err(|e| format!("`{}` is damaged: {e}", self.name))?;
            Cow::Owned(content)
        } else {
            Cow::Borrowed(packed)
        };
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        if content.len() == self.size && crc.sum() == self.crc { Ok(content) } else { Err(damaged()) }
    }
}

/// The number of entries and where the first one is described.
fn directory(file: &[u8]) -> Option<(usize, usize)> {
    let from = file.len().saturating_sub(END_LEN + MAX_COMMENT);
    let end = (from..=file.len().checked_sub(END_LEN)?).rev().find(|at| {
        let comment = || u16_at(file, at + 20);
        file[*at..].starts_with(END) && comment().is_some_and(|n| at + END_LEN + usize::from(n) == file.len())
    })?;
    let (count, offset) = (u16_at(file, end + 10)?, u32_at(file, end + 16)?);
    if count < u16::MAX && offset < u32::MAX {
        return Some((usize::from(count), offset as usize));
    }
    let locator = end.checked_sub(LOCATOR_LEN).filter(|at| file[*at..].starts_with(LOCATOR))?;
    let end = usize::try_from(u64_at(file, locator + 8)?).ok()?;
    file.get(end..)?.starts_with(END_64).then_some(())?;
    let size = |at: usize| usize::try_from(u64_at(file, at)?).ok();
    Some((size(end + 32)?, size(end + 48)?))
}

/// The entry that is described at `at`, and where the next one is. None where the file ends before.
fn entry(file: &[u8], at: usize) -> Option<Result<(Entry, usize), String>> {
    file.get(at..)?.starts_with(CENTRAL).then_some(())?;
    let (flags, method) = (u16_at(file, at + 8)?, u16_at(file, at + 10)?);
    let [packed, size, offset] = [u32_at(file, at + 20)?, u32_at(file, at + 24)?, u32_at(file, at + 42)?];
    let [name, extra, comment] = [28, 30, 32].map(|part| u16_at(file, at + part).map_or(0, usize::from));
    let next = at + CENTRAL_LEN + name + extra + comment;
    let name = String::from_utf8_lossy(file.get(at + CENTRAL_LEN..at + CENTRAL_LEN + name)?).into_owned();
    if [packed, size, offset].contains(&u32::MAX) {
        return Some(Err(format!("`{name}` lies beyond 4 GiB, which is not supported")));
    }
    if flags & 1 != 0 || !matches!(method, 0 | 8) || (method == 0 && packed != size) {
        return Some(Err(format!("`{name}` is encrypted or packed by method {method}, which is not supported")));
    }
    let local = offset as usize;
    file.get(local..)?.starts_with(LOCAL).then_some(())?;
    let header = usize::from(u16_at(file, local + 26)?) + usize::from(u16_at(file, local + 28)?);
    let start = local + LOCAL_LEN + header;
    file.get(start..start.checked_add(packed as usize)?)?;
    let crc = u32_at(file, at + 16)?;
    let entry = Entry { name, deflated: method == 8, crc, start, packed: packed as usize, size: size as usize };
    Some(Ok((entry, next)))
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(file: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(file.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
