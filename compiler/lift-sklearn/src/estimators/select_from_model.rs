//! `SelectFromModel`: the columns whose importance for an estimator reaches a threshold.
//!
//! | `estimator_` | its `coef_`, or `feature_importances_`, which trees compute; `estimator` where `prefit` |
//! | `threshold` | a number, `mean`, `median`, `1.25*mean`; None: 1e-5 for an l1 penalty, else the mean |
//! | `max_features_` | the most that are kept |   | `norm_order` | how classes or targets add up |
//! | `importance_getter` | `auto`, or the path of an attribute |
//!
//! Whether the estimator takes NaN decides if rows with one are refused.
//! Source: scikit-learn `feature_selection/_from_model.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::importances::{Importances, sum};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};
use crate::selection::{selected, takes_nan};
use crate::version::Version;

type Res<T> = Result<T, Diagnostic>;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.feature_selection.SelectFromModel",
    reads: &["estimator", "estimator_", "threshold", "norm_order", "max_features", "max_features_", "importance_getter"],
    ignores: &["prefit"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let given = view.attr("estimator")?;
    let estimator = view.get("estimator_").unwrap_or_else(|| given.clone());
    let width = input.width();
    let importances = Importances::of(&estimator, &view.attr("importance_getter")?, width)?;
    let scores = importances.norms(view.attr("norm_order")?.f64()?);
    let threshold = threshold(view, &estimator, &scores)?;
    let mut kept = vec![true; width];
    if !view.attr("max_features")?.is_none() {
        let most = view.get("max_features_").map_or_else(|| view.attr("max_features"), Ok)?.size()?;
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap_or(std::cmp::Ordering::Equal));
        order.iter().skip(most).for_each(|i| kept[*i] = false);
    }
    // NaN is not below.
    kept.iter_mut().zip(&scores).for_each(|(k, s)| *k &= *s >= threshold || s.is_nan() || threshold.is_nan());
    let lenient = takes_nan(&given)?;
    selected(cx, view, &input, &kept, lenient).map(Lifted::Columns)
}

fn threshold(view: &View<'_>, estimator: &View<'_>, scores: &[f64]) -> Res<f64> {
    let threshold = view.attr("threshold")?;
    let text = match threshold.plain()? {
        Plain::None if keeps_what_is_not_zero(estimator)? => return Ok(1e-5),
        Plain::None => "mean".to_string(),
        Plain::Str(text) => text,
        _ => return threshold.f64(),
    };
    let (scale, reference) = match text.split_once('*') {
        None => (None, text.as_str()),
        Some((scale, reference)) => {
            let number: Option<f64> = scale.trim().parse().ok();
            (Some(number.ok_or_else(|| threshold.expected("a factor before `*`"))?), reference.trim())
        }
    };
    let reference = match reference {
        "mean" => sum(scores) / scores.len() as f64,
        "median" => median(scores),
        _ => return Err(threshold.unsupported("a threshold that is neither `mean` nor `median`")),
    };
    Ok(scale.map_or(reference, |s| s * reference))
}

fn median(scores: &[f64]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[half],
        _ => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

/// Whether an l1 penalty makes coefficients 0, by which `None` means 1e-5.
fn keeps_what_is_not_zero(estimator: &View<'_>) -> Res<bool> {
    let name = estimator.kind();
    let name = name.trim_matches('`');
    // numpy.isclose.
    let is_one = |attribute: &str| match estimator.get(attribute) {
        Some(ratio) if !ratio.is_none() => {
            let ratios = ratio.f64s().or_else(|_| ratio.f64().map(|r| vec![r]))?;
            Ok(ratios.iter().all(|r| (r - 1.0).abs() <= 1e-8 + 1e-5))
        }
        _ => Ok(false),
    };
    if estimator.get("penalty").is_some_and(|p| p.str() == Some("l1")) || name.contains("Lasso") {
        return Ok(true);
    }
    let version = Version::of(estimator)?;
    match name {
        name if version < Version(1, 6) && name.contains("ElasticNet") => Ok(is_one("l1_ratio_")? || is_one("l1_ratio")?),
        "ElasticNet" => is_one("l1_ratio"),
        "ElasticNetCV" => is_one("l1_ratio_"),
        "LogisticRegression" if version >= Version(1, 8) => is_one("l1_ratio"),
        "LogisticRegressionCV" if version >= Version(1, 8) => is_one("l1_ratio_"),
        _ => Ok(false),
    }
}
