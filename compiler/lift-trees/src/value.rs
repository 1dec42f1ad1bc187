//! Data of JSON and UBJSON files, compact: a list of numbers is one array, and binary ones stay in the file.

use std::borrow::Cow;

/// A value. Text and keys borrow from the file.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list of numbers alone.
    Numbers(Numbers<'a>),
    /// Any other list.
    List(Vec<Value<'a>>),
    /// Names and values; the last of equal names counts.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Numbers, read or still in the file.
#[derive(Clone, Debug)]
pub(crate) enum Numbers<'a> {
    /// Read.
    Read(Vec<f64>),
    /// Big-endian in the file.
    Raw(Element, &'a [u8]),
}

/// An element of a binary array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// Signed, of 1, 2, 4 or 8 bytes.
    Int(usize),
    /// Unsigned, of one byte.
    Byte,
    /// A float of 4 bytes.
    F32,
    /// A float of 8 bytes.
    F64,
}

impl Element {
    /// Its size in bytes.
    pub fn size(self) -> usize {
        match self {
            Element::Int(n) => n,
            Element::Byte => 1,
            Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    /// The element in these bytes, exactly of its size.
    pub fn read(self, bytes: &[u8]) -> f64 {
        let word = bytes.iter().fold(0u64, |w, b| w << 8 | u64::from(*b));
        match self {
            Element::Byte => word as f64,
            Element::F32 => f64::from(f32::from_bits(word as u32)),
            Element::F64 => f64::from_bits(word),
            Element::Int(n) => {
                let unused = 64 - 8 * n as u32;
                ((word << unused) as i64 >> unused) as f64
            }
        }
    }
}

impl Numbers<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Numbers::Read(values) => values.len(),
            Numbers::Raw(element, bytes) => bytes.len() / element.size(),
        }
    }

    /// One of them.
    pub fn get(&self, i: usize) -> Option<f64> {
        match self {
            Numbers::Read(values) => values.get(i).copied(),
            Numbers::Raw(element, bytes) => {
                let at = i.checked_mul(element.size())?;
                bytes.get(at..at + element.size()).map(|b| element.read(b))
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).filter_map(|i| self.get(i))
    }
}

impl<'a> Value<'a> {
    /// What an object has under a name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let Value::Object(entries) = self else { return None };
        entries.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The value at the end of a path of names.
    pub fn at(&self, path: &[&str]) -> Option<&Value<'a>> {
        path.iter().try_fold(self, |v, name| v.get(name))
    }

    /// The text.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(t) = self { Some(t) } else { None }
    }

    /// The number.
    pub fn number(&self) -> Option<f64> {
        if let Value::Number(x) = self { Some(*x) } else { None }
    }

    /// The truth value.
    pub fn truth(&self) -> Option<bool> {
        if let Value::Bool(b) = self { Some(*b) } else { None }
    }

    /// The elements of a list.
    pub fn items(&self) -> Option<Cow<'_, [Value<'a>]>> {
        match self {
            Value::List(items) => Some(Cow::Borrowed(items)),
            Value::Numbers(numbers) => Some(Cow::Owned(numbers.iter().map(Value::Number).collect())),
            _ => None,
        }
    }

    /// The elements of a list of numbers; an empty list is one.
    pub fn numbers(&self) -> Option<Cow<'_, Numbers<'a>>> {
        match self {
            Value::Numbers(numbers) => Some(Cow::Borrowed(numbers)),
            Value::List(items) if items.is_empty() => Some(Cow::Owned(Numbers::Read(Vec::new()))),
            _ => None,
        }
    }
}
