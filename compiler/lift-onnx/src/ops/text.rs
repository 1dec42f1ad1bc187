//! `StringNormalizer` that changes nothing. With words to leave out, how many are left depends on the data.
//! Source: ai.onnx StringNormalizer-10.

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("case_change_action", Form::Text), ("is_case_sensitive", Form::Int), ("stopwords", Form::Texts)],
    ignores: &["locale"],
    ..Lifter::main("StringNormalizer", &[10], 1..=1, normalize)
}];

fn normalize(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    if x.elem != Elem::Str {
        return Err(node.wrong_type(0, x.elem, "string"));
    }
    if !node.attributes().texts("stopwords").is_empty() {
        return Err(node.unsupported("words to leave out: how many are left depends on the data"));
    }
    match node.attributes().text("case_change_action").unwrap_or("NONE") {
        "NONE" => Ok(vec![x.into()]),
        other => Err(node.unsupported(format!("case_change_action `{other}`: no operator of the IR changes the case of text"))),
    }
}
