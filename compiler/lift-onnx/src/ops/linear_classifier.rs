//! `LinearClassifier`: a score per class, the label of the greatest (the first of equals), the scores transformed.
//!
//! All in float32. With one row of coefficients the label is the second one's where the score is above 0, and the scores
//! become two columns (see [`crate::scores`]). `multi_class` changes nothing.
//! Source: ai.onnx.ml LinearClassifier-1; onnxruntime `ml/linearclassifier.cc`.

use std::sync::Arc;

use flock_ir_spec::{NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::labels::Labels;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    outputs: 2..=2,
    ignores: &["multi_class"],
    ..Lifter::ml(
        "LinearClassifier",
        &[1],
        &[
            ("coefficients", Form::Floats),
            ("intercepts", Form::Floats),
            ("classlabels_ints", Form::Ints),
            ("classlabels_strings", Form::Texts),
            ("post_transform", Form::Text),
        ],
        lift,
    )
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let labels = Arc::new(node.labels("classlabels_ints", "classlabels_strings")?);
    let transform = node.post_transform()?;
    let intercepts = node.attributes().floats("intercepts");
    let scored = intercepts.len();
    if scored == 0 || (scored != labels.len() && (scored, labels.len()) != (1, 2)) {
        return Err(node.bad_attribute(format!("{scored} intercepts for {} classes", labels.len())));
    }
    let rows = node.features(0)?.0.shape.0[0];
    let scores = node.linear_scores(scored, intercepts)?;
    let (label, scores) = match scored {
        1 => {
            let zero = node.number(Elem::F32, 0.0)?;
            let positive = node.op(Op::Gt, &[scores, zero])?;
            (node.one_of_two(positive, &labels)?, node.two_classes(scores, transform, true)?)
        }
        _ => (greatest(node, scores, &labels)?, node.transformed(scores, transform)?),
    };
    let k = labels.len() as u64;
    let elem = node.label_elem(&labels);
    node.lift.labels.push(labels);
    let label = node.gives(elem, Shape(vec![rows]), label)?;
    let scores = node.gives(Elem::F32, Shape(vec![rows, Dim::Fixed(k)]), scores)?;
    Ok(vec![label.into(), scores.into()])
}

fn greatest(node: &mut Node<'_, '_>, scores: NodeId, labels: &Labels) -> Res<NodeId> {
    if labels.len() == 2 {
        let (first, second) = (node.column(scores, 0)?, node.column(scores, 1)?);
        let positive = node.op(Op::Gt, &[second, first])?;
        return node.one_of_two(positive, labels);
    }
    let index = node.index_of_greatest(scores, Elem::F32)?;
    node.look_up(index, labels.table())
}
