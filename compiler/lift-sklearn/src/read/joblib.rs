//! joblib's layout: a pickle with the bytes of each array right behind the BUILD of its wrapper.
//! Source: joblib `numpy_pickle.py`, `NumpyArrayWrapper.read_array`.

use crate::read::machine::{Machine, Step, object};
use crate::read::numpy::{Array, byte_size, shape};
use crate::read::value::{Id, Value};

/// `subclass, shape, order, dtype, allow_mmap, numpy_array_alignment_bytes`, and room for what joblib may add.
const MAX_WRAPPER: usize = 16;

impl Machine<'_> {
    /// The array that a `NumpyArrayWrapper` of that state stands for; its bytes are next in the file.
    pub(super) fn wrapped_array(&mut self, state: Id) -> Step<Id> {
        self.joblib = true;
        if self.heap.pairs(state).is_none_or(|p| p.len() > MAX_WRAPPER) {
            return Err(self.fault("an array of joblib that is not described"));
        }
        let get = |m: &Self, key: &str| {
            m.heap.lookup(state, key).ok_or_else(|| m.fault(format!("an array of joblib without `{key}`")))
        };
        let dtype = self.dtype(get(self, "dtype")?)?;
        let array = if dtype.has_object {
            // A pickle of its own, with a memo of its own; arrays within it are plain ones.
            let nested = self.run(false)?;
            if !matches!(self.heap.get(nested), Value::Array(_)) {
                return Err(self.fault(format!("an array of joblib that is {}", self.heap.get(nested).kind())));
            }
            nested
        } else {
            let dims = shape(&self.heap, get(self, "shape")?).map_err(|e| self.fault(e))?;
            let fortran = self.heap.as_str(get(self, "order")?) == Some("F");
            if self.heap.lookup(state, "numpy_array_alignment_bytes").is_some_and(|id| id != Id::NONE) {
                let span = self.take(1)?;
                let padding = usize::from(self.heap.bytes(span)[0]);
                self.take(padding)?;
            }
            let bytes = byte_size(&dtype, &dims).map_err(|e| self.fault(e))?;
            let span = self.take(bytes)?;
            let array = Array::raw(dtype, dims, fortran, span).map_err(|e| self.fault(e))?;
            self.add(Value::Array(Box::new(array)))?
        };
        self.of_subclass(get(self, "subclass")?, array)
    }

    /// Plain arrays stay arrays; one of another class (`numpy.matrix`) becomes an object that holds it.
    fn of_subclass(&mut self, class: Id, array: Id) -> Step<Id> {
        match self.heap.dotted(class).as_deref() {
            Some("numpy.ndarray" | "numpy.memmap" | "numpy._core.memmap.memmap") => Ok(array),
            _ => {
                let args = self.add(Value::Tuple(vec![array]))?;
                self.add(object(class, args, Id::NONE))
            }
        }
    }
}
