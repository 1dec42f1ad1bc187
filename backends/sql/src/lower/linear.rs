//! Linear maps. The columns of a one-hot become one dictionary: `CASE "carrier" WHEN 'AA' THEN 0.5 … END`, whether an
//! optimizer has seen to that or not.

use std::collections::HashMap;
use std::rc::Rc;

use flock_ir_spec::{DType, FrameType, Graph, Node, Op, Scalar};

use super::{Arms, Cell, Dict, Lower, Range, Val, number, table};
use crate::expr::{Id, Op2, X};

/// What a sum is made of.
enum Term {
    /// A column times a weight.
    Column(Val, f64),
    /// A function of a category.
    Group(usize),
}

/// The columns of one category: what each key adds, and what every other value does.
struct Group {
    arms: Rc<Arms>,
    added: Vec<f64>,
    otherwise: f64,
    /// What the columns of a one-hot add where they are 0.
    base: f64,
    /// Per index of a one-hot, what its column adds where it is 1.
    hot: HashMap<i64, f64>,
    index: Option<Rc<Dict>>,
}

impl Lower<'_> {
    pub(super) fn linear(&mut self, graph: &Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let (Some(w), Some(b)) = (table(self.module, graph, node.args[1]), table(self.module, graph, node.args[2]))
        else {
            return self.refused(node, "its weights are no constants");
        };
        let out = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        (0..w.width)
            .map(|j| {
                let weights: Vec<f64> = (0..w.rows).map(|k| number(&w.get(k, j)).unwrap_or(f64::NAN)).collect();
                let bias = number(&b.get(0, j)).unwrap_or(f64::NAN);
                let name = if w.width == 1 { "score".to_owned() } else { format!("score_{j}") };
                self.weighted_sum(&args[0], &weights, bias, out.dtype, &name)
            })
            .collect()
    }

    /// The sum of cells times weights, and a constant.
    pub(super) fn weighted_sum(
        &mut self,
        cells: &[Cell],
        weights: &[f64],
        constant: f64,
        dtype: DType,
        name: &str,
    ) -> Cell {
        let (terms, groups, constant) = self.terms(cells, weights, constant);
        let mut vals: Vec<(Val, f64)> = Vec::new();
        for term in terms {
            match term {
                Term::Column(v, w) => vals.push((v, w)),
                Term::Group(g) => {
                    let group = &groups[g];
                    let values = group.added.iter().map(|x| Scalar::F64(*x)).collect();
                    let otherwise = Scalar::F64(group.otherwise);
                    let dict = Dict { arms: group.arms.clone(), values, otherwise, dtype: DType::F64 };
                    vals.push((self.looked_up(&dict), 1.0));
                }
            }
        }
        if vals.is_empty() {
            let constant = if dtype == DType::F32 { Scalar::F32(constant as f32) } else { Scalar::F64(constant) };
            return Cell::Const(constant, dtype);
        }
        let sum = self.summed(&vals, constant);
        self.arena.hint(sum.id, name);
        Cell::Val(Val { dtype, wide: dtype == DType::F32, loose: true, ..sum })
    }

    /// Columns and categories of a sum, each category once, where it first turns up.
    fn terms(&mut self, cells: &[Cell], weights: &[f64], mut constant: f64) -> (Vec<Term>, Vec<Group>, f64) {
        let mut terms = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut found: HashMap<*const Arms, usize> = HashMap::new();
        for (cell, w) in cells.iter().zip(weights) {
            let arms = match cell {
                Cell::Const(x, _) => {
                    constant += number(x).unwrap_or(f64::NAN) * w;
                    continue;
                }
                Cell::Pick(p) => p.of.as_ref().map(|(d, _)| d.arms.clone()).filter(|_| finite(&p.yes) && finite(&p.no)),
                Cell::Dict(d) => Some(d.arms.clone()).filter(|_| d.values.iter().chain([&d.otherwise]).all(finite)),
                Cell::Val(_) => None,
            };
            let Some(arms) = arms else {
                let v = self.val(cell);
                let v = self.narrow(v);
                // What is finite adds nothing times 0; what may not be adds NaN.
                if *w != 0.0 || v.null || v.miss || v.nan || v.range.infinite() {
                    terms.push(Term::Column(v, *w));
                }
                continue;
            };
            let g = *found.entry(Rc::as_ptr(&arms)).or_insert_with(|| {
                terms.push(Term::Group(groups.len()));
                let added = vec![0.0; arms.conditions.len() + arms.keys.len()];
                groups.push(Group { arms, added, otherwise: 0.0, base: 0.0, hot: HashMap::new(), index: None });
                groups.len() - 1
            });
            add_to_group(&mut groups[g], cell, *w);
        }
        for group in &mut groups {
            settle(group);
        }
        (terms, groups, constant)
    }

    /// The sum from left to right; where it could overflow and that ends the statement, in a scale where it cannot.
    fn summed(&mut self, vals: &[(Val, f64)], constant: f64) -> Val {
        let weight: f64 = vals.iter().map(|(_, w)| w.abs()).sum::<f64>();
        let top = vals.iter().map(|(v, w)| v.range.top * w.abs()).sum::<f64>() + constant.abs();
        let overflows = self.dialect().traps.arithmetic && !(top * 2.0).is_finite();
        let id = if overflows && weight.is_finite() {
            self.guarded_sum(vals, constant, weight)
        } else {
            self.chain(vals, constant, 1.0)
        };
        let infinite = vals.iter().filter(|(v, _)| v.range.infinite()).count();
        let zero_times_infinity = vals.iter().any(|(v, w)| *w == 0.0 && v.range.infinite());
        let makes_nan = infinite > 1 || zero_times_infinity || !constant.is_finite();
        let has_nan = self.dialect().has_nan();
        let range = vals.iter().fold(Range::point(constant), |r, (v, w)| r.add(v.range.mul(Range::point(*w))));
        Val {
            id,
            null: vals.iter().any(|(v, _)| v.null),
            miss: vals.iter().any(|(v, _)| v.miss) || (makes_nan && !has_nan),
            nan: vals.iter().any(|(v, _)| v.nan) || (makes_nan && has_nan),
            range,
            ..self.plain(id, DType::F64)
        }
    }

    fn chain(&mut self, vals: &[(Val, f64)], constant: f64, scale: f64) -> Id {
        let mut sum = None;
        for (v, w) in vals {
            let term = self.term(*v, w * scale);
            sum = Some(sum.map_or(term, |s| self.arena.op2(Op2::Add, s, term)));
        }
        let constant = constant * scale;
        match sum {
            Some(s) if constant == 0.0 => s,
            Some(s) => {
                let c = self.arena.f64(constant);
                self.arena.op2(Op2::Add, s, c)
            }
            None => self.arena.f64(constant),
        }
    }

    /// Every sum on the way may overflow.
    fn partial_chain(&mut self, mut sum: Id) {
        while let X::Op2(Op2::Add, left, _) = *self.arena.x(sum) {
            self.arena.partial(sum);
            sum = left;
        }
    }

    fn term(&mut self, v: Val, w: f64) -> Id {
        if w == 1.0 {
            return v.id;
        }
        let weight = self.arena.f64(w);
        let product = self.arena.op2(Op2::Mul, v.id, weight);
        if !self.dialect().traps.arithmetic || v.range.tiny * w.abs() > 0.0 || w == 0.0 {
            return product;
        }
        // A product so near to 0 is 0 within what a sum promises; where it vanished the statement would end.
        let bound = (1e-300 / w.abs()).min(1e300);
        let (size, bound, zero) = (self.arena.call("abs", &[v.id]), self.arena.f64(bound), self.arena.f64(0.0));
        let small = self.arena.op2(Op2::Lt, size, bound);
        self.arena.partial(product);
        self.guarded(&[(small, zero)], Some(product))
    }

    fn guarded_sum(&mut self, vals: &[(Val, f64)], constant: f64, weight: f64) -> Id {
        let share = (f64::MAX / 4.0 - constant.abs()) / weight.max(1.0);
        // A power of ten reads better, and any bound below the share will do.
        let bound = self.arena.f64(10f64.powf(share.log10().floor().max(0.0)));
        let mut tests = Vec::new();
        for (v, _) in vals.iter().filter(|(v, w)| !(v.range.top * w.abs() * 4.0 * vals.len() as f64).is_finite()) {
            let size = self.arena.call("abs", &[v.id]);
            tests.push(self.arena.op2(Op2::Lt, size, bound));
        }
        let fits = self.arena.and(&tests);
        let scale = (-(weight.max(1.0).log2().ceil() + 2.0)).exp2();
        let scaled = self.chain(vals, constant, scale);
        self.arena.force(scaled);
        let (size, most) = (self.arena.call("abs", &[scaled]), self.arena.f64(f64::MAX * scale));
        let (up, infinity) = (self.arena.f64(1.0 / scale), self.arena.f64(f64::INFINITY));
        let small = self.arena.op2(Op2::Le, size, most);
        let (back, infinite) = (self.arena.op2(Op2::Mul, scaled, up), self.arena.op2(Op2::Mul, scaled, infinity));
        let slow = self.guarded(&[(small, back)], Some(infinite));
        // So long a chain would be cut, and what is cut off is no longer guarded.
        if vals.len() as u32 + 16 > self.dialect().depth {
            return slow;
        }
        let plain = self.chain(vals, constant, 1.0);
        self.partial_chain(plain);
        self.guarded(&[(fits, plain)], Some(slow))
    }

    /// The sum of the columns, for operators that reduce.
    pub(super) fn plain_sum(&mut self, cells: &[Cell], dtype: DType) -> Cell {
        let ones = vec![1.0; cells.len()];
        self.weighted_sum(cells, &ones, 0.0, dtype, "total")
    }

    /// The product of a value with itself, in double.
    pub(super) fn squared(&mut self, v: Val) -> Val {
        let v = Val { dtype: DType::F64, ..self.narrow(v) };
        self.float_op(Op::Mul, v, v)
    }
}

fn finite(x: &Scalar) -> bool {
    number(x).is_some_and(f64::is_finite)
}

fn add_to_group(group: &mut Group, cell: &Cell, w: f64) {
    let weighted = |x: &Scalar| number(x).unwrap_or(f64::NAN) * w;
    match cell {
        Cell::Dict(d) => {
            d.values.iter().zip(&mut group.added).for_each(|(x, a)| *a += weighted(x));
            group.otherwise += weighted(&d.otherwise);
        }
        Cell::Pick(p) => {
            let no = weighted(&p.no);
            group.base += no;
            if let Some((dict, k)) = &p.of {
                *group.hot.entry(*k).or_default() += weighted(&p.yes) - no;
                group.index = Some(dict.clone());
            }
        }
        Cell::Const(..) | Cell::Val(_) => {}
    }
}

/// Gives each key what the column of its index adds.
fn settle(group: &mut Group) {
    let Some(index) = group.index.take() else { return };
    let hot = |i: &Scalar| if let Scalar::I64(i) = i { group.hot.get(i).copied().unwrap_or(0.0) } else { 0.0 };
    for (a, i) in group.added.iter_mut().zip(&index.values) {
        *a += group.base + hot(i);
    }
    group.otherwise += group.base + hot(&index.otherwise);
}
