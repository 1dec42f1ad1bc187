//! Element types of ONNX tensors.

use flock_ir_spec::DType;

/// The element type of a tensor. Integers live in an i64 of the IR, floats of less than 32 bits in an f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// `float`
    F32,
    /// `double`
    F64,
    /// A float of less than 32 bits.
    Small(&'static Format),
    /// An integer.
    Int(Int),
    /// `bool`
    Bool,
    /// `string`
    Str,
}

/// An integer type. An i64 does not hold a `uint64` of 2^63 and above: constants with one are refused, and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// 2, 4, 8, 16, 32 or 64.
    pub bits: u32,
    /// Whether half of the values are negative.
    pub signed: bool,
}

impl Int {
    /// The least value.
    pub fn low(self) -> i64 {
        if self.signed { i64::MIN >> (64 - self.bits) } else { 0 }
    }

    /// The greatest value that an i64 holds.
    pub fn high(self) -> i64 {
        let bits = if self.signed { self.bits - 1 } else { self.bits };
        if bits >= 63 { i64::MAX } else { (1 << bits) - 1 }
    }
}

impl Elem {
    /// `int64`
    pub const I64: Elem = Elem::Int(Int { bits: 64, signed: true });
    /// `int32`
    pub const I32: Elem = Elem::Int(Int { bits: 32, signed: true });
    /// `uint8`
    pub const U8: Elem = Elem::Int(Int { bits: 8, signed: false });
}

/// A float format of less than 32 bits: value = ± significand · 2^exponent.
#[derive(Debug)]
pub struct Format {
    /// ONNX's name.
    pub name: &'static str,
    /// The `TensorProto.DataType`.
    pub data_type: i64,
    /// Bits of the exponent and of the fraction; one more, if any, is the sign.
    pub exponent: u32,
    /// Bits of the fraction.
    pub fraction: u32,
    /// What is taken off the stored exponent.
    pub bias: i32,
    /// The greatest finite value.
    pub greatest: f64,
    /// What its NaNs, infinities and zeros are.
    pub special: Special,
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.data_type == other.data_type
    }
}

impl Eq for Format {}

/// Which bits are no finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// As in IEEE 754: the highest exponent is infinities and NaNs.
    Ieee,
    /// All bits set but the sign are NaN; no infinity (`fn`).
    NanAlone,
    /// The negative zero is NaN; no infinity, no other negative zero (`fnuz`).
    NanAsNegativeZero,
    /// Every code is a finite number.
    None,
    /// Powers of two alone; all bits set are NaN.
    PowersOfTwo,
}

/// The float formats of less than 32 bits. Source: onnx, docs/docsgen/source/technical/float8.md, float4.md; IEEE 754.
pub static FORMATS: [Format; 8] = [
    format("float16", 10, (5, 10, 15), 65504.0, Special::Ieee),
    format("bfloat16", 16, (8, 7, 127), 3.3895313892515355e38, Special::Ieee),
    format("float8e4m3fn", 17, (4, 3, 7), 448.0, Special::NanAlone),
    format("float8e4m3fnuz", 18, (4, 3, 8), 240.0, Special::NanAsNegativeZero),
    format("float8e5m2", 19, (5, 2, 15), 57344.0, Special::Ieee),
    format("float8e5m2fnuz", 20, (5, 2, 16), 57344.0, Special::NanAsNegativeZero),
    format("float4e2m1", 23, (2, 1, 1), 6.0, Special::None),
    format("float8e8m0", 24, (8, 0, 127), 1.7014118346046923e38, Special::PowersOfTwo),
];

const fn format(
    name: &'static str,
    data_type: i64,
    (exponent, fraction, bias): (u32, u32, i32),
    greatest: f64,
    special: Special,
) -> Format {
    Format { name, data_type, exponent, fraction, bias, greatest, special }
}

impl Format {
    /// Bits of an element in a file.
    pub fn bits(&self) -> u32 {
        self.exponent + self.fraction + u32::from(self.special != Special::PowersOfTwo)
    }

    /// The number that a code stands for.
    pub fn decode(&self, code: u32) -> f64 {
        let fraction = f64::from(code & ((1 << self.fraction) - 1));
        let top = (1u32 << self.exponent) - 1;
        let exponent = (code >> self.fraction) & top;
        let negative = self.special != Special::PowersOfTwo && code >> (self.exponent + self.fraction) & 1 == 1;
        let rest = code & ((1 << (self.exponent + self.fraction)) - 1);
        let size = match self.special {
            Special::Ieee if exponent == top => return self.beyond(fraction, negative),
            Special::NanAlone | Special::PowersOfTwo if rest == (1 << (self.exponent + self.fraction)) - 1 => f64::NAN,
            Special::NanAsNegativeZero if rest == 0 && negative => f64::NAN,
            Special::PowersOfTwo => 2f64.powi(exponent as i32 - self.bias),
            _ if exponent == 0 => fraction * 2f64.powi(1 - self.bias - self.fraction as i32),
            _ => (1.0 + fraction * 2f64.powi(-(self.fraction as i32))) * 2f64.powi(exponent as i32 - self.bias),
        };
        if negative { -size } else { size }
    }

    fn beyond(&self, fraction: f64, negative: bool) -> f64 {
        match (fraction == 0.0, negative) {
            (false, _) => f64::NAN,
            (true, false) => f64::INFINITY,
            (true, true) => f64::NEG_INFINITY,
        }
    }
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

/// The integer types: `TensorProto.DataType`, bits, signed.
const INTS: [(i64, u32, bool); 12] = [
    (2, 8, false),
    (3, 8, true),
    (4, 16, false),
    (5, 16, true),
    (6, 32, true),
    (7, 64, true),
    (12, 32, false),
    (13, 64, false),
    (21, 4, false),
    (22, 4, true),
    (25, 2, false),
    (26, 2, true),
];

impl Elem {
    /// The type of a `TensorProto.DataType`; None for one that the IR does not hold.
    pub fn of(data_type: i64) -> Option<Elem> {
        match data_type {
            1 => return Some(Elem::F32),
            8 => return Some(Elem::Str),
            9 => return Some(Elem::Bool),
            11 => return Some(Elem::F64),
            _ => {}
        }
        let int = INTS
            .iter()
            .find(|i| i.0 == data_type)
            .map(|(_, bits, signed)| Elem::Int(Int { bits: *bits, signed: *signed }));
        int.or_else(|| FORMATS.iter().find(|f| f.data_type == data_type).map(Elem::Small))
    }

    /// The `TensorProto.DataType`.
    pub fn data_type(self) -> i64 {
        match self {
            Elem::F32 => 1,
            Elem::F64 => 11,
            Elem::Small(format) => format.data_type,
            Elem::Int(int) => INTS.iter().find(|i| (i.1, i.2) == (int.bits, int.signed)).map_or(0, |i| i.0),
            Elem::Bool => 9,
            Elem::Str => 8,
        }
    }

    /// The dtype that holds it.
    pub fn dtype(self) -> DType {
        match self {
            Elem::F32 | Elem::Small(_) => DType::F32,
            Elem::F64 => DType::F64,
            Elem::Int(_) => DType::I64,
            Elem::Bool => DType::Bool,
            Elem::Str => DType::Str,
        }
    }

    /// ONNX's name.
    pub fn name(self) -> &'static str {
        usize::try_from(self.data_type()).ok().and_then(|i| NAMES.get(i)).copied().unwrap_or("undefined")
    }

    /// float or double.
    pub fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F64)
    }

    /// Any float.
    pub fn is_any_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F64 | Elem::Small(_))
    }

    /// Any integer.
    pub fn is_int(self) -> bool {
        matches!(self, Elem::Int(_))
    }

    /// Any float or integer.
    pub fn is_number(self) -> bool {
        self.is_any_float() || self.is_int()
    }
}
