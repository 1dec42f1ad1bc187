//! Scoring files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flock_api::Backend;
use flock_engine::{FileSink, Head, Keep, Options, Progress, Sink, Source};

use flock_ir_spec::DType;

use crate::artefact::Pipeline;
use crate::cli::Engine;
use crate::error::{Error, Result};
use crate::score::{self, Scorer, faults};
use crate::{compile, frames, optimize};

/// Rows of the table that is shown where no file is written.
pub(crate) const SHOWN_ROWS: usize = 10;

/// What to run on what.
pub struct Request<'a> {
    /// The pipeline, with the outputs that are wanted.
    pub pipeline: &'a Pipeline,
    /// A file, a folder or a glob.
    pub data: &'a Path,
    /// Where the result goes; the first rows are kept for a table without it.
    pub out: Option<&'a Path>,
    /// Who computes.
    pub engine: Engine,
    /// Columns to pass through; `*` for all.
    pub keep: &'a [String],
    /// Threads; the machine's cores without it.
    pub threads: Option<usize>,
}

/// Names, and per row and column the text or nothing for null.
pub type HeadRows = (Vec<String>, Vec<Vec<Option<String>>>);

/// What was done.
pub struct Done {
    /// Rows that were scored.
    pub rows: u64,
    /// Rows that the library would refuse.
    pub refused: u64,
    /// The engine.
    pub engine: &'static str,
    /// Why that one.
    pub why: String,
    /// Time from reading the data to the end.
    pub time: Duration,
    /// The first rows, where no file is written: names and cells.
    pub head: Option<HeadRows>,
    /// The file that was written.
    pub out: Option<PathBuf>,
}

/// An engine for a pipeline: its scorer, its name, and why it was chosen.
pub struct Choice {
    /// The scorer.
    pub scorer: Box<dyn Scorer>,
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub why: String,
}

/// The engine that was asked for, or the cheapest for about so many rows.
pub fn choose(pipeline: &Pipeline, engine: Engine, rows: u64) -> Result<Choice> {
    let chosen = |scorer, name, why: String| Ok(Choice { scorer, name, why });
    let asked = "asked for".to_owned();
    match engine {
        Engine::Reference => return chosen(score::reference(pipeline)?, "reference", asked),
        Engine::Gpu => return Err(crate::error::no_gpu()),
        Engine::Sql => return Err(Error::usage("--engine sql", "no scorer of batches", "use `flockc run`")),
        Engine::Native | Engine::Auto => {}
    }
    let optimized = optimize::function(pipeline)?.pipeline;
    if engine == Engine::Native {
        return chosen(score::native(&optimized)?, "native", asked);
    }
    let backend = flock_cranelift::Cranelift::default();
    let f = optimized.function();
    if let Some(u) = backend.unsupported(f).first() {
        let why = format!("native code cannot take {}: {}", u.what, u.reason);
        return chosen(score::reference(pipeline)?, "reference", why);
    }
    let native =
        backend.cost(&optimized.module, f) * rows as f64 + COMPILE_NS + COMPILE_NODE_NS * f.graph.nodes().len() as f64;
    let reference = REFERENCE_FACTOR * backend.cost(&optimized.module, f) * rows as f64;
    let estimate = |ns: f64| format!("{:.1} ms", ns / 1e6);
    let why = format!("about {rows} rows: native {}, reference {}", estimate(native), estimate(reference));
    if native <= reference {
        chosen(score::native(&optimized)?, "native", why)
    } else {
        chosen(score::reference(pipeline)?, "reference", why)
    }
}

/// Making machine code costs this much, and this much per node.
const COMPILE_NS: f64 = 1.5e6;
const COMPILE_NODE_NS: f64 = 4e4;
/// How much slower than machine code the reference evaluator is.
const REFERENCE_FACTOR: f64 = 30.0;
/// A row of a data file in bytes, for the estimate of rows.
const ROW_BYTES: u64 = 40;

/// Scores a file.
pub fn run(request: &Request<'_>, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Done> {
    let path = request.data.to_string_lossy();
    if request.engine == Engine::Sql {
        return crate::embedded::run(request);
    }
    let source = Source::open(&path).map_err(faults)?;
    compile::collisions(request.pipeline, request.keep, false)?;
    let choice = choose(request.pipeline, request.engine, source.bytes() / ROW_BYTES)?;
    let keep = match request.keep {
        [] => Keep::Nothing,
        names if names.iter().any(|n| n == "*") => Keep::All,
        names => Keep::Columns(names.to_vec()),
    };
    let mut options = Options { keep, ..Options::default() };
    options.threads = request.threads.unwrap_or(options.threads);
    let started = Instant::now();
    let mut head = Head::new(SHOWN_ROWS);
    let mut file = request.out.map(FileSink::new).transpose().map_err(|e| faults(e.into()))?;
    let sink: &mut dyn Sink = match &mut file {
        Some(f) => f,
        None => &mut head,
    };
    let summary = flock_engine::run(&source, &*choice.scorer, &options, sink, progress).map_err(faults)?;
    Ok(Done {
        rows: summary.rows,
        refused: summary.refused,
        engine: choice.name,
        why: choice.why,
        time: started.elapsed(),
        head: file.is_none().then_some((head.names, head.rows)),
        out: request.out.map(Path::to_path_buf),
    })
}

/// What the columns of a data file hold.
pub fn types(data: &Path) -> Result<BTreeMap<String, DType>> {
    let schema = Source::open(&data.to_string_lossy()).map_err(faults)?.schema();
    let typed = schema.fields().iter().filter_map(|f| Some((f.name().clone(), frames::dtype(f.data_type())?)));
    Ok(typed.collect())
}
