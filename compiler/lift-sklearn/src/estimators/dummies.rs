//! `DummyClassifier`, `DummyRegressor`: the same answer on every row.
//!
//! | `strategy`, `constant` | the class of the greatest prior, or a given one; probabilities by strategy |
//! | `classes_`, `class_prior_`, `n_outputs_` | labels and priors, a list of them for several targets |
//! | `constant_` | the regressor's answer, [1, targets] |
//!
//! No row is refused, unless a step before refuses it: nothing is read. The strategies `stratified` and the label of `uniform` are drawn at random, anew
//! with each call, and refused. Source: scikit-learn `dummy.py`.

use flock_ir_spec::{Diagnostic, Frame};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.dummy.DummyClassifier",
        reads: &["strategy", "constant", "classes_", "class_prior_", "n_outputs_"],
        ignores: &["random_state", "n_classes_", "sparse_output_", "_strategy"],
        lift: classifier,
    },
    Lifter {
        class: "sklearn.dummy.DummyRegressor",
        reads: &["constant_"],
        ignores: &["constant", "quantile", "strategy", "n_outputs_"],
        lift: regressor,
    },
];

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    cx.settle(&input)?;
    let constant = view.attr("constant_")?.f64s()?;
    if constant.is_empty() {
        return Err(view.attr("constant_")?.expected("a number per target"));
    }
    Ok(Lifted::Prediction(Prediction::Numbers(cx.b.constant(Frame::row_f64(constant)))))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    cx.settle(&input)?;
    let targets = view.attr("n_outputs_")?.size()?;
    let (labels, priors) = (view.attr("classes_")?, view.attr("class_prior_")?);
    let (labels, priors) = if targets == 1 { (vec![labels], vec![priors]) } else { (labels.items()?, priors.items()?) };
    if labels.len() != targets || priors.len() != targets {
        return Err(view.attr("classes_")?.expected(&format!("labels of {targets} targets")));
    }
    let each = labels.iter().zip(&priors).enumerate();
    let classes = each.map(|(target, (labels, prior))| one(cx, view, labels, prior, target)).collect::<Result<_, _>>()?;
    Ok(Lifted::Prediction(Prediction::Classes(classes)))
}

fn one(cx: &mut Lift, view: &View<'_>, labels: &View<'_>, prior: &View<'_>, target: usize) -> Result<Classes, Diagnostic> {
    let strategy = view.attr("strategy")?;
    let labels = Labels::of(labels)?;
    let prior = prior.f64s_of(labels.len())?;
    let greatest = prior.iter().enumerate().fold(0, |best, (i, p)| if *p > prior[best] { i } else { best });
    let only = |chosen: usize| (0..labels.len()).map(|i| if i == chosen { 1.0 } else { 0.0 }).collect();
    let (chosen, probabilities): (usize, Vec<f64>) = match strategy.str() {
        Some("prior") => (greatest, prior.clone()),
        Some("most_frequent") => (greatest, only(greatest)),
        Some("constant") => {
            let chosen = constant(view, &labels, target)?;
            (chosen, only(chosen))
        }
        Some(name @ ("stratified" | "uniform")) => {
            return Err(strategy.unsupported(format!("the strategy `{name}` draws at random, anew with each call")));
        }
        _ => return Err(strategy.unsupported("a strategy that is not known")),
    };
    let label = cx.b.constant(labels.row(chosen));
    let probabilities = cx.b.constant(Frame::row_f64(probabilities));
    Ok(Classes::new(labels, label).with_probabilities(probabilities))
}

/// Which label the given constant is.
fn constant(view: &View<'_>, labels: &Labels, target: usize) -> Result<usize, Diagnostic> {
    let constant = view.attr("constant")?;
    let given = match constant.plain() {
        Ok(plain) => plain,
        Err(_) => constant.plains()?.into_iter().nth(target).ok_or_else(|| constant.expected("a label per target"))?,
    };
    let text = crate::labels::text(&given);
    labels.texts.iter().position(|label| *label == text).ok_or_else(|| constant.expected("one of the labels"))
}
