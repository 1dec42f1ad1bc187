//! `If`: one of two graphs. A known condition chooses now; a condition per call computes both and chooses per row.
//! Source: ai.onnx If-1 … -25.

use std::collections::HashSet;

use flock_ir_spec::Op;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("then_branch", Form::Graph), ("else_branch", Form::Graph)],
    outputs: 1..=usize::MAX,
    ..Lifter::main("If", &[1, 11, 13, 16, 19, 21, 23, 24, 25], 1..=1, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let condition = node.tensor(0)?;
    if condition.elem != Elem::Bool || condition.shape.width() != Some(1) {
        return Err(node.bad_shape(format!("a condition {} {}", condition.elem.name(), condition.shape)));
    }
    if condition.shape.rows_axis().is_some() {
        return Err(node.mixes_rows("one condition per row"));
    }
    if let Ok(literal) = node.literal(0) {
        let holds = literal.frame.get_flat(0) == flock_ir_spec::Scalar::Bool(true);
        return branch(node, if holds { "then_branch" } else { "else_branch" });
    }
    let (yes, no) = (branch(node, "then_branch")?, branch(node, "else_branch")?);
    if yes.len() != no.len() {
        return Err(node.bad_shape(format!("{} and {} outputs of the branches", yes.len(), no.len())));
    }
    yes.into_iter().zip(no).map(|(a, b)| chosen(node, &condition, a, b)).collect()
}

fn branch(node: &mut Node<'_, '_>, name: &str) -> Res<Vec<Value>> {
    let graph = node.attributes().graph(name).ok_or_else(|| node.bad_attribute(format!("no {name}")))?;
    if graph.output.iter().map(|o| &o.name).collect::<HashSet<_>>().len() != graph.output.len() {
        return Err(node.bad_attribute(format!("{name} gives a name twice")));
    }
    node.inner(graph, name, Vec::new())
}

fn chosen(node: &mut Node<'_, '_>, condition: &Tensor, yes: Value, no: Value) -> Res<Value> {
    let (yes, no) = (node.value_tensor(&yes)?, node.value_tensor(&no)?);
    if yes.elem != no.elem || yes.shape != no.shape {
        let found = format!("{} {} or {} {}", yes.elem.name(), yes.shape, no.elem.name(), no.shape);
        return Err(node.unsupported(format!("branches of different shapes: {found}")));
    }
    let value = node.op(Op::Select, &[condition.node, yes.node, no.node])?;
    node.gives(yes.elem, yes.shape, value).map(Value::from)
}
