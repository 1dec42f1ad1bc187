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
        if let (Elem::Int(int), Some(values)) = (elem, frame.as_i64())
            && !values.iter().all(|x| (int.low()..=int.high()).contains(x))
        {
            return None;
        }
        (frame.dtype() == elem.dtype()).then_some(Literal { elem, dims, frame })
    }

    /// A tensor without elements; None where the extents say otherwise.
    pub fn empty(elem: Elem, shape: &Shape) -> Option<Literal> {
        if shape.rows_axis().is_some() {
            return None;
        }
        Literal::new(elem, shape.row_dims(), crate::node::zero(elem.dtype()).gather(&[]).data)
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
    let elem = Elem::of(data_type).ok_or_else(|| format!("elements of {}, which are not read", name_of(data_type)))?;
    let (dims, n) = dims(tensor)?;
    if tensor.segment.is_some() {
        return Err("a segment of a tensor".into());
    }
    let external = tensor.data_location.enum_value_or_default() == DataLocation::EXTERNAL;
    let data = if external {
        let bytes = files.read(tensor, size(elem, n).ok_or("external text")?)?;
        raw(elem, n, &bytes)?
    } else if !tensor.raw_data.is_empty() {
        raw(elem, n, &tensor.raw_data)?
    } else {
        listed(elem, n, tensor)?
    };
    Literal::new(elem, dims, data)
        .ok_or_else(|| format!("elements that are no {}, or do not fit the extents", elem.name()))
}

/// Bits of an element in raw form.
fn bits(elem: Elem) -> Option<u32> {
    match elem {
        Elem::F32 => Some(32),
        Elem::F64 => Some(64),
        Elem::Small(format) => Some(format.bits()),
        Elem::Int(int) => Some(int.bits),
        Elem::Bool => Some(8),
        Elem::Str => None,
    }
}

/// Bytes of n elements in raw form: those of less than a byte lie several in one.
fn size(elem: Elem, n: usize) -> Option<usize> {
    bits(elem).map(|bits| (n * bits as usize).div_ceil(8))
}

fn raw(elem: Elem, n: usize, bytes: &[u8]) -> Result<Data, String> {
    let (bits, size) = bits(elem).zip(size(elem, n)).ok_or("text in raw form")?;
    if bytes.len() != size {
        return Err(format!("{} bytes for {n} elements of {bits} bits", bytes.len()));
    }
    let code = |i: usize| {
        let (at, width) = (i * bits as usize, bits as usize);
        let bytes = &bytes[at / 8..(at + width).div_ceil(8)];
        let word = bytes.iter().rev().fold(0u64, |a, b| a << 8 | u64::from(*b));
        if width >= 8 { word } else { word >> (at % 8) & ((1 << width) - 1) }
    };
    coded(elem, (0..n).map(code))
}

/// Elements from their bits.
fn coded(elem: Elem, codes: impl Iterator<Item = u64>) -> Result<Data, String> {
    Ok(match elem {
        Elem::F32 => Data::F32(codes.map(|c| f32::from_bits(c as u32)).collect()),
        Elem::F64 => Data::F64(codes.map(f64::from_bits).collect()),
        Elem::Small(format) => Data::F32(codes.map(|c| format.decode(c as u32) as f32).collect()),
        Elem::Int(int) if int.signed => {
            let unused = 64 - int.bits;
            Data::I64(codes.map(|c| (c as i64) << unused >> unused).collect())
        }
        Elem::Int(_) => {
            let held =
                |c: u64| i64::try_from(c).map_err(|_| format!("{c}: integers of 2^63 and above are not supported"));
            Data::I64(codes.map(held).collect::<Result<_, _>>()?)
        }
        Elem::Bool | Elem::Str => Data::Bool(codes.map(|c| c != 0).collect()),
    })
}

/// Elements from the lists of a message. Integers of up to 32 bits and small floats are in `int32_data`, as many in one as
/// fit into a byte where they are shorter.
fn listed(elem: Elem, n: usize, tensor: &TensorProto) -> Result<Data, String> {
    let packed = bits(elem).filter(|b| *b < 8 && elem.is_number()).map_or(1, |b| 8 / b as usize);
    let words = n.div_ceil(packed);
    let (found, expected) = match elem {
        Elem::F32 => (tensor.float_data.len(), n),
        Elem::F64 => (tensor.double_data.len(), n),
        Elem::Int(int) if int.bits == 64 && int.signed => (tensor.int64_data.len(), n),
        Elem::Int(int) if int.bits >= 32 && !int.signed => (tensor.uint64_data.len(), n),
        Elem::Str => (tensor.string_data.len(), n),
        _ => (tensor.int32_data.len(), words),
    };
    if found != expected {
        return Err(format!("{found} elements where the extents say {expected}"));
    }
    match elem {
        Elem::F32 => Ok(Data::F32(tensor.float_data.clone())),
        Elem::F64 => Ok(Data::F64(tensor.double_data.clone())),
        Elem::Str => {
            let text = |s: &Vec<u8>| std::str::from_utf8(s).map(Arc::from).map_err(|_| "a string that is no UTF-8");
            Ok(Data::Str(tensor.string_data.iter().map(text).collect::<Result<_, _>>()?))
        }
        Elem::Int(int) if int.bits == 64 && int.signed => Ok(Data::I64(tensor.int64_data.clone())),
        Elem::Int(int) if int.bits >= 32 && !int.signed => coded(elem, tensor.uint64_data.iter().copied()),
        Elem::Int(_) | Elem::Small(_) if packed > 1 => {
            let bytes: Vec<u8> = tensor.int32_data.iter().map(|x| *x as u8).collect();
            raw(elem, n, &bytes)
        }
        // Values of integers, which `Literal::new` checks; codes of floats.
        Elem::Int(_) => Ok(Data::I64(tensor.int32_data.iter().map(|x| i64::from(*x)).collect())),
        Elem::Small(_) => coded(elem, tensor.int32_data.iter().map(|x| *x as u64 & 0xffff)),
        Elem::Bool => coded(elem, tensor.int32_data.iter().map(|x| *x as u64)),
    }
}
