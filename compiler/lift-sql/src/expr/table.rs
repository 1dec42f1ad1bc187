//! Scalar functions that are carried, and what is known about their results. A function that is in no list is refused:
//! it could aggregate, or give another value each time.

/// What a function gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Text,
    Integer,
    Bool,
    /// A double where all operands are doubles, else not known.
    Float,
    /// What its operands have in common.
    Same,
    /// Not known, or not a type of the IR.
    Unknown,
}

const TEXT: &[&str] = &[
    "lower",
    "upper",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "replace",
    "substr",
    "substring",
    "concat",
    "concat_ws",
    "left",
    "right",
    "lpad",
    "rpad",
    "reverse",
    "initcap",
    "repeat",
    "translate",
    "split_part",
    "regexp_replace",
    "chr",
    "to_char",
    "strftime",
    "md5",
    "to_hex",
    "format",
    "dayname",
    "monthname",
];
const INTEGER: &[&str] = &[
    "length",
    "len",
    "char_length",
    "character_length",
    "octet_length",
    "bit_length",
    "ascii",
    "strpos",
    "instr",
    "position",
];
const BOOL: &[&str] = &["starts_with", "ends_with", "contains", "regexp_matches", "regexp_like", "isinf", "isfinite"];
const FLOAT: &[&str] = &[
    "round", "trunc", "truncate", "power", "pow", "log", "log2", "log10", "cbrt", "sin", "cos", "tan", "asin", "acos",
    "atan", "atan2", "sinh", "cosh", "degrees", "radians", "sign",
];
const SAME: &[&str] = &["greatest", "least", "mod"];
const UNKNOWN: &[&str] = &[
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "week",
    "quarter",
    "dayofweek",
    "dayofyear",
    "weekday",
    "date_part",
    "datepart",
    "date_trunc",
    "datetrunc",
    "date_bin",
    "date",
    "to_date",
    "to_timestamp",
    "make_date",
    "date_diff",
    "datediff",
    "date_add",
    "dateadd",
    "date_sub",
    "age",
    "epoch",
    "now",
    "today",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "gcd",
    "lcm",
    "factorial",
    "width_bucket",
    "bit_count",
];
/// Aggregates of databases beyond those of the IR.
const AGGREGATES: &[&str] = &[
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "median",
    "mode",
    "quantile",
    "percentile_cont",
    "percentile_disc",
    "approx_distinct",
    "approx_count_distinct",
    "approx_percentile_cont",
    "string_agg",
    "group_concat",
    "listagg",
    "array_agg",
    "list",
    "bool_and",
    "bool_or",
    "every",
    "bit_and",
    "bit_or",
    "corr",
    "covar_samp",
    "covar_pop",
    "regr_slope",
    "first",
    "last",
    "any_value",
    "arg_min",
    "arg_max",
    "count_if",
    "histogram",
    "grouping",
    "total",
    "json_agg",
    "jsonb_agg",
    "kurtosis",
    "skewness",
    "entropy",
];
const VOLATILE: &[&str] = &[
    "random",
    "rand",
    "uuid",
    "gen_random_uuid",
    "newid",
    "nextval",
    "currval",
    "setval",
    "clock_timestamp",
    "setseed",
];

/// What is known of a function by its name in lower case.
pub(super) enum Known {
    Scalar(Gives),
    Aggregate,
    Volatile,
    Unheard,
}

pub(super) fn look_up(name: &str) -> Known {
    let scalars = [
        (TEXT, Gives::Text),
        (INTEGER, Gives::Integer),
        (BOOL, Gives::Bool),
        (FLOAT, Gives::Float),
        (SAME, Gives::Same),
        (UNKNOWN, Gives::Unknown),
    ];
    if let Some((_, gives)) = scalars.iter().find(|(list, _)| list.contains(&name)) {
        return Known::Scalar(*gives);
    }
    match name {
        n if AGGREGATES.contains(&n) => Known::Aggregate,
        n if VOLATILE.contains(&n) => Known::Volatile,
        _ => Known::Unheard,
    }
}

/// The names of the scalar functions, for help.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    const LIFTED: &[&str] = &[
        "abs",
        "floor",
        "ceil",
        "ceiling",
        "sqrt",
        "exp",
        "ln",
        "tanh",
        "coalesce",
        "ifnull",
        "nvl",
        "nullif",
        "if",
        "iif",
        "isnan",
        "predict",
        "predict_proba",
        "count",
        "sum",
        "avg",
        "min",
        "max",
    ];
    [TEXT, INTEGER, BOOL, FLOAT, SAME, UNKNOWN, LIFTED].into_iter().flatten().copied()
}
