//! `ColumnTransformer`: each transformer on some of the columns, the results side by side.
//!
//! | `transformers_` | (name, transformer, columns), the remainder last |
//! | `_transformer_to_input_indices` | name → positions of its columns, however they were chosen |
//!
//! Source: scikit-learn `compose/_column_transformer.py`.

use flock_ir_spec::{Diagnostic, Op};

use super::text_vectorizers::reads_documents;
use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.compose.ColumnTransformer",
    reads: &[
        "transformers_",
        "_transformer_to_input_indices",
        "transformer_weights",
        "sparse_output_",
        "verbose_feature_names_out",
        "output_indices_",
    ],
    ignores: &[
        "transformers",
        "remainder",
        "sparse_threshold",
        "n_jobs",
        "verbose",
        "force_int_remainder_cols",
        "_columns",
        "_n_features",
        "_remainder",
        "_name_to_fitted_passthrough",
        "_transformers_feature_names_out",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let indices = view.attr("_transformer_to_input_indices")?;
    let transformers = view.attr("transformers_")?;
    let mut parts = Vec::new();
    for item in transformers.items()? {
        let [name, transformer, chosen] = item.tuple::<3>()?;
        let name = name.text()?;
        let place = transformer.at(view.join(&format!("transformers.{name}")));
        if place.str() == Some("drop") {
            continue;
        }
        let positions = indices.entry(&name).ok_or_else(|| indices.expected(&format!("columns of `{name}`")))?.sizes()?;
        if positions.is_empty() {
            continue;
        }
        if let Some(p) = positions.iter().find(|p| **p >= input.width()) {
            return Err(indices.unsupported(format!("`{name}` takes column {p} of {}", input.width())));
        }
        if reads_documents(&place) && chosen.plain().is_err() {
            let what = "a list of columns; the library would read their names as documents, and wants the one by itself";
            return Err(place.unsupported(what));
        }
        let columns = cx.select(&input, &positions)?;
        parts.push((name, place, columns));
    }
    settle_dropped(cx, &input, &indices, &parts)?;
    let slices = view.get("output_indices_");
    let parts = parts.into_iter().map(|(name, place, columns)| {
        let width = slices.as_ref().and_then(|s| slice_len(&s.entry(&name)?)).unwrap_or(0);
        transformed(cx, view, name, &place, columns, width)
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let mut all = side_by_side(view, parts)?;
    all.sparse = view.attr("sparse_output_")?.bool()?;
    Ok(Lifted::Columns(all))
}

/// What a step before has left to be refused in a column that nobody takes is refused here.
fn settle_dropped(
    cx: &mut Lift,
    input: &Columns,
    indices: &View<'_>,
    parts: &[(String, View<'_>, Columns)],
) -> Result<(), Diagnostic> {
    let mut taken = vec![false; input.width()];
    for (name, _, _) in parts {
        indices.entry(name).map_or(Ok(Vec::new()), |v| v.sizes())?.into_iter().for_each(|p| taken[p] = true);
    }
    let dropped: Vec<usize> = (0..taken.len()).filter(|p| !taken[*p]).collect();
    let dropped = cx.select(input, &dropped)?;
    cx.settle(&dropped)
}

/// The length of a slice of columns.
fn slice_len(slice: &View<'_>) -> Option<usize> {
    let args = slice.args();
    args.get(1)?.size().ok()?.checked_sub(args.first()?.size().ok()?)
}

/// The output of one transformer, times its weight; `width` columns where it cannot be lifted.
pub(super) fn transformed(
    cx: &mut Lift,
    view: &View<'_>,
    name: String,
    transformer: &View<'_>,
    columns: Columns,
    width: usize,
) -> Result<(String, Columns), Diagnostic> {
    let out = if transformer.str() == Some("passthrough") {
        columns
    } else {
        cx.transformer(&name, transformer, columns, width)
    };
    let weights = view.attr("transformer_weights")?;
    let weight = if weights.is_none() { None } else { weights.entry(&name).filter(|w| !w.is_none()) };
    let Some(weight) = weight else { return Ok((name, out)) };
    let (sparse, names, facts) = (out.sparse, out.names.clone(), out.facts());
    cx.settle(&out)?;
    let numbers = cx.numbers(&out, &weight)?;
    let product = cx.with_row(Op::Mul, numbers, vec![weight.f64()?])?;
    let width = cx.width(product);
    let mut weighed = Columns::node(product, width, Facts { nan: true, big: true, overflow: true, ..facts }, names);
    weighed.sparse = sparse;
    Ok((name, weighed))
}

/// The transformers' columns in one, named as `get_feature_names_out()` names them.
pub(super) fn side_by_side(view: &View<'_>, parts: Vec<(String, Columns)>) -> Result<Columns, Diagnostic> {
    // FeatureUnion has the parameter since 1.5, and before it always prefixes.
    let prefix = match view.get("verbose_feature_names_out").map(|v| v.plain()) {
        None => Some(true),
        Some(Ok(Plain::Bool(b))) => Some(b),
        // A callable or a format string: the output is numbered.
        Some(_) => None,
    };
    let mut all = Columns::none();
    for (name, mut columns) in parts {
        columns.names = match prefix {
            Some(true) => columns.names.map(|names| names.iter().map(|n| format!("{name}__{n}")).collect()),
            Some(false) => columns.names,
            None => None,
        };
        all.append(columns);
    }
    Ok(all)
}
