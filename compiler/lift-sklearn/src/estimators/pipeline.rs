//! `Pipeline`: one step after the other; the last one may predict. imbalanced-learn's has samplers besides, which change
//! what is fitted and nothing of what is predicted.
//! Source: scikit-learn `pipeline.py`; imbalanced-learn `pipeline.py`, `Pipeline._iter`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

// `transform_input` transforms what `fit` gets beside X.
const IGNORES: &[&str] = &["memory", "verbose", "transform_input"];

pub static LIFTERS: &[Lifter] = &[
    Lifter { class: "sklearn.pipeline.Pipeline", reads: &["steps"], ignores: IGNORES, lift },
    Lifter { class: "imblearn.pipeline.Pipeline", reads: &["steps"], ignores: IGNORES, lift },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let mut steps = named_steps(&view.attr("steps")?)?;
    steps.retain(|(_, step)| !samples(step));
    let mut columns = input;
    for (i, (name, step)) in steps.iter().enumerate() {
        if step.is_none() || step.str() == Some("passthrough") {
            continue;
        }
        if i + 1 == steps.len() {
            return cx.in_step(name, |cx| cx.estimator(step, columns));
        }
        let next = steps[i + 1..].iter().find_map(|(_, s)| s.get("n_features_in_")?.size().ok());
        columns = cx.transformer(name, step, columns, next.unwrap_or(0));
    }
    Ok(Lifted::Columns(columns))
}

/// Whether a step makes other rows of those that are fitted.
fn samples(step: &View<'_>) -> bool {
    let modules = ["imblearn.over_sampling.", "imblearn.under_sampling.", "imblearn.combine.", "imblearn.base.FunctionSampler"];
    step.class().is_some_and(|class| modules.iter().any(|m| class.starts_with(m)))
}

/// What a pipeline of one step is at inference, samplers left out.
pub(super) fn lone_step<'a>(view: &View<'a>) -> Option<View<'a>> {
    view.class().filter(|class| LIFTERS.iter().any(|l| l.class == class))?;
    let mut steps = named_steps(&view.get("steps")?).ok()?;
    steps.retain(|(_, step)| !samples(step));
    if steps.len() == 1 { steps.pop().map(|(_, step)| step) } else { None }
}

/// `[(name, estimator), …]`, each estimator under the path `steps.<name>`.
pub(super) fn named_steps<'a>(list: &View<'a>) -> Result<Vec<(String, View<'a>)>, Diagnostic> {
    let named = |item: View<'a>| {
        let [name, step] = item.tuple::<2>()?;
        let name = name.text()?;
        let step = step.at(list.join(&name));
        Ok((name, step))
    };
    list.items()?.into_iter().map(named).collect()
}
