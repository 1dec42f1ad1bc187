//! `FeatureUnion`: several transformers on the same columns, the results side by side.
//! Source: scikit-learn `pipeline.py`.

use flock_ir_spec::Diagnostic;

use super::column_transformer::{side_by_side, transformed};
use super::pipeline::named_steps;
use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.pipeline.FeatureUnion",
    reads: &["transformer_list", "transformer_weights", "verbose_feature_names_out"],
    ignores: &["n_jobs", "verbose", "_transformers_feature_names_out"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let mut parts = Vec::new();
    for (name, transformer) in named_steps(&view.attr("transformer_list")?)? {
        if transformer.str() != Some("drop") {
            parts.push(transformed(cx, view, name, &transformer, input.clone(), 0)?);
        }
    }
    // The results are stacked sparse if any of them is; `append` keeps that.
    Ok(Lifted::Columns(side_by_side(view, parts)?))
}
