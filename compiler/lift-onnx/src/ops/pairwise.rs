//! Probabilities of classes from those of their pairs, as LIBSVM couples them.
//!
//! With r(i, j) the probability of i against j, p is the least of Σ (r(j, i)·p(i) - r(i, j)·p(j))². It is approached by
//! sweeps over the classes from 1/k each, until Q·p is equal in every class within 0.005 / k: the answer is where that
//! stops, not the least itself. Four sweeps are the most that was seen; eight are built, and a row that needs more is
//! refused.
//! Source: Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling", 2004;
//! onnxruntime `ml/svmclassifier.cc`, `multiclass_probability`.

use flock_ir_spec::{Composite, NodeId, Op};

use super::svm::pairs;
use crate::Res;
use crate::elem::Elem;
use crate::node::Node;

/// Sweeps that are built.
const SWEEPS: usize = 8;
/// Classes up to which they are.
const MAX_CLASSES: usize = 32;

impl Node<'_, '_> {
    /// The probability of each of k classes from the scores of their pairs, each made a probability by its `a` and `b`.
    pub fn coupled(&mut self, scores: NodeId, a: &[f32], b: &[f32], k: usize) -> Res<NodeId> {
        if k > MAX_CLASSES {
            return Err(self.unsupported(format!("probabilities of {k} classes; up to {MAX_CLASSES} are supported")));
        }
        let of_pairs = self.pair_probabilities(scores, a, b)?;
        let q = self.quadratic_form(of_pairs, k)?;
        let start = self.numbers(Elem::F32, vec![1.0 / k as f64; k])?;
        let eps = self.number(Elem::F32, f64::from(0.005_f32 / k as f32))?;
        let mut p = start;
        let mut stopped: Option<NodeId> = None;
        for _ in 0..SWEEPS {
            let (qp, pqp) = self.gradient(&q, p)?;
            let apart = self.op(Op::Sub, &[qp, pqp])?;
            let sizes = self.op(Op::Abs, &[apart])?;
            let most = self.op(Op::RowMax, &[sizes])?;
            // A NaN is not far from anything: its row stays where it begins.
            let far = self.op(Op::Ge, &[most, eps])?;
            let near = self.op(Op::Not, &[far])?;
            let stops = match stopped {
                None => near,
                Some(before) => self.op(Op::Or, &[before, near])?,
            };
            let swept = self.sweep(&q, p, qp, pqp)?;
            p = self.op(Op::Select, &[stops, p, swept])?;
            stopped = Some(stops);
        }
        if let Some(stopped) = stopped {
            self.refuse_unless(stopped)?;
        }
        Ok(p)
    }

    /// 1 less the logistic function of a · score + b, away from 0 and 1.
    fn pair_probabilities(&mut self, scores: NodeId, a: &[f32], b: &[f32]) -> Res<NodeId> {
        let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect();
        let (a, b) = (self.numbers(Elem::F32, wide(a))?, self.numbers(Elem::F32, wide(b))?);
        let scaled = self.op(Op::Mul, &[scores, a])?;
        let moved = self.op(Op::Add, &[scaled, b])?;
        let opposite = self.op(Op::Neg, &[moved])?;
        let value = self.op(Op::Logistic, &[opposite])?;
        let (low, high) = (self.number(Elem::F32, 1e-7)?, self.number(Elem::F32, f64::from(1.0 - 1e-7_f32))?);
        self.op(Op::Composite(Composite::CLIP), &[value, low, high])
    }

    /// Per class t the row Q(t): Σ r(j, t)² on the diagonal, -r(j, t) · r(t, j) elsewhere.
    fn quadratic_form(&mut self, of_pairs: NodeId, k: usize) -> Res<Vec<NodeId>> {
        let one = self.number(Elem::F32, 1.0)?;
        let others = self.op(Op::Sub, &[one, of_pairs])?;
        let pairs = pairs(k);
        let both = self.concat(&[of_pairs, others])?;
        // r(i, j) in column p of the pair, r(j, i) behind all pairs.
        let at = |i: usize, j: usize| {
            let p = pairs.iter().position(|p| *p == (i.min(j), i.max(j))).unwrap_or(0);
            (if i < j { p } else { p + pairs.len() }) as i64
        };
        (0..k)
            .map(|t| {
                let others: Vec<usize> = (0..k).filter(|j| *j != t).collect();
                let against = self.take(both, others.iter().map(|j| at(*j, t)).collect())?;
                let own = self.take(both, others.iter().map(|j| at(t, *j)).collect())?;
                let squares = self.op(Op::Mul, &[against, against])?;
                let diagonal = self.op(Op::Sum, &[squares])?;
                let products = self.op(Op::Mul, &[against, own])?;
                let products = self.op(Op::Neg, &[products])?;
                let row = self.concat(&[diagonal, products])?;
                self.take(row, (0..k).map(|j| if j == t { 0 } else { j as i64 + i64::from(j < t) }).collect())
            })
            .collect()
    }

    /// Q·p, and p·Q·p.
    fn gradient(&mut self, q: &[NodeId], p: NodeId) -> Res<(NodeId, NodeId)> {
        let parts = q
            .iter()
            .map(|row| {
                let terms = self.op(Op::Mul, &[*row, p])?;
                self.op(Op::Sum, &[terms])
            })
            .collect::<Res<Vec<_>>>()?;
        let qp = self.concat(&parts)?;
        let terms = self.op(Op::Mul, &[p, qp])?;
        Ok((qp, self.op(Op::Sum, &[terms])?))
    }

    /// Each class in turn is moved to where it is best, and all are scaled to a sum of 1.
    fn sweep(&mut self, q: &[NodeId], mut p: NodeId, mut qp: NodeId, mut pqp: NodeId) -> Res<NodeId> {
        let (one, two) = (self.number(Elem::F32, 1.0)?, self.number(Elem::F32, 2.0)?);
        for (t, row) in q.iter().enumerate() {
            let diagonal = self.column(*row, t as u32)?;
            let own = self.column(qp, t as u32)?;
            let less = self.op(Op::Sub, &[pqp, own])?;
            let step = self.op(Op::Div, &[less, diagonal])?;
            let scale = self.op(Op::Add, &[one, step])?;
            let unit = self.numbers(Elem::F32, (0..q.len()).map(|c| f64::from(u8::from(c == t))).collect())?;
            let moved = self.op(Op::Mul, &[unit, step])?;
            let sum = self.op(Op::Add, &[p, moved])?;
            p = self.op(Op::Div, &[sum, scale])?;
            let bent = self.op(Op::Mul, &[step, diagonal])?;
            let twice = self.op(Op::Mul, &[two, own])?;
            let slope = self.op(Op::Add, &[bent, twice])?;
            let gain = self.op(Op::Mul, &[step, slope])?;
            let sum = self.op(Op::Add, &[pqp, gain])?;
            let once = self.op(Op::Div, &[sum, scale])?;
            pqp = self.op(Op::Div, &[once, scale])?;
            let along = self.op(Op::Mul, &[step, *row])?;
            let sum = self.op(Op::Add, &[qp, along])?;
            qp = self.op(Op::Div, &[sum, scale])?;
        }
        Ok(p)
    }
}
