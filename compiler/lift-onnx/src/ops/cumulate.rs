//! `CumSum`, `CumProd`: along one axis, which is not the rows'; each element up to and with its own, or without it.
//! Source: ai.onnx CumSum-11, -14, CumProd-26.

use flock_ir_spec::{NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

const fn cumulative(op: &'static str, versions: &'static [i64], lift: Lift) -> Lifter {
    Lifter { attributes: &[("exclusive", Form::Int), ("reverse", Form::Int)], ..Lifter::main(op, versions, 2..=2, lift) }
}

pub static LIFTERS: &[Lifter] = &[
    cumulative("CumSum", &[11, 14], |n| lift(n, Op::Add, 0.0)),
    cumulative("CumProd", &[26], |n| lift(n, Op::Mul, 1.0)),
];

fn lift(node: &mut Node<'_, '_>, op: Op, none: f64) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let [axis] = node.ints(1)?[..] else { return Err(node.bad_shape("one axis is expected")) };
    let groups = node.groups(&x.shape, &[axis])?;
    let none = node.number(x.elem, none)?;
    let value = node.within_groups(&x, &groups, |node, group| running(node, group, op, none, x.elem))?;
    node.give(x.elem, x.shape, value)
}

fn running(node: &mut Node<'_, '_>, group: NodeId, op: Op, none: NodeId, elem: Elem) -> Res<NodeId> {
    let (exclusive, reverse) = (node.attributes().flag("exclusive"), node.attributes().flag("reverse"));
    let n = node.width(group);
    let mut parts = Vec::new();
    let mut before: Option<NodeId> = None;
    for i in 0..n {
        let own = node.column(group, if reverse { n - 1 - i } else { i })?;
        let with_own = match before {
            None => own,
            Some(before) => {
                let value = node.op(op, &[before, own])?;
                node.fitted(value, elem)?
            }
        };
        parts.push(if exclusive { before.unwrap_or(none) } else { with_own });
        before = Some(with_own);
    }
    if reverse {
        parts.reverse();
    }
    node.concat(&parts)
}
