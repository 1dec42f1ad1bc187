//! Dialects as data: what differs, and what is true of each engine. Every fact was tried on the version named in the
//! dialect's own file.

use flock_ir_spec::Digest;

use crate::carried::Carried;
use crate::literal;

/// How a double is written so that it is read back as the same double, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatForm {
    /// The shortest decimal.
    Shortest,
    /// The shortest decimal with an exponent; without one it would be a DECIMAL.
    Exponent,
    /// 17 digits unless fewer are far from a tie: the parser rounds twice.
    Decimal17,
    /// Quoted and cast to that type; bare, it would be a NUMERIC.
    Cast(&'static str),
}

/// What NaN is in the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nan {
    /// There is none: an operation without a value gives NULL.
    Absent,
    /// It equals itself and is greater than every number.
    Greatest,
    /// Ordered by its bits: negative NaNs come first, and NaNs may differ.
    ByBits,
}

/// What keeps the planner from copying the expressions of a stage into every place that uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Nothing is needed: projections stay, or are shared.
    None,
    /// `OFFSET 0` at the end of the stage.
    OffsetZero,
    /// `AS MATERIALIZED` before the stage.
    Materialized,
}

/// How all columns of a table are passed through stages whose columns are to be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Star {
    /// `SELECT * EXCLUDE (…)`.
    Exclude,
    /// The row as one value, and `(row).*`.
    Row,
    /// By a join on `_rowid_`.
    RowId,
}

/// The case that unquoted names are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As they are written.
    AsWritten,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
}

/// How a float becomes an integer by CAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerCast {
    /// Towards zero.
    Truncates,
    /// To the nearest.
    Rounds,
}

/// How the nearest integer, ties to even, is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundEven {
    /// By that template; `{}` is the operand.
    Call(&'static str),
    /// By adding and subtracting 1.5 · 2^52.
    Magic,
}

/// What ends the whole statement for one bad row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traps {
    /// `+ - * /` whose result overflows, a product or quotient that underflows to 0, division by 0; `exp` and `power` likewise.
    pub arithmetic: bool,
    /// `sqrt` below 0, `ln` at 0 and below.
    pub domain: bool,
    /// `power(0, -1)`, and where arithmetic traps, `power(-1, 0.5)`.
    pub power: bool,
    /// Casts to the 32-bit float beyond its range.
    pub narrow: bool,
    /// Integers that overflow.
    pub integer: bool,
}

/// A dialect of SQL.
#[derive(Debug)]
pub struct Dialect {
    /// The name, as users write it.
    pub name: &'static str,
    /// The type of doubles.
    pub double: &'static str,
    /// The type of 32-bit floats, if there is one.
    pub real: Option<&'static str>,
    /// The type of 64-bit integers.
    pub bigint: &'static str,
    /// The type of text.
    pub text: &'static str,
    /// What follows a text value so that it compares byte by byte whatever its column's collation is.
    pub bytewise: &'static str,
    /// The type of truth values; None where they are the integers 0 and 1.
    pub boolean: Option<&'static str>,
    /// Whether products of 64-bit integers fit this wider type; None where there is another way.
    pub wide_integer: Option<&'static str>,
    /// Digests in hexadecimal digits, by the name of the digest; `{}` is the text.
    pub digests: &'static [(Digest, &'static str)],
    /// The number of eight hexadecimal digits `{}`; where there are [`Dialect::digests`].
    pub hexadecimal: &'static str,
    /// Float literals.
    pub floats: FloatForm,
    /// NaN.
    pub nan: Nan,
    /// Whether a float divided by 0 is NULL.
    pub zero_divides_to_null: bool,
    /// What aborts a statement.
    pub traps: Traps,
    /// CAST of a float to an integer.
    pub integer_cast: IntegerCast,
    /// Rounding to the nearest integer.
    pub round_even: RoundEven,
    /// The function for the greatest of several values.
    pub greatest: &'static str,
    /// The function for the least of several values.
    pub least: &'static str,
    /// Operands of those two, at most.
    pub arguments: usize,
    /// Whether a simple CASE and IN tell -0 from 0.
    pub zeros_differ: bool,
    /// Expressions within one another that are emitted at most, below what the parser takes.
    pub nesting: u32,
    /// Operators along one path that are emitted at most, chains `a + b + c` included.
    pub depth: u32,
    /// Nodes of a sum that are planned together at most: beyond, the time to plan grows faster than the sum.
    pub sum: u32,
    /// Columns of one SELECT.
    pub columns: usize,
    /// Bytes of an identifier; longer ones are cut in silence.
    pub identifier_bytes: Option<usize>,
    /// Whether quoted names that differ in case alone are one name.
    pub folds_case: bool,
    /// What unquoted names become.
    pub stored: Stored,
    /// Whether FULL JOIN takes conditions of an equality between its sides alone (and others beside it, or a constant).
    pub full_join_by_equality: bool,
    /// What of carried SQL it does not take as it stands.
    pub carried: &'static Carried,
    /// What holds a stage together.
    pub fence: Fence,
    /// How `*` passes through.
    pub star: Star,
    /// Time of one tree of 8, 31 and 64 leaves as nested CASE, in ns per row.
    pub case_ns: [f64; 3],
    /// Time of one comparison with a text in a dictionary CASE, in ns per row.
    pub when_ns: f64,
}

impl Dialect {
    /// Whether quoted names that differ in case alone are one name.
    pub fn folds_case(&self) -> bool {
        self.folds_case
    }

    /// The form of a name under which equal names are equal.
    pub fn key(&self, name: &str) -> String {
        if self.folds_case { name.to_lowercase() } else { name.to_owned() }
    }

    /// Whether there is a NaN.
    pub fn has_nan(&self) -> bool {
        self.nan != Nan::Absent
    }

    /// What is wrong with a name in this dialect, if anything.
    pub fn fault_of_name(&self, name: &str) -> Option<String> {
        if name.is_empty() {
            return Some("a name cannot be empty".into());
        }
        if name.contains('\0') {
            return Some("a name cannot hold a NUL".into());
        }
        match self.identifier_bytes {
            Some(most) if name.len() > most => {
                Some(format!("a name has at most {most} bytes, this one {}", name.len()))
            }
            _ => None,
        }
    }

    /// A name, quoted; a plain lower-case one in the case that the dialect stores, unless `identifiers` says otherwise.
    pub fn identifier(&self, name: &str, identifiers: Identifiers) -> String {
        let plain =
            name.bytes().enumerate().all(|(i, b)| b == b'_' || b.is_ascii_lowercase() || (i > 0 && b.is_ascii_digit()));
        match (identifiers, self.stored) {
            (Identifiers::Fold, Stored::Upper) if plain => literal::identifier(&name.to_ascii_uppercase()),
            _ => literal::identifier(name),
        }
    }
}

/// In which case names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identifiers {
    /// Plain lower-case names take the case that the dialect stores.
    #[default]
    Fold,
    /// As they are.
    Exact,
}
