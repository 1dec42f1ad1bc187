//! Operators that are written out in others: the graph that stands for a node, made once its shapes are known.

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::{AttributeProto, GraphProto, NodeProto, ValueInfoProto};

use crate::Res;
use crate::lift::{Expansion, REPORTED};
use crate::node::Node;
use crate::value::Value;
use crate::versions;

/// A graph in the newest operator sets. Names of values are text: `x0`, `x1`, … are the inputs.
pub struct Body {
    graph: GraphProto,
}

/// An attribute of a node of a body.
pub enum Given<'a> {
    /// `i`
    Int(i64),
    /// `ints`
    Ints(&'a [i64]),
    /// `s`
    Text(&'a str),
}

/// The name of input i of a body.
pub fn input(i: usize) -> String {
    format!("x{i}")
}

fn named(name: String) -> ValueInfoProto {
    ValueInfoProto { name, ..ValueInfoProto::default() }
}

impl Body {
    /// No nodes, and that many inputs.
    pub fn new(inputs: usize) -> Body {
        let input = (0..inputs).map(|i| named(input(i))).collect();
        Body { graph: GraphProto { input, ..GraphProto::default() } }
    }

    /// The result of a node.
    pub fn op(&mut self, op: &str, inputs: &[&str]) -> String {
        self.op_with(op, inputs, &[])
    }

    /// The result of a node with attributes.
    pub fn op_with(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Given<'_>)]) -> String {
        let attribute = attributes.iter().map(|(name, value)| {
            let mut a = AttributeProto { name: (*name).to_owned(), ..AttributeProto::default() };
            match value {
                Given::Int(i) => (a.i, a.type_) = (*i, AttributeType::INT.into()),
                Given::Ints(ints) => (a.ints, a.type_) = (ints.to_vec(), AttributeType::INTS.into()),
                Given::Text(text) => (a.s, a.type_) = (text.as_bytes().to_vec(), AttributeType::STRING.into()),
            }
            a
        });
        let attribute = attribute.collect();
        self.node(op, inputs, attribute)
    }

    fn node(&mut self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = format!("t{}", self.graph.node.len());
        self.graph.node.push(NodeProto {
            op_type: op.to_owned(),
            input: inputs.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![name.clone()],
            attribute,
            ..NodeProto::default()
        });
        name
    }

    /// A list of integers.
    pub fn ints(&mut self, values: &[i64]) -> String {
        self.op_with("Constant", &[], &[("value_ints", Given::Ints(values))])
    }

    /// An integer.
    pub fn int(&mut self, value: i64) -> String {
        self.op_with("Constant", &[], &[("value_int", Given::Int(value))])
    }

    /// A number in the type of `like`; as a double it is what float32 makes of it.
    pub fn number(&mut self, value: f32, like: &str) -> String {
        let ty = AttributeType::FLOAT.into();
        let a = AttributeProto { name: "value_float".into(), f: value, type_: ty, ..AttributeProto::default() };
        let constant = self.node("Constant", &[], vec![a]);
        self.op("CastLike", &[&constant, like])
    }

    /// A range of an axis.
    pub fn slice(&mut self, x: &str, axis: i64, range: std::ops::Range<i64>, step: i64) -> String {
        let [start, end, axis, step] = [range.start, range.end, axis, step].map(|i| self.ints(&[i]));
        self.op("Slice", &[x, &start, &end, &axis, &step])
    }

    /// With axes of extent 1 put in.
    pub fn unsqueeze(&mut self, x: &str, axes: &[i64]) -> String {
        let axes = self.ints(axes);
        self.op("Unsqueeze", &[x, &axes])
    }

    /// Of another shape.
    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape);
        self.op("Reshape", &[x, &shape])
    }

    /// With other axes in their places.
    pub fn transpose(&mut self, x: &str, perm: &[i64]) -> String {
        self.op_with("Transpose", &[x], &[("perm", Given::Ints(perm))])
    }

    /// Side by side.
    pub fn concat(&mut self, parts: &[&str], axis: i64) -> String {
        self.op_with("Concat", parts, &[("axis", Given::Int(axis))])
    }
}

impl<'m> Node<'_, 'm> {
    /// Lifts a body in the place of this node: the values of those of its names, from these inputs.
    pub fn written_out(&mut self, mut body: Body, inputs: Vec<Option<Value>>, outputs: &[String]) -> Res<Vec<Value>> {
        body.graph.output = outputs.iter().cloned().map(named).collect();
        self.spend(64 * body.graph.node.len() as u64)?;
        let graph = self.lift.keep(body.graph);
        let path = self.lift.place(self.index, self.proto);
        let values = self.lift.expand(graph, Expansion { path, inputs, opsets: Some(versions::newest()) });
        values.ok_or_else(|| self.reported())
    }

    /// Lifts a graph that is an attribute of this node, from these inputs.
    pub fn inner(&mut self, graph: &'m GraphProto, name: &str, inputs: Vec<Option<Value>>) -> Res<Vec<Value>> {
        let path = format!("{}.{name}", self.lift.place(self.index, self.proto));
        let values = self.lift.expand(graph, Expansion { path, inputs, opsets: None });
        values.ok_or_else(|| self.reported())
    }

    fn reported(&self) -> flock_ir_spec::Diagnostic {
        self.fault(REPORTED, "")
    }
}
