//! The optimiser, and the answers to what it asks about costs.

use flock_ir_spec::Verified;
pub use flock_optimize::Report;
use flock_optimize::{Options, Target};

use crate::artefact::Pipeline;
use crate::error::Result;

/// An optimised pipeline and what was done to it.
pub struct Optimized {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Which rewrites fired.
    pub report: Report,
}

/// Optimises a pipeline's function by itself.
pub fn function(pipeline: &Pipeline) -> Result<Optimized> {
    let target = Target::Function(pipeline.name.clone());
    let done = flock_optimize::optimize(&pipeline.module, &target, &Options::default(), &flock_optimize::Estimate)?;
    Ok(Optimized { pipeline: pipeline.with_module(done.module)?, report: done.report })
}

/// Optimises a query with the models in it.
pub fn query(module: &Verified, name: &str, options: &Options) -> Result<(Verified, Report)> {
    let target = Target::Query(name.to_owned());
    let done = flock_optimize::optimize(module, &target, options, &flock_optimize::Estimate)?;
    Ok((done.module, done.report))
}
