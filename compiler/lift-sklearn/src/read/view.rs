//! Typed access to what was read, with the path that a diagnostic names.

use flock_ir_spec::Diagnostic;

use crate::read::Document;
use crate::read::numpy::{Array, DType, Elements, Kind, Number};
use crate::read::value::{Id, Object, Value};

/// A value and where it stands: `steps.features.transformers.num.scaler.mean_`.
#[derive(Clone)]
pub struct View<'a> {
    doc: &'a Document<'a>,
    id: Id,
    path: String,
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// `None`
    None,
    /// `bool` and `numpy.bool_`
    Bool(bool),
    /// `int` and numpy's
    Int(i64),
    /// `float` and numpy's
    Float(f64),
    /// `str` and `numpy.str_`
    Str(String),
    /// `pandas.NA`
    Na,
}

/// A table of numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `rows * columns` values, row by row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// Columns as rows.
    #[must_use]
    pub fn transposed(&self) -> Matrix {
        let at = |column: usize| self.values.iter().skip(column).step_by(self.columns.max(1)).copied();
        Matrix { rows: self.columns, columns: self.rows, values: (0..self.columns).flat_map(at).collect() }
    }
}

/// An array of structs over the bytes of the file.
pub struct Records<'a> {
    /// The bytes of all structs.
    pub bytes: &'a [u8],
    /// Bytes of one struct.
    pub itemsize: usize,
    doc: &'a Document<'a>,
    dtype: &'a DType,
    path: &'a str,
}

/// An object's state has tens of entries; one of many thousands is made to be searched for ever.
const MAX_STATE: usize = 4096;

type Res<T> = Result<T, Diagnostic>;

impl<'a> View<'a> {
    pub(super) fn root(doc: &'a Document<'a>) -> View<'a> {
        View { doc, id: doc.root, path: String::new() }
    }

    /// Where the value stands; never empty.
    pub fn path(&self) -> &str {
        if self.path.is_empty() { "model" } else { &self.path }
    }

    /// The value's identity: equal ids are the same Python object.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The file.
    pub fn document(&self) -> &'a Document<'a> {
        self.doc
    }

    /// The same value under another path.
    #[must_use]
    pub fn at(&self, path: impl Into<String>) -> View<'a> {
        View { path: path.into(), ..self.clone() }
    }

    /// The path of a part of this value.
    pub fn join(&self, part: &str) -> String {
        if self.path.is_empty() { part.into() } else { format!("{}.{part}", self.path) }
    }

    fn part(&self, id: Id, name: &str) -> View<'a> {
        View { doc: self.doc, id, path: self.join(name) }
    }

    fn value(&self) -> &'a Value {
        self.doc.heap.get(self.id)
    }

    fn object(&self) -> Option<&'a Object> {
        if let Value::Object(o) = self.value() { Some(o) } else { None }
    }

    fn array(&self) -> Option<&'a Array> {
        if let Value::Array(a) = self.value() { Some(a) } else { None }
    }

    /// `module.name` of an object's class, or of a global itself.
    pub fn class(&self) -> Option<String> {
        match self.value() {
            Value::Object(o) => self.doc.heap.dotted(o.class),
            Value::Global(_) => self.doc.heap.dotted(self.id),
            _ => None,
        }
    }

    /// The class without its module, or what the value is.
    pub fn kind(&self) -> String {
        match (self.class(), self.array()) {
            (Some(class), _) => format!("`{}`", class.rsplit('.').next().unwrap_or(&class)),
            (None, Some(Array { dtype: Some(dtype), shape, .. })) => {
                format!("an array of {} {shape:?}", dtype.name())
            }
            _ => self.value().kind().into(),
        }
    }

    /// A fault at this place: what was expected against what is here.
    pub fn expected(&self, what: &str) -> Diagnostic {
        let message = format!("{what} expected, {} found", self.kind());
        Diagnostic::new("flock::lift::unexpected_type", self.path(), message)
    }

    /// A fault at this place: a value that is not supported.
    pub fn unsupported(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new("flock::lift::unsupported", self.path(), message)
    }

    /// Name and value of everything that the object's state holds.
    pub fn state(&self) -> Res<Vec<(&'a str, View<'a>)>> {
        let pairs = self.state_pairs()?;
        Ok(pairs
            .iter()
            .filter_map(|(k, v)| Some((self.doc.heap.as_str(*k)?, *v)))
            .map(|(k, v)| (k, self.part(v, k)))
            .collect())
    }

    fn state_pairs(&self) -> Res<&'a [(Id, Id)]> {
        let heap = &self.doc.heap;
        let state = self.object().ok_or_else(|| self.expected("an object"))?.state;
        let pairs = match state.map(|s| heap.get(s)) {
            Some(Value::Dict(pairs)) => pairs.as_slice(),
            // `(dict, slots)`
            Some(Value::Tuple(parts)) => parts.iter().find_map(|p| heap.pairs(*p)).unwrap_or_default(),
            _ => &[],
        };
        if pairs.len() > MAX_STATE {
            return Err(self.unsupported(format!("an object of {} attributes", pairs.len())));
        }
        Ok(pairs)
    }

    /// An attribute of the object, if it is there.
    pub fn get(&self, name: &str) -> Option<View<'a>> {
        let pairs = self.state_pairs().ok()?;
        let found = pairs.iter().rev().find(|(k, _)| self.doc.heap.as_str(*k) == Some(name));
        found.map(|(_, v)| self.part(*v, name))
    }

    /// An attribute of the object.
    pub fn attr(&self, name: &str) -> Res<View<'a>> {
        self.get(name).ok_or_else(|| {
            let message = format!("{} has no `{name}`", self.kind());
            let fault = Diagnostic::new("flock::lift::missing_attribute", self.path(), message);
            if name.ends_with('_') { fault.help("save the pipeline after it was fitted") } else { fault }
        })
    }

    /// The arguments that the object was made of.
    pub fn args(&self) -> Vec<View<'a>> {
        let args = self.object().and_then(|o| self.doc.heap.sequence(o.args)).unwrap_or_default();
        args.iter().enumerate().map(|(i, id)| self.part(*id, &i.to_string())).collect()
    }

    /// Whether the value is `None`.
    pub fn is_none(&self) -> bool {
        self.id == Id::NONE
    }

    /// The elements of a list, a tuple, a set, or an array of objects.
    pub fn items(&self) -> Res<Vec<View<'a>>> {
        let ids = match (self.array().map(|a| &a.elements), self.doc.heap.sequence(self.id)) {
            (Some(Elements::Objects(list)), _) => self.doc.heap.sequence(*list),
            (_, ids) => ids,
        };
        let ids = ids.ok_or_else(|| self.expected("a list or an array"))?;
        self.charge(ids.len())?;
        Ok(ids.iter().enumerate().map(|(i, id)| self.part(*id, &i.to_string())).collect())
    }

    /// The elements of a tuple of exactly `N`.
    pub fn tuple<const N: usize>(&self) -> Res<[View<'a>; N]> {
        let items = self.items()?;
        items.try_into().map_err(|_| self.expected(&format!("a tuple of {N}")))
    }

    /// The entries of a dict.
    pub fn entries(&self) -> Res<Vec<(View<'a>, View<'a>)>> {
        let pairs = self.doc.heap.pairs(self.id).ok_or_else(|| self.expected("a dict"))?;
        self.charge(pairs.len())?;
        Ok(pairs.iter().map(|(k, v)| (self.part(*k, "key"), self.part(*v, "value"))).collect())
    }

    /// What a dict holds under a text.
    pub fn entry(&self, key: &str) -> Option<View<'a>> {
        let pairs = self.doc.heap.pairs(self.id)?;
        self.charge(pairs.len()).ok()?;
        let found = pairs.iter().rev().find(|(k, _)| self.doc.heap.as_str(*k) == Some(key));
        found.map(|(_, v)| self.part(*v, key))
    }

    /// A value without parts; an array of one element without dimensions counts as one.
    pub fn plain(&self) -> Res<Plain> {
        let heap = &self.doc.heap;
        let found = match self.value() {
            Value::None => Some(Plain::None),
            Value::Bool(b) => Some(Plain::Bool(*b)),
            Value::Int(i) => Some(Plain::Int(*i)),
            Value::Float(f) => Some(Plain::Float(*f)),
            Value::Str(span) => Some(Plain::Str(heap.text(*span).into())),
            Value::Scalar(dtype, span) => raw_plain(dtype, heap.bytes(*span)),
            Value::Array(a) if a.shape.is_empty() => return Ok(self.plains()?.remove(0)),
            Value::Object(_) if self.class().as_deref() == Some("pandas._libs.missing._pickle_NAType") => {
                Some(Plain::Na)
            }
            Value::Global(_) if self.class().as_deref() == Some("pandas._libs.missing.NA") => Some(Plain::Na),
            _ => None,
        };
        found.ok_or_else(|| self.expected("a number, text, bool or None"))
    }

    /// The elements of an array or list, each without parts, in C order.
    pub fn plains(&self) -> Res<Vec<Plain>> {
        let view = self.index_data().unwrap_or_else(|| self.clone());
        if let Some(array) = view.get("_pa_array") {
            return array.arrow_strings();
        }
        let Some(Array { dtype: Some(dtype), elements: Elements::Raw(span), .. }) = view.array() else {
            return view.items()?.iter().map(View::plain).collect();
        };
        let array = view.array().ok_or_else(|| view.expected("an array"))?;
        self.charge(span.len)?;
        let bytes = self.doc.heap.bytes(*span);
        let element = |i: usize| raw_plain(dtype, bytes.get(i * dtype.itemsize..(i + 1) * dtype.itemsize)?);
        let plains: Option<Vec<Plain>> = array.positions().map(element).collect();
        plains.ok_or_else(|| view.expected("an array of numbers or text"))
    }

    /// The array within a `pandas.Index`.
    fn index_data(&self) -> Option<View<'a>> {
        (self.class()? == "pandas.core.indexes.base._new_Index").then(|| self.args())?.get(1)?.entry("data")
    }

    /// Text in an array of Arrow, as pandas 3 keeps it: validity, offsets and bytes.
    fn arrow_strings(&self) -> Res<Vec<Plain>> {
        let fault = || self.expected("an array of text");
        let parts = match self.args() {
            parts if self.class().as_deref() == Some("pyarrow.lib._restore_array") => parts,
            _ => return Err(fault()),
        };
        let [parts] = &parts[..] else { return Err(fault()) };
        let [kind, length, _, offset, buffers, ..] = &parts.items()?[..] else { return Err(fault()) };
        let (length, offset) = (length.size()?, offset.size()?);
        let wide = match kind.args().first().and_then(View::str) {
            Some("large_string" | "large_utf8") => true,
            Some("string" | "utf8") => false,
            _ => return Err(fault()),
        };
        let [validity, offsets, bytes] = &buffers.items()?[..] else { return Err(fault()) };
        let (validity, bytes) = (validity.buffer(), bytes.buffer().unwrap_or_default());
        let offsets = offsets.buffer().ok_or_else(fault)?;
        let at = |i: usize| -> Option<usize> {
            if wide {
                let word = offsets.as_chunks::<8>().0.get(i)?;
                usize::try_from(i64::from_le_bytes(*word)).ok()
            } else {
                let word = offsets.as_chunks::<4>().0.get(i)?;
                usize::try_from(i32::from_le_bytes(*word)).ok()
            }
        };
        let element = |i: usize| -> Option<Plain> {
            let there = match validity {
                Some(bits) => bits.get(i / 8)? >> (i % 8) & 1 == 1,
                None => true,
            };
            let text = bytes.get(at(i)?..at(i + 1)?)?;
            Some(if there { Plain::Str(std::str::from_utf8(text).ok()?.into()) } else { Plain::None })
        };
        self.charge(length.saturating_add(bytes.len()))?;
        let end = offset.checked_add(length).ok_or_else(fault)?;
        (offset..end).map(|i| element(i).ok_or_else(fault)).collect()
    }

    /// The bytes of a buffer of Arrow, if it is there.
    fn buffer(&self) -> Option<&'a [u8]> {
        let bytes = self.args().into_iter().next()?;
        if let Value::Bytes(span) = bytes.value() { Some(self.doc.heap.bytes(*span)) } else { None }
    }

    /// The shape of an array; `[n]` for a list.
    pub fn shape(&self) -> Res<Vec<usize>> {
        match (self.array(), self.doc.heap.sequence(self.id)) {
            (Some(a), _) => Ok(a.shape.clone()),
            (None, Some(ids)) => Ok(vec![ids.len()]),
            _ => Err(self.expected("an array")),
        }
    }

    /// The sort of the elements of an array.
    pub fn element_kind(&self) -> Option<Kind> {
        self.array()?.dtype.as_ref().map(|d| d.kind)
    }

    /// Bytes of an element of an array of numbers.
    pub fn element_size(&self) -> Option<usize> {
        self.array()?.dtype.as_ref().map(|d| d.itemsize)
    }

    /// All elements as f64, in C order. Integers beyond 2^53 would change and are refused.
    pub fn f64s(&self) -> Res<Vec<f64>> {
        if let Some(values) = self.raw_f64s()? {
            return Ok(values);
        }
        let number = |p: Plain| p.number().ok_or_else(|| self.expected("an array of numbers"));
        self.plains()?.into_iter().map(number).collect()
    }

    /// The common case, fast: little-endian f64 or f32 in C order.
    fn raw_f64s(&self) -> Res<Option<Vec<f64>>> {
        let Some(Array { dtype: Some(dtype), elements: Elements::Raw(span), fortran: false, .. }) = self.array() else {
            return Ok(None);
        };
        if dtype.kind != Kind::Float || dtype.big_endian {
            return Ok(None);
        }
        self.charge(span.len / dtype.itemsize)?;
        let bytes = self.doc.heap.bytes(*span);
        Ok(match dtype.itemsize {
            8 => Some(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            4 => Some(bytes.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()),
            _ => None,
        })
    }

    /// A table of numbers; one row where the array has one dimension.
    pub fn matrix(&self) -> Res<Matrix> {
        let (rows, columns) = match self.shape()?[..] {
            [n] => (1, n),
            [r, c] => (r, c),
            _ => return Err(self.expected("an array of one or two dimensions")),
        };
        Ok(Matrix { rows, columns, values: self.f64s()? })
    }

    /// As many numbers as asked for.
    pub fn f64s_of(&self, n: usize) -> Res<Vec<f64>> {
        let values = self.f64s()?;
        if values.len() == n { Ok(values) } else { Err(self.expected(&format!("an array of {n} numbers"))) }
    }

    /// A number.
    pub fn f64(&self) -> Res<f64> {
        self.plain()?.number().ok_or_else(|| self.expected("a number"))
    }

    /// An integer.
    pub fn int(&self) -> Res<i64> {
        match self.plain()? {
            Plain::Int(i) => Ok(i),
            Plain::Bool(b) => Ok(i64::from(b)),
            _ => Err(self.expected("an int")),
        }
    }

    /// A size.
    pub fn size(&self) -> Res<usize> {
        usize::try_from(self.int()?).map_err(|_| self.expected("a size"))
    }

    /// Sizes or positions.
    pub fn sizes(&self) -> Res<Vec<usize>> {
        let size = |p| match p {
            Plain::Int(i) => usize::try_from(i).map_err(|_| self.expected("sizes")),
            _ => Err(self.expected("sizes")),
        };
        self.plains()?.into_iter().map(size).collect()
    }

    /// A truth value.
    pub fn bool(&self) -> Res<bool> {
        match self.plain()? {
            Plain::Bool(b) => Ok(b),
            Plain::Int(i @ (0 | 1)) => Ok(i == 1),
            _ => Err(self.expected("a bool")),
        }
    }

    /// Text.
    pub fn text(&self) -> Res<String> {
        match self.plain()? {
            Plain::Str(s) => Ok(s),
            _ => Err(self.expected("text")),
        }
    }

    /// The name of a dtype, where the value is one.
    pub fn dtype_name(&self) -> Option<String> {
        if let Value::DType(d) = self.value() { Some(d.name()) } else { None }
    }

    /// Whether the value is the dtype of float32.
    pub fn is_float32(&self) -> bool {
        self.dtype_name().as_deref() == Some("float32")
    }

    /// Bytes or text as it lies in the file, where the value is one of them.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.value() {
            Value::Bytes(span) | Value::Str(span) => Some(self.doc.heap.bytes(*span)),
            _ => None,
        }
    }

    /// Text without copying, where the value is a `str` of Python.
    pub fn str(&self) -> Option<&'a str> {
        self.doc.heap.as_str(self.id)
    }

    /// An array of structs.
    pub fn records(&self) -> Res<Records<'_>> {
        match self.array() {
            Some(Array { dtype: Some(dtype), elements: Elements::Raw(span), shape, .. })
                if !dtype.fields.is_empty() && shape.len() == 1 =>
            {
                self.charge(span.len / dtype.itemsize)?;
                let bytes = self.doc.heap.bytes(*span);
                Ok(Records { bytes, itemsize: dtype.itemsize, doc: self.doc, dtype, path: self.path() })
            }
            _ => Err(self.expected("an array of structs")),
        }
    }

    fn charge(&self, n: usize) -> Res<()> {
        if self.doc.charge(n) {
            return Ok(());
        }
        let message = "the file refers to the same data over and over, and means more than it holds";
        Err(Diagnostic::new("flock::lift::too_large", self.path(), message))
    }
}

impl Records<'_> {
    /// Where a field of that sort and size starts; None where there is no field of that name.
    pub fn offset(&self, name: &str, kind: Kind, size: usize) -> Res<Option<usize>> {
        let Some(field) = self.dtype.field(&self.doc.heap, name) else { return Ok(None) };
        let d = &field.dtype;
        if d.kind == kind && d.itemsize == size && !d.big_endian {
            return Ok(Some(field.offset));
        }
        let order = if d.big_endian { "big-endian " } else { "" };
        let message = format!("field `{name}` is {order}{}", d.name());
        Err(Diagnostic::new("flock::lift::unexpected_type", self.path, message))
    }

    /// The field that must be there.
    pub fn required(&self, name: &str, kind: Kind, size: usize) -> Res<usize> {
        let message = || format!("its structs have no field `{name}`");
        self.offset(name, kind, size)?
            .ok_or_else(|| Diagnostic::new("flock::lift::missing_attribute", self.path, message()))
    }
}

impl Plain {
    /// The number, if it is one that f64 holds exactly. A bool counts as 0 or 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Plain::Bool(b) => Some(f64::from(u8::from(*b))),
            Plain::Int(i) => (i.unsigned_abs() <= 1 << 53).then_some(*i as f64),
            Plain::Float(f) => Some(*f),
            Plain::None | Plain::Str(_) | Plain::Na => None,
        }
    }
}

fn raw_plain(dtype: &DType, bytes: &[u8]) -> Option<Plain> {
    Some(match dtype.number(bytes) {
        Some(Number::Bool(b)) => Plain::Bool(b),
        Some(Number::Int(i)) => Plain::Int(i),
        Some(Number::Float(f)) => Plain::Float(f),
        None => Plain::Str(dtype.text(bytes)?),
    })
}
