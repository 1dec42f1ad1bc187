//! `MLPClassifier`, `MLPRegressor`: layers of linear maps, an activation after each.
//!
//! | `coefs_`, `intercepts_` | per layer [inputs, outputs], [outputs] f64 |
//! | `activation` | after the hidden layers: `identity`, `logistic`, `tanh`, `relu` |
//! | `out_activation_` | after the last: `identity`, `exp`; `logistic` of one class or label, `softmax` of several |
//! | `_label_binarizer` | of a classifier: `classes_`: labels; `y_type_`: whether each output is a label of its own |
//!
//! NaN and infinities are refused. Source: scikit-learn `neural_network/_multilayer_perceptron.py`, `_base.py`;
//! `LabelBinarizer.inverse_transform`.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::estimators::per_column;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

const IGNORES: &[&str] = &[
    "alpha", "batch_size", "beta_1", "beta_2", "early_stopping", "epsilon", "hidden_layer_sizes", "learning_rate",
    "learning_rate_init", "loss", "max_fun", "max_iter", "momentum", "n_iter_no_change", "nesterovs_momentum",
    "power_t", "random_state", "shuffle", "solver", "tol", "validation_fraction", "verbose", "warm_start",
    "_best_coefs", "_best_intercepts", "_coef_indptr", "_intercept_indptr", "_no_improvement_count", "_optimizer", "_random_state", "best_loss_",
    "best_validation_score_", "classes_", "loss_", "loss_curve_", "n_iter_", "n_layers_", "n_outputs_", "t_",
    "validation_scores_",
];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.neural_network.MLPClassifier",
        reads: &["coefs_", "intercepts_", "activation", "out_activation_", "_label_binarizer"],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.neural_network.MLPRegressor",
        reads: &["coefs_", "intercepts_", "activation", "out_activation_"],
        ignores: IGNORES,
        lift: regressor,
    },
];

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    Ok(Lifted::Prediction(Prediction::Numbers(forward(cx, view, &input)?)))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let binarizer = view.attr("_label_binarizer")?;
    let y = forward(cx, view, &input)?;
    if binarizer.attr("y_type_")?.text()?.starts_with("multilabel") {
        let targets = (0..cx.width(y)).map(|t| {
            let y = cx.pick(y, &[t])?;
            two_classes(cx, Labels::no_and_yes(), y)
        });
        return Ok(Lifted::Prediction(Prediction::Classes(targets.collect::<Result<_, _>>()?)));
    }
    let labels = Labels::of(&binarizer.attr("classes_")?)?;
    let classes = match (cx.width(y), labels.len()) {
        (1, 1 | 2) => two_classes(cx, labels, y)?,
        (outputs, classes) if outputs == classes => {
            let label = cx.label_of_greatest(&labels, y)?;
            Classes::new(labels, label).with_probabilities(y)
        }
        (outputs, classes) => return Err(view.expected(&format!("{classes} outputs, not {outputs},"))),
    };
    Ok(Lifted::Prediction(classes.alone()))
}

/// The second class above one half. Of one class alone the library gives its label, and the other's share as well.
fn two_classes(cx: &mut Lift, labels: Labels, y: NodeId) -> Result<Classes, Diagnostic> {
    let both = cx.both_probabilities(y)?;
    if labels.len() == 1 {
        let (label, first) = (cx.b.constant(labels.row(0)), cx.pick(both, &[0])?);
        return Ok(Classes::new(labels, label).with_probabilities(first));
    }
    let half = cx.b.constant(flock_ir_spec::Frame::row_f64([0.5]));
    let above = cx.op(Op::Gt, &[y, half])?;
    let label = cx.label_if(&labels, above)?;
    Ok(Classes::new(labels, label).with_probabilities(both))
}

fn forward(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<NodeId, Diagnostic> {
    let coefs = view.attr("coefs_")?.items()?;
    let intercepts = per_column(&view.attr("intercepts_")?, coefs.len())?;
    let mut x = linear::finite(cx, view, input)?;
    for (i, (coef, intercept)) in coefs.iter().zip(&intercepts).enumerate() {
        let weights = coef.matrix()?;
        if weights.rows != cx.width(x) {
            return Err(coef.expected(&format!("a row for each of {} inputs", cx.width(x))));
        }
        let bias = intercept.f64s_of(weights.columns)?;
        x = linear::map(cx, x, weights.transposed(), bias)?;
        let last = i + 1 == coefs.len();
        x = activate(cx, &view.attr(if last { "out_activation_" } else { "activation" })?, x)?;
    }
    Ok(x)
}

fn activate(cx: &mut Lift, name: &View<'_>, x: NodeId) -> Result<NodeId, Diagnostic> {
    match name.str() {
        Some("identity") => Ok(x),
        Some("exp") => cx.op(Op::Exp, &[x]),
        Some("tanh") => cx.op(Op::Tanh, &[x]),
        Some("logistic") => cx.op(Op::Logistic, &[x]),
        Some("relu") => cx.op(Op::Composite(Composite::RELU), &[x]),
        Some("softmax") => cx.op(Op::Softmax, &[x]),
        _ => Err(name.unsupported("an activation that is not known")),
    }
}
