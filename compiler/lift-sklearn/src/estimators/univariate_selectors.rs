//! Columns by a test of each by itself: `SelectKBest`, `SelectPercentile`, `SelectFpr`, `SelectFdr`, `SelectFwe`,
//! `GenericUnivariateSelect`.
//!
//! | `scores_` | [k] f64, NaN is the least |   | `pvalues_` | [k] f64, None where the test has none |
//! | `k`, `percentile`, `alpha` | how many, or how sure; `mode` and `param` of the last class |
//!
//! NaN and infinities in any column are refused. Source: scikit-learn `feature_selection/_univariate_selection.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};
use crate::selection::selected;

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.feature_selection.GenericUnivariateSelect",
        reads: &["mode", "param", "scores_", "pvalues_"],
        ignores: &["score_func"],
        lift: |cx, view, input| {
            let mode = view.attr("mode")?.text()?;
            lift(cx, view, &input, &mode, &view.attr("param")?)
        },
    },
    Lifter {
        class: "sklearn.feature_selection.SelectFdr",
        reads: &["alpha", "pvalues_"],
        ignores: &["score_func", "scores_"],
        lift: |cx, view, input| lift(cx, view, &input, "fdr", &view.attr("alpha")?),
    },
    Lifter {
        class: "sklearn.feature_selection.SelectFpr",
        reads: &["alpha", "pvalues_"],
        ignores: &["score_func", "scores_"],
        lift: |cx, view, input| lift(cx, view, &input, "fpr", &view.attr("alpha")?),
    },
    Lifter {
        class: "sklearn.feature_selection.SelectFwe",
        reads: &["alpha", "pvalues_"],
        ignores: &["score_func", "scores_"],
        lift: |cx, view, input| lift(cx, view, &input, "fwe", &view.attr("alpha")?),
    },
    Lifter {
        class: "sklearn.feature_selection.SelectKBest",
        reads: &["k", "scores_"],
        ignores: &["score_func", "pvalues_"],
        lift: |cx, view, input| lift(cx, view, &input, "k_best", &view.attr("k")?),
    },
    Lifter {
        class: "sklearn.feature_selection.SelectPercentile",
        reads: &["percentile", "scores_"],
        ignores: &["score_func", "pvalues_"],
        lift: |cx, view, input| lift(cx, view, &input, "percentile", &view.attr("percentile")?),
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: &Columns, mode: &str, parameter: &View<'_>) -> Res<Lifted> {
    let kept = match mode {
        "k_best" => k_best(&scores(view)?, parameter)?,
        "percentile" => percentile(&scores(view)?, parameter.f64()?),
        "fpr" | "fdr" | "fwe" => by_probability(&view.attr("pvalues_")?.f64s()?, mode, parameter.f64()?),
        _ => return Err(view.unsupported(format!("the mode `{mode}`"))),
    };
    selected(cx, view, input, &kept, false).map(Lifted::Columns)
}

fn scores(view: &View<'_>) -> Res<Vec<f64>> {
    Ok(view.attr("scores_")?.f64s()?.into_iter().map(|s| if s.is_nan() { f64::MIN } else { s }).collect())
}

/// The greatest, the last of equal ones.
fn k_best(scores: &[f64], k: &View<'_>) -> Res<Vec<bool>> {
    if k.plain()? == Plain::Str("all".into()) {
        return Ok(vec![true; scores.len()]);
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].partial_cmp(&scores[*b]).unwrap_or(std::cmp::Ordering::Equal));
    let mut kept = vec![false; scores.len()];
    order.iter().rev().take(k.f64()? as usize).for_each(|i| kept[*i] = true);
    Ok(kept)
}

/// Those above the percentile, and of those on it the first until there are enough.
fn percentile(scores: &[f64], percent: f64) -> Vec<bool> {
    if percent == 100.0 || percent == 0.0 || scores.is_empty() {
        return vec![percent == 100.0; scores.len()];
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    // numpy.percentile, linear.
    let place = (sorted.len() - 1) as f64 * ((100.0 - percent) / 100.0);
    let (low, share) = (place.floor() as usize, place - place.floor());
    let (a, b) = (sorted[low], sorted[(low + 1).min(sorted.len() - 1)]);
    let threshold = if share >= 0.5 { b - (b - a) * (1.0 - share) } else { a + (b - a) * share };
    let mut kept: Vec<bool> = scores.iter().map(|s| *s > threshold).collect();
    let most = (scores.len() as f64 * percent / 100.0) as usize;
    let above = kept.iter().filter(|k| **k).count();
    let ties: Vec<usize> = (0..scores.len()).filter(|i| scores[*i] == threshold).collect();
    // A slice to a negative end leaves out that many.
    let taken = if most >= above { most - above } else { ties.len().saturating_sub(above - most) };
    ties.into_iter().take(taken).for_each(|i| kept[i] = true);
    kept
}

fn by_probability(values: &[f64], mode: &str, alpha: f64) -> Vec<bool> {
    let n = values.len() as f64;
    match mode {
        "fpr" => values.iter().map(|p| *p < alpha).collect(),
        "fwe" => values.iter().map(|p| *p < alpha / n).collect(),
        // Benjamini and Hochberg: up to the last of the sorted that is below its share of alpha.
        _ => {
            let mut sorted: Vec<f64> = values.iter().copied().filter(|p| !p.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            let below = sorted.iter().enumerate().filter(|(i, p)| **p <= alpha / n * (i + 1) as f64);
            let most = below.map(|(_, p)| *p).next_back();
            values.iter().map(|p| most.is_some_and(|most| *p <= most)).collect()
        }
    }
}
