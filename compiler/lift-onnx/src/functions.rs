//! Functions of the model: a call becomes the function's graph, with the call's attributes in it.
//!
//! A body sees its own names alone, and its own operator sets. Functions do not call themselves: how deep they may call
//! one another is bounded, and each call is paid for.
//! Source: onnx.proto3, `FunctionProto`; docs/IR.md of onnx.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flock_ir_spec::Diagnostic;
use onnx_protobuf::{AttributeProto, FunctionProto, GraphProto, Message, ModelProto, NodeProto, ValueInfoProto};

use crate::lift::{Expansion, Lift};
use crate::report::Report;
use crate::value::Value;
use crate::versions;

/// A function and the operator sets of its body.
pub struct Function<'m> {
    proto: &'m FunctionProto,
    opsets: Arc<HashMap<String, i64>>,
}

/// The functions of a model by domain, name and overload.
pub type Functions<'m> = HashMap<(&'m str, &'m str, &'m str), Function<'m>>;

/// Reads the functions of a model.
pub fn of<'m>(model: &'m ModelProto, faults: &mut Report) -> Functions<'m> {
    let mut functions = HashMap::new();
    for (i, proto) in model.functions.iter().enumerate() {
        let place = format!("functions[{i}] {:?}", proto.name);
        let opsets = Arc::new(versions::opsets(&proto.opset_import, &place, faults));
        let key = (versions::domain(&proto.domain), proto.name.as_str(), proto.overload.as_str());
        if functions.insert(key, Function { proto, opsets }).is_some() {
            let message = format!("a second function `{}` of `{}`", proto.name, proto.domain);
            faults.push(Diagnostic::new("flock::lift::duplicate_name", place, message));
        }
    }
    functions
}

impl<'m> Lift<'m> {
    /// Whether a node calls a function of the model.
    pub fn is_function(&self, node: &NodeProto) -> bool {
        self.functions.contains_key(&(versions::domain(&node.domain), &*node.op_type, &*node.overload))
    }

    /// Lifts a call of a function of the model; None where the node is none. Faults are reported.
    pub fn call(&mut self, index: usize, node: &'m NodeProto, inputs: Vec<Option<Value>>) -> Option<Vec<Value>> {
        let key = (versions::domain(&node.domain), node.op_type.as_str(), node.overload.as_str());
        let function = self.functions.get(&key)?;
        let (proto, opsets) = (function.proto, function.opsets.clone());
        let path = self.place(index, node);
        // What a graph takes in memory, its nodes above all.
        let cost = 64 + 4 * (proto.compute_size() + 64 * proto.node.len() as u64);
        let graph = self.spend(cost).and_then(|()| body(proto, node));
        match graph {
            Ok(graph) => {
                let graph = self.keep(graph);
                self.expand(graph, Expansion { path, inputs, opsets: Some(opsets) }).or(Some(Vec::new()))
            }
            Err(message) => {
                self.fault(Diagnostic::new("flock::lift::function", path, message));
                Some(Vec::new())
            }
        }
    }
}

/// The graph of a call: the function's nodes with the call's attributes, without the inputs that it leaves out.
fn body(function: &FunctionProto, call: &NodeProto) -> Result<GraphProto, String> {
    if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
        let (i, o) = (function.input.len(), function.output.len());
        return Err(format!(
            "{} inputs and {} outputs for a function of {i} and {o}",
            call.input.len(),
            call.output.len()
        ));
    }
    let attributes = attributes(function, call)?;
    let given = |i: usize| call.input.get(i).is_some_and(|name| !name.is_empty());
    let absent: HashSet<&str> =
        function.input.iter().enumerate().filter(|(i, _)| !given(*i)).map(|(_, name)| name.as_str()).collect();
    let mut graph = GraphProto { node: function.node.clone(), ..GraphProto::default() };
    settle(&mut graph, &attributes, &absent);
    let named = |name: &String| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() };
    graph.input = function.input.iter().map(named).collect();
    graph.output = function.output.iter().take(call.output.len()).map(named).collect();
    Ok(graph)
}

/// The attributes of a call by name: given, or the function's own.
fn attributes<'a>(
    function: &'a FunctionProto,
    call: &'a NodeProto,
) -> Result<HashMap<&'a str, &'a AttributeProto>, String> {
    let mut known: HashMap<&str, &AttributeProto> =
        function.attribute_proto.iter().map(|a| (a.name.as_str(), a)).collect();
    for a in &call.attribute {
        if !function.attribute.contains(&a.name) && !known.contains_key(a.name.as_str()) {
            return Err(format!("`{}` has no attribute `{}`", function.name, a.name));
        }
        known.insert(a.name.as_str(), a);
    }
    Ok(known)
}

/// Puts attributes where a body refers to them, in graphs within its nodes too, and takes out what is absent. The nesting
/// of graphs is bounded by the file's check.
fn settle(graph: &mut GraphProto, attributes: &HashMap<&str, &AttributeProto>, absent: &HashSet<&str>) {
    for node in &mut graph.node {
        for name in node.input.iter_mut().filter(|n| absent.contains(n.as_str())) {
            name.clear();
        }
        node.attribute.retain_mut(|a| {
            if a.ref_attr_name.is_empty() {
                return true;
            }
            let Some(value) = attributes.get(a.ref_attr_name.as_str()) else { return false };
            *a = AttributeProto { name: std::mem::take(&mut a.name), ..(*value).clone() };
            true
        });
        for a in &mut node.attribute {
            a.g.as_mut().into_iter().chain(&mut a.graphs).for_each(|g| settle(g, attributes, absent));
        }
    }
}
