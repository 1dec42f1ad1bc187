//! Literals of the text opcodes of protocols 0 and 1.

/// The text of UNICODE: Latin-1 with `\uXXXX` and `\UXXXXXXXX`. None where an escape is no character.
pub fn raw_unicode_escape(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let digits = match tail.first() {
            Some(b'u') if *first == b'\\' => 4,
            Some(b'U') if *first == b'\\' => 8,
            _ => 0,
        };
        if digits == 0 {
            text.push(char::from(*first));
            rest = tail;
        } else {
            let hex = std::str::from_utf8(tail.get(1..=digits)?).ok()?;
            text.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
            rest = &tail[digits + 1..];
        }
    }
    Some(text)
}

/// The bytes of STRING: a quoted Python 2 literal.
pub fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let (first, last) = (*line.first()?, *line.last()?);
    if line.len() < 2 || first != last || !matches!(first, b'\'' | b'"') {
        return None;
    }
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line[1..line.len() - 1].iter().copied();
    while let Some(b) = rest.next() {
        bytes.push(if b == b'\\' { escaped(&mut rest)? } else { b });
    }
    Some(bytes)
}

fn escaped(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let hex = |b: Option<u8>| char::from(b?).to_digit(16);
    Some(match rest.next()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'x' => (hex(rest.next())? * 16 + hex(rest.next())?) as u8,
        b @ (b'\\' | b'\'' | b'"') => b,
        _ => return None,
    })
}
