//! Which node gives which name, and the order in which the nodes that matter are evaluated.

use std::collections::{HashMap, HashSet};

use flock_ir_spec::Diagnostic;
use onnx_protobuf::{GraphProto, NodeProto};

use crate::report::Report;

/// Where a name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `graph.input[i]`
    Input(usize),
    /// `graph.initializer[i]`; it wins over an input of its name, whose default it is.
    Initializer(usize),
    /// `graph.node[i]`
    Node(usize),
}

/// The sources of all names, and the nodes that the outputs need, each after those that it reads.
pub struct Wiring<'m> {
    /// Sources by name.
    pub sources: HashMap<&'m str, Source>,
    /// Indices into `graph.node`.
    pub order: Vec<usize>,
}

/// A node's place: `graph.node[12] "scaler" (Scaler)`.
pub fn place(path: &str, index: usize, node: &NodeProto) -> String {
    let name = if node.name.is_empty() { String::new() } else { format!(" {:?}", node.name) };
    format!("{path}.node[{index}]{name} ({})", node.op_type)
}

/// The names that a graph within a graph reads from around it. Nesting is bounded by the file's check.
fn free_names<'m>(graph: &'m GraphProto, free: &mut Vec<&'m str>) {
    let own: HashSet<&str> = (graph.input.iter().map(|i| i.name.as_str()))
        .chain(graph.initializer.iter().map(|t| t.name.as_str()))
        .chain(graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)))
        .collect();
    let mut names: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    for node in &graph.node {
        names.extend(node.input.iter().map(String::as_str));
        subgraphs(node).for_each(|g| free_names(g, &mut names));
    }
    free.extend(names.into_iter().filter(|n| !n.is_empty() && !own.contains(n)));
}

/// What a node reads: its inputs, and what the graphs in it read from around them.
pub fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    subgraphs(node).for_each(|g| free_names(g, &mut names));
    names
}

fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.as_ref().into_iter().chain(&a.graphs))
}

/// What nodes with graphs in them read beside their inputs.
fn hidden_reads(graph: &GraphProto) -> HashMap<usize, Vec<&str>> {
    let mut hidden = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        let mut free = Vec::new();
        subgraphs(node).for_each(|g| free_names(g, &mut free));
        if !free.is_empty() {
            hidden.insert(i, free);
        }
    }
    hidden
}

/// Connects a graph's names; `known` says which ones the graphs around it give. Names that two things give, names that
/// nothing gives, and circles are faults.
pub fn wire<'m>(graph: &'m GraphProto, path: &str, known: &dyn Fn(&str) -> bool, faults: &mut Report) -> Wiring<'m> {
    let mut wiring = Wiring { sources: sources(graph, path, faults), order: Vec::new() };
    let hidden = hidden_reads(graph);
    let mut visit =
        Visit { graph, path, hidden: &hidden, state: vec![State::Unseen; graph.node.len()], missing: Vec::new() };
    for output in &graph.output {
        match wiring.sources.get(output.name.as_str()) {
            Some(Source::Node(root)) => wiring.visit(*root, &mut visit, faults),
            Some(_) => {}
            None => visit.missing.push((None, output.name.as_str())),
        }
    }
    wiring.keep_file_order(&visit);
    let mut missing = visit.missing;
    missing.retain(|(_, name)| !known(name));
    missing.sort_by_key(|(node, name)| (*name, *node));
    missing.dedup_by_key(|(_, name)| *name);
    missing.sort_by_key(|(node, _)| *node);
    for (node, name) in missing {
        let place = node.map_or_else(|| format!("{path}.output"), |n: usize| self::place(path, n, &graph.node[n]));
        let message = format!("`{name}` is read, but no input, initializer or node gives it");
        faults.push(Diagnostic::new("flock::lift::missing_tensor", place, message));
    }
    wiring
}

fn sources<'m>(graph: &'m GraphProto, path: &str, faults: &mut Report) -> HashMap<&'m str, Source> {
    let mut sources: HashMap<&str, Source> = HashMap::new();
    let mut add = |name: &'m str, source: Source, place: &dyn Fn() -> String| {
        let before = if name.is_empty() { None } else { sources.insert(name, source) };
        let default = matches!((before, source), (Some(Source::Input(_)), Source::Initializer(_)));
        if before.is_some() && !default {
            faults.push(Diagnostic::new("flock::lift::duplicate_name", place(), format!("`{name}` is given twice")));
        }
    };
    for (i, input) in graph.input.iter().enumerate() {
        add(&input.name, Source::Input(i), &|| format!("{path}.input[{i}]"));
    }
    for (i, tensor) in graph.initializer.iter().enumerate() {
        add(&tensor.name, Source::Initializer(i), &|| format!("{path}.initializer[{i}]"));
    }
    for (i, node) in graph.node.iter().enumerate() {
        for output in &node.output {
            add(output, Source::Node(i), &|| place(path, i, node));
        }
    }
    sources
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unseen,
    Open,
    Done,
}

/// A walk over the nodes of a graph.
struct Visit<'m, 'a> {
    graph: &'m GraphProto,
    path: &'a str,
    hidden: &'a HashMap<usize, Vec<&'m str>>,
    state: Vec<State>,
    missing: Vec<(Option<usize>, &'m str)>,
}

impl<'m> Visit<'m, '_> {
    /// What a node reads: its inputs, then what the graphs in it do.
    fn reads(&self, node: usize) -> impl Iterator<Item = &'m str> {
        let hidden = self.hidden.get(&node).map_or(&[][..], |h| h);
        self.graph.node[node].input.iter().map(String::as_str).chain(hidden.iter().copied())
    }

    fn read(&self, node: usize, i: usize) -> Option<&'m str> {
        let inputs = &self.graph.node[node].input;
        let hidden = || self.hidden.get(&node)?.get(i - inputs.len()).copied();
        inputs.get(i).map(String::as_str).or_else(hidden)
    }
}

impl<'m> Wiring<'m> {
    /// The specification wants nodes sorted; where they are, their order in the file is the one that readers know.
    fn keep_file_order(&mut self, visit: &Visit<'m, '_>) {
        let source = |name: &str| self.sources.get(name);
        let earlier = |node: usize, name: &str| !matches!(source(name), Some(Source::Node(from)) if *from >= node);
        if self.order.iter().all(|n| visit.reads(*n).all(|name| earlier(*n, name))) {
            self.order.sort_unstable();
        }
    }

    /// Visits a node and what it reads, depth first, on a stack of its own.
    fn visit(&mut self, root: usize, visit: &mut Visit<'m, '_>, faults: &mut Report) {
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.pop() {
            if next == 0 {
                if visit.state[node] == State::Done {
                    continue;
                }
                visit.state[node] = State::Open;
            }
            let Some(name) = visit.read(node, next) else {
                visit.state[node] = State::Done;
                self.order.push(node);
                continue;
            };
            stack.push((node, next + 1));
            match self.sources.get(name) {
                Some(Source::Node(from)) if visit.state[*from] == State::Open => {
                    let message = format!("`{name}` depends on itself");
                    let place = place(visit.path, node, &visit.graph.node[node]);
                    faults.push(Diagnostic::new("flock::lift::cycle", place, message));
                }
                Some(Source::Node(from)) if visit.state[*from] == State::Unseen => stack.push((*from, 0)),
                None if !name.is_empty() => visit.missing.push((Some(node), name)),
                _ => {}
            }
        }
    }
}
