//! A reader of JSON for model files: lists of numbers are arrays, depth and memory are bounded by the size of the file.
//!
//! A number that is no integer is read as the width asked for: XGBoost writes the shortest text that reads back as the
//! same float32, and reading it as a double first could round twice.

use std::borrow::Cow;

use crate::value::{Numbers, Value};

/// The width of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// float32.
    F32,
    /// float64.
    F64,
}

/// Deeper nesting than any library writes.
const MAX_DEPTH: usize = 256;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    width: Width,
    /// Values outside of arrays of numbers that may still be made.
    left: usize,
}

/// Reads one value; nothing but space may follow it.
pub(crate) fn parse(bytes: &[u8], width: Width) -> Result<Value<'_>, String> {
    let mut reader = Reader { bytes, at: 0, width, left: bytes.len() / 12 + (1 << 16) };
    let value = reader.value(0)?;
    reader.space();
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.fault("something behind the value")) }
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &str) -> String {
        format!("byte {}: {what}", self.at)
    }

    fn space(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')).count();
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != byte {
            return Err(self.fault(&format!("`{}` expected", byte as char)));
        }
        self.at += 1;
        Ok(())
    }

    fn charge(&mut self) -> Result<(), String> {
        self.left = self.left.checked_sub(1).ok_or_else(|| self.fault("more structure than any library writes"))?;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, String> {
        self.charge()?;
        self.space();
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.text().map(Value::Text),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number().map(Value::Number),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, String> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("no value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, String> {
        self.expect(b'{')?;
        let mut entries = Vec::new();
        self.space();
        if self.peek() != b'}' {
            loop {
                self.space();
                let name = self.text()?;
                self.space();
                self.expect(b':')?;
                entries.push((name, self.value(depth + 1)?));
                self.space();
                if self.peek() != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b'}')?;
        Ok(Value::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, String> {
        self.expect(b'[')?;
        let mut numbers = Vec::new();
        let mut items = Vec::new();
        self.space();
        if self.peek() != b']' {
            loop {
                self.space();
                let is_number = matches!(self.peek(), b'-' | b'+' | b'0'..=b'9' | b'.' | b'N' | b'I' | b'i');
                if is_number && items.is_empty() {
                    numbers.push(self.number()?);
                } else {
                    for number in std::mem::take(&mut numbers) {
                        self.charge()?;
                        items.push(Value::Number(number));
                    }
                    items.push(self.value(depth + 1)?);
                }
                self.space();
                if self.peek() != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b']')?;
        Ok(if items.is_empty() && !numbers.is_empty() {
            Value::Numbers(Numbers::Read(numbers))
        } else {
            Value::List(items)
        })
    }

    fn number(&mut self) -> Result<f64, String> {
        let rest = &self.bytes[self.at..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let len = rest.iter().take(MAX_NUMBER + 1).take_while(|b| is_part(b)).count();
        let text = std::str::from_utf8(&rest[..len]).unwrap_or_default();
        let integer = text.len() < 18 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let parsed = match (self.width, integer) {
            _ if len == 0 || len > MAX_NUMBER => None,
            (_, true) => {
                text.parse::<i64>().ok().map(|i| if i == 0 && text.starts_with('-') { -0.0 } else { i as f64 })
            }
            (Width::F32, false) => text.parse::<f32>().ok().map(f64::from),
            (Width::F64, false) => text.parse().ok(),
        };
        let number = parsed.ok_or_else(|| self.fault("no value"))?;
        self.at += len;
        Ok(number)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, String> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let plain = rest.iter().take_while(|b| !matches!(b, b'"' | b'\\')).count();
            self.at += plain;
            match self.peek() {
                b'"' => break,
                b'\\' if self.at + 1 < self.bytes.len() => self.at += 2,
                _ => return Err(self.fault("text that does not end")),
            }
        }
        let raw = std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| self.fault("text that is not UTF-8"))?;
        self.at += 1;
        if !raw.contains('\\') {
            return Ok(Cow::Borrowed(raw));
        }
        unescape(raw).map(Cow::Owned).ok_or_else(|| self.fault("an escape that is no character"))
    }
}

/// Digits of the longest number that a library writes, and then some.
const MAX_NUMBER: usize = 400;

fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let unit = hex(&mut chars)?;
                match unit {
                    0xd800..0xdc00 => {
                        let low = (chars.next()? == '\\' && chars.next()? == 'u').then(|| hex(&mut chars))??;
                        let pair =
                            0x10000 + ((unit - 0xd800) << 10) + low.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                        char::from_u32(pair)?
                    }
                    _ => char::from_u32(unit)?,
                }
            }
            c => c,
        });
    }
    Some(text)
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |n, _| Some(n << 4 | chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_width() {
        // Halfway between two float32, and a little more than a double can tell.
        let text = b"[1.00000005960464477540, 16777217, -0]";
        let of = |width| parse(text, width).map(|v| v.numbers().map(|n| n.iter().collect::<Vec<_>>()));
        assert_eq!(of(Width::F32), Ok(Some(vec![f64::from(f32::from_bits(0x3f80_0001)), 16_777_217.0, -0.0])));
        assert_eq!(of(Width::F64), Ok(Some(vec![1.000_000_059_604_644_8, 16_777_217.0, -0.0])));
    }

    #[test]
    fn text_is_unescaped() {
        let value = parse(br#"{"a\"b": ["\u00e4\ud83d\ude00\n", 1, [ ]]}"#, Width::F64);
        let items = value.as_ref().ok().and_then(|v| v.get("a\"b")).and_then(Value::items).map(|i| i.into_owned());
        let items = items.unwrap_or_default();
        assert_eq!(items[0].text(), Some("ä😀\n"));
        assert_eq!(items[1].number(), Some(1.0));
        assert_eq!(items[2].numbers().map(|n| n.len()), Some(0));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let deep = "[".repeat(100_000);
        let wide = format!("[{}]", "[],".repeat(1 << 18));
        for text in ["", "[1,", "{\"a\"}", "\"\\", "\"\\ud800x\"", "tru", "1 2", "nan3", &deep, &wide] {
            assert!(parse(text.as_bytes(), Width::F64).is_err(), "{}", &text[..text.len().min(20)]);
        }
    }
}
