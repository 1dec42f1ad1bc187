//! `NearestCentroid`: the class of the nearest centroid; by discriminant scores where classes have priors of their own.
//!
//! | `centroids_` | [classes, k] f64 |   | `classes_` | labels |   | `metric` | `euclidean` or `manhattan` |
//! | `class_prior_`, `within_class_std_dev_` | since 1.6: [classes], [k], for priors that differ, scores and probabilities |
//!
//! Since 1.6 there are scores and probabilities with the euclidean metric. They measure in standard deviations, the label
//! does not, unless priors differ: so the two may disagree, as they do in the library. NaN and infinities are refused.
//! Source: scikit-learn `neighbors/_nearest_centroid.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op, Word};

use crate::columns::Columns;
use crate::kernels;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::prediction::Classes;
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.neighbors.NearestCentroid",
    reads: &["centroids_", "classes_", "metric", "class_prior_", "within_class_std_dev_"],
    ignores: &["priors", "shrink_threshold", "deviations_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let centroids = linear::table(view, "centroids_", input.width())?;
    if centroids.rows != labels.len() || labels.len() < 2 {
        return Err(view.attr("centroids_")?.expected(&format!("a centroid for each of {} classes", labels.len())));
    }
    let metric = view.attr("metric")?;
    let manhattan = match metric.str() {
        Some("euclidean") => false,
        Some("manhattan") => true,
        Some(other) => return Err(metric.unsupported(format!("the metric `{other}`, which scikit-learn 1.5 took out"))),
        None => return Err(metric.unsupported("a metric that is a function of Python: a file has its name alone")),
    };
    let x = linear::finite(cx, view, &input)?;
    let Some(priors) = view.get("class_prior_") else {
        let label = by_distance(cx, &labels, x, centroids, manhattan)?;
        return Ok(Lifted::Prediction(Classes::new(labels, label).alone()));
    };
    let priors = priors.f64s_of(labels.len())?;
    let scores = discriminants(cx, view, x, &centroids, &priors, manhattan)?;
    // numpy.isclose
    let share = 1.0 / labels.len() as f64;
    let label = match priors.iter().all(|p| (p - share).abs() <= 1e-8 + 1e-5 * share) {
        true => by_distance(cx, &labels, x, centroids, manhattan)?,
        false => cx.label_of_greatest(&labels, scores)?,
    };
    if manhattan {
        return Ok(Lifted::Prediction(Classes::new(labels, label).alone()));
    }
    let probabilities = cx.op(Op::Softmax, &[scores])?;
    let decision = if labels.len() == 2 {
        let (first, second) = (cx.pick(scores, &[0])?, cx.pick(scores, &[1])?);
        cx.op(Op::Sub, &[second, first])?
    } else {
        scores
    };
    let classes = Classes::new(labels, label).with_probabilities(probabilities).with_decision(decision);
    Ok(Lifted::Prediction(classes.alone()))
}

fn by_distance(
    cx: &mut Lift,
    labels: &Labels,
    x: NodeId,
    centroids: Matrix,
    manhattan: bool,
) -> Result<NodeId, Diagnostic> {
    let index = match manhattan {
        false => nearest::nearest(cx, x, centroids)?,
        true => {
            let distances = kernels::distances(cx, Word::L1, x, centroids)?;
            nearest::least(cx, distances)?
        }
    };
    cx.label_at(labels, index)
}

/// 2 ln(prior) − distance², in standard deviations within the classes; a column that has none is as it is.
fn discriminants(
    cx: &mut Lift,
    view: &View<'_>,
    x: NodeId,
    centroids: &Matrix,
    priors: &[f64],
    manhattan: bool,
) -> Result<NodeId, Diagnostic> {
    let spread = view.attr("within_class_std_dev_")?.f64s_of(centroids.columns)?;
    let spread: Vec<f64> = spread.into_iter().map(|s| if s == 0.0 { 1.0 } else { s }).collect();
    let divided = centroids.values.iter().enumerate().map(|(i, c)| c / spread[i % spread.len()]).collect();
    let centroids = Matrix { values: divided, ..*centroids };
    let x = cx.with_row(Op::Div, x, spread)?;
    let distances = match manhattan {
        true => kernels::distances(cx, Word::L1, x, centroids)?,
        false => {
            let norms = nearest::squared_norms(&centroids);
            let squared = nearest::squared(cx, x, centroids, norms)?;
            cx.op(Op::Sqrt, &[squared])?
        }
    };
    let squares = cx.op(Op::Mul, &[distances, distances])?;
    let minus = cx.op(Op::Neg, &[squares])?;
    cx.with_row(Op::Add, minus, priors.iter().map(|p| 2.0 * p.ln()).collect())
}
