//! What linear models have in common: the decision x · coef + intercept, and the label and probabilities from it.
//! Source: scikit-learn `linear_model/_base.py`.

use flock_ir_spec::{Data, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::estimators::refuse_single;
use crate::labels::Labels;
use crate::lift::Lift;
use crate::read::view::{Matrix, View};
use crate::version::Version;

type Res<T> = Result<T, Diagnostic>;

/// The columns as numbers, where the library refuses NaN and infinities (`check_array`'s default).
pub(crate) fn finite(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
    refuse_single(input, view)?;
    cx.refuse_non_finite(input, view)?;
    cx.numbers(input, view)
}

/// x · `coef_`ᵀ + `intercept_`, one column per row of `coef_`.
pub(crate) fn decision(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
    let coef = coefficients(view, input.width())?;
    let intercept = intercepts(view, coef.rows)?;
    let x = finite(cx, view, input)?;
    map(cx, x, coef, intercept)
}

/// `coef_`, a row per output.
pub(crate) fn coefficients(view: &View<'_>, width: usize) -> Res<Matrix> {
    table(view, "coef_", width)
}

/// A table with a column for each column of the input.
pub(crate) fn table(view: &View<'_>, name: &str, width: usize) -> Res<Matrix> {
    let table = view.attr(name)?;
    let matrix = table.matrix()?;
    if matrix.columns != width || matrix.values.len() != matrix.rows * width {
        return Err(table.expected(&format!("a number for each of {width} columns")));
    }
    Ok(matrix)
}

/// Numbers that a sparse table may stand for.
const MAX_DENSE: usize = 1 << 26;

/// A table that may be a sparse one of scipy (CSR), in full.
pub(crate) fn dense(view: &View<'_>) -> Res<Matrix> {
    let Some(class) = view.class() else { return view.matrix() };
    if !(class.starts_with("scipy.sparse.") && (class.ends_with(".csr_matrix") || class.ends_with(".csr_array"))) {
        return Err(view.expected("a table of numbers"));
    }
    let shape = view.attr("_shape")?;
    let Ok([rows, columns]) = <[usize; 2]>::try_from(shape.sizes()?) else { return Err(shape.expected("two sizes")) };
    let size = rows.checked_mul(columns).filter(|n| *n <= MAX_DENSE);
    let size = size.ok_or_else(|| view.unsupported(format!("a sparse table of {rows} x {columns}")))?;
    let (data, indices) = (view.attr("data")?.f64s()?, view.attr("indices")?.sizes()?);
    let starts = view.attr("indptr")?.sizes()?;
    let mut values = vec![0.0; size];
    for (row, ends) in starts.windows(2).take(rows).enumerate() {
        for at in ends[0]..ends[1] {
            match (indices.get(at), data.get(at)) {
                (Some(column), Some(value)) if *column < columns => values[row * columns + column] += value,
                _ => return Err(view.expected("a sparse table whose indices lie inside it")),
            }
        }
    }
    Ok(Matrix { rows, columns, values })
}

/// `intercept_`: a number per output, or one for all.
fn intercepts(view: &View<'_>, outputs: usize) -> Res<Vec<f64>> {
    let intercept = view.attr("intercept_")?;
    match intercept.f64s() {
        Ok(values) if values.len() == outputs => Ok(values),
        Ok(values) if values.len() == 1 => Ok(vec![values[0]; outputs]),
        Ok(_) => Err(intercept.expected(&format!("{outputs} intercepts"))),
        Err(_) => Ok(vec![intercept.f64()?; outputs]),
    }
}

/// x · weightsᵀ + bias: a row of weights per output.
pub(crate) fn map(cx: &mut Lift, x: NodeId, weights: Matrix, bias: Vec<f64>) -> Res<NodeId> {
    // Row by row of the table is column by column of its transpose, as a constant lies.
    let table = Frame::new(weights.columns, weights.rows, Data::F64(weights.values));
    let table = table.ok_or_else(|| Diagnostic::new("flock::lift::internal", "model", "weights that are no table"))?;
    let (table, bias) = (cx.b.constant(table), cx.b.constant(Frame::row_f64(bias)));
    cx.op(Op::Linear, &[x, table, bias])
}

/// Whether there is one column for two classes, else one per class.
pub(crate) fn check_scores(cx: &Lift, view: &View<'_>, labels: &Labels, scores: NodeId) -> Res<()> {
    let expected = if labels.len() == 2 { 1 } else { labels.len() };
    if labels.len() >= 2 && cx.width(scores) == expected {
        return Ok(());
    }
    Err(view.expected(&format!("coefficients for {} classes", labels.len())))
}

/// `LinearClassifierMixin.predict`: the second of two classes above 0, else the class of the greatest score.
pub(crate) fn label(cx: &mut Lift, labels: &Labels, scores: NodeId) -> Res<NodeId> {
    if cx.width(scores) > 1 {
        return cx.label_of_greatest(labels, scores);
    }
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let positive = cx.op(Op::Gt, &[scores, zero])?;
    cx.label_if(labels, positive)
}

/// `LinearClassifierMixin._predict_proba_lr`: the logistic of each score, divided by their sum for more than two
/// classes.
pub(crate) fn one_versus_rest(cx: &mut Lift, view: &View<'_>, scores: NodeId) -> Res<NodeId> {
    let p = cx.op(Op::Logistic, &[scores])?;
    if cx.width(scores) == 1 {
        return cx.both_probabilities(p);
    }
    // Where all are 0 the quotient is NaN; since 1.9 it is uniform.
    let uniform = Version::of(view)? >= Version(1, 9);
    normalised(cx, p, uniform)
}

/// The columns divided by their sum; `uniform` where that is 0, if asked.
pub(crate) fn normalised(cx: &mut Lift, p: NodeId, uniform: bool) -> Res<NodeId> {
    let sum = cx.op(Op::Sum, &[p])?;
    let quotient = cx.op(Op::Div, &[p, sum])?;
    if !uniform {
        return Ok(quotient);
    }
    let share = Frame::row_f64([1.0 / cx.width(p) as f64]);
    let (zero, share) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(share));
    let none = cx.op(Op::Eq, &[sum, zero])?;
    cx.op(Op::Select, &[none, share, quotient])
}
