//! Which node gives which name, and the order in which the nodes that matter are evaluated.

use std::collections::HashMap;

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
pub fn place(index: usize, node: &NodeProto) -> String {
    let name = if node.name.is_empty() { String::new() } else { format!(" {:?}", node.name) };
    format!("graph.node[{index}]{name} ({})", node.op_type)
}

/// Connects a graph's names. Names that two things give, names that nothing gives, and circles are faults.
pub fn wire<'m>(graph: &'m GraphProto, faults: &mut Report) -> Wiring<'m> {
    let mut wiring = Wiring { sources: sources(graph, faults), order: Vec::new() };
    let mut state = vec![State::Unseen; graph.node.len()];
    let mut missing = Vec::new();
    for output in &graph.output {
        match wiring.sources.get(output.name.as_str()) {
            Some(Source::Node(root)) => wiring.visit(graph, *root, &mut state, &mut missing, faults),
            Some(_) => {}
            None => missing.push((None, output.name.as_str())),
        }
    }
    wiring.keep_file_order(graph);
    missing.sort_by_key(|(node, name)| (*name, *node));
    missing.dedup_by_key(|(_, name)| *name);
    missing.sort_by_key(|(node, _)| *node);
    for (node, name) in missing {
        let place = node.map_or_else(|| "graph.output".to_owned(), |n: usize| self::place(n, &graph.node[n]));
        let message = format!("`{name}` is read, but no input, initializer or node gives it");
        faults.push(Diagnostic::new("flock::lift::missing_tensor", place, message));
    }
    wiring
}

fn sources<'m>(graph: &'m GraphProto, faults: &mut Report) -> HashMap<&'m str, Source> {
    let mut sources: HashMap<&str, Source> = HashMap::new();
    let mut add = |name: &'m str, source: Source, place: &dyn Fn() -> String| {
        let before = if name.is_empty() { None } else { sources.insert(name, source) };
        let default = matches!((before, source), (Some(Source::Input(_)), Source::Initializer(_)));
        if before.is_some() && !default {
            faults.push(Diagnostic::new("flock::lift::duplicate_name", place(), format!("`{name}` is given twice")));
        }
    };
    for (i, input) in graph.input.iter().enumerate() {
        add(&input.name, Source::Input(i), &|| format!("graph.input[{i}]"));
    }
    for (i, tensor) in graph.initializer.iter().enumerate() {
        add(&tensor.name, Source::Initializer(i), &|| format!("graph.initializer[{i}]"));
    }
    for (i, node) in graph.node.iter().enumerate() {
        for output in &node.output {
            add(output, Source::Node(i), &|| place(i, node));
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

impl<'m> Wiring<'m> {
    /// The specification wants nodes sorted; where they are, their order in the file is the one that readers know.
    fn keep_file_order(&mut self, graph: &GraphProto) {
        let source = |name: &String| self.sources.get(name.as_str());
        let earlier = |node: usize, name: &String| !matches!(source(name), Some(Source::Node(from)) if *from >= node);
        if self.order.iter().all(|n| graph.node[*n].input.iter().all(|name| earlier(*n, name))) {
            self.order.sort_unstable();
        }
    }

    /// Visits a node and what it reads, depth first, on a stack of its own.
    fn visit(
        &mut self,
        graph: &'m GraphProto,
        root: usize,
        state: &mut [State],
        missing: &mut Vec<(Option<usize>, &'m str)>,
        faults: &mut Report,
    ) {
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.pop() {
            if next == 0 {
                if state[node] == State::Done {
                    continue;
                }
                state[node] = State::Open;
            }
            let Some(name) = graph.node[node].input.get(next) else {
                state[node] = State::Done;
                self.order.push(node);
                continue;
            };
            stack.push((node, next + 1));
            match self.sources.get(name.as_str()) {
                Some(Source::Node(from)) if state[*from] == State::Open => {
                    let message = format!("`{name}` depends on itself");
                    faults.push(Diagnostic::new("flock::lift::cycle", place(node, &graph.node[node]), message));
                }
                Some(Source::Node(from)) if state[*from] == State::Unseen => stack.push((*from, 0)),
                None if !name.is_empty() => missing.push((Some(node), name)),
                _ => {}
            }
        }
    }
}
