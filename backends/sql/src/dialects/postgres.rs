//! PostgreSQL, tried on 15.
//!
//! `0.1` and `1e-1` are NUMERIC; in a comparison with a float8 they are folded to float8, as a leaf they would make the
//! CASE a NUMERIC one. NaN equals itself and is greatest. A result that overflows, a product or quotient that underflows
//! to 0, division by 0, `exp(±1000)`, `ln(0)`, `sqrt(-1)`, `power(0, -1)` and casts out of range end the statement;
//! operands that are infinite or NaN do not. CASE nests more than 1500 deep, a target list has 1664 entries, names are
//! cut at 63 bytes. Subqueries are pulled up and their expressions copied into every use, unless they end in OFFSET.
//! FULL JOIN: "only supported with merge-joinable or hash-joinable join conditions", an equality of both sides or a
//! constant (`optimizer/path/joinpath.c`, `select_mergejoin_clauses`).

use flock_ir_spec::Digest;

use crate::carried::{Carried, LACKS};
use crate::dialect::*;

/// PostgreSQL.
pub static DIALECT: Dialect = Dialect {
    name: "postgres",
    double: "float8",
    real: Some("real"),
    bigint: "bigint",
    text: "text",
    bytewise: " COLLATE \"C\"",
    boolean: Some("boolean"),
    wide_integer: Some("numeric"),
    digests: &[
        (Digest::Md5, "md5({})"),
        (Digest::Sha224, "encode(sha224(convert_to({}, 'UTF8')), 'hex')"),
        (Digest::Sha256, "encode(sha256(convert_to({}, 'UTF8')), 'hex')"),
        (Digest::Sha384, "encode(sha384(convert_to({}, 'UTF8')), 'hex')"),
        (Digest::Sha512, "encode(sha512(convert_to({}, 'UTF8')), 'hex')"),
    ],
    hexadecimal: "CAST(CAST('x' || {} AS bit(32)) AS bigint)",
    floats: FloatForm::Cast("float8"),
    nan: Nan::Greatest,
    zero_divides_to_null: false,
    traps: Traps { arithmetic: true, domain: true, power: true, narrow: true, integer: true },
    integer_cast: IntegerCast::Rounds,
    round_even: RoundEven::Call("round({})"),
    greatest: "greatest",
    least: "least",
    arguments: 100,
    zeros_differ: false,
    nesting: 200,
    depth: 400,
    sum: u32::MAX,
    columns: 1600,
    identifier_bytes: Some(63),
    folds_case: false,
    stored: Stored::Lower,
    full_join_by_equality: true,
    carried: &CARRIED,
    fence: Fence::OffsetZero,
    star: Star::Row,
    case_ns: [40.0, 65.0, 145.0],
    when_ns: 15.0,
};

static CARRIED: Carried = Carried {
    functions: None,
    refused: &[
        ("try_cast(", LACKS),
        ("safe_cast(", LACKS),
        ("round(", "PostgreSQL rounds a float's ties to even, others away from zero"),
        ("regexp_matches(", "PostgreSQL gives a set of rows for it"),
        ("contains(", LACKS),
        ("date_add(", LACKS),
        ("date_diff(", LACKS),
        ("date_sub(", LACKS),
        ("dateadd(", LACKS),
        ("datediff(", LACKS),
        ("datepart(", LACKS),
        ("datetrunc(", LACKS),
        ("day(", LACKS),
        ("dayname(", LACKS),
        ("dayofweek(", LACKS),
        ("dayofyear(", LACKS),
        ("ends_with(", LACKS),
        ("epoch(", LACKS),
        ("hour(", LACKS),
        ("instr(", LACKS),
        ("isinf(", LACKS),
        ("len(", LACKS),
        ("log2(", LACKS),
        ("minute(", LACKS),
        ("month(", LACKS),
        ("monthname(", LACKS),
        ("quarter(", LACKS),
        ("second(", LACKS),
        ("strftime(", LACKS),
        ("today(", LACKS),
        ("truncate(", LACKS),
        ("week(", LACKS),
        ("weekday(", LACKS),
        ("year(", LACKS),
    ],
    types: &["DATE", "TIME", "TIMESTAMP", "DECIMAL", "NUMERIC"],
};
