//! The features of a file, and the values that pandas' categories stand for.
//!
//! A model that was trained on a DataFrame stores the categories of its columns, in their order, but not which columns
//! they are: the library asks the DataFrame of each prediction. They are the categorical features that the parameters
//! name, in their order. A value that is no category is missing, as it is to the library.

use std::collections::HashMap;

use flock_ir_spec::Frame;

use super::text::File;
use crate::inputs::{Feature, Kind, Unknown};
use crate::value::Value;
use crate::{Res, damaged, unsupported};

/// The features in order.
pub(crate) fn features(file: &File<'_>) -> Res<Vec<Feature>> {
    let n = file.size("max_feature_idx")?.saturating_add(1);
    let names: Vec<&str> = match file.header("feature_names") {
        Some(names) => names.split(' ').filter(|n| !n.is_empty()).collect(),
        None => return Err(damaged("header", "no `feature_names`")),
    };
    if names.len() != n {
        return Err(damaged("feature_names", format!("{} names for {n} features", names.len())));
    }
    let mut kinds = categories(file, n)?;
    let feature = |(i, name): (usize, &&str)| Feature {
        name: (*name).to_owned(),
        kind: kinds.remove(&i).unwrap_or(Kind::Number),
    };
    Ok(names.iter().enumerate().map(feature).collect())
}

fn categories(file: &File<'_>, features: usize) -> Res<HashMap<usize, Kind>> {
    let Some(pandas) = &file.pandas else { return Ok(HashMap::new()) };
    let lists = pandas.items().ok_or_else(|| damaged("pandas_categorical", "no list of lists"))?;
    if lists.is_empty() {
        return Ok(HashMap::new());
    }
    let of = categorical(file);
    if lists.len() != of.len() || of.iter().any(|f| *f >= features) {
        let message = format!(
            "categories of {} pandas columns for {} categorical features: the file does not say which columns they are of",
            lists.len(),
            of.len()
        );
        return Err(unsupported("pandas_categorical", message).help("train on codes, or with all categories unordered"));
    }
    let kind = |list: &Value<'_>| Ok(Kind::Category { values: values(list)?, unknown: Unknown::Missing });
    of.into_iter().zip(lists.iter()).map(|(feature, list)| Ok((feature, kind(list)?))).collect()
}

/// The features that the library was told are categories; where the parameters do not say, those whose values the file
/// lists one by one.
fn categorical(file: &File<'_>) -> Vec<usize> {
    let given = file.parameter("categorical_feature").unwrap_or_default();
    let parsed: Result<Vec<usize>, _> = given.split(',').map(|w| w.trim().parse()).collect();
    if let Ok(mut features) = parsed {
        features.sort_unstable();
        features.dedup();
        return features;
    }
    let infos = file.header("feature_infos").unwrap_or_default().split(' ').enumerate();
    infos.filter(|(_, info)| !info.starts_with('[') && *info != "none").map(|(i, _)| i).collect()
}

/// A row of text, of numbers or of truth values.
fn values(list: &Value<'_>) -> Res<Frame> {
    let fault = || unsupported("pandas_categorical", "categories that are neither text, numbers nor truth values");
    let items = list.items().ok_or_else(fault)?;
    let texts: Option<Vec<&str>> = items.iter().map(Value::text).collect();
    if let Some(texts) = texts {
        return Ok(Frame::row_str(texts));
    }
    let numbers: Option<Vec<f64>> = items.iter().map(Value::number).collect();
    if let Some(numbers) = numbers {
        return Ok(Frame::row_f64(numbers));
    }
    let truths: Option<Vec<bool>> = items.iter().map(Value::truth).collect();
    truths.map(Frame::row_bool).ok_or_else(fault)
}
