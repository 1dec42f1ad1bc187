//! numpy's `.npy`: a header in Python's own notation, and the bytes of an array.
//! Source: numpy `lib/format.py`.

use std::sync::Arc;

use crate::read::numpy::{Array, DType};
use crate::read::value::{Heap, Span};

/// A literal of the header.
enum Literal {
    Text(String),
    Int(usize),
    Bool(bool),
    /// A list or a tuple.
    List(Vec<Literal>),
    Dict(Vec<(String, Literal)>),
}

/// Literals within literals: the header's dict, its list of fields, a field, the list of a field's fields, …
const MAX_DEPTH: usize = 12;

/// The array of a `.npy` file that lies in the heap.
pub fn array(heap: &mut Heap, file: Span) -> Result<Array, String> {
    let bytes = heap.bytes(file);
    let damaged = || "a .npy file without its header".to_owned();
    let (version, rest) = bytes.strip_prefix(b"\x93NUMPY").and_then(|b| b.split_at_checked(2)).ok_or_else(damaged)?;
    let (size, skip) = match (version, rest) {
        ([1, _], [a, b, ..]) => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        ([2 | 3, _], [a, b, c, d, ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err(damaged()),
    };
    let start = skip + size;
    let header = bytes.get(skip..start).and_then(|h| std::str::from_utf8(h).ok()).ok_or_else(damaged)?;
    let mut rest = header;
    let Some(Literal::Dict(header)) = literal(&mut rest, 0) else { return Err("a .npy header that is no dict".into()) };
    let data = Span { start: file.start + start, len: file.len - start };
    let get = |key: &str| header.iter().find(|(k, _)| k == key).map(|(_, v)| v);
    let (Some(descr), Some(Literal::Bool(fortran)), Some(Literal::List(shape))) =
        (get("descr"), get("fortran_order"), get("shape"))
    else {
        return Err("a .npy header without `descr`, `fortran_order` and `shape`".into());
    };
    let size = |l: &Literal| if let Literal::Int(n) = l { Some(*n) } else { None };
    let shape = shape.iter().map(size).collect::<Option<Vec<usize>>>().filter(|s| s.len() <= 8);
    let shape = shape.ok_or("a .npy header whose shape is not a tuple of at most eight sizes")?;
    Array::raw(Arc::new(dtype(heap, descr)?), shape, *fortran, data)
}

/// `'<f8'`, or `[('left', '<i8'), ('', '|V4'), …]`; a field without name is padding.
fn dtype(heap: &mut Heap, descr: &Literal) -> Result<DType, String> {
    match descr {
        Literal::Text(code) => match DType::parse(code) {
            Some(dtype) if !dtype.has_object => Ok(dtype),
            _ => Err(format!("an array of dtype `{code}`, which is not supported")),
        },
        Literal::List(fields) => {
            let mut named = Vec::new();
            let mut offset = 0usize;
            for field in fields {
                let Literal::List(parts) = field else { return Err("a field that is no tuple".into()) };
                let [Literal::Text(name), descr] = parts.as_slice() else {
                    return Err("a field with a title or a shape is not supported".into());
                };
                let dtype = dtype(heap, descr)?;
                let size = dtype.itemsize;
                if !name.is_empty() {
                    named.push((heap.keep(name.as_bytes()), dtype, offset));
                }
                offset = offset.checked_add(size).ok_or("a struct larger than any memory")?;
            }
            DType::record(named, offset)
        }
        _ => Err("a dtype that is neither text nor a list of fields".into()),
    }
}

/// The literal at the start of `rest`, which is then behind it.
fn literal(rest: &mut &str, depth: usize) -> Option<Literal> {
    *rest = rest.trim_start();
    let first = rest.chars().next()?;
    match first {
        _ if depth > MAX_DEPTH => None,
        '\'' | '"' => {
            let (text, behind) = rest[1..].split_once(first)?;
            // An escape would be a field name that no library uses.
            *rest = behind;
            (!text.contains('\\')).then(|| Literal::Text(text.to_owned()))
        }
        '(' | '[' => {
            let close = if first == '(' { ')' } else { ']' };
            let mut items = Vec::new();
            *rest = &rest[1..];
            while !closed(rest, close) {
                items.push(literal(rest, depth + 1)?);
                separator(rest, close)?;
            }
            Some(Literal::List(items))
        }
        '{' => {
            let mut pairs = Vec::new();
            *rest = &rest[1..];
            while !closed(rest, '}') {
                let Literal::Text(key) = literal(rest, depth + 1)? else { return None };
                *rest = rest.trim_start().strip_prefix(':')?;
                pairs.push((key, literal(rest, depth + 1)?));
                separator(rest, '}')?;
            }
            Some(Literal::Dict(pairs))
        }
        '0'..='9' => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, behind) = rest.split_at(end);
            // Python 2 wrote long integers as `3L`.
            *rest = behind.strip_prefix('L').unwrap_or(behind);
            digits.parse().ok().map(Literal::Int)
        }
        _ => {
            let (value, behind) = match rest.strip_prefix("True") {
                Some(behind) => (true, behind),
                None => (false, rest.strip_prefix("False")?),
            };
            *rest = behind;
            Some(Literal::Bool(value))
        }
    }
}

/// Takes the closing bracket, if it is next.
fn closed(rest: &mut &str, close: char) -> bool {
    *rest = rest.trim_start();
    let behind = rest.strip_prefix(close);
    *rest = behind.unwrap_or(rest);
    behind.is_some()
}

/// Takes a comma; before the closing bracket there may be none.
fn separator(rest: &mut &str, close: char) -> Option<()> {
    *rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(behind) => *rest = behind,
        None if rest.starts_with(close) => {}
        None => return None,
    }
    Some(())
}
