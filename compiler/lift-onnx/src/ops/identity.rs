//! `Identity`, and `Dropout`, which drops nothing at inference.
//! Source: ai.onnx Identity-1 … -25, Dropout-7 … -22.

use flock_ir_spec::{Data, Frame};

use super::Lifter;
use crate::Res;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("Identity", &[1, 13, 14, 16, 19, 21, 23, 24, 25], 1..=1, lift),
    Lifter {
        ignores: &["ratio", "seed"],
        outputs: 1..=2,
        ..Lifter::main("Dropout", &[7, 10, 12, 13, 22], 1..=3, dropout)
    },
];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    Ok(node.inputs.first().cloned().flatten().into_iter().collect())
}

fn dropout(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    if node.has(2) && !matches!(node.literal(2)?.frame.data, Data::Bool(ref v) if *v == [false]) {
        return Err(node.unsupported("a dropout in training mode"));
    }
    let mut values = lift(node)?;
    if node.proto.output.len() > 1 {
        // What is kept: everything.
        let x = node.tensor(0)?;
        let width = node.frame_width(&x.shape)?;
        let mask = node.constant(Frame::row_bool(vec![true; width as usize]))?;
        values.push(node.gives(Elem::Bool, x.shape, mask)?.into());
    }
    Ok(values)
}
