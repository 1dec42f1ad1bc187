//! What feature selectors have in common: the columns that are kept are known at lift, and which rows they refuse
//! depends on the estimator that chose them. Source: scikit-learn `feature_selection/_base.py`, `SelectorMixin`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, public_name};
use crate::read::view::View;
use crate::version::Version;

type Res<T> = Result<T, Diagnostic>;

/// The columns where `kept` holds. Where `lenient`, every value passes; else a NaN or an infinity in any column, one that
/// is dropped as well, refuses the row.
pub(crate) fn selected(cx: &mut Lift, view: &View<'_>, input: &Columns, kept: &[bool], lenient: bool) -> Res<Columns> {
    if kept.len() != input.width() {
        return Err(view.expected(&format!("a choice among {} columns", input.width())));
    }
    if !lenient {
        cx.refuse_non_finite(input, view)?;
    }
    let positions: Vec<usize> = (0..kept.len()).filter(|i| kept[*i]).collect();
    let dropped: Vec<usize> = (0..kept.len()).filter(|i| !kept[*i]).collect();
    let others = cx.select(input, &dropped)?;
    cx.settle(&others)?;
    cx.select(input, &positions)
}

/// Whether an estimator says of itself that it takes NaN (`allow_nan` of its tags): the selector then checks nothing.
pub(crate) fn takes_nan(view: &View<'_>) -> Res<bool> {
    let class = view.class().map(|c| public_name(&c)).unwrap_or_default();
    if META.iter().any(|m| class.starts_with(m)) || !class.starts_with("sklearn.") {
        return Err(view.unsupported(format!("whether `{class}` takes NaN, which decides what the selector refuses")));
    }
    let version = Version::of(view)?;
    let since = |first: Version| version >= first;
    Ok(match class.as_str() {
        "sklearn.ensemble.HistGradientBoostingClassifier" | "sklearn.ensemble.HistGradientBoostingRegressor" => true,
        "sklearn.tree.DecisionTreeClassifier" | "sklearn.tree.DecisionTreeRegressor" => {
            since(Version(1, 3)) && by_criterion(view)? && (since(Version(1, 6)) || splits_best(view)?)
        }
        "sklearn.tree.ExtraTreeClassifier" | "sklearn.tree.ExtraTreeRegressor" => {
            (since(Version(1, 6)) || since(Version(1, 3)) && splits_best(view)?) && by_criterion(view)?
        }
        "sklearn.ensemble.RandomForestClassifier" | "sklearn.ensemble.RandomForestRegressor" => {
            since(Version(1, 4)) && by_criterion(view)?
        }
        "sklearn.ensemble.ExtraTreesClassifier" | "sklearn.ensemble.ExtraTreesRegressor" => {
            since(Version(1, 6)) && by_criterion(view)?
        }
        _ => false,
    })
}

/// Estimators that answer as those within them do; a `Pipeline` takes no NaN.
const META: &[&str] = &[
    "sklearn.ensemble.Bagging",
    "sklearn.ensemble.IsolationForest",
    "sklearn.ensemble.Stacking",
    "sklearn.ensemble.Voting",
    "sklearn.feature_selection.",
];

fn by_criterion(view: &View<'_>) -> Res<bool> {
    let known = ["gini", "log_loss", "entropy", "squared_error", "friedman_mse", "poisson"];
    Ok(view.attr("criterion")?.str().is_some_and(|c| known.contains(&c)))
}

fn splits_best(view: &View<'_>) -> Res<bool> {
    Ok(view.attr("splitter")?.str() == Some("best"))
}
