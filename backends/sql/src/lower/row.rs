//! Reductions over the columns of a row.

use flock_ir_spec::{Attr, DType, FrameType, Node, Op, Scalar, Word};

use super::{Arms, Cell, Dict, Lower, Range, Val};
use crate::expr::{Id, Op2, X};

/// Classes up to which the greatest is found by comparing each with those after it.
const FEW: usize = 3;

impl Lower<'_> {
    pub(super) fn reduce(&mut self, node: &Node, cells: &[Cell]) -> Vec<Cell> {
        let out = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        match node.op {
            Op::Sum if out.dtype == DType::I64 => vec![self.integer_sum_of(cells)],
            Op::Sum => vec![self.plain_sum(cells, out.dtype)],
            Op::Prod => vec![self.product(cells, out.dtype)],
            Op::RowMin | Op::RowMax => {
                let vals = self.floats(cells);
                vec![Cell::Val(self.extreme_of(&vals, node.op == Op::RowMax))]
            }
            Op::ArgMax => vec![self.argmax(cells)],
            Op::Softmax => self.softmax(cells, out.dtype),
            _ => self.normalize(cells, out.dtype, &node.attr),
        }
    }

    fn floats(&mut self, cells: &[Cell]) -> Vec<Val> {
        cells
            .iter()
            .map(|c| {
                let v = self.val(c);
                let v = self.narrow(v);
                self.clean(v)
            })
            .collect()
    }

    fn integer_sum_of(&mut self, cells: &[Cell]) -> Cell {
        let mut sum = self.constant(&Scalar::I64(0), DType::I64);
        for c in cells {
            let v = self.val(c);
            sum = self.integer_op(Op::Add, sum, v);
            self.arena.hint(sum.id, "total");
        }
        Cell::Val(sum)
    }

    /// The product of the columns from left to right.
    fn product(&mut self, cells: &[Cell], dtype: DType) -> Cell {
        let vals: Vec<Val> = cells.iter().map(|c| self.val(c)).collect();
        let times = |l: &mut Self, a: Val, b: Val| {
            let v = if dtype == DType::I64 { l.integer_op(Op::Mul, a, b) } else { l.float_op(Op::Mul, a, b) };
            l.arena.hint(v.id, "product");
            v
        };
        let product = vals.into_iter().reduce(|a, b| times(self, a, b));
        product.map_or(Cell::Const(Scalar::Null, dtype), Cell::Val)
    }

    /// The greatest or least of floats without NaNs of the dialect; NULL where one is NULL.
    pub(super) fn extreme_of(&mut self, vals: &[Val], greatest: bool) -> Val {
        let (null, miss) = (vals.iter().any(|v| v.null), vals.iter().any(|v| v.miss));
        let ids: Vec<Id> = vals.iter().map(|v| v.id).collect();
        let found = self.extreme_ids(&ids, greatest);
        // Some dialects skip NULLs here.
        let id = if null || miss {
            let known: Vec<Id> =
                vals.iter().filter(|v| v.null || v.miss).map(|v| self.arena.add(X::IsNotNull(v.id))).collect();
            let known = self.arena.and(&known);
            self.arena.case(&[(known, found)], None)
        } else {
            found
        };
        self.arena.hint(id, if greatest { "greatest" } else { "least" });
        let range = vals.iter().map(|v| v.range).reduce(Range::union).unwrap_or(Range::ALL);
        let first = vals.first().copied().unwrap_or_else(|| self.plain(id, DType::F64));
        Val { id, null, miss, range, ..first }
    }

    fn extreme_ids(&mut self, ids: &[Id], greatest: bool) -> Id {
        let (name, most) =
            (if greatest { self.dialect().greatest } else { self.dialect().least }, self.dialect().arguments);
        let mut ids = ids.to_vec();
        while ids.len() > 1 {
            ids = ids.chunks(most).map(|c| if let [one] = c { *one } else { self.arena.call(name, c) }).collect();
        }
        ids.first().copied().unwrap_or_else(|| self.arena.f64(f64::NAN))
    }

    /// The first of the greatest: the first that none after it exceeds; the first NaN where there is one.
    fn argmax(&mut self, cells: &[Cell]) -> Cell {
        let vals = self.floats(cells);
        let mut arms = Arms { conditions: Vec::new(), operand: None, keys: Vec::new() };
        let mut values = Vec::new();
        let nulls: Vec<Id> =
            vals.iter().filter(|v| v.null && !v.miss).map(|v| self.arena.add(X::IsNull(v.id))).collect();
        if !nulls.is_empty() {
            arms.conditions.push(self.arena.or(&nulls));
            values.push(Scalar::Null);
        }
        for (k, v) in vals.iter().enumerate().filter(|(_, v)| v.miss) {
            arms.conditions.push(self.arena.add(X::IsNull(v.id)));
            values.push(if v.null { Scalar::Null } else { Scalar::I64(k as i64) });
        }
        let ids: Vec<Id> = vals.iter().map(|v| v.id).collect();
        let last = ids.len() as i64 - 1;
        let top = (ids.len() > FEW).then(|| {
            let top = self.extreme_ids(&ids, true);
            self.arena.force(top);
            self.arena.hint(top, "greatest");
            top
        });
        for (k, id) in ids.iter().enumerate().take(ids.len().saturating_sub(1)) {
            let wins = match top {
                Some(top) => self.arena.op2(Op2::Eq, *id, top),
                None => {
                    let over: Vec<Id> = ids[k + 1..].iter().map(|o| self.arena.op2(Op2::Ge, *id, *o)).collect();
                    self.arena.and(&over)
                }
            };
            arms.conditions.push(wins);
            values.push(Scalar::I64(k as i64));
        }
        Cell::Dict(Dict { arms: arms.into(), values, otherwise: Scalar::I64(last.max(0)), dtype: DType::I64 }.into())
    }

    fn softmax(&mut self, cells: &[Cell], dtype: DType) -> Vec<Cell> {
        let vals = self.floats(cells);
        let top = self.extreme_of(&vals, true);
        let exps: Vec<Cell> = vals.iter().enumerate().map(|(k, v)| Cell::Val(self.exp_below(*v, top, k))).collect();
        let total = self.plain_sum(&exps, DType::F64);
        let total = self.val(&total);
        // The greatest of them is 1.
        let total = Val { range: Range { lo: 1.0, hi: f64::MAX, top: cells.len() as f64, tiny: 1.0 }, ..total };
        self.divided(&exps, total, dtype)
    }

    /// exp(v - top), top at least v.
    fn exp_below(&mut self, v: Val, top: Val, k: usize) -> Val {
        let has_nan = self.dialect().has_nan();
        let both_infinite = v.range.infinite() && top.range.infinite();
        let difference = self.arena.op2(Op2::Sub, v.id, top.id);
        let plain = self.arena.call("exp", &[difference]);
        let id = if self.dialect().traps.arithmetic && v.range.top + top.range.top > 700.0 {
            // What is so small is 0 within what a softmax promises, and its share does not vanish.
            let (far, zero) = (self.arena.f64(700.0), self.arena.f64(0.0));
            let bottom = self.arena.op2(Op2::Sub, top.id, far);
            let below = self.arena.op2(Op2::Lt, v.id, bottom);
            self.arena.partial(difference);
            self.arena.partial(plain);
            self.guarded(&[(below, zero)], Some(plain))
        } else {
            plain
        };
        self.arena.hint(id, format!("exp_{k}"));
        let (null, miss) = (v.null || top.null, v.miss || top.miss || (both_infinite && !has_nan));
        let range = Range { tiny: 1e-305, ..Range::between(0.0, 1.0) };
        Val { id, null, miss, nan: both_infinite && has_nan, range, ..self.plain(id, DType::F64) }
    }

    /// Each by one divisor.
    fn divided(&mut self, cells: &[Cell], by: Val, dtype: DType) -> Vec<Cell> {
        let divide = |l: &mut Self, c: &Cell| {
            let v = l.val(c);
            let (v, by) = (Val { dtype: DType::F64, wide: false, ..v }, Val { dtype: DType::F64, wide: false, ..by });
            let q = l.float_op(Op::Div, v, by);
            Cell::Val(Val { dtype, wide: dtype == DType::F32, loose: true, ..q })
        };
        cells.iter().map(|c| divide(self, c)).collect()
    }

    fn normalize(&mut self, cells: &[Cell], dtype: DType, attr: &Attr) -> Vec<Cell> {
        let vals: Vec<Val> = self.floats(cells).into_iter().map(|v| Val { dtype: DType::F64, ..v }).collect();
        let sizes: Vec<Val> =
            vals.iter().map(|v| Val { id: self.arena.call("abs", &[v.id]), range: v.range.abs(), ..*v }).collect();
        let cells: Vec<Cell> = sizes.iter().map(|v| Cell::Val(*v)).collect();
        let norm = match attr {
            Attr::Word(Word::L1) => self.plain_sum(&cells, DType::F64),
            Attr::Word(Word::L2) => {
                let squares: Vec<Cell> = vals.iter().map(|v| Cell::Val(self.squared(*v))).collect();
                let total = self.plain_sum(&squares, DType::F64);
                let total = self.val(&total);
                let id = self.arena.call("sqrt", &[total.id]);
                let range =
                    Range { lo: 0.0, hi: f64::INFINITY, top: total.range.top.sqrt(), tiny: total.range.tiny.sqrt() };
                Cell::Val(Val { id, range, ..total })
            }
            _ => {
                // NaN is greater than nothing here.
                let zero = self.arena.f64(0.0);
                let present =
                    |l: &mut Self, v: &Val| Val { id: l.arena.call("coalesce", &[v.id, zero]), miss: false, ..*v };
                let present: Vec<Val> = sizes.iter().map(|v| if v.miss { present(self, v) } else { *v }).collect();
                Cell::Val(self.extreme_of(&present, true))
            }
        };
        let norm = self.val(&norm);
        self.arena.hint(norm.id, "norm");
        let zero = self.arena.f64(0.0);
        let is_zero = self.arena.op2(Op2::Eq, norm.id, zero);
        let positive = Val { range: Range { lo: norm.range.tiny, ..norm.range }, ..norm };
        let divided = self.divided(&vals.iter().map(|v| Cell::Val(*v)).collect::<Vec<_>>(), positive, dtype);
        let stays = |l: &mut Self, (v, q): (&Val, Cell)| {
            let q = l.val(&q);
            let id = l.arena.case(&[(is_zero, v.id)], Some(q.id));
            Cell::Val(Val { id, ..q })
        };
        vals.iter().zip(divided).map(|pair| stays(self, pair)).collect()
    }
}
