//! Casts, and rounding to float32.

use flock_ir_spec::{DType, Scalar};

use super::{Cell, Lower, Range, Val};
use crate::dialect::IntegerCast;
use crate::expr::{Cast, Id, Lit, Op2, X};

/// The first double that rounds to an infinite float32.
pub const BEYOND_F32: f64 = 3.4028235677973366e38;
/// The greatest double that rounds to float32 zero, 2^-150.
const VANISHING_F32: f64 = 7.006492321624085e-46;
/// 2^63.
const TWO_63: f64 = 9223372036854775808.0;

impl Lower<'_> {
    /// A float32 rounded: the double of its value.
    pub fn narrow(&mut self, v: Val) -> Val {
        if !v.wide {
            return v;
        }
        let v = self.clean(v);
        let id = match (self.dialect().real, self.arena.x(v.id)) {
            // The double of a 32-bit column needs no rounding.
            (_, X::Cast(Cast::Double, inner)) if matches!(self.arena.x(*inner), X::Cast(Cast::Real, _)) => v.id,
            (None, _) if v.loose => v.id,
            (None, _) => self.rounded_by_hand(v),
            (Some(_), _) => {
                let real = self.guarded_real(v);
                self.arena.add(X::Cast(Cast::Double, real))
            }
        };
        Val { id, wide: false, range: v.range.rounded(), ..v }
    }

    /// A float32 in the dialect's 32-bit type, for a result column.
    pub(super) fn narrow_type(&mut self, v: Val) -> Id {
        if self.dialect().real.is_none() {
            return self.narrow(v).id;
        }
        if let X::Cast(Cast::Double, inner) = self.arena.x(v.id)
            && !v.wide
        {
            let inner = *inner;
            if matches!(self.arena.x(inner), X::Column(_) | X::Cast(Cast::Real, _) | X::Case(..)) {
                return inner;
            }
        }
        self.guarded_real(v)
    }

    /// `CAST(x AS REAL)` that neither overflows nor underflows.
    fn guarded_real(&mut self, v: Val) -> Id {
        let v = self.clean(v);
        let plain = self.arena.add(X::Cast(Cast::Real, v.id));
        let traps = self.dialect().traps;
        let beyond = traps.narrow && v.range.beyond_f32();
        let vanishing = traps.arithmetic && v.range.tiny <= VANISHING_F32;
        let size = self.arena.call("abs", &[v.id]);
        let mut arms = Vec::new();
        let mut guard = |l: &mut Self, op, bound: f64, factor: f64| {
            let (bound, factor) = (l.arena.f64(bound), l.arena.f64(factor));
            let test = l.arena.op2(op, size, bound);
            let value = l.arena.op2(Op2::Mul, v.id, factor);
            l.arena.partial(value);
            arms.push((test, l.arena.add(X::Cast(Cast::Real, value))));
        };
        if beyond {
            guard(self, Op2::Ge, BEYOND_F32, f64::INFINITY);
        }
        if vanishing {
            guard(self, Op2::Le, VANISHING_F32, 0.0);
        }
        if beyond || vanishing {
            self.arena.partial(plain);
        }
        self.guarded(&arms, Some(plain))
    }

    /// Rounding to float32 by doubles alone, for a dialect without the type. Adding and subtracting 1.5 · 2^29 · 2^e,
    /// where 2^e is the binade of x, leaves 24 bits, ties to even; 2^e is had by rounding x to one bit, and
    /// below the least normal float32 it is that. The sign of a zero is lost, as it is in a table of SQLite.
    fn rounded_by_hand(&mut self, v: Val) -> Id {
        let x = v.id;
        self.arena.force(x);
        let (splitter, half) = (self.arena.f64(4503599627370497.0), self.arena.f64(0.5));
        let t = self.arena.op2(Op2::Mul, x, splitter);
        let rest = self.arena.op2(Op2::Sub, t, x);
        let bit = self.arena.op2(Op2::Sub, t, rest);
        let size = self.arena.call("abs", &[x]);
        let bit_size = self.arena.call("abs", &[bit]);
        let above = self.arena.op2(Op2::Gt, bit_size, size);
        let halved = self.arena.op2(Op2::Mul, bit, half);
        let binade = self.arena.case(&[(above, halved)], Some(bit));
        let shift = self.arena.f64(1.5 * 29f64.exp2());
        let shifted = self.arena.op2(Op2::Mul, binade, shift);
        let (least, of_least) = (self.arena.f64((-126f64).exp2()), self.arena.f64(1.5 * (-97f64).exp2()));
        let small = self.arena.op2(Op2::Lt, size, least);
        let magic = self.arena.case(&[(small, of_least)], Some(shifted));
        let sum = self.arena.op2(Op2::Add, x, magic);
        let rounded = self.arena.op2(Op2::Sub, sum, magic);
        // A stage for each of these would cost more than to compute them again.
        [t, bit, size, bit_size, magic].into_iter().for_each(|id| _ = self.arena.inline(id));
        if !v.range.beyond_f32() && !v.range.infinite() {
            return rounded;
        }
        let (beyond, infinity) = (self.arena.f64(BEYOND_F32), self.arena.f64(f64::INFINITY));
        let fits = self.arena.op2(Op2::Lt, size, beyond);
        let infinite = self.arena.op2(Op2::Mul, x, infinity);
        self.arena.case(&[(fits, rounded)], Some(infinite))
    }

    /// A value in another dtype.
    pub(super) fn cast(&mut self, cell: &Cell, to: DType) -> Cell {
        let v = self.val(cell);
        let same = Val { dtype: to, ..v };
        Cell::Val(match (v.dtype, to) {
            (a, b) if a == b => v,
            (DType::F64, DType::F32) => Val { wide: true, ..same },
            (DType::F32, DType::F64) => Val { dtype: to, ..self.narrow(v) },
            (DType::Bool, DType::I64) => self.of_bool(v, to, Lit::I64(1), Lit::I64(0)),
            (DType::Bool, DType::Str) => self.of_bool(v, to, Lit::Str("True".into()), Lit::Str("False".into())),
            (DType::Bool, _) if !v.null => {
                let float = |x: f64| if to == DType::F32 { Scalar::F32(x as f32) } else { Scalar::F64(x) };
                let pick = super::Pick { condition: v.id, yes: float(1.0), no: float(0.0), dtype: to, of: None };
                return Cell::Pick(pick);
            }
            (DType::Bool, _) => self.of_bool(v, to, Lit::F64(1f64.to_bits()), Lit::F64(0)),
            (DType::I64, DType::F64) => {
                let id = self.arena.add(X::Cast(Cast::Double, v.id));
                Val { id, range: Range { tiny: 1.0, ..Range::between(-TWO_63, TWO_63) }, ..same }
            }
            (DType::I64, DType::F32) => self.integer_to_f32(same),
            (DType::I64, DType::Str) => Val { id: self.arena.add(X::Cast(Cast::Text, v.id)), ..same },
            (_, DType::I64) => self.integer_of(v),
            (_, DType::Bool) => return self.bool_of(v),
            (_, _) => {
                let id = self.arena.refuse("cast", format!("from {} to {to}", v.dtype));
                self.plain(id, to)
            }
        })
    }

    fn of_bool(&mut self, v: Val, to: DType, yes: Lit, no: Lit) -> Val {
        let (yes, no) = (self.arena.lit(yes), self.arena.lit(no));
        let id = if v.null {
            let not = self.arena.add(X::Not(v.id));
            self.arena.case(&[(v.id, yes), (not, no)], None)
        } else {
            self.arena.case(&[(v.id, yes)], Some(no))
        };
        let range = Range { tiny: 1.0, ..Range::between(0.0, 1.0) };
        Val { null: v.null, range, ..self.plain(id, to) }
    }

    /// Rounded once: a double of a large integer would be rounded on the way.
    fn integer_to_f32(&mut self, v: Val) -> Val {
        let range = Range { tiny: 1.0, ..Range::between(-TWO_63, TWO_63) };
        if self.dialect().real.is_some() {
            let real = self.arena.add(X::Cast(Cast::Real, v.id));
            let id = self.arena.add(X::Cast(Cast::Double, real));
            return Val { id, range, ..v };
        }
        // Beyond 53 bits the lowest 12 become one that says whether any was set, which a double still holds.
        let (twelve, mask, eleven, zero) =
            (self.arena.i64(12), self.arena.i64(4095), self.arena.i64(11), self.arena.i64(0));
        let high = self.arena.op2(Op2::ShiftRight, v.id, twelve);
        let high = self.arena.op2(Op2::ShiftLeft, high, twelve);
        let low = self.arena.op2(Op2::BitAnd, v.id, mask);
        let set = self.arena.op2(Op2::Ne, low, zero);
        let sticky = self.arena.op2(Op2::ShiftLeft, set, eleven);
        let joined = self.arena.op2(Op2::BitOr, high, sticky);
        let (least, most) = (self.arena.i64(-(1 << 53)), self.arena.i64(1 << 53));
        let inside = [self.arena.op2(Op2::Ge, v.id, least), self.arena.op2(Op2::Le, v.id, most)];
        let inside = self.arena.and(&inside);
        let whole = self.arena.case(&[(inside, v.id)], Some(joined));
        let id = self.arena.add(X::Cast(Cast::Double, whole));
        Val { id, wide: true, range, ..v }
    }

    /// Towards zero; NULL where there is no such integer.
    fn integer_of(&mut self, v: Val) -> Val {
        let v = self.narrow(v);
        let v = self.clean(v);
        let inner = match self.dialect().integer_cast {
            IntegerCast::Truncates => v.id,
            IntegerCast::Rounds => self.arena.call("trunc", &[v.id]),
        };
        let integer = self.arena.add(X::Cast(Cast::Integer, inner));
        self.arena.partial(integer);
        let (least, beyond) = (self.arena.f64(-TWO_63), self.arena.f64(TWO_63));
        let inside = [self.arena.op2(Op2::Ge, v.id, least), self.arena.op2(Op2::Lt, v.id, beyond)];
        let inside = self.arena.and(&inside);
        let id = self.guarded(&[(inside, integer)], None);
        Val { null: true, ..self.plain(id, DType::I64) }
    }

    /// True where it is not 0, NaN among that.
    fn bool_of(&mut self, v: Val) -> Cell {
        let zero = if v.dtype == DType::I64 { Scalar::I64(0) } else { Scalar::F64(0.0) };
        let zero = Cell::Const(zero, v.dtype);
        self.compare(flock_ir_spec::Op::Ne, &Cell::Val(v), &zero)
    }
}
