//! What a pickle holds, as plain data in an arena.

use std::borrow::Cow;
use std::sync::Arc;

use crate::read::numpy::{Array, DType};

/// A value of the arena. References are ids, so sharing and cycles cost nothing and dropping never recurses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

impl Id {
    /// `None`.
    pub const NONE: Id = Id(0);
    /// `True`.
    pub const TRUE: Id = Id(1);
    /// `False`.
    pub const FALSE: Id = Id(2);
    /// `()`.
    pub const UNIT: Id = Id(3);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Bytes of the file, or behind its end bytes that the reader made (unescaped text of protocol 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

/// One value. Containers hold ids.
#[derive(Clone, Debug)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A wider integer, kept as it stands in the file.
    BigInt(Span),
    /// A float.
    Float(f64),
    /// `bytes` or `bytearray`.
    Bytes(Span),
    /// `str`; the span is UTF-8.
    Str(Span),
    /// `list`.
    List(Vec<Id>),
    /// `tuple`.
    Tuple(Vec<Id>),
    /// `set` or `frozenset`.
    Set(Vec<Id>),
    /// `dict`, in the order of insertion; of equal keys the last counts.
    Dict(Vec<(Id, Id)>),
    /// A class or function by its name.
    Global(Box<Symbol>),
    /// `numpy.dtype`.
    DType(Arc<DType>),
    /// `numpy.ndarray`.
    Array(Box<Array>),
    /// A numpy scalar: its dtype and its bytes.
    Scalar(Arc<DType>, Span),
    /// An instance of any class, known or not.
    Object(Box<Object>),
}

impl Value {
    /// What the value is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an int",
            Value::BigInt(_) => "an int beyond 64 bits",
            Value::Float(_) => "a float",
            Value::Bytes(_) => "bytes",
            Value::Str(_) => "a str",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Set(_) => "a set",
            Value::Dict(_) => "a dict",
            Value::Global(_) => "a class or function",
            Value::DType(_) => "a dtype",
            Value::Array(_) => "an array",
            Value::Scalar(..) => "a numpy scalar",
            Value::Object(_) => "an object",
        }
    }
}

/// `module` and `name` of a global.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    /// Dotted module.
    pub module: Span,
    /// Name within it, possibly dotted.
    pub name: Span,
}

/// An instance as the pickle describes it: nothing was called.
#[derive(Clone, Debug)]
pub struct Object {
    /// The class or function that Python would have called.
    pub class: Id,
    /// A tuple of arguments.
    pub args: Id,
    /// A dict of keyword arguments, or None.
    pub kwargs: Id,
    /// What BUILD gave.
    pub state: Option<Id>,
    /// What APPENDS or ADDITEMS gave.
    pub items: Vec<Id>,
    /// What SETITEMS gave.
    pub pairs: Vec<(Id, Id)>,
}

/// The bytes and the values that refer to them.
pub struct Heap<'a> {
    data: Cow<'a, [u8]>,
    extra: Vec<u8>,
    values: Vec<Value>,
}

/// The most values that a file may hold: 32 million (one GiB of memory).
const MAX_VALUES: usize = 1 << 25;

impl<'a> Heap<'a> {
    /// A heap with the interned values alone.
    pub fn new(data: Cow<'a, [u8]>) -> Heap<'a> {
        let values = vec![Value::None, Value::Bool(true), Value::Bool(false), Value::Tuple(Vec::new())];
        Heap { data, extra: Vec::new(), values }
    }

    /// The (decompressed) file.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Adds a value; None where there are too many.
    pub fn push(&mut self, value: Value) -> Option<Id> {
        if self.values.len() >= MAX_VALUES {
            return None;
        }
        self.values.push(value);
        Some(Id(self.values.len() as u32 - 1))
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The value of an id of this heap.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[id.index()]
    }

    /// The value of an id of this heap, to be changed.
    pub fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id.index()]
    }

    /// Keeps bytes that do not stand in the file.
    pub fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.data.len() + self.extra.len();
        self.extra.extend_from_slice(bytes);
        Span { start, len: bytes.len() }
    }

    /// The bytes of a span of this heap.
    pub fn bytes(&self, span: Span) -> &[u8] {
        match span.start.checked_sub(self.data.len()) {
            Some(start) if span.len > 0 => &self.extra[start..start + span.len],
            Some(_) => &[],
            None => &self.data[span.start..span.start + span.len],
        }
    }

    /// The text of a span; empty where it is not UTF-8 (spans of `Str` always are).
    pub fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).unwrap_or("")
    }

    /// The text of a `str`.
    pub fn as_str(&self, id: Id) -> Option<&str> {
        if let Value::Str(span) = self.get(id) { Some(self.text(*span)) } else { None }
    }

    /// Module and name of a global. Modules that were renamed carry their newest name.
    pub fn symbol(&self, id: Id) -> Option<(&str, &str)> {
        let Value::Global(symbol) = self.get(id) else { return None };
        Some((self.text(symbol.module), self.text(symbol.name)))
    }

    /// `module.name` of a global, with today's names of modules that were renamed.
    pub fn dotted(&self, id: Id) -> Option<String> {
        let (module, name) = self.symbol(id)?;
        let module = match module {
            "__builtin__" => "builtins".into(),
            "copy_reg" => "copyreg".into(),
            m if m == "numpy.core" || m.starts_with("numpy.core.") => {
                format!("numpy._core{}", &m["numpy.core".len()..])
            }
            m => m.to_string(),
        };
        Some(format!("{module}.{name}"))
    }

    /// The elements of a list, tuple or set; also of `set([…])` as protocols below 4 write it.
    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(v) | Value::Tuple(v) | Value::Set(v) => Some(v),
            Value::Object(o) if matches!(self.dotted(o.class)?.as_str(), "builtins.set" | "builtins.frozenset") => {
                match self.get(o.args) {
                    Value::Tuple(args) => match self.get(*args.first()?) {
                        Value::List(v) => Some(v),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The pairs of a dict, or of an object that is one (`OrderedDict`, `Bunch`).
    pub fn pairs(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(v) => Some(v),
            Value::Object(o) if !o.pairs.is_empty() || o.state.is_none() => Some(&o.pairs),
            _ => None,
        }
    }

    /// What a dict holds under a text.
    pub fn lookup(&self, dict: Id, key: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.get(dict) else { return None };
        pairs.iter().rev().find(|(k, _)| self.as_str(*k) == Some(key)).map(|(_, v)| *v)
    }
}
