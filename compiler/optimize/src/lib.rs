//! Equality saturation over frames and relations: the only crate that sees egg.
//!
//! [`optimize`] takes a verified module and one of its functions or queries and gives the module with that one
//! rewritten, verified again, and a [`Report`] of what was done. A function keeps its parameters and outputs, a query
//! its columns. The same input gives the same output: the search is bounded by nodes and iterations, never by time.
//!
//! What may be rewritten into what is in `rules`, one record per rule; `rules::mod` has the laws that rules keep.

use std::collections::{BTreeSet, HashMap, HashSet};

use flock_ir_spec::{Diagnostic, Faults, Module, Verified};

mod analysis;
mod backward;
mod build;
mod choose;
mod cost;
mod domain;
mod encoder;
mod extract;
mod facts;
mod forward;
mod language;
mod prune;
mod pushdown;
mod report;
mod rules;
mod saturate;
mod tables;
mod trees;

pub use cost::{Ask, CostModel, Estimate, function_cost};
pub use report::{Fired, Report, Size};
pub use saturate::Stop;

/// What is optimised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The function of that name.
    Function(String),
    /// The query of that name.
    Query(String),
}

impl Target {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Target::Function(n) | Target::Query(n) => n,
        }
    }
}

/// Where frames will run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Placement {
    /// As SQL: every call is inlined.
    #[default]
    Sql,
    /// As native code: in a query a call may stay a call, where that is cheaper.
    Native,
}

/// What bounds the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes that rules may add to the e-graph.
    pub nodes: usize,
    /// Passes over the rules.
    pub iterations: usize,
    /// Nodes of the e-graph once every call is inlined.
    pub inlined: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { nodes: 20_000, iterations: 60, inlined: 1_000_000 }
    }
}

/// How to optimise.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where frames will run.
    pub placement: Placement,
    /// The bounds of the search.
    pub limits: Limits,
    /// Rules by name that do not run.
    pub disabled: BTreeSet<String>,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// The module with the target rewritten; its other functions and queries are as they were.
    pub module: Verified,
    /// What was done.
    pub report: Report,
}

/// A rule as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: &'static str,
    /// Its law in words.
    pub law: &'static str,
    /// Whether it keeps every bit.
    pub exact: flock_ir_spec::Exactness,
}

/// Every rule, in the order in which they run.
pub fn rules() -> impl Iterator<Item = RuleInfo> {
    rules::all().map(|r| RuleInfo { name: r.name, law: r.law.trim(), exact: r.exact })
}

/// Rewrites one function or query of a module.
///
/// Faults: `flock::optimize::target` (no such function or query), `flock::optimize::limit` (inlining its calls goes
/// beyond [`Limits::inlined`]), `flock::optimize::rule` (a rule equated what differs in type: a fault of the optimizer,
/// with the rule's name), and what the verifier says of the result, likewise a fault of the optimizer.
pub fn optimize(
    module: &Verified,
    target: &Target,
    options: &Options,
    cost: &dyn CostModel,
) -> Result<Optimized, Faults> {
    // egg takes the time of what it does with a clock that first calibrates itself: up to 200 ms of spinning on a busy machine.
    let (stopped, _) = quanta::Clock::mock();
    quanta::with_clock(&stopped, || search(module, target, options, cost))
}

fn search(module: &Verified, target: &Target, options: &Options, cost: &dyn CostModel) -> Result<Optimized, Faults> {
    let fault = |code, message: String| vec![Diagnostic::new(code, target.name(), message)];
    let ir = analysis::Ir {
        pool: module.constants.clone(),
        functions: &module.functions,
        cost,
        placement: options.placement,
        limits: options.limits,
        size_before: 0,
        leaves: HashMap::new(),
        faults: Vec::new(),
        rule: "build",
        tried: HashSet::new(),
    };
    let mut g = language::Egraph::new(ir);
    let subject = Subject::find(module, target)
        .ok_or_else(|| fault("flock::optimize::target", format!("the module has no {target:?}")))?;
    let roots = subject.build(&mut g).ok_or_else(|| ill_typed(&g, target))?;
    g.rebuild();
    if !saturate::inline(&mut g) {
        let limit = options.limits.inlined;
        return Err(fault("flock::optimize::limit", format!("the calls inlined are more than {limit} nodes")));
    }
    let (before, _) = subject.extract(module, &g, &roots).ok_or_else(|| ill_typed(&g, target))?;
    let run = saturate::saturate(&mut g, &options.disabled);
    if !g.analysis.faults.is_empty() {
        return Err(g.analysis.faults.iter().flat_map(|f| fault("flock::optimize::rule", f.clone())).collect());
    }
    let (after, result) = subject.extract(module, &g, &roots).ok_or_else(|| ill_typed(&g, target))?;
    let module = Verified::new(result)?;
    let fired = rules::all().filter_map(|r| {
        let fired = *run.fired.get(r.name)?;
        Some(Fired { name: r.name, law: r.law, exact: r.exact, fired, saved: None })
    });
    let mut rules: Vec<Fired> = fired.collect();
    rules.sort_by_key(|r| r.name);
    let report = Report {
        target: target.name().to_owned(),
        rules,
        before: before.size,
        after: after.size,
        cost_before: before.cost,
        cost_after: after.cost,
        unread: after.unread,
        iterations: run.iterations,
        enodes: g.total_size(),
        stop: run.stop,
    };
    Ok(Optimized { module, report })
}

/// The same, and for every rule that fired what it saved, by optimising again without it.
///
/// # Errors
/// As [`optimize`].
pub fn explain(
    module: &Verified,
    target: &Target,
    options: &Options,
    cost: &dyn CostModel,
) -> Result<Optimized, Faults> {
    let mut all = optimize(module, target, options, cost)?;
    for rule in &mut all.report.rules {
        let mut without = options.clone();
        without.disabled.insert(rule.name.to_owned());
        let other = optimize(module, target, &without, cost)?;
        rule.saved = Some(other.report.cost_after - all.report.cost_after);
    }
    Ok(all)
}

fn ill_typed(g: &language::Egraph<'_>, target: &Target) -> Faults {
    let why = g.analysis.faults.first().cloned().unwrap_or_else(|| "no representation can be computed".into());
    vec![Diagnostic::new("flock::optimize::rule", target.name(), why)]
}

/// What is optimised, in the module.
enum Subject<'m> {
    Function(usize, &'m flock_ir_spec::Function),
    Query(usize, &'m flock_ir_spec::Query),
}

/// A result with its measures.
struct Measured {
    size: Size,
    cost: f64,
    unread: Vec<String>,
}

impl<'m> Subject<'m> {
    fn find(module: &'m Module, target: &Target) -> Option<Subject<'m>> {
        match target {
            Target::Function(name) => {
                let (i, f) = module.functions.iter().enumerate().find(|(_, f)| *f.name == **name)?;
                Some(Subject::Function(i, f))
            }
            Target::Query(name) => {
                let (i, q) = module.queries.iter().enumerate().find(|(_, q)| *q.name == **name)?;
                Some(Subject::Query(i, q))
            }
        }
    }

    fn build(&self, g: &mut language::Egraph<'_>) -> Option<Vec<egg::Id>> {
        match self {
            Subject::Function(_, f) => build::function(g, f),
            Subject::Query(_, q) => build::query(g, q).map(|root| vec![root]),
        }
    }

    /// The module with the cheapest representation in place.
    fn extract(&self, module: &Module, g: &language::Egraph<'_>, roots: &[egg::Id]) -> Option<(Measured, Module)> {
        let mut out = module.clone();
        let measured = match self {
            Subject::Function(i, f) => {
                let found = extract::function(g, f, roots, &mut out.constants)?;
                let size = Size::of_function(&found.value, &out.constants);
                let measured = Measured { size, cost: found.cost, unread: unread(&found.value) };
                out.functions[*i] = found.value;
                measured
            }
            Subject::Query(i, q) => {
                let found = extract::query(g, q, *roots.first()?, &mut out.constants)?;
                let narrow = pushdown::columns(&found.value);
                let size = Size::of_query(&narrow, &out.constants);
                out.queries[*i] = narrow;
                Measured { size, cost: found.cost, unread: Vec::new() }
            }
        };
        out.drop_unused_constants();
        Some((measured, out))
    }
}

/// The parameters of a function that no output needs.
fn unread(f: &flock_ir_spec::Function) -> Vec<String> {
    let live = f.graph.reachable(f.outputs.iter().map(|o| o.node));
    let read: HashSet<u32> = f
        .graph
        .iter()
        .filter(|(id, _)| live[id.index()])
        .filter_map(|(_, n)| if let flock_ir_spec::Attr::Param(i) = n.attr { Some(i) } else { None })
        .collect();
    let unread = f.params.iter().enumerate().filter(|(i, _)| !read.contains(&(*i as u32)));
    unread.map(|(_, p)| p.name.to_string()).collect()
}

#[cfg(test)]
mod check;
