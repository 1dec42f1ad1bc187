//! `interpolate`: a search among the points by CASE within CASE, then a line.

use std::rc::Rc;

use flock_ir_spec::{DType, Graph, Node, Op, Scalar};

use super::{Cell, Lower, Range, Val, table};
use crate::expr::{Id, Op2, X};

/// Points up to which a CASE tries one after the other.
const FEW: usize = 8;

impl<'m> Lower<'m> {
    pub(super) fn interpolate(&mut self, graph: &'m Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let tables = (table(self.module, graph, node.args[1]), table(self.module, graph, node.args[2]));
        let (Some(xs), Some(ys)) = (tables.0.and_then(|t| t.as_f64()), tables.1.and_then(|t| t.as_f64())) else {
            return self.refused(node, "its points are no constants");
        };
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        let slope = |i: usize| (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]);
        let slopes: Vec<f64> = (1..xs.len()).map(slope).collect();
        // A slope between equal xs is never used.
        let sound =
            (1..xs.len()).all(|i| xs[i] == xs[i - 1] || (slopes[i - 1].is_finite() && (xs[i] - xs[i - 1]).is_finite()));
        if !finite(xs) || !finite(ys) || !sound {
            return self.refused(node, "a point or a slope that is infinite");
        }
        let curve = Curve { xs, ys, slopes: &slopes };
        args[0].iter().map(|cell| self.curve(&curve, cell)).collect()
    }

    fn curve(&mut self, curve: &Curve<'_>, cell: &Cell) -> Cell {
        let v = self.val(cell);
        let v = self.clean(v);
        let known = self.arena.add(X::IsNotNull(v.id));
        let last = curve.xs.len() - 1;
        if last == 0 {
            // NaN gives the y too.
            let y = Cell::Const(Scalar::F64(curve.ys[0]), DType::F64);
            return match (v.null, v.miss) {
                (false, _) => y,
                (true, false) => {
                    let y = self.arena.f64(curve.ys[0]);
                    let id = self.arena.case(&[(known, y)], None);
                    Cell::Val(Val { id, range: Range::point(curve.ys[0]), ..v })
                }
                (true, true) => {
                    let why = "it has to tell null from NaN, and NULL stands for both here";
                    let id = self.arena.refuse("interpolate", why);
                    Cell::Val(Val { id, ..v })
                }
            };
        }
        let inside = self.between(curve, v, 0, last);
        let (first, end) = (self.test(Op2::Lt, v.id, curve.xs[0]), self.test(Op2::Ge, v.id, curve.xs[last]));
        let (low, high) = (self.arena.f64(curve.ys[0]), self.arena.f64(curve.ys[last]));
        let id = self.guarded(&[(first, low), (end, high)], Some(inside));
        let id = if v.null || v.miss { self.arena.case(&[(known, id)], None) } else { id };
        self.arena.hint(id, "curve");
        let range = curve.ys.iter().map(|y| Range::point(*y)).reduce(Range::union).unwrap_or(Range::ALL);
        // Rounding may pass the ys by a little.
        let slack = range.top * 1e-12 + super::range::LEAST;
        let range =
            Range { lo: range.lo - slack, hi: range.hi + slack, top: range.top + slack, tiny: super::range::LEAST };
        Cell::Val(Val { id, range, ..v })
    }

    /// The lines from point `from` to point `to`, for x between them, the last excluded.
    fn between(&mut self, curve: &Curve<'_>, v: Val, from: usize, to: usize) -> Id {
        if to - from > FEW {
            let middle = from + (to - from) / 2;
            let (low, high) = (self.between(curve, v, from, middle), self.between(curve, v, middle, to));
            let below = self.test(Op2::Lt, v.id, curve.xs[middle]);
            return self.guarded(&[(below, low)], Some(high));
        }
        let mut arms = Vec::new();
        for i in from..to - 1 {
            // A point with the x of the one before it has no line to it.
            if i + 1 > from && curve.xs[i] == curve.xs[i + 1] {
                continue;
            }
            let below = self.test(Op2::Lt, v.id, curve.xs[i + 1]);
            let line = self.line(curve, v, i);
            arms.push((below, line));
        }
        let last = self.line(curve, v, to - 1);
        self.guarded(&arms, Some(last))
    }

    /// `slope * (x - x_i) + y_i`, for x from x_i on.
    fn line(&mut self, curve: &Curve<'_>, v: Val, i: usize) -> Id {
        let (x, y, slope) = (curve.xs[i], curve.ys[i], curve.slopes[i]);
        if slope == 0.0 || x == curve.xs[i + 1] {
            return self.arena.f64(y);
        }
        let constant = |l: &mut Self, c: f64| l.constant(&Scalar::F64(c), DType::F64);
        let within = Range { tiny: super::range::LEAST, ..Range::between(x, curve.xs[i + 1]) };
        let v = Val { range: within, ..v };
        let origin = constant(self, x);
        let offset = if x == 0.0 { v } else { self.float_op(Op::Sub, v, origin) };
        let offset =
            Val { range: Range { tiny: offset.range.tiny, ..Range::between(0.0, curve.xs[i + 1] - x) }, ..offset };
        let slope = constant(self, slope);
        let rise = self.float_op(Op::Mul, slope, offset);
        let start = constant(self, y);
        let sum = self.float_op(Op::Add, rise, start);
        // Outside of its stretch a step may overflow.
        self.arena.partial(sum.id)
    }
}

struct Curve<'a> {
    xs: &'a [f64],
    ys: &'a [f64],
    slopes: &'a [f64],
}
