//! Probabilities of classes from those of pairs of classes, as libsvm couples them.
//! Source: Wu, Lin, Weng, "Probability estimates for multi-class classification by pairwise coupling" (JMLR 5, 2004),
//! algorithm 2; libsvm `svm.cpp`, `multiclass_probability`.
//!
//! It is an iteration that ends when the greatest error is below 0.005 / classes, and libsvm's answer is where it ended.
//! Each round is a piece of graph here, and stays without effect on rows that have ended.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::lift::Lift;

type Res<T> = Result<T, Diagnostic>;

/// How many rounds may be needed. For two classes it is at most 2 (10^8 points between 0 and 1 were tried). For more, a
/// search for the tables that take longest found none that 4 did not end for up to 4 classes, and each further round
/// made the greatest error six times smaller. A row that has not ended after these is refused.
fn rounds(classes: usize) -> usize {
    match classes {
        2 => 2,
        3 | 4 => 4,
        5..=10 => 6,
        _ => 10,
    }
}

/// The state of the iteration: columns per class.
struct State {
    p: NodeId,
    /// Q · p
    qp: NodeId,
    /// pᵀ · Q · p
    pqp: NodeId,
}

/// From a column per pair (0 against 1, 0 against 2, …, 1 against 2, …): the probability of the first of the two.
pub(crate) fn probabilities(cx: &mut Lift, pairs: NodeId, classes: usize) -> Res<NodeId> {
    let q = matrix(cx, pairs, classes)?;
    let limit = cx.b.constant(Frame::row_f64([0.005 / classes as f64]));
    let mut p = cx.b.constant(Frame::row_f64(vec![1.0 / classes as f64; classes]));
    for _ in 0..rounds(classes) {
        let state = products(cx, &q, p)?;
        let ended = ended(cx, &state, limit)?;
        p = round(cx, &q, state, ended)?;
    }
    if classes > 2 {
        let state = products(cx, &q, p)?;
        let ended = ended(cx, &state, limit)?;
        cx.refuse_unless_all(ended)?;
    }
    Ok(p)
}

/// The rows of Q: Q[t][t] = Σ r[j][t]², Q[t][j] = -r[j][t] r[t][j].
fn matrix(cx: &mut Lift, pairs: NodeId, classes: usize) -> Res<Vec<NodeId>> {
    let one = cx.b.constant(Frame::row_f64([1.0]));
    let others = cx.op(Op::Sub, &[one, pairs])?;
    let both = cx.side_by_side(&[pairs, others])?;
    let n = classes * (classes - 1) / 2;
    // Where r[i][j] stands in `both`.
    let at = |i: usize, j: usize| {
        let pair = |a: usize, b: usize| a * (2 * classes - a - 1) / 2 + (b - a - 1);
        if i < j { pair(i, j) } else { n + pair(j, i) }
    };
    (0..classes)
        .map(|t| {
            let rest: Vec<usize> = (0..classes).filter(|j| *j != t).collect();
            let against: Vec<usize> = rest.iter().map(|j| at(*j, t)).collect();
            let towards: Vec<usize> = rest.iter().map(|j| at(t, *j)).collect();
            let (against, towards) = (cx.pick(both, &against)?, cx.pick(both, &towards)?);
            let squares = cx.op(Op::Mul, &[against, against])?;
            let diagonal = cx.op(Op::Sum, &[squares])?;
            let products = cx.op(Op::Mul, &[against, towards])?;
            let off = cx.op(Op::Neg, &[products])?;
            let mut columns = Vec::with_capacity(3);
            if t > 0 {
                columns.push(cx.pick(off, &(0..t).collect::<Vec<_>>())?);
            }
            columns.push(diagonal);
            if t + 1 < classes {
                columns.push(cx.pick(off, &(t..classes - 1).collect::<Vec<_>>())?);
            }
            cx.side_by_side(&columns)
        })
        .collect()
}

fn products(cx: &mut Lift, q: &[NodeId], p: NodeId) -> Res<State> {
    let dot = |cx: &mut Lift, a: NodeId, b: NodeId| {
        let terms = cx.op(Op::Mul, &[a, b])?;
        cx.op(Op::Sum, &[terms])
    };
    let columns: Vec<NodeId> = q.iter().map(|row| dot(cx, *row, p)).collect::<Res<_>>()?;
    let qp = cx.side_by_side(&columns)?;
    Ok(State { p, qp, pqp: dot(cx, p, qp)? })
}

/// Whether the greatest |Q · p - pᵀ · Q · p| is below the limit.
fn ended(cx: &mut Lift, state: &State, limit: NodeId) -> Res<NodeId> {
    let error = cx.op(Op::Sub, &[state.qp, state.pqp])?;
    let size = cx.op(Op::Abs, &[error])?;
    let greatest = cx.op(Op::RowMax, &[size])?;
    cx.op(Op::Lt, &[greatest, limit])
}

/// One round: class by class, p[t] moves and all is brought back to a sum of 1. Where it has ended nothing moves.
fn round(cx: &mut Lift, q: &[NodeId], mut state: State, ended: NodeId) -> Res<NodeId> {
    let rest = cx.b.constant(Frame::row_f64([0.0]));
    for (t, row) in q.iter().enumerate() {
        let (own, diagonal) = (cx.pick(state.qp, &[t])?, cx.pick(*row, &[t])?);
        let excess = cx.op(Op::Sub, &[state.pqp, own])?;
        let step = cx.op(Op::Div, &[excess, diagonal])?;
        let step = cx.op(Op::Select, &[ended, rest, step])?;
        let total = cx.with_row(Op::Add, step, vec![1.0])?;
        let there =
            cx.b.constant(Frame::row_f64((0..q.len()).map(|j| f64::from(u8::from(j == t))).collect::<Vec<_>>()));
        let moved = cx.op(Op::Mul, &[step, there])?;
        let p = cx.op(Op::Add, &[state.p, moved])?;
        let curve = cx.op(Op::Mul, &[step, diagonal])?;
        let slope = cx.with_row(Op::Mul, own, vec![2.0])?;
        let change = cx.op(Op::Add, &[curve, slope])?;
        let change = cx.op(Op::Mul, &[step, change])?;
        let pqp = cx.op(Op::Add, &[state.pqp, change])?;
        let pqp = cx.op(Op::Div, &[pqp, total])?;
        let shift = cx.op(Op::Mul, &[step, *row])?;
        let qp = cx.op(Op::Add, &[state.qp, shift])?;
        state = State {
            p: cx.op(Op::Div, &[p, total])?,
            qp: cx.op(Op::Div, &[qp, total])?,
            pqp: cx.op(Op::Div, &[pqp, total])?,
        };
    }
    Ok(state.p)
}
