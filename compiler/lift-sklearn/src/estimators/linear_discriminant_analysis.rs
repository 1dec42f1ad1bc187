//! `LinearDiscriminantAnalysis`: linear decisions predict, with a logistic or softmax; a projection transforms.
//!
//! | `coef_` | [1 or classes, k] f64 |   | `intercept_` | one per row of `coef_` |   | `classes_` | labels |
//! | `solver` | `svd`, `eigen`: with a projection; `lsqr`: without |
//! | `scalings_` | [k, rank] |   | `xbar_` | [k], subtracted by `svd` |   | `_max_components` | columns that are kept |
//!
//! NaN and infinities are refused. Source: scikit-learn `discriminant_analysis.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    reads: &["solver", "coef_", "intercept_", "classes_", "xbar_", "scalings_", "_max_components"],
    ignores: &["covariance_estimator", "n_components", "priors", "shrinkage", "store_covariance", "tol", "covariance_", "explained_variance_ratio_", "means_", "priors_", "_n_features_out"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = linear::decision(cx, view, &input)?;
    linear::check_scores(cx, view, &labels, scores)?;
    let label = linear::label(cx, &labels, scores)?;
    let probabilities = if cx.width(scores) == 1 {
        let p = cx.op(Op::Logistic, &[scores])?;
        cx.both_probabilities(p)?
    } else {
        cx.op(Op::Softmax, &[scores])?
    };
    let prediction = Classes::new(labels, label).with_probabilities(probabilities).with_decision(scores).alone();
    let x = cx.numbers(&input, view)?;
    Ok(match view.attr("solver")?.text()?.as_str() {
        "lsqr" => Lifted::Prediction(prediction),
        solver => Lifted::Both(prediction, projected(cx, view, x, solver == "svd")?),
    })
}

fn projected(cx: &mut Lift, view: &View<'_>, x: NodeId, centred: bool) -> Result<Columns, Diagnostic> {
    let width = cx.width(x);
    let scalings = view.attr("scalings_")?;
    let matrix = scalings.matrix()?;
    if matrix.rows != width {
        return Err(scalings.expected(&format!("a row for each of {width} columns")));
    }
    let x = match centred {
        true => cx.with_row(Op::Sub, x, view.attr("xbar_")?.f64s_of(width)?)?,
        false => x,
    };
    let mut weights = matrix.transposed();
    weights.rows = weights.rows.min(view.attr("_max_components")?.size()?);
    weights.values.truncate(weights.rows * weights.columns);
    let n = weights.rows;
    let node = linear::map(cx, x, weights, vec![0.0; n])?;
    let names = (0..n).map(|i| format!("lineardiscriminantanalysis{i}")).collect();
    let facts = Facts { nan: true, big: true, overflow: true, single: false };
    Ok(Columns::node(node, n, facts, Some(names)))
}
