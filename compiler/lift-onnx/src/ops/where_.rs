//! `Where`: one tensor where the condition holds, another elsewhere.
//! Source: ai.onnx Where-9, -16.

use flock_ir_spec::Op;

use super::Lifter;
use crate::Res;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::main("Where", &[9, 16], 3..=3, lift)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let tensors = node.tensors()?;
    if tensors[0].elem != Elem::Bool {
        return Err(node.wrong_type(0, tensors[0].elem, "bool"));
    }
    let elem = tensors[1].elem;
    if tensors[2].elem != elem {
        return Err(node.wrong_type(2, tensors[2].elem, elem.name()));
    }
    let (shape, nodes) = node.broadcast(&tensors)?;
    let chosen = node.op(Op::Select, &nodes)?;
    let width = node.frame_width(&shape)?;
    let chosen = node.widened(chosen, width)?;
    node.give(elem, shape, chosen)
}
