//! Where databases disagree about the meaning of one text.

use flock_ir_spec::DType;

/// Whose meaning a query has where DataFusion, DuckDB and PostgreSQL differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceDialect {
    /// What all three say. Where they differ in a value the query is refused and the fault says how to write it; where they
    /// differ in the place of nulls under ORDER BY, PostgreSQL and DataFusion are followed.
    #[default]
    Generic,
    /// DataFusion 55.
    DataFusion,
    /// DuckDB 2.
    DuckDb,
    /// PostgreSQL 15.
    Postgres,
}

/// What a quotient of integers is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotient {
    Integer,
    Float,
    Differs,
}

/// How a float becomes an integer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToInteger {
    TiesToEven,
    TowardsZero,
    Differs,
}

impl SourceDialect {
    /// The dialect of that name: `generic`, `datafusion`, `duckdb`, `postgres`.
    pub fn parse(name: &str) -> Option<SourceDialect> {
        Some(match name.to_ascii_lowercase().as_str() {
            "generic" => SourceDialect::Generic,
            "datafusion" => SourceDialect::DataFusion,
            "duckdb" => SourceDialect::DuckDb,
            "postgres" | "postgresql" => SourceDialect::Postgres,
            _ => return None,
        })
    }

    pub(crate) fn quotient(self) -> Quotient {
        match self {
            SourceDialect::Generic => Quotient::Differs,
            SourceDialect::DuckDb => Quotient::Float,
            SourceDialect::DataFusion | SourceDialect::Postgres => Quotient::Integer,
        }
    }

    pub(crate) fn to_integer(self) -> ToInteger {
        match self {
            SourceDialect::Generic => ToInteger::Differs,
            SourceDialect::DataFusion => ToInteger::TowardsZero,
            SourceDialect::DuckDb | SourceDialect::Postgres => ToInteger::TiesToEven,
        }
    }

    /// Whether ORDER BY puts nulls first where the query does not say. DuckDB: always last; the others: null is greatest.
    pub(crate) fn nulls_first(self, descending: bool) -> bool {
        descending && self != SourceDialect::DuckDb
    }

    /// Whether `0.1` is a double where it meets integers; else a decimal, which the IR does not have.
    pub(crate) fn decimal_is_double(self) -> bool {
        matches!(self, SourceDialect::Generic | SourceDialect::DataFusion)
    }

    /// The type in which a 32-bit float meets an integer.
    pub(crate) fn f32_with_integer(self) -> DType {
        match self {
            SourceDialect::Generic | SourceDialect::Postgres => DType::F64,
            SourceDialect::DuckDb | SourceDialect::DataFusion => DType::F32,
        }
    }

    /// The type in which a 32-bit float meets a decimal literal.
    pub(crate) fn f32_with_decimal(self) -> DType {
        if self == SourceDialect::DuckDb { DType::F32 } else { DType::F64 }
    }

    /// Whether text is ordered byte by byte; else by the database's collation.
    pub(crate) fn text_by_bytes(self) -> bool {
        self != SourceDialect::Postgres
    }

    /// Whether the columns that USING merges stand in front of all others for `*`; else where the left table has them.
    pub(crate) fn merged_first(self) -> bool {
        self == SourceDialect::Postgres
    }

    /// The type that `FLOAT` names; None where it would be a guess.
    pub(crate) fn float(self) -> Option<DType> {
        match self {
            SourceDialect::Generic => None,
            SourceDialect::Postgres => Some(DType::F64),
            SourceDialect::DuckDb | SourceDialect::DataFusion => Some(DType::F32),
        }
    }
}
