//! DuckDB, tried on 2.0.0.
//!
//! `0.1` is a DECIMAL, `1e-1` a DOUBLE, `9e999` infinity. NaN equals itself and is greatest. Arithmetic, `exp`, `ln`
//! and `sqrt` follow IEEE 754 (before 2.0 the last two raise outside of their domain, so they are guarded); `CAST(1e300
//! AS REAL)` and integers that overflow raise. CASE and `+` may nest 984 deep (`max_expression_depth` is 1000).
//! Names that differ in case alone are one name, quoted or not. Single-use CTEs are inlined, projections are kept.
//! `fmod` rounds its quotient down and is not exact, `%` is C's remainder; `sin` of an infinity raises.
//! 100 trees of 255 nodes plan in 11 s as one sum, in 3 s as sums of 10 trees.

use flock_ir_spec::Digest;

use crate::carried::{Carried, LACKS};
use crate::dialect::*;

/// DuckDB.
pub static DIALECT: Dialect = Dialect {
    name: "duckdb",
    double: "DOUBLE",
    real: Some("REAL"),
    bigint: "BIGINT",
    text: "VARCHAR",
    bytewise: " COLLATE \"C\"",
    boolean: Some("BOOLEAN"),
    wide_integer: Some("HUGEINT"),
    digests: &[(Digest::Md5, "md5({})"), (Digest::Sha1, "sha1({})"), (Digest::Sha256, "sha256({})")],
    hexadecimal: "CAST('0x' || {} AS BIGINT)",
    floats: FloatForm::Exponent,
    nan: Nan::Greatest,
    zero_divides_to_null: false,
    traps: Traps { arithmetic: false, domain: true, power: false, narrow: true, integer: true },
    integer_cast: IntegerCast::Rounds,
    round_even: RoundEven::Call("round_even({}, 0)"),
    greatest: "greatest",
    least: "least",
    arguments: 100,
    zeros_differ: false,
    nesting: 200,
    depth: 400,
    sum: 1_000,
    columns: 100_000,
    identifier_bytes: None,
    folds_case: true,
    stored: Stored::AsWritten,
    full_join_by_equality: false,
    carried: &CARRIED,
    fence: Fence::None,
    star: Star::Exclude,
    case_ns: [25.0, 70.0, 110.0],
    when_ns: 2.7,
};

static CARRIED: Carried = Carried {
    functions: None,
    refused: &[
        ("safe_cast(", "DuckDB has TRY_CAST"),
        ("SIMILAR TO", "DuckDB takes it for a regular expression"),
        ("btrim(", LACKS),
        ("date_bin(", LACKS),
        ("dateadd(", LACKS),
        ("initcap(", LACKS),
        ("regexp_like(", LACKS),
        ("to_char(", LACKS),
        ("to_date(", LACKS),
        ("truncate(", LACKS),
        ("width_bucket(", LACKS),
    ],
    types: &["DATE", "TIME", "TIMESTAMP", "DECIMAL", "NUMERIC"],
};
