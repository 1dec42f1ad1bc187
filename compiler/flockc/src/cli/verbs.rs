//! One function per verb.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use flock_ir_spec::Diagnostic;
use serde_json::{Value, json};

use super::args::{self, Cli, Target, Verb};
use super::show;
use crate::artefact::{LoadOptions, Pipeline};
use crate::error::{Error, Result};
use crate::{artefact, compile, explain, inspect, query, run, verify};

/// Runs a verb.
pub fn dispatch(cli: &Cli) -> Result<ExitCode> {
    match &cli.verb {
        Verb::Compile(a) => compile_verb(a),
        Verb::Run(a) => run_verb(a, cli.json),
        Verb::Query(a) => query_verb(a, cli.json),
        Verb::Explain(a) => explain_verb(a, cli.json),
        Verb::Inspect(a) => inspect_verb(a, cli.json),
        Verb::Verify(a) => verify_verb(a, cli.json),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "flockc", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// To standard output. A reader that has gone away is no fault.
fn print(text: &str) -> Result<ExitCode> {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io(Path::new("standard output"), &e)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print_json(value: &Value) -> Result<ExitCode> {
    print(&format!("{value:#}\n"))
}

/// Loads a pipeline; the data says what the columns hold that the pipeline only passes through.
fn load(path: &Path, names: &args::Names, data: Option<&Path>) -> Result<Pipeline> {
    let types = match data {
        Some(data) => run::types(data)?,
        None => Default::default(),
    };
    artefact::load(path, &LoadOptions { columns: names.given(), types })
}

fn compile_verb(a: &args::Compile) -> Result<ExitCode> {
    if let Target::Object | Target::Staticlib | Target::Sharedlib | Target::Wgsl = a.to {
        let message = "this version of flockc compiles to sql and ir";
        return Err(Error::usage(
            "--to",
            message,
            "use --to sql or --to ir; `flockc run` makes machine code on the spot",
        ));
    }
    if a.cpu.is_some() || a.codegen.is_some() {
        return Err(Error::usage(
            "--cpu, --codegen",
            "they choose machine code, which --to sql|ir has none of",
            "leave them out",
        ));
    }
    let pipeline = load(&a.pipeline, &a.columns.names, None)?.with_outputs(&a.columns.wanted())?;
    let text = if a.to == Target::Ir {
        compile::ir(&pipeline, a.no_optimize)?
    } else {
        let missing = |flag: &str, help: &str| Error::usage(flag, "--to sql needs it", help.to_owned());
        let options = compile::SqlOptions {
            dialect: a.dialect.clone().ok_or_else(|| missing("--dialect", "for example --dialect duckdb"))?,
            table: a.table.clone().ok_or_else(|| missing("--table", "for example --table flights"))?,
            keep: a.columns.keep.clone(),
            exact: a.identifiers == args::Identifiers::Exact,
            no_optimize: a.no_optimize,
        };
        compile::sql(&pipeline, &options)?
    };
    emit(a.output_file.as_deref(), &text)
}

/// Writes a file that appears whole or not at all; a link's target is what is written, and what is no file (a pipe, a
/// terminal) is written to as it is.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let target = match path.canonicalize() {
            Ok(found) if !found.is_file() => return std::fs::write(path, bytes),
            Ok(found) => found,
            Err(_) => path.to_path_buf(),
        };
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().permissions(permissions()).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&target).map(drop).map_err(|e| e.error)
    };
    write().map_err(|e| Error::io(path, &e))
}

/// To the file, or to standard output.
fn emit(out: Option<&Path>, text: &str) -> Result<ExitCode> {
    match out {
        Some(path) => write_whole(path, text.as_bytes()).map(|()| ExitCode::SUCCESS),
        None => print(text),
    }
}

/// As an ordinary new file has them; temporary files are private otherwise.
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}

fn run_verb(a: &args::Run, json: bool) -> Result<ExitCode> {
    let pipeline = load(&a.pipeline, &a.columns.names, Some(&a.data))?.with_outputs(&a.columns.wanted())?;
    let request = run::Request {
        pipeline: &pipeline,
        data: &a.data,
        out: a.output_file.as_deref(),
        engine: a.engine,
        keep: &a.columns.keep,
        threads: a.threads.map(usize::from),
    };
    let mut bar = show::Bar::new();
    let done = run::run(&request, &mut |p| bar.update(p))?;
    drop(bar);
    finish(&done, json)?;
    if a.strict && done.refused > 0 {
        let message = format!("{} of {} rows are rows that the library would refuse", done.refused, done.rows);
        return Err(Error::one(
            Diagnostic::new("flock::run::refused_rows", a.data.display().to_string(), message)
                .help("without --strict they get NULL in every output"),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The table of the first rows to standard output, the summary to standard error.
fn finish(done: &run::Done, json: bool) -> Result<()> {
    if json {
        let report = json!({
            "rows": done.rows, "refused_rows": done.refused, "engine": done.engine, "why": done.why,
            "seconds": done.time.as_secs_f64(), "out": done.out.as_ref().map(|p| p.display().to_string()),
            "columns": done.head.as_ref().map(|h| &h.0), "first_rows": done.head.as_ref().map(|h| &h.1),
        });
        return print_json(&report).map(drop);
    }
    if let Some((names, rows)) = &done.head {
        print(&format!("{}\n", show::table(names, rows)))?;
    }
    let shown = match (&done.out, &done.head) {
        (Some(path), _) => format!(" to {}", path.display()),
        (None, Some((_, rows))) if (rows.len() as u64) < done.rows => format!(", the first {} shown", rows.len()),
        _ => String::new(),
    };
    eprintln!("{} rows in {:.3} s{shown}; engine {} ({})", done.rows, done.time.as_secs_f64(), done.engine, done.why);
    if done.refused > 0 {
        eprintln!("{} rows are rows that the library would refuse: NULL in every output", done.refused);
    }
    Ok(())
}

fn query_request(a: &args::Query) -> query::Request<'_> {
    query::Request {
        sql: &a.sql,
        models: &a.model,
        tables: &a.table,
        dialect: a.dialect.as_deref(),
        engine: a.engine,
        out: a.output_file.as_deref(),
        threads: a.threads.map(usize::from),
    }
}

fn query_verb(a: &args::Query, json: bool) -> Result<ExitCode> {
    if a.explain {
        return explain_verb(a, json);
    }
    let prepared = query::prepare(&query_request(a))?;
    if let Some(name) = a.to.as_ref().and(a.dialect.as_deref()) {
        return emit(a.output_file.as_deref(), &query::to_sql(&prepared, name)?);
    }
    let done = query::run(&prepared, &query_request(a))?;
    finish(&done, json)?;
    Ok(ExitCode::SUCCESS)
}

/// A pipeline's file, or a query.
fn explain_verb(a: &args::Query, json: bool) -> Result<ExitCode> {
    let path = Path::new(&a.sql);
    if !path.exists() && !a.sql.contains(char::is_whitespace) {
        return Err(Error::io(path, &std::io::ErrorKind::NotFound.into()));
    }
    let is_pipeline = path.is_file() && std::fs::read(path).is_ok_and(|bytes| artefact::sniff(&bytes).is_some());
    let explained = if is_pipeline {
        explain::pipeline(&artefact::load(path, &LoadOptions::default())?)?
    } else {
        explain::query(&query::prepare(&query_request(a))?)?
    };
    if json { print_json(&explained.json()) } else { print(&explained.text()) }
}

fn inspect_verb(a: &args::Inspect, json: bool) -> Result<ExitCode> {
    let pipeline = load(&a.pipeline, &a.names, None)?;
    if json { print_json(&inspect::json(&pipeline)) } else { print(&inspect::text(&pipeline)) }
}

fn verify_verb(a: &args::Verify, json: bool) -> Result<ExitCode> {
    let pipeline = load(&a.pipeline, &a.names, a.data.as_deref())?;
    let done = verify::verify(&pipeline, &a.engines, a.data.as_deref(), a.expected.as_deref())?;
    let hash = artefact::file_hash(&a.pipeline)?;
    let certificate = verify::certificate(&pipeline, &hash, &done);
    if let Some(path) = &a.certificate {
        write_whole(path, format!("{certificate:#}\n").as_bytes())?;
    }
    if json {
        print_json(&certificate)?;
    } else {
        print(&verify_text(&done))?;
    }
    Ok(if done.equal() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn verify_text(done: &verify::Verification) -> String {
    let names: Vec<String> =
        ["engine", "rows from", "rows", "refused", "differences", "worst error"].map(str::to_owned).to_vec();
    let row = |c: &verify::Comparison| {
        let cells = [
            c.engine.clone(),
            c.rows_from.clone(),
            c.rows.to_string(),
            c.refused.to_string(),
            c.differences.to_string(),
            format!("{:.1e}", c.worst),
        ];
        cells.into_iter().map(Some).collect()
    };
    let rows: Vec<Vec<Option<String>>> = done.comparisons.iter().map(row).collect();
    let mut text = format!("{}\n", show::table(&names, &rows));
    let (covered, all) = done.thresholds;
    text.push_str(&format!(
        "hard rows stand on {covered} of {all} distinct thresholds; categories or several columns decide the others\n"
    ));
    for c in &done.comparisons {
        for e in &c.examples {
            text.push_str(&format!("{}: {e}\n", c.engine));
        }
    }
    for (name, why) in &done.absent {
        text.push_str(&format!("not compared: {name}: {why}\n"));
    }
    text
}
