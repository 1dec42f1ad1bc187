//! The JSON format.

use super::objective::Info;
use super::{Border, CatBoost, FloatFeature, Node, Tree};
use crate::value::Value;
use crate::{Res, damaged, json, unsupported};

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Res<CatBoost> {
    let root = json::parse(bytes, json::Width::F64).map_err(|e| damaged("file", e))?;
    let at = |path: &[&str]| root.at(path).ok_or_else(|| damaged(path.join("."), "is not there"));
    let features = at(&["features_info"])?.get("float_features").and_then(Value::items).unwrap_or_default();
    let features = features.iter().enumerate().map(feature).collect::<Option<Vec<_>>>();
    let features = features.ok_or_else(|| damaged("features_info.float_features", "a feature without its fields"))?;
    let (scale, bias) = scale_and_bias(at(&["scale_and_bias"])?)
        .ok_or_else(|| damaged("scale_and_bias", "is no number and a list of numbers"))?;
    let info = Info::read(root.at(&["model_info", "params"]), root.at(&["model_info", "class_params"]))?;
    let symmetric = root.get("oblivious_trees");
    let list = symmetric.or_else(|| root.get("trees")).and_then(Value::items);
    let list = list.ok_or_else(|| damaged("oblivious_trees", "is not there"))?;
    let read = if symmetric.is_some() { symmetric_tree } else { nodes };
    let tree = |(i, t): (usize, &Value<'_>)| read(t, &format!("tree {i}"));
    let trees: Vec<Tree> = list.iter().enumerate().map(tree).collect::<Res<_>>()?;
    let dimensions = match trees.first() {
        Some(Tree::Symmetric { splits, values }) => values.len() >> splits.len().min(63),
        Some(Tree::Nodes(nodes)) => {
            nodes.iter().find_map(|n| if let Node::Leaf(v) = n { Some(v.len()) } else { None }).unwrap_or(0)
        }
        None => bias.len(),
    };
    Ok(CatBoost { features, trees, dimensions, scale, bias, info })
}

/// Splits name a feature by its position.
fn feature((position, value): (usize, &Value<'_>)) -> Option<FloatFeature> {
    value.get("feature_index").and_then(Value::number).filter(|i| *i == position as f64)?;
    let has_nans = value.get("has_nans").and_then(Value::truth).unwrap_or(false);
    let treatment = value.get("nan_value_treatment").and_then(Value::text).unwrap_or("AsIs");
    let name = value.get("feature_name").or_else(|| value.get("feature_id")).and_then(Value::text).unwrap_or_default();
    let flat = value.get("flat_feature_index").and_then(Value::number)? as usize;
    Some(FloatFeature { name: name.to_owned(), flat, nan_is_greatest: has_nans && treatment == "AsTrue" })
}

/// `[scale, [bias, …]]`; older versions have one bias and no list.
fn scale_and_bias(value: &Value<'_>) -> Option<(f64, Vec<f64>)> {
    let items = value.items()?;
    let bias = match items.get(1)? {
        Value::Number(bias) => vec![*bias],
        list => list.numbers()?.iter().collect(),
    };
    Some((items.first()?.number()?, if bias.is_empty() { vec![0.0] } else { bias }))
}

fn border(split: &Value<'_>, place: &str) -> Res<Border> {
    match split.get("split_type").and_then(Value::text) {
        Some("FloatFeature") | None => {}
        Some(other) => return Err(categorical(place, other)),
    }
    let feature = split.get("float_feature_index").and_then(Value::number).filter(|f| *f >= 0.0 && *f < 4e9);
    let border = split.get("border").and_then(Value::number);
    match (feature, border) {
        (Some(feature), Some(border)) => Ok(Border { feature: feature as u32, border: border as f32 }),
        _ => Err(damaged(place, "a split without a feature or a border")),
    }
}

/// A split on a category.
pub(super) fn categorical(place: &str, kind: &str) -> flock_ir_spec::Diagnostic {
    let message =
        format!("a split on a category (`{kind}`): the file holds hashes of categories, and not the categories");
    unsupported(place, message).help("encode the categories before the model, by an OrdinalEncoder or a OneHotEncoder")
}

fn symmetric_tree(tree: &Value<'_>, place: &str) -> Res<Tree> {
    let values = tree.get("leaf_values").and_then(Value::numbers);
    let values = values.ok_or_else(|| damaged(place, "no `leaf_values`"))?.iter().collect();
    let splits = match tree.get("splits") {
        // A tree of one leaf has null in their place.
        None | Some(Value::Null) => Vec::new(),
        Some(splits) => {
            let splits = splits.items().ok_or_else(|| damaged(place, "no list of splits"))?;
            splits.iter().map(|s| border(s, place)).collect::<Res<_>>()?
        }
    };
    Ok(Tree::Symmetric { splits, values })
}

/// Nodes within nodes, in the order in which they are found; the depth is that of the reader.
fn nodes(tree: &Value<'_>, place: &str) -> Res<Tree> {
    let mut open = vec![tree];
    let mut nodes = Vec::new();
    let mut next = 0;
    while let Some(node) = open.get(next).copied() {
        next += 1;
        nodes.push(match (node.get("split"), node.get("left"), node.get("right")) {
            (Some(split), Some(left), Some(right)) => {
                open.extend([left, right]);
                Node::Split(border(split, place)?, [open.len() - 2, open.len() - 1])
            }
            _ => match node.get("value") {
                Some(Value::Number(value)) => Node::Leaf(vec![*value]),
                Some(Value::Numbers(values)) => Node::Leaf(values.iter().collect()),
                _ => return Err(damaged(place, "a node that is neither a split nor a leaf")),
            },
        });
    }
    Ok(Tree::Nodes(nodes))
}
