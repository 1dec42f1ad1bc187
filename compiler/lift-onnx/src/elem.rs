//! Element types of ONNX tensors.

use flock_ir_spec::DType;

/// The element type of a tensor. `int32` lives in an i64 of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// `float`
    F32,
    /// `double`
    F64,
    /// `int64`
    I64,
    /// `int32`
    I32,
    /// `bool`
    Bool,
    /// `string`
    Str,
}

/// Names of `TensorProto.DataType`, by number.
const NAMES: [&str; 27] = [
    "undefined",
    "float",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "double",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
    "float8e8m0",
    "uint2",
    "int2",
];

/// The name of a `TensorProto.DataType`.
pub fn name_of(data_type: i64) -> String {
    let name = usize::try_from(data_type).ok().and_then(|i| NAMES.get(i));
    name.map_or_else(|| format!("type {data_type}"), |n| (*n).to_owned())
}

impl Elem {
    /// The type of a `TensorProto.DataType`; None for one that the IR does not hold.
    pub fn of(data_type: i64) -> Option<Elem> {
        Some(match data_type {
            1 => Elem::F32,
            6 => Elem::I32,
            7 => Elem::I64,
            8 => Elem::Str,
            9 => Elem::Bool,
            11 => Elem::F64,
            _ => return None,
        })
    }

    /// The dtype that holds it.
    pub fn dtype(self) -> DType {
        match self {
            Elem::F32 => DType::F32,
            Elem::F64 => DType::F64,
            Elem::I64 | Elem::I32 => DType::I64,
            Elem::Bool => DType::Bool,
            Elem::Str => DType::Str,
        }
    }

    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Elem::F32 => "float",
            Elem::F64 => "double",
            Elem::I64 => "int64",
            Elem::I32 => "int32",
            Elem::Bool => "bool",
            Elem::Str => "string",
        }
    }

    /// float or double.
    pub fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F64)
    }

    /// int64 or int32.
    pub fn is_int(self) -> bool {
        matches!(self, Elem::I64 | Elem::I32)
    }
}
