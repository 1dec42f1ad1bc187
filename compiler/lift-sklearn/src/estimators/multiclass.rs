//! `OneVsRestClassifier`, `OneVsOneClassifier`, `OutputCodeClassifier`: many classes from members that tell two apart.
//!
//! | `estimators_` | per class, per pair of classes, or per bit of the code |   | `classes_` | labels |
//! | `label_binarizer_.y_type_` | of one-versus-rest: two classes, more, or several labels at once |
//! | `code_book_` | [classes, bits] f64: the class whose row is nearest is predicted |
//!
//! A member speaks by its decision function, else by its probability, or by its number if it is a regressor.
//! Source: scikit-learn `multiclass.py`, `utils/multiclass.py`.

use flock_ir_spec::{Data, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members::{self, Confidence};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::version::Version;
use crate::votes;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.multiclass.OneVsRestClassifier",
        reads: &["estimators_", "label_binarizer_", "classes_"],
        ignores: &["estimator", "n_jobs", "verbose"],
        lift: one_versus_rest,
    },
    Lifter {
        class: "sklearn.multiclass.OneVsOneClassifier",
        reads: &["estimators_", "classes_", "pairwise_indices_"],
        ignores: &["estimator", "n_jobs"],
        lift: one_versus_one,
    },
    Lifter {
        class: "sklearn.multiclass.OutputCodeClassifier",
        reads: &["estimators_", "classes_", "code_book_"],
        ignores: &["estimator", "n_jobs", "code_size", "random_state"],
        lift: output_code,
    },
];

type Res<T> = Result<T, Diagnostic>;

fn confidences(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<Vec<Confidence>> {
    let members = members::list(view, "estimators_")?;
    members.iter().enumerate().map(|(m, member)| cx.confidence(&m.to_string(), member, input)).collect()
}

fn scores(cx: &mut Lift, confidences: &[Confidence]) -> Res<NodeId> {
    cx.side_by_side(&confidences.iter().map(|c| c.score).collect::<Vec<_>>())
}

fn one_versus_rest(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let members = confidences(cx, view, &input)?;
    let kind = view.attr("label_binarizer_")?.attr("y_type_")?;
    let expected = match kind.str() {
        Some("binary") => 1,
        _ => labels.len(),
    };
    if members.len() != expected || expected == 0 {
        return Err(view.attr("estimators_")?.expected(&format!("{expected} estimators")));
    }
    Ok(Lifted::Prediction(match kind.str() {
        Some("binary") => one_of_two(cx, view, labels, &members[0])?.alone(),
        Some("multiclass") => one_of_many(cx, view, labels, &members)?.alone(),
        Some("multilabel-indicator") => several_at_once(cx, &members)?,
        _ => return Err(kind.unsupported("targets of a kind that is not known")),
    }))
}

fn one_of_two(cx: &mut Lift, view: &View<'_>, labels: Labels, member: &Confidence) -> Res<Classes> {
    let label = match labels.len() {
        1 => cx.b.constant(labels.row(0)),
        _ => {
            let yes = cx.with_row(Op::Gt, member.score, vec![member.threshold])?;
            cx.label_if(&labels, yes)?
        }
    };
    let one = labels.len() == 1;
    let mut classes = Classes::new(labels, label);
    if let Some(p) = member.probability {
        let both = cx.both_probabilities(p)?;
        let both = shares(cx, view, both)?;
        classes = classes.with_probabilities(if one { cx.pick(both, &[0])? } else { both });
    }
    Ok(if member.decides { classes.with_decision(member.score) } else { classes })
}

fn one_of_many(cx: &mut Lift, view: &View<'_>, labels: Labels, members: &[Confidence]) -> Res<Classes> {
    let all = scores(cx, members)?;
    let label = if Version::of(view)? < Version(1, 8) {
        // The last of equal scores.
        let backwards: Vec<usize> = (0..labels.len()).rev().collect();
        let reversed = cx.pick(all, &backwards)?;
        let position = cx.op(Op::ArgMax, &[reversed])?;
        let positions = Frame::row_i64(backwards.iter().map(|k| *k as i64).collect::<Vec<_>>());
        let positions = cx.b.constant(Frame { rows: backwards.len(), width: 1, ..positions });
        let position = cx.op(Op::Lookup, &[position, positions])?;
        cx.label_at(&labels, position)?
    } else {
        cx.label_of_greatest(&labels, all)?
    };
    let mut classes = Classes::new(labels, label);
    if let Some(p) = members.iter().map(|m| m.probability).collect::<Option<Vec<_>>>() {
        let p = cx.side_by_side(&p)?;
        classes = classes.with_probabilities(shares(cx, view, p)?);
    }
    Ok(if members.iter().all(|m| m.decides) { classes.with_decision(all) } else { classes })
}

/// Divided by their sum. Before 1.7 0 is divided by 0 as well, and NaN.
fn shares(cx: &mut Lift, view: &View<'_>, p: NodeId) -> Res<NodeId> {
    let sum = cx.op(Op::Sum, &[p])?;
    let quotient = cx.op(Op::Div, &[p, sum])?;
    if Version::of(view)? < Version(1, 7) {
        return Ok(quotient);
    }
    let none = cx.with_row(Op::Eq, sum, vec![0.0])?;
    cx.op(Op::Select, &[none, p, quotient])
}

/// Each label by itself. The first member's kind decides from what value on all say yes.
fn several_at_once(cx: &mut Lift, members: &[Confidence]) -> Res<Prediction> {
    let threshold = members[0].threshold;
    let target = |m: &Confidence| {
        let labels = Labels::no_and_yes();
        let yes = cx.with_row(Op::Gt, m.score, vec![threshold])?;
        let mut classes = Classes::new(Labels::no_and_yes(), cx.label_if(&labels, yes)?);
        if let Some(p) = m.probability {
            classes = classes.with_probabilities(cx.both_probabilities(p)?);
        }
        Ok(if m.decides { classes.with_decision(m.score) } else { classes })
    };
    Ok(Prediction::Classes(members.iter().map(target).collect::<Res<_>>()?))
}

fn one_versus_one(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let indices = view.attr("pairwise_indices_")?;
    if !indices.is_none() {
        return Err(indices.unsupported("members over a table of kernel values between rows"));
    }
    let (n, members) = (labels.len(), confidences(cx, view, &input)?);
    if n < 2 || members.len() != n * (n - 1) / 2 {
        return Err(view.attr("estimators_")?.expected(&format!("an estimator for each pair of {n} classes")));
    }
    let all = scores(cx, &members)?;
    let predicted = cx.side_by_side(&members.iter().map(|m| m.predicted).collect::<Vec<_>>())?;
    let mut own = Vec::new();
    for value in [0.0, 1.0] {
        let this = cx.with_row(Op::Eq, predicted, vec![value])?;
        own.push(cx.as_f64(this)?);
    }
    // A regressor's number is seldom one of these, and then no vote.
    let votes = votes::sums_per_class(cx, own[0], own[1], n)?;
    let scores = votes::with_confidences(cx, votes, all, n)?;
    let (label, scores) = match n {
        2 => {
            let score = cx.pick(scores, &[1])?;
            let yes = cx.with_row(Op::Gt, score, vec![members[0].threshold])?;
            (cx.label_if(&labels, yes)?, score)
        }
        _ => (cx.label_of_greatest(&labels, scores)?, scores),
    };
    Ok(Lifted::Prediction(Classes::new(labels, label).with_decision(scores).alone()))
}

/// The nearest row of the code by the square of the distance, without the part that is the same for all.
fn output_code(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let members = confidences(cx, view, &input)?;
    let book_view = view.attr("code_book_")?;
    let book = book_view.matrix()?;
    if book.rows != labels.len() || book.columns != members.len() || book.rows == 0 {
        return Err(book_view.expected(&format!("codes of {} bits for {} classes", members.len(), labels.len())));
    }
    let all = scores(cx, &members)?;
    let squares = book.values.chunks(book.columns).map(|row| -row.iter().map(|c| c * c).sum::<f64>()).collect::<Vec<_>>();
    let doubled = Data::F64(book.values.iter().map(|c| 2.0 * c).collect());
    let weights = Frame::new(book.columns, book.rows, doubled).ok_or_else(|| book_view.expected("a full table"))?;
    let (weights, squares) = (cx.b.constant(weights), cx.row_f64(squares));
    let nearness = cx.op(Op::Linear, &[all, weights, squares])?;
    let label = cx.label_of_greatest(&labels, nearness)?;
    Ok(Lifted::Prediction(Classes::new(labels, label).alone()))
}
