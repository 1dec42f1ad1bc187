//! Tensors that are known: initializers, attributes, folded constants.

use std::sync::Arc;

use flock_ir_spec::{Data, Frame};
use onnx_protobuf::{TensorProto, tensor_proto::DataLocation};

use crate::elem::{Elem, name_of};
use crate::external::Files;
use crate::shape::Shape;

/// A tensor of known values.
#[derive(Clone, Debug)]
pub struct Literal {
    /// Element type.
    pub elem: Elem,
    /// Extents; a scalar has none.
    pub dims: Vec<u64>,
    /// One row of all elements, in row-major order.
    pub frame: Frame,
}

/// Elements that a tensor may have.
pub const MAX_ELEMENTS: u64 = flock_ir_spec::types::MAX_WIDTH as u64;

impl Literal {
    /// A tensor of those elements; None where their number does not fit the extents.
    pub fn new(elem: Elem, dims: Vec<u64>, data: Data) -> Option<Literal> {
        let n = dims.iter().try_fold(1u64, |a, d| a.checked_mul(*d))?;
        let frame = Frame::new(1, usize::try_from(n).ok()?, data)?;
        let narrow = |x: &i64| i32::try_from(*x).is_ok();
        if elem == Elem::I32 && !frame.as_i64().is_some_and(|v| v.iter().all(narrow)) {
            return None;
        }
        (frame.dtype() == elem.dtype()).then_some(Literal { elem, dims, frame })
    }

    /// A list of integers.
    pub fn of_ints(values: Vec<i64>) -> Literal {
        Literal { elem: Elem::I64, dims: vec![values.len() as u64], frame: Frame::row_i64(values) }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        Shape::fixed(&self.dims)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.frame.width
    }

    /// The elements, if they are integers.
    pub fn ints(&self) -> Option<&[i64]> {
        self.frame.as_i64()
    }

    /// The elements as doubles, if they are floats.
    pub fn floats(&self) -> Option<Vec<f64>> {
        match &self.frame.data {
            Data::F32(v) => Some(v.iter().map(|x| f64::from(*x)).collect()),
            Data::F64(v) => Some(v.clone()),
            _ => None,
        }
    }

    /// The one element, if it is a float.
    pub fn float(&self) -> Option<f64> {
        if self.len() == 1 { self.floats()?.pop() } else { None }
    }
}

/// The extents of a tensor, which are neither negative nor too many.
fn dims(tensor: &TensorProto) -> Result<(Vec<u64>, usize), String> {
    let negative = |d: &i64| format!("an extent of {d}");
    let dims = tensor.dims.iter().map(|d| u64::try_from(*d).map_err(|_| negative(d))).collect::<Result<Vec<_>, _>>()?;
    let count = dims.iter().try_fold(1u64, |a, d| a.checked_mul(*d)).filter(|n| *n <= MAX_ELEMENTS);
    match count {
        Some(n) => Ok((dims, n as usize)),
        None => Err(format!("extents {dims:?}: at most {MAX_ELEMENTS} elements are supported")),
    }
}

/// Decodes a tensor. Nothing is allocated that the file does not fill.
pub fn decode(tensor: &TensorProto, files: &mut Files) -> Result<Literal, String> {
    let data_type = i64::from(tensor.data_type);
    let elem = Elem::of(data_type).ok_or_else(|| {
        format!("elements of {}; float, double, int64, int32, bool and string are read", name_of(data_type))
    })?;
    let (dims, n) = dims(tensor)?;
    if tensor.segment.is_some() {
        return Err("a segment of a tensor".into());
    }
    let external = tensor.data_location.enum_value_or_default() == DataLocation::EXTERNAL;
    let data = if external {
        let bytes = files.read(tensor, n * size(elem).ok_or("external text")?)?;
        raw(elem, n, &bytes)?
    } else if !tensor.raw_data.is_empty() {
        raw(elem, n, &tensor.raw_data)?
    } else {
        listed(elem, n, tensor)?
    };
    Literal::new(elem, dims, data).ok_or_else(|| "the elements do not fit the extents".into())
}

fn size(elem: Elem) -> Option<usize> {
    match elem {
        Elem::F32 | Elem::I32 => Some(4),
        Elem::F64 | Elem::I64 => Some(8),
        Elem::Bool => Some(1),
        Elem::Str => None,
    }
}

fn raw(elem: Elem, n: usize, bytes: &[u8]) -> Result<Data, String> {
    let size = size(elem).ok_or("text in raw form")?;
    if bytes.len() != n * size {
        return Err(format!("{} bytes for {n} elements of {size}", bytes.len()));
    }
    let wide = |c: &[u8]| <[u8; 8]>::try_from(c).unwrap_or_default();
    let narrow = |c: &[u8]| <[u8; 4]>::try_from(c).unwrap_or_default();
    Ok(match elem {
        Elem::F32 => Data::F32(bytes.chunks_exact(4).map(|c| f32::from_le_bytes(narrow(c))).collect()),
        Elem::F64 => Data::F64(bytes.chunks_exact(8).map(|c| f64::from_le_bytes(wide(c))).collect()),
        Elem::I64 => Data::I64(bytes.chunks_exact(8).map(|c| i64::from_le_bytes(wide(c))).collect()),
        Elem::I32 => Data::I64(bytes.chunks_exact(4).map(|c| i64::from(i32::from_le_bytes(narrow(c)))).collect()),
        Elem::Bool | Elem::Str => Data::Bool(bytes.iter().map(|b| *b != 0).collect()),
    })
}

fn listed(elem: Elem, n: usize, tensor: &TensorProto) -> Result<Data, String> {
    let found = match elem {
        Elem::F32 => tensor.float_data.len(),
        Elem::F64 => tensor.double_data.len(),
        Elem::I64 => tensor.int64_data.len(),
        Elem::I32 | Elem::Bool => tensor.int32_data.len(),
        Elem::Str => tensor.string_data.len(),
    };
    if found != n {
        return Err(format!("{found} elements where the extents say {n}"));
    }
    Ok(match elem {
        Elem::F32 => Data::F32(tensor.float_data.clone()),
        Elem::F64 => Data::F64(tensor.double_data.clone()),
        Elem::I64 => Data::I64(tensor.int64_data.clone()),
        Elem::I32 => Data::I64(tensor.int32_data.iter().map(|x| i64::from(*x)).collect()),
        Elem::Bool => Data::Bool(tensor.int32_data.iter().map(|x| *x != 0).collect()),
        Elem::Str => {
            let text = |s: &Vec<u8>| std::str::from_utf8(s).map(Arc::from).map_err(|_| "a string that is no UTF-8");
            Data::Str(tensor.string_data.iter().map(text).collect::<Result<_, _>>()?)
        }
    })
}
