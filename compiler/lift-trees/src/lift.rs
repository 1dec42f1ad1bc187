//! From bytes to a function of the IR.

use std::collections::BTreeMap;

use flock_ir_spec::{DType, Faults, Frame, Module};

use crate::answer::{self, Answer};
use crate::build::Build;
use crate::inputs::{self, Binding, Feature, Inputs};
use crate::{Res, catboost, lightgbm, xgboost};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// LightGBM's text.
    LightGbm,
    /// XGBoost's JSON or UBJSON.
    XgBoost,
    /// CatBoost's JSON or cbm.
    CatBoost,
}

impl Library {
    /// As shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Library::LightGbm => "LightGBM",
            Library::XgBoost => "XGBoost",
            Library::CatBoost => "CatBoost",
        }
    }
}

/// What the caller decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the columns, in order, for a file that stores none.
    pub columns: Option<Vec<String>>,
    /// What columns of the data hold. Asked only of a category that the model hashes as text: it may be integers or truth
    /// values as well, which the file does not say; without an entry here it is text.
    pub types: BTreeMap<String, DType>,
}

/// How an estimator asks the model that it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedded {
    /// The iterations that it adds up, from the first on; all without it.
    pub iterations: Option<usize>,
    /// As the estimators of scikit-learn's kind ask: XGBoost's add up to the best iteration and call `inplace_predict` in
    /// place of `predict`, which lets infinities through and in which a dart model adds otherwise.
    pub estimator: bool,
}

/// A model that lies within another file.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The module with the function `booster`.
    pub module: Module,
    /// The names of the features, in order.
    pub features: Vec<String>,
    /// The labels of the classes where the model stores them: a row per label.
    pub labels: Option<Frame>,
    /// Whether parameters of text are hashed, and not looked up.
    pub hashes_text: bool,
}

/// What a model of a library is to the lift.
pub(crate) trait Model {
    /// Its features in order.
    fn features(&self) -> Res<Vec<Feature>>;
    /// Builds its scores over the features (numbers are f64, NaN where missing) and what is made of them.
    fn lift(&self, cx: &mut Build, inputs: &Inputs) -> Res<Answer>;
}

/// What the content says that it is; looks at the beginning alone.
pub fn sniff(bytes: &[u8]) -> Option<Library> {
    if lightgbm::sniff(bytes) {
        Some(Library::LightGbm)
    } else if xgboost::sniff(bytes) {
        Some(Library::XgBoost)
    } else if catboost::sniff(bytes) {
        Some(Library::CatBoost)
    } else {
        None
    }
}

fn read<'a>(bytes: &'a [u8], how: &Embedded) -> Res<Box<dyn Model + 'a>> {
    match sniff(bytes) {
        Some(Library::LightGbm) => Ok(Box::new(lightgbm::read(bytes, how)?)),
        Some(Library::XgBoost) => Ok(Box::new(xgboost::read(bytes, how)?)),
        Some(Library::CatBoost) => Ok(Box::new(catboost::read(bytes, how)?)),
        None => Err(crate::damaged("byte 0", "the bytes are no model of LightGBM, XGBoost or CatBoost")),
    }
}

/// Reads a file and lifts it to a module with one function of that name: a parameter per feature, and the columns of the
/// command-line contract.
///
/// # Errors
/// The faults that were found: a damaged file, an objective that is not known, …
pub fn lift(name: &str, bytes: &[u8], options: &Options) -> Result<Module, Faults> {
    let binding = Binding::Names(options.columns.as_deref(), &options.types);
    build(name, bytes, &Embedded::default(), &binding, answer::columns).map(|e| e.module)
}

/// Lifts a model that lies within another file to a module with the one function `booster`: a parameter `x` of f64 (NaN
/// where missing) with a column per feature, or `x0`, `x1`, … where some are categories (f64, `str?` or `bool?`) or text; the
/// outputs `raw`, and `prediction` (a column per target) or `class` (i64) and `probabilities`, for several targets
/// `class_0`, ….
///
/// # Errors
/// As [`lift`].
pub fn embedded(bytes: &[u8], how: &Embedded) -> Result<Embedding, Faults> {
    build("booster", bytes, how, &Binding::Positions, answer::frames)
}

fn build(
    name: &str,
    bytes: &[u8],
    how: &Embedded,
    binding: &Binding<'_>,
    outputs: impl FnOnce(&mut Build, &Answer) -> Res<()>,
) -> Result<Embedding, Faults> {
    let mut cx = Build::new(name);
    let built = (|| {
        let model = read(bytes, how)?;
        let features = model.features()?;
        let inputs = cx.in_step("features", |cx| inputs::bind(cx, &features, binding))?;
        let answer = model.lift(&mut cx, &inputs)?;
        cx.in_step("objective", |cx| outputs(cx, &answer))?;
        let hashes_text = features.iter().any(|f| matches!(f.kind, inputs::Kind::Text));
        Ok((features.into_iter().map(|f| f.name).collect(), answer.labels(), hashes_text))
    })();
    let (features, labels, hashes_text) = built.map_err(|d| vec![d])?;
    Ok(Embedding { module: cx.b.finish()?, features, labels, hashes_text })
}
