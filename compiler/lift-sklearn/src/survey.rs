//! Which estimators a file holds and what each does in it: what the page of coverage is made of.

use flock_ir_spec::{DType, Faults, Module};

use crate::lift::{Lift, Lifted, Options, lift_and_note, public_name};
use crate::prediction::Prediction;
use crate::read::view::View;

/// What an estimator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// A classifier of one class: what is left of one that was trained on a single label.
    OneClass,
    /// A classifier of two classes.
    Binary,
    /// A classifier of several classes.
    Multiclass,
    /// Several targets.
    MultiOutput,
    /// One number.
    Regression,
    /// Inlier or outlier.
    Outliers,
    /// The number of a cluster.
    Clusters,
    /// Columns for the next step.
    Transform,
}

impl Task {
    /// As the page of coverage names it.
    pub fn name(self) -> &'static str {
        match self {
            Task::OneClass => "one class",
            Task::Binary => "binary",
            Task::Multiclass => "multiclass",
            Task::MultiOutput => "multi-output",
            Task::Regression => "regression",
            Task::Outliers => "outliers",
            Task::Clusters => "clusters",
            Task::Transform => "transform",
        }
    }
}

/// An estimator that a lift met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// Its step, as nodes of the function name it; empty for the whole file.
    pub step: String,
    /// Its class, by the name that users import.
    pub class: String,
    /// What it does; nothing where it was refused and does not say.
    pub tasks: Vec<Task>,
    /// Whether it was lifted.
    pub lifted: bool,
}

/// The estimators of a file, inner ones before outer ones, and what the file lifts to.
pub fn survey(name: &str, bytes: &[u8], options: &Options) -> (Vec<Surveyed>, Result<Module, Faults>) {
    let mut seen = Vec::new();
    let module = lift_and_note(name, bytes, options, &mut seen);
    (seen, module)
}

impl Surveyed {
    pub(crate) fn lifted(cx: &Lift, view: &View<'_>, step: String, lifted: &Lifted) -> Option<Surveyed> {
        let tasks = match lifted {
            Lifted::Columns(_) => vec![Task::Transform],
            Lifted::Prediction(prediction) => vec![task(cx, prediction)],
            Lifted::Both(prediction, _) => vec![task(cx, prediction), Task::Transform],
        };
        Some(Surveyed { step, class: public_name(&view.class()?), tasks, lifted: true })
    }

    pub(crate) fn refused(view: &View<'_>, step: String) -> Option<Surveyed> {
        let class = public_name(&view.class()?);
        let tasks = view.get("classes_").map(|classes| of_labels(&classes));
        Some(Surveyed { step, class, tasks: tasks.into_iter().collect(), lifted: false })
    }
}

fn task(cx: &Lift, prediction: &Prediction) -> Task {
    match prediction {
        Prediction::Outliers { .. } => Task::Outliers,
        Prediction::Numbers(node) if cx.frame_type(*node).dtype == DType::I64 => Task::Clusters,
        Prediction::Numbers(node) if cx.width(*node) == 1 => Task::Regression,
        Prediction::Numbers(_) => Task::MultiOutput,
        Prediction::Classes(targets) => match targets.as_slice() {
            [target] if target.components => Task::Clusters,
            [target] => of_count(target.labels.len()),
            _ => Task::MultiOutput,
        },
    }
}

/// What the attribute `classes_` of a classifier says: an array of labels, or one per target.
fn of_labels(classes: &View<'_>) -> Task {
    match classes.shape() {
        Ok(shape) if classes.element_kind().is_some() => of_count(shape.first().copied().unwrap_or(0)),
        _ => Task::MultiOutput,
    }
}

fn of_count(labels: usize) -> Task {
    match labels {
        0 | 1 => Task::OneClass,
        2 => Task::Binary,
        _ => Task::Multiclass,
    }
}
