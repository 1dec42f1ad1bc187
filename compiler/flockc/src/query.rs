//! SQL queries with predictions: lifted, optimised across the border, printed for a database or run.

use std::path::{Path, PathBuf};

use flock_engine::Source;
use flock_ir_spec::{Diagnostic, FrameType, Verified};
use flock_lift_sql::{Catalog, Column, SourceDialect};
use flock_optimize::{Options, Placement, Report};

use crate::artefact::{self, LoadOptions, Pipeline};
use crate::cli::Engine;
use crate::error::{Error, Result};
use crate::score::faults;
use crate::{compile, frames, optimize, run};

/// What to ask of what.
pub struct Request<'a> {
    /// The query, or the path of a `.sql` file.
    pub sql: &'a str,
    /// Models by the names that the query uses.
    pub models: &'a [(String, PathBuf)],
    /// Tables by the names that the query uses. Without any, tables are the target database's, their columns not known.
    pub tables: &'a [(String, PathBuf)],
    /// Who computes predictions.
    pub engine: Engine,
    /// Where the result goes.
    pub out: Option<&'a Path>,
    /// Threads; the machine's cores without it.
    pub threads: Option<usize>,
}

/// The name of a query in its module.
pub const NAME: &str = "query";

/// A query that is lifted, with its models.
pub struct Prepared {
    /// As written.
    pub sql: String,
    /// The query `query` and the functions of the models, as lifted.
    pub lifted: Verified,
    /// The models by name.
    pub models: Vec<(String, Pipeline)>,
}

/// Reads the query, its models and the columns of its tables.
pub fn prepare(request: &Request<'_>) -> Result<Prepared> {
    let sql = text(request.sql)?;
    let mut faults_found = Vec::new();
    let mut models = Vec::new();
    let mut catalog = Catalog::new();
    for (name, path) in request.models {
        match artefact::load(path, &LoadOptions::default()) {
            Ok(pipeline) => {
                catalog.model(name, &pipeline.module)?;
                models.push((name.clone(), pipeline));
            }
            Err(e) => faults_found.extend(e.faults().to_vec()),
        }
    }
    for (name, path) in request.tables {
        match Source::open(&path.to_string_lossy()) {
            Ok(source) => {
                let columns: Vec<Column> = source.schema().fields().iter().map(|f| column(f)).collect();
                catalog.table(name, columns);
            }
            Err(e) => faults_found.extend(faults(e).faults().to_vec()),
        }
    }
    if !faults_found.is_empty() {
        return Err(Error::Input(faults_found));
    }
    if request.tables.is_empty() {
        catalog.allow_any_table();
    }
    let module = flock_lift_sql::lift(NAME, &sql, &catalog, SourceDialect::Generic)?;
    Ok(Prepared { sql, lifted: Verified::new(module)?, models })
}

fn text(sql: &str) -> Result<String> {
    let path = Path::new(sql);
    if path.extension().is_some_and(|e| e == "sql") || path.is_file() {
        return std::fs::read_to_string(path).map_err(|e| Error::io(path, &e));
    }
    Ok(sql.to_owned())
}

/// A column of a file as a query sees it.
fn column(field: &arrow::datatypes::Field) -> Column {
    match frames::dtype(field.data_type()) {
        Some(dtype) => Column::new(field.name().as_str(), FrameType::new(dtype, 1).with_nulls(field.is_nullable())),
        None => Column::other(field.name().as_str()),
    }
}

/// Optimises; predictions are computed inside of the SQL, or by machine code that it calls.
pub fn optimized(prepared: &Prepared, placement: Placement) -> Result<(Verified, Report)> {
    optimize::query(&prepared.lifted, NAME, &Options { placement, ..Options::default() })
}

/// The optimised statement for a database.
pub fn to_sql(prepared: &Prepared, dialect: &str) -> Result<String> {
    let dialect = compile::dialect(dialect)?;
    let (module, _) = optimized(prepared, Placement::Sql)?;
    emit(&module, dialect)
}

fn emit(module: &Verified, dialect: &'static flock_sql::Dialect) -> Result<String> {
    let _ = (module, dialect);
    Err(fault("pending"))
}

/// The name of the SQL function that computes an output of a model with machine code.
pub fn function_name(model: &str, output: &str) -> String {
    let plain = |s: &str| {
        s.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect::<String>()
    };
    // Two names that become one by this differ in the hash of what they were.
    let hash = blake3::hash(format!("{}:{model}{output}", model.len()).as_bytes()).to_hex();
    format!("flock_{}_{}_{}", plain(model), plain(output), &hash[..8])
}

/// Runs the query in the embedded SQL engine.
pub fn run(prepared: &Prepared, request: &Request<'_>) -> Result<run::Done> {
    if request.tables.is_empty() {
        let help =
            "name the files of its tables: --table flights=flights.parquet, or print it: --to sql --dialect duckdb";
        return Err(Error::usage("--table", "the query has no tables to run on", help));
    }
    let placement = match request.engine {
        Engine::Sql => Placement::Sql,
        Engine::Auto | Engine::Native => Placement::Native,
        Engine::Gpu => return Err(Error::feature("wgpu", "--engine gpu")),
        Engine::Reference => {
            let help = "use auto, native or sql";
            return Err(Error::usage("--engine reference", "queries run in the embedded SQL engine", help));
        }
    };
    if cfg!(not(feature = "query")) {
        return Err(Error::feature("query", "flockc query"));
    }
    let (module, report) = optimized(prepared, placement)?;
    let sql = emit(&module, compile::dialect("datafusion")?)?;
    let _ = (&sql, &report);
    Err(fault("pending"))
}

/// A fault of a query that has no better place.
pub fn fault(message: impl Into<String>) -> Error {
    Error::one(Diagnostic::new("flock::query", NAME, message))
}
