//! Products of matrices in general: of known and of computed factors, in batches, of vectors.
//!
//! Rows times known weights are one `linear`. Where both factors are computed, each element is a sum of products within the
//! row: a batch of matrices per row is row-local, a product across rows is not.

use flock_ir_spec::{Data, Frame, NodeId, Op};

use crate::Res;
use crate::broadcast;
use crate::node::Node;
use crate::shape::{self, Dim, Shape};
use crate::value::Tensor;

/// Two factors of one type; a frame that is the same on every row may be a constant.
pub struct Factors {
    /// The first.
    pub a: Tensor,
    /// The second.
    pub b: Tensor,
}

/// One operand of sums of products: where its elements are, along each axis of the result and each axis summed over.
pub struct Term {
    /// The operand.
    pub node: NodeId,
    /// Per axis of the result the positions of its indices.
    pub kept: Vec<Vec<i64>>,
    /// The same per axis that is summed over.
    pub summed: Vec<Vec<i64>>,
}

/// A factor of matrices, `[…, m, k]` on the left or `[…, k, n]`.
fn matrix_term((node, shape, left): (NodeId, &Shape, bool), outer: &Shape, [m, n]: [Dim; 2], k: u64) -> Term {
    let own = if left { [m, Dim::Fixed(k)] } else { [Dim::Fixed(k), n] };
    let to = Shape(outer.0.iter().copied().chain(own).collect());
    let mut kept = broadcast::stretch(shape, &to);
    let other = |d: Dim| if let Dim::Fixed(n) = d { vec![0; n as usize] } else { vec![0] };
    let (last, before) = (kept.pop().unwrap_or_default(), kept.pop().unwrap_or_default());
    let (tail, summed) = if left { ([before, other(n)], last) } else { ([other(m), last], before) };
    kept.extend(tail);
    Term { node, kept, summed: vec![summed] }
}

/// Terms of sums that one product may have.
const MAX_TERMS: u64 = 1 << 20;

impl Node<'_, '_> {
    /// numpy's `matmul`: the last two axes are matrices, the others broadcast; a vector is a row on the left, a column on
    /// the right.
    pub fn product(&mut self, factors: &Factors) -> Res<(Shape, NodeId)> {
        let (a, b) = (&factors.a, &factors.b);
        if a.shape.rank() == 0 || b.shape.rank() == 0 {
            return Err(self.bad_shape(format!("{} times {}", a.shape, b.shape)));
        }
        let (a_vector, b_vector) = (a.shape.rank() == 1, b.shape.rank() == 1);
        let mut left = a.shape.clone();
        let mut right = b.shape.clone();
        if a_vector {
            left.0.insert(0, Dim::Fixed(1));
        }
        if b_vector {
            right.0.push(Dim::Fixed(1));
        }
        let (inner_a, inner_b) = (left.0[left.rank() - 1], right.0[right.rank() - 2]);
        let (Dim::Fixed(k), Dim::Fixed(k_b)) = (inner_a, inner_b) else {
            return Err(self.mixes_rows(format!("{} times {}: it sums over rows", a.shape, b.shape)));
        };
        if k != k_b {
            return Err(self.bad_shape(format!("{} times {}", a.shape, b.shape)));
        }
        let (m, n) = (left.0[left.rank() - 2], right.0[right.rank() - 1]);
        let batch = |s: &Shape| Shape(s.0[..s.rank() - 2].to_vec());
        let outer = broadcast::common(&[&batch(&left), &batch(&right)]).map_err(|e| self.broadcast_fault(e))?;
        let mut full = outer.clone();
        full.0.extend([m, n]);
        if full.0.iter().filter(|d| **d == Dim::Rows).count() > 1 {
            return Err(self.mixes_rows(format!("{} times {}: every row times every other", a.shape, b.shape)));
        }
        let value = match self.linear_product(a, b, k)? {
            Some(value) => value,
            None => {
                let terms = [(a.node, &left, true), (b.node, &right, false)].map(|t| matrix_term(t, &outer, [m, n], k));
                self.sums_of_products(terms.into(), &full, k)?
            }
        };
        let mut result = full;
        if b_vector {
            result.0.pop();
        }
        if a_vector {
            result.0.remove(result.rank() - if b_vector { 1 } else { 2 });
        }
        Ok((result, value))
    }

    /// The fault of shapes that do not broadcast.
    pub fn broadcast_fault(&self, message: String) -> flock_ir_spec::Diagnostic {
        if message.contains("row") { self.mixes_rows(message) } else { self.bad_shape(message) }
    }

    /// `[…, features]`, of which each row holds one vector, times a known matrix: one operator of the IR.
    fn linear_product(&mut self, a: &Tensor, b: &Tensor, k: u64) -> Res<Option<NodeId>> {
        if u64::from(self.width(a.node)) != k || b.shape.rank() > 2 || b.shape.rows_axis().is_some() {
            return Ok(None);
        }
        let Some(flock_ir_spec::Constant::Table(table)) = self.lift.b.constant_of(b.node) else { return Ok(None) };
        let table = table.clone();
        let m = table.width / (k.max(1) as usize);
        let by_column = (0..m).flat_map(|j| (0..k as usize).map(move |i| i * m + j));
        let data = match &table.data {
            Data::F32(v) => Data::F32(by_column.map(|i| v[i]).collect()),
            Data::F64(v) => Data::F64(by_column.map(|i| v[i]).collect()),
            _ => return Ok(None),
        };
        let weights = self.constant(Frame { rows: k as usize, width: m, data, valid: None })?;
        let bias = self.numbers(a.elem, vec![0.0; m])?;
        self.op(Op::Linear, &[a.node, weights, bias]).map(Some)
    }

    /// For each element of the result the products of one element of each operand, summed.
    pub fn sums_of_products(&mut self, terms: Vec<Term>, shape: &Shape, k: u64) -> Res<NodeId> {
        let sums = shape.width().unwrap_or(u64::MAX);
        let Some(total) = sums.checked_mul(k).filter(|t| (1..=MAX_TERMS).contains(t)) else {
            let message = format!("products of none or of more than {MAX_TERMS} terms a row");
            return Err(self.fault("flock::lift::too_large", message));
        };
        self.spend(2 * total * terms.len() as u64)?;
        if k > 1 && k <= 4 * sums {
            return self.summed_terms(terms);
        }
        let product = self.multiplied(terms.into_iter().map(|t| (t.node, [t.kept, t.summed].concat())))?;
        if k == 1 {
            return Ok(product);
        }
        let sums = (0..sums)
            .map(|i| {
                let group = self.slice(product, (i * k) as u32, k as u32)?;
                let sum = self.op(Op::Sum, &[group])?;
                self.settled(sum)
            })
            .collect::<Res<Vec<_>>>()?;
        self.concat(&sums)
    }

    /// The elements of each operand at its positions, multiplied.
    fn multiplied(&mut self, factors: impl Iterator<Item = (NodeId, Vec<Vec<i64>>)>) -> Res<NodeId> {
        let mut product: Option<NodeId> = None;
        for (node, offsets) in factors {
            let factor = self.take(node, shape::sums(&offsets))?;
            product = Some(match product {
                None => factor,
                Some(before) => {
                    let both = self.op(Op::Mul, &[before, factor])?;
                    self.settled(both)?
                }
            });
        }
        product.ok_or_else(|| self.bad_shape("a product of nothing"))
    }

    /// The first terms of all results, plus the second ones, and so on: fewer operators where a result has few terms.
    fn summed_terms(&mut self, terms: Vec<Term>) -> Res<NodeId> {
        let places: Vec<Vec<i64>> = terms.iter().map(|t| shape::sums(&t.summed)).collect();
        let count = places.first().map_or(0, Vec::len);
        let mut total: Option<NodeId> = None;
        for i in 0..count {
            let at = |(t, places): (&Term, &Vec<i64>)| (t.node, [t.kept.clone(), vec![vec![places[i]]]].concat());
            let product = self.multiplied(terms.iter().zip(&places).map(at).collect::<Vec<_>>().into_iter())?;
            total = Some(match total {
                None => product,
                Some(before) => {
                    let sum = self.op(Op::Add, &[before, product])?;
                    self.settled(sum)?
                }
            });
        }
        total.ok_or_else(|| self.bad_shape("a sum of nothing"))
    }

    /// The tensor with the elements of the matrix turned: the last two axes change places.
    pub fn turned(&mut self, t: &Tensor) -> Res<Tensor> {
        let rank = t.shape.rank();
        let mut offsets = t.shape.offsets();
        let mut shape = t.shape.clone();
        offsets.swap(rank - 2, rank - 1);
        shape.0.swap(rank - 2, rank - 1);
        let node = self.pick(t.node, &offsets)?;
        Ok(Tensor { elem: t.elem, shape, node })
    }
}
