//! The optimiser, and the answers to what it asks about costs.

use std::sync::Arc;

use flock_api::Backend;
use flock_ir_spec::{Function, Module, Pool, Verified};
pub use flock_optimize::Report;
use flock_optimize::{Ask, CostModel, Estimate, Options, Target};

use crate::artefact::Pipeline;
use crate::error::Result;

/// An optimised pipeline and what was done to it.
pub struct Optimized {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Which rewrites fired.
    pub report: Report,
}

/// What is known of costs: the rows of tables that are files, and what the native backend says of a call. The rest is
/// the optimiser's own estimate.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Rows of tables, by the names that the query gives them.
    pub rows: Vec<(String, u64)>,
}

impl CostModel for Costs {
    fn op(&self, ask: &Ask<'_>) -> f64 {
        Estimate.op(ask)
    }

    fn rows(&self, table: &[Arc<str>]) -> f64 {
        let name = table.join(".");
        match self.rows.iter().find(|(n, _)| n.eq_ignore_ascii_case(&name)) {
            Some((_, rows)) => (*rows as f64).max(1.0),
            None => Estimate.rows(table),
        }
    }

    fn call(&self, function: &Function, pool: &Pool) -> f64 {
        let module = Module { constants: pool.clone(), ..Module::default() };
        CALL_NS + flock_cranelift::Cranelift::default().cost(&module, function)
    }
}

/// What it costs a row to leave SQL for machine code and to come back, beside the code itself.
pub const CALL_NS: f64 = 20.0;

/// Optimises a pipeline's function by itself.
pub fn function(pipeline: &Pipeline) -> Result<Optimized> {
    let target = Target::Function(pipeline.name.clone());
    let done = flock_optimize::optimize(&pipeline.module, &target, &Options::default(), &Costs::default())?;
    Ok(Optimized { pipeline: pipeline.with_module(done.module)?, report: done.report })
}

/// Optimises a query with the models in it.
pub fn query(module: &Verified, name: &str, options: &Options, costs: &Costs) -> Result<(Verified, Report)> {
    let target = Target::Query(name.to_owned());
    let done = flock_optimize::optimize(module, &target, options, costs)?;
    Ok((done.module, done.report))
}
