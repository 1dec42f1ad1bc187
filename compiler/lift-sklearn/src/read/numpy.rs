//! numpy's dtypes and arrays, as bytes that are decoded when they are asked for.

use std::sync::Arc;

use crate::read::value::{Heap, Id, Span, Value};

/// The sort of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `b1`
    Bool,
    /// `i1`, `i2`, `i4`, `i8`
    Int,
    /// `u1`, `u2`, `u4`, `u8`
    UInt,
    /// `f2`, `f4`, `f8`, `f16`
    Float,
    /// `c8`, `c16`
    Complex,
    /// `S`: bytes padded with zeros
    Bytes,
    /// `U`: UTF-32 padded with zeros
    Text,
    /// `M8`, `m8`
    Time,
    /// `V`: bytes, or fields
    Void,
    /// `O`: any value
    Object,
}

/// A dtype.
#[derive(Clone, Debug, PartialEq)]
pub struct DType {
    /// The sort of an element.
    pub kind: Kind,
    /// Bytes of an element.
    pub itemsize: usize,
    /// Whether its bytes are swapped.
    pub big_endian: bool,
    /// The fields of a structured dtype.
    pub fields: Vec<Field>,
    /// Levels of fields within fields.
    depth: u32,
    /// Whether it or a field of it is `O`.
    pub has_object: bool,
}

/// A field of a structured dtype.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Span,
    /// Its dtype.
    pub dtype: Arc<DType>,
    /// Where it starts within the element.
    pub offset: usize,
}

/// Structured dtypes within structured dtypes, deeper than anything that a library writes.
const MAX_DTYPE_DEPTH: u32 = 8;

/// More fields than any library's struct has.
const MAX_FIELDS: usize = 64;

/// The longest code of a plain dtype.
const MAX_CODE: usize = 32;

impl DType {
    /// The dtype that `numpy.dtype(code)` makes: `f8`, `<U3`, `V64`.
    pub fn parse(code: &str) -> Option<DType> {
        if code.len() > MAX_CODE {
            return None;
        }
        let (big_endian, code) = match code.as_bytes().first()? {
            b'>' => (true, &code[1..]),
            b'<' | b'|' | b'=' => (false, &code[1..]),
            _ => (false, code),
        };
        let letter = code.chars().next().filter(char::is_ascii)?;
        let size: usize = if code.len() == 1 { 0 } else { code[1..].parse().ok()? };
        let (kind, itemsize, known) = match letter {
            'b' => (Kind::Bool, 1, size == 1),
            'i' => (Kind::Int, size, matches!(size, 1 | 2 | 4 | 8)),
            'u' => (Kind::UInt, size, matches!(size, 1 | 2 | 4 | 8)),
            'f' => (Kind::Float, size, matches!(size, 2 | 4 | 8 | 16)),
            'c' => (Kind::Complex, size, matches!(size, 8 | 16 | 32)),
            'S' => (Kind::Bytes, size, true),
            'U' => (Kind::Text, size.checked_mul(4)?, true),
            'M' | 'm' => (Kind::Time, size, size == 8),
            'V' => (Kind::Void, size, true),
            'O' => (Kind::Object, 8, true),
            _ => return None,
        };
        let has_object = kind == Kind::Object;
        known.then_some(DType { kind, itemsize, big_endian, fields: Vec::new(), depth: 0, has_object })
    }

    /// The dtype after BUILD with `(version, order, subarray, names, fields, itemsize, alignment, flags[, metadata])`.
    pub fn build(&self, heap: &Heap, state: &[Id]) -> Result<DType, String> {
        let [_, order, subarray, names, fields, itemsize, ..] = state else {
            return Err("a dtype's state has fewer than six parts".into());
        };
        if *subarray != Id::NONE {
            return Err("a dtype with a subarray is not supported".into());
        }
        let mut dtype = DType { big_endian: heap.as_str(*order) == Some(">"), ..self.clone() };
        if let Value::Int(size) = heap.get(*itemsize)
            && *size >= 0
            && matches!(dtype.kind, Kind::Void | Kind::Bytes | Kind::Text)
        {
            dtype.itemsize = *size as usize;
        }
        if *names != Id::NONE {
            dtype.add_fields(heap, *names, *fields)?;
        }
        Ok(dtype)
    }

    /// A structured dtype of named fields at their offsets.
    pub fn record(fields: Vec<(Span, DType, usize)>, itemsize: usize) -> Result<DType, String> {
        if fields.len() > MAX_FIELDS {
            return Err(format!("a dtype of more than {MAX_FIELDS} fields"));
        }
        let depth = fields.iter().map(|(_, d, _)| d.depth + 1).max().unwrap_or(0);
        if depth > MAX_DTYPE_DEPTH {
            return Err(format!("a dtype has fields nested deeper than {MAX_DTYPE_DEPTH}"));
        }
        let has_object = fields.iter().any(|(_, d, _)| d.has_object);
        let field = |(name, dtype, offset)| Field { name, dtype: Arc::new(dtype), offset };
        let fields = fields.into_iter().map(field).collect();
        Ok(DType { kind: Kind::Void, itemsize, big_endian: false, fields, depth, has_object })
    }

    fn add_fields(&mut self, heap: &Heap, names: Id, fields: Id) -> Result<(), String> {
        let names = heap.sequence(names).ok_or("a dtype's names are not a tuple")?;
        let described = heap.pairs(fields).map_or(0, <[_]>::len);
        if names.len().max(described) > MAX_FIELDS {
            return Err(format!("a dtype of more than {MAX_FIELDS} fields"));
        }
        for id in names {
            let Value::Str(span) = heap.get(*id) else { return Err("a dtype's field name is not text".into()) };
            let name = heap.text(*span);
            let field = heap.lookup(fields, name).and_then(|f| heap.sequence(f));
            let (Value::DType(dtype), Value::Int(offset)) = (match field {
                Some([dtype, offset, ..]) => (heap.get(*dtype), heap.get(*offset)),
                _ => return Err(format!("a dtype's field `{name}` is not described")),
            }) else {
                return Err(format!("a dtype's field `{name}` has no dtype and offset"));
            };
            let end = usize::try_from(*offset).ok().and_then(|o| o.checked_add(dtype.itemsize));
            if end.is_none_or(|end| end > self.itemsize) {
                return Err(format!("a dtype's field `{name}` lies outside of its {} bytes", self.itemsize));
            }
            self.depth = self.depth.max(dtype.depth + 1);
            self.has_object |= dtype.has_object;
            self.fields.push(Field { name: *span, dtype: dtype.clone(), offset: *offset as usize });
        }
        if self.depth > MAX_DTYPE_DEPTH {
            return Err(format!("a dtype has fields nested deeper than {MAX_DTYPE_DEPTH}"));
        }
        Ok(())
    }

    /// The field of that name.
    pub fn field(&self, heap: &Heap, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| heap.text(f.name) == name)
    }

    /// The dtype as numpy prints it, without its byte order.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Bool => "bool".into(),
            Kind::Int => format!("int{}", self.itemsize * 8),
            Kind::UInt => format!("uint{}", self.itemsize * 8),
            Kind::Float => format!("float{}", self.itemsize * 8),
            Kind::Complex => format!("complex{}", self.itemsize * 8),
            Kind::Bytes => format!("S{}", self.itemsize),
            Kind::Text => format!("U{}", self.itemsize / 4),
            Kind::Time => "datetime64".into(),
            Kind::Void if self.fields.is_empty() => format!("V{}", self.itemsize),
            Kind::Void => format!("a struct of {} fields", self.fields.len()),
            Kind::Object => "object".into(),
        }
    }
}

/// An array.
#[derive(Clone, Debug)]
pub struct Array {
    /// Its dtype; None before BUILD.
    pub dtype: Option<Arc<DType>>,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether raw bytes stand in Fortran order.
    pub fortran: bool,
    /// Its elements.
    pub elements: Elements,
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub enum Elements {
    /// Raw bytes: the product of the shape × itemsize.
    Raw(Span),
    /// A list of values, always in C order.
    Objects(Id),
}

impl Array {
    /// What `_reconstruct` gives before its BUILD.
    pub fn empty() -> Array {
        Array { dtype: None, shape: vec![0], fortran: false, elements: Elements::Objects(Id::UNIT) }
    }

    /// An array over raw bytes; the span must hold exactly what dtype and shape ask for.
    pub fn raw(dtype: Arc<DType>, shape: Vec<usize>, fortran: bool, span: Span) -> Result<Array, String> {
        let bytes = byte_size(&dtype, &shape)?;
        if bytes != span.len {
            let name = dtype.name();
            return Err(format!("an array of {name} {shape:?} takes {bytes} bytes, but {} are there", span.len));
        }
        Ok(Array { dtype: Some(dtype), shape, fortran, elements: Elements::Raw(span) })
    }

    /// An array over a list of values.
    pub fn objects(heap: &Heap, dtype: Arc<DType>, shape: Vec<usize>, list: Id) -> Result<Array, String> {
        let n = heap.sequence(list).map_or(0, <[_]>::len);
        if element_count(&shape) != Some(n) {
            return Err(format!("an array of objects {shape:?} has {n} elements"));
        }
        Ok(Array { dtype: Some(dtype), shape, fortran: false, elements: Elements::Objects(list) })
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        element_count(&self.shape).unwrap_or(0)
    }

    /// The positions of the elements in the raw bytes, in C order.
    pub fn positions(&self) -> Positions {
        let mut stride = 1;
        let mut strides = vec![0; self.shape.len()];
        let axes: Vec<usize> =
            if self.fortran { (0..self.shape.len()).collect() } else { (0..self.shape.len()).rev().collect() };
        for axis in axes {
            strides[axis] = stride;
            stride *= self.shape[axis].max(1);
        }
        let plain = !self.fortran || self.shape.iter().filter(|n| **n > 1).count() <= 1;
        let (shape, index) = (self.shape.clone(), vec![0; self.shape.len()]);
        Positions { shape, strides, index, plain, next: 0, left: self.count() }
    }
}

/// Walks an array in C order.
pub struct Positions {
    shape: Vec<usize>,
    strides: Vec<usize>,
    index: Vec<usize>,
    plain: bool,
    next: usize,
    left: usize,
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let here = self.next;
        if self.plain {
            self.next += 1;
            return Some(here);
        }
        for axis in (0..self.shape.len()).rev() {
            self.index[axis] += 1;
            self.next += self.strides[axis];
            if self.index[axis] < self.shape[axis] {
                break;
            }
            self.next -= self.strides[axis] * self.shape[axis];
            self.index[axis] = 0;
        }
        Some(here)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))
}

/// Bytes of an array. An element of no bytes would make a size that no file bounds, so it is refused.
pub fn byte_size(dtype: &DType, shape: &[usize]) -> Result<usize, String> {
    let n = element_count(shape);
    if dtype.itemsize == 0 && n != Some(0) {
        return Err(format!("an array {shape:?} of elements without bytes"));
    }
    let bytes = n.and_then(|n| n.checked_mul(dtype.itemsize)).filter(|b| *b <= isize::MAX as usize);
    bytes.ok_or_else(|| format!("an array of {} {shape:?} is larger than any memory", dtype.name()))
}

/// More dimensions than a fitted array has (numpy itself knows 64).
const MAX_DIMENSIONS: usize = 8;

/// A shape from a tuple of ints, or from one int.
pub fn shape(heap: &Heap, id: Id) -> Result<Vec<usize>, String> {
    let one = [id];
    let items = heap.sequence(id).unwrap_or(&one);
    if items.len() > MAX_DIMENSIONS {
        return Err(format!("an array of {} dimensions", items.len()));
    }
    let size = |id: &Id| match heap.get(*id) {
        Value::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    };
    items.iter().map(size).collect::<Option<_>>().ok_or_else(|| "an array's shape is not a tuple of sizes".into())
}

/// One number of a raw element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// From `b1`.
    Bool(bool),
    /// From `i` and `u` that fit.
    Int(i64),
    /// From `f`.
    Float(f64),
}

impl DType {
    /// The number of an element's bytes; None for what is not a number, or is one that 64 bits do not hold.
    pub fn number(&self, bytes: &[u8]) -> Option<Number> {
        let mut le = [0u8; 8];
        let n = self.itemsize;
        let low = le.get_mut(..n)?;
        low.copy_from_slice(bytes.get(..n)?);
        if self.big_endian {
            low.reverse();
        }
        let unsigned = u64::from_le_bytes(le);
        Some(match self.kind {
            Kind::Bool => Number::Bool(unsigned != 0),
            Kind::UInt => Number::Int(i64::try_from(unsigned).ok()?),
            Kind::Int => Number::Int(unsigned.cast_signed() << (64 - 8 * n) >> (64 - 8 * n)),
            Kind::Float => Number::Float(match n {
                8 => f64::from_bits(unsigned),
                4 => f64::from(f32::from_bits(unsigned as u32)),
                2 => half(unsigned as u16),
                _ => return None,
            }),
            _ => return None,
        })
    }

    /// The text of an element of `U`.
    pub fn text(&self, bytes: &[u8]) -> Option<String> {
        if self.kind != Kind::Text {
            return None;
        }
        let word = |c: &[u8]| {
            let c: [u8; 4] = c.try_into().ok()?;
            char::from_u32(if self.big_endian { u32::from_be_bytes(c) } else { u32::from_le_bytes(c) })
        };
        let text: String = bytes.chunks_exact(4).map(word).collect::<Option<_>>()?;
        Some(text.trim_end_matches('\0').into())
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 != 0 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction != 0.0 => f64::NAN,
        31 => f64::INFINITY,
        e => (1.0 + fraction / 1024.0) * 2f64.powi(e - 15),
    }
}
