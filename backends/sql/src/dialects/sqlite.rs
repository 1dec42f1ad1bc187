//! SQLite, tried on 3.40.1 with its mathematical functions (`SQLITE_ENABLE_MATH_FUNCTIONS`).
//!
//! No NaN (NULL in its place), no 32-bit float, no boolean; `9e999` is infinity, x/0 is NULL. The parser's stack has
//! 100 places: CASE nests 18 deep in THEN, 23 in ELSE, parentheses 92; expression trees are at most 1000 deep, a SELECT
//! has at most 2000 columns, `max` 126 operands. 3.40 reads decimals through an 80-bit float and rounds twice.
//! A subquery is flattened into its user unless it is `AS MATERIALIZED` (3.35 and later). A cast keeps the column's
//! collation, so BINARY is named. Names that differ in ASCII case alone are one name.
//! RIGHT and FULL JOIN are there since 3.39.

use crate::carried::{Carried, LACKS};
use crate::dialect::*;

/// SQLite.
pub static DIALECT: Dialect = Dialect {
    name: "sqlite",
    double: "REAL",
    real: None,
    bigint: "INTEGER",
    text: "TEXT",
    bytewise: " COLLATE BINARY",
    boolean: None,
    wide_integer: None,
    digests: &[],
    hexadecimal: "",
    floats: FloatForm::Decimal17,
    nan: Nan::Absent,
    zero_divides_to_null: true,
    traps: Traps { arithmetic: false, domain: false, power: false, narrow: false, integer: false },
    integer_cast: IntegerCast::Truncates,
    round_even: RoundEven::Magic,
    greatest: "max",
    least: "min",
    arguments: 100,
    zeros_differ: false,
    nesting: 11,
    depth: 400,
    sum: u32::MAX,
    columns: 1990,
    identifier_bytes: None,
    folds_case: true,
    stored: Stored::AsWritten,
    full_join_by_equality: false,
    carried: &CARRIED,
    fence: Fence::Materialized,
    star: Star::RowId,
    case_ns: [77.0, 108.0, 116.0],
    when_ns: 20.0,
};

/// What it has in the meaning of others. `upper` and `lower` change ASCII letters alone, `format` and `strftime` take
/// their operands otherwise.
const FUNCTIONS: &[&str] = &[
    "acos",
    "asin",
    "atan",
    "atan2",
    "cos",
    "cosh",
    "degrees",
    "instr",
    "length",
    "log",
    "log10",
    "log2",
    "ltrim",
    "mod",
    "pow",
    "power",
    "radians",
    "replace",
    "round",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "substr",
    "substring",
    "tan",
    "trim",
    "trunc",
];

static CARRIED: Carried = Carried {
    functions: Some(FUNCTIONS),
    refused: &[
        ("LIKE", "SQLite's LIKE does not tell ASCII capitals from small letters"),
        ("ILIKE", LACKS),
        ("SIMILAR", LACKS),
        ("RLIKE", LACKS),
        ("REGEXP", LACKS),
        ("INTERVAL", LACKS),
        ("DATE", "SQLite has no dates"),
        ("TIMESTAMP", "SQLite has no dates"),
        ("TIME", "SQLite has no dates"),
        ("ARRAY", LACKS),
        ("EXCEPT ALL", LACKS),
        ("INTERSECT ALL", LACKS),
    ],
    types: &[],
};
