//! Comparison, three-valued logic, choice.

use std::rc::Rc;

use flock_ir_spec::{Composite, DType, FrameType, Node, Op, Scalar, Test};

use super::{Arms, Cell, Dict, Lower, Pick, Range, Val, number};
use crate::dialect::Nan;
use crate::expr::{Id, Lit, Op2, X};
use crate::threshold::{self, Rule};

/// A comparison the other way round.
fn mirrored(test: Test) -> Test {
    match test {
        Test::Lt => Test::Gt,
        Test::Le => Test::Ge,
        Test::Gt => Test::Lt,
        Test::Ge => Test::Le,
        same => same,
    }
}

fn test_of(op: Op) -> Option<Test> {
    Some(match op {
        Op::Eq => Test::Eq,
        Op::Ne => Test::Ne,
        Op::Lt => Test::Lt,
        Op::Le => Test::Le,
        Op::Gt => Test::Gt,
        Op::Ge => Test::Ge,
        _ => return None,
    })
}

fn op2_of(test: Test) -> Op2 {
    match test {
        // A test on a set stands in trees only.
        Test::Eq | Test::In => Op2::Eq,
        Test::Ne => Op2::Ne,
        Test::Lt => Op2::Lt,
        Test::Le => Op2::Le,
        Test::Gt => Op2::Gt,
        Test::Ge => Op2::Ge,
    }
}

/// Whether a composite is written otherwise than by its definition.
pub fn has_short_way(composite: Composite) -> bool {
    [Composite::IS_MISSING, Composite::IS_FINITE, Composite::RELU, Composite::CLIP].contains(&composite)
}

impl Lower<'_> {
    /// An operator that works element by element, on elements that are not all known.
    pub(super) fn computed(&mut self, node: &Node, args: &[Cell], out: FrameType) -> Cell {
        let dtype = args.first().map_or(out.dtype, Cell::dtype);
        match node.op {
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => self.compare(node.op, &args[0], &args[1]),
            Op::And => self.logic(args, true),
            Op::Or => self.logic(args, false),
            Op::Not => self.not(&args[0]),
            Op::IsNull => self.is_null(&args[0]),
            Op::IsNan => self.is_nan(&args[0]),
            Op::Composite(Composite::IS_MISSING) => self.is_missing(&args[0]),
            Op::Composite(Composite::IS_FINITE) => self.is_finite(&args[0]),
            Op::Composite(Composite::RELU) => {
                let zero = Cell::Const(if dtype == DType::F32 { Scalar::F32(0.0) } else { Scalar::F64(0.0) }, dtype);
                self.extreme(Op::Max, &args[0], &zero)
            }
            Op::Composite(Composite::CLIP) => {
                let above = self.extreme(Op::Max, &args[0], &args[1]);
                self.extreme(Op::Min, &above, &args[2])
            }
            Op::Select => self.select(&args[0], &args[1], &args[2]),
            Op::Coalesce => self.coalesce(&args[0], &args[1]),
            Op::Guard => self.guard(&args[0], &args[1]),
            Op::Cast => self.cast(&args[0], out.dtype),
            Op::Min | Op::Max => self.extreme(node.op, &args[0], &args[1]),
            Op::Rem => {
                let (a, b) = (self.val(&args[0]), self.val(&args[1]));
                self.remainder(a, b)
            }
            Op::Bitwise => {
                let (a, b) = (self.val(&args[0]), self.val(&args[1]));
                self.bitwise(node, a, b)
            }
            Op::Add | Op::Sub | Op::Mul | Op::Div => {
                let (a, b) = (self.val(&args[0]), self.val(&args[1]));
                Cell::Val(if dtype == DType::I64 {
                    self.integer_op(node.op, a, b)
                } else {
                    self.float_op(node.op, a, b)
                })
            }
            _ => self.function(node, args),
        }
    }

    /// Comparison of two elements of one dtype.
    pub(super) fn compare(&mut self, op: Op, a: &Cell, b: &Cell) -> Cell {
        let Some(test) = test_of(op) else { return a.clone() };
        match (a, b) {
            (a, Cell::Const(c, d)) if d.is_float() => self.compare_with(test, a, c),
            (Cell::Const(c, d), b) if d.is_float() => self.compare_with(mirrored(test), b, c),
            _ => {
                let (a, b) = (self.val(a), self.val(b));
                Cell::Val(self.compare_vals(test, a, b))
            }
        }
    }

    fn compare_vals(&mut self, test: Test, a: Val, b: Val) -> Val {
        let (a, b) = (self.narrow(a), self.narrow(b));
        let (mut a, mut b) = (self.clean(a), self.clean(b));
        if a.dtype == DType::Bool {
            // Truth values are compared as such: a NULL that means false is one.
            (a, b) = (self.definite(a), self.definite(b));
        }
        let (null, miss) = (a.null || b.null, a.miss || b.miss);
        if test == Test::Ne && miss {
            // NaN differs from everything: the negation of a test that is not true for it.
            let equal = self.arena.op2(Op2::Eq, a.id, b.id);
            let id = self.arena.add(X::IsNotTrue(equal));
            return if null { self.not_apart("ne") } else { self.plain(id, DType::Bool) };
        }
        let id = self.arena.op2(op2_of(test), a.id, b.id);
        Val { null, miss, ..self.plain(id, DType::Bool) }
    }

    /// Comparison of a float with a constant.
    fn compare_with(&mut self, test: Test, a: &Cell, constant: &Scalar) -> Cell {
        let v = self.val(a);
        let Some(t) = number(constant) else {
            return Cell::Const(Scalar::Null, DType::Bool);
        };
        let rule = match (t.is_nan(), v.wide) {
            (true, _) if test == Test::Ne => Rule::Always,
            (true, _) => Rule::Never,
            (false, true) => threshold::rounded(test, t),
            (false, false) => threshold::exact(test, t),
        };
        Cell::Val(self.holds(v, rule, test == Test::Ne))
    }

    /// Whether a rule holds; NaN gives `of_nan`.
    fn holds(&mut self, v: Val, rule: Rule, of_nan: bool) -> Val {
        if of_nan {
            let opposite = self.holds(v, rule.negated(), false);
            return self.negated(opposite);
        }
        let compare = |l: &mut Self, id: Id, test: Test, bound: f64| {
            let bound = l.arena.f64(bound);
            l.arena.op2(op2_of(test), id, bound)
        };
        // NaN, where it is the greatest value, fails these by itself.
        let safe = self.dialect().nan == Nan::Greatest
            && matches!(rule, Rule::Cmp(Test::Lt | Test::Le | Test::Eq, _) | Rule::Within(..));
        let column = match self.arena.x(v.id) {
            X::Cast(_, inner) => matches!(self.arena.x(*inner), X::Column(_)),
            x => matches!(x, X::Column(_)),
        };
        let v = if v.nan && !safe && !column { self.clean(v) } else { v };
        let id = match rule {
            Rule::Always => self.arena.add(X::IsNotNull(v.id)),
            Rule::Never => self.arena.lit(Lit::Bool(false)),
            Rule::Cmp(test, bound) => compare(self, v.id, test, bound),
            Rule::Within(low, high) => {
                let both = [compare(self, v.id, Test::Gt, low), compare(self, v.id, Test::Le, high)];
                self.arena.and(&both)
            }
            Rule::Outside(low, high) => {
                let both = [compare(self, v.id, Test::Le, low), compare(self, v.id, Test::Gt, high)];
                self.arena.or(&both)
            }
        };
        if v.nan && !safe {
            // A bare column stays one, so that an index on it can be used.
            let number = self.is_number(v.id);
            let id = self.arena.and(&[id, number]);
            return Val { null: v.null, miss: v.miss, ..self.plain(id, DType::Bool) };
        }
        match rule {
            Rule::Always | Rule::Never if v.null && !v.miss => {
                let known = self.arena.add(X::IsNotNull(v.id));
                let value = self.arena.lit(Lit::Bool(rule == Rule::Always));
                let id = self.arena.case(&[(known, value)], None);
                Val { null: true, ..self.plain(id, DType::Bool) }
            }
            Rule::Always | Rule::Never if v.null => self.not_apart("comparison"),
            Rule::Always | Rule::Never => self.plain(id, DType::Bool),
            _ => Val { null: v.null, miss: v.miss, ..self.plain(id, DType::Bool) },
        }
    }

    /// Whether a float of the dialect is not its NaN; NULL for NULL.
    fn is_number(&mut self, id: Id) -> Id {
        if self.dialect().nan == Nan::Greatest {
            let nan = self.arena.lit(Lit::Nan);
            return self.arena.op2(Op2::Lt, id, nan);
        }
        let nan = self.arena.call("isnan", &[id]);
        self.arena.add(X::Not(nan))
    }

    /// What would need null and NaN apart where NULL is both.
    fn not_apart(&mut self, what: &str) -> Val {
        let id = self.arena.refuse(what, "it has to tell null from NaN, and NULL stands for both here");
        self.plain(id, DType::Bool)
    }

    /// A truth value that is false where NULL meant it.
    fn definite(&mut self, v: Val) -> Val {
        match (v.miss, v.null) {
            (false, _) => v,
            (true, false) => Val { id: self.arena.add(X::IsTrue(v.id)), miss: false, ..v },
            (true, true) => self.not_apart("logic"),
        }
    }

    /// `and` or `or` of several.
    pub(super) fn logic(&mut self, cells: &[Cell], and: bool) -> Cell {
        let mut vals: Vec<Val> = cells.iter().map(|c| self.val(c)).collect();
        if vals.iter().any(|v| v.null && !v.miss) {
            for v in vals.iter_mut().filter(|v| v.miss && !v.null) {
                *v = self.definite(*v);
            }
        }
        let mut ids: Vec<Id> = vals.iter().map(|v| v.id).collect();
        if !and {
            self.nan_above(&mut ids);
        }
        let id = if and { self.arena.and(&ids) } else { self.arena.or(&ids) };
        if let X::Lit(Lit::Bool(b)) = self.arena.x(id) {
            return Cell::Const(Scalar::Bool(*b), DType::Bool);
        }
        let (null, miss) = (vals.iter().any(|v| v.null), vals.iter().any(|v| v.miss));
        Cell::Val(Val { null, miss, ..self.plain(id, DType::Bool) })
    }

    /// `x > c AND x < NaN OR x = NaN` is `x > c` where NaN is the greatest number.
    fn nan_above(&mut self, ids: &mut Vec<Id>) {
        let with_nan = |l: &Self, op: Op2, id: Id| match l.arena.x(id) {
            X::Op2(o, x, nan) if *o == op && *l.arena.x(*nan) == X::Lit(Lit::Nan) => Some(*x),
            _ => None,
        };
        let above = |l: &Self, id: Id| {
            let X::And(both) = l.arena.x(id) else { return None };
            let [test, number] = **both else { return None };
            let x = with_nan(l, Op2::Lt, number)?;
            matches!(l.arena.x(test), X::Op2(Op2::Gt | Op2::Ge, y, _) if *y == x).then_some((test, x))
        };
        for i in 0..ids.len() {
            let Some((test, x)) = above(self, ids[i]) else { continue };
            if let Some(nan) = (0..ids.len()).find(|j| with_nan(self, Op2::Eq, ids[*j]) == Some(x)) {
                ids[i] = test;
                ids.remove(nan);
                return self.nan_above(ids);
            }
        }
    }

    fn not(&mut self, a: &Cell) -> Cell {
        let v = self.val(a);
        Cell::Val(self.negated(v))
    }

    pub(super) fn negated(&mut self, v: Val) -> Val {
        match (v.miss, v.null) {
            (true, true) => self.not_apart("not"),
            (true, false) => Val { id: self.arena.add(X::IsNotTrue(v.id)), miss: false, ..v },
            (false, _) => {
                let id = match self.arena.x(v.id) {
                    X::IsNull(a) => X::IsNotNull(*a),
                    X::IsNotNull(a) => X::IsNull(*a),
                    X::Lit(Lit::Bool(b)) => X::Lit(Lit::Bool(!b)),
                    X::Op2(Op2::Eq, a, b) => X::Op2(Op2::Ne, *a, *b),
                    X::Op2(Op2::Ne, a, b) => X::Op2(Op2::Eq, *a, *b),
                    X::IsTrue(a) => X::IsNotTrue(*a),
                    X::IsNotTrue(a) => X::IsTrue(*a),
                    _ => X::Not(v.id),
                };
                Val { id: self.arena.add(id), ..v }
            }
        }
    }

    fn is_null(&mut self, a: &Cell) -> Cell {
        let v = self.val(a);
        match (v.null, v.miss) {
            (false, _) => Cell::Const(Scalar::Bool(false), DType::Bool),
            (true, true) => Cell::Val(self.not_apart("is_null")),
            (true, false) => {
                let id = self.arena.add(X::IsNull(v.id));
                Cell::Val(self.plain(id, DType::Bool))
            }
        }
    }

    fn is_nan(&mut self, a: &Cell) -> Cell {
        let v = self.val(a);
        if v.null && v.miss {
            return Cell::Val(self.not_apart("is_nan"));
        }
        if v.null {
            let id = match (v.nan, self.dialect().nan) {
                // False, and NULL for NULL.
                (false, _) | (_, Nan::Absent) => self.arena.op2(Op2::Ne, v.id, v.id),
                (true, Nan::Greatest) => {
                    let nan = self.arena.lit(Lit::Nan);
                    self.arena.op2(Op2::Eq, v.id, nan)
                }
                (true, Nan::ByBits) => self.arena.call("isnan", &[v.id]),
            };
            return Cell::Val(Val { null: true, ..self.plain(id, DType::Bool) });
        }
        self.is_missing(a)
    }

    fn is_missing(&mut self, a: &Cell) -> Cell {
        let v = self.val(a);
        if !v.null && !v.miss && !v.nan {
            return Cell::Const(Scalar::Bool(false), DType::Bool);
        }
        let v = self.clean(v);
        let id = self.arena.add(X::IsNull(v.id));
        Cell::Val(self.plain(id, DType::Bool))
    }

    fn is_finite(&mut self, a: &Cell) -> Cell {
        let v = self.val(a);
        let rule = if v.wide {
            threshold::rounded(Test::Lt, f64::INFINITY)
        } else {
            threshold::exact(Test::Lt, f64::INFINITY)
        };
        let v = if v.nan { self.clean(v) } else { v };
        let id = self.arena.call("abs", &[v.id]);
        Cell::Val(self.holds(Val { id, range: v.range.abs(), ..v }, rule, false))
    }

    pub(super) fn select(&mut self, condition: &Cell, a: &Cell, b: &Cell) -> Cell {
        if let Cell::Const(s, _) = condition {
            return if matches!(s, Scalar::Bool(true)) { a.clone() } else { b.clone() };
        }
        let c = self.val(condition);
        if let Some(cell) = self.selected(c, a, b) {
            return cell;
        }
        let (x, y) = (self.val(a), self.val(b));
        let (mut x, mut y) = (x, y);
        if x.dtype == DType::Bool {
            if x.null != y.null && (x.miss || y.miss) {
                (x, y) = (self.definite(x), self.definite(y));
            }
        } else if x.dtype.is_float() {
            if x.wide != y.wide {
                (x, y) = (self.narrow(x), self.narrow(y));
            }
            let mut both = [x, y];
            self.agreed(&mut both);
            [x, y] = both;
        }
        // `CASE WHEN x IS NULL THEN fill ELSE x END` is `coalesce(x, fill)`.
        let cleaned = self.clean(y);
        let id = match self.arena.x(c.id) {
            X::IsNull(of) if *of == cleaned.id => {
                let id = self.arena.call("coalesce", &[cleaned.id, x.id]);
                return Cell::Val(Val {
                    id,
                    miss: x.miss,
                    null: x.null,
                    nan: x.nan,
                    range: x.range.union(y.range),
                    ..y
                });
            }
            _ => self.arena.case(&[(c.id, x.id)], Some(y.id)),
        };
        Cell::Val(Val {
            id,
            null: x.null || y.null,
            miss: x.miss || y.miss,
            nan: x.nan || y.nan,
            loose: x.loose || y.loose,
            range: x.range.union(y.range),
            ..x
        })
    }

    /// A choice that stays known: between two numbers, or before a function of a category.
    fn selected(&mut self, c: Val, a: &Cell, b: &Cell) -> Option<Cell> {
        match (a, b) {
            (Cell::Const(x, d), Cell::Const(y, _)) if x == y => Some(Cell::Const(x.clone(), *d)),
            (Cell::Const(x, d), Cell::Const(y, _)) if d.is_float() && number(x).is_some() && number(y).is_some() => {
                Some(Cell::Pick(Pick { condition: c.id, yes: x.clone(), no: y.clone(), dtype: *d, of: None }))
            }
            (Cell::Const(x, _), Cell::Dict(d)) => {
                let d = self.uncoalesced(d, c.id);
                Some(prefixed(&d, c.id, x.clone()))
            }
            (Cell::Dict(d), Cell::Const(x, _)) => {
                let not = self.arena.add(X::IsNotTrue(c.id));
                Some(prefixed(d, not, x.clone()))
            }
            _ => None,
        }
    }

    /// Behind a test for NULL, `coalesce(x, y)` is x.
    fn uncoalesced(&self, d: &Rc<Dict>, condition: Id) -> Rc<Dict> {
        let (X::IsNull(x), Some(X::Call("coalesce", args))) =
            (self.arena.x(condition), d.arms.operand.map(|o| self.arena.x(o)))
        else {
            return d.clone();
        };
        if args.first() != Some(x) || !d.arms.conditions.is_empty() {
            return d.clone();
        }
        let arms = Arms { conditions: Vec::new(), operand: Some(*x), keys: d.arms.keys.clone() };
        Dict { arms: arms.into(), values: d.values.clone(), otherwise: d.otherwise.clone(), dtype: d.dtype }.into()
    }

    fn coalesce(&mut self, a: &Cell, b: &Cell) -> Cell {
        if let (Cell::Dict(d), Cell::Const(x, _)) = (a, b) {
            let fill = |s: &Scalar| if matches!(s, Scalar::Null) { x.clone() } else { s.clone() };
            let values = d.values.iter().map(fill).collect();
            let dict = Dict { arms: d.arms.clone(), values, otherwise: fill(&d.otherwise), dtype: d.dtype };
            return Cell::Dict(dict.into());
        }
        let v = self.val(a);
        if !v.null {
            return a.clone();
        }
        if let Cell::Const(x, d) = b
            && d.is_float()
            && number(x).is_some_and(f64::is_nan)
        {
            // From here on NULL stands for NaN.
            return Cell::Val(self.clean(Val { null: false, miss: true, ..v }));
        }
        if v.miss {
            return Cell::Val(self.not_apart("coalesce"));
        }
        let mut w = self.val(b);
        let mut v = v;
        if v.wide != w.wide {
            (v, w) = (self.narrow(v), self.narrow(w));
        }
        let id = self.arena.call("coalesce", &[v.id, w.id]);
        let range = v.range.union(w.range);
        Cell::Val(Val { id, null: w.null, miss: w.miss, nan: v.nan || w.nan, range, ..v })
    }

    fn guard(&mut self, condition: &Cell, x: &Cell) -> Cell {
        match condition {
            Cell::Const(Scalar::Bool(true), _) => return x.clone(),
            Cell::Const(..) => return Cell::Const(Scalar::Null, x.dtype()),
            _ => {}
        }
        let c = self.val(condition);
        self.arena.hint(c.id, "accepted");
        let v = self.val(x);
        let v = if v.dtype == DType::Bool { self.definite(v) } else { v };
        let id = self.arena.case(&[(c.id, v.id)], None);
        Cell::Val(Val { id, null: true, ..v })
    }

    /// The lesser or the greater; the first of equal ones, NaN where either is.
    fn extreme(&mut self, op: Op, a: &Cell, b: &Cell) -> Cell {
        let (a, b) = (self.val(a), self.val(b));
        let (a, b) = (self.narrow(a), self.narrow(b));
        let (a, b) = (self.clean(a), self.clean(b));
        let (strict, loose) = if op == Op::Min { (Op2::Gt, Op2::Le) } else { (Op2::Lt, Op2::Ge) };
        let constant = |l: &Self, v: Val| matches!(l.arena.x(v.id), X::Lit(Lit::F64(_) | Lit::I64(_)));
        let id = if constant(self, b) {
            // NULL takes ELSE and stays.
            let beaten = self.arena.op2(strict, a.id, b.id);
            self.arena.case(&[(beaten, b.id)], Some(a.id))
        } else if constant(self, a) {
            let kept = self.arena.op2(if op == Op::Min { Op2::Ge } else { Op2::Le }, b.id, a.id);
            self.arena.case(&[(kept, a.id)], Some(b.id))
        } else {
            let kept = self.arena.op2(loose, a.id, b.id);
            let missing = self.arena.add(X::IsNull(a.id));
            let first = if a.null || a.miss { self.arena.or(&[missing, kept]) } else { kept };
            self.arena.case(&[(first, a.id)], Some(b.id))
        };
        let (ra, rb) = (a.range, b.range);
        let (lo, hi) =
            if op == Op::Min { (ra.lo.min(rb.lo), ra.hi.min(rb.hi)) } else { (ra.lo.max(rb.lo), ra.hi.max(rb.hi)) };
        let top = match (lo.is_finite(), hi.is_finite()) {
            (true, true) => lo.abs().max(hi.abs()),
            _ => ra.top.max(rb.top),
        };
        let range = Range { lo, hi, top, tiny: ra.tiny.min(rb.tiny) };
        Cell::Val(Val { id, null: a.null || b.null, miss: a.miss || b.miss, loose: a.loose || b.loose, range, ..a })
    }
}

/// A function of a category after one more condition.
fn prefixed(d: &Dict, condition: Id, value: Scalar) -> Cell {
    let mut conditions = d.arms.conditions.clone();
    let mut values = d.values.clone();
    match conditions.first() {
        Some(first) if *first == condition => values[0] = value,
        _ => {
            conditions.insert(0, condition);
            values.insert(0, value);
        }
    }
    let arms = Arms { conditions, operand: d.arms.operand, keys: d.arms.keys.clone() };
    Cell::Dict(Dict { arms: arms.into(), values, otherwise: d.otherwise.clone(), dtype: d.dtype }.into())
}
