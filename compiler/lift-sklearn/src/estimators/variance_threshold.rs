//! `VarianceThreshold`: the columns that vary more than a threshold. It checks no value.
//!
//! | `variances_` | [k] f64 |   | `threshold` | a number |
//!
//! Source: scikit-learn `feature_selection/_variance_threshold.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;
use crate::selection::selected;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.feature_selection.VarianceThreshold",
    reads: &["threshold", "variances_"],
    ignores: &[],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let threshold = view.attr("threshold")?.f64()?;
    let kept: Vec<bool> = view.attr("variances_")?.f64s()?.into_iter().map(|v| v > threshold).collect();
    selected(cx, view, &input, &kept, true).map(Lifted::Columns)
}
