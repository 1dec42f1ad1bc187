//! `Cast`: to another element type.
//!
//! A float becomes the integer towards zero; a row in which there is none is refused, as is one in which int32 does not
//! hold the integer (onnxruntime leaves both to the processor). A bool becomes the text `1` or `0`. Floats to text and text
//! to numbers are not expressible.
//! Source: ai.onnx Cast-9 … -28; onnxruntime `tensor/cast_op.cc`.

use flock_ir_spec::{Frame, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::{Elem, name_of};
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("to", Form::Int)],
    // Both are about 8-bit floats.
    ignores: &["saturate", "round_mode"],
    ..Lifter::main("Cast", &[9, 13, 19, 21, 23, 24, 25, 28], 1..=1, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let to = node.attributes().int("to").ok_or_else(|| node.bad_attribute("no type to cast to"))?;
    let to = Elem::of(to).ok_or_else(|| node.unsupported(format!("a cast to {}", name_of(to))))?;
    let x = node.tensor(0)?;
    let value = match (x.elem, to) {
        (from, to) if from == to => x.node,
        (Elem::Str, _) | (Elem::F32 | Elem::F64, Elem::Str) => {
            return Err(node.unsupported(format!("a cast from {} to {}", x.elem.name(), to.name())));
        }
        (Elem::Bool, Elem::Str) => {
            let (yes, no) = (node.constant(Frame::row_str(["1"]))?, node.constant(Frame::row_str(["0"]))?);
            node.op(Op::Select, &[x.node, yes, no])?
        }
        _ => node.cast(x.node, to.dtype())?,
    };
    if to == Elem::I32 && x.elem != Elem::I32 && x.elem != Elem::Bool {
        let refused = node.lift.refuse_beyond_i32(value);
        refused.map_err(|e| node.fault("flock::lift::type", e.to_string()))?;
    }
    node.give(to, x.shape, value)
}
