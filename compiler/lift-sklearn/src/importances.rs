//! How much each column counts for a fitted estimator: its coefficients, or what its trees gain by each.
//! Source: scikit-learn `feature_selection/_base.py`, `_get_feature_importances`; `tree/_tree.pyx`; `ensemble/_forest.py`,
//! `ensemble/_gb.py`.

use flock_ir_spec::Diagnostic;

use crate::linear;
use crate::read::numpy::Kind;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

/// Importances as the library's attribute has them: one row, or a row per class or target.
pub(crate) struct Importances {
    pub table: Matrix,
    /// Whether the attribute has one dimension.
    pub flat: bool,
}

impl Importances {
    /// By `importance_getter`: `auto`, or the path of an attribute.
    pub fn of(estimator: &View<'_>, getter: &View<'_>, width: usize) -> Res<Importances> {
        let path = getter.str().ok_or_else(|| getter.unsupported("importances by a function of Python"))?;
        let importances = match path {
            "auto" if estimator.get("coef_").is_some() => Self::attribute(estimator, "coef_")?,
            "auto" => Self::attribute(estimator, "feature_importances_")?,
            path => {
                let (owner, name) = path.rsplit_once('.').unwrap_or(("", path));
                let mut at = estimator.clone();
                for part in owner.split('.').filter(|p| !p.is_empty()) {
                    at = inside(&at, part)?;
                }
                Self::attribute(&at, name)?
            }
        };
        let expected = importances.table.rows * width;
        if importances.table.columns != width || importances.table.values.len() != expected {
            return Err(estimator.expected(&format!("importances of {width} columns")));
        }
        Ok(importances)
    }

    fn attribute(owner: &View<'_>, name: &str) -> Res<Importances> {
        if let Some(stored) = owner.get(name) {
            let flat = stored.class().is_none() && stored.shape()?.len() == 1;
            return Ok(Importances { table: linear::dense(&stored)?, flat });
        }
        if name != "feature_importances_" {
            return Err(owner.unsupported(format!("{} computes `{name}` when it is asked", owner.kind())));
        }
        let values = gains(owner)?;
        Ok(Importances { table: Matrix { rows: 1, columns: values.len(), values }, flat: true })
    }

    /// One number per column: the size where there is one row, else the norm of that order over the rows.
    pub fn norms(&self, order: f64) -> Vec<f64> {
        let k = self.table.columns.max(1);
        let rows = || self.table.values.chunks(k);
        let folded = |start: f64, f: &dyn Fn(f64, f64) -> f64| {
            rows().fold(vec![start; self.table.columns], |sum, row| {
                sum.iter().zip(row).map(|(s, x)| f(*s, x.abs())).collect::<Vec<_>>()
            })
        };
        if self.flat {
            return folded(0.0, &|_, x| x);
        }
        match order {
            1.0 => folded(0.0, &|s, x| s + x),
            2.0 => folded(0.0, &|s, x| s + x * x).into_iter().map(f64::sqrt).collect(),
            f64::INFINITY => folded(0.0, &f64::max),
            f64::NEG_INFINITY => folded(f64::INFINITY, &f64::min),
            p => folded(0.0, &|s, x| s + x.powf(p)).into_iter().map(|s| s.powf(1.0 / p)).collect(),
        }
    }
}

/// An attribute on the way, or a step of a pipeline (`named_steps.clf`).
fn inside<'a>(at: &View<'a>, part: &str) -> Res<View<'a>> {
    if part == "named_steps" {
        return Ok(at.clone());
    }
    if let Some(found) = at.get(part) {
        return Ok(found);
    }
    for step in at.attr("steps")?.items()? {
        let [name, estimator] = step.tuple::<2>()?;
        if name.str() == Some(part) {
            return Ok(estimator);
        }
    }
    Err(at.unsupported(format!("the path of the importances: no `{part}`")))
}

/// `feature_importances_` of a tree, a forest or a boosting of trees.
fn gains(estimator: &View<'_>) -> Res<Vec<f64>> {
    if let Some(tree) = estimator.get("tree_") {
        return Ok(tree_gains(&tree, true)?.1);
    }
    let class = estimator.class().unwrap_or_default();
    let boosting = class.contains(".GradientBoosting");
    if !boosting && !class.contains(".ensemble._forest.") {
        return Err(estimator.unsupported(format!("{} computes its importances when it is asked", estimator.kind())));
    }
    let mut all = Vec::new();
    for tree in estimator.attr("estimators_")?.items()? {
        let (nodes, gains) = tree_gains(&tree.attr("tree_")?, !boosting)?;
        if nodes > 1 {
            all.push(gains);
        }
    }
    let width = estimator.attr("n_features_in_")?.size()?;
    if all.is_empty() {
        return Ok(vec![0.0; width]);
    }
    let mut mean = vec![0.0; all[0].len()];
    all.iter().for_each(|one| mean.iter_mut().zip(one).for_each(|(m, g)| *m += g));
    mean.iter_mut().for_each(|m| *m /= all.len() as f64);
    let sum = sum(&mean);
    Ok(mean.into_iter().map(|m| m / sum).collect())
}

/// Number of nodes, and what the splits on each column gain; as shares if asked.
fn tree_gains(tree: &View<'_>, normalize: bool) -> Res<(usize, Vec<f64>)> {
    let place = tree.attr("nodes")?;
    let records = place.records()?;
    let [left, right, feature] = ["left_child", "right_child", "feature"].map(|n| records.required(n, Kind::Int, 8));
    let (left, right, feature) = (left?, right?, feature?);
    let impurity = records.required("impurity", Kind::Float, 8)?;
    let weight = records.required("weighted_n_node_samples", Kind::Float, 8)?;
    let n = records.bytes.len() / records.itemsize.max(1);
    let word = |node: usize, at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&records.bytes[node * records.itemsize + at..][..8]);
        bytes
    };
    let whole = |node: usize, at: usize| usize::try_from(i64::from_le_bytes(word(node, at))).ok();
    let weighted = |node: usize| f64::from_le_bytes(word(node, weight)) * f64::from_le_bytes(word(node, impurity));
    let features = tree.args().first().map_or_else(|| Err(tree.expected("a tree")), |n| n.size())?;
    let mut gains = vec![0.0; features.min(1 << 20)];
    for node in 0..n {
        let Some(l) = whole(node, left) else { continue };
        let (Some(r), Some(f)) = (whole(node, right).filter(|r| *r < n && l < n), whole(node, feature)) else {
            return Err(place.unsupported(format!("node {node} points outside of its tree")));
        };
        let gain = gains.get_mut(f).ok_or_else(|| place.unsupported(format!("node {node} names no column")))?;
        *gain += weighted(node) - weighted(l) - weighted(r);
    }
    if n > 0 {
        let root = f64::from_le_bytes(word(0, weight));
        gains.iter_mut().for_each(|g| *g /= root);
    }
    let total = sum(&gains);
    if normalize && total > 0.0 {
        gains.iter_mut().for_each(|g| *g /= total);
    }
    Ok((n, gains))
}

/// numpy's sum: by halves above 128 numbers, by eight at a time below, so that a tie with a mean stays one.
pub(crate) fn sum(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |a, x| a + x);
    }
    if n > 128 {
        let half = n / 2 - (n / 2) % 8;
        return sum(&values[..half]) + sum(&values[half..]);
    }
    let mut r = [0.0; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        r.iter_mut().zip(block).for_each(|(r, x)| *r += x);
    }
    let sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    rest.iter().fold(sum, |a, x| a + x)
}
