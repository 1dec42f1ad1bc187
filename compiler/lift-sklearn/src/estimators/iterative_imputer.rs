//! `IterativeImputer`: gaps filled by a first guess, and then column by column by what the others predict.
//!
//! | `initial_imputer_` | the first guess, a `SimpleImputer` |
//! | `imputation_sequence_` | (column, columns that it is predicted from, estimator), round after round |
//! | `_min_value`, `_max_value` | per column, what a prediction is clipped to |
//! | `_is_empty_feature` | columns without a value, which are dropped; until 1.6 those without a statistic |
//! | `indicator_` | as of `SimpleImputer` |
//!
//! `sample_posterior` draws at random and is refused. A batch in which every value of every row is missing keeps the
//! first guess in the library; here a row never knows of the others. Source: scikit-learn `impute/_iterative.py`.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use super::knn_imputer::indicated;
use super::missing_indicator::missing;
use crate::columns::{Columns, Facts};
use crate::features::row;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.impute.IterativeImputer",
    reads: &[
        "missing_values",
        "sample_posterior",
        "add_indicator",
        "keep_empty_features",
        "n_iter_",
        "initial_imputer_",
        "imputation_sequence_",
        "indicator_",
        "_min_value",
        "_max_value",
        "_is_empty_feature",
    ],
    ignores: &[
        "_estimator",
        "estimator",
        "fill_value",
        "imputation_order",
        "initial_strategy",
        "max_iter",
        "max_value",
        "min_value",
        "n_nearest_features",
        "random_state",
        "skip_complete",
        "tol",
        "verbose",
        "n_features_with_missing_",
        "random_state_",
    ],
    lift,
};

type Res<T> = Result<T, Diagnostic>;

/// A column while the rounds go on.
const FILLED: Facts = Facts { nan: false, big: true, overflow: false, single: false };

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    if view.attr("sample_posterior")?.bool()? {
        return Err(view.unsupported("`sample_posterior=True` draws at random on every call"));
    }
    super::refuse_single(&input, view)?;
    let x = cx.numbers(&input, view)?;
    let gaps = missing(cx, view, &input, x)?;
    let kept = kept(view, input.width())?;
    let (guess, names) = guess(cx, view, input.clone(), &kept)?;
    let column_gaps = cx.pick(gaps, &kept)?;
    let mut columns: Vec<NodeId> = (0..kept.len()).map(|c| cx.pick(guess, &[c])).collect::<Res<_>>()?;
    if view.attr("n_iter_")?.size()? > 0 {
        rounds(cx, view, &mut columns, column_gaps)?;
    }
    let node = cx.side_by_side(&columns)?;
    let finite = cx.op(Op::Composite(Composite::IS_FINITE), &[node])?;
    cx.refuse_unless_all(finite)?;
    let mut out = Columns::node(node, columns.len(), FILLED, names);
    out.append(indicated(cx, view, &input, gaps)?);
    Ok(Lifted::Columns(out))
}

/// The columns that had a value when the imputer was fitted.
fn kept(view: &View<'_>, width: usize) -> Res<Vec<usize>> {
    let keep = view.attr("keep_empty_features")?.bool()?;
    let empty: Vec<bool> = match view.get("_is_empty_feature") {
        Some(empty) => empty.f64s_of(width)?.into_iter().map(|e| e != 0.0).collect(),
        None if keep => {
            return Err(view.unsupported("`keep_empty_features=True` before scikit-learn 1.7, which then imputes every value"));
        }
        None => view.attr("initial_imputer_")?.attr("statistics_")?.f64s_of(width)?.iter().map(|s| s.is_nan()).collect(),
    };
    if keep && empty.contains(&true) {
        return Err(view.unsupported("`keep_empty_features=True` where a column is empty"));
    }
    let kept: Vec<usize> = (0..width).filter(|c| !empty[*c]).collect();
    if kept.is_empty() { Err(view.unsupported("an imputer of no column")) } else { Ok(kept) }
}

/// The first guess for the columns that are kept, and their names.
fn guess(cx: &mut Lift, view: &View<'_>, input: Columns, kept: &[usize]) -> Res<(NodeId, Option<Vec<String>>)> {
    let width = input.width();
    let imputer = view.attr("initial_imputer_")?;
    let Lifted::Columns(columns) = cx.in_step("initial", |cx| cx.estimator(&imputer, input))? else {
        return Err(imputer.expected("a `SimpleImputer`"));
    };
    let columns = match columns.width() {
        n if n == kept.len() => columns,
        n if n == width => cx.select(&columns, kept)?,
        n => return Err(imputer.expected(&format!("{} columns and not {n}", kept.len()))),
    };
    Ok((cx.numbers(&columns, &imputer)?, columns.names))
}

fn rounds(cx: &mut Lift, view: &View<'_>, columns: &mut [NodeId], gaps: NodeId) -> Res<()> {
    let n = columns.len();
    let (low, high) = (view.attr("_min_value")?.f64s_of(n)?, view.attr("_max_value")?.f64s_of(n)?);
    for (i, triplet) in view.attr("imputation_sequence_")?.items()?.into_iter().enumerate() {
        // A named tuple is an object of its parts.
        let parts = triplet.args();
        let [column, others, estimator] = &parts[..] else {
            return Err(triplet.expected("a column, its neighbours and an estimator"));
        };
        let (column, others) = (column.size()?, others.sizes()?);
        if column >= n || others.is_empty() || others.iter().any(|o| *o >= n) {
            return Err(triplet.expected(&format!("positions of {n} columns")));
        }
        let from: Vec<NodeId> = others.iter().map(|o| columns[*o]).collect();
        let from = cx.side_by_side(&from)?;
        let from = Columns::node(from, others.len(), FILLED, None);
        let estimator = estimator.at(view.join(&format!("imputation_sequence_.{i}")));
        let predicted = match cx.in_step(&format!("imputation_{i}"), |cx| cx.estimator(&estimator, from))? {
            Lifted::Prediction(Prediction::Numbers(node)) | Lifted::Both(Prediction::Numbers(node), _) => node,
            _ => return Err(estimator.unsupported(format!("{} does not predict numbers", estimator.kind()))),
        };
        let (low, high) = (row(cx, vec![low[column]]), row(cx, vec![high[column]]));
        let clipped = cx.op(Op::Max, &[predicted, low])?;
        let clipped = cx.op(Op::Min, &[clipped, high])?;
        let gap = cx.pick(gaps, &[column])?;
        columns[column] = cx.op(Op::Select, &[gap, clipped, columns[column]])?;
    }
    Ok(())
}
