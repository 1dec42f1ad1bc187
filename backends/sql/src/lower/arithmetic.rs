//! The four operations, and what guards them where a result out of range ends the statement.

use flock_ir_spec::{DType, Op};

use super::{Lower, Val};
use crate::expr::{Id, Lit, Op2, X};

const INFINITY: f64 = f64::INFINITY;

/// 2^n.
fn two(n: i32) -> f64 {
    f64::from(n).exp2()
}

impl Lower<'_> {
    /// `a + b`, `a - b`, `a * b`, `a / b` of floats.
    pub(super) fn float_op(&mut self, op: Op, a: Val, b: Val) -> Val {
        let (mut a, mut b) = (self.narrow(a), self.narrow(b));
        let mut both = [a, b];
        self.agreed(&mut both);
        [a, b] = both;
        let (ra, rb) = (a.range, b.range);
        let both_infinite = ra.infinite() && rb.infinite();
        let (range, makes_nan) = match op {
            Op::Add => {
                (ra.add(rb), (ra.hi == INFINITY && rb.lo == -INFINITY) || (ra.lo == -INFINITY && rb.hi == INFINITY))
            }
            Op::Sub => (
                ra.add(rb.neg()),
                (ra.hi == INFINITY && rb.hi == INFINITY) || (ra.lo == -INFINITY && rb.lo == -INFINITY),
            ),
            Op::Mul => (ra.mul(rb), (ra.infinite() && rb.has_zero()) || (rb.infinite() && ra.has_zero())),
            _ => (ra.div(rb), both_infinite || (ra.has_zero() && rb.has_zero())),
        };
        let id = match op {
            Op::Add => self.sum_id(Op2::Add, a, b),
            Op::Sub => self.sum_id(Op2::Sub, a, b),
            Op::Mul => self.product_id(a, b),
            _ => self.quotient_id(a, b),
        };
        let has_nan = self.dialect().has_nan();
        Val {
            id,
            dtype: a.dtype,
            null: a.null || b.null,
            miss: a.miss || b.miss || (makes_nan && !has_nan),
            nan: a.nan || b.nan || (makes_nan && has_nan),
            wide: a.dtype == DType::F32,
            loose: a.loose || b.loose,
            range,
        }
    }

    fn traps(&self) -> bool {
        self.dialect().traps.arithmetic
    }

    /// A CASE whose conditions keep what it holds from ending the statement.
    pub(super) fn guarded(&mut self, arms: &[(Id, Id)], otherwise: Option<Id>) -> Id {
        let id = self.arena.case(arms, otherwise);
        if arms.is_empty() { id } else { self.arena.total(id) }
    }

    fn abs_id(&mut self, a: Id) -> Id {
        self.arena.call("abs", &[a])
    }

    /// `a OP x`.
    pub(super) fn test(&mut self, op: Op2, a: Id, x: f64) -> Id {
        let x = self.arena.f64(x);
        self.arena.op2(op, a, x)
    }

    /// A product that is only computed behind a condition.
    fn risky(&mut self, a: Id, factor: f64) -> Id {
        let product = self.scaled(a, factor);
        self.arena.partial(product)
    }

    fn scaled(&mut self, a: Id, factor: f64) -> Id {
        if factor == 1.0 {
            return a;
        }
        // Engines compute with constants before they look at conditions.
        if let X::Lit(Lit::F64(bits)) = self.arena.x(a) {
            return self.arena.f64(f64::from_bits(*bits) * factor);
        }
        let factor = self.arena.f64(factor);
        self.arena.op2(Op2::Mul, a, factor)
    }

    /// A sum or difference; infinite where it overflows.
    fn sum_id(&mut self, op: Op2, a: Val, b: Val) -> Id {
        let plain = self.arena.op2(op, a.id, b.id);
        if !self.traps() || (a.range.top + b.range.top).is_finite() {
            return plain;
        }
        self.arena.partial(plain);
        let (x, y) = (self.abs_id(a.id), self.abs_id(b.id));
        let small = [self.test(Op2::Lt, x, two(1023)), self.test(Op2::Lt, y, two(1023))];
        let both_small = self.arena.and(&small);
        let one_tiny = [self.test(Op2::Lt, x, two(969)), self.test(Op2::Lt, y, two(969))];
        let fits = self.arena.or(&[both_small, one_tiny[0], one_tiny[1]]);
        let (ha, hb) = (self.risky(a.id, 0.5), self.risky(b.id, 0.5));
        let half = self.arena.op2(op, ha, hb);
        let size = self.abs_id(half);
        let half_fits = self.test(Op2::Lt, size, two(1023));
        let infinite = self.scaled(half, INFINITY);
        self.guarded(&[(fits, plain), (half_fits, plain)], Some(infinite))
    }

    fn product_id(&mut self, a: Val, b: Val) -> Id {
        let plain = self.arena.op2(Op2::Mul, a.id, b.id);
        let (over, under) = ((a.range.top * b.range.top).is_infinite(), a.range.tiny * b.range.tiny == 0.0);
        if !self.traps() || !(over || under) {
            return plain;
        }
        self.arena.partial(plain);
        match (self.known(a), self.known(b)) {
            (_, Some(c)) => self.by_constant_factor(a.id, c, plain, over, under, |x, c| x * c),
            (Some(c), _) => self.by_constant_factor(b.id, c, plain, over, under, |x, c| x * c),
            (None, None) => self.product_of_columns(a.id, b.id, plain),
        }
    }

    /// The constant that a value is, if it is one.
    fn known(&self, v: Val) -> Option<f64> {
        match self.arena.x(v.id) {
            X::Lit(Lit::F64(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// x times or by a constant: infinite beyond the last x whose result is finite, 0 below the first whose is not.
    fn by_constant_factor(&mut self, x: Id, c: f64, plain: Id, over: bool, under: bool, f: fn(f64, f64) -> f64) -> Id {
        let size = self.abs_id(x);
        let mut arms = Vec::new();
        if over && c != 0.0 {
            let bound = greatest(|x| f(x, c.abs()).is_finite());
            let test = self.test(Op2::Gt, size, bound);
            arms.push((test, self.scaled(x, INFINITY.copysign(c))));
        }
        if under && c.is_finite() {
            let bound = greatest(|x| f(x, c.abs()) == 0.0);
            let test = self.test(Op2::Le, size, bound);
            arms.push((test, self.scaled(x, 0f64.copysign(c))));
        }
        self.guarded(&arms, Some(plain))
    }

    fn product_of_columns(&mut self, a: Id, b: Id, plain: Id) -> Id {
        let (x, y) = (self.abs_id(a), self.abs_id(b));
        let large = [self.test(Op2::Ge, x, 1.0), self.test(Op2::Ge, y, 1.0)];
        let large = self.arena.and(&large);
        let q = self.scaled_product(a, b, two(-512));
        let size = self.abs_id(q);
        let overflows = self.test(Op2::Gt, size, f64::MAX * two(-1024));
        let infinite = self.scaled(q, INFINITY);
        let when_large = self.arena.case(&[(overflows, infinite)], Some(plain));
        let one_tiny = [self.test(Op2::Lt, x, two(-500)), self.test(Op2::Lt, y, two(-500))];
        let one_tiny = self.arena.or(&one_tiny);
        let both = [self.test(Op2::Lt, x, 1.0), self.test(Op2::Lt, y, 1.0)];
        let tiny = self.arena.and(&[one_tiny, both[0], both[1]]);
        let q = self.scaled_product(a, b, two(600));
        let size = self.abs_id(q);
        let vanishes = self.test(Op2::Le, size, two(125));
        let zero = self.scaled(q, 0.0);
        let when_tiny = self.arena.case(&[(vanishes, zero)], Some(plain));
        self.guarded(&[(large, when_large), (tiny, when_tiny)], Some(plain))
    }

    fn scaled_product(&mut self, a: Id, b: Id, factor: f64) -> Id {
        let (a, b) = (self.risky(a, factor), self.risky(b, factor));
        self.arena.op2(Op2::Mul, a, b)
    }

    fn quotient_id(&mut self, a: Val, b: Val) -> Id {
        let plain = self.arena.op2(Op2::Div, a.id, b.id);
        if let Some(c) = self.known(b).filter(|c| *c != 0.0) {
            let (over, under) = ((a.range.top / c).is_infinite(), a.range.tiny / c == 0.0 && c.is_finite());
            if !self.traps() || !(over || under) {
                return plain;
            }
            self.arena.partial(plain);
            return self.by_constant_factor(a.id, c, plain, over, under, |x, c| x / c);
        }
        let zero = b.range.has_zero() && (self.traps() || self.dialect().zero_divides_to_null);
        let out_of_range =
            self.traps() && ((a.range.top / b.range.tiny).is_infinite() || a.range.tiny / b.range.top == 0.0);
        if zero || out_of_range {
            self.arena.partial(plain);
        }
        let mut arms = Vec::new();
        if zero {
            arms.push(self.by_zero(a.id, b.id));
        }
        if out_of_range {
            arms.extend(self.quotient_arms(a, b, plain));
        }
        self.guarded(&arms, Some(plain))
    }

    /// a / ±0: an infinity, or NaN for 0 / 0. The sign of a zero shows in its angle.
    pub(super) fn by_zero(&mut self, a: Id, b: Id) -> (Id, Id) {
        let is_zero = self.test(Op2::Eq, b, 0.0);
        let minus_one = self.arena.f64(-1.0);
        let angle = self.arena.call("atan2", &[b, minus_one]);
        let negative = self.test(Op2::Lt, angle, 0.0);
        let (minus, plus) = (self.arena.f64(-INFINITY), self.arena.f64(INFINITY));
        let sign = self.arena.case(&[(negative, minus)], Some(plus));
        (is_zero, self.arena.op2(Op2::Mul, a, sign))
    }

    /// A quotient is had in a scale where it neither overflows nor vanishes, and compared there.
    fn quotient_arms(&mut self, a: Val, b: Val, plain: Id) -> Vec<(Id, Id)> {
        let (x, y) = (self.abs_id(a.id), self.abs_id(b.id));
        let mut arms = Vec::new();
        // Only a quotient by less than 1 overflows, and not that of a number below 2^-60.
        let overflows = [(two(-500), 500), (1.0, 0)].into_iter().filter(|_| a.range.top >= two(-60));
        for (bound, shift) in overflows {
            let test = [self.test(Op2::Lt, y, bound), self.test(Op2::Ge, x, two(-60))];
            let (na, nb) = (self.risky(a.id, two(-600)), self.risky(b.id, two(shift)));
            let greatest = f64::MAX * two(-600) * two(-shift);
            let value = self.quotient_in_scale(na, nb, (Op2::Gt, greatest, INFINITY), plain);
            arms.push((self.arena.and(&test), value));
        }
        let vanishes = [(two(500), -500), (1.0, 0)].into_iter().filter(|_| a.range.tiny < 1.0);
        for (bound, shift) in vanishes {
            let test = [self.test(Op2::Gt, y, bound), self.test(Op2::Lt, x, 1.0)];
            let (na, nb) = (self.risky(a.id, two(600)), self.risky(b.id, two(shift)));
            let value = self.quotient_in_scale(na, nb, (Op2::Le, two(-1075 + 600 - shift), 0.0), plain);
            arms.push((self.arena.and(&test), value));
        }
        arms
    }

    /// The quotient times a factor where its size passes a test, else the plain one.
    fn quotient_in_scale(&mut self, a: Id, b: Id, (op, bound, factor): (Op2, f64, f64), plain: Id) -> Id {
        let q = self.arena.op2(Op2::Div, a, b);
        self.arena.partial(q);
        let size = self.abs_id(q);
        let test = self.test(op, size, bound);
        let value = self.scaled(q, factor);
        self.arena.case(&[(test, value)], Some(plain))
    }

    /// `a + b`, `a - b`, `a * b` of integers: NULL where they overflow.
    pub(super) fn integer_op(&mut self, op: Op, a: Val, b: Val) -> Val {
        if op == Op::Div {
            return self.integer_quotient(op, a, b);
        }
        let (x, y) = (self.integer(a.id), self.integer(b.id));
        let id = match op {
            Op::Add => self.integer_sum(Op2::Add, x, y),
            Op::Sub => self.integer_sum(Op2::Sub, x, y),
            _ => self.integer_product(x, y),
        };
        Val { null: true, ..self.plain(id, DType::I64) }
    }

    /// As 64 bits: a literal or a narrower column would overflow earlier.
    pub(super) fn integer(&mut self, id: Id) -> Id {
        self.arena.add(X::Cast(crate::expr::Cast::Integer, id))
    }

    fn integer_sum(&mut self, op: Op2, a: Id, b: Id) -> Id {
        let (least, greatest, zero) = (self.arena.i64(i64::MIN), self.arena.i64(i64::MAX), self.arena.i64(0));
        let plain = self.arena.op2(op, a, b);
        let back = if op == Op2::Add { Op2::Sub } else { Op2::Add };
        let (high, low) = (self.arena.op2(back, greatest, b), self.arena.op2(back, least, b));
        [plain, high, low].into_iter().for_each(|id| _ = self.arena.partial(id));
        let below = self.arena.op2(Op2::Le, a, high);
        let above = self.arena.op2(Op2::Ge, a, low);
        let grows = self.arena.op2(if op == Op2::Add { Op2::Ge } else { Op2::Le }, b, zero);
        let (up, down) = (self.arena.case(&[(below, plain)], None), self.arena.case(&[(above, plain)], None));
        self.guarded(&[(grows, up)], Some(down))
    }

    fn integer_product(&mut self, a: Id, b: Id) -> Id {
        let plain = self.arena.op2(Op2::Mul, a, b);
        self.arena.partial(plain);
        if self.dialect().wide_integer.is_some() {
            let wide = self.arena.add(X::Cast(crate::expr::Cast::WideInteger, a));
            let product = self.arena.op2(Op2::Mul, wide, b);
            let (least, greatest) = (self.arena.i64(i64::MIN), self.arena.i64(i64::MAX));
            let bounds = [self.arena.op2(Op2::Ge, product, least), self.arena.op2(Op2::Le, product, greatest)];
            let fits = self.arena.and(&bounds);
            return self.guarded(&[(fits, plain)], None);
        }
        if self.dialect().boolean.is_none() {
            // SQLite gives a float where integers overflow.
            let kind = self.arena.call("typeof", &[plain]);
            let integer = self.arena.lit(Lit::Str("integer".into()));
            let fits = self.arena.op2(Op2::Eq, kind, integer);
            return self.guarded(&[(fits, plain)], None);
        }
        // Integers wrap: the quotient shows it, but for -1, which has a difference of its own.
        let (zero, minus_one) = (self.arena.i64(0), self.arena.i64(-1));
        let is_zero = self.arena.op2(Op2::Eq, a, zero);
        let is_minus_one = self.arena.op2(Op2::Eq, a, minus_one);
        let negative = self.integer_sum(Op2::Sub, zero, b);
        let back = self.arena.op2(Op2::Div, plain, a);
        self.arena.partial(back);
        let fits = self.arena.op2(Op2::Eq, back, b);
        self.guarded(&[(is_zero, zero), (is_minus_one, negative), (fits, plain)], None)
    }
}

/// The greatest positive double that passes a test which holds up to some point.
fn greatest(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0u64, f64::INFINITY.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(f64::from_bits(middle)) { low = middle } else { high = middle }
    }
    f64::from_bits(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_last_that_hold() {
        for c in [1.5, 0.3, 1e300, 7.0, 1e-300] {
            let bound = greatest(|x| (x * c).is_finite());
            assert!((bound * c).is_finite() && (bound == f64::MAX || (bound.next_up() * c).is_infinite()), "{c}");
            let zero = greatest(|x| x / c == 0.0);
            assert!(zero / c == 0.0 && zero.next_up() / c != 0.0, "{c}");
        }
    }
}
