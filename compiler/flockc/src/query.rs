//! SQL queries with predictions: lifted, optimised across the border, printed for a database or run.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Float64Type};
use flock_api::Backend;
use flock_core::FlockKind;
use flock_engine::{Progress, Source};
use flock_ir_spec::{Attr, Constant, Diagnostic, FrameType, Function, Module, Verified};
use flock_lift_sql::{Catalog, Column, SourceDialect};
use flock_optimize::{Options, Placement, Report};
use flock_sql::Identifiers;

use crate::artefact::{self, LoadOptions, Pipeline};
use crate::cli::Engine;
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::optimize::{CALL_NS, Costs};
use crate::score::faults;
use crate::{compile, frames, optimize, outline, run};

/// What to ask of what.
pub struct Request<'a> {
    /// The query, or the path of a `.sql` file.
    pub sql: &'a str,
    /// Models by the names that the query uses.
    pub models: &'a [(String, PathBuf)],
    /// Tables by the names that the query uses. Without any, tables are the target database's, their columns not known.
    pub tables: &'a [(String, PathBuf)],
    /// Files that say what custom classes of the models mean.
    pub define: &'a [PathBuf],
    /// The dialect that the query is printed for; None where it runs on the files themselves.
    pub dialect: Option<&'a str>,
    /// Who computes predictions.
    pub engine: Engine,
    /// Who writes machine code.
    pub codegen: Codegen,
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
    /// What is known of costs: how many rows the tables have.
    pub costs: Costs,
}

/// Reads the query, its models and the columns of its tables.
pub fn prepare(request: &Request<'_>) -> Result<Prepared> {
    usage(request)?;
    let sql = text(request.sql)?;
    let mut faults_found = Vec::new();
    let mut models = Vec::new();
    let mut costs = Costs::default();
    let mut catalog = Catalog::new();
    let options = LoadOptions { define: artefact::definitions(request.define)?, ..LoadOptions::default() };
    for (name, path) in request.models {
        match artefact::load(path, &options) {
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
                let nan_free = nan_free(&source, &sql, request.dialect)?;
                let known = |f: &Field| if nan_free(f.name()) { column(f).without_nan() } else { column(f) };
                let columns: Vec<Column> = source.schema().fields().iter().map(|f| known(f)).collect();
                catalog.table(name, columns);
                costs.rows.push((name.clone(), source.estimated_rows()));
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
    Ok(Prepared { sql, lifted: Verified::new(module)?, models, costs })
}

/// What is wrong with a request whatever its files hold.
fn usage(request: &Request<'_>) -> Result<()> {
    named_once("--model", request.models)?;
    named_once("--table", request.tables)?;
    request.dialect.map_or(Ok(()), |name| compile::dialect(name).map(drop))
}

/// The same of a request that is to be run.
pub fn runnable(request: &Request<'_>) -> Result<()> {
    usage(request)?;
    if request.tables.is_empty() {
        let help =
            "name the files of its tables: --table flights=flights.parquet, or print it: --to sql --dialect duckdb";
        return Err(Error::usage("--table", "the query has no tables to run on", help));
    }
    engine(request.engine)?;
    if cfg!(not(feature = "query")) {
        return Err(Error::feature("query", "flockc query"));
    }
    Ok(())
}

/// Whether queries run on that engine.
pub fn engine(engine: Engine) -> Result<()> {
    match engine {
        Engine::Sql | Engine::Auto | Engine::Native => Ok(()),
        Engine::Gpu => Err(crate::error::no_gpu()),
        Engine::Reference => {
            let help = "use auto, native or sql";
            Err(Error::usage("--engine reference", "queries run in the embedded SQL engine", help))
        }
    }
}

fn named_once(flag: &str, pairs: &[(String, PathBuf)]) -> Result<()> {
    match pairs.iter().enumerate().find(|(i, (name, _))| pairs[..*i].iter().any(|(other, _)| other == name)) {
        Some((_, (name, _))) => Err(Error::usage(flag, format!("`{name}` is given twice"), "give each name once")),
        None => Ok(()),
    }
}

fn text(sql: &str) -> Result<String> {
    let path = Path::new(sql);
    if path.extension().is_some_and(|e| e == "sql") || path.is_file() {
        return std::fs::read_to_string(path).map_err(|e| Error::io(path, &e));
    }
    Ok(sql.to_owned())
}

/// Which columns hold no NaN. In SQL NaN is greater than every number, so that it passes `x > 30`, and an imputer then
/// makes any value of it: a column without prunes far more of a model. Files are looked at, a column that the query does
/// not name apart; what a database holds is known only where its dialect has no NaN at all.
fn nan_free(source: &Source, sql: &str, dialect: Option<&str>) -> Result<impl Fn(&str) -> bool> {
    let none_anywhere = match dialect {
        Some(name) => !compile::dialect(name)?.has_nan(),
        None => false,
    };
    let floats = |t: &DataType| matches!(t, DataType::Float32 | DataType::Float64);
    let schema = source.schema();
    let named = schema.fields().iter().filter(|f| floats(f.data_type()) && sql.contains(f.name().as_str()));
    let fields: Vec<flock_core::Field> =
        named.map(|f| flock_core::Field { name: f.name().clone(), kind: FlockKind::F64, nullable: true }).collect();
    let mut free = vec![dialect.is_none(); fields.len()];
    if dialect.is_none() && !fields.is_empty() {
        let bound = source.bind(&fields, &flock_engine::Keep::Nothing).map_err(faults)?;
        for rows in bound.rows(frames::BATCH_ROWS) {
            let batch = rows.map_err(|e| faults(e.into()))?.inputs;
            for (free, column) in free.iter_mut().zip(batch.columns()) {
                let column = flock_engine::canonical(column, FlockKind::F64).map_err(|e| faults(e.into()))?;
                *free &= !column.as_primitive::<Float64Type>().iter().flatten().any(f64::is_nan);
            }
        }
    }
    let free: Vec<String> = fields.into_iter().zip(free).filter(|(_, free)| *free).map(|(f, _)| f.name).collect();
    Ok(move |name: &str| none_anywhere || free.iter().any(|f| f == name))
}

/// A column of a file as a query sees it.
fn column(field: &Field) -> Column {
    match frames::dtype(field.data_type()) {
        Some(dtype) => Column::new(field.name().as_str(), FrameType::new(dtype, 1).with_nulls(field.is_nullable())),
        None => Column::other(field.name().as_str()),
    }
}

/// Optimises; predictions are computed inside of the SQL, or by machine code that it calls.
pub fn optimized(prepared: &Prepared, placement: Placement) -> Result<(Verified, Report)> {
    optimize::query(&prepared.lifted, NAME, &Options { placement, ..Options::default() }, &prepared.costs)
}

/// The optimised statement for a database.
pub fn to_sql(prepared: &Prepared, dialect: &str) -> Result<String> {
    let dialect = compile::dialect(dialect)?;
    let (module, _) = optimized(prepared, Placement::Sql)?;
    emit(&module, dialect, Identifiers::Fold)
}

fn emit(module: &Verified, dialect: &'static flock_sql::Dialect, identifiers: Identifiers) -> Result<String> {
    let naming = |function: &str, output: &str| function_name(function, output);
    flock_sql::emit_query(module, NAME, dialect, identifiers, &naming)
        .map_err(|all| Error::Input(all.iter().map(|u| u.diagnostic(dialect.name)).collect()))
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

/// Who computes the predictions of a query, and why.
pub struct Choice {
    /// `native` where SQL calls machine code, `sql` where the models are SQL themselves.
    pub engine: &'static str,
    /// Why that one.
    pub why: String,
}

/// The engine that was asked for, or the cheaper one, with the module that it runs: the models in the query as SQL, or
/// taken out for machine code.
pub fn choose(prepared: &Prepared, engine: Engine) -> Result<(Verified, Choice)> {
    let choice = |engine, why: &str| Choice { engine, why: why.to_owned() };
    // What the optimiser made of the models within the query is what runs.
    let (inlined, _) = optimized(prepared, Placement::Sql)?;
    if engine == Engine::Sql {
        return Ok((inlined, choice("sql", "asked for")));
    }
    let outlined = outline::outline(inlined.clone(), NAME)?;
    if engine == Engine::Native {
        return Ok((outlined, choice("native", "asked for")));
    }
    if outlined.functions.is_empty() {
        return Ok((inlined, choice("sql", "nothing in it is slower as SQL than as machine code")));
    }
    let native = flock_cranelift::Cranelift::default();
    let unsupported = outlined.functions.iter().find_map(|f| native.unsupported(f).into_iter().next());
    if let Some(u) = unsupported {
        let why = format!("native code cannot take {}: {}", u.what, u.reason);
        return Ok((inlined, choice("sql", &why)));
    }
    let sql = flock_sql::Sql::new(compile::dialect("datafusion")?);
    let rows = prepared.costs.rows.iter().map(|(_, rows)| *rows).max().unwrap_or(0);
    let (mut in_code, mut in_sql) = (0.0, 0.0);
    for f in &outlined.functions {
        in_code += Codegen::Cranelift.compile_ns(&outlined, f) + rows as f64 * (CALL_NS + native.cost(&outlined, f));
        in_sql += PLAN_NODE_NS * nodes(&outlined, f) as f64 + rows as f64 * sql.cost(&outlined, f);
    }
    let (code, text) = (run::estimate(in_code), run::estimate(in_sql));
    let why = format!("about {rows} rows: machine code called from SQL {code}, SQL alone {text}");
    Ok(if in_code <= in_sql { (outlined, choice("native", &why)) } else { (inlined, choice("sql", &why)) })
}

/// Planning SQL costs about this much for each node of a model, an operator or a test of a tree: DataFusion took 0.2 s for
/// 370 tests in nested CASE, and 16 s for 12,000.
const PLAN_NODE_NS: f64 = 4e5;

fn nodes(module: &Module, f: &Function) -> usize {
    let tests = |n: &flock_ir_spec::Node| match &n.attr {
        Attr::Const(id) => match module.constants.get(*id) {
            Some(c) => match &**c {
                Constant::Trees(t) => t.nodes.len(),
                Constant::Table(t) => t.len(),
                Constant::Terms(t) => t.columns() as usize,
            },
            None => 0,
        },
        _ => 1,
    };
    f.graph.nodes().iter().map(tests).sum()
}

/// Runs the query in the embedded SQL engine.
pub fn run(
    prepared: &Prepared,
    request: &Request<'_>,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<run::Done> {
    runnable(request)?;
    let (module, choice) = choose(prepared, request.engine)?;
    let sql = emit(&module, compile::dialect("datafusion")?, Identifiers::Exact)?;
    crate::embedded::query(&module, &sql, choice, request, progress)
}

/// A fault of a query that has no better place.
pub fn fault(message: impl Into<String>) -> Error {
    Error::one(Diagnostic::new("flock::query", NAME, message))
}
