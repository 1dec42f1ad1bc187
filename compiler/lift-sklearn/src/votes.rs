//! One class against one: a condition and a confidence per pair of classes (0 against 1, 0 against 2, …, 1 against 2, …).
//! Source: scikit-learn `utils/multiclass.py`, `_ovr_decision_function`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, NodeId, Op};

use crate::lift::Lift;

type Res<T> = Result<T, Diagnostic>;

/// The votes of each class: of a pair the first where the condition holds, else the second.
pub(crate) fn count(cx: &mut Lift, first: NodeId, classes: usize) -> Res<NodeId> {
    let ty = cx.frame_type(first);
    let votes = cx.op_with(Op::Cast, Attr::Type(ty.with_dtype(DType::F64)), &[first])?;
    let one = cx.b.constant(Frame::row_f64([1.0]));
    let others = cx.op(Op::Sub, &[one, votes])?;
    sums_per_class(cx, votes, others, classes)
}

/// For each class the sum over its pairs, in their order: of `first` where it is the first of the pair, else of `second`.
pub(crate) fn sums_per_class(cx: &mut Lift, first: NodeId, second: NodeId, classes: usize) -> Res<NodeId> {
    let both = cx.side_by_side(&[first, second])?;
    let n = classes * (classes - 1) / 2;
    let pairs: Vec<(usize, usize)> = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect();
    let sums = (0..classes).map(|class| {
        let at = |(p, (i, j)): (usize, &(usize, usize))| match class {
            c if c == *i => Some(p),
            c if c == *j => Some(n + p),
            _ => None,
        };
        let own: Vec<usize> = pairs.iter().enumerate().filter_map(at).collect();
        let own = cx.pick(both, &own)?;
        cx.op(Op::Sum, &[own])
    });
    let sums = sums.collect::<Res<Vec<_>>>()?;
    cx.side_by_side(&sums)
}

/// Votes, and less than half a vote by the sum of the confidences in the second of each pair.
pub(crate) fn one_versus_rest(cx: &mut Lift, first: NodeId, confidences: NodeId, classes: usize) -> Res<NodeId> {
    let votes = count(cx, first, classes)?;
    with_confidences(cx, votes, confidences, classes)
}

/// The same with the votes counted.
pub(crate) fn with_confidences(cx: &mut Lift, votes: NodeId, confidences: NodeId, classes: usize) -> Res<NodeId> {
    let minus = cx.op(Op::Neg, &[confidences])?;
    let sums = sums_per_class(cx, minus, confidences, classes)?;
    let size = cx.op(Op::Abs, &[sums])?;
    let size = cx.with_row(Op::Add, size, vec![1.0])?;
    let size = cx.with_row(Op::Mul, size, vec![3.0])?;
    let part = cx.op(Op::Div, &[sums, size])?;
    cx.op(Op::Add, &[votes, part])
}
