//! The model's features: the numbers as one frame of f64, NaN where one is missing, and text by itself.

use std::collections::{BTreeMap, HashSet};

use flock_ir_spec::{DType, Data, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::build::Build;
use crate::{Res, damaged, unsupported};

/// A feature of a model.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    /// As the file stores it.
    pub name: String,
    /// What its column holds.
    pub kind: Kind,
}

/// What the column of a feature holds.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A number.
    Number,
    /// Text that the model hashes; a missing one refuses the row.
    Text,
    /// A category out of a list, which becomes its position.
    Category {
        /// One row of values without nulls.
        values: Frame,
        /// What a value is that is none of them.
        unknown: Unknown,
    },
}

/// What a value is that is no known category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Missing.
    Missing,
    /// The library refuses the row.
    Refused,
}

/// How the columns of the data are named.
pub(crate) enum Binding<'a> {
    /// A parameter per feature, by its name or by those that the caller gives, and what the data are said to hold.
    Names(Option<&'a [String]>, &'a BTreeMap<String, DType>),
    /// One parameter `x` of all features, or `x0`, `x1`, … where one is a category: for a caller that has the columns.
    Positions,
}

/// The features as nodes.
pub(crate) struct Inputs {
    /// The features that are numbers, in their order.
    numbers: Option<NodeId>,
    /// Those that are text, in their order; never null.
    pub texts: Vec<NodeId>,
}

impl Inputs {
    /// The frame of numbers; there are any unless all features are text.
    pub fn numbers(&self) -> Res<NodeId> {
        self.numbers.ok_or_else(|| damaged("features", "a model that asks for numbers and has none"))
    }
}

/// More columns than a table has in any database.
pub(crate) const MAX_FEATURES: usize = 100_000;

/// The parameters.
pub(crate) fn bind(cx: &mut Build, features: &[Feature], binding: &Binding<'_>) -> Res<Inputs> {
    if features.is_empty() || features.len() > MAX_FEATURES {
        return Err(damaged("features", format!("a model of {} features", features.len())));
    }
    let names = match binding {
        Binding::Positions if features.iter().all(|f| matches!(f.kind, Kind::Number)) => {
            let ty = FrameType::new(DType::F64, features.len() as u32);
            return Ok(Inputs { numbers: Some(parameter(cx, "x", ty)?), texts: Vec::new() });
        }
        Binding::Positions => positions(features.len()),
        Binding::Names(Some(given), _) => given_names(features, given)?,
        Binding::Names(None, _) => features.iter().map(|f| f.name.clone()).collect(),
    };
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|n| !seen.insert(n.as_str())) {
        return Err(Diagnostic::new("flock::lift::columns", "features", format!("two features are named `{twice}`")));
    }
    let mut frames = Vec::new();
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    for (name, feature) in names.iter().zip(features) {
        match &feature.kind {
            Kind::Number => {
                let nullable = matches!(binding, Binding::Names(..));
                numbers.push(parameter(cx, name, FrameType::new(DType::F64, 1).with_nulls(nullable))?);
            }
            Kind::Text => {
                let said = if let Binding::Names(_, types) = binding { types.get(name) } else { None };
                texts.push(text(cx, name, said.copied())?);
            }
            Kind::Category { values, unknown } => {
                flush(cx, &mut numbers, &mut frames)?;
                let nullable = matches!(binding, Binding::Names(..));
                frames.push(category(cx, name, nullable, (values, *unknown))?);
            }
        }
    }
    flush(cx, &mut numbers, &mut frames)?;
    let numbers = if frames.is_empty() { None } else { Some(cx.side_by_side(&frames)?) };
    Ok(Inputs { numbers, texts })
}

/// A column of text. Integers stand for their digits, and truth values for 1 and 0.
fn text(cx: &mut Build, name: &str, said: Option<DType>) -> Res<NodeId> {
    let dtype = said.filter(|d| matches!(d, DType::I64 | DType::Bool)).unwrap_or(DType::Str);
    let column = parameter(cx, name, FrameType::new(dtype, 1).nullable())?;
    let missing = cx.op(Op::IsNull, &[column])?;
    let there = cx.op(Op::Not, &[missing])?;
    cx.refuse_unless(there)?;
    let column = if dtype == DType::Bool { cx.cast(column, DType::I64)? } else { column };
    let column = cx.cast(column, DType::Str)?;
    cx.or_else(column, Frame::row_str([""]))
}

/// `x0`, `x1`, …
pub(crate) fn positions(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("x{i}")).collect()
}

fn given_names(features: &[Feature], given: &[String]) -> Res<Vec<String>> {
    let fault = |message| Diagnostic::new("flock::lift::columns", "features", message);
    let automatic = |(i, f): (usize, &Feature)| f.name == format!("x{i}") || f.name == format!("Column_{i}");
    if !features.iter().enumerate().all(automatic) {
        return Err(fault("the model names its columns itself; `--columns` is for one that does not".into()));
    }
    if given.len() != features.len() {
        return Err(fault(format!("the model has {} features, {} columns are named", features.len(), given.len())));
    }
    Ok(given.to_vec())
}

fn parameter(cx: &mut Build, name: &str, ty: FrameType) -> Res<NodeId> {
    cx.b.input(name, ty)
        .map_err(|found| damaged("features", format!("column `{name}` is {ty} here and {found} elsewhere")))
}

/// Numbers that stand side by side become one frame, null or NaN alike NaN.
fn flush(cx: &mut Build, numbers: &mut Vec<NodeId>, frames: &mut Vec<NodeId>) -> Res<()> {
    if !numbers.is_empty() {
        let all = cx.side_by_side(numbers)?;
        frames.push(cx.or_else(all, Frame::row_f64([f64::NAN]))?);
        numbers.clear();
    }
    Ok(())
}

/// The position of the value among the categories; NaN for a missing one.
fn category(cx: &mut Build, name: &str, nullable: bool, (values, unknown): (&Frame, Unknown)) -> Res<NodeId> {
    let dtype = match values.data {
        Data::Str(_) => DType::Str,
        Data::Bool(_) => DType::Bool,
        Data::F64(_) => DType::F64,
        Data::I64(_) | Data::F32(_) => return Err(unsupported("features", format!("categories of `{name}`"))),
    };
    let ty = FrameType::new(dtype, 1).with_nulls(nullable || dtype != DType::F64);
    let column = parameter(cx, name, ty)?;
    let known = cx.b.constant(values.clone());
    let index = cx.op(Op::IndexOf, &[column, known])?;
    let number = cx.cast(index, DType::F64)?;
    let number = cx.or_else(number, Frame::row_f64([f64::NAN]))?;
    let number = match dtype {
        // A missing number is NaN, which is none of the values.
        DType::F64 => {
            let column = cx.or_else(column, Frame::row_f64([f64::NAN]))?;
            let missing = cx.op(Op::IsNan, &[column])?;
            let nan = cx.number(f64::NAN);
            cx.op(Op::Select, &[missing, nan, number])?
        }
        _ => number,
    };
    let is_unknown = cx.with(Op::Eq, number, -1.0)?;
    match unknown {
        Unknown::Missing => {
            let nan = cx.number(f64::NAN);
            cx.op(Op::Select, &[is_unknown, nan, number])
        }
        Unknown::Refused => {
            let known = cx.op(Op::Not, &[is_unknown])?;
            cx.refuse_unless(known)?;
            Ok(number)
        }
    }
}
