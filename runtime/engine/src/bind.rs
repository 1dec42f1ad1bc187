//! Wanted inputs against the columns that are there, by exact name.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};
use flock_core::{Field, FlockKind};

use crate::error::{EngineError, Faults, kind_words};
use crate::scorer::accepts;

/// Which columns of the data are passed through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// None.
    #[default]
    Nothing,
    /// All, in their own order.
    All,
    /// These, in this order.
    Columns(Vec<String>),
}

impl Keep {
    /// Whether a column of that name is passed through.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Keep::Nothing => false,
            Keep::All => true,
            Keep::Columns(names) => names.iter().any(|n| n == name),
        }
    }
}

/// Where the inputs and the kept columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Per input, the index of its column in the schema.
    pub inputs: Vec<usize>,
    /// Per kept column, its index in the schema.
    pub kept: Vec<usize>,
}

/// Finds a column for every field and every kept name.
///
/// # Errors
/// All of them at once: columns that are missing, of a type that does not fit, or there twice.
pub fn bind(fields: &[Field], keep: &Keep, schema: &Schema) -> Result<Binding, Faults> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, f) in schema.fields().iter().enumerate() {
        places.entry(f.name()).or_default().push(i);
    }
    let mut faults = Vec::new();
    let mut find = |name: &str, wanted: &str| match places.get(name).map(Vec::as_slice) {
        Some([i]) => Some(*i),
        Some(many) => {
            let message = format!("the data has {} columns of that name", many.len());
            faults.push(EngineError::Collision { column: name.into(), message });
            None
        }
        None => {
            // Looking for near names is quadratic: the first faults will do.
            let nearest = if faults.len() < 20 { nearest(name, places.keys().copied()) } else { None };
            faults.push(EngineError::MissingColumn {
                column: name.into(),
                message: format!("{wanted}, but the data has no such column"),
                nearest,
            });
            None
        }
    };
    let inputs: Vec<_> =
        fields.iter().map(|f| find(&f.name, &format!("the pipeline needs it as {}", kind_words(f.kind)))).collect();
    let kept: Vec<_> = match keep {
        Keep::Nothing => Vec::new(),
        Keep::All => (0..schema.fields().len()).map(Some).collect(),
        Keep::Columns(names) => names.iter().map(|n| find(n, "it was asked to be kept")).collect(),
    };
    faults.extend(fields.iter().zip(&inputs).filter_map(|(f, i)| mistyped(f, schema.field((*i)?).data_type())));
    faults.extend(repeated(keep));
    match (inputs.into_iter().collect(), kept.into_iter().collect()) {
        (Some(inputs), Some(kept)) if faults.is_empty() => Ok(Binding { inputs, kept }),
        _ => Err(Faults(faults)),
    }
}

fn repeated(keep: &Keep) -> Option<EngineError> {
    let Keep::Columns(names) = keep else { return None };
    let mut seen = BTreeSet::new();
    let twice = names.iter().find(|n| !seen.insert(n.as_str()))?;
    Some(EngineError::Collision { column: twice.clone(), message: "it was asked to be kept twice".into() })
}

/// The fault of a column that cannot be an input of that field.
fn mistyped(f: &Field, found: &DataType) -> Option<EngineError> {
    if *found == DataType::Null && !f.nullable {
        let message = format!("it holds nothing but nulls where the pipeline needs {}", kind_words(f.kind));
        return Some(EngineError::MistypedColumn { column: f.name.clone(), message, help: "fill it before".into() });
    }
    if accepts(f.kind, found) {
        return None;
    }
    Some(EngineError::MistypedColumn {
        column: f.name.clone(),
        message: format!("the pipeline needs {} ({}), the data has {found}", kind_words(f.kind), f.kind.name()),
        help: help(f.kind, found),
    })
}

fn help(kind: FlockKind, found: &DataType) -> String {
    match (kind, found) {
        (_, t) if t.is_temporal() => {
            "derive what the pipeline was trained on (an hour, a weekday, seconds) before".into()
        }
        (FlockKind::Str, _) => "store it as text, written as it was in training (`1` is not `1.0`)".into(),
        (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            "a value does not read as one; store the column as numbers, with null where one is missing".into()
        }
        (FlockKind::I64, _) => "store it as integers, with null where one is missing".into(),
        _ => format!("convert it to {} before", kind.name()),
    }
}

/// The name that is likely meant: equal but for case and separators, else a few edits away.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let plain = |s: &str| -> Vec<char> {
        s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(256).collect()
    };
    let wanted = plain(name);
    let limit = 1 + wanted.len() / 3;
    names
        .map(|n| (distance(&wanted, &plain(n), limit), n))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, n)| n.to_string())
}

/// Edits from one to the other (Levenshtein), or more than `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
