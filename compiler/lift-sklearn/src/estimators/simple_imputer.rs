//! `SimpleImputer`: a statistic of the training data, or a constant, in place of what is missing.
//!
//! | `missing_values` | NaN, None, `pandas.NA`, a number or a text |
//! | `statistics_` | [k], numbers or text; NaN where the column was empty, which drops it unless `keep_empty_features` |
//! | `indicator_.features_` | positions of the columns whose missing flags follow, with `add_indicator` |
//!
//! With NaN for missing, infinities are refused; else NaN is refused as well. Source: scikit-learn `impute/_base.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::columns::{Columns, Facts, Kind};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.impute.SimpleImputer",
    reads: &[
        "missing_values",
        "strategy",
        "add_indicator",
        "keep_empty_features",
        "statistics_",
        "indicator_",
        "_fill_dtype",
    ],
    ignores: &["fill_value", "copy", "verbose", "_fit_dtype"],
    lift,
};

/// A run of neighbouring columns that are imputed alike.
struct Run {
    kind: Kind,
    columns: Vec<usize>,
    fill: Vec<Plain>,
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let missing = view.attr("missing_values")?;
    let marker = missing.plain()?;
    let statistics = view.attr("statistics_")?.plains()?;
    if statistics.len() != input.width() {
        return Err(view.expected(&format!("statistics for {} columns", input.width())));
    }
    let kept = kept(view, &statistics)?;
    let indicated = indicated(view)?;
    let mut out = Columns::none();
    for run in runs(&statistics, &kept) {
        let columns = cx.select(&input, &run.columns)?;
        out.append(imputed(cx, view, columns, &run, &marker)?);
    }
    let dropped: Vec<usize> = (0..statistics.len()).filter(|i| !kept[*i]).collect();
    if !dropped.is_empty() {
        let dropped = cx.select(&input, &dropped)?;
        cx.settle(&dropped)?;
    }
    for i in indicated {
        out.append(flag(cx, view, &input, i, &statistics, &marker)?);
    }
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}

/// Which columns stay: those with a statistic, and before 1.8 all of them where the strategy is `constant`.
fn kept(view: &View<'_>, statistics: &[Plain]) -> Result<Vec<bool>, Diagnostic> {
    let constant = view.attr("strategy")?.str() == Some("constant") && Version::of(view)? < Version(1, 8);
    let all = constant || view.attr("keep_empty_features")?.bool()?;
    Ok(statistics.iter().map(|s| all || !is_nan(s)).collect())
}

fn indicated(view: &View<'_>) -> Result<Vec<usize>, Diagnostic> {
    if !view.attr("add_indicator")?.bool()? {
        return Ok(Vec::new());
    }
    view.attr("indicator_")?.attr("features_")?.sizes()
}

fn is_nan(plain: &Plain) -> bool {
    matches!(plain, Plain::Float(f) if f.is_nan())
}

/// What a column with that statistic holds.
fn kind(statistic: &Plain) -> Kind {
    match statistic {
        Plain::Str(_) => Kind::Text,
        Plain::Bool(_) => Kind::Bool,
        _ => Kind::Number,
    }
}

fn runs(statistics: &[Plain], kept: &[bool]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (i, statistic) in statistics.iter().enumerate().filter(|(i, _)| kept[*i]) {
        let kind = kind(statistic);
        match runs.last_mut() {
            Some(run) if run.kind == kind && kind == Kind::Number => {
                run.columns.push(i);
                run.fill.push(statistic.clone());
            }
            _ => runs.push(Run { kind, columns: vec![i], fill: vec![statistic.clone()] }),
        }
    }
    runs
}

fn imputed(
    cx: &mut Lift,
    view: &View<'_>,
    columns: Columns,
    run: &Run,
    marker: &Plain,
) -> Result<Columns, Diagnostic> {
    let names = columns.names.clone();
    if run.kind != Kind::Number {
        let (x, kind) = cx.single(&columns, run.kind, view)?;
        if kind != run.kind && !columns.is_unknown() {
            let message = format!("the statistic is {}, the column is {}", run.kind.name(), kind.name());
            return Err(Diagnostic::new("flock::lift::column_type", view.path(), message));
        }
        let node = imputed_words(cx, view, x, &run.fill[0], marker)?;
        return Ok(Columns::node(node, 1, Facts { nan: false, big: false, ..Facts::CODES }, names));
    }
    super::refuse_single(&columns, view)?;
    let fill = fill(view, &run.fill)?;
    let x = cx.numbers(&columns, view)?;
    let (pending, missing) = match marker {
        Plain::None | Plain::Na => (cx.refuse_infinity_later(&columns, x)?, cx.op(Op::IsNan, &[x])?),
        p if is_nan(p) => (cx.refuse_infinity_later(&columns, x)?, cx.op(Op::IsNan, &[x])?),
        p => {
            let value = p.number().ok_or_else(|| view.unsupported("text for a missing number"))?;
            cx.refuse_non_finite(&columns, view)?;
            (None, cx.with_row(Op::Eq, x, vec![value])?)
        }
    };
    let facts = columns.facts();
    let facts = Facts { nan: facts.nan && !marks_nan(marker) || fill.iter().any(|f| f.is_nan()), ..facts };
    let fill = cx.b.constant(Frame::row_f64(fill));
    let node = cx.op(Op::Select, &[missing, fill, x])?;
    // A number in place of another changes nothing of which infinities are there.
    Ok(Columns::node(node, run.columns.len(), facts, names).with_pending(pending))
}

fn marks_nan(marker: &Plain) -> bool {
    matches!(marker, Plain::None | Plain::Na) || is_nan(marker)
}

/// The statistics, in the dtype that the library casts them to.
fn fill(view: &View<'_>, statistics: &[Plain]) -> Result<Vec<f64>, Diagnostic> {
    let single = view.get("_fill_dtype").is_some_and(|d| d.is_float32());
    let value = |p: &Plain| {
        let value = p.number().ok_or_else(|| view.unsupported("a statistic that is not a number"))?;
        Ok(if single { f64::from(value as f32) } else { value })
    };
    statistics.iter().map(value).collect()
}

/// Text and truth values: null is missing.
fn imputed_words(
    cx: &mut Lift,
    view: &View<'_>,
    x: NodeId,
    fill: &Plain,
    marker: &Plain,
) -> Result<NodeId, Diagnostic> {
    let constant = |p: &Plain| match p {
        Plain::Bool(b) => Ok(Frame::row_bool([*b])),
        Plain::Str(s) => Ok(Frame::row_str([s.as_str()])),
        _ => Err(view.unsupported("a missing value of another type than the column's")),
    };
    if marks_nan(marker) {
        return cx.or_else(x, constant(fill)?);
    }
    let null = cx.op(Op::IsNull, &[x])?;
    let there = cx.op(Op::Not, &[null])?;
    cx.b.refuse_unless(there);
    let value = cx.b.constant(constant(marker)?);
    let missing = cx.op(Op::Eq, &[x, value])?;
    let filled = cx.b.constant(constant(fill)?);
    let x = cx.or_else(x, constant(fill)?)?;
    cx.op(Op::Select, &[missing, filled, x])
}

/// 1 where the column is missing, else 0; truth values where the library's array is one of objects.
fn flag(
    cx: &mut Lift,
    view: &View<'_>,
    input: &Columns,
    i: usize,
    statistics: &[Plain],
    marker: &Plain,
) -> Result<Columns, Diagnostic> {
    if i >= input.width() {
        return Err(view.unsupported(format!("`indicator_` names column {i} of {}", input.width())));
    }
    let column = cx.select(input, &[i])?;
    let words = statistics.iter().any(|s| kind(s) != Kind::Number);
    let (x, kind) = cx.single(&column, kind(&statistics[i]), view)?;
    let missing = match (kind, marker) {
        (Kind::Number, p) if marks_nan(p) => cx.op(Op::IsNan, &[x])?,
        (Kind::Number, p) => {
            let value = p.number().ok_or_else(|| view.unsupported("text for a missing number"))?;
            cx.with_row(Op::Eq, x, vec![value])?
        }
        (_, p) if marks_nan(p) => cx.op(Op::IsNull, &[x])?,
        (_, Plain::Str(s)) => {
            let value = cx.text_row([s.clone()]);
            let equal = cx.op(Op::Eq, &[x, value])?;
            cx.or_else(equal, Frame::row_bool([false]))?
        }
        _ => return Err(view.unsupported("a missing value of another type than the column's")),
    };
    let names = column.names.map(|n| n.iter().map(|n| format!("missingindicator_{n}")).collect());
    let node = match words {
        true => missing,
        false => cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1)), &[missing])?,
    };
    Ok(Columns::node(node, 1, Facts::CODES, names))
}
