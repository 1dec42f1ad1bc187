//! The module of a lifted query: what nothing reads is dropped, the models' functions are added, the verifier looks.

use std::collections::HashMap;

use flock_ir_spec::{Faults, Graph, Module, NodeId, Query, Rel, RelId, TypeError};

use crate::lifter::{Lifted, Lifter};

impl Lifter<'_> {
    /// The module, or the faults.
    pub fn finish(mut self, root: Lifted<RelId>) -> Result<Module, Faults> {
        let root = match root {
            Ok(root) if self.faults.is_empty() => root,
            _ => {
                // A fault that nobody told would be a query that is lost without a word.
                if self.faults.is_empty() {
                    self.fault_at(
                        "flock::sql::internal",
                        sqlparser::tokenizer::Span::empty(),
                        "the query was not lifted",
                        None,
                    );
                }
                return Err(self.faults);
            }
        };
        let (rels, root) = live(&self.rels, root);
        let mut module = Module::default();
        for name in &self.models {
            if let Some(model) = self.catalog.models.get(name) {
                module.absorb(model.module().clone());
            }
        }
        for (id, _) in self.pool.iter() {
            module.constants.share_from(&self.pool, id);
        }
        let internal =
            |e: TypeError| vec![flock_ir_spec::Diagnostic::new("flock::sql::internal", self.name, e.to_string())];
        let (graph, rels) = without_dead_nodes(&self.graph, rels).map_err(internal)?;
        module.queries.push(Query { name: self.name.into(), graph, rels, root });
        module.drop_unused_constants();
        flock_ir_spec::verify::check(&module)?;
        Ok(module)
    }
}

/// The relations that the root reads, renumbered.
fn live(rels: &[Rel], root: RelId) -> (Vec<Rel>, RelId) {
    let mut is_live = vec![false; rels.len()];
    is_live[root.index()] = true;
    for i in (0..rels.len()).rev().filter(|i| *i < rels.len()) {
        if is_live[i] {
            rels[i].inputs().iter().for_each(|r| is_live[r.index()] = true);
        }
    }
    let mut new = HashMap::new();
    let mut out = Vec::new();
    for (i, rel) in rels.iter().enumerate().filter(|(i, _)| is_live[*i]) {
        let mut rel = rel.clone();
        inputs_mut(&mut rel).into_iter().for_each(|r| *r = new.get(r).copied().unwrap_or(*r));
        new.insert(RelId(i as u32), RelId(out.len() as u32));
        out.push(rel);
    }
    (out, new.get(&root).copied().unwrap_or(root))
}

fn inputs_mut(rel: &mut Rel) -> Vec<&mut RelId> {
    match rel {
        Rel::Scan { .. } => vec![],
        Rel::Filter { input, .. }
        | Rel::Project { input, .. }
        | Rel::Aggregate { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Limit { input, .. }
        | Rel::Distinct { input } => vec![input],
        Rel::Join { left, right, .. } => vec![left, right],
        Rel::Union { inputs, .. } | Rel::Opaque { inputs, .. } => inputs.iter_mut().collect(),
    }
}

fn frames_mut(rel: &mut Rel) -> Vec<&mut NodeId> {
    match rel {
        Rel::Filter { predicate, .. } => vec![predicate],
        Rel::Project { items, .. } => items.iter_mut().map(|i| &mut i.1).collect(),
        Rel::Join { on, .. } => on.iter_mut().collect(),
        Rel::Aggregate { keys, aggregates, .. } => {
            keys.iter_mut().map(|k| &mut k.1).chain(aggregates.iter_mut().filter_map(|a| a.arg.as_mut())).collect()
        }
        Rel::Sort { keys, .. } => keys.iter_mut().map(|k| &mut k.key).collect(),
        Rel::Scan { .. } | Rel::Limit { .. } | Rel::Distinct { .. } | Rel::Union { .. } | Rel::Opaque { .. } => vec![],
    }
}

/// The graph with the nodes that the relations read, and the relations over it.
fn without_dead_nodes(graph: &Graph, mut rels: Vec<Rel>) -> Result<(Graph, Vec<Rel>), TypeError> {
    let is_live = graph.reachable(rels.iter().flat_map(Rel::frames));
    let (graph, became) = Graph::rebuild(graph, &is_live, |g, _, node, args| g.add_like(node, args))?;
    for node in rels.iter_mut().flat_map(frames_mut) {
        *node = became[node.index()].unwrap_or(*node);
    }
    Ok((graph, rels))
}
