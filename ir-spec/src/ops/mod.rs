//! The closed core of operators: one record each. The text form, the verifier, the evaluator, `ops.md` and the tests
//! are derived from the records; backends match [`Op`] exhaustively.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::constant::ConstId;
use crate::frame::Frame;
use crate::types::{DType, FrameType, MAX_WIDTH, Type};
use flock_text::Digest;

pub mod apply;
pub mod category;
pub mod composite;
pub mod doc;
pub mod hash;
pub mod interpolate;
pub mod leaf;
pub mod linear;
pub mod logic;
pub mod math;
pub mod nearest;
pub mod row;
pub mod shape;
pub mod text;
pub mod tree;

pub use apply::{Apply, Arg};
pub use composite::Composite;
pub use hash::digest_of;

/// The id of a relational column, unique in its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u32);

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// What a node carries beside its operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attr {
    /// Nothing.
    None,
    /// The type of the result: `cast`, `null`, `one_hot`.
    Type(FrameType),
    /// The index of a function's parameter.
    Param(u32),
    /// A constant.
    Const(ConstId),
    /// A column of a relation.
    Column(ColumnId),
    /// First column and number of columns of a `slice`, first rank and number of ranks of an `order`.
    Range {
        /// First column or rank.
        start: u32,
        /// Number of them, at least 1.
        len: u32,
    },
    /// One of a few words that choose a variant.
    Word(Word),
    /// One output of a function of the module.
    Call {
        /// The function.
        function: Arc<str>,
        /// The name of its output.
        output: Arc<str>,
        /// The type of that output.
        ty: FrameType,
    },
    /// SQL that is carried and not read: operand i stands for `{i}` in the text; `{{` and `}}` are braces.
    Opaque {
        /// The template.
        sql: Arc<str>,
        /// The type of the value.
        ty: FrameType,
    },
}

/// The words of [`Attr::Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// `normalize`: divide by the sum of absolute values. `distances`: the sum of absolute differences.
    L1,
    /// `normalize`: divide by the Euclidean norm. `distances`: the root of the sum of squares.
    L2,
    /// `normalize`: divide by the greatest absolute value.
    Max,
    /// `distances`: the sum of squares.
    SqEuclidean,
    /// `distances`: the greatest absolute difference.
    Chebyshev,
    /// `bucketize`: number of edges below the value. `bitwise`: a shift to higher places.
    Left,
    /// `bucketize`: number of edges below the value or equal to it. `bitwise`: a shift to lower places.
    Right,
    /// `bitwise`: 1 where both are.
    And,
    /// `bitwise`: 1 where one is.
    Or,
    /// `bitwise`: 1 where they differ.
    Xor,
    /// `without_accents`: nothing but ASCII.
    Ascii,
    /// `without_accents`: nothing that combines.
    Unicode,
    /// `parse`: a float.
    Float,
    /// `parse`: an integer.
    Signed,
    /// `parse`: an integer that is not negative.
    Unsigned,
    /// `digest`: which.
    Digest(Digest),
}

impl Word {
    /// As written in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Word::L1 => "l1",
            Word::L2 => "l2",
            Word::Max => "max",
            Word::SqEuclidean => "sqeuclidean",
            Word::Chebyshev => "chebyshev",
            Word::Left => "left",
            Word::Right => "right",
            Word::And => "and",
            Word::Or => "or",
            Word::Xor => "xor",
            Word::Ascii => "ascii",
            Word::Unicode => "unicode",
            Word::Float => "float",
            Word::Signed => "signed",
            Word::Unsigned => "unsigned",
            Word::Digest(digest) => digest.name(),
        }
    }
}

/// Which kind of [`Attr`] an operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrKind {
    /// [`Attr::None`].
    None,
    /// [`Attr::Type`].
    Type,
    /// [`Attr::Param`].
    Param,
    /// [`Attr::Const`].
    Const,
    /// [`Attr::Column`].
    Column,
    /// [`Attr::Range`].
    Range,
    /// [`Attr::Word`], one of these.
    Word(&'static [Word]),
    /// [`Attr::Call`].
    Call,
    /// [`Attr::Opaque`].
    Opaque,
}

impl AttrKind {
    /// Whether the attribute is of this kind.
    pub fn accepts(self, attr: &Attr) -> bool {
        match (self, attr) {
            (AttrKind::Word(words), Attr::Word(w)) => words.contains(w),
            (AttrKind::None, Attr::None)
            | (AttrKind::Type, Attr::Type(_))
            | (AttrKind::Param, Attr::Param(_))
            | (AttrKind::Const, Attr::Const(_))
            | (AttrKind::Column, Attr::Column(_))
            | (AttrKind::Range, Attr::Range { .. })
            | (AttrKind::Call, Attr::Call { .. })
            | (AttrKind::Opaque, Attr::Opaque { .. }) => true,
            _ => false,
        }
    }
}

/// What null operands give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullRule {
    /// Null where any element that the result reads is null.
    Strict,
    /// SQL's three-valued logic.
    Kleene,
    /// Never null.
    Never,
    /// As the doc says.
    Own,
}

/// Whether the meaning fixes every bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// Every engine gives the same bits.
    Bits,
    /// Equal up to rounding: engines may sum in another order or use another libm.
    Reals,
}

/// The meaning of an operator.
#[derive(Clone, Copy)]
pub enum Meaning {
    /// Given by where the node stands (parameters, columns, constants, calls).
    Leaf,
    /// The reference evaluation.
    Eval(fn(&Apply<'_>) -> Frame),
    /// A definition in operators, core ones and composites above it: operands are `?a`, `?b`, … by name. What stands in
    /// several places has a name of its own in a line before, `?z = (mul ?a ?a);`; `(horner ?z c2 c1 c0)` is the
    /// polynomial `(c2 z + c1) z + c0`.
    Expands(&'static str),
}

/// Everything about an operator in one place.
pub struct Record {
    /// The name in the text form.
    pub name: &'static str,
    /// Operand names; the last one may be `name...` for one or more, or `name*` for none or more.
    pub operands: &'static [&'static str],
    /// The kind of attribute.
    pub attr: AttrKind,
    /// Prose: what it computes; corner cases.
    pub doc: &'static str,
    /// The shape and dtype rule as a reader sees it.
    pub shape: &'static str,
    /// The same rule as code: the type of the result, or what is wrong with the operands.
    pub infer: fn(&Attr, &[Type]) -> Result<Type, String>,
    /// What null operands give.
    pub nulls: NullRule,
    /// Whether the meaning fixes every bit.
    pub exact: Exactness,
    /// Where the meaning is taken from.
    pub source: &'static str,
    /// The reference evaluation, or the definition.
    pub meaning: Meaning,
}

impl Record {
    /// Whether that number of operands is right.
    pub fn accepts_operands(&self, n: usize) -> bool {
        match self.operands.last() {
            Some(last) if last.ends_with("...") => n >= self.operands.len(),
            Some(last) if last.ends_with('*') => n >= self.operands.len() - 1,
            _ => n == self.operands.len(),
        }
    }
}

/// Writes records; the doc comment becomes [`Record::doc`].
macro_rules! ops {
    ($( $(#[doc = $doc:literal])* $id:ident = $name:literal ($($operand:literal),*) $([$attr:expr])? {
        shape $shape:literal, nulls $nulls:ident, exact $exact:ident, source $source:literal,
        infer $infer:expr, $kind:ident $meaning:expr $(,)?
    })*) => { $(
        $(#[doc = $doc])*
        pub static $id: $crate::ops::Record = $crate::ops::Record {
            name: $name,
            operands: &[$($operand),*],
            attr: $crate::ops::attr_kind!($($attr)?),
            doc: concat!($($doc, "\n"),*),
            shape: $shape,
            infer: $infer,
            nulls: $crate::ops::NullRule::$nulls,
            exact: $crate::ops::Exactness::$exact,
            source: $source,
            meaning: $crate::ops::meaning!($kind $meaning),
        };
    )* };
}
macro_rules! attr_kind {
    () => {
        $crate::ops::AttrKind::None
    };
    ($kind:expr) => {
        $kind
    };
}
macro_rules! meaning {
    (leaf $m:expr) => {
        $crate::ops::Meaning::Leaf
    };
    (eval $m:expr) => {
        $crate::ops::Meaning::Eval($m)
    };
    (expands $m:expr) => {
        $crate::ops::Meaning::Expands($m)
    };
}
pub(crate) use {attr_kind, meaning, ops};

macro_rules! core {
    ($($op:ident = $record:path;)*) => {
        /// A primitive operator of the closed core, or a composite with a definition in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Op {
            $(
                #[doc = concat!("See [`", stringify!($record), "`].")]
                $op,
            )*
            /// A composite; backends that have no special case expand it.
            Composite(Composite),
        }
        impl Op {
            /// Every primitive.
            pub const CORE: &'static [Op] = &[$(Op::$op),*];

            /// The record.
            pub fn record(self) -> &'static Record {
                match self {
                    $(Op::$op => &$record,)*
                    Op::Composite(c) => c.record(),
                }
            }
        }
    };
}

core! {
    Input = leaf::INPUT; Const = leaf::CONST; Column = leaf::COLUMN; Null = leaf::NULL; Call = leaf::CALL;
    Opaque = leaf::OPAQUE;
    Add = math::ADD; Sub = math::SUB; Mul = math::MUL; Div = math::DIV; Neg = math::NEG; Abs = math::ABS;
    Min = math::MIN; Max = math::MAX; Sqrt = math::SQRT; Floor = math::FLOOR; Ceil = math::CEIL; Round = math::ROUND;
    Exp = math::EXP; Ln = math::LN; Log1p = math::LOG1P; Expm1 = math::EXPM1; Pow = math::POW; Tanh = math::TANH;
    Logistic = math::LOGISTIC; Sin = math::SIN; Cos = math::COS; Atan = math::ATAN; Rem = math::REM;
    Bitwise = math::BITWISE;
    Eq = logic::EQ; Ne = logic::NE; Lt = logic::LT; Le = logic::LE; Gt = logic::GT; Ge = logic::GE;
    And = logic::AND; Or = logic::OR; Not = logic::NOT; IsNull = logic::IS_NULL; IsNan = logic::IS_NAN;
    InSet = logic::IN_SET; Select = logic::SELECT; Coalesce = logic::COALESCE; Guard = logic::GUARD; Cast = logic::CAST;
    Concat = shape::CONCAT; Slice = shape::SLICE; Take = shape::TAKE;
    Sum = row::SUM; Prod = row::PROD; RowMin = row::ROW_MIN; RowMax = row::ROW_MAX; All = row::ALL; Any = row::ANY;
    ArgMax = row::ARGMAX; Softmax = row::SOFTMAX; Normalize = row::NORMALIZE;
    Linear = linear::LINEAR;
    IndexOf = category::INDEX_OF; Lookup = category::LOOKUP; OneHot = category::ONE_HOT; Bucketize = category::BUCKETIZE;
    Interpolate = interpolate::INTERPOLATE;
    Distances = nearest::DISTANCES; Order = nearest::ORDER; Gather = nearest::GATHER;
    CityHash = hash::CITY_HASH; Digest = hash::DIGEST;
    Trees = tree::TREES; Leaves = tree::LEAVES;
    Lower = text::LOWER; Upper = text::UPPER; WithoutAccents = text::WITHOUT_ACCENTS; Append = text::APPEND;
    Parse = text::PARSE; Digits = text::DIGITS; Matches = text::MATCHES; TermCounts = text::TERM_COUNTS;
}

impl Op {
    /// Every operator, composites last.
    pub fn all() -> impl Iterator<Item = Op> {
        Op::CORE.iter().copied().chain(Composite::all().map(Op::Composite))
    }

    /// The name in the text form.
    pub fn name(self) -> &'static str {
        self.record().name
    }

    /// The operator of that name.
    pub fn parse(name: &str) -> Option<Op> {
        static BY_NAME: LazyLock<HashMap<&str, Op>> = LazyLock::new(|| Op::all().map(|op| (op.name(), op)).collect());
        BY_NAME.get(name).copied()
    }

    /// The type that the operator's record infers, or what is wrong with the attribute or the operands.
    pub fn infer(self, attr: &Attr, args: &[Type]) -> Result<Type, String> {
        let record = self.record();
        if !record.accepts_operands(args.len()) {
            let expected = if record.operands.is_empty() { "none".into() } else { record.operands.join(" ") };
            return Err(format!("{} operands, expected {expected}", args.len()));
        }
        if !record.attr.accepts(attr) {
            return Err(format!("attribute {attr:?}, expected {:?}", record.attr));
        }
        match (record.infer)(attr, args)? {
            Type::Frame(t) if t.width == 0 || t.width > MAX_WIDTH => {
                Err(format!("a frame of width {}, expected 1 to {MAX_WIDTH}", t.width))
            }
            ty => Ok(ty),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// Shape rules that several families share.

/// Operand `i` as a frame, or what is wrong with it.
pub(crate) fn frame(args: &[Type], i: usize) -> Result<FrameType, String> {
    let ty = args.get(i).ok_or_else(|| format!("operand {i} is absent"))?;
    ty.frame().ok_or_else(|| format!("operand {i} is {ty}, expected a frame"))
}

/// Operand `i` as a constant table (dtype, rows, width), or what is wrong with it.
pub(crate) fn table(args: &[Type], i: usize) -> Result<(DType, u32, u32), String> {
    match args.get(i) {
        Some(&Type::Const { dtype, rows, width }) => Ok((dtype, rows, width)),
        Some(ty) => Err(format!("operand {i} is {ty}, expected a constant table")),
        None => Err(format!("operand {i} is absent")),
    }
}

/// The common width: all equal, where 1 repeats.
pub(crate) fn common_width(frames: &[FrameType]) -> Result<u32, String> {
    let width = frames.iter().map(|f| f.width).max().unwrap_or(1);
    match frames.iter().find(|f| f.width != width && f.width != 1) {
        Some(f) => Err(format!("widths {} and {width} differ", f.width)),
        None => Ok(width),
    }
}

/// All operands as frames of one dtype and a common width; null where any may be.
pub(crate) fn same(args: &[Type]) -> Result<FrameType, String> {
    let frames = (0..args.len()).map(|i| frame(args, i)).collect::<Result<Vec<_>, _>>()?;
    let first = frames.first().ok_or("no operands")?;
    if let Some(other) = frames.iter().find(|f| f.dtype != first.dtype) {
        return Err(format!("dtypes {} and {} differ", first.dtype, other.dtype));
    }
    Ok(FrameType { dtype: first.dtype, nullable: frames.iter().any(|f| f.nullable), width: common_width(&frames)? })
}

/// The frame, if its dtype passes.
pub(crate) fn require(t: FrameType, ok: bool, expected: &str) -> Result<FrameType, String> {
    if ok { Ok(t) } else { Err(format!("dtype {} where {expected} is expected", t.dtype)) }
}
