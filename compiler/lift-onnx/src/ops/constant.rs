//! `Constant`, `ConstantOfShape`: known values.
//! Source: ai.onnx Constant-9 … -25, ConstantOfShape-9 … -25.

use std::sync::Arc;

use flock_ir_spec::{Data, Frame, Scalar};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::extents;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[
            ("value", Form::Tensor),
            ("value_float", Form::Float),
            ("value_floats", Form::Floats),
            ("value_int", Form::Int),
            ("value_ints", Form::Ints),
            ("value_string", Form::Text),
            ("value_strings", Form::Texts),
        ],
        ..Lifter::main("Constant", &[9, 11, 12, 13, 19, 21, 23, 24, 25], 0..=0, constant)
    },
    Lifter {
        attributes: &[("value", Form::Tensor)],
        ..Lifter::main("ConstantOfShape", &[9, 20, 21, 23, 24, 25], 1..=1, of_shape)
    },
];

fn constant(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let [attribute] = node.proto.attribute.as_slice() else {
        return Err(node.bad_attribute("one value is expected"));
    };
    let a = node.attributes();
    let name = attribute.name.as_str();
    let (elem, data) = match name {
        "value" => {
            let literal = node.tensor_attribute(name)?.ok_or_else(|| node.bad_attribute("no value"))?;
            return Ok(vec![literal.into()]);
        }
        "value_float" => (Elem::F32, Data::F32(a.float(name).into_iter().collect())),
        "value_int" => (Elem::I64, Data::I64(a.int(name).into_iter().collect())),
        "value_string" => (Elem::Str, Data::Str(a.text(name).map(Arc::from).into_iter().collect())),
        "value_floats" => (Elem::F32, Data::F32(a.floats(name).to_vec())),
        "value_ints" => (Elem::I64, Data::I64(a.ints(name).to_vec())),
        _ => (Elem::Str, Data::Str(a.texts(name))),
    };
    let list = name.ends_with('s');
    let len = flock_ir_spec::with_data!(&data, v => v.len());
    let dims = if list { vec![len as u64] } else { Vec::new() };
    let literal = Literal::new(elem, dims, data).ok_or_else(|| node.bad_attribute("no value"))?;
    Ok(vec![literal.into()])
}

fn of_shape(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let shape = extents::shape(node, 0)?;
    let value = node.tensor_attribute("value")?;
    let value = value.unwrap_or(Literal { elem: Elem::F32, dims: vec![1], frame: Frame::row_f32([0.0]) });
    if value.len() != 1 {
        return Err(node.bad_attribute(format!("{} values where one is expected", value.len())));
    }
    if let Some(empty) = Literal::empty(value.elem, &shape) {
        return Ok(vec![empty.into()]);
    }
    let n = node.frame_width(&shape)?;
    node.spend(u64::from(n))?;
    let frame = repeated(&value.frame, n as usize);
    if shape.rows_axis().is_some() {
        let constant = node.constant(frame)?;
        return node.give(value.elem, shape, constant);
    }
    Ok(vec![Literal { elem: value.elem, dims: shape.row_dims(), frame }.into()])
}

fn repeated(one: &Frame, n: usize) -> Frame {
    let data = match one.get_flat(0) {
        Scalar::Bool(x) => Data::Bool(vec![x; n]),
        Scalar::I64(x) => Data::I64(vec![x; n]),
        Scalar::F32(x) => Data::F32(vec![x; n]),
        Scalar::F64(x) => Data::F64(vec![x; n]),
        Scalar::Str(x) => Data::Str(vec![x; n]),
        Scalar::Null => Data::I64(vec![0; n]),
    };
    Frame { rows: 1, width: n, data, valid: None }
}
