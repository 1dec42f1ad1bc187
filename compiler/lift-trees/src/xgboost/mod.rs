//! XGBoost's JSON and UBJSON files.
//!
//! | `learner_model_param` | `num_feature`, `num_class`, `num_target`, `base_score` (text: a number or a list) |
//! | `gradient_booster` | `gbtree`, `dart` (trees, `weight_drop`), `gblinear` (`weights`) |
//! | `objective` | `name` | | `feature_names`, `feature_types` | what the columns are |
//!
//! Features, leaves and sums are float32: the base and then the trees in their order. `predict` refuses a row with an
//! infinite value (as float32); `inplace_predict`, which the estimators of scikit-learn's kind call, takes it.
//! Source: XGBoost `learner.cc`, `gbm/`, `predictor/cpu_predictor.cc`, `predictor/predict_fn.h`, `data/data.cc`.

mod categories;
mod linear;
mod objective;
mod tree;

use flock_ir_spec::{DType, NodeId, Op};

use crate::answer::Answer;
use crate::build::Build;
use crate::derived::Derived;
use crate::forest::Forest;
use crate::inputs::{Feature, Inputs};
use crate::lift::{Embedded, Model};
use crate::value::Value;
use crate::{Res, damaged, json, ubjson, unsupported};

use objective::Objective;

/// Whether the bytes begin as the library's files do.
pub(crate) fn sniff(bytes: &[u8]) -> bool {
    let head = bytes[..bytes.len().min(4096)].trim_ascii_start();
    match head {
        [b'{', rest @ ..] => {
            let json = rest.trim_ascii_start().starts_with(b"\"");
            let has = |word: &[u8]| rest.windows(word.len()).any(|w| w == word);
            if json { has(b"\"learner\"") } else { rest.iter().take(24).all(|b| *b != b'"') && has(b"learner") }
        }
        _ => false,
    }
}

/// A file that was read.
pub(crate) struct XgBoost<'a> {
    root: Value<'a>,
    /// The iterations that are added up.
    iterations: Option<usize>,
    /// Whether rows go through `inplace_predict`.
    inplace: bool,
}

/// Reads a file of either format.
pub(crate) fn read<'a>(bytes: &'a [u8], how: &Embedded) -> Res<XgBoost<'a>> {
    let is_json = bytes.trim_ascii_start().get(1..).is_some_and(|b| b.trim_ascii_start().starts_with(b"\""));
    let root = if is_json { json::parse(bytes, json::Width::F32) } else { ubjson::parse(bytes) };
    let mut root = root.map_err(|e| damaged("file", e))?;
    // A pickled booster holds the model beside the configuration that it was trained under.
    if let Some(Value::Object(entries)) = root.get("Model") {
        root = Value::Object(entries.clone());
    }
    let mut model = XgBoost { root, iterations: how.iterations, inplace: false };
    // An estimator asks a linear model as `predict` does, and for all of it.
    if how.estimator && model.text(&["gradient_booster", "name"])? != "gblinear" {
        model.inplace = true;
        let best = model.text(&["attributes", "best_iteration"]).ok().and_then(|b| b.parse::<usize>().ok());
        model.iterations = how.iterations.or(best.map(|b| b.saturating_add(1)));
    }
    match model.root.get("version").and_then(Value::numbers).and_then(|v| v.get(0)) {
        Some(major) if (1.0..4.0).contains(&major) => Ok(model),
        found => Err(unsupported("version", format!("a model of version {found:?}; 1 to 3 are known"))),
    }
}

/// More outputs than anybody predicts.
const MAX_OUTPUTS: usize = 100_000;

/// The least double that rounds to an infinite float32: halfway between the largest float32 and 2^128.
const F32_OVERFLOW: f64 = 3.402_823_567_797_336_6e38;

impl Model for XgBoost<'_> {
    fn features(&self) -> Res<Vec<Feature>> {
        categories::features(self)
    }

    fn lift(&self, cx: &mut Build, inputs: &Inputs) -> Res<Answer> {
        let x = inputs.numbers()?;
        let objective = Objective::named(self.text(&["objective", "name"])?)?;
        let outputs = self.outputs()?;
        let base = objective::margins(objective, self.base(outputs)?);
        if !self.inplace {
            cx.in_step("features", |cx| refuse_infinite(cx, x))?;
        }
        let raw = match self.text(&["gradient_booster", "name"])? {
            "gblinear" => cx.in_step("linear", |cx| linear::scores(cx, self, x, &base))?,
            "gbtree" | "dart" => cx.in_step("trees", |cx| self.trees(cx, x, &base))?,
            other => return Err(unsupported("learner.gradient_booster.name", format!("the booster `{other}`"))),
        };
        cx.in_step("objective", |cx| objective::apply(cx, objective, raw, self.classes()?))
    }
}

impl<'a> XgBoost<'a> {
    /// What stands in `learner` at the end of a path.
    fn at(&self, path: &[&str]) -> Res<&Value<'a>> {
        let found = self.root.get("learner").and_then(|l| l.at(path));
        found.ok_or_else(|| damaged(format!("learner.{}", path.join(".")), "is not there"))
    }

    fn text(&self, path: &[&str]) -> Res<&str> {
        self.at(path)?.text().ok_or_else(|| damaged(format!("learner.{}", path.join(".")), "is no text"))
    }

    /// A parameter of the model: a number as text; `default` where the version has none.
    fn parameter(&self, name: &str, default: usize) -> Res<usize> {
        let path = ["learner_model_param", name];
        if self.at(&path).is_err() {
            return Ok(default);
        }
        let text = self.text(&path)?;
        text.parse().map_err(|_| damaged(format!("learner.{}", path.join(".")), "is no size"))
    }

    fn classes(&self) -> Res<usize> {
        self.parameter("num_class", 0)
    }

    /// Scores per row.
    fn outputs(&self) -> Res<usize> {
        match self.classes()?.max(self.parameter("num_target", 1)?).max(1) {
            n if n <= MAX_OUTPUTS => Ok(n),
            n => Err(unsupported("learner.learner_model_param", format!("{n} outputs"))),
        }
    }

    /// `base_score` as it stands in the file, one per output.
    fn base(&self, outputs: usize) -> Res<Vec<f32>> {
        let text = self.text(&["learner_model_param", "base_score"])?;
        let words = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']).split(',');
        let parsed: Result<Vec<f32>, _> = words.map(|w| w.trim().parse::<f32>()).collect();
        match parsed.as_deref() {
            Ok([one]) if one.is_finite() => Ok(vec![*one; outputs]),
            Ok(many) if many.len() == outputs && many.iter().all(|b| b.is_finite()) => Ok(many.to_vec()),
            _ => {
                Err(damaged("learner.learner_model_param.base_score", format!("no base for each of {outputs} outputs")))
            }
        }
    }

    fn trees(&self, cx: &mut Build, x: NodeId, base: &[f32]) -> Res<NodeId> {
        let features = cx.width(x);
        let mut derived = Derived::new(features);
        let mut forest = Forest::new(base.iter().map(|b| f64::from(*b)).collect(), DType::F32, DType::F32);
        let trees = tree::Trees::of(self)?;
        for i in 0..trees.len(self.iterations)? {
            trees.add(i, &mut forest, &mut derived, (features, base, self.inplace))?;
        }
        let placed = derived.place(cx, x, 0.0, category)?;
        let ensemble = forest.finish(&placed).map_err(|e| damaged("learner.gradient_booster", e))?;
        let ensemble = cx.b.constant(ensemble);
        cx.op(Op::Trees, &[placed.frame, ensemble])
    }
}

fn refuse_infinite(cx: &mut Build, x: NodeId) -> Res<()> {
    let size = cx.op(Op::Abs, &[x])?;
    let beyond = cx.with(Op::Ge, size, F32_OVERFLOW)?;
    let fits = cx.op(Op::Not, &[beyond])?;
    cx.refuse_unless(fits)
}

/// The value as float32, cut to an integer; what is negative stays so, even above -1, and is no category.
fn category(cx: &mut Build, x: NodeId) -> Res<NodeId> {
    let single = cx.cast(x, DType::F32)?;
    let x = cx.cast(single, DType::F64)?;
    cx.op(Op::Floor, &[x])
}
