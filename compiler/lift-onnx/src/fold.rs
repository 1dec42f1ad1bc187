//! Nodes that read known values only are evaluated here, by the reference evaluator, and become known values.

use std::sync::Arc;

use flock_ir_spec::{FunctionBuilder, eval};

use crate::Res;
use crate::broadcast;
use crate::elem::Elem;
use crate::extents;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::{Tensor, Value};
use crate::versions;

/// Lifts a node; where all of its inputs are known, its outputs are as well.
pub fn run(mut node: Node<'_, '_>) -> Res<Vec<Value>> {
    let known = node.inputs.iter().flatten().all(|v| matches!(v, Value::Literal(_)));
    // The graphs of an `If` read names of the function under construction.
    let alone = node.proto.attribute.iter().all(|a| a.g.is_none());
    if let Some(none) = nothing(&node) {
        return Ok(vec![none.into()]);
    }
    if known && alone && !node.inputs.is_empty() {
        return folded(node);
    }
    if node.inputs.iter().flatten().any(|v| matches!(v, Value::Extents(_)))
        && let Some(values) = extents::lift(&node)?
    {
        return Ok(values);
    }
    let step = if node.proto.name.is_empty() { node.proto.op_type.clone() } else { node.proto.name.clone() };
    let before = node.lift.b.set_step(Some(&step));
    let values = (node.lifter.lift)(&mut node);
    node.lift.b.set_step(before.as_deref());
    values
}

/// Operators beside `Cast` that work element by element, and keep the type.
const ELEMENTWISE: [&str; 11] = ["Abs", "Add", "Div", "Exp", "Log", "Mul", "Neg", "Relu", "Sigmoid", "Sqrt", "Sub"];

/// What an operator makes of no elements: none.
fn nothing(node: &Node<'_, '_>) -> Option<Literal> {
    let shape = |v: &Option<Value>| match v {
        Some(Value::Literal(l)) => Some((l.elem, l.shape(), l.len() == 0)),
        Some(Value::Tensor(t)) => Some((t.elem, t.shape.clone(), false)),
        _ => None,
    };
    let op = node.proto.op_type.as_str();
    if !(op == "Cast" || ELEMENTWISE.contains(&op)) || !versions::domain(&node.proto.domain).is_empty() {
        return None;
    }
    let inputs = node.inputs.iter().map(shape).collect::<Option<Vec<_>>>()?;
    let (elem, ..) = inputs.iter().find(|(.., empty)| *empty)?;
    let common = broadcast::common(&inputs.iter().map(|(_, shape, _)| shape).collect::<Vec<_>>()).ok()?;
    let to = if op == "Cast" { node.attributes().int("to").and_then(Elem::of)? } else { *elem };
    Literal::empty(to, &common)
}

fn folded(node: Node<'_, '_>) -> Res<Vec<Value>> {
    let Node { lift, proto, index, lifter, opset, inputs } = node;
    let place = lift.place(index, proto);
    let (values, builder) =
        lift.aside(|lift| (lifter.lift)(&mut Node { lift, proto, index, lifter, opset, inputs }))?;
    let tensors: Vec<&Tensor> =
        values.iter().filter_map(|v| if let Value::Tensor(t) = v { Some(t) } else { None }).collect();
    if tensors.is_empty() {
        return Ok(values);
    }
    let cost: u64 = tensors.iter().filter_map(|t| t.shape.width()).sum();
    let fault = |message: String| flock_ir_spec::Diagnostic::new("flock::lift::constant", place.clone(), message);
    lift.spend(cost).map_err(fault)?;
    let mut literals = evaluate(builder, &tensors).map_err(fault)?.into_iter();
    Ok(values
        .into_iter()
        .map(|v| match v {
            Value::Tensor(_) => literals.next().map_or(v, |l| Value::Literal(Arc::new(l))),
            other => other,
        })
        .collect())
}

fn evaluate(mut builder: FunctionBuilder, tensors: &[&Tensor]) -> Result<Vec<Literal>, String> {
    let name = |i: usize| format!("y{i}");
    for (i, t) in tensors.iter().enumerate() {
        builder.output(&name(i), t.node);
    }
    let all = |faults: Vec<flock_ir_spec::Diagnostic>| {
        faults.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; ")
    };
    let module = builder.finish().map_err(all)?;
    let function = module.functions.first().ok_or("no function")?;
    let frames = eval::call(&module, function, 1, &[]).map_err(|d| d.message)?;
    let literal = |(t, frame): (&&Tensor, flock_ir_spec::Frame)| {
        if (0..frame.len()).any(|i| frame.is_null_flat(i)) {
            return Err(format!("a constant {} {} that has no value", t.elem.name(), t.shape));
        }
        Literal::new(t.elem, t.shape.row_dims(), frame.data).ok_or_else(|| "a constant of another extent".to_owned())
    };
    tensors.iter().zip(frames).map(literal).collect()
}
