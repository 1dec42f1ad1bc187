//! What a file holds, for people: its steps, classes and versions. Reads more than can be lifted.

use flock_ir_spec::Diagnostic;

use crate::lift::{lifter_of, public_name};
use crate::read::{self, Writer, view::View};

/// A pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The compression, as joblib names it; `none` where there is none.
    pub compression: &'static str,
    /// What wrote it.
    pub writer: Writer,
    /// The steps, outer ones before inner ones.
    pub steps: Vec<Step>,
}

/// One estimator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its path: `steps.features.transformers.num`.
    pub path: String,
    /// Its class by the name that users import.
    pub class: String,
    /// The scikit-learn version that fitted it, if it says so.
    pub version: Option<String>,
    /// The number of columns that it was fitted on, if it says so.
    pub features: Option<usize>,
    /// Whether there is a lifter for the class.
    pub supported: bool,
}

/// More steps than anybody reads.
const MAX_STEPS: usize = 1_000;

/// Describes a `.joblib`, `.pkl` or `.skops` file. The steps of pipelines, column transformers and unions are listed one by one.
///
/// # Errors
/// A file that cannot be read, or one that holds no estimator.
pub fn describe(bytes: &[u8]) -> Result<Description, Diagnostic> {
    let document = read::read(bytes)?;
    let root = document.view();
    if root.class().is_none() {
        return Err(root.expected("a fitted estimator"));
    }
    let mut steps = Vec::new();
    let mut stack = vec![root];
    while let Some(view) = stack.pop() {
        if steps.len() == MAX_STEPS {
            break;
        }
        let Some(class) = view.class() else { continue };
        steps.push(Step {
            path: view.path().into(),
            class: public_name(&class),
            version: view.get("_sklearn_version").and_then(|v| v.text().ok()),
            features: view.get("n_features_in_").and_then(|n| n.size().ok()),
            supported: lifter_of(&view).is_ok(),
        });
        stack.extend(parts(&view).into_iter().rev());
    }
    Ok(Description { compression: document.compression.name(), writer: document.writer, steps })
}

/// The estimators that a step is made of.
fn parts<'a>(view: &View<'a>) -> Vec<View<'a>> {
    let named = |list: &str, label: &str| -> Vec<View<'a>> {
        let items = view.get(list).and_then(|l| l.items().ok()).unwrap_or_default();
        let part = |item: &View<'a>| {
            let item = item.items().ok()?;
            let name = item.first()?.str()?;
            Some(item.get(1)?.at(view.join(&format!("{label}.{name}"))))
        };
        items.iter().filter_map(part).collect()
    };
    let mut parts = named("steps", "steps");
    parts.extend(named("transformers_", "transformers"));
    parts.extend(named("transformer_list", "transformer_list"));
    parts.extend(members(view));
    parts
}

/// What an estimator around others holds; the trees of forests are no steps.
fn members<'a>(view: &View<'a>) -> Vec<View<'a>> {
    let fitted = |v: &View<'a>| v.class().is_some() && v.get("tree_").is_none();
    let mut members: Vec<View<'a>> = match view.get("estimators_").and_then(|l| l.items().ok()) {
        Some(list) => list,
        None => ["estimator_", "base_estimator_"].iter().filter_map(|name| view.get(name)).collect(),
    };
    let calibrated = view.get("calibrated_classifiers_").and_then(|l| l.items().ok()).unwrap_or_default();
    members.extend(calibrated.iter().filter_map(|c| c.get("estimator")));
    let one = ["best_estimator_", "regressor_", "transformer_", "final_estimator_"];
    members.extend(one.iter().filter_map(|name| view.get(name)));
    members.retain(fitted);
    members
}
