//! Transformers of feature_engine, which work on some columns of a table by name and let the others pass.
//!
//! | `variables_`, `feature_names_in_` | the columns that are worked on, and all of them |
//! | `imputer_dict_` | column → what stands for a gap |   | `right_tail_caps_`, `left_tail_caps_` | column → bound |
//! | `C_`, `exp`, `base`, `lambda_dict_` | of logarithms and powers |   | `binner_dict_` | column → edges |
//! | `features_to_drop_` | columns that go |   | `max_values_` | column → the length of its cycle |
//!
//! Numbers that are worked on may be neither NaN nor infinite, unless `missing_values` is `ignore`; imputers check
//! nothing. Source: feature_engine 1.9, `imputation/`, `outliers/`, `transformation/`, `discretisation/`, `selection/`,
//! `creation/`, `dataframe_checks.py`.

use flock_ir_spec::{Attr, Composite, DType, Diagnostic, Frame, FrameType, NodeId, Op, Word};

use super::power_transformer::{box_cox, yeo_johnson};
use crate::columns::{Columns, Facts, Kind};
use crate::features::{ANY, as_number, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "feature_engine.creation.cyclical_features.CyclicalFeatures",
        reads: &["variables_", "max_values_", "drop_original"],
        ignores: &["max_values", "variables"],
        lift: cyclical,
    },
    discretiser("feature_engine.discretisation.arbitrary.ArbitraryDiscretiser"),
    discretiser("feature_engine.discretisation.equal_frequency.EqualFrequencyDiscretiser"),
    discretiser("feature_engine.discretisation.equal_width.EqualWidthDiscretiser"),
    discretiser("feature_engine.discretisation.geometric_width.GeometricWidthDiscretiser"),
    imputer("feature_engine.imputation.arbitrary_number.ArbitraryNumberImputer"),
    imputer("feature_engine.imputation.categorical.CategoricalImputer"),
    imputer("feature_engine.imputation.end_tail.EndTailImputer"),
    imputer("feature_engine.imputation.mean_median.MeanMedianImputer"),
    Lifter {
        class: "feature_engine.imputation.missing_indicator.AddMissingIndicator",
        reads: &["variables_"],
        ignores: &["missing_only", "variables"],
        lift: indicator,
    },
    capper("feature_engine.outliers.artbitrary.ArbitraryOutlierCapper"),
    capper("feature_engine.outliers.winsorizer.Winsorizer"),
    dropper("feature_engine.selection.drop_constant_features.DropConstantFeatures"),
    dropper("feature_engine.selection.drop_correlated_features.DropCorrelatedFeatures"),
    dropper("feature_engine.selection.drop_duplicate_features.DropDuplicateFeatures"),
    dropper("feature_engine.selection.drop_features.DropFeatures"),
    dropper("feature_engine.selection.drop_psi_features.DropHighPSIFeatures"),
    dropper("feature_engine.selection.shuffle_features.SelectByShuffling"),
    dropper("feature_engine.selection.single_feature_performance.SelectBySingleFeaturePerformance"),
    dropper("feature_engine.selection.smart_correlation_selection.SmartCorrelatedSelection"),
    numerical("feature_engine.transformation.boxcox.BoxCoxTransformer"),
    numerical("feature_engine.transformation.log.LogCpTransformer"),
    numerical("feature_engine.transformation.log.LogTransformer"),
    numerical("feature_engine.transformation.power.PowerTransformer"),
    numerical("feature_engine.transformation.reciprocal.ReciprocalTransformer"),
    numerical("feature_engine.transformation.yeojohnson.YeoJohnsonTransformer"),
];

const fn imputer(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &["variables_", "imputer_dict_", "return_object"],
        ignores: &["arbitrary_number", "fill_value", "fold", "ignore_format", "imputation_method", "imputer_dict", "tail", "variables"],
        lift: impute,
    }
}

const fn capper(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &["variables_", "right_tail_caps_", "left_tail_caps_", "missing_values", "add_indicators"],
        ignores: &["capping_method", "fold", "fold_", "max_capping_dict", "min_capping_dict", "tail", "variables"],
        lift: cap,
    }
}

const fn discretiser(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &["variables_", "binner_dict_", "errors", "return_boundaries"],
        // As objects the bins are the same numbers.
        ignores: &["binning_dict", "bins", "precision", "q", "return_object", "variables"],
        lift: discretise,
    }
}

const fn dropper(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &["features_to_drop_"],
        ignores: &[
            "bins", "bootstrap", "confirm_variables", "correlated_feature_dict_", "correlated_feature_sets_", "cut_off", "cut_off_",
            "cv", "duplicated_feature_sets_", "estimator", "feature_performance_", "feature_performance_std_", "features_to_drop", "groups", "initial_model_performance_",
            "method", "min_pct_empty_bins", "missing_values", "p_value", "performance_drifts_", "performance_drifts_std_", "psi_values_", "random_state",
            "regression", "scoring", "selection_method", "split_col", "split_distinct", "split_frac", "strategy", "switch", "threshold", "tol", "variables", "variables_",
        ],
        lift: drop,
    }
}

/// How one column is transformed.
type Function = fn(&mut Lift, &View<'_>, &str, NodeId) -> Res<NodeId>;

/// What each transformer of numbers does with one column.
static FUNCTIONS: &[(&str, Function)] = &[
    ("feature_engine.transformation.boxcox.BoxCoxTransformer", |cx, view, variable, x| {
        box_cox(cx, x, &[named(view, "lambda_dict_", variable)?.f64()?])
    }),
    ("feature_engine.transformation.log.LogCpTransformer", |cx, view, variable, x| {
        let constant = view.attr("C_")?;
        let constant = constant.entry(variable).unwrap_or(constant).f64()?;
        let moved = cx.with_row(Op::Add, x, vec![constant])?;
        logarithm(cx, view, moved)
    }),
    ("feature_engine.transformation.log.LogTransformer", |cx, view, _, x| logarithm(cx, view, x)),
    ("feature_engine.transformation.power.PowerTransformer", |cx, view, _, x| {
        crate::kernels::power(cx, x, view.attr("exp")?.f64()?)
    }),
    ("feature_engine.transformation.reciprocal.ReciprocalTransformer", |cx, _, _, x| {
        let there = cx.with_row(Op::Ne, x, vec![0.0])?;
        cx.b.refuse_unless(there);
        let one = row(cx, vec![1.0]);
        cx.op(Op::Div, &[one, x])
    }),
    ("feature_engine.transformation.yeojohnson.YeoJohnsonTransformer", |cx, view, variable, x| {
        yeo_johnson(cx, x, &[named(view, "lambda_dict_", variable)?.f64()?], true)
    }),
];

const fn numerical(class: &'static str) -> Lifter {
    Lifter { class, reads: &["variables_", "lambda_dict_", "C_", "base", "exp"], ignores: &["C", "variables"], lift: transform }
}

/// The columns' names as the transformer has them.
pub(super) fn names(view: &View<'_>, input: &Columns) -> Res<Vec<String>> {
    let names: Vec<String> = view.attr("feature_names_in_")?.plains()?.iter().map(crate::labels::text).collect();
    if names.len() != input.width() {
        return Err(view.expected(&format!("names of {} columns", input.width())));
    }
    Ok(names)
}

/// The names that the columns have behind the transformer: one that was fitted on an array numbers them for itself.
pub(super) fn shown(names: &[String], input: &Columns) -> Vec<String> {
    let numbered = names.iter().enumerate().all(|(i, name)| *name == format!("x{i}"));
    input.names.clone().filter(|own| numbered && own.len() == names.len()).unwrap_or_else(|| names.to_vec())
}

/// A list of column names, within those.
pub(super) fn listed(view: &View<'_>, attribute: &str, names: &[String]) -> Res<Vec<usize>> {
    let list = view.attr(attribute)?;
    let position = |p: &Plain| {
        let text = crate::labels::text(p);
        names.iter().position(|n| *n == text).ok_or_else(|| list.unsupported(format!("no column `{text}`")))
    };
    list.plains()?.iter().map(position).collect()
}

/// What a dict of the transformer says of a column.
fn named<'a>(view: &View<'a>, attribute: &str, variable: &str) -> Res<View<'a>> {
    let dict = view.attr(attribute)?;
    dict.entry(variable).ok_or_else(|| dict.expected(&format!("an entry for `{variable}`")))
}

/// The columns with some of them replaced.
pub(super) fn replaced(
    cx: &mut Lift,
    view: &View<'_>,
    input: &Columns,
    mut new: impl FnMut(&mut Lift, &str, Columns) -> Res<Columns>,
) -> Res<Columns> {
    let names = names(view, input)?;
    let shown = shown(&names, input);
    let variables = listed(view, "variables_", &names)?;
    let mut out = Columns::none();
    for (i, mut column) in cx.split(input)?.into_iter().enumerate() {
        column.names = Some(vec![shown[i].clone()]);
        out.append(match variables.contains(&i) {
            true => {
                let mut replaced = new(cx, &names[i], column)?;
                replaced.names = Some(vec![shown[i].clone()]);
                replaced
            }
            false => column,
        });
    }
    Ok(out)
}

/// A column of numbers, neither NaN nor infinite.
pub(super) fn whole(cx: &mut Lift, view: &View<'_>, column: &Columns) -> Res<NodeId> {
    super::refuse_single(column, view)?;
    cx.settle(column)?;
    cx.refuse_non_finite(column, view)?;
    cx.numbers(column, view)
}

fn number(node: NodeId) -> Columns {
    Columns::node(node, 1, ANY, None)
}

fn impute(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let value = named(view, "imputer_dict_", variable)?;
        let (kind, constant) = match value.plain()? {
            Plain::Str(text) => (Kind::Text, Frame::row_str([text.as_str()])),
            Plain::Bool(b) => (Kind::Bool, Frame::row_bool([b])),
            plain => {
                let number = plain.number().ok_or_else(|| value.expected("a number or text"))?;
                let x = cx.numbers(&column, view)?;
                let (missing, number) = (cx.op(Op::IsNan, &[x])?, row(cx, vec![number]));
                let node = cx.op(Op::Select, &[missing, number, x])?;
                return Ok(Columns::node(node, 1, Facts { nan: false, ..column.facts() }, None));
            }
        };
        let (x, found) = cx.single(&column, kind, view)?;
        if found == Kind::Number && !column.facts().nan {
            // Behind another imputer there is nothing to fill.
            return Ok(column);
        }
        if found != kind {
            let mixed = format!("{} in the gaps of `{variable}`, which is {}: a column has one type", kind.name(), found.name());
            return Err(view.unsupported(mixed));
        }
        let node = cx.or_else(x, constant)?;
        Ok(Columns::node(node, 1, Facts::CODES, None))
    })?;
    Ok(Lifted::Columns(out))
}

fn indicator(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let variables = listed(view, "variables_", &names)?;
    let columns = cx.split(&input)?;
    let mut out = input.clone();
    out.names = Some(shown(&names, &input));
    for i in variables {
        let (x, kind) = cx.single(&columns[i], Kind::Number, view)?;
        let missing = cx.op(if kind == Kind::Number { Op::IsNan } else { Op::IsNull }, &[x])?;
        let node = as_number(cx, missing)?;
        out.append(Columns::node(node, 1, Facts::CODES, Some(vec![format!("{}_na", names[i])])));
    }
    Ok(Lifted::Columns(out))
}

fn cap(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    if view.get("add_indicators").map_or(Ok(false), |a| a.bool())? {
        return Err(view.unsupported("`add_indicators=True`"));
    }
    let ignore = view.attr("missing_values")?.str() == Some("ignore");
    let (right, left) = (view.attr("right_tail_caps_")?, view.attr("left_tail_caps_")?);
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let mut x = if ignore { cx.numbers(&column, view)? } else { whole(cx, view, &column)? };
        for (caps, op) in [(&right, Op::Min), (&left, Op::Max)] {
            if let Some(bound) = caps.entry(variable) {
                x = cx.with_row(op, x, vec![bound.f64()?])?;
            }
        }
        Ok(number(x))
    })?;
    Ok(Lifted::Columns(out))
}

/// Bins closed to the right, the first one on both sides; NaN outside of them (`pandas.cut`).
fn discretise(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    if view.attr("return_boundaries")?.bool()? {
        return Err(view.unsupported("bins as the text of their bounds, which pandas rounds as it cuts"));
    }
    let refuses = view.get("errors").is_some_and(|errors| errors.str() == Some("raise"));
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let place = named(view, "binner_dict_", variable)?;
        let edges = place.f64s()?;
        // A constant column has one edge, and no bin.
        if edges.is_empty() || !edges.is_sorted_by(|a, b| a < b) {
            return Err(place.expected("ascending edges"));
        }
        let x = whole(cx, view, &column)?;
        let first = cx.with_row(Op::Eq, x, vec![edges[0]])?;
        let count = edges.len() as f64;
        let edges = row(cx, edges);
        let below = cx.op_with(Op::Bucketize, Attr::Word(Word::Left), &[x, edges])?;
        let below = cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1)), &[below])?;
        let (one, nan) = (row(cx, vec![1.0]), row(cx, vec![f64::NAN]));
        let below = cx.op(Op::Select, &[first, one, below])?;
        let (under, over) = (cx.with_row(Op::Eq, below, vec![0.0])?, cx.with_row(Op::Eq, below, vec![count])?);
        let outside = cx.op(Op::Or, &[under, over])?;
        if refuses {
            let inside = cx.op(Op::Not, &[outside])?;
            cx.b.refuse_unless(inside);
        }
        let bin = cx.op(Op::Sub, &[below, one])?;
        let bin = cx.op(Op::Select, &[outside, nan, bin])?;
        Ok(Columns::node(bin, 1, Facts { nan: true, ..Facts::CODES }, None))
    })?;
    Ok(Lifted::Columns(out))
}

fn drop(cx: &mut Lift, view: &View<'_>, mut input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let dropped = listed(view, "features_to_drop_", &names)?;
    let kept: Vec<usize> = (0..names.len()).filter(|i| !dropped.contains(i)).collect();
    // What a step before refuses in a column that goes is refused all the same.
    cx.settle(&input)?;
    input.names = Some(shown(&names, &input));
    cx.select(&input, &kept).map(Lifted::Columns)
}

fn cyclical(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let variables = listed(view, "variables_", &names)?;
    let columns = cx.split(&input)?;
    let dropped = view.attr("drop_original")?.bool()?;
    let kept: Vec<usize> = (0..names.len()).filter(|i| !dropped || !variables.contains(i)).collect();
    let mut named_input = input.clone();
    named_input.names = Some(shown(&names, &input));
    let mut out = cx.select(&named_input, &kept)?;
    for i in variables {
        let name = &names[i];
        let period = named(view, "max_values_", name)?.f64()?;
        let x = whole(cx, view, &columns[i])?;
        let angle = cx.with_row(Op::Mul, x, vec![2.0 * std::f64::consts::PI / period])?;
        for (op, suffix) in [(Op::Sin, "sin"), (Op::Cos, "cos")] {
            let node = cx.op(op, &[angle])?;
            out.append(Columns::node(node, 1, ANY, Some(vec![format!("{name}_{suffix}")])));
        }
    }
    Ok(Lifted::Columns(out))
}

fn transform(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let class = view.class().unwrap_or_default();
    let function = FUNCTIONS.iter().find(|(c, _)| *c == class).map(|(_, f)| *f);
    let function = function.ok_or_else(|| view.expected("a transformer of numbers"))?;
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let x = whole(cx, view, &column)?;
        function(cx, view, variable, x).map(number)
    })?;
    Ok(Lifted::Columns(out))
}

/// To base e or 10; what is not above 0 is refused.
fn logarithm(cx: &mut Lift, view: &View<'_>, x: NodeId) -> Res<NodeId> {
    let above = cx.with_row(Op::Gt, x, vec![0.0])?;
    cx.b.refuse_unless(above);
    let base = view.attr("base")?;
    match base.str() {
        Some("e") => cx.op(Op::Ln, &[x]),
        Some("10") => cx.op(Op::Composite(Composite::LOG10), &[x]),
        _ => Err(base.unsupported("a base that is neither `e` nor `10`")),
    }
}
