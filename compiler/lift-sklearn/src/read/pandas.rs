//! Series and tables of pandas, as the encoders keep them: an index and numbers. The text of an index is an array of
//! objects, or since pandas 3 an array of Arrow.

use flock_ir_spec::Diagnostic;

use crate::read::view::{Plain, View};

type Res<T> = Result<T, Diagnostic>;

/// A table of numbers: what its rows and columns are called, and the numbers column by column.
pub(crate) struct Table {
    pub index: Vec<Plain>,
    pub columns: Vec<Plain>,
    pub values: Vec<Vec<f64>>,
}

/// A `Series`: its index, and its numbers.
pub(crate) fn series(view: &View<'_>) -> Res<(Vec<Plain>, Vec<f64>)> {
    let state = view.attr("_mgr")?.attr("0.14.1")?;
    let axes = part(&state, "axes")?.items()?;
    let blocks = part(&state, "blocks")?.items()?;
    let ([axis], [block]) = (&axes[..], &blocks[..]) else { return Err(view.expected("a series")) };
    let (index, values) = (axis.plains()?, part(block, "values")?.f64s()?);
    if index.len() == values.len() { Ok((index, values)) } else { Err(view.expected("a series")) }
}

fn part<'a>(view: &View<'a>, name: &str) -> Res<View<'a>> {
    view.entry(name).ok_or_else(|| view.expected(&format!("`{name}`")))
}

/// A `DataFrame` of numbers.
pub(crate) fn table(view: &View<'_>) -> Res<Table> {
    let manager = view.attr("_mgr")?.args();
    let [blocks, axes] = &manager[..] else { return Err(view.expected("a table of pandas")) };
    let [columns, index] = axes.tuple::<2>()?;
    let (columns, index) = (columns.plains()?, index.plains()?);
    let mut values = vec![None; columns.len()];
    for block in blocks.items()? {
        let parts = block.args();
        let [numbers, places, ..] = &parts[..] else { return Err(block.expected("a block of a table")) };
        let numbers = numbers.f64s()?;
        for (at, column) in places_of(places, columns.len())?.into_iter().enumerate() {
            let slot = values.get_mut(column).ok_or_else(|| block.expected("a block of the table's columns"))?;
            let start = at * index.len();
            *slot = numbers.get(start..start + index.len()).map(<[f64]>::to_vec);
        }
    }
    let values: Option<Vec<Vec<f64>>> = values.into_iter().collect();
    let values = values.ok_or_else(|| view.expected("a table of numbers"))?;
    Ok(Table { index, columns, values })
}

/// Which columns a block holds: a slice, or positions.
fn places_of(view: &View<'_>, columns: usize) -> Res<Vec<usize>> {
    if view.class().as_deref() != Some("builtins.slice") {
        return view.sizes();
    }
    let parts = view.args();
    let [start, stop, step] = &parts[..] else { return Err(view.expected("a slice")) };
    let step = if step.is_none() { 1 } else { step.size()?.max(1) };
    Ok((start.size()?..stop.size()?.min(columns)).step_by(step).collect())
}
