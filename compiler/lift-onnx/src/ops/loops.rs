//! `Loop`, `Scan`, `SequenceMap`: a graph of the node again and again, as often as is known without data.
//!
//! A turn is the graph once more, from what the one before gave. How often a loop turns, and whether it goes on, must be
//! known; a scan has as many turns as an axis of its inputs, which is not the rows', has indices.
//! Source: ai.onnx Loop-1 … -25, Scan-8 … -25, SequenceMap-17.

use flock_ir_spec::{Data, Scalar};
use onnx_protobuf::{GraphProto, type_proto};

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::body::{Body, Given, input};
use crate::elem::Elem;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::Value;

const BODY: Declared = ("body", Form::Graph);

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[BODY],
        outputs: 1..=usize::MAX,
        ..Lifter::main("Loop", &[1, 11, 13, 16, 19, 21, 23, 24, 25], 2..=usize::MAX, turned)
    },
    Lifter {
        attributes: &[
            BODY,
            ("num_scan_inputs", Form::Int),
            ("directions", Form::Ints),
            ("scan_input_axes", Form::Ints),
            ("scan_input_directions", Form::Ints),
            ("scan_output_axes", Form::Ints),
            ("scan_output_directions", Form::Ints),
        ],
        outputs: 1..=usize::MAX,
        ..Lifter::main("Scan", &[8, 9, 11, 16, 19, 21, 23, 24, 25], 1..=usize::MAX, scan)
    },
    Lifter {
        attributes: &[BODY],
        outputs: 1..=usize::MAX,
        ..Lifter::main("SequenceMap", &[17], 1..=usize::MAX, mapped)
    },
];

/// Turns of a loop.
const MAX_TURNS: i64 = 1 << 16;

/// A known scalar.
fn scalar(elem: Elem, data: Data) -> Option<Value> {
    Literal::new(elem, Vec::new(), data).map(Value::from)
}

impl<'m> Node<'_, 'm> {
    fn body_graph(&self) -> Res<&'m GraphProto> {
        self.attributes().graph("body").ok_or_else(|| self.bad_attribute("no body"))
    }

    /// The graph of the node once more.
    fn turn(&mut self, graph: &'m GraphProto, inputs: Vec<Option<Value>>, outputs: usize) -> Res<Vec<Value>> {
        if graph.input.len() != inputs.len() || graph.output.len() != outputs {
            let found = format!("{} inputs and {} outputs", graph.input.len(), graph.output.len());
            return Err(self.bad_attribute(format!("a body of {found}, expected {} and {outputs}", inputs.len())));
        }
        self.spend(64 * (1 + graph.node.len() as u64))?;
        self.inner(graph, "body", inputs)
    }

    /// Tensors of one shape, one behind the other along an axis of their own.
    pub fn stacked(&mut self, parts: Vec<Value>, axis: i64) -> Res<Value> {
        let mut body = Body::new(parts.len());
        let apart: Vec<String> = (0..parts.len()).map(|i| body.unsqueeze(&input(i), &[axis])).collect();
        let all = body.concat(&apart.iter().map(String::as_str).collect::<Vec<_>>(), axis);
        self.one_written_out(body, parts.into_iter().map(Some).collect(), all)
    }

    /// The slice of a tensor at an index of an axis.
    fn at(&mut self, value: &Value, index: u64, axis: i64) -> Res<Value> {
        let mut body = Body::new(1);
        let index = body.int(index as i64);
        let slice = body.op_with("Gather", &["x0", &index], &[("axis", Given::Int(axis))]);
        self.one_written_out(body, vec![Some(value.clone())], slice)
    }

    /// The one value of a body.
    pub fn one_written_out(&mut self, body: Body, inputs: Vec<Option<Value>>, output: String) -> Res<Value> {
        let values = self.written_out(body, inputs, &[output])?;
        values.into_iter().next().ok_or_else(|| self.bad_shape("nothing"))
    }

    /// The extent of an axis of a tensor.
    fn length(&self, value: &Value, axis: i64) -> Res<u64> {
        let shape = match value {
            Value::Tensor(t) => t.shape.clone(),
            Value::Literal(l) => l.shape(),
            other => return Err(self.fault("flock::lift::type", format!("{}, expected a tensor", other.describe()))),
        };
        let axis = self.axis_of(&shape, axis)?;
        self.extent(&shape, axis)
    }

    /// What an output of a graph of no turns says of its elements, none of which there are.
    fn none_of(&self, graph: &GraphProto, output: usize) -> Res<Value> {
        let ty = graph.output.get(output).and_then(|o| o.type_.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = ty else {
            return Err(self.unsupported("no turns, of which nothing says what they would give"));
        };
        let elem = Elem::of(i64::from(tensor.elem_type)).ok_or_else(|| self.unsupported("elements of no known type"))?;
        let data = crate::node::zero(elem.dtype()).gather(&[]).data;
        let rest = vec![1; tensor.shape.dim.len()];
        let literal = Literal::new(elem, [vec![0], rest].concat(), data);
        literal.map(Value::from).ok_or_else(|| self.bad_shape("no turns"))
    }
}

/// A known truth value.
fn truth(node: &Node<'_, '_>, value: &Value) -> Res<bool> {
    match value {
        Value::Literal(l) if l.len() == 1 => Ok(l.frame.get_flat(0) == Scalar::Bool(true)),
        _ => Err(node.unsupported("a loop that goes on as long as the data says")),
    }
}

fn turned(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let graph = node.body_graph()?;
    let turns = match node.inputs.first() {
        Some(Some(Value::Literal(_))) => node.ints(0)?.first().copied(),
        Some(Some(_)) => return Err(node.unsupported("a loop that turns as often as the data says")),
        _ => None,
    };
    let mut goes_on = node.inputs.get(1).and_then(Option::as_ref).map_or(Ok(true), |c| truth(node, c))?;
    let mut carried: Vec<Option<Value>> = node.inputs[2..].to_vec();
    let kept = graph.output.len().checked_sub(1 + carried.len());
    let kept = kept.ok_or_else(|| node.bad_attribute("a body of too few outputs"))?;
    let mut stacks: Vec<Vec<Value>> = vec![Vec::new(); kept];
    let mut i = 0;
    while goes_on && turns.is_none_or(|n| i < n) {
        if i >= MAX_TURNS {
            return Err(node.fault("flock::lift::too_large", format!("a loop of more than {MAX_TURNS} turns")));
        }
        let known = [scalar(Elem::I64, Data::I64(vec![i])), scalar(Elem::Bool, Data::Bool(vec![true]))];
        let inputs = known.into_iter().chain(carried.iter().cloned()).collect();
        let mut values = node.turn(graph, inputs, 1 + carried.len() + kept)?.into_iter();
        goes_on = values.next().map_or(Ok(false), |c| truth(node, &c))?;
        carried = values.by_ref().take(carried.len()).map(Some).collect();
        stacks.iter_mut().zip(values).for_each(|(stack, value)| stack.push(value));
        i += 1;
    }
    let first = 1 + carried.len();
    let mut outputs: Vec<Value> = carried.into_iter().flatten().collect();
    for (o, stack) in stacks.into_iter().enumerate() {
        outputs.push(if stack.is_empty() { node.none_of(graph, first + o)? } else { node.stacked(stack, 0)? });
    }
    Ok(outputs)
}

/// A scan of one element of a batch: its states, then what it gives along the axis.
struct Scan<'m> {
    graph: &'m GraphProto,
    axes: Vec<i64>,
    backwards: Vec<bool>,
    output_axes: Vec<i64>,
    output_backwards: Vec<bool>,
}

fn scan(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let graph = node.body_graph()?;
    let old = node.version() < 9;
    let a = node.attributes();
    let inputs: Vec<Value> = node.inputs.iter().skip(usize::from(old)).flatten().cloned().collect();
    let runs = a.int("num_scan_inputs").and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=inputs.len()).contains(n));
    let runs = runs.ok_or_else(|| node.bad_attribute("no number of inputs to run along"))?;
    let states = inputs.len() - runs;
    let results = graph.output.len().checked_sub(states).ok_or_else(|| node.bad_attribute("a body without states"))?;
    let axes = |name: &str, n: usize| {
        let given = a.ints(name);
        (0..n).map(|i| given.get(i).copied().unwrap_or(0)).collect::<Vec<_>>()
    };
    let flags = |name: &str, n: usize| axes(name, n).into_iter().map(|d| d == 1).collect::<Vec<_>>();
    let scan = Scan {
        graph,
        axes: axes("scan_input_axes", runs),
        backwards: flags(if old { "directions" } else { "scan_input_directions" }, runs),
        output_axes: axes("scan_output_axes", results),
        output_backwards: flags("scan_output_directions", results),
    };
    if !old {
        return scan.run(node, &inputs, states);
    }
    if node.has(0) {
        return Err(node.unsupported("lengths of their own in a batch"));
    }
    // The first version has a batch, of which each element is scanned by itself.
    let batch = node.length(&inputs[states], 0)?;
    let mut stacks: Vec<Vec<Value>> = vec![Vec::new(); graph.output.len()];
    for b in 0..batch {
        let own = inputs.iter().map(|x| node.at(x, b, 0)).collect::<Res<Vec<_>>>()?;
        let values = scan.run(node, &own, states)?;
        stacks.iter_mut().zip(values).for_each(|(stack, value)| stack.push(value));
    }
    stacks.into_iter().map(|stack| node.stacked(stack, 0)).collect()
}

impl<'m> Scan<'m> {
    fn run(&self, node: &mut Node<'_, 'm>, inputs: &[Value], states: usize) -> Res<Vec<Value>> {
        let (first, runs) = inputs.split_at(states);
        let mut carried = first.to_vec();
        let lengths = runs.iter().zip(&self.axes).map(|(x, a)| node.length(x, *a)).collect::<Res<Vec<_>>>()?;
        let turns = lengths.first().copied().filter(|n| (1..=MAX_TURNS as u64).contains(n));
        let turns = turns.filter(|n| lengths.iter().all(|l| l == n));
        let turns = turns.ok_or_else(|| node.bad_shape(format!("axes of {lengths:?} to run along")))?;
        let mut stacks: Vec<Vec<Value>> = vec![Vec::new(); self.output_axes.len()];
        for turn in 0..turns {
            let mut own: Vec<Option<Value>> = carried.iter().cloned().map(Some).collect();
            for (i, x) in runs.iter().enumerate() {
                let place = if self.backwards[i] { turns - 1 - turn } else { turn };
                own.push(Some(node.at(x, place, self.axes[i])?));
            }
            let mut values = node.turn(self.graph, own, states + stacks.len())?.into_iter();
            carried = values.by_ref().take(states).collect();
            stacks.iter_mut().zip(values).for_each(|(stack, value)| stack.push(value));
        }
        for (i, mut stack) in stacks.into_iter().enumerate() {
            if self.output_backwards[i] {
                stack.reverse();
            }
            carried.push(node.stacked(stack, self.output_axes[i])?);
        }
        Ok(carried)
    }
}

/// The graph for each element of lists of the same length; tensors are the same for all.
fn mapped(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let graph = node.body_graph()?;
    let inputs = node.inputs.clone();
    let Some(Some(Value::Sequence(first))) = inputs.first() else {
        return Err(node.fault("flock::lift::type", "input 0 is no sequence"));
    };
    let mut lists: Vec<Vec<Value>> = vec![Vec::new(); graph.output.len()];
    for i in 0..first.len() {
        let own = inputs.iter().map(|x| match x {
            Some(Value::Sequence(s)) => s.get(i).cloned(),
            other => other.clone(),
        });
        let own = own.collect();
        let values = node.turn(graph, own, graph.output.len())?;
        lists.iter_mut().zip(values).for_each(|(list, value)| list.push(value));
    }
    Ok(lists.into_iter().map(Value::from).collect())
}
