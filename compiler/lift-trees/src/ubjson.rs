//! A reader of UBJSON (draft 12) for model files: typed arrays stay in the file, depth and memory are bounded by its size.
//! Numbers are big-endian, as the format says. Source: ubjson.org; XGBoost `common/json.cc`.

use std::borrow::Cow;

use crate::value::{Element, Numbers, Value};

/// Deeper nesting than any library writes.
const MAX_DEPTH: usize = 256;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Values outside of arrays of numbers that may still be made.
    left: usize,
}

/// Reads one value; nothing may follow it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value<'_>, String> {
    let mut reader = Reader { bytes, at: 0, left: bytes.len() / 8 + (1 << 16) };
    let value = reader.value(0)?;
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.fault("something behind the value")) }
}

/// The element that a marker says.
fn element(marker: u8) -> Option<Element> {
    Some(match marker {
        b'i' => Element::Int(1),
        b'U' => Element::Byte,
        b'I' => Element::Int(2),
        b'l' => Element::Int(4),
        b'L' => Element::Int(8),
        b'd' => Element::F32,
        b'D' => Element::F64,
        _ => return None,
    })
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &str) -> String {
        format!("byte {}: {what}", self.at)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.fault("the file is truncated or damaged"))?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// The next marker; `N` says nothing.
    fn marker(&mut self) -> Result<u8, String> {
        loop {
            match self.take(1)?[0] {
                b'N' => {}
                marker => return Ok(marker),
            }
        }
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn number(&mut self, element: Element) -> Result<f64, String> {
        Ok(element.read(self.take(element.size())?))
    }

    fn length(&mut self) -> Result<usize, String> {
        let marker = self.marker()?;
        let element = element(marker).filter(|e| !matches!(e, Element::F32 | Element::F64));
        let element = element.ok_or_else(|| self.fault("no length"))?;
        let length = self.number(element)?;
        // A length beyond 2^53 is beyond any file, and one that is negative no length.
        if (0.0..9e15).contains(&length) { Ok(length as usize) } else { Err(self.fault("a length that cannot be")) }
    }

    fn text(&mut self) -> Result<Cow<'a, str>, String> {
        let n = self.length()?;
        let bytes = self.take(n)?;
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| self.fault("text that is not UTF-8"))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let marker = self.marker()?;
        self.value_of(marker, depth)
    }

    fn value_of(&mut self, marker: u8, depth: usize) -> Result<Value<'a>, String> {
        self.left = self.left.checked_sub(1).ok_or_else(|| self.fault("more structure than any library writes"))?;
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'S' => Value::Text(self.text()?),
            b'[' => self.list(depth)?,
            b'{' => self.object(depth)?,
            _ => match element(marker) {
                Some(element) => Value::Number(self.number(element)?),
                None => return Err(self.fault("a marker that is not known")),
            },
        })
    }

    /// The type and the count that may stand before what a container holds.
    fn header(&mut self) -> Result<(Option<u8>, Option<usize>), String> {
        let mut kind = None;
        if self.peek() == b'$' {
            kind = Some(self.take(2)?[1]);
        }
        if self.peek() != b'#' {
            return if kind.is_none() { Ok((None, None)) } else { Err(self.fault("a type without a count")) };
        }
        self.at += 1;
        Ok((kind, Some(self.length()?)))
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let (kind, count) = self.header()?;
        if let (Some(kind), Some(count)) = (kind, count) {
            let element = element(kind).ok_or_else(|| self.fault("an array of what has no numbers"))?;
            let size = count.checked_mul(element.size()).ok_or_else(|| self.fault("a length that cannot be"))?;
            return Ok(Value::Numbers(Numbers::Raw(element, self.take(size)?)));
        }
        let (mut numbers, mut items) = (Vec::new(), Vec::new());
        let mut read = 0;
        while count != Some(read) {
            let marker = self.marker()?;
            if count.is_none() && marker == b']' {
                break;
            }
            match element(marker) {
                Some(element) if items.is_empty() => numbers.push(self.number(element)?),
                _ => {
                    self.left = self.left.checked_sub(numbers.len()).ok_or_else(|| self.fault("too much structure"))?;
                    items.extend(std::mem::take(&mut numbers).into_iter().map(Value::Number));
                    items.push(self.value_of(marker, depth + 1)?);
                }
            }
            read += 1;
        }
        let all_numbers = items.is_empty() && !numbers.is_empty();
        Ok(if all_numbers { Value::Numbers(Numbers::Read(numbers)) } else { Value::List(items) })
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let (kind, count) = self.header()?;
        let mut entries = Vec::new();
        while count != Some(entries.len()) {
            while self.peek() == b'N' {
                self.at += 1;
            }
            if count.is_none() && self.peek() == b'}' {
                self.at += 1;
                break;
            }
            let name = self.text()?;
            let value = match kind {
                Some(kind) => self.value_of(kind, depth + 1)?,
                None => self.value(depth + 1)?,
            };
            entries.push((name, value));
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_every_form_are_read() {
        let bytes =
            b"{i\x01a[$d#U\x02\x3f\x80\x00\x00\xbf\x80\x00\x00i\x01b[i\xffU\xffI\x01\x00]i\x01c[#i\x02Si\x01xT}";
        let value = parse(bytes).expect("a value");
        let numbers = |name| value.get(name).and_then(Value::numbers).map(|n| n.iter().collect::<Vec<_>>());
        assert_eq!(numbers("a"), Some(vec![1.0, -1.0]));
        assert_eq!(numbers("b"), Some(vec![-1.0, 255.0, 256.0]));
        let items = value.get("c").and_then(Value::items).expect("a list");
        assert_eq!((items[0].text(), items[1].truth()), (Some("x"), Some(true)));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let deep = [b'['; 100_000];
        let long = b"[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff";
        for bytes in [&b""[..], b"[", b"[$d", b"[$d#i\x05", b"S", b"Si\xff", b"{i\x01", b"x", b"ZZ", long, &deep] {
            assert!(parse(bytes).is_err(), "{}", bytes[..bytes.len().min(20)].escape_ascii());
        }
    }
}
