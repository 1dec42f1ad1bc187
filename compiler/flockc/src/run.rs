//! Scoring files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flock_engine::{Keep, Options, Progress, Source};
use flock_ir_spec::DType;
use flock_ir_spec::eval::Rounding;

use crate::artefact::Pipeline;
use crate::cli::Engine;
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::score::{self, Scorer, faults};
use crate::{compile, frames, optimize};

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
    /// Who writes machine code; the cheaper without it.
    pub codegen: Option<Codegen>,
    /// Columns to pass through; `*` for all.
    pub keep: &'a [String],
    /// Threads; the machine's cores without it.
    pub threads: Option<usize>,
    /// Whether a row that the library would refuse is a fault.
    pub strict: bool,
    /// A way of rounding what is equal only up to it, by its seed; of the reference engine alone.
    pub rounding: Option<u64>,
}

impl Request<'_> {
    /// The columns that are passed through.
    pub(crate) fn kept(&self) -> Keep {
        match self.keep {
            [] => Keep::Nothing,
            names if names.iter().any(|n| n == "*") => Keep::All,
            names => Keep::Columns(names.to_vec()),
        }
    }
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

/// The engine that was asked for, or the cheapest for about so many rows; who asks for a code generator asks for machine
/// code.
pub fn choose(pipeline: &Pipeline, engine: Engine, codegen: Option<Codegen>, rows: u64) -> Result<Choice> {
    let chosen = |scorer, name, why: String| Ok(Choice { scorer, name, why });
    let asked = "asked for".to_owned();
    match engine {
        Engine::Reference => return chosen(score::reference(pipeline)?, "reference", asked),
        Engine::Gpu => return Err(crate::error::no_gpu()),
        Engine::Sql => return Err(Error::usage("--engine sql", "no scorer of batches", "use `flockc run`")),
        Engine::Native | Engine::Auto => {}
    }
    let optimized = optimize::function(pipeline)?.pipeline;
    if engine == Engine::Native || codegen.is_some() {
        let codegen = codegen.unwrap_or_default();
        return chosen(score::native(&optimized, codegen)?, codegen.engine(), asked);
    }
    let f = optimized.function();
    let cranelift = Codegen::Cranelift.backend()?;
    if let Some(u) = cranelift.unsupported(f).first() {
        let why = format!("native code cannot take {}: {}", u.what, u.reason);
        return chosen(score::reference(pipeline)?, "reference", why);
    }
    let mut able = Vec::new();
    for c in Codegen::here() {
        able.push((c, c.backend()?.cost(&optimized.module, f) * rows as f64 + c.compile_ns(&optimized.module, f)));
    }
    let reference = REFERENCE_FACTOR * cranelift.cost(&optimized.module, f) * rows as f64;
    let shown: Vec<String> = able.iter().map(|(c, ns)| format!("{} {}, ", c.engine(), estimate(*ns))).collect();
    let why = format!("about {rows} rows: {}reference {}", shown.concat(), estimate(reference));
    match able.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, native)| *native <= reference) {
        Some((codegen, _)) => chosen(score::native(&optimized, codegen)?, codegen.engine(), why),
        None => chosen(score::reference(pipeline)?, "reference", why),
    }
}

/// How much slower than machine code the reference evaluator is.
const REFERENCE_FACTOR: f64 = 30.0;

/// Nanoseconds as a person reads an estimate.
pub(crate) fn estimate(ns: f64) -> String {
    format!("{:.1} ms", ns / 1e6)
}

/// Scores a file.
pub fn run(request: &Request<'_>, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Done> {
    let path = request.data.to_string_lossy();
    if request.engine == Engine::Sql {
        return crate::embedded::run(request, progress);
    }
    let source = Source::open(&path).map_err(faults)?;
    compile::collisions(request.pipeline, request.keep, false)?;
    let choice = match request.rounding.map(Rounding::new) {
        None => choose(request.pipeline, request.engine, request.codegen, source.estimated_rows())?,
        rounding => {
            let scorer = score::reference_rounded(request.pipeline, rounding)?;
            Choice { scorer, name: "reference", why: "with its rounding moved".to_owned() }
        }
    };
    let mut options = Options { keep: request.kept(), strict: request.strict, ..Options::default() };
    options.threads = request.threads.unwrap_or(options.threads);
    let started = Instant::now();
    let mut output = Output::new(request.out)?;
    let summary = flock_engine::run(&source, &*choice.scorer, &options, &mut output, progress).map_err(faults)?;
    Ok(output.done(summary, (choice.name, choice.why), started))
}

/// What the columns of a data file hold.
pub fn types(data: &Path) -> Result<BTreeMap<String, DType>> {
    let schema = Source::open(&data.to_string_lossy()).map_err(faults)?.schema();
    let typed = schema.fields().iter().filter_map(|f| Some((f.name().clone(), frames::dtype(f.data_type())?)));
    Ok(typed.collect())
}
