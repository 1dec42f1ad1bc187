//! From a pipeline to text: SQL or IR.

use std::collections::BTreeMap;

use flock_ir_spec::Diagnostic;
use flock_sql::{Identifiers, SelectOptions};

use crate::artefact::Pipeline;
use crate::error::{Error, Result};
use crate::optimize;

/// What a SQL statement is for.
#[derive(Clone, Debug, Default)]
pub struct SqlOptions {
    /// The dialect.
    pub dialect: String,
    /// The table; qualified by dots.
    pub table: String,
    /// Columns to pass through; `*` for all.
    pub keep: Vec<String>,
    /// Whether names are quoted as they are, or in the case that the dialect stores.
    pub exact: bool,
    /// Emit what was lifted.
    pub no_optimize: bool,
}

/// The dialect of that name.
pub fn dialect(name: &str) -> Result<&'static flock_sql::Dialect> {
    flock_sql::dialect(name).ok_or_else(|| {
        let known: Vec<&str> = flock_sql::dialects().iter().map(|d| d.name).collect();
        Error::usage("--dialect", format!("`{name}` is no dialect"), format!("one of: {}", known.join(", ")))
    })
}

/// A pipeline as one SELECT statement.
pub fn sql(pipeline: &Pipeline, options: &SqlOptions) -> Result<String> {
    let dialect = dialect(&options.dialect)?;
    collisions(pipeline, &options.keep, dialect.folds_case())?;
    let optimized = if options.no_optimize { pipeline.clone() } else { optimize::function(pipeline)?.pipeline };
    let select = SelectOptions {
        dialect,
        table: options.table.split('.').map(str::to_owned).collect(),
        keep: options.keep.clone(),
        identifiers: if options.exact { Identifiers::Exact } else { Identifiers::Fold },
    };
    flock_sql::emit_function(&optimized.module, &optimized.name, &select)
        .map_err(|all| Error::Input(all.iter().map(|u| u.diagnostic(dialect.name)).collect()))
}

/// A pipeline as IR text.
pub fn ir(pipeline: &Pipeline, no_optimize: bool) -> Result<String> {
    let optimized = if no_optimize { pipeline.clone() } else { optimize::function(pipeline)?.pipeline };
    Ok((*optimized.module).to_string())
}

/// Output names that collide with each other or with a kept column, in the target's own sense of equal.
pub fn collisions(pipeline: &Pipeline, keep: &[String], fold: bool) -> Result<()> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let outputs = pipeline.function().outputs.iter().map(|o| (o.name.to_string(), "output"));
    let kept = keep.iter().filter(|k| *k != "*").map(|k| (k.clone(), "kept column"));
    let mut faults = Vec::new();
    for (name, what) in outputs.chain(kept) {
        let key = if fold { name.to_lowercase() } else { name.clone() };
        let shown = format!("{what} `{name}`");
        if let Some(other) = seen.insert(key, shown.clone()) {
            let message = format!("{shown} and {other} would be one column");
            faults.push(
                Diagnostic::new("flock::outputs::collision", name, message)
                    .help("leave one of them out with --outputs or --keep"),
            );
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Input(faults)) }
}
