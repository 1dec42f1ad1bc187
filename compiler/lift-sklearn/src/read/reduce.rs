//! What REDUCE and BUILD mean for the few callables whose result is plain data. All others stay objects.

use std::sync::Arc;

use crate::read::machine::{Machine, Step, object};
use crate::read::numpy::{Array, DType, shape};
use crate::read::value::{Id, Value};

/// Fields of all structured dtypes of a file; a library's file has a few hundred kinds at the very most.
const MAX_FIELDS: usize = 1 << 20;

impl Machine<'_> {
    /// The value of `callable(*args)`.
    pub(super) fn reduce(&mut self, callable: Id, args: Id) -> Step<Id> {
        let items = match self.heap.get(args) {
            Value::Tuple(items) => [0, 1, 2, 3].map(|i| items.get(i).copied()),
            _ => return Err(self.fault("arguments that are not a tuple")),
        };
        let name = self.heap.dotted(callable).unwrap_or_default();
        let value = match (name.as_str(), items) {
            ("numpy._core.multiarray._reconstruct", [Some(class), ..])
                if self.heap.symbol(class) == Some(("numpy", "ndarray")) =>
            {
                Value::Array(Box::new(Array::empty()))
            }
            ("numpy._core.numeric._frombuffer", [Some(buffer), Some(dtype), Some(shape), Some(order)]) => {
                self.buffer_array(buffer, dtype, shape, order)?
            }
            ("numpy._core.multiarray.scalar", [Some(dtype), Some(value), ..]) => match self.scalar(dtype, value)? {
                Ok(scalar) => scalar,
                Err(id) => return Ok(id),
            },
            ("numpy.dtype", [Some(code), ..]) => match self.heap.as_str(code).and_then(DType::parse) {
                Some(dtype) => Value::DType(Arc::new(dtype)),
                None => object(callable, args, Id::NONE),
            },
            ("_codecs.encode", [Some(text), ..]) => match self.latin1(text)? {
                Some(bytes) => bytes,
                None => object(callable, args, Id::NONE),
            },
            ("builtins.bytearray" | "builtins.bytes", [Some(bytes), ..])
                if matches!(self.heap.get(bytes), Value::Bytes(_)) =>
            {
                return Ok(bytes);
            }
            ("copyreg._reconstructor", [Some(class), ..]) => object(class, Id::UNIT, Id::NONE),
            _ => object(callable, args, Id::NONE),
        };
        self.add(value)
    }

    fn buffer_array(&mut self, buffer: Id, dtype: Id, dims: Id, order: Id) -> Step<Value> {
        let fortran = match self.heap.as_str(order) {
            Some("C") => false,
            Some("F") => true,
            _ => return Err(self.fault("an array in an order that is neither C nor F")),
        };
        let Value::Bytes(span) = self.heap.get(buffer) else {
            return Err(self.fault(format!("an array over {}", self.heap.get(buffer).kind())));
        };
        let span = *span;
        let dtype = self.dtype(dtype)?;
        let array = shape(&self.heap, dims).and_then(|dims| Array::raw(dtype, dims, fortran, span));
        Ok(Value::Array(Box::new(array.map_err(|e| self.fault(e))?)))
    }

    /// A numpy scalar; a scalar of dtype `O` is the value that it holds.
    fn scalar(&mut self, dtype: Id, value: Id) -> Step<Result<Value, Id>> {
        let dtype = self.dtype(dtype)?;
        match self.heap.get(value) {
            _ if dtype.has_object => Ok(Err(value)),
            Value::Bytes(span) if span.len == dtype.itemsize => Ok(Ok(Value::Scalar(dtype, *span))),
            other => Err(self.fault(format!("a numpy scalar of {} made of {}", dtype.name(), other.kind()))),
        }
    }

    /// Protocols below 3 write bytes as Latin-1 text.
    fn latin1(&mut self, text: Id) -> Step<Option<Value>> {
        let bytes: Option<Vec<u8>> =
            self.heap.as_str(text).and_then(|t| t.chars().map(|c| u8::try_from(c).ok()).collect());
        Ok(match bytes {
            Some(bytes) => Some(Value::Bytes(self.keep(&bytes)?)),
            None => None,
        })
    }

    pub(super) fn dtype(&self, id: Id) -> Step<Arc<DType>> {
        if let Value::DType(dtype) = self.heap.get(id) {
            return Ok(dtype.clone());
        }
        let class = match self.heap.get(id) {
            Value::Object(o) => self.heap.dotted(o.class).unwrap_or_default(),
            other => other.kind().into(),
        };
        Err(self.fault(format!("an array of dtype `{class}`, which is not supported")))
    }

    /// BUILD: what the value is after it was given its state.
    pub(super) fn build(&mut self, target: Id, state: Id, arrays: bool) -> Step<Id> {
        match self.heap.get(target) {
            Value::Array(_) => self.build_array(target, state)?,
            Value::DType(_) => self.build_dtype(target, state)?,
            Value::Object(o) if o.state.is_some() => return Err(self.fault("an object that is built twice")),
            Value::Object(o) => {
                let class = o.class;
                if let Value::Object(o) = self.heap.get_mut(target) {
                    o.state = Some(state);
                }
                let wrapper = ("joblib.numpy_pickle", "NumpyArrayWrapper");
                if arrays && self.heap.symbol(class) == Some(wrapper) {
                    return self.wrapped_array(state);
                }
            }
            other => return Err(self.fault(format!("cannot be applied to {}", other.kind()))),
        }
        Ok(target)
    }

    /// `(version, shape, dtype, is_fortran, data)`; data are bytes, or a list for dtype `O`.
    fn build_array(&mut self, target: Id, state: Id) -> Step<()> {
        let Some(&[_, dims, dtype, fortran, data]) = self.heap.sequence(state) else {
            return Err(self.fault("an array whose state is not of five parts"));
        };
        let dtype = self.dtype(dtype)?;
        let fortran = matches!(self.heap.get(fortran), Value::Bool(true) | Value::Int(1));
        let array = shape(&self.heap, dims).and_then(|dims| match self.heap.get(data) {
            Value::List(_) if dtype.has_object => Array::objects(&self.heap, dtype, dims, data),
            Value::Bytes(span) | Value::Str(span) if !dtype.has_object => Array::raw(dtype, dims, fortran, *span),
            other => Err(format!("an array of {} made of {}", dtype.name(), other.kind())),
        });
        *self.heap.get_mut(target) = Value::Array(Box::new(array.map_err(|e| self.fault(e))?));
        Ok(())
    }

    fn build_dtype(&mut self, target: Id, state: Id) -> Step<()> {
        let plain = self.dtype(target)?;
        let state = self.heap.sequence(state).unwrap_or_default();
        let built = plain.build(&self.heap, state).map_err(|e| self.fault(e))?;
        self.fields += built.fields.len();
        if self.fields > MAX_FIELDS {
            return Err(self.fault("more fields of dtypes than any library writes"));
        }
        *self.heap.get_mut(target) = Value::DType(Arc::new(built));
        Ok(())
    }
}
