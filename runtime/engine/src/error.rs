//! What can go wrong between a file and a prediction.

use std::fmt;
use std::path::Path;

use flock_core::FlockKind;

/// One fault. [`EngineError::code`], [`EngineError::place`], [`EngineError::message`] and [`EngineError::help`] are
/// its parts, as a diagnostic shows them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A file or folder that cannot be read or written.
    #[error("{path}: {message}")]
    File {
        /// The path.
        path: String,
        /// What the system says.
        message: String,
    },
    /// A file whose content is of no kind that is read.
    #[error("{path}: {found}")]
    Kind {
        /// The path.
        path: String,
        /// What it looks like.
        found: String,
        /// What helps.
        help: String,
    },
    /// A file that is damaged, or a value in it that does not parse.
    #[error("{path}: {message}")]
    Data {
        /// The path, with row and column where they are known.
        path: String,
        /// What was found against what was expected.
        message: String,
    },
    /// A column that is wanted and not there.
    #[error("column `{column}`: {message}")]
    MissingColumn {
        /// The name that is wanted.
        column: String,
        /// What for.
        message: String,
        /// The nearest name that is there.
        nearest: Option<String>,
    },
    /// A column of another type than is wanted.
    #[error("column `{column}`: {message}")]
    MistypedColumn {
        /// The name.
        column: String,
        /// What was found against what was expected.
        message: String,
        /// What helps.
        help: String,
    },
    /// A name that occurs twice where it must be unique.
    #[error("column `{column}`: {message}")]
    Collision {
        /// The name.
        column: String,
        /// Which two.
        message: String,
    },
    /// A batch that the scorer refuses.
    #[error("{place}: {message}")]
    Score {
        /// Column or batch.
        place: String,
        /// What was found against what was expected.
        message: String,
    },
    /// Rows that the library would refuse, where none may be.
    #[error("{refused} of {rows} rows are rows that the library would refuse")]
    RefusedRows {
        /// Such rows.
        refused: u64,
        /// All rows.
        rows: u64,
    },
    /// A query that the SQL engine refuses.
    #[error("{message}")]
    Query {
        /// What it says.
        message: String,
    },
    /// The work was stopped from outside.
    #[error("stopped")]
    Stopped,
}

/// All faults of an input at once; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<EngineError>);

impl From<EngineError> for Faults {
    fn from(e: EngineError) -> Faults {
        Faults(vec![e])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(i, e)| write!(f, "{}{e}", if i > 0 { "\n" } else { "" }))
    }
}

impl std::error::Error for Faults {}

impl EngineError {
    pub(crate) fn file(path: &Path, e: &dyn fmt::Display) -> EngineError {
        EngineError::File { path: path.display().to_string(), message: e.to_string() }
    }

    pub(crate) fn data(path: &Path, e: &dyn fmt::Display) -> EngineError {
        EngineError::Data { path: path.display().to_string(), message: e.to_string() }
    }

    /// Stable name of the kind of fault.
    pub fn code(&self) -> &'static str {
        match self {
            EngineError::File { .. } => "flock::run::file",
            EngineError::Kind { .. } => "flock::run::unknown_kind",
            EngineError::Data { .. } => "flock::run::damaged_data",
            EngineError::MissingColumn { .. } => "flock::run::missing_column",
            EngineError::MistypedColumn { .. } => "flock::run::mistyped_column",
            EngineError::Collision { .. } => "flock::run::column_collision",
            EngineError::Score { .. } => "flock::run::refused_batch",
            EngineError::RefusedRows { .. } => "flock::run::refused_rows",
            EngineError::Query { .. } => "flock::query::refused",
            EngineError::Stopped => "flock::run::stopped",
        }
    }

    /// Where: a path, a column.
    pub fn place(&self) -> String {
        match self {
            EngineError::File { path, .. } | EngineError::Kind { path, .. } | EngineError::Data { path, .. } => {
                path.clone()
            }
            EngineError::MissingColumn { column, .. }
            | EngineError::MistypedColumn { column, .. }
            | EngineError::Collision { column, .. } => format!("column `{column}`"),
            EngineError::Score { place, .. } => place.clone(),
            EngineError::RefusedRows { .. } => "data".into(),
            EngineError::Query { .. } => "query".into(),
            EngineError::Stopped => "run".into(),
        }
    }

    /// What was found against what was expected.
    pub fn message(&self) -> String {
        match self {
            EngineError::Kind { found, .. } => found.clone(),
            EngineError::File { message, .. }
            | EngineError::Data { message, .. }
            | EngineError::MissingColumn { message, .. }
            | EngineError::MistypedColumn { message, .. }
            | EngineError::Collision { message, .. }
            | EngineError::Score { message, .. }
            | EngineError::Query { message } => message.clone(),
            EngineError::RefusedRows { .. } => format!("{self}; nothing was written"),
            EngineError::Stopped => "stopped before the end; nothing was written".into(),
        }
    }

    /// What helps, if anything is known to.
    pub fn help(&self) -> Option<String> {
        match self {
            EngineError::Kind { help, .. } | EngineError::MistypedColumn { help, .. } => Some(help.clone()),
            EngineError::MissingColumn { nearest, .. } => Some(match nearest {
                Some(n) => format!("the nearest column that is there is `{n}`; names match exactly"),
                None => "no column has a similar name; names match exactly".into(),
            }),
            EngineError::RefusedRows { .. } => Some("without --strict they get NULL in every output".into()),
            EngineError::Collision { .. } => Some("rename one of them, or leave one out".into()),
            _ => None,
        }
    }
}

/// A kind as a person reads it.
pub(crate) fn kind_words(kind: FlockKind) -> &'static str {
    match kind {
        FlockKind::Bool => "a truth value",
        FlockKind::I64 => "an integer",
        FlockKind::F32 | FlockKind::F64 => "a number",
        FlockKind::Str => "text",
    }
}
