//! Estimators of XGBoost, LightGBM and CatBoost: each holds a model in a format of its library, which the caller reads
//! ([`crate::Options::booster`]) into a function; the estimator adds the labels, and what it does to its input.
//!
//! | XGBoost | `_Booster.handle`: UBJSON | up to the best iteration; `missing` is missing beside NaN |
//! | LightGBM | `_Booster._handle`: text | up to `_Booster.best_iteration`, where there is one |
//! | CatBoost | `__model`: cbm | labels are in the model |
//!
//! None of them refuses a NaN or an infinity.
//! Source: xgboost `sklearn.py`, `core.py`; lightgbm `sklearn.py`, `basic.py`; catboost `core.py`.

use std::collections::HashMap;

use flock_ir_spec::{Attr, DType, Diagnostic, Faults, Frame, FrameType, Module, NodeId, Op};

use crate::columns::{Columns, Kind};
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Options, public_name};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

type Res<T> = Result<T, Diagnostic>;

/// A model of another library, in a format of that library.
#[derive(Clone, Copy, Debug)]
pub struct BoosterFile<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The iterations that its estimator adds up, where it says how many.
    pub iterations: Option<usize>,
}

/// Such a model, read.
#[derive(Clone, Debug)]
pub struct Booster {
    /// A module with one function: a parameter `x` of f64 with a column per feature (NaN where missing), or a parameter per
    /// feature; the outputs `prediction` (a column per target), or `class` (i64) and `probabilities`, or these for several
    /// targets (`class_0`, …); and `raw`.
    pub module: Module,
    /// The names of the features, in order.
    pub features: Vec<String>,
    /// The labels of the classes where the model stores them: a row per label.
    pub labels: Option<Frame>,
    /// Whether parameters of text are hashed: integers and truth values then stand for their digits.
    pub hashes_text: bool,
}

/// Reads a model.
pub type ReadBooster = fn(&BoosterFile<'_>) -> Result<Booster, Faults>;

/// Whether the object is an estimator that holds such a model.
pub(crate) fn is_one(view: &View<'_>) -> bool {
    let class = view.class().map(|c| public_name(&c)).unwrap_or_default();
    ["xgboost.", "lightgbm.", "catboost."].iter().any(|library| class.starts_with(library))
}

/// The names of the columns that the estimator was fitted on, `x0 … xn` for an unnamed array, or those that are given.
pub(crate) fn names(view: &View<'_>, options: &Options) -> Result<Vec<String>, Faults> {
    let own = read(view, options.booster)?.features;
    let unnamed = own.iter().enumerate().all(|(i, n)| *n == format!("Column_{i}") || *n == format!("x{i}"));
    match &options.columns {
        None if unnamed => Ok((0..own.len()).map(|i| format!("x{i}")).collect()),
        None => Ok(own),
        Some(given) if unnamed && given.len() == own.len() => Ok(given.clone()),
        Some(given) => {
            let message = match unnamed {
                true => format!("the model was fitted on {} columns, {} are named", own.len(), given.len()),
                false => "the model names its columns itself; `--columns` is for one that does not".into(),
            };
            Err(vec![Diagnostic::new("flock::lift::columns", view.path(), message)])
        }
    }
}

/// The model within an estimator.
fn read(view: &View<'_>, reader: Option<ReadBooster>) -> Result<Booster, Faults> {
    let found = file(view).map_err(|d| vec![d])?;
    let Some(reader) = reader else {
        return Err(vec![view.unsupported("a model of another library, which nobody was named to read")]);
    };
    // Places within the model stand behind that of the estimator.
    let place = |d: Diagnostic| Diagnostic { place: format!("{}: {}", view.path(), d.place), ..d };
    reader(&found).map_err(|faults| faults.into_iter().map(place).collect())
}

fn file<'a>(view: &View<'a>) -> Res<BoosterFile<'a>> {
    let bytes = |v: View<'a>| v.bytes().ok_or_else(|| v.expected("a saved model"));
    if view.get("__model").is_some() {
        return Ok(BoosterFile { bytes: bytes(view.attr("__model")?)?, iterations: None });
    }
    let booster = view.attr("_Booster")?;
    if let Some(handle) = booster.get("_handle") {
        let best = booster.get("best_iteration").and_then(|b| b.int().ok()).filter(|b| *b > 0);
        return Ok(BoosterFile { bytes: bytes(handle)?, iterations: best.map(|b| b as usize) });
    }
    Ok(BoosterFile { bytes: bytes(booster.attr("handle")?)?, iterations: None })
}

/// The outputs of a model on the columns, by name.
struct Outputs {
    nodes: HashMap<String, NodeId>,
    labels: Option<Frame>,
}

fn outputs(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<Outputs> {
    let booster = match read(view, cx.define.booster) {
        Ok(booster) => booster,
        Err(mut faults) => {
            let last = faults.pop().unwrap_or_else(|| view.unsupported("a model that cannot be read"));
            faults.into_iter().for_each(|f| cx.report(f));
            return Err(last);
        }
    };
    if booster.features.len() != input.width() {
        let message = format!("fitted on {} columns, the steps before give {}", booster.features.len(), input.width());
        return Err(Diagnostic::new("flock::lift::width", view.path(), message));
    }
    cx.settle(input)?;
    let function = booster.module.functions.first().ok_or_else(|| view.unsupported("a model without a function"))?;
    let missing = view.get("missing").map(|m| m.f64()).transpose()?.filter(|m| !m.is_nan());
    let mut arguments = Vec::new();
    match function.params.as_slice() {
        [only] if only.ty.width as usize == input.width() && &*only.name == "x" => {
            let x = cx.numbers(input, view)?;
            arguments.push(without(cx, x, missing)?);
        }
        params => {
            for (column, param) in cx.split(input)?.into_iter().zip(params) {
                let wanted = Kind::of(param.ty.dtype);
                if wanted == Kind::Text && booster.hashes_text {
                    let text = cx.text_to_hash(&column, view)?;
                    let fault =
                        || view.unsupported(format!("numbers where `{}` is a category: it refuses floats", param.name));
                    arguments.push(text.ok_or_else(fault)?);
                    continue;
                }
                let (node, kind) = cx.single(&column, wanted, view)?;
                if kind != wanted {
                    let message = format!("a column of {} where the model takes {}", kind.name(), wanted.name());
                    return Err(view.unsupported(message));
                }
                arguments.push(if wanted == Kind::Number { without(cx, node, missing)? } else { node });
            }
        }
    }
    let nodes = cx.inlined(&booster.module, function, &arguments, view)?;
    let names = function.outputs.iter().map(|o| o.name.to_string());
    Ok(Outputs { nodes: names.zip(nodes).collect(), labels: booster.labels })
}

/// XGBoost's `missing`: a value that is NaN to the model. It is compared as float32.
fn without(cx: &mut Lift, x: NodeId, missing: Option<f64>) -> Res<NodeId> {
    let Some(missing) = missing else { return Ok(x) };
    let ty = cx.frame_type(x);
    let single = cx.op_with(Op::Cast, Attr::Type(ty.with_dtype(DType::F32)), &[x])?;
    let value = cx.b.constant(Frame::row_f32([missing as f32]));
    let hit = cx.op(Op::Eq, &[single, value])?;
    let nan = cx.b.constant(Frame::row_f64([f64::NAN]));
    cx.op(Op::Select, &[hit, nan, x])
}

/// A regressor or a ranker.
pub(crate) fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let outputs = outputs(cx, view, &input)?;
    match outputs.nodes.get("prediction") {
        Some(node) => Ok(Lifted::Prediction(Prediction::Numbers(*node))),
        None => Err(view.unsupported("a regressor whose model is one of classes")),
    }
}

/// A classifier. The labels are the estimator's, else the model's, else 0, 1, ….
pub(crate) fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let outputs = outputs(cx, view, &input)?;
    let node = |name: &str| outputs.nodes.get(name).copied();
    if node("class_0").is_some() {
        return several(cx, view, &outputs).map(Lifted::Prediction);
    }
    let (index, probabilities) = match (node("class"), node("probabilities"), node("prediction")) {
        (Some(index), Some(probabilities), _) => (index, probabilities),
        // Two classes by the sign of a margin: the label is the probability, too.
        (Some(index), None, _) => {
            let ty = cx.frame_type(index).with_dtype(DType::F64);
            let p = cx.op_with(Op::Cast, Attr::Type(ty), &[index])?;
            (index, cx.both_probabilities(p)?)
        }
        // An objective of regression: its number is taken for the probability of the second class.
        (None, _, Some(p)) if cx.width(p) == 1 => (above_a_half(cx, p)?, cx.both_probabilities(p)?),
        _ => return Err(view.unsupported("a classifier whose model gives several numbers and no classes")),
    };
    let labels = labels(view, outputs.labels, cx.width(probabilities))?;
    let label = cx.label_at(&labels, index)?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).alone()))
}

/// Several labels of which each may hold.
fn several(cx: &mut Lift, view: &View<'_>, outputs: &Outputs) -> Res<Prediction> {
    let node = |name: String| outputs.nodes.get(&name).copied();
    let mut targets = Vec::new();
    while let Some(index) = node(format!("class_{}", targets.len())) {
        let probabilities = node(format!("probabilities_{}", targets.len()));
        let probabilities = probabilities.ok_or_else(|| view.unsupported("targets without probabilities"))?;
        let labels = Labels::numbers(2);
        let label = cx.label_at(&labels, index)?;
        targets.push(Classes::new(labels, label).with_probabilities(probabilities));
    }
    Ok(Prediction::Classes(targets))
}

fn above_a_half(cx: &mut Lift, p: NodeId) -> Res<NodeId> {
    let above = cx.with_row(Op::Gt, p, vec![0.5])?;
    let ty = FrameType { dtype: DType::I64, ..cx.frame_type(above) };
    cx.op_with(Op::Cast, Attr::Type(ty), &[above])
}

fn labels(view: &View<'_>, stored: Option<Frame>, classes: usize) -> Res<Labels> {
    let own = ["_classes", "classes_"].iter().find_map(|name| view.get(name).filter(|v| !v.is_none()));
    let labels = match (own, stored) {
        (Some(own), _) => Labels::of(&own)?,
        (None, Some(table)) => Labels::stored(table),
        (None, None) => Labels::numbers(classes),
    };
    match labels.len() {
        n if n == classes => Ok(labels),
        n => Err(view.unsupported(format!("{n} labels for {classes} classes"))),
    }
}
