//! One function per verb.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use flock_engine::OutputKind;
use flock_plan::Cpu;
use serde_json::{Value, json};

use super::args::{self, Cli, Engine, Target, Verb};
use super::show;
use crate::artefact::{LoadOptions, Pipeline};
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::library::Kind;
use crate::{artefact, compile, explain, inspect, library, query, run, verify};

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
    artefact::load(path, &LoadOptions { columns: names.given(), types, define: artefact::definitions(&names.define)? })
}

fn compile_verb(a: &args::Compile) -> Result<ExitCode> {
    let kind = match a.to {
        Target::Sql | Target::Ir => return compile_text(a),
        Target::Object => Kind::Object,
        Target::Staticlib => Kind::Static,
        Target::Sharedlib => Kind::Shared,
        Target::Wgsl => {
            let message =
                "`wgsl` needs the cargo feature `wgpu` (GPU kernels), which this version of flockc does not have yet";
            return Err(Error::usage("--to wgsl", message, "use --to sql, or `flockc run` on the processor"));
        }
    };
    only_for_sql(a, "a library")?;
    let codegen = a.codegen.unwrap_or_default();
    codegen.with(Engine::Native)?;
    let cpu = cpu(a.cpu.as_deref())?;
    let missing = || Error::usage("-o", "a library is a file, and its header beside it", "for example -o libscore.a");
    let out = a.output_file.as_deref().ok_or_else(missing)?;
    library::name(out)?;
    let pipeline = load(&a.pipeline, &a.columns.names, None)?.with_outputs(&a.columns.wanted())?;
    let request = library::Request {
        pipeline: &pipeline,
        source: &a.pipeline,
        kind,
        out,
        cpu,
        codegen,
        no_optimize: a.no_optimize,
    };
    // The library itself comes last: where it is, what describes it is.
    library::files(&request)?.iter().try_for_each(|(path, bytes)| write_whole(path, bytes))?;
    Ok(ExitCode::SUCCESS)
}

/// The processor of that name.
fn cpu(name: Option<&str>) -> Result<Cpu> {
    let Some(name) = name else { return Ok(Cpu::portable()) };
    Cpu::of(name).ok_or_else(|| {
        let known = Cpu::ALL.map(Cpu::name).join(", ");
        Error::usage("--cpu", format!("`{name}` is no processor that there is code for"), format!("one of: {known}"))
    })
}

/// SQL or IR.
fn compile_text(a: &args::Compile) -> Result<ExitCode> {
    if a.cpu.is_some() || a.codegen.is_some() {
        return Err(Error::usage(
            "--cpu, --codegen",
            "they choose machine code, which --to sql|ir has none of",
            "leave them out",
        ));
    }
    let options = if a.to == Target::Sql { Some(sql_options(a)?) } else { None };
    if options.is_none() {
        only_for_sql(a, "Flock IR")?;
    }
    let pipeline = load(&a.pipeline, &a.columns.names, None)?.with_outputs(&a.columns.wanted())?;
    let text = match options {
        Some(options) => compile::sql(&pipeline, &options)?,
        None => compile::ir(&pipeline, a.no_optimize)?,
    };
    emit(a.output_file.as_deref(), &text)
}

/// What `--to sql` needs to know; a dialect that there is.
fn sql_options(a: &args::Compile) -> Result<compile::SqlOptions> {
    let missing = |flag: &str, help: &str| Error::usage(flag, "--to sql needs it", help.to_owned());
    let options = compile::SqlOptions {
        dialect: a.dialect.clone().ok_or_else(|| missing("--dialect", "for example --dialect duckdb"))?,
        table: a.table.clone().ok_or_else(|| missing("--table", "for example --table flights"))?,
        keep: a.columns.keep.clone(),
        exact: a.identifiers == Some(args::Identifiers::Exact),
        no_optimize: a.no_optimize,
    };
    compile::dialect(&options.dialect)?;
    Ok(options)
}

/// Flags that shape a statement are wrong where none is written.
fn only_for_sql(a: &args::Compile, what: &str) -> Result<()> {
    let given = [
        ("--dialect", a.dialect.is_some()),
        ("--table", a.table.is_some()),
        ("--keep", !a.columns.keep.is_empty()),
        ("--identifiers", a.identifiers.is_some()),
    ];
    let flags: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
    if flags.is_empty() {
        return Ok(());
    }
    let message = format!("a SQL statement has this, {what} does not");
    Err(Error::usage(&flags.join(", "), message, "leave it out, or use --to sql"))
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

/// The name of a data file says its format.
fn output_kind(out: Option<&Path>) -> Result<()> {
    let kind = |path| OutputKind::of(path).map_err(|e| Error::usage("-o", e.to_string(), e.help().unwrap_or_default()));
    out.map_or(Ok(()), |path| kind(path).map(drop))
}

fn run_verb(a: &args::Run, json: bool) -> Result<ExitCode> {
    output_kind(a.output_file.as_deref())?;
    match a.engine {
        Engine::Gpu => return Err(crate::error::no_gpu()),
        Engine::Sql if cfg!(not(feature = "query")) => return Err(Error::feature("query", "--engine sql")),
        Engine::Reference => {}
        _ if a.rounding.is_some() => {
            let help = "add `--engine reference`";
            return Err(Error::usage("--rounding", "the reference engine alone moves its rounding", help));
        }
        _ => {}
    }
    a.codegen.map_or(Ok(()), |c| c.with(a.engine))?;
    let pipeline = load(&a.pipeline, &a.columns.names, Some(&a.data))?.with_outputs(&a.columns.wanted())?;
    let request = run::Request {
        pipeline: &pipeline,
        data: &a.data,
        out: a.output_file.as_deref(),
        engine: a.engine,
        codegen: a.codegen,
        keep: &a.columns.keep,
        threads: a.threads.map(usize::from),
        strict: a.strict,
        rounding: a.rounding,
    };
    let mut bar = show::Bar::new();
    let done = run::run(&request, &mut |p| bar.update(p))?;
    drop(bar);
    finish(&done, json)?;
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
        models: &a.named.model,
        tables: &a.named.table,
        define: &a.named.define,
        dialect: a.dialect.as_deref(),
        engine: a.engine,
        codegen: a.codegen.unwrap_or_default(),
        out: a.output_file.as_deref(),
        threads: a.threads.map(usize::from),
    }
}

fn query_verb(a: &args::Query, json: bool) -> Result<ExitCode> {
    a.codegen.map_or(Ok(()), |c| c.with(a.engine))?;
    let request = query_request(a);
    if a.explain {
        query::engine(a.engine)?;
        return explained(&explain::query(&query::prepare(&request)?, a.engine)?, json);
    }
    if let Some(name) = a.to.as_ref().and(a.dialect.as_deref()) {
        return emit(a.output_file.as_deref(), &query::to_sql(&query::prepare(&request)?, name)?);
    }
    output_kind(a.output_file.as_deref())?;
    query::runnable(&request)?;
    let prepared = query::prepare(&request)?;
    let mut bar = show::Bar::new();
    let done = query::run(&prepared, &request, &mut |p| bar.update(p))?;
    drop(bar);
    finish(&done, json)?;
    Ok(ExitCode::SUCCESS)
}

fn explained(explained: &explain::Explained, json: bool) -> Result<ExitCode> {
    if json { print_json(&explained.json()) } else { print(&explained.text()) }
}

/// A pipeline's file, or a query.
fn explain_verb(a: &args::Explain, json: bool) -> Result<ExitCode> {
    let path = Path::new(&a.subject);
    if !path.exists() && !a.subject.contains(char::is_whitespace) {
        return Err(Error::io(path, &std::io::ErrorKind::NotFound.into()));
    }
    let is_pipeline = path.is_file() && std::fs::read(path).is_ok_and(|bytes| artefact::sniff(&bytes).is_some());
    if is_pipeline {
        if !a.named.model.is_empty() || !a.named.table.is_empty() {
            let message = "a query has models and tables, a pipeline by itself has none";
            return Err(Error::usage("--model, --table", message, "leave them out"));
        }
        let options = LoadOptions { define: artefact::definitions(&a.named.define)?, ..LoadOptions::default() };
        return explained(&explain::pipeline(&artefact::load(path, &options)?)?, json);
    }
    let request = query::Request {
        sql: &a.subject,
        models: &a.named.model,
        tables: &a.named.table,
        define: &a.named.define,
        dialect: None,
        engine: Engine::Auto,
        codegen: Codegen::default(),
        out: None,
        threads: None,
    };
    explained(&explain::query(&query::prepare(&request)?, Engine::Auto)?, json)
}

fn inspect_verb(a: &args::Inspect, json: bool) -> Result<ExitCode> {
    let Some(path) = &a.pipeline else {
        let classes = inspect::classes();
        return if json { print_json(&classes) } else { print(&inspect::classes_text(&classes)) };
    };
    let pipeline = load(path, &a.names, None)?;
    if json { print_json(&inspect::json(&pipeline)) } else { print(&inspect::text(&pipeline)) }
}

fn verify_verb(a: &args::Verify, json: bool) -> Result<ExitCode> {
    verify::engines(&a.engines)?;
    let codegen = a.codegen.unwrap_or_default();
    codegen.with(Engine::Native)?;
    let pipeline = load(&a.pipeline, &a.names, a.data.as_deref())?;
    let done = verify::verify(&pipeline, &a.engines, codegen, a.data.as_deref(), a.expected.as_deref())?;
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
    let others = if covered < all { "; the others no row reaches, or several columns decide them" } else { "" };
    text.push_str(&format!(
        "hard rows stand on {covered} of {all} distinct thresholds, each reached from its tree's root{others}\n"
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
