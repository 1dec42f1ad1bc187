//! A scorer over a source into a sink: on all cores, in order, in constant memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use flock_core::ordered_map;

use crate::bind::{Keep, nearest};
use crate::error::{EngineError, Faults};
use crate::scorer::{Scorer, data_type};
use crate::sink::Sink;
use crate::source::{BoundSource, Piece, Rows, Source};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Columns of the data that are passed through, before the outputs.
    pub keep: Keep,
    /// Which outputs, in this order; None for all. The scorer should compute no others.
    pub outputs: Option<Vec<String>>,
    /// Threads that read and score.
    pub threads: usize,
    /// Whether a row that is null in every output is a fault.
    pub strict: bool,
    /// Most rows of a batch. The result does not depend on it.
    pub batch_rows: usize,
}

impl Default for Options {
    fn default() -> Options {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Options { keep: Keep::Nothing, outputs: None, threads, strict: false, batch_rows: 16_384 }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rows that have been written.
    pub rows: u64,
    /// The share of the source that has been read, 0 to 1.
    pub read: f64,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that were written.
    pub rows: u64,
    /// Rows that are null in every output: the library itself would refuse them.
    pub refused: u64,
}

/// The columns of a run's result: what is kept, then the outputs.
struct Columns {
    schema: SchemaRef,
    outputs: Vec<usize>,
}

/// Scores all rows. The result does not depend on threads or batches. `progress` is called after each batch and stops
/// the run where it breaks; then, and on every error, the sink is left unfinished.
///
/// # Errors
/// All columns that do not bind, at once; else the first fault in the order of the rows; with
/// [`Options::strict`], [`EngineError::RefusedRows`] once all rows were scored.
pub fn run(
    source: &Source,
    scorer: &dyn Scorer,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, Faults> {
    let mut faults = Vec::new();
    let outputs = chosen(scorer, options.outputs.as_deref()).map_err(|f| faults.extend(f.0));
    let bound = source.bind(scorer.inputs(), &options.keep).map_err(|f| faults.extend(f.0));
    let (Ok(outputs), Ok(bound)) = (outputs, bound) else { return Err(Faults(faults)) };
    let columns = Columns::new(bound.kept(), scorer, outputs)?;
    sink.start(&columns.schema)?;
    let summary = stream(&bound, scorer, &columns, options, sink, progress)?;
    if options.strict && summary.refused > 0 {
        return Err(EngineError::RefusedRows { refused: summary.refused, rows: summary.rows }.into());
    }
    sink.finish()?;
    Ok(summary)
}

fn stream(
    bound: &BoundSource,
    scorer: &dyn Scorer,
    columns: &Columns,
    options: &Options,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, EngineError> {
    let mut summary = Summary::default();
    let mut end = Ok(());
    let score = |piece| columns.score_piece(scorer, piece);
    ordered_map(options.threads, bound.pieces(options.batch_rows), score, |scored| {
        end = scored.into_iter().try_for_each(|scored| {
            let (batch, refused) = scored?;
            sink.write(&batch)?;
            summary.rows += batch.num_rows() as u64;
            summary.refused += refused;
            match progress(Progress { rows: summary.rows, read: bound.progress().min(1.0) }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(EngineError::Stopped),
            }
        });
        if end.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    end.map(|()| summary)
}

/// Rows of the result, and how many of them are refused.
type Scored = Result<(RecordBatch, u64), EngineError>;

/// The indices of the outputs of those names.
fn chosen(scorer: &dyn Scorer, names: Option<&[String]>) -> Result<Vec<usize>, Faults> {
    let all = scorer.outputs();
    let Some(names) = names else { return Ok((0..all.len()).collect()) };
    let find = |name: &String| {
        all.iter().position(|o| o.name == *name).ok_or_else(|| EngineError::MissingColumn {
            column: name.clone(),
            message: "the pipeline has no such output".into(),
            nearest: nearest(name, all.iter().map(|o| o.name.as_str())),
        })
    };
    let (found, faults): (Vec<_>, Vec<_>) = names.iter().map(find).partition(Result::is_ok);
    let faults: Vec<_> = faults.into_iter().filter_map(Result::err).collect();
    if faults.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(Faults(faults)) }
}

impl Columns {
    fn new(kept: &Schema, scorer: &dyn Scorer, outputs: Vec<usize>) -> Result<Columns, Faults> {
        let output = |o: &usize| {
            let f = &scorer.outputs()[*o];
            (Arc::new(Field::new(&f.name, data_type(f.kind), f.nullable)), "an output")
        };
        let kept = kept.fields().iter().map(|f| (f.clone(), "a kept column"));
        let fields: Vec<(Arc<Field>, &str)> = kept.chain(outputs.iter().map(output)).collect();
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        let mut faults = Vec::new();
        for (f, what) in &fields {
            if let Some(other) = first.insert(f.name(), what) {
                let message = format!("it would stand twice in the result, as {other} and as {what}");
                faults.push(EngineError::Collision { column: f.name().clone(), message });
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let fields: Vec<Arc<Field>> = fields.into_iter().map(|(f, _)| f).collect();
        Ok(Columns { schema: Arc::new(Schema::new(fields)), outputs })
    }

    /// The result's rows, up to the first fault.
    fn score_piece(&self, scorer: &dyn Scorer, piece: Result<Piece, EngineError>) -> Vec<Scored> {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) => return vec![Err(e)],
        };
        let mut all = Vec::new();
        for rows in piece.rows() {
            let scored = rows.and_then(|r| self.score(scorer, &r));
            let failed = scored.is_err();
            all.push(scored);
            if failed {
                break;
            }
        }
        all
    }

    fn score(&self, scorer: &dyn Scorer, rows: &Rows) -> Scored {
        let outputs = scorer.score(&rows.inputs)?;
        let outputs: Vec<ArrayRef> = self.outputs.iter().map(|o| outputs[*o].clone()).collect();
        let refused = refused(&outputs, rows.inputs.num_rows());
        let arrays: Vec<ArrayRef> = rows.kept.columns().iter().cloned().chain(outputs).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.inputs.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map(|batch| (batch, refused))
            .map_err(|e| EngineError::Score { place: "batch".into(), message: e.to_string() })
    }
}

/// Rows that are null in all of them.
fn refused(outputs: &[ArrayRef], rows: usize) -> u64 {
    if outputs.is_empty() || outputs.iter().any(|o| o.null_count() == 0) {
        return 0;
    }
    (0..rows).filter(|i| outputs.iter().all(|o| o.is_null(*i))).count() as u64
}
