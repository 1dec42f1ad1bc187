//! `StringNormalizer` that leaves no words out, `StringConcat`, `RegexFullMatch`; `StringSplit`, which is refused.
//!
//! With words to leave out, how many are left depends on the data. Case is that of Unicode whatever the locale, which the
//! standard leaves to the platform. Source: ai.onnx StringNormalizer-10, StringConcat-20, RegexFullMatch-20.

use flock_ir_spec::{Frame, Op};
use flock_text::{Flavour, Pattern};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("case_change_action", Form::Text), ("is_case_sensitive", Form::Int), ("stopwords", Form::Texts)],
        ignores: &["locale"],
        ..Lifter::main("StringNormalizer", &[10], 1..=1, normalize)
    },
    Lifter {
        attributes: &[("count", Form::Int), ("delimiter", Form::Text), ("maxsplit", Form::Int)],
        outputs: 2..=2,
        ..Lifter::main("StringSplit", &[20], 1..=1, split)
    },
    Lifter::main("StringConcat", &[20], 2..=2, concat),
    Lifter { attributes: &[("pattern", Form::Text)], ..Lifter::main("RegexFullMatch", &[20], 1..=1, full_match) },
];

fn texts(node: &mut Node<'_, '_>) -> Res<Tensor> {
    let x = node.tensor(0)?;
    if x.elem == Elem::Str { Ok(x) } else { Err(node.wrong_type(0, x.elem, "string")) }
}

fn normalize(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = texts(node)?;
    if !node.attributes().texts("stopwords").is_empty() {
        return Err(node.unsupported("words to leave out: how many are left depends on the data"));
    }
    let changed = match node.attributes().text("case_change_action").unwrap_or("NONE") {
        "NONE" => return Ok(vec![x.into()]),
        "LOWER" => node.op(Op::Lower, &[x.node])?,
        "UPPER" => node.op(Op::Upper, &[x.node])?,
        other => return Err(node.bad_attribute(format!("case_change_action `{other}` is unknown"))),
    };
    node.give(Elem::Str, x.shape, changed)
}

fn concat(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if elem != Elem::Str {
        return Err(node.wrong_type(0, elem, "string"));
    }
    let (shape, nodes) = node.broadcast(&tensors)?;
    let result = node.op(Op::Append, &nodes)?;
    let width = node.frame_width(&shape)?;
    let result = node.widened(result, width)?;
    node.give(Elem::Str, shape, result)
}

fn split(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    Err(node.unsupported("how many parts a text has depends on the data"))
}

fn full_match(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = texts(node)?;
    let pattern = node.attributes().text("pattern").ok_or_else(|| node.bad_attribute("no pattern"))?.to_owned();
    if let Err(why) = Pattern::new(&pattern, Flavour::Re2) {
        return Err(node.unsupported(format!("the pattern {pattern:?}: {why}")));
    }
    let pattern = node.constant(Frame::row_str([pattern]))?;
    let result = node.op(Op::Matches, &[x.node, pattern])?;
    node.give(Elem::Bool, x.shape, result)
}
