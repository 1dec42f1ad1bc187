//! The JSON format.

use super::json_ctrs;
use super::objective::Info;
use super::{Border, CatBoost, Category, Condition, FloatFeature, Node, Tree};
use crate::value::Value;
use crate::{Res, damaged, json, unsupported};

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Res<CatBoost> {
    let root = json::parse(bytes, json::Width::F64).map_err(|e| damaged("file", e))?;
    let at = |path: &[&str]| root.at(path).ok_or_else(|| damaged(path.join("."), "is not there"));
    let info = at(&["features_info"])?;
    let listed = |name: &str| info.get(name).and_then(Value::items).unwrap_or_default();
    for kind in ["text", "embedding"] {
        let found = listed(&format!("{kind}_features")).len();
        if found > 0 {
            return Err(super::of_text("features_info", kind, found));
        }
    }
    let floats = listed("float_features");
    let features = floats.iter().enumerate().map(feature).collect::<Option<Vec<_>>>();
    let features = features.ok_or_else(|| damaged("features_info.float_features", "a feature without its fields"))?;
    let listed_categories = listed("categorical_features");
    let categories = listed_categories.iter().enumerate().map(category).collect::<Option<Vec<_>>>();
    let place = "features_info.categorical_features";
    let categories = categories.ok_or_else(|| damaged(place, "a feature without its fields"))?;
    // Splits on counters are counted behind all borders and all hashes.
    let count = |list: &[Value<'_>], name: &str| -> usize {
        list.iter().map(|f| f.get(name).and_then(Value::numbers).map_or(0, |n| n.len())).sum()
    };
    let first = count(&floats, "borders") + count(&listed_categories, "values");
    let (ctrs, borders) = json_ctrs::read(&listed("ctrs"), root.get("ctr_data"))?;
    let splits = Splits { first, borders };
    let (scale, bias) = scale_and_bias(at(&["scale_and_bias"])?)
        .ok_or_else(|| damaged("scale_and_bias", "is no number and a list of numbers"))?;
    let info = Info::read(root.at(&["model_info", "params"]), root.at(&["model_info", "class_params"]))?;
    let symmetric = root.get("oblivious_trees");
    let list = symmetric.or_else(|| root.get("trees")).and_then(Value::items);
    let list = list.ok_or_else(|| damaged("oblivious_trees", "is not there"))?;
    let tree = |(i, t): (usize, &Value<'_>)| {
        let place = format!("tree {i}");
        if symmetric.is_some() { symmetric_tree(t, &splits, &place) } else { nodes(t, &splits, &place) }
    };
    let trees: Vec<Tree> = list.iter().enumerate().map(tree).collect::<Res<_>>()?;
    let dimensions = match trees.first() {
        Some(Tree::Symmetric { splits, values }) => values.len() >> splits.len().min(63),
        Some(Tree::Nodes(nodes)) => {
            nodes.iter().find_map(|n| if let Node::Leaf(v) = n { Some(v.len()) } else { None }).unwrap_or(0)
        }
        None => bias.len(),
    };
    Ok(CatBoost { features, categories, ctrs, trees, dimensions, scale, bias, info })
}

/// Splits name a feature by its position.
fn feature((position, value): (usize, &Value<'_>)) -> Option<FloatFeature> {
    value.get("feature_index").and_then(Value::number).filter(|i| *i == position as f64)?;
    let has_nans = value.get("has_nans").and_then(Value::truth).unwrap_or(false);
    let treatment = value.get("nan_value_treatment").and_then(Value::text).unwrap_or("AsIs");
    let (name, flat) = column(value)?;
    Some(FloatFeature { name, flat, nan_is_greatest: has_nans && treatment == "AsTrue" })
}

fn category((position, value): (usize, &Value<'_>)) -> Option<Category> {
    value.get("feature_index").and_then(Value::number).filter(|i| *i == position as f64)?;
    column(value).map(|(name, flat)| Category { name, flat })
}

/// The name of a column, and its place.
fn column(value: &Value<'_>) -> Option<(String, usize)> {
    let name = value.get("feature_name").or_else(|| value.get("feature_id")).and_then(Value::text).unwrap_or_default();
    Some((name.to_owned(), value.get("flat_feature_index").and_then(Value::number)? as usize))
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

/// What splits are told by their position.
struct Splits {
    /// The position of the first border of a counter.
    first: usize,
    /// The counter and the border of each.
    borders: Vec<(u32, f32)>,
}

impl Splits {
    fn condition(&self, split: &Value<'_>, place: &str) -> Res<Condition> {
        let number = |name: &str| split.get(name).and_then(Value::number);
        let index = |name: &str| number(name).filter(|f| *f >= 0.0 && *f < 4e9).map(|f| f as u32);
        let found = match split.get("split_type").and_then(Value::text) {
            Some("FloatFeature") | None => index("float_feature_index")
                .zip(number("border"))
                .map(|(feature, border)| Condition::Above(Border { feature, border: border as f32 })),
            Some("OneHotFeature") => {
                index("cat_feature_index").zip(number("value")).map(|(c, value)| Condition::Equal(c, value as i32))
            }
            Some("OnlineCtr") => {
                let counter = |at: u32| self.borders.get((at as usize).checked_sub(self.first)?).copied();
                // The border stands in both places.
                let same = |(_, border): &(u32, f32)| number("border").is_some_and(|b| b as f32 == *border);
                index("split_index").and_then(counter).filter(same).map(|(ctr, border)| Condition::Counter(ctr, border))
            }
            Some(other) => return Err(unsupported(place, format!("a split of the type `{other}`"))),
        };
        found.ok_or_else(|| damaged(place, "a split without a feature or a border"))
    }
}

fn symmetric_tree(tree: &Value<'_>, conditions: &Splits, place: &str) -> Res<Tree> {
    let values = tree.get("leaf_values").and_then(Value::numbers);
    let values = values.ok_or_else(|| damaged(place, "no `leaf_values`"))?.iter().collect();
    let splits = match tree.get("splits") {
        // A tree of one leaf has null in their place.
        None | Some(Value::Null) => Vec::new(),
        Some(splits) => {
            let splits = splits.items().ok_or_else(|| damaged(place, "no list of splits"))?;
            splits.iter().map(|s| conditions.condition(s, place)).collect::<Res<_>>()?
        }
    };
    Ok(Tree::Symmetric { splits, values })
}

/// Nodes within nodes, in the order in which they are found; the depth is that of the reader.
fn nodes(tree: &Value<'_>, conditions: &Splits, place: &str) -> Res<Tree> {
    let mut open = vec![tree];
    let mut nodes = Vec::new();
    let mut next = 0;
    while let Some(node) = open.get(next).copied() {
        next += 1;
        nodes.push(match (node.get("split"), node.get("left"), node.get("right")) {
            (Some(split), Some(left), Some(right)) => {
                open.extend([left, right]);
                Node::Split(conditions.condition(split, place)?, [open.len() - 2, open.len() - 1])
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
