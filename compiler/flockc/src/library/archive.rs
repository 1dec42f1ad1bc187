//! Static libraries: the archive format of System V, as linkers of ELF read it.
//!
//! ```text
//! !<arch>\n
//! "/"    how many symbols, where the member of each begins (big-endian u32), their names, each ended by a zero
//! "//"   names of members that are longer than 15 bytes, each ended by "/\n"
//! members, each behind a header of 60 bytes, at even places
//! ```

/// A file of an archive.
pub(super) struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The symbols that it defines for others.
    pub symbols: &'a [&'a str],
}

/// Bytes of a member's header.
const HEADER: usize = 60;
const MAGIC: &[u8] = b"!<arch>\n";

/// The archive. Without dates and owners: the same members give the same bytes. None where it is beyond 4 GiB.
pub(super) fn archive(members: &[Member<'_>]) -> Option<Vec<u8>> {
    let long: Vec<u8> = members.iter().flat_map(|m| [m.name.as_bytes(), b"/\n"].concat()).collect();
    let symbols: Vec<&str> = members.iter().flat_map(|m| m.symbols.iter().copied()).collect();
    let index_bytes = 4 + 4 * symbols.len() + symbols.iter().map(|s| s.len() + 1).sum::<usize>();
    let even = |n: usize| n.next_multiple_of(2);
    let first = MAGIC.len() + HEADER + even(index_bytes) + HEADER + even(long.len());

    let mut index = (symbols.len() as u32).to_be_bytes().to_vec();
    let mut at = first;
    for m in members {
        let place = u32::try_from(at).ok()?;
        m.symbols.iter().for_each(|_| index.extend_from_slice(&place.to_be_bytes()));
        at += HEADER + even(m.bytes.len());
    }
    symbols.iter().for_each(|s| index.extend(s.bytes().chain([0])));

    let mut out = MAGIC.to_vec();
    append(&mut out, "/", &index);
    append(&mut out, "//", &long);
    let mut name_at = 0;
    for m in members {
        append(&mut out, &format!("/{name_at}"), m.bytes);
        name_at += m.name.len() + 2;
    }
    Some(out)
}

fn append(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, bytes.len()).bytes());
    out.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        out.push(b'\n');
    }
}
