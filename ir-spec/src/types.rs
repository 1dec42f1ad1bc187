//! The two sorts of value and their types.

use std::fmt;

/// The type of one element of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// Truth value.
    Bool,
    /// 64-bit signed integer.
    I64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// UTF-8 text.
    Str,
}

impl DType {
    /// Every dtype, in the order of the text form.
    pub const ALL: [DType; 5] = [DType::Bool, DType::I64, DType::F32, DType::F64, DType::Str];

    /// The name in the text form.
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I64 => "i64",
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::Str => "str",
        }
    }

    /// The dtype of that name.
    pub fn parse(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.name() == name)
    }

    /// f32 or f64.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// i64, f32 or f64.
    pub fn is_number(self) -> bool {
        matches!(self, DType::I64 | DType::F32 | DType::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a frame: rows (not part of the type) × `width` elements of one dtype.
/// Text form: `f64`, `f64?` (nullable), `f64[28]`, `str?[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameType {
    /// Element type.
    pub dtype: DType,
    /// Whether an element may be null. NaN is a value, not a null.
    pub nullable: bool,
    /// Number of columns; a scalar column is 1.
    pub width: u32,
}

/// The widest frame that a module may hold: what a hashing vectorizer gives, several times over.
pub const MAX_WIDTH: u32 = 1 << 24;

impl FrameType {
    /// Whether a value of this type may stand where `other` is expected: the same, or non-null into nullable.
    pub fn fits(self, other: FrameType) -> bool {
        self.dtype == other.dtype && self.width == other.width && (other.nullable || !self.nullable)
    }

    /// A frame of that dtype and width without nulls.
    pub const fn new(dtype: DType, width: u32) -> FrameType {
        FrameType { dtype, nullable: false, width }
    }

    /// The same with nulls allowed.
    pub const fn nullable(self) -> FrameType {
        FrameType { nullable: true, ..self }
    }

    /// The same with `nullable` as given.
    pub const fn with_nulls(self, nullable: bool) -> FrameType {
        FrameType { nullable, ..self }
    }

    /// The same with another dtype.
    pub const fn with_dtype(self, dtype: DType) -> FrameType {
        FrameType { dtype, ..self }
    }

    /// The same with another width.
    pub const fn with_width(self, width: u32) -> FrameType {
        FrameType { width, ..self }
    }
}

impl fmt::Display for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, if self.nullable { "?" } else { "" })?;
        if self.width != 1 { write!(f, "[{}]", self.width) } else { Ok(()) }
    }
}

/// The type of a node of a frame graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// Values that depend on the row.
    Frame(FrameType),
    /// A constant table of `rows` × `width`; with one row it is used as a frame that repeats on every row.
    Const {
        /// Element type.
        dtype: DType,
        /// Rows of the table (not rows of data).
        rows: u32,
        /// Columns of the table.
        width: u32,
    },
    /// A constant tree ensemble.
    Trees {
        /// Width of the frame that it reads.
        features: u32,
        /// Width of the frame that it gives.
        outputs: u32,
        /// Number of trees.
        trees: u32,
        /// The dtype to which a feature is rounded before it is compared.
        input: DType,
        /// The dtype of leaves, sums and output.
        sum: DType,
    },
    /// Constant terms of documents.
    Terms {
        /// Columns of their counts.
        columns: u32,
    },
}

impl Type {
    /// The type as a frame operand: a frame, or a constant with one row.
    pub fn frame(&self) -> Option<FrameType> {
        match *self {
            Type::Frame(t) => Some(t),
            Type::Const { dtype, rows: 1, width } if width > 0 => Some(FrameType::new(dtype, width)),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Frame(t) => write!(f, "{t}"),
            Type::Const { dtype, rows, width } => write!(f, "const {dtype} {rows}x{width}"),
            Type::Trees { features, outputs, trees, input, sum } => {
                write!(f, "{trees} trees {input}[{features}] -> {sum}[{outputs}]")
            }
            Type::Terms { columns } => write!(f, "terms of {columns} columns"),
        }
    }
}
