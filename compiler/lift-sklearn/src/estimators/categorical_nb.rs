//! `CategoricalNB`: the logs of each column's category, summed per class.
//!
//! | `classes_` | labels |   | `class_log_prior_` | [classes] |
//! | `feature_log_prob_` | per column [classes, categories] |
//!
//! A value is cut towards zero and is the category of that number; negative ones, unknown ones, NaN and infinities are
//! refused. Source: scikit-learn `naive_bayes.py`.

use flock_ir_spec::{Attr, DType, Data, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::columns::Columns;
use crate::estimators::per_column;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.naive_bayes.CategoricalNB",
    reads: &["classes_", "class_log_prior_", "feature_log_prob_"],
    ignores: &["alpha", "class_prior", "fit_prior", "force_alpha", "min_categories", "category_count_", "class_count_", "n_categories_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let prior = view.attr("class_log_prior_")?.f64s_of(labels.len())?;
    let tables = per_column(&view.attr("feature_log_prob_")?, input.width())?;
    let x = linear::finite(cx, view, &input)?;
    let mut joint = None;
    for (column, table) in tables.iter().enumerate() {
        let x = cx.pick(x, &[column])?;
        let logs = logs(cx, x, table, labels.len())?;
        joint = Some(match joint {
            None => logs,
            Some(joint) => cx.op(Op::Add, &[joint, logs])?,
        });
    }
    let joint = joint.ok_or_else(|| view.expected("at least one column"))?;
    let joint = cx.with_row(Op::Add, joint, prior)?;
    let label = cx.label_of_greatest(&labels, joint)?;
    let probabilities = cx.op(Op::Softmax, &[joint])?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).alone()))
}

/// The logs of a column's category: a column per class.
fn logs(cx: &mut Lift, x: NodeId, table: &View<'_>, classes: usize) -> Result<NodeId, Diagnostic> {
    let matrix = table.matrix()?;
    if matrix.rows != classes {
        return Err(table.expected(&format!("a row for each of {classes} classes")));
    }
    let (minus_one, end) = (Frame::row_f64([-1.0]), Frame::row_f64([matrix.columns as f64]));
    let (minus_one, end) = (cx.b.constant(minus_one), cx.b.constant(end));
    let (above, below) = (cx.op(Op::Gt, &[x, minus_one])?, cx.op(Op::Lt, &[x, end])?);
    let known = cx.op(Op::And, &[above, below])?;
    cx.refuse_unless_all(known)?;
    let index = cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::I64, 1).nullable()), &[x])?;
    let index = cx.or_else(index, Frame::row_i64([-1]))?;
    let table_of = Frame::new(matrix.columns, classes, Data::F64(matrix.values));
    let table_of = table_of.ok_or_else(|| table.expected("a full table"))?;
    let table_of = cx.b.constant(table_of);
    cx.op(Op::Lookup, &[index, table_of])
}
