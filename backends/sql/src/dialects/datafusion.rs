//! Apache DataFusion, tried on 55.0.
//!
//! `0.1` is a Float64, `9e999` infinity. NaNs are ordered by their bits, so the NaN that x86 makes of 0/0, which is
//! negative, is less than every number; a simple CASE tells -0 from 0, comparisons do not. `sqrt(-1)` and
//! `power(0, -1)` raise, other arithmetic follows IEEE 754; integers wrap; `CAST` to an integer truncates and raises
//! beyond 64 bits. sqlparser's recursion limit of 50 lets CASE and parentheses nest 46 deep.
//! Projections are merged only where that copies nothing that is computed.
//! Planning takes about 0.4 ms per node of a tree, somewhat more as one long sum.

use crate::carried::Carried;
use crate::dialect::*;

/// Apache DataFusion.
pub static DIALECT: Dialect = Dialect {
    name: "datafusion",
    double: "DOUBLE",
    real: Some("REAL"),
    bigint: "BIGINT",
    text: "VARCHAR",
    bytewise: "",
    boolean: Some("BOOLEAN"),
    wide_integer: None,
    digests: &[],
    hexadecimal: "",
    floats: FloatForm::Shortest,
    nan: Nan::ByBits,
    zero_divides_to_null: false,
    traps: Traps { arithmetic: false, domain: true, power: true, narrow: false, integer: false },
    integer_cast: IntegerCast::Truncates,
    round_even: RoundEven::Magic,
    greatest: "greatest",
    least: "least",
    arguments: 100,
    zeros_differ: true,
    nesting: 24,
    depth: 200,
    sum: 1_000,
    columns: 10_000,
    identifier_bytes: None,
    folds_case: false,
    stored: Stored::Lower,
    full_join_by_equality: false,
    carried: &CARRIED,
    fence: Fence::None,
    star: Star::Exclude,
    case_ns: [60.0, 170.0, 280.0],
    when_ns: 5.0,
};

static CARRIED: Carried = Carried {
    functions: None,
    refused: &[("safe_cast(", "DataFusion has TRY_CAST")],
    types: &["DATE", "TIME", "TIMESTAMP", "DECIMAL", "NUMERIC"],
};
