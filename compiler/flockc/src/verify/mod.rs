//! Every engine against the reference, on rows made to be hard and on a file.

pub mod hard;
mod paths;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field as ArrowField, Schema};
use flock_core::Field;
use flock_engine::Source;
use flock_ir_spec::{DType, Diagnostic, Exactness, Frame, Function, Scalar};
use serde_json::{Value, json};

use crate::artefact::Pipeline;
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::{frames, optimize, score};

/// What one engine answered on one set of rows.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The engine.
    pub engine: String,
    /// `hard rows`, `data`, or `data against expected`.
    pub rows_from: String,
    /// Rows compared.
    pub rows: u64,
    /// Rows that the library would refuse.
    pub refused: u64,
    /// Cells that differ.
    pub differences: u64,
    /// The greatest difference of a float, relative to max(1, |expected|).
    pub worst: f64,
    /// The first few differences, in words.
    pub examples: Vec<String>,
}

/// Everything that was compared.
pub struct Verification {
    /// One per engine and set of rows.
    pub comparisons: Vec<Comparison>,
    /// Thresholds that hard rows were made for, of how many.
    pub thresholds: (usize, usize),
    /// Engines of this build that cannot take the pipeline, and why.
    pub absent: Vec<(String, String)>,
}

impl Verification {
    /// Whether nothing differs.
    pub fn equal(&self) -> bool {
        self.comparisons.iter().all(|c| c.differences == 0)
    }
}

/// Answers batches whose columns are the pipeline's inputs, in order.
pub type Answer = Box<dyn Fn(&RecordBatch) -> Result<Vec<ArrayRef>> + Send + Sync>;

/// The names of the engines that `verify` knows.
pub const ENGINES: [&str; 4] = ["native", "llvm", "optimized", "sql"];

/// Whether this build has the engines of those names.
pub fn engines(names: &[String]) -> Result<()> {
    for name in names {
        if !ENGINES.contains(&name.as_str()) {
            let help = format!("one of: {}", ENGINES.join(", "));
            return Err(Error::usage("--engines", format!("`{name}` is no engine"), help));
        }
        if name == "sql" && cfg!(not(feature = "query")) {
            return Err(Error::feature("query", "--engines sql"));
        }
        if name == "llvm" && cfg!(not(feature = "llvm")) {
            return Err(Error::feature("llvm", "--engines llvm"));
        }
    }
    Ok(())
}

fn engine(name: &str, pipeline: &Pipeline, codegen: Codegen) -> Result<Answer> {
    let scorer = match name {
        "native" => score::native(&optimize::function(pipeline)?.pipeline, codegen)?,
        "llvm" => score::native(&optimize::function(pipeline)?.pipeline, Codegen::Llvm)?,
        "optimized" => score::reference(&optimize::function(pipeline)?.pipeline)?,
        // `engines` knows no others.
        _ => return crate::embedded::answerer(pipeline),
    };
    Ok(Box::new(move |b| score::batch(&*scorer, b)))
}

/// Whether an engine is not in this build, or says by name what of the pipeline it cannot take. Every other fault is one.
fn cannot_take(e: &Error) -> bool {
    matches!(e, Error::Usage(_)) || e.faults().iter().all(|f| f.code == "flock::emit::unsupported")
}

/// Compares the engines, `native` with code by that generator. An engine that was asked for by name must be able to take the pipeline.
pub fn verify(
    pipeline: &Pipeline,
    engines: &[String],
    codegen: Codegen,
    data: Option<&Path>,
    expected: Option<&Path>,
) -> Result<Verification> {
    self::engines(engines)?;
    let mut able: Vec<(String, Answer)> = Vec::new();
    let mut absent = Vec::new();
    let asked = !engines.is_empty();
    let names = if asked { engines.to_vec() } else { ENGINES.map(str::to_owned).to_vec() };
    for name in names {
        match engine(&name, pipeline, codegen) {
            Ok(answer) => able.push((name, answer)),
            Err(e) if asked || !cannot_take(&e) => return Err(e),
            Err(e) => absent.push((name, e.faults().iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; "))),
        }
    }
    let reference = score::reference(pipeline)?;
    let hard = hard::rows(&pipeline.module, pipeline.function())?;
    let mut sets = vec![("hard rows".to_owned(), parts(&to_batch(pipeline.function(), &hard.params)?))];
    if let Some(path) = data {
        sets.push(("data".to_owned(), read(path, &*reference)?));
    }
    let tolerances = tolerances(pipeline.function());
    let mut comparisons = Vec::new();
    for (rows_from, batches) in &sets {
        let tallies = compare_all(pipeline.function(), &*reference, &able, batches, &tolerances)?;
        let named = able.iter().zip(tallies);
        comparisons.extend(named.map(|((name, _), t)| t.comparison(name, rows_from)));
    }
    if let (Some(path), Some((_, batches))) = (expected, sets.get(1)) {
        comparisons.push(against_file(pipeline, &*reference, batches, path, &tolerances)?);
    }
    Ok(Verification { comparisons, thresholds: (hard.thresholds, hard.thresholds_in_all), absent })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One part for each thread, none of them small: an engine may make much of each.
fn parts(batch: &RecordBatch) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let part = rows.div_ceil(threads()).max(frames::BATCH_ROWS);
    (0..rows).step_by(part).map(|from| batch.slice(from, part.min(rows - from))).collect()
}

/// Every engine against the reference on all batches, one tally for each engine.
fn compare_all(
    f: &Function,
    reference: &dyn score::Scorer,
    engines: &[(String, Answer)],
    batches: &[RecordBatch],
    tolerances: &[f64],
) -> Result<Vec<Tally>> {
    let compare = |batch: &RecordBatch| {
        let right = score::batch(reference, batch)?;
        let tally = |(name, answer): &(String, Answer)| {
            let mut tally = Tally { null_for_nan: name == "sql", ..Tally::default() };
            tally.add(f, batch, &answer(batch)?, &right, tolerances);
            Ok(tally)
        };
        engines.iter().map(tally).collect::<Result<Vec<Tally>>>()
    };
    let mut all: Result<Vec<Tally>> = Ok(engines.iter().map(|_| Tally::default()).collect());
    flock_core::ordered_map(threads(), batches.iter(), compare, |tallies| match (&mut all, tallies) {
        (Ok(all), Ok(tallies)) => {
            all.iter_mut().zip(tallies).for_each(|(a, t)| a.merge(t));
            ControlFlow::Continue(())
        }
        (_, Err(e)) => {
            all = Err(e);
            ControlFlow::Break(())
        }
        (Err(_), _) => ControlFlow::Break(()),
    });
    all
}

/// The reference against what the library itself answered.
fn against_file(
    pipeline: &Pipeline,
    reference: &dyn score::Scorer,
    batches: &[RecordBatch],
    path: &Path,
    tolerances: &[f64],
) -> Result<Comparison> {
    let expected = read_outputs(path, reference)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows != expected.num_rows() {
        let message = format!("{} rows, the data has {rows}", expected.num_rows());
        return Err(Error::one(Diagnostic::new("flock::verify::rows", path.display().to_string(), message)));
    }
    let mut tally = Tally::default();
    let mut at = 0;
    for batch in batches {
        let found = score::batch(reference, batch)?;
        let right = expected.slice(at, batch.num_rows());
        tally.add(pipeline.function(), batch, &found, right.columns(), tolerances);
        at += batch.num_rows();
    }
    Ok(tally.comparison("reference", "data against expected"))
}

/// Per output, how far a float may be off, relative to max(1, |expected|); 0 where every bit is fixed.
fn tolerances(function: &Function) -> Vec<f64> {
    let mut rounds = Vec::with_capacity(function.graph.nodes().len());
    for (_, node) in function.graph.iter() {
        let inherited = node.args.iter().any(|a| rounds[a.index()]);
        rounds.push(inherited || node.op.record().exact == Exactness::Reals);
    }
    let tolerance = |o: &flock_ir_spec::Output| match function.output_type(o).map(|t| t.dtype) {
        Some(DType::F64) if rounds[o.node.index()] => 1e-9,
        Some(DType::F32) if rounds[o.node.index()] => 1e-5,
        _ => 0.0,
    };
    function.outputs.iter().map(tolerance).collect()
}

/// Differences that are shown.
const EXAMPLES: usize = 5;

#[derive(Default)]
struct Tally {
    null_for_nan: bool,
    rows: u64,
    refused: u64,
    differences: u64,
    worst: f64,
    examples: Vec<String>,
}

impl Tally {
    fn add(&mut self, f: &Function, inputs: &RecordBatch, found: &[ArrayRef], right: &[ArrayRef], tolerances: &[f64]) {
        let rows = inputs.num_rows();
        self.rows += rows as u64;
        let refused = |i: &usize| right.iter().all(|a| a.is_null(*i));
        self.refused += (0..rows).filter(refused).count() as u64;
        for (o, output) in f.outputs.iter().enumerate() {
            let Some(ty) = f.output_type(output) else { continue };
            let frame = |a: &ArrayRef| frames::from_arrow(a, ty.nullable());
            let (Ok(found), Ok(right)) = (frame(&found[o]), frame(&right[o])) else {
                self.differences += rows as u64;
                self.examples.push(format!("{}: {} in place of {}", output.name, found[o].data_type(), ty));
                continue;
            };
            for i in 0..rows {
                let (error, equal) = compare(&found.get(i, 0), &right.get(i, 0), tolerances[o]);
                // The SQL that is written says NULL for NaN too.
                let equal = equal || (self.null_for_nan && found.get(i, 0) == Scalar::Null && is_nan(&right.get(i, 0)));
                self.worst = self.worst.max(error);
                if !equal {
                    self.differences += 1;
                    if self.examples.len() < EXAMPLES {
                        self.examples.push(example(inputs, i, &output.name, &found.get(i, 0), &right.get(i, 0)));
                    }
                }
            }
        }
    }

    /// What later rows gave.
    fn merge(&mut self, other: Tally) {
        self.rows += other.rows;
        self.refused += other.refused;
        self.differences += other.differences;
        self.worst = self.worst.max(other.worst);
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }

    fn comparison(self, engine: &str, rows_from: &str) -> Comparison {
        Comparison {
            engine: engine.to_owned(),
            rows_from: rows_from.to_owned(),
            rows: self.rows,
            refused: self.refused,
            differences: self.differences,
            worst: self.worst,
            examples: self.examples,
        }
    }
}

/// The relative error, and whether it is allowed. A NaN is a NaN whatever its bits.
fn compare(found: &Scalar, right: &Scalar, tolerance: f64) -> (f64, bool) {
    let (a, b) = match (found, right) {
        (Scalar::F64(a), Scalar::F64(b)) => (*a, *b),
        (Scalar::F32(a), Scalar::F32(b)) => (f64::from(*a), f64::from(*b)),
        _ => return (0.0, found == right),
    };
    if a == b || (a.is_nan() && b.is_nan()) {
        return (0.0, true);
    }
    let error = (a - b).abs() / b.abs().max(1.0);
    (if error.is_nan() { f64::INFINITY } else { error }, error <= tolerance)
}

fn is_nan(x: &Scalar) -> bool {
    matches!(x, Scalar::F64(x) if x.is_nan()) || matches!(x, Scalar::F32(x) if x.is_nan())
}

fn example(inputs: &RecordBatch, row: usize, output: &str, found: &Scalar, right: &Scalar) -> String {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let cell = |j: usize| {
        let text = arrow::util::display::ArrayFormatter::try_new(inputs.column(j), &options)
            .map_or_else(|_| "?".to_owned(), |f| f.value(row).to_string());
        format!("{}={text}", inputs.schema_ref().field(j).name())
    };
    let cells: Vec<String> = (0..inputs.num_columns()).map(cell).collect();
    format!("{}: {output} is {found:?}, the reference says {right:?}", cells.join(" "))
}

/// Frames of width 1 as a batch with the names of the function's parameters.
fn to_batch(function: &Function, params: &[Frame]) -> Result<RecordBatch> {
    let field = |p: &flock_ir_spec::Param| ArrowField::new(&*p.name, frames::data_type(p.ty.dtype), true);
    let schema = Arc::new(Schema::new(function.params.iter().map(field).collect::<Vec<_>>()));
    let columns = params.iter().map(|f| frames::to_arrow(f, 0)).collect();
    RecordBatch::try_new(schema, columns)
        .map_err(|e| Error::one(Diagnostic::new("flock::verify::rows", &*function.name, e.to_string())))
}

/// Columns of a file by name.
fn read_columns(path: &Path, fields: &[Field]) -> Result<Vec<RecordBatch>> {
    let source = Source::open(&path.to_string_lossy()).map_err(score::faults)?;
    frames::read(&source, fields)
}

/// The inputs of a scorer from a file, by name.
fn read(path: &Path, scorer: &dyn score::Scorer) -> Result<Vec<RecordBatch>> {
    read_columns(path, scorer.inputs())
}

/// The outputs of a scorer from a file, by name, as one batch.
fn read_outputs(path: &Path, scorer: &dyn score::Scorer) -> Result<RecordBatch> {
    let batches = read_columns(path, scorer.outputs())?;
    let fault = |m: String| Error::one(Diagnostic::new("flock::verify::expected", path.display().to_string(), m));
    let field = |f: &Field| ArrowField::new(&f.name, flock_engine::data_type(f.kind), true);
    let empty = || Arc::new(Schema::new(scorer.outputs().iter().map(field).collect::<Vec<_>>()));
    let schema = batches.first().map_or_else(empty, RecordBatch::schema);
    arrow::compute::concat_batches(&schema, &batches).map_err(|e| fault(e.to_string()))
}

/// What was compared, on which rows, with which versions and hashes.
pub fn certificate(pipeline: &Pipeline, file_hash: &str, verification: &Verification) -> Value {
    let comparisons: Vec<Value> = verification
        .comparisons
        .iter()
        .map(|c| {
            json!({
                "engine": c.engine, "rows_from": c.rows_from, "rows": c.rows, "refused_rows": c.refused,
                "differences": c.differences, "worst_relative_error": c.worst, "examples": c.examples,
            })
        })
        .collect();
    let absent: Vec<Value> =
        verification.absent.iter().map(|(name, why)| json!({ "engine": name, "why": why })).collect();
    json!({
        "flockc": env!("CARGO_PKG_VERSION"),
        "pipeline": pipeline.name,
        "kind": pipeline.kind.name(),
        "file_blake3": file_hash,
        "constants": crate::inspect::hash(pipeline),
        "thresholds_covered": verification.thresholds.0,
        "thresholds": verification.thresholds.1,
        "equal": verification.equal(),
        "comparisons": comparisons,
        "engines_absent": absent,
    })
}
