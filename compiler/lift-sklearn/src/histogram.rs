//! What the gradient-boosted regressor and classifier over histograms have in common.
//! Source: scikit-learn `ensemble/_hist_gradient_boosting/{gradient_boosting,predictor,binning}.py`, `_predictor.pyx`.

use std::collections::HashMap;

use flock_ir_spec::{Diagnostic, NodeId, Op, Test};

use crate::columns::Columns;
use crate::lift::Lift;
use crate::read::numpy::Kind;
use crate::read::view::{Records, View};
use crate::trees::{Branch, Trees};

type Res<T> = Result<T, Diagnostic>;

/// What the scores of both are read from.
pub(crate) const READS: &[&str] =
    &["loss", "_predictors", "_baseline_prediction", "_bin_mapper", "_preprocessor", "classes_"];

/// Parameters and attributes of both that no prediction depends on.
pub(crate) const IGNORES: &[&str] = &[
    "quantile",
    "learning_rate",
    "max_iter",
    "max_leaf_nodes",
    "max_depth",
    "min_samples_leaf",
    "l2_regularization",
    "max_features",
    "max_bins",
    "monotonic_cst",
    "interaction_cst",
    "categorical_features",
    "warm_start",
    "early_stopping",
    "scoring",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "verbose",
    "random_state",
    "class_weight",
    "is_categorical_",
    "_is_categorical_remapped",
    "_label_encoder",
    "_loss",
    "_n_features",
    "_random_seed",
    "_scorer",
    "_use_validation_data",
    "_feature_subsample_rng",
    "_fitted_with_sw",
    "do_early_stopping_",
    "n_trees_per_iteration_",
    "train_score_",
    "validation_score_",
];

/// The scores: the baseline plus each iteration's leaves, one column per class or one.
pub(crate) fn raw(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
    let (columns, encoded) = preprocessed(cx, view, input)?;
    let missing = columns.facts().nan;
    let mut x = cx.numbers(&columns, view)?;
    let known = known_categories(view, columns.width())?;
    let mut place: Vec<usize> = (0..columns.width()).collect();
    if !encoded {
        x = with_codes(cx, x, &known, &mut place)?;
    }
    let columns = Numbering { place, known, encoded };
    let base = view.attr("_baseline_prediction")?.f64s()?;
    let outputs = base.len();
    let missing = missing || columns.known.iter().any(Option::is_some);
    let mut trees = Trees::new(cx.width(x), base, missing).of_doubles();
    let iterations = view.attr("_predictors")?;
    for iteration in iterations.items()? {
        let predictors = iteration.items()?;
        if predictors.len() != outputs {
            return Err(iteration.expected(&format!("{outputs} trees")));
        }
        for (k, predictor) in predictors.iter().enumerate() {
            add(&mut trees, predictor, k as u32, &columns)?;
        }
    }
    let ensemble = trees.finish(view)?;
    let ensemble = cx.b.constant(ensemble);
    cx.op(Op::Trees, &[x, ensemble])
}

/// What the trees' numbers of columns mean.
struct Numbering {
    /// Per number the column of the frame.
    place: Vec<usize>,
    /// Per number its categories, where it has some.
    known: Vec<Option<Categories>>,
    /// Whether a value that is no category is NaN already.
    encoded: bool,
}

/// Numbers below 256: number k is bit k mod 32 of word k / 32.
type Categories = [u32; 8];

/// The columns in the order in which the trees number them, and whether categories are positions already. Since 1.4 a
/// `ColumnTransformer` puts the categorical columns first, as positions; what is no category is NaN.
fn preprocessed(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<(Columns, bool)> {
    let Some(transformer) = view.get("_preprocessor").filter(|p| !p.is_none()) else {
        return Ok((input.clone(), false));
    };
    let positions = transformer.attr("_transformer_to_input_indices")?;
    let mut columns = Columns::none();
    for part in transformer.attr("transformers_")?.items()? {
        let [name, step, _] = part.tuple::<3>()?;
        let name = name.text()?;
        let Some(positions) = positions.entry(&name) else { continue };
        let positions = positions.sizes()?;
        if positions.iter().any(|p| *p >= input.width()) {
            return Err(transformer.expected("positions of columns"));
        }
        let part = cx.select(input, &positions)?;
        match name.as_str() {
            "remainder" => {}
            // A function that checks that these are numbers.
            "numerical" => columns.append(part),
            "encoder" if positions.is_empty() => {}
            "encoder" => {
                let step = step.at(view.join("encoder"));
                columns.append(cx.transformer("encoder", &step, part, positions.len()));
            }
            _ => return Err(transformer.unsupported(format!("a preprocessor with a step `{name}`"))),
        }
    }
    Ok((columns, true))
}

/// The categories of each column that is categorical, as a set of bytes.
fn known_categories(view: &View<'_>, columns: usize) -> Res<Vec<Option<Categories>>> {
    let mapper = view.attr("_bin_mapper")?;
    let (categorical, values) = (mapper.attr("is_categorical_")?.sizes()?, mapper.attr("bin_thresholds_")?);
    let lists = values.items()?;
    if categorical.len() != columns || lists.len() != columns {
        return Err(mapper.expected(&format!("bins of {columns} columns")));
    }
    let set = |(is, list): (&usize, &View<'_>)| {
        if *is == 0 {
            return Ok(None);
        }
        let mut set = Categories::default();
        for value in list.f64s()? {
            if !(0.0..256.0).contains(&value) {
                return Err(list.expected("categories below 256"));
            }
            set[value as usize / 32] |= 1 << (value as usize % 32);
        }
        Ok(Some(set))
    };
    categorical.iter().zip(&lists).map(set).collect()
}

/// Before 1.4 a category is the data's own number, as a C cast makes a byte of it on x86-64: towards zero, then what is
/// left of 32 bits, then of 8. Numbers below zero count as missing. `place` says where the trees find each column.
fn with_codes(cx: &mut Lift, x: NodeId, known: &[Option<Categories>], place: &mut [usize]) -> Res<NodeId> {
    let categorical: Vec<usize> = (0..known.len()).filter(|k| known[*k].is_some()).collect();
    if categorical.is_empty() {
        return Ok(x);
    }
    let value = cx.pick(x, &categorical)?;
    let whole = cx.op(Op::Floor, &[value])?;
    let high = cx.with_row(Op::Div, whole, vec![256.0])?;
    let high = cx.op(Op::Floor, &[high])?;
    let high = cx.with_row(Op::Mul, high, vec![256.0])?;
    let byte = cx.op(Op::Sub, &[whole, high])?;
    let (zero, missing) = (cx.row_f64([0.0]), cx.row_f64([f64::NAN]));
    let beyond = cx.with_row(Op::Ge, value, vec![2_147_483_648.0])?;
    let byte = cx.op(Op::Select, &[beyond, zero, byte])?;
    let below = cx.op(Op::Lt, &[value, zero])?;
    let byte = cx.op(Op::Select, &[below, missing, byte])?;
    for (i, k) in categorical.into_iter().enumerate() {
        place[k] = known.len() + i;
    }
    cx.side_by_side(&[x, byte])
}

/// Where the fields of a node struct are; the structs are packed, and the number of the column changed its type.
struct Fields {
    value: usize,
    feature: usize,
    wide: bool,
    threshold: usize,
    missing_left: usize,
    left: usize,
    right: usize,
    leaf: usize,
    categorical: usize,
    bitset: usize,
}

impl Fields {
    fn of(records: &Records<'_>, wide: bool) -> Res<Fields> {
        let feature = if wide { (Kind::Int, 8) } else { (Kind::UInt, 4) };
        Ok(Fields {
            value: records.required("value", Kind::Float, 8)?,
            feature: records.required("feature_idx", feature.0, feature.1)?,
            wide,
            threshold: records.required("num_threshold", Kind::Float, 8)?,
            missing_left: records.required("missing_go_to_left", Kind::UInt, 1)?,
            left: records.required("left", Kind::UInt, 4)?,
            right: records.required("right", Kind::UInt, 4)?,
            leaf: records.required("is_leaf", Kind::UInt, 1)?,
            categorical: records.required("is_categorical", Kind::UInt, 1)?,
            bitset: records.required("bitset_idx", Kind::UInt, 4)?,
        })
    }
}

fn bytes<const N: usize>(node: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&node[at..at + N]);
    bytes
}

/// Adds the tree of a `TreePredictor`.
fn add(trees: &mut Trees, predictor: &View<'_>, target: u32, columns: &Numbering) -> Res<()> {
    let nodes_view = predictor.attr("nodes")?;
    let records = nodes_view.records()?;
    let fields = Fields::of(&records, true).or_else(|_| Fields::of(&records, false))?;
    let n = records.bytes.len() / records.itemsize;
    let node = |i: usize| &records.bytes[i * records.itemsize..(i + 1) * records.itemsize];
    if n == 0 {
        return Err(nodes_view.expected("nodes"));
    }
    let u32_at = |i: usize, at: usize| u32::from_le_bytes(bytes(node(i), at)) as usize;
    let feature = |i: usize| match fields.wide {
        true => usize::try_from(i64::from_le_bytes(bytes(node(i), fields.feature))).ok(),
        false => Some(u32_at(i, fields.feature)),
    };
    let is_leaf = |i: usize| node(i)[fields.leaf] != 0;
    let missing_left = |i: usize| node(i)[fields.missing_left] != 0;
    // The sets that nodes split categories by, each node's own.
    let mut sets = HashMap::new();
    let bitsets = predictor.attr("raw_left_cat_bitsets")?;
    for i in (0..n).filter(|i| !is_leaf(*i) && node(*i)[fields.categorical] != 0) {
        let known = feature(i).and_then(|f| columns.known.get(f)).copied().flatten();
        let known =
            known.ok_or_else(|| nodes_view.unsupported(format!("node {i} splits a column without categories")))?;
        let left = bitset(&bitsets, u32_at(i, fields.bitset))?;
        // What is no category goes where NaN goes.
        let unknown_left = missing_left(i) && !columns.encoded;
        let left: Vec<u32> = left.iter().zip(known).map(|(l, k)| if unknown_left { l | !k } else { *l }).collect();
        sets.insert(i, trees.set(&left, &nodes_view)?);
    }
    let branch = |i: usize| {
        let set = sets.get(&i).copied();
        let threshold = || f64::from_le_bytes(bytes(node(i), fields.threshold));
        (!is_leaf(i)).then(|| Branch {
            feature: feature(i).and_then(|f| columns.place.get(f).copied()),
            test: if set.is_some() { Test::In } else { Test::Le },
            threshold: set.map_or_else(threshold, f64::from),
            missing_left: missing_left(i),
            left: Some(u32_at(i, fields.left)),
            right: Some(u32_at(i, fields.right)),
        })
    };
    trees
        .grow(n, Some(target), &nodes_view, branch, |i, out| out.push(f64::from_le_bytes(bytes(node(i), fields.value))))
}

/// A row of the table of sets.
fn bitset(bitsets: &View<'_>, row: usize) -> Res<Categories> {
    let words = bitsets.sizes()?;
    let words = row.checked_mul(8).and_then(|start| words.get(start..start + 8));
    let words = words.ok_or_else(|| bitsets.expected(&format!("a set {row} of 8 words")))?;
    Ok(std::array::from_fn(|i| words[i] as u32))
}
