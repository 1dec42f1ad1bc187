//! Elementary functions.

use flock_ir_spec::{DType, Node, Op, Scalar};

use super::{Cell, Lower, Range, Val};
use crate::dialect::RoundEven;
use crate::expr::{Id, Op2, X};

/// The greatest argument whose exponential is finite, and the least whose exponential is not 0.
const EXP_TOP: f64 = 709.782712893384;
const EXP_BOTTOM: f64 = -745.1332191019411;

impl Lower<'_> {
    /// An elementary function of one or two floats, or of texts.
    pub(super) fn function(&mut self, node: &Node, args: &[Cell]) -> Cell {
        let v = self.val(&args[0]);
        if v.dtype == DType::I64 {
            return Cell::Val(self.integer_function(node.op, v));
        }
        Cell::Val(match node.op {
            // Both keep a float32 one, rounded now or later.
            Op::Neg => Val { id: self.arena.add(X::Neg(v.id)), range: v.range.neg(), ..v },
            Op::Append => {
                let b = self.val(&args[1]);
                Val { id: self.arena.op2(Op2::Append, v.id, b.id), null: v.null || b.null, ..v }
            }
            Op::Abs => Val { id: self.arena.call("abs", &[v.id]), range: v.range.abs(), ..v },
            _ => {
                let (v, dtype) = (self.narrow(v), v.dtype);
                let v = Val { wide: false, ..v };
                let result = match node.op {
                    Op::Floor => self.rounded_down(v, "floor"),
                    Op::Ceil => self.rounded_down(v, "ceil"),
                    Op::Round => self.round_even(v),
                    Op::Sqrt => self.sqrt(v),
                    Op::Exp => self.exp(v),
                    Op::Ln => self.ln(v),
                    Op::Log1p => self.log1p(v),
                    Op::Expm1 => self.expm1(v),
                    Op::Tanh => Val { id: self.arena.call("tanh", &[v.id]), range: Range::between(-1.0, 1.0), ..v },
                    Op::Logistic => self.logistic(v),
                    Op::Sin => self.angle(v, "sin"),
                    Op::Cos => self.angle(v, "cos"),
                    Op::Atan => Val { id: self.arena.call("atan", &[v.id]), range: Range::between(-1.6, 1.6), ..v },
                    Op::Pow => {
                        let b = self.val(&args[1]);
                        let b = self.narrow(b);
                        self.pow(v, b)
                    }
                    op => {
                        let id = self.arena.refuse(op.name(), "it has no form in SQL");
                        self.plain(id, v.dtype)
                    }
                };
                let loose = result.loose || !matches!(node.op, Op::Floor | Op::Ceil | Op::Round | Op::Sqrt);
                // Rounding to an integer leaves a float32 one.
                let wide = dtype == DType::F32 && !matches!(node.op, Op::Floor | Op::Ceil | Op::Round);
                Val { dtype, wide, loose, ..result }
            }
        })
    }

    pub(super) fn integer_function(&mut self, op: Op, v: Val) -> Val {
        let least = self.arena.i64(i64::MIN);
        let fits = self.arena.op2(Op2::Ne, v.id, least);
        let value = match op {
            Op::Neg => self.arena.add(X::Neg(v.id)),
            Op::Abs => self.arena.call("abs", &[v.id]),
            op => self.arena.refuse(op.name(), "of integers"),
        };
        let id = self.arena.case(&[(fits, value)], None);
        Val { null: true, ..self.plain(id, DType::I64) }
    }

    fn rounded_down(&mut self, v: Val, name: &'static str) -> Val {
        let range = Range { lo: v.range.lo.floor(), hi: v.range.hi.ceil(), top: v.range.top.ceil(), tiny: 1.0 };
        Val { id: self.arena.call(name, &[v.id]), range, ..v }
    }

    fn round_even(&mut self, v: Val) -> Val {
        let range = Range { lo: v.range.lo.floor(), hi: v.range.hi.ceil(), top: v.range.top.ceil(), tiny: 1.0 };
        let id = match self.dialect().round_even {
            RoundEven::Call(template) => self.arena.call(template, &[v.id]),
            RoundEven::Magic => {
                let magic = self.arena.f64(1.5 * 52f64.exp2());
                let size = self.arena.call("abs", &[v.id]);
                let small = self.test(Op2::Lt, size, 52f64.exp2());
                let sum = self.arena.op2(Op2::Add, v.id, magic);
                let rounded = self.arena.op2(Op2::Sub, sum, magic);
                self.arena.case(&[(small, rounded)], Some(v.id))
            }
        };
        Val { id, range, ..v }
    }

    fn sqrt(&mut self, v: Val) -> Val {
        let v = if self.dialect().traps.domain { self.clean(v) } else { v };
        let root = self.arena.call("sqrt", &[v.id]);
        let range =
            Range { lo: 0.0, hi: v.range.hi.max(0.0).sqrt(), top: v.range.top.sqrt(), tiny: v.range.tiny.sqrt() };
        self.of_domain(v, root, range, |r| r.lo >= 0.0)
    }

    /// A function that has no value for some arguments: NULL there, which stands for NaN.
    fn of_domain(&mut self, v: Val, plain: Id, range: Range, inside: impl Fn(&Range) -> bool) -> Val {
        if inside(&v.range) {
            return Val { id: plain, range, ..v };
        }
        if !self.dialect().traps.domain {
            let nan = self.dialect().has_nan();
            return Val { id: plain, range, nan: v.nan || nan, miss: v.miss || !nan, ..v };
        }
        self.arena.partial(plain);
        let defined = self.test(Op2::Ge, v.id, 0.0);
        let id = self.guarded(&[(defined, plain)], None);
        Val { id, range, miss: true, ..v }
    }

    fn exp(&mut self, v: Val) -> Val {
        let id = self.exp_id(v.id, v.range);
        let (lo, hi) = (v.range.lo.exp(), v.range.hi.exp());
        Val {
            id,
            range: Range { lo, hi, top: if hi.is_finite() { hi } else { f64::MAX }, tiny: super::range::LEAST },
            ..v
        }
    }

    /// `exp(x)`, by bounds where it would end the statement.
    fn exp_id(&mut self, x: Id, range: Range) -> Id {
        let plain = self.arena.call("exp", &[x]);
        let mut arms = Vec::new();
        if self.dialect().traps.arithmetic && range.hi > EXP_TOP {
            let (test, infinity) = (self.test(Op2::Gt, x, EXP_TOP), self.arena.f64(f64::INFINITY));
            // A NaN of the dialect is greater than the bound as well, and times infinity stays NaN.
            let infinite = self.arena.op2(Op2::Mul, x, infinity);
            arms.push((test, infinite));
        }
        if self.dialect().traps.arithmetic && range.lo < EXP_BOTTOM {
            let (test, zero) = (self.test(Op2::Lt, x, EXP_BOTTOM), self.arena.f64(0.0));
            arms.push((test, zero));
        }
        if !arms.is_empty() {
            self.arena.partial(plain);
        }
        self.guarded(&arms, Some(plain))
    }

    fn ln(&mut self, v: Val) -> Val {
        let plain = self.arena.call("ln", &[v.id]);
        let range =
            Range { lo: f64::NEG_INFINITY, hi: v.range.hi.max(0.0).ln(), top: 745.0, tiny: super::range::LEAST };
        if v.range.lo > 0.0 {
            return Val { id: plain, range: Range { lo: v.range.lo.ln(), ..range }, ..v };
        }
        let v = self.clean(v);
        let plain = self.arena.call("ln", &[v.id]);
        self.arena.partial(plain);
        let (positive, zero) = (self.test(Op2::Gt, v.id, 0.0), self.test(Op2::Eq, v.id, 0.0));
        let least = self.arena.f64(f64::NEG_INFINITY);
        let id = self.guarded(&[(positive, plain), (zero, least)], None);
        Val { id, range, miss: true, ..v }
    }

    /// ln(1 + x); near 0 by Kahan's quotient, which loses no digits.
    fn log1p(&mut self, v: Val) -> Val {
        let v = self.clean(v);
        let one = self.arena.f64(1.0);
        let u = self.arena.op2(Op2::Add, one, v.id);
        let log = self.arena.call("ln", &[u]);
        self.arena.partial(log);
        let size = self.arena.call("abs", &[v.id]);
        let d = self.arena.op2(Op2::Sub, u, one);
        let product = self.arena.op2(Op2::Mul, log, v.id);
        let near = self.arena.op2(Op2::Div, product, d);
        self.arena.partial(near);
        let (below, at) = (self.test(Op2::Lt, v.id, -1.0), self.test(Op2::Eq, v.id, -1.0));
        let (far, same) = (self.test(Op2::Gt, size, 0.5), self.test(Op2::Eq, u, 1.0));
        let (null, least) = (self.arena.f64(f64::NAN), self.arena.f64(f64::NEG_INFINITY));
        let id = self.guarded(&[(below, null), (at, least), (far, log), (same, v.id)], Some(near));
        Val { id, miss: true, range: Range { top: 745.0, ..Range::ALL }, ..v }
    }

    /// exp(x) - 1; near 0 by Kahan's quotient.
    fn expm1(&mut self, v: Val) -> Val {
        let v = self.clean(v);
        let one = self.arena.f64(1.0);
        let size = self.arena.call("abs", &[v.id]);
        let far = self.test(Op2::Gt, size, 0.5);
        let guarded = self.exp_id(v.id, v.range);
        let beyond = self.arena.op2(Op2::Sub, guarded, one);
        let u = self.arena.call("exp", &[v.id]);
        self.arena.partial(u);
        let same = self.test(Op2::Eq, u, 1.0);
        let d = self.arena.op2(Op2::Sub, u, one);
        let log = self.arena.call("ln", &[u]);
        let product = self.arena.op2(Op2::Mul, d, v.id);
        let near = self.arena.op2(Op2::Div, product, log);
        let id = self.guarded(&[(far, beyond), (same, v.id)], Some(near));
        let range = Range { lo: -1.0, hi: v.range.hi.exp_m1(), top: f64::MAX, tiny: super::range::LEAST };
        Val { id, range, ..v }
    }

    fn logistic(&mut self, v: Val) -> Val {
        let traps = self.dialect().traps.arithmetic && (v.range.lo < -700.0 || v.range.hi > 700.0);
        let v = if traps { self.clean(v) } else { v };
        let one = self.arena.f64(1.0);
        let minus = self.arena.add(X::Neg(v.id));
        let exp = self.arena.call("exp", &[minus]);
        if traps {
            self.arena.partial(exp);
        }
        let sum = self.arena.op2(Op2::Add, one, exp);
        let plain = self.arena.op2(Op2::Div, one, sum);
        let mut arms = Vec::new();
        if traps {
            let (low, high) = (self.test(Op2::Lt, v.id, -709.0), self.test(Op2::Gt, v.id, 709.0));
            let zero = self.arena.f64(0.0);
            arms = vec![(low, zero), (high, one)];
        }
        let id = self.guarded(&arms, Some(plain));
        Val { id, range: Range::between(0.0, 1.0), ..v }
    }

    /// Sine or cosine: NULL, which stands for NaN, at the infinities, where some dialects end the statement.
    fn angle(&mut self, v: Val, name: &'static str) -> Val {
        let v = self.clean(v);
        let plain = self.arena.call(name, &[v.id]);
        let range = Range::between(-1.0, 1.0);
        if !v.range.infinite() {
            return Val { id: plain, range, ..v };
        }
        self.arena.partial(plain);
        let size = self.arena.call("abs", &[v.id]);
        let finite = self.test(Op2::Le, size, f64::MAX);
        let id = self.guarded(&[(finite, plain)], None);
        Val { id, range, miss: true, ..v }
    }

    fn pow(&mut self, a: Val, b: Val) -> Val {
        let plain = self.arena.call("power", &[a.id, b.id]);
        let has_nan = self.dialect().has_nan();
        let (null, miss) = (a.null || b.null, a.miss || b.miss);
        let result = Val { id: plain, null, miss: miss || !has_nan, nan: has_nan, range: Range::ALL, ..a };
        let traps = self.dialect().traps;
        let literal = |id: Id| match self.arena.x(id) {
            X::Lit(crate::expr::Lit::F64(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        };
        let (base, constant) = (literal(a.id).filter(|x| *x > 1.0 && x.is_finite()), literal(b.id));
        match constant {
            // Whatever a is, NaN among that.
            Some(0.0) if !a.null => Val {
                miss: false,
                nan: false,
                range: Range::point(1.0),
                ..self.constant(&Scalar::F64(1.0), DType::F64)
            },
            None if !null && miss => self.power_of_missing(a, b, result),
            _ if !traps.power => result,
            None => match base {
                Some(base) => Val { id: self.power_to(base, b, plain), miss: b.miss, nan: b.nan, ..result },
                None => {
                    let why = "an exponent that is no constant: 0 to a negative power ends the statement";
                    Val { id: self.arena.refuse("pow", why), ..result }
                }
            },
            Some(2.0) => Val {
                wide: false,
                ..self.float_op(Op::Mul, Val { wide: false, dtype: DType::F64, ..a }, Val { dtype: DType::F64, ..a })
            },
            Some(b) => self.power_of(a, b, plain, result),
        }
    }

    /// 1 to any power and anything to the power of 0 are 1, NaN among that.
    fn power_of_missing(&mut self, a: Val, b: Val, result: Val) -> Val {
        if self.dialect().traps.power {
            let why = "an exponent that is no constant: 0 to a negative power ends the statement";
            return Val { id: self.arena.refuse("pow", why), ..result };
        }
        let (a_one, b_zero) = (self.test(Op2::Eq, a.id, 1.0), self.test(Op2::Eq, b.id, 0.0));
        let (either, one) = (self.arena.or(&[a_one, b_zero]), self.arena.f64(1.0));
        let id = self.arena.case(&[(either, one)], Some(result.id));
        Val { id, ..result }
    }

    /// A constant above 1 to the power of b, by bounds where it would end the statement.
    fn power_to(&mut self, base: f64, b: Val, plain: Id) -> Id {
        let mut arms = Vec::new();
        if self.dialect().traps.arithmetic {
            let (bottom, top) = (last(-1e300, |x| base.powf(x) == 0.0), last(1e300, |x| base.powf(x) == f64::INFINITY));
            let (test, infinity) = (self.test(Op2::Ge, b.id, top), self.arena.f64(f64::INFINITY));
            // A NaN of the dialect is greater than the bound as well, and times infinity stays NaN.
            arms.push((test, self.arena.op2(Op2::Mul, b.id, infinity)));
            arms.push((self.test(Op2::Le, b.id, bottom), self.arena.f64(0.0)));
            self.arena.partial(plain);
        }
        self.guarded(&arms, Some(plain))
    }

    /// a to a constant power, by cases where it would end the statement.
    fn power_of(&mut self, a: Val, b: f64, plain: Id, result: Val) -> Val {
        let a = self.clean(a);
        self.arena.partial(plain);
        let odd = b % 2.0 == 1.0 || b % 2.0 == -1.0;
        let whole = b.fract() == 0.0;
        let infinity = f64::INFINITY;
        let mut arms = Vec::new();
        let arm = |l: &mut Self, test: Id, x: f64, arms: &mut Vec<(Id, Id)>| {
            let value = l.arena.f64(x);
            arms.push((test, value));
        };
        let zero = self.test(Op2::Eq, a.id, 0.0);
        // An odd power keeps the sign of a zero.
        let one = self.arena.f64(1.0);
        match (odd, b < 0.0) {
            (true, true) => arms.push(self.by_zero(one, a.id)),
            (true, false) => arms.push((zero, a.id)),
            (false, _) => arm(self, zero, 0f64.powf(b), &mut arms),
        }
        if self.dialect().traps.arithmetic {
            let size = self.arena.call("abs", &[a.id]);
            let infinite = self.test(Op2::Gt, size, f64::MAX);
            let negative = self.test(Op2::Lt, a.id, 0.0);
            let minus_infinite = self.arena.and(&[infinite, negative]);
            arm(self, minus_infinite, (-infinity).powf(b), &mut arms);
            arm(self, infinite, infinity.powf(b), &mut arms);
            if !whole {
                arm(self, negative, f64::NAN, &mut arms);
            }
            // Beyond e^±700 by the square of the root, beyond e^±1400 not at all.
            let log = self.arena.call("ln", &[size]);
            let exponent = self.arena.f64(b);
            self.arena.partial(log);
            let log = self.arena.op2(Op2::Mul, log, exponent);
            let sign = if odd { -1.0 } else { 1.0 };
            for (op, bound, value) in [(Op2::Gt, 700.0, infinity), (Op2::Lt, -700.0, 0.0)] {
                let (far, beyond) = (self.test(op, log, bound * 2.0), self.test(op, log, bound));
                let far_negative = self.arena.and(&[far, negative]);
                arm(self, far_negative, sign * value, &mut arms);
                arm(self, far, value, &mut arms);
                let half = self.arena.f64(b / 2.0);
                let root = self.arena.call("power", &[size, half]);
                let square = self.arena.op2(Op2::Mul, root, root);
                // The last roots whose squares are finite, and 0.
                let edge = if value == 0.0 { 1.5717277847026285e-162 } else { 1.3407807929942596e154 };
                let test = self.test(if value == 0.0 { Op2::Le } else { op }, root, edge);
                [root, square].into_iter().for_each(|id| _ = self.arena.partial(id));
                let end = self.arena.f64(value);
                let square = self.arena.case(&[(test, end)], Some(square));
                let signed = if odd {
                    let minus = self.arena.add(X::Neg(square));
                    self.arena.case(&[(negative, minus)], Some(square))
                } else {
                    square
                };
                arms.push((beyond, signed));
            }
        }
        let id = self.guarded(&arms, Some(plain));
        Val { id, miss: true, nan: a.nan || result.nan, null: a.null, ..result }
    }
}

/// The number nearest to 0 on the way from `far` for which a test holds that holds at `far`.
fn last(far: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut yes, mut no) = (far.abs().to_bits(), 0u64);
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if holds(f64::from_bits(middle).copysign(far)) { yes = middle } else { no = middle }
    }
    f64::from_bits(yes).copysign(far)
}
