//! From a model to a function of the IR: the pass over the nodes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use flock_ir_spec::{Diagnostic, Faults, Frame, FunctionBuilder, Module, NodeId, Op, TypeError};
use onnx_protobuf::{GraphProto, Message, ModelProto};

use crate::Res;
use crate::attributes;
use crate::external::Files;
use crate::fold;
use crate::inputs;
use crate::labels::Labels;
use crate::literal;
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
}

/// The state of a lift.
pub struct Lift<'m> {
    /// The function under construction.
    pub b: FunctionBuilder,
    /// The graph.
    pub graph: &'m GraphProto,
    /// Class labels of the classifiers met so far.
    pub labels: Vec<Arc<Labels>>,
    /// Tensor data beside the model.
    pub files: Files,
    sources: HashMap<&'m str, Source>,
    /// Values of names; None where a fault stands in the way.
    values: HashMap<&'m str, Option<Value>>,
    opsets: HashMap<String, i64>,
    faults: Report,
    budget: u64,
}

/// Elements of constants that a small model may make while it is lifted; a large one may make four times its bytes.
const SMALL_BUDGET: u64 = 1 << 26;

/// Reads an ONNX model and lifts it to a module with one function of that name.
///
/// # Errors
/// All faults that were found, the first 100 in words: a damaged file, an unknown operator, a node that mixes rows, …
pub fn lift(name: &str, bytes: &[u8], options: &Options) -> Result<Module, Faults> {
    wire::check(bytes).map_err(|d| vec![d])?;
    let model = ModelProto::parse_from_bytes(bytes)
        .map_err(|e| vec![Diagnostic::new("flock::lift::damaged", "model", format!("no ONNX model: {e}"))])?;
    let mut faults = Report::default();
    let opsets = versions::opsets(&model, &mut faults);
    let Some(graph) = model.graph.as_ref() else {
        faults.push(Diagnostic::new("flock::lift::damaged", "model", "a model without a graph"));
        return Err(faults.finish());
    };
    let wiring = wiring::wire(graph, &mut faults);
    let mut lift = Lift {
        b: FunctionBuilder::new(name),
        graph,
        labels: Vec::new(),
        files: Files::new(options.folder.clone()),
        sources: wiring.sources,
        values: HashMap::new(),
        opsets,
        faults,
        budget: SMALL_BUDGET + 4 * bytes.len() as u64,
    };
    inputs::bind(&mut lift, &wiring.order, options);
    for index in wiring.order {
        lift.node(index);
    }
    if lift.faults.total() == 0 {
        outputs::name(&mut lift);
    }
    let Lift { b, faults, .. } = lift;
    if faults.total() == 0 { b.finish() } else { Err(faults.finish()) }
}

impl<'m> Lift<'m> {
    /// Reports a fault.
    pub fn fault(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
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

    /// Sets the value of a name.
    pub fn set(&mut self, name: &'m str, value: Option<Value>) {
        self.values.insert(name, value);
    }

    /// The source of a name.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.sources.get(name).copied()
    }

    /// The value of a name; None where a fault, reported already, stands in the way.
    pub fn value(&mut self, name: &'m str) -> Option<Value> {
        if let Some(known) = self.values.get(name) {
            return known.clone();
        }
        let value = match self.source(name) {
            Some(Source::Initializer(i)) => self.initializer(i),
            _ => None,
        };
        self.values.insert(name, value.clone());
        value
    }

    fn initializer(&mut self, index: usize) -> Option<Value> {
        let tensor = &self.graph.initializer[index];
        match literal::decode(tensor, &mut self.files) {
            Ok(literal) => Some(Value::Literal(Arc::new(literal))),
            Err(message) => {
                let place = format!("graph.initializer[{index}] {:?}", tensor.name);
                self.fault(Diagnostic::new("flock::lift::tensor", place, message));
                None
            }
        }
    }

    /// Lifts a node: its outputs become values, or its faults are reported.
    fn node(&mut self, index: usize) {
        let proto = &self.graph.node[index];
        let faults = self.faults.total();
        let lifter = self.lifter(index);
        let inputs: Option<Vec<Option<Value>>> = proto
            .input
            .iter()
            .map(|name| if name.is_empty() { Some(None) } else { self.value(name).map(Some) })
            .collect();
        let outputs = match (lifter, inputs) {
            (Some((lifter, opset)), Some(inputs)) if self.faults.total() == faults => {
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
                self.fault(Diagnostic::new("flock::lift::unsupported", wiring::place(index, proto), message));
            }
            self.values.insert(name, value);
        }
    }

    /// The lifter of a node and the version of its operator set, after the door: the operator, its attributes and the
    /// numbers of inputs and outputs are known.
    fn lifter(&mut self, index: usize) -> Option<(&'static Lifter, i64)> {
        let proto = &self.graph.node[index];
        let domain = versions::domain(&proto.domain);
        let place = || wiring::place(index, proto);
        let opset = self.opsets.get(domain).copied();
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

    /// Refuses rows with an integer that int32 does not hold; onnxruntime would keep its last 32 bits.
    pub fn refuse_beyond_i32(&mut self, frame: NodeId) -> Result<(), TypeError> {
        let b = &mut self.b;
        let low = b.constant(Frame::row_i64([i64::from(i32::MIN)]));
        let high = b.constant(Frame::row_i64([i64::from(i32::MAX)]));
        let (above, below) = (b.op(Op::Ge, &[frame, low])?, b.op(Op::Le, &[frame, high])?);
        let fits = b.op(Op::And, &[above, below])?;
        let all = b.op(Op::All, &[fits])?;
        b.refuse_unless(all);
        Ok(())
    }

    /// Runs `f` with another function under construction; gives what it built.
    pub fn aside<R>(&mut self, f: impl FnOnce(&mut Self) -> Res<R>) -> Res<(R, FunctionBuilder)> {
        let before = std::mem::replace(&mut self.b, FunctionBuilder::new("constant"));
        let result = f(self);
        let aside = std::mem::replace(&mut self.b, before);
        result.map(|r| (r, aside))
    }
}
