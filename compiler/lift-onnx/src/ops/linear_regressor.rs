//! `LinearRegressor`: a linear map in float32, a column per target.
//!
//! Intercepts count where there is one per target. onnxruntime transforms the values of several targets and leaves a
//! single one as it is; so does this.
//! Source: ai.onnx.ml LinearRegressor-1; onnxruntime `ml/linearregressor.cc`.

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::scores::PostTransform;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml(
    "LinearRegressor",
    &[1],
    &[
        ("coefficients", Form::Floats),
        ("intercepts", Form::Floats),
        ("targets", Form::Int),
        ("post_transform", Form::Text),
    ],
    lift,
)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let targets = node.attributes().int("targets").unwrap_or(1);
    let transform = node.post_transform()?;
    let count = node.attributes().floats("coefficients").len();
    let targets = usize::try_from(targets).ok().filter(|t| (1..=count).contains(t));
    let targets = targets.ok_or_else(|| node.bad_attribute(format!("targets that {count} coefficients do not fill")))?;
    let rows = node.features(0)?.0.shape.0[0];
    let given = node.attributes().floats("intercepts");
    let zeros = vec![0.0; targets];
    let values = node.linear_scores(targets, if given.len() == targets { given } else { &zeros })?;
    let values = if targets == 1 && transform != PostTransform::Probit { values } else { node.transformed(values, transform)? };
    node.give(Elem::F32, Shape(vec![rows, Dim::Fixed(targets as u64)]), values)
}
