//! `IsolationForest`: how few splits it takes to set a row apart, over many random trees.
//!
//! | `estimators_`, `estimators_features_` | trees, and the columns that each was grown on |
//! | `_max_samples` | rows that each tree was grown on |
//! | `_decision_path_lengths`, `_average_path_length_per_tree` | per tree and node (1.3 and later) |
//! | `offset_` | what is subtracted from the score; below 0 is an outlier |
//!
//! Before 1.6 NaN and what is infinite as float32 are refused, since then neither.
//! Source: scikit-learn `ensemble/_iforest.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use super::extra_tree_regressor as member;
use crate::columns::Columns;
use crate::forest;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;
use crate::trees::{Trees, paths};
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.IsolationForest",
    reads: &[
        "estimators_",
        "estimators_features_",
        "_max_features",
        "_max_samples",
        "_average_path_length_per_tree",
        "offset_",
    ],
    ignores: &[
        "estimator", "base_estimator", "estimator_", "estimator_params", "n_estimators", "max_samples", "max_samples_",
        "contamination", "max_features", "bootstrap", "bootstrap_features", "n_jobs", "oob_score", "random_state",
        "verbose", "warm_start", "_n_samples", "_seeds", "_sample_weight", "_decision_path_lengths",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let lenient = Version::of(view)? >= Version(1, 6);
    if lenient {
        cx.settle(&input)?;
    } else {
        cx.refuse_beyond_f32(&input, false, view)?;
    }
    let members = forest::members(cx, view, &member::LIFTER)?;
    let depths = depths(cx, view, &members, &input, lenient && input.facts().nan)?;
    let scale = members.len() as f64 * average_path_length(view.attr("_max_samples")?.f64()?);
    // A forest that was grown on single rows has no depths, and every row the same score.
    let score = if scale == 0.0 { cx.row_f64([1.0]) } else { cx.with_row(Op::Div, depths, vec![scale])? };
    let exponent = cx.op(Op::Neg, &[score])?;
    let two = cx.row_f64([2.0]);
    let power = cx.op(Op::Pow, &[two, exponent])?;
    let score = cx.op(Op::Neg, &[power])?;
    let score = cx.with_row(Op::Sub, score, vec![view.attr("offset_")?.f64()?])?;
    let outlier = cx.with_row(Op::Lt, score, vec![0.0])?;
    let (no, yes) = (cx.b.constant(Frame::row_i64([1])), cx.b.constant(Frame::row_i64([-1])));
    let label = cx.op(Op::Select, &[outlier, yes, no])?;
    Ok(Lifted::Prediction(Prediction::Outliers { label, score }))
}

/// The depths of the leaves, each with the depth that its rows would still have had, added tree by tree.
fn depths(cx: &mut Lift, view: &View<'_>, members: &[View<'_>], input: &Columns, missing: bool) -> Result<NodeId, Diagnostic> {
    let subset = view.attr("_max_features")?.size()? != input.width();
    let features = view.attr("estimators_features_")?.items()?;
    let averages = view.get("_average_path_length_per_tree").map(|a| a.items()).transpose()?;
    if features.len() != members.len() || averages.as_ref().is_some_and(|a| a.len() != members.len()) {
        return Err(view.expected(&format!("columns and lengths for {} trees", members.len())));
    }
    let mut trees = Trees::new(input.width(), vec![0.0], missing);
    for (t, (tree, features)) in members.iter().zip(&features).enumerate() {
        let tree = tree.attr("tree_")?;
        let columns = if subset { Some(features.sizes()?) } else { None };
        let paths = paths(&tree)?;
        let averages = match &averages {
            Some(averages) => averages[t].f64s_of(paths.len())?,
            None => paths.iter().map(|(_, samples)| average_path_length(*samples as f64)).collect(),
        };
        trees.add_on(&tree, columns.as_deref(), None, |i, _, out| out.push(f64::from(paths[i].0) + averages[i] - 1.0))?;
    }
    let ensemble = trees.finish(view)?;
    forest::score(cx, view, input, ensemble)
}

/// The mean depth of a random tree over so many rows.
fn average_path_length(rows: f64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match rows {
        n if n <= 1.0 => 0.0,
        2.0 => 1.0,
        n => 2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n,
    }
}
