//! What the optimiser did and why, and where the result will run.

use flock_api::Backend;
use flock_ir_spec::{Module, Verified};
use flock_optimize::{Options, Placement, Report, Target};
use serde_json::{Value, json};

use crate::artefact::Pipeline;
use crate::cli::Engine;
use crate::codegen::Codegen;
use crate::error::Result;
use crate::optimize::Costs;
use crate::query::{self, NAME, Prepared};

/// A module before and after, and what happened between.
pub struct Explained {
    before: Verified,
    after: Verified,
    report: Report,
    plan: Vec<(String, String)>,
}

/// Explains a pipeline by itself.
pub fn pipeline(pipeline: &Pipeline) -> Result<Explained> {
    let target = Target::Function(pipeline.name.clone());
    let done = flock_optimize::explain(&pipeline.module, &target, &Options::default(), &Costs::default())?;
    let after = pipeline.with_module(done.module)?;
    let mut plan = Vec::new();
    for codegen in Codegen::here() {
        plan.push((codegen.engine().to_owned(), cost(&*codegen.backend()?, &after)));
    }
    plan.extend(
        flock_sql::dialects().iter().map(|d| (format!("sql:{}", d.name), cost(&flock_sql::Sql::new(d), &after))),
    );
    Ok(Explained { before: pipeline.module.clone(), after: after.module, report: done.report, plan })
}

/// The estimate for a row, or what stands in the way.
fn cost<B: Backend + ?Sized>(backend: &B, pipeline: &Pipeline) -> String {
    match backend.unsupported(pipeline.function()).first() {
        Some(u) => format!("no: {}: {}", u.what, u.reason),
        None => format!("about {:.0} ns a row", backend.cost(&pipeline.module, pipeline.function())),
    }
}

/// Explains a query with the models in it, and how that engine would run it on its files.
pub fn query(prepared: &Prepared, engine: Engine) -> Result<Explained> {
    let options = Options { placement: Placement::Sql, ..Options::default() };
    let target = Target::Query(NAME.to_owned());
    let done = flock_optimize::explain(&prepared.lifted, &target, &options, &prepared.costs)?;
    let model = |(name, p): &(String, Pipeline)| (format!("model {name}"), p.kind.name().to_owned());
    let mut plan: Vec<(String, String)> = prepared.models.iter().map(model).collect();
    plan.extend(prepared.costs.rows.iter().map(|(name, rows)| (format!("table {name}"), format!("about {rows} rows"))));
    if !prepared.costs.rows.is_empty() {
        let (_, choice) = query::choose(prepared, engine)?;
        plan.push((format!("engine {}", choice.engine), choice.why));
    }
    Ok(Explained { before: prepared.lifted.clone(), after: only_query(done.module)?, report: done.report, plan })
}

/// Without the functions, which the optimised query no longer calls.
fn only_query(module: Verified) -> Result<Verified> {
    let mut module = module.into_inner();
    let called = |name: &str| {
        let nodes = module.queries.iter().flat_map(|q| q.graph.nodes());
        nodes.into_iter().any(|n| matches!(&n.attr, flock_ir_spec::Attr::Call { function, .. } if **function == *name))
    };
    let names: Vec<_> = module.functions.iter().map(|f| f.name.clone()).filter(|n| called(n)).collect();
    module.functions.retain(|f| names.contains(&f.name));
    module.drop_unused_constants();
    Ok(Verified::new(module)?)
}

/// The text form with large constants named and not written out.
fn brief(module: &Module) -> String {
    let mut text = String::new();
    let mut closing = None;
    for line in module.to_string().lines() {
        match closing {
            Some(end) if line == end => closing = None,
            Some(_) => {}
            None if line.starts_with("const ") && line.ends_with(['{', '[']) => {
                closing = Some(if line.ends_with('{') { "}" } else { "]" });
                text.push_str(&format!("{line} … {}\n", closing.unwrap_or_default()));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

impl Explained {
    /// As a person reads it.
    pub fn text(&self) -> String {
        let mut text = format!(
            "── as lifted ──\n{}\n── optimised ──\n{}\n── what was done ──\n{}",
            brief(&self.before),
            brief(&self.after),
            self.report
        );
        text.push_str("\n── plan ──\n");
        self.plan.iter().for_each(|(what, how)| text.push_str(&format!("  {what:<20} {how}\n")));
        text
    }

    /// As a program reads it.
    pub fn json(&self) -> Value {
        let r = &self.report;
        let size = |s: &flock_optimize::Size| json!({ "operators": s.nodes, "trees": s.trees, "splits": s.splits, "columns": s.columns, "relations": s.relations });
        let fired: Vec<Value> = r
            .rules
            .iter()
            .map(|f| json!({ "rule": f.name, "law": f.law.trim(), "exact": format!("{:?}", f.exact), "fired": f.fired, "saved_ns": f.saved }))
            .collect();
        json!({
            "target": r.target,
            "before": size(&r.before), "after": size(&r.after),
            "cost_ns_before": r.cost_before, "cost_ns_after": r.cost_after,
            "no_longer_read": r.unread, "rules": fired, "e_nodes": r.enodes, "passes": r.iterations,
            "stop": format!("{:?}", r.stop),
            "plan": self.plan.iter().map(|(what, how)| json!({ "what": what, "how": how })).collect::<Vec<_>>(),
            "ir_before": self.before.to_string(), "ir_after": self.after.to_string(),
        })
    }
}
