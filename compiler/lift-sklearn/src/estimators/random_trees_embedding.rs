//! `RandomTreesEmbedding`: 1 for the leaf of each tree that the row reaches, 0 for the others.
//!
//! | `estimators_` | trees |   | `one_hot_encoder_` | the leaves of each tree by their node numbers, all of them |
//!
//! Values that are infinite as float32 are refused, NaN too before 1.6. Source: scikit-learn `ensemble/_forest.py`.

use flock_ir_spec::{Diagnostic, Op};

use super::extra_tree_regressor as member;
use crate::columns::{Columns, Facts};
use crate::forest;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;
use crate::trees::{Trees, allows_missing};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.RandomTreesEmbedding",
    reads: &["estimators_", "one_hot_encoder_", "sparse_output"],
    ignores: &[
        "estimator", "base_estimator", "estimator_", "estimator_params", "n_estimators", "max_depth",
        "min_samples_split", "min_samples_leaf", "min_weight_fraction_leaf", "max_leaf_nodes", "min_impurity_decrease",
        "bootstrap", "oob_score", "n_jobs", "random_state", "verbose", "warm_start", "class_weight", "max_samples",
        "n_outputs_", "_n_features_out", "_n_samples", "_n_samples_bootstrap", "_sample_weight",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let members = forest::members(cx, view, &member::LIFTER)?;
    let allowed = allows_missing(&members[0], true, input.sparse)?;
    cx.refuse_beyond_f32(&input, allowed, view)?;
    // Each tree gives the number of its leaf, counted from 0, in a column of its own.
    let mut trees = Trees::new(input.width(), vec![0.0; members.len()], allowed && input.facts().nan);
    let mut leaves: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (t, (tree, leaves)) in members.iter().zip(&mut leaves).enumerate() {
        trees.add_on(&tree.attr("tree_")?, None, Some(t as u32), |i, _, out| {
            out.push(leaves.len() as f64);
            leaves.push(i);
        })?;
    }
    let categories = view.attr("one_hot_encoder_")?.attr("categories_")?;
    let lists = super::per_column(&categories, members.len())?;
    for (list, leaves) in lists.iter().zip(&leaves) {
        if list.sizes()? != *leaves {
            return Err(list.expected("a category for each leaf"));
        }
    }
    let ensemble = trees.finish(view)?;
    let reached = forest::score(cx, view, &input, ensemble)?;
    let mut parts = Vec::with_capacity(members.len());
    for (t, leaves) in leaves.iter().enumerate() {
        let reached = cx.pick(reached, &[t])?;
        let numbers = (0..leaves.len()).map(|k| k as f64).collect();
        let here = cx.with_row(Op::Eq, reached, numbers)?;
        parts.push(cx.as_f64(here)?);
    }
    let all = cx.side_by_side(&parts)?;
    let name = |(t, leaves): (usize, &Vec<usize>)| {
        leaves.iter().map(move |leaf| format!("randomtreesembedding_{t}_{leaf}")).collect::<Vec<_>>()
    };
    let names = leaves.iter().enumerate().flat_map(name).collect();
    let mut out = Columns::node(all, cx.width(all), Facts::CODES, Some(names));
    out.sparse = view.attr("sparse_output")?.bool()?;
    Ok(Lifted::Columns(out))
}
