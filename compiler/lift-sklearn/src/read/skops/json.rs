//! JSON of a skops schema, read in one pass: an object that names its loader becomes a value as soon as it ends, so that
//! no tree of the text is kept.

use crate::read::skops::Reader;
use crate::read::value::{Id, Span, Value};

/// What stands in the text where a value is expected.
pub enum Json {
    /// A node of the schema, as the value that it stands for.
    Node(Id),
    /// Text.
    Text(Span),
    /// A number, a truth value or null.
    Plain(Value),
    /// A list of nodes.
    List(Vec<Id>),
    /// An object that is no node.
    Map(Fields),
}

/// The entries of an object, in the order of the text.
pub type Fields = Vec<(Span, Json)>;

/// A list or an object that has not ended.
enum Open {
    List(Vec<Id>),
    Map(Fields, Span),
}

/// Python's own writer and reader stop at its recursion limit of 1,000 calls.
const MAX_DEPTH: usize = 2_000;

/// Entries of one object that are no nodes: its class, its loader, …
const MAX_PLAIN: usize = 16;

impl Reader<'_> {
    /// The value of the whole text.
    pub(super) fn document(&mut self) -> Result<Json, String> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if open.len() > MAX_DEPTH {
                return Err(self.wrong("values nested deeper than Python writes them"));
            }
            let Some(mut value) = self.begin(&mut open)? else { continue };
            loop {
                let Some(mut last) = open.pop() else { return self.finish(value) };
                last.add(value).map_err(|what| self.wrong(what))?;
                match (self.next()?, last) {
                    (b',', Open::Map(fields, _)) => {
                        let key = self.key()?;
                        open.push(Open::Map(fields, key));
                        break;
                    }
                    (b',', list) => {
                        open.push(list);
                        break;
                    }
                    (b'}', Open::Map(fields, _)) => value = self.object(fields)?,
                    (b']', Open::List(items)) => value = Json::List(items),
                    _ => return Err(self.wrong("a comma or a closing bracket expected")),
                }
            }
        }
    }

    fn finish(&mut self, value: Json) -> Result<Json, String> {
        self.blanks();
        if self.at == self.end { Ok(value) } else { Err(self.wrong("text behind the value")) }
    }

    /// A value that has no parts, or None after opening one that has.
    fn begin(&mut self, open: &mut Vec<Open>) -> Result<Option<Json>, String> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                if self.peek() == Some(b'}') {
                    self.at += 1;
                    return Ok(Some(Json::Map(Vec::new())));
                }
                let key = self.key()?;
                open.push(Open::Map(Vec::new(), key));
                Ok(None)
            }
            Some(b'[') => {
                self.at += 1;
                if self.peek() == Some(b']') {
                    self.at += 1;
                    return Ok(Some(Json::List(Vec::new())));
                }
                open.push(Open::List(Vec::new()));
                Ok(None)
            }
            Some(b'"') => self.text().map(|span| Some(Json::Text(span))),
            _ => self.plain().map(|value| Some(Json::Plain(value))),
        }
    }

    /// `"key":`
    fn key(&mut self) -> Result<Span, String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a name expected"));
        }
        let key = self.text()?;
        if self.next()? != b':' {
            return Err(self.wrong("a colon expected"));
        }
        Ok(key)
    }

    /// Text in quotes. Where it has escapes, what they mean is kept beside the file.
    fn text(&mut self) -> Result<Span, String> {
        let bytes = &self.heap.data()[self.at..self.end];
        let (mut length, mut escaped) = (1, false);
        loop {
            match bytes.get(length) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    length += 2;
                }
                Some(_) => length += 1,
                None => return Err(self.wrong("text without its closing quote")),
            }
        }
        let inner = std::str::from_utf8(&bytes[1..length]);
        let start = self.at + 1;
        let span = match inner {
            Err(_) => return Err(self.wrong("text that is not UTF-8")),
            Ok(_) if !escaped => Span { start, len: length - 1 },
            Ok(inner) => match unescaped(inner) {
                Some(text) => self.heap.keep(text.as_bytes()),
                None => return Err(self.wrong("an escape that is no character")),
            },
        };
        self.at += length + 1;
        Ok(span)
    }

    /// A number, a truth value or null, and what Python writes besides.
    fn plain(&mut self) -> Result<Value, String> {
        let bytes = &self.heap.data()[self.at..self.end];
        let length = bytes.iter().position(|b| !b.is_ascii_alphanumeric() && !b"+-.".contains(b));
        let length = length.unwrap_or(bytes.len());
        let span = Span { start: self.at, len: length };
        let value = std::str::from_utf8(&bytes[..length]).ok().and_then(|word| scalar(word, span));
        self.at += length;
        value.ok_or_else(|| self.wrong("a value expected"))
    }

    fn blanks(&mut self) {
        let bytes = &self.heap.data()[self.at..self.end];
        self.at += bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    }

    fn peek(&mut self) -> Option<u8> {
        self.blanks();
        self.heap.data()[self.at..self.end].first().copied()
    }

    fn next(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or_else(|| self.wrong("the text ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn wrong(&self, what: &str) -> String {
        format!("schema.json, byte {}: {what}", self.at - self.start)
    }
}

impl Open {
    fn add(&mut self, value: Json) -> Result<(), &'static str> {
        match (self, value) {
            (Open::List(items), Json::Node(id)) => items.push(id),
            (Open::List(_), _) => return Err("a list of something that is no node"),
            (Open::Map(fields, key), value) => {
                let plain = !matches!(value, Json::Node(_));
                if plain
                    && fields.len() >= MAX_PLAIN
                    && fields.iter().filter(|(_, v)| v.is_plain()).count() >= MAX_PLAIN
                {
                    return Err("an object of more entries than a node has");
                }
                fields.push((*key, value));
            }
        }
        Ok(())
    }
}

impl Json {
    fn is_plain(&self) -> bool {
        !matches!(self, Json::Node(_))
    }
}

/// A word of JSON, or `NaN`, `Infinity`, `-Infinity`. An integer beyond 64 bits stays as it stands.
pub fn scalar(word: &str, span: Span) -> Option<Value> {
    Some(match word {
        "null" => Value::None,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "NaN" => Value::Float(f64::NAN),
        "Infinity" => Value::Float(f64::INFINITY),
        "-Infinity" => Value::Float(f64::NEG_INFINITY),
        _ if !word.ends_with(|c: char| c.is_ascii_digit()) => return None,
        _ if word.contains(['.', 'e', 'E']) => Value::Float(word.parse().ok()?),
        _ => match word.parse() {
            Ok(int) => Value::Int(int),
            Err(_) if word.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => Value::BigInt(span),
            Err(_) => return None,
        },
    })
}

/// What text with escapes means.
pub fn unescaped(text: &str) -> Option<String> {
    let mut meant = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        meant.push_str(&rest[..at]);
        let escape = rest[at + 1..].chars().next()?;
        rest = &rest[at + 1 + escape.len_utf8()..];
        meant.push(match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => escape,
            'u' => {
                let high = unit(&mut rest)?;
                match (high, rest.strip_prefix("\\u")) {
                    (0xd800..0xdc00, Some(mut low)) => {
                        let low_unit = unit(&mut low).filter(|u| (0xdc00..0xe000).contains(u))?;
                        rest = low;
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low_unit - 0xdc00))?
                    }
                    _ => char::from_u32(high)?,
                }
            }
            _ => return None,
        });
    }
    meant.push_str(rest);
    Some(meant)
}

/// Four hexadecimal digits.
fn unit(rest: &mut &str) -> Option<u32> {
    let digits = rest.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    *rest = &rest[4..];
    u32::from_str_radix(digits, 16).ok()
}
