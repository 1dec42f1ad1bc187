//! Remainders, quotients of integers, bits.

use flock_ir_spec::{Attr, DType, Node, Op, Word};

use super::{Cell, Lower, Range, Val};
use crate::expr::{Id, Lit, Op2, X};

impl Lower<'_> {
    /// `a OP b` by a template of two operands.
    fn template(&mut self, text: &str, a: Id, b: Id) -> Id {
        self.arena.add(X::Template(text.into(), [a, b].into()))
    }

    /// What is left of a after division by b towards zero. NULL, which stands for NaN, where there is no such number.
    pub(super) fn remainder(&mut self, a: Val, b: Val) -> Cell {
        if a.dtype == DType::I64 {
            return Cell::Val(self.integer_quotient(Op::Rem, a, b));
        }
        let (a, b) = (self.narrow(a), self.narrow(b));
        let (a, b) = (self.clean(a), self.clean(b));
        let text = match self.dialect().name {
            "sqlite" => "mod({0}, {1})",
            "duckdb" => "{0} % {1}",
            "datafusion" => "{0} % {1}",
            other => {
                let id = self.arena.refuse("rem", format!("{other} has no exact remainder of doubles"));
                return Cell::Val(self.plain(id, a.dtype));
            }
        };
        let plain = self.template(text, a.id, b.id);
        self.arena.partial(plain);
        let size = self.arena.call("abs", &[a.id]);
        let finite = self.test(Op2::Le, size, f64::MAX);
        let divides = self.test(Op2::Ne, b.id, 0.0);
        let defined = self.arena.and(&[finite, divides]);
        let id = self.guarded(&[(defined, plain)], None);
        let range = Range { lo: -a.range.top, hi: a.range.top, ..Range::ALL };
        let (null, wide) = (a.null || b.null, a.dtype == DType::F32);
        Cell::Val(Val { null, miss: true, wide, range, ..self.plain(id, a.dtype) })
    }

    /// Quotient or remainder of integers: NULL by 0, and what would not fit by cases of its own.
    pub(super) fn integer_quotient(&mut self, op: Op, a: Val, b: Val) -> Val {
        let (x, y) = (self.integer(a.id), self.integer(b.id));
        let text = match (op, self.dialect().name) {
            (Op::Rem, _) => "{0} % {1}",
            (_, "duckdb") => "{0} // {1}",
            _ => "{0} / {1}",
        };
        let plain = self.template(text, x, y);
        self.arena.partial(plain);
        let (zero, minus_one) = (self.arena.i64(0), self.arena.i64(-1));
        let by_zero = self.arena.op2(Op2::Eq, y, zero);
        let by_minus_one = self.arena.op2(Op2::Eq, y, minus_one);
        let null = self.arena.lit(Lit::Null(DType::I64));
        let opposite = match op {
            // NULL stays NULL.
            Op::Rem => self.arena.op2(Op2::Sub, x, x),
            _ => self.integer_function(Op::Neg, Val { id: x, ..a }).id,
        };
        let id = self.guarded(&[(by_zero, null), (by_minus_one, opposite)], Some(plain));
        Val { null: true, ..self.plain(id, DType::I64) }
    }

    /// Integers bit by bit. What differs is what either has less what both have.
    pub(super) fn bitwise(&mut self, node: &Node, a: Val, b: Val) -> Cell {
        let (x, y) = (self.integer(a.id), self.integer(b.id));
        let id = match node.attr {
            Attr::Word(Word::And) => self.arena.op2(Op2::BitAnd, x, y),
            Attr::Word(Word::Or) => self.arena.op2(Op2::BitOr, x, y),
            Attr::Word(Word::Xor) => {
                let (either, both) = (self.arena.op2(Op2::BitOr, x, y), self.arena.op2(Op2::BitAnd, x, y));
                self.arena.op2(Op2::Sub, either, both)
            }
            _ => self.arena.refuse("bitwise", "dialects disagree on shifts, and some end the statement"),
        };
        Cell::Val(Val { null: a.null || b.null, ..self.plain(id, DType::I64) })
    }
}
