//! Pipelines as scorers of Arrow batches, one per engine.

use arrow::array::{ArrayRef, RecordBatch};
use flock_core::Field;
pub use flock_engine::Scorer;
use flock_engine::{CompiledScorer, EngineError, Keep};
use flock_ir_spec::eval::{self, Rounding};
use flock_ir_spec::{Diagnostic, Function, Module, Verified};

use crate::artefact::Pipeline;
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::frames;

/// The reference evaluator as a scorer: the meaning of a pipeline, slowly.
struct Reference {
    module: Module,
    function: Function,
    inputs: Vec<Field>,
    outputs: Vec<Field>,
    rounding: Option<Rounding>,
}

impl Scorer for Reference {
    fn inputs(&self) -> &[Field] {
        &self.inputs
    }

    fn outputs(&self) -> &[Field] {
        &self.outputs
    }

    fn score(&self, batch: &RecordBatch) -> std::result::Result<Vec<ArrayRef>, EngineError> {
        let columns = self.function.params.iter().zip(batch.columns());
        let params = columns.map(|(p, a)| frames::from_arrow(a, p.ty)).collect::<std::result::Result<Vec<_>, _>>()?;
        let (module, function, rows) = (&self.module, &self.function, batch.num_rows());
        let frames = match self.rounding {
            None => eval::call(module, function, rows, &params),
            Some(rounding) => eval::call_rounded(module, function, rows, &params, rounding),
        };
        let frames = frames.map_err(|d| EngineError::Score { place: d.place, message: d.message })?;
        Ok(frames.iter().map(|f| frames::to_arrow(f, 0)).collect())
    }
}

/// The reference evaluator of a pipeline.
pub fn reference(pipeline: &Pipeline) -> Result<Box<dyn Scorer>> {
    reference_rounded(pipeline, None)
}

/// The reference evaluator, with a way of rounding its steps where one is given.
pub fn reference_rounded(pipeline: &Pipeline, rounding: Option<Rounding>) -> Result<Box<dyn Scorer>> {
    let function = pipeline.function().clone();
    let wide = function.outputs.iter().filter(|o| function.output_type(o).is_none_or(|t| t.width != 1));
    let faults: Vec<Diagnostic> = wide
        .map(|o| Diagnostic::new("flock::outputs::wide", &*o.name, "an output of a pipeline has width 1"))
        .collect();
    if !faults.is_empty() {
        return Err(Error::Input(faults));
    }
    Ok(Box::new(Reference {
        inputs: frames::input_fields(&function),
        outputs: frames::output_fields(&function),
        module: pipeline.module.clone().into_inner(),
        function,
        rounding,
    }))
}

/// A pipeline as machine code, made on the spot.
pub fn native(pipeline: &Pipeline, codegen: Codegen) -> Result<Box<dyn Scorer>> {
    Ok(Box::new(compiled(&pipeline.module, &pipeline.name, codegen)?))
}

/// A function of a module as machine code.
pub(crate) fn compiled(module: &Verified, function: &str, codegen: Codegen) -> Result<CompiledScorer> {
    let program = codegen.backend()?.emit(module, function);
    program
        .map(CompiledScorer::new)
        .map_err(|all| Error::Input(all.iter().map(|u| u.diagnostic("native code")).collect()))
}

/// The outputs for a batch whose columns are bound by name.
pub fn batch(scorer: &dyn Scorer, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let bound = flock_engine::bind(scorer.inputs(), &Keep::Nothing, &batch.schema()).map_err(faults)?.inputs;
    let columns = bound.iter().map(|i| batch.column(*i).clone()).collect();
    let fields: Vec<_> = bound.iter().map(|i| batch.schema().field(*i).clone()).collect();
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|e| Error::one(Diagnostic::new("flock::run::batch", "batch", e.to_string())))?;
    scorer.score(&batch).map_err(|e| faults(e.into()))
}

/// The engine's faults as diagnostics.
pub fn faults(faults: flock_engine::Faults) -> Error {
    let one = |e: EngineError| Diagnostic { code: e.code(), place: e.place(), message: e.message(), help: e.help() };
    Error::Input(faults.0.into_iter().map(one).collect())
}
