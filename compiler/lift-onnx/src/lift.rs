//! From a model to a function of the IR: the pass over the nodes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use flock_ir_spec::{Diagnostic, Faults, FunctionBuilder, Module};
use onnx_protobuf::{GraphProto, Message, ModelProto, NodeProto};

use crate::Res;
use crate::attributes;
use crate::external::Files;
use crate::fold;
use crate::functions::{self, Functions};
use crate::inputs;
use crate::labels::Labels;
use crate::literal;
use crate::made::Made;
use crate::node::Node;
use crate::ops::{self, Lifter};
use crate::outputs;
use crate::report::Report;
use crate::value::Value;
use crate::versions;
use crate::wire;
use crate::wiring::{self, Source};

/// What the caller decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the input's columns, in order, in place of the graph's own.
    pub columns: Option<Vec<String>>,
    /// The model's folder, where external tensor data may lie; without one such data is refused.
    pub folder: Option<PathBuf>,
    /// What a row of the data is to the graph; None tries [`Reading::Rows`], then, where it can be, [`Reading::Calls`].
    pub reading: Option<Reading>,
}

/// What a row of the data is to the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A row of every input: its first axis is the batch.
    Rows,
    /// A call of the graph: an input's elements are all in one row. It is asked for where a graph without a batch has
    /// fixed extents (`[30]` features in, a scalar out) or works across its first axis.
    Calls,
}

/// The state of a lift.
pub struct Lift<'m> {
    /// The function under construction.
    pub b: FunctionBuilder,
    /// What a row is.
    pub reading: Reading,
    /// Class labels of the classifiers met so far.
    pub labels: Vec<Arc<Labels>>,
    /// Tensor data beside the model.
    pub files: Files,
    /// The graph, and in it the subgraph that is lifted, and so on.
    scopes: Vec<Scope<'m>>,
    /// Functions of the model.
    pub functions: Functions<'m>,
    made: &'m Made,
    faults: Report,
    budget: u64,
}

/// A graph and what its names stand for.
struct Scope<'m> {
    graph: &'m GraphProto,
    /// Where the graph is: `graph`, or `graph.node[3] (If).then_branch`.
    path: String,
    sources: HashMap<&'m str, Source>,
    /// Values of names; None where a fault stands in the way.
    values: HashMap<&'m str, Option<Value>>,
    /// Versions of operator sets.
    opsets: Arc<HashMap<String, i64>>,
    /// Whether it sees no names of the graphs around it.
    alone: bool,
}

/// A graph in the place of a node.
pub struct Expansion {
    /// Where it is.
    pub path: String,
    /// Values of its inputs.
    pub inputs: Vec<Option<Value>>,
    /// The operator sets of a body that sees its own names alone; None for a graph within the graph.
    pub opsets: Option<Arc<HashMap<String, i64>>>,
}

/// The code of a fault that stands for others, reported already.
pub const REPORTED: &str = "";

/// Elements of constants that a small model may make while it is lifted; a large one may make four times its bytes.
const SMALL_BUDGET: u64 = 1 << 22;

/// Graphs within graphs.
const MAX_SCOPES: usize = 16;

/// Reads an ONNX model and lifts it to a module with one function of that name.
///
/// # Errors
/// All faults that were found, the first 100 in words: a damaged file, an unknown operator, a node that mixes rows, …
pub fn lift(name: &str, bytes: &[u8], options: &Options) -> Result<Module, Faults> {
    wire::check(bytes).map_err(|d| vec![d])?;
    let model = ModelProto::parse_from_bytes(bytes)
        .map_err(|e| vec![Diagnostic::new("flock::lift::damaged", "model", format!("no ONNX model: {e}"))])?;
    let budget = SMALL_BUDGET + 4 * bytes.len() as u64;
    let read = |reading| lifted(name, &model, options, reading, budget);
    match options.reading {
        Some(reading) => read(reading),
        None => read(Reading::Rows).or_else(|faults| {
            if may_be_calls(&model, &faults) { read(Reading::Calls).map_err(|_| faults) } else { Err(faults) }
        }),
    }
}

/// Whether a graph that is not row-local can be called row by row: all of its inputs have fixed extents, and there is no
/// other fault.
fn may_be_calls(model: &ModelProto, faults: &Faults) -> bool {
    let graph = model.graph.as_ref();
    graph.is_some_and(inputs::all_fixed) && faults.iter().all(|f| f.code == NOT_ROW_LOCAL)
}

/// The code of a fault that calls row by row may heal.
pub const NOT_ROW_LOCAL: &str = "flock::lift::not_row_local";

fn lifted(name: &str, model: &ModelProto, options: &Options, reading: Reading, budget: u64) -> Result<Module, Faults> {
    let (mut faults, made) = (Report::default(), Made::default());
    versions::format(model, &mut faults);
    let opsets = Arc::new(versions::opsets(&model.opset_import, "", &mut faults));
    let functions = functions::of(model, &mut faults);
    let Some(graph) = model.graph.as_ref() else {
        faults.push(Diagnostic::new("flock::lift::damaged", "model", "a model without a graph"));
        return Err(faults.finish());
    };
    let wiring = wiring::wire(graph, "graph", &|_| false, &mut faults);
    let scope =
        Scope { graph, path: "graph".to_owned(), sources: wiring.sources, values: HashMap::new(), opsets, alone: true };
    let mut lift = Lift {
        b: FunctionBuilder::new(name),
        reading,
        labels: Vec::new(),
        files: Files::new(options.folder.clone()),
        scopes: vec![scope],
        functions,
        made: &made,
        faults,
        budget,
    };
    inputs::bind(&mut lift, graph, &wiring.order, options);
    for index in wiring.order {
        lift.node(index);
    }
    if lift.faults.total() == 0 {
        outputs::name(&mut lift, graph);
    }
    let Lift { b, faults, .. } = lift;
    if faults.total() == 0 { b.finish() } else { Err(faults.finish()) }
}

impl<'m> Lift<'m> {
    /// Reports a fault.
    pub fn fault(&mut self, fault: Diagnostic) {
        if fault.code != REPORTED {
            self.faults.push(fault);
        }
    }

    /// Keeps a graph that was made for as long as the lift lasts.
    pub fn keep(&mut self, graph: GraphProto) -> &'m GraphProto {
        let (graph, next) = self.made.keep(graph);
        self.made = next;
        graph
    }

    /// Takes elements of the budget that bounds what a small file can ask for.
    pub fn spend(&mut self, elements: u64) -> Result<(), String> {
        match self.budget.checked_sub(elements) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err("the model asks for more memory than it is worth".into()),
        }
    }

    fn scope(&self) -> &Scope<'m> {
        &self.scopes[self.scopes.len() - 1]
    }

    /// The place of a node of the graph that is lifted.
    pub fn place(&self, index: usize, node: &NodeProto) -> String {
        wiring::place(&self.scope().path, index, node)
    }

    /// Sets the value of a name.
    pub fn set(&mut self, name: &'m str, value: Option<Value>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.values.insert(name, value);
        }
    }

    /// The source of a name in the graph that is lifted.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.scope().sources.get(name).copied()
    }

    /// The value of a name, also of one of a graph around; None where a fault, reported already, stands in the way.
    pub fn value(&mut self, name: &'m str) -> Option<Value> {
        let at = self.visible().rfind(|i| {
            let scope = &self.scopes[*i];
            scope.values.contains_key(name) || scope.sources.contains_key(name)
        })?;
        if let Some(known) = self.scopes[at].values.get(name) {
            return known.clone();
        }
        let value = match self.scopes[at].sources.get(name) {
            Some(Source::Initializer(i)) => self.initializer(at, *i),
            _ => None,
        };
        self.scopes[at].values.insert(name, value.clone());
        value
    }

    fn initializer(&mut self, scope: usize, index: usize) -> Option<Value> {
        let graph = self.scopes[scope].graph;
        let tensor = &graph.initializer[index];
        match literal::decode(tensor, &mut self.files) {
            Ok(literal) => Some(Value::Literal(Arc::new(literal))),
            Err(message) => {
                let place = format!("{}.initializer[{index}] {:?}", self.scopes[scope].path, tensor.name);
                self.fault(Diagnostic::new("flock::lift::tensor", place, message));
                None
            }
        }
    }

    /// The graphs whose names the one that is lifted sees.
    fn visible(&self) -> std::ops::Range<usize> {
        self.scopes.iter().rposition(|s| s.alone).unwrap_or(0)..self.scopes.len()
    }

    /// Lifts a graph in the place of a node: the values of its outputs. Its own faults are reported, and None comes back.
    pub fn expand(&mut self, graph: &'m GraphProto, expansion: Expansion) -> Option<Vec<Value>> {
        let before = self.faults.total();
        let Expansion { path, inputs, opsets } = expansion;
        if self.scopes.len() >= MAX_SCOPES {
            self.fault(Diagnostic::new("flock::lift::too_large", path, "graphs within graphs within graphs"));
            return None;
        }
        let (scopes, seen) = (&self.scopes, self.visible());
        let known = |name: &str| opsets.is_none() && scopes[seen.clone()].iter().any(|s| s.sources.contains_key(name));
        let wiring = wiring::wire(graph, &path, &known, &mut self.faults);
        let names = graph.input.iter().map(|i| i.name.as_str());
        let values = names.zip(inputs).filter_map(|(name, value)| Some((name, Some(value?)))).collect();
        let alone = opsets.is_some();
        let opsets = opsets.unwrap_or_else(|| self.scope().opsets.clone());
        self.scopes.push(Scope { graph, path, sources: wiring.sources, values, opsets, alone });
        for index in wiring.order {
            self.node(index);
        }
        let values = graph.output.iter().map(|o| self.value(&o.name)).collect();
        self.scopes.pop();
        if self.faults.total() == before { values } else { None }
    }

    /// Lifts a node: its outputs become values, or its faults are reported.
    fn node(&mut self, index: usize) {
        let graph = self.scope().graph;
        let proto = &graph.node[index];
        let faults = self.faults.total();
        let inputs: Option<Vec<Option<Value>>> = proto
            .input
            .iter()
            .map(|name| if name.is_empty() { Some(None) } else { self.value(name).map(Some) })
            .collect();
        let called = self.is_function(proto);
        let lifter = if called { None } else { self.lifter(index, proto) };
        let outputs = match (lifter, inputs) {
            _ if self.faults.total() != faults => Vec::new(),
            (None, Some(inputs)) if called => self.call(index, proto, inputs).unwrap_or_default(),
            (Some((lifter, opset)), Some(inputs)) => {
                let node = Node { lift: self, proto, index, lifter, opset, inputs };
                fold::run(node).unwrap_or_else(|fault| {
                    self.fault(fault);
                    Vec::new()
                })
            }
            _ => Vec::new(),
        };
        for (i, name) in proto.output.iter().enumerate().filter(|(_, n)| !n.is_empty()) {
            let value = outputs.get(i).cloned();
            if value.is_none() && !outputs.is_empty() {
                let message = format!("output {i}, `{name}`, is not computed");
                self.fault(Diagnostic::new("flock::lift::unsupported", self.place(index, proto), message));
            }
            self.set(name, value);
        }
    }

    /// The lifter of a node and the version of its operator set, after the door: the operator, its attributes and the
    /// numbers of inputs and outputs are known.
    fn lifter(&mut self, index: usize, proto: &NodeProto) -> Option<(&'static Lifter, i64)> {
        let domain = versions::domain(&proto.domain);
        let place = self.place(index, proto);
        let place = || place.clone();
        let opset = self.scope().opsets.get(domain).copied();
        let version = opset.map_or_else(|| "of no imported opset".to_owned(), |v| format!("opset {v}"));
        let Some(lifter) = ops::find(domain, &proto.op_type) else {
            let message = format!(
                "the operator `{}` of `{}`, {version}, is not supported",
                proto.op_type,
                versions::shown(domain)
            );
            self.fault(Diagnostic::new("flock::lift::unknown_op", place(), message));
            return None;
        };
        let Some(opset) = opset.filter(|v| lifter.versions.first().is_some_and(|first| v >= first)) else {
            let message = format!(
                "`{}` of `{}` {version}; it came with version {}",
                proto.op_type,
                versions::shown(domain),
                lifter.versions[0]
            );
            self.fault(Diagnostic::new("flock::lift::version", place(), message));
            return None;
        };
        let before = self.faults.total();
        for (code, message) in attributes::faults(proto, lifter.attributes, lifter.ignores) {
            self.fault(Diagnostic::new(code, place(), message));
        }
        for (what, found, expected) in
            [("inputs", proto.input.len(), &lifter.inputs), ("outputs", proto.output.len(), &lifter.outputs)]
        {
            if !expected.contains(&found) {
                let message = format!("{found} {what}, expected {} to {}", expected.start(), expected.end());
                self.fault(Diagnostic::new("flock::lift::arity", place(), message));
            }
        }
        (self.faults.total() == before).then_some((lifter, opset))
    }

    /// Runs `f` with another function under construction; gives what it built.
    pub fn aside<R>(&mut self, f: impl FnOnce(&mut Self) -> Res<R>) -> Res<(R, FunctionBuilder)> {
        let before = std::mem::replace(&mut self.b, FunctionBuilder::new("constant"));
        let result = f(self);
        let aside = std::mem::replace(&mut self.b, before);
        result.map(|r| (r, aside))
    }
}
