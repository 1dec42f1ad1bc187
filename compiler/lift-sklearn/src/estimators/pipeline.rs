//! `Pipeline`: one step after the other; the last one may predict.
//! Source: scikit-learn `pipeline.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.pipeline.Pipeline",
    reads: &["steps"],
    // `transform_input` transforms what `fit` gets beside X.
    ignores: &["memory", "verbose", "transform_input"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let steps = named_steps(&view.attr("steps")?)?;
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
