//! `TargetEncoder`: the smoothed mean of the target over the value's category, per class where there are several.
//!
//! | `categories_` | per column; None or NaN last |   | `encodings_` | per column, and within it per class: [categories] |
//! | `target_mean_` | one, or one per class: what a value that is no category gets |
//! | `target_type_`, `classes_` | `multiclass` names the columns by the classes |
//!
//! Infinities are refused. Source: scikit-learn `preprocessing/_target_encoder.py` (1.3 and later).

use flock_ir_spec::Diagnostic;

use crate::categories::Categories;
use crate::columns::{Columns, Facts};
use crate::features::lookup;
use crate::labels::text;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.TargetEncoder",
    reads: &["categories_", "encodings_", "target_mean_", "target_type_", "classes_"],
    ignores: &["_infrequent_enabled", "categories", "cv", "random_state", "shuffle", "smooth", "target_type"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    cx.settle(&input)?;
    let classes = match view.attr("target_type_")?.str() {
        Some("multiclass") => Some(view.attr("classes_")?.plains()?),
        _ => None,
    };
    let per_value = classes.as_ref().map_or(1, Vec::len);
    let mean = view.attr("target_mean_")?;
    let means = mean.f64s().or_else(|_| mean.f64().map(|m| vec![m]))?;
    let encodings = super::per_column(&view.attr("encodings_")?, input.width() * per_value)?;
    let categories = super::per_column(&view.attr("categories_")?, input.width())?;
    if means.len() != per_value {
        return Err(mean.expected(&format!("{per_value} means")));
    }
    let columns = cx.split(&input)?;
    let mut out = Columns::none();
    for (i, (place, column)) in categories.iter().zip(columns).enumerate() {
        let encodings = &encodings[i * per_value..(i + 1) * per_value];
        let categories = Categories::of(place)?;
        super::refuse_infinite_category(cx, &column, &categories, place)?;
        let n = categories.len();
        let positions: Vec<Option<usize>> = (0..n).map(Some).collect();
        let position = cx.positions(&column, &categories, &positions, n, n as i64, place)?;
        let node = lookup(cx, position, &table(encodings, &means, n)?)?;
        let names = column.names.map(|names| match &classes {
            Some(classes) => classes.iter().map(|c| format!("{}_{}", names[0], text(c))).collect(),
            None => names,
        });
        out.append(Columns::node(node, per_value, Facts { big: true, ..Facts::CODES }, names));
    }
    Ok(Lifted::Columns(out))
}

/// A row per category and one for what is none; a column per class.
fn table(encodings: &[View<'_>], means: &[f64], categories: usize) -> Result<Matrix, Diagnostic> {
    let mut by_class = Vec::with_capacity(means.len() * (categories + 1));
    for (encoding, mean) in encodings.iter().zip(means) {
        by_class.extend(encoding.f64s_of(categories)?);
        by_class.push(*mean);
    }
    Ok(Matrix { rows: means.len(), columns: categories + 1, values: by_class }.transposed())
}
