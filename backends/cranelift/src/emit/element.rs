//! One element of an elementwise operator: values and validity in registers.
//!
//! The rules are those of the operators' records: nothing is contracted or reordered, comparisons with NaN are false,
//! a strict operator is there where all operands are. What depends on a condition is chosen, not branched to.

use std::collections::HashMap;

use cranelift::prelude::*;
use flock_ir_spec::{Attr, Constant, DType, Frame, NodeId, Op, Scalar, Word};

use flock_plan::Flat;

/// An element in registers. Text is a pointer with a length; `valid` is 0 or 1, None where it cannot be null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub value: Value,
    pub length: Option<Value>,
    pub valid: Option<Value>,
}

/// The elements that are known so far.
pub(crate) struct Elements<'a>(pub &'a HashMap<NodeId, Element>);

/// The type of an element in a register; of text, that of its pointer.
pub(crate) fn scalar_type(dtype: DType) -> Type {
    match dtype {
        DType::Bool => types::I8,
        DType::I64 | DType::Str => types::I64,
        DType::F32 => types::F32,
        DType::F64 => types::F64,
    }
}

/// Zero, false or the empty text.
pub(crate) fn zero(b: &mut FunctionBuilder<'_>, dtype: DType) -> Element {
    let value = match dtype {
        DType::Bool => b.ins().iconst(types::I8, 0),
        DType::I64 => b.ins().iconst(types::I64, 0),
        DType::F32 => b.ins().f32const(0.0),
        DType::F64 => b.ins().f64const(0.0),
        // Never null, as the boundary asks of every text.
        DType::Str => b.ins().iconst(types::I64, 1),
    };
    let length = (dtype == DType::Str).then(|| b.ins().iconst(types::I64, 0));
    Element { value, length, valid: None }
}

/// A constant of width 1 that is no text.
pub(crate) fn immediate(b: &mut FunctionBuilder<'_>, x: &Scalar, dtype: DType) -> Element {
    let value = match x {
        Scalar::Bool(x) => b.ins().iconst(types::I8, i64::from(*x)),
        Scalar::I64(x) => b.ins().iconst(types::I64, *x),
        Scalar::F32(x) => b.ins().f32const(*x),
        Scalar::F64(x) => b.ins().f64const(*x),
        Scalar::Null | Scalar::Str(_) => return zero(b, dtype),
    };
    Element { value, length: None, valid: None }
}

/// The value of an elementwise node whose operands are known.
pub(crate) fn value(b: &mut FunctionBuilder<'_>, flat: &Flat, id: NodeId, known: &Elements<'_>) -> Element {
    let (graph, node) = (&flat.graph, flat.graph.node(id));
    let operands: Vec<Element> = node.args.iter().filter_map(|a| known.0.get(a).copied()).collect();
    let dtype = |i: usize| node.args.get(i).and_then(|a| graph.frame_type(*a)).map_or(DType::F64, |t| t.dtype);
    let set = || match node.args.get(1).and_then(|a| graph.constant(&flat.pool, *a)) {
        Some(Constant::Table(t)) => Some(t),
        _ => None,
    };
    let out = graph.frame_type(id).map_or(DType::F64, |t| t.dtype);
    let mut e = Emit { b };
    match (node.op, operands.as_slice()) {
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Min | Op::Max, [x, y]) => e.arithmetic(node.op, out, *x, *y),
        (Op::Bitwise, [x, y]) => e.bitwise(&node.attr, *x, *y),
        (Op::Neg | Op::Abs | Op::Sqrt | Op::Floor | Op::Ceil | Op::Round, [x]) => e.unary(node.op, out, *x),
        (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, [x, y]) => e.compare(node.op, dtype(0), *x, *y),
        (Op::And, all) => e.kleene(all, false),
        (Op::Or, all) => e.kleene(all, true),
        (Op::Not, [x]) => Element { value: e.b.ins().bxor_imm_u(x.value, 1), ..*x },
        (Op::IsNull, [x]) => e.is_null(*x),
        (Op::IsNan, [x]) => Element { value: e.b.ins().fcmp(FloatCC::Unordered, x.value, x.value), ..*x },
        (Op::InSet, [x, ..]) => e.in_set(*x, set()),
        (Op::IndexOf, [x, ..]) => e.index_of_bool(*x, set()),
        (Op::Select, [condition, x, y]) => e.select(*condition, *x, *y),
        (Op::Coalesce, [x, y]) => e.coalesce(*x, *y),
        (Op::Guard, [condition, x]) => e.guard(*condition, *x),
        (Op::Cast, [x]) => match node.attr {
            Attr::Type(to) => e.cast(*x, dtype(0), to.dtype),
            _ => *x,
        },
        // The plan puts no other operator into a loop, and none with fewer operands than its record has.
        _ => zero(e.b, out),
    }
}

struct Emit<'b, 'f> {
    b: &'b mut FunctionBuilder<'f>,
}

impl Emit<'_, '_> {
    fn all(&mut self, a: Option<Value>, b: Option<Value>) -> Option<Value> {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Some(self.b.ins().band(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// One or the other without a branch: on x86-64 a choice between floats would be one.
    fn choose(&mut self, condition: Value, x: Value, y: Value) -> Value {
        let ty = self.b.func.dfg.value_type(x);
        if !ty.is_float() {
            return self.b.ins().select(condition, x, y);
        }
        let bits = ty.as_int();
        let x = self.b.ins().bitcast(bits, MemFlagsData::new(), x);
        let y = self.b.ins().bitcast(bits, MemFlagsData::new(), y);
        let chosen = self.b.ins().select(condition, x, y);
        self.b.ins().bitcast(ty, MemFlagsData::new(), chosen)
    }

    /// Value and length of one or the other.
    fn choose_element(&mut self, condition: Value, x: Element, y: Element) -> (Value, Option<Value>) {
        let value = self.choose(condition, x.value, y.value);
        let length = x.length.zip(y.length).map(|(x, y)| self.choose(condition, x, y));
        (value, length)
    }

    fn arithmetic(&mut self, op: Op, dtype: DType, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        if dtype == DType::I64 {
            return self.integers(op, x.value, y.value, valid);
        }
        let (x, y) = (x.value, y.value);
        let value = match op {
            Op::Add => self.b.ins().fadd(x, y),
            Op::Sub => self.b.ins().fsub(x, y),
            Op::Mul => self.b.ins().fmul(x, y),
            Op::Div => self.b.ins().fdiv(x, y),
            // The first where it is as good as the second, or NaN.
            Op::Min | Op::Max => {
                let better = if op == Op::Min { FloatCC::LessThanOrEqual } else { FloatCC::GreaterThanOrEqual };
                let better = self.b.ins().fcmp(better, x, y);
                let nan = self.b.ins().fcmp(FloatCC::Unordered, x, x);
                let first = self.b.ins().bor(better, nan);
                self.choose(first, x, y)
            }
            _ => x,
        };
        Element { value, length: None, valid }
    }

    /// Integers; null where the result does not fit.
    fn integers(&mut self, op: Op, x: Value, y: Value, valid: Option<Value>) -> Element {
        let ins = |b: &mut FunctionBuilder<'_>, a: Value, c: Value, d: Value, e: Value| {
            // Whether the signs of both differ from that of the result, in the uppermost bit.
            let (left, right) = (b.ins().bxor(a, c), b.ins().bxor(d, e));
            let both = b.ins().band(left, right);
            b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, both, 0)
        };
        let (value, fits) = match op {
            Op::Add => {
                let sum = self.b.ins().iadd(x, y);
                (sum, Some(ins(self.b, x, sum, y, sum)))
            }
            Op::Sub => {
                let difference = self.b.ins().isub(x, y);
                (difference, Some(ins(self.b, x, y, x, difference)))
            }
            Op::Mul => {
                let (low, high) = (self.b.ins().imul(x, y), self.b.ins().smulhi(x, y));
                let sign = self.b.ins().sshr_imm_u(low, 63);
                (low, Some(self.b.ins().icmp(IntCC::Equal, high, sign)))
            }
            // The quotients that do not exist would trap: by 1 in their place.
            Op::Div => {
                let zero = self.b.ins().icmp_imm_s(IntCC::Equal, y, 0);
                let least = self.b.ins().icmp_imm_s(IntCC::Equal, x, i64::MIN);
                let minus = self.b.ins().icmp_imm_s(IntCC::Equal, y, -1);
                let beyond = self.b.ins().band(least, minus);
                let wrong = self.b.ins().bor(zero, beyond);
                let one = self.b.ins().iconst(types::I64, 1);
                let by = self.choose(wrong, one, y);
                (self.b.ins().sdiv(x, by), Some(self.b.ins().bxor_imm_u(wrong, 1)))
            }
            Op::Min => (self.b.ins().smin(x, y), None),
            Op::Max => (self.b.ins().smax(x, y), None),
            _ => (x, None),
        };
        Element { value, length: None, valid: self.all(valid, fits) }
    }

    fn bitwise(&mut self, attr: &Attr, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        let (x, y) = (x.value, y.value);
        let value = match attr {
            Attr::Word(Word::And) => self.b.ins().band(x, y),
            Attr::Word(Word::Or) => self.b.ins().bor(x, y),
            Attr::Word(Word::Xor) => self.b.ins().bxor(x, y),
            left_or_right => {
                // An instruction takes the number of places modulo 64.
                let fits = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, y, 64);
                if *left_or_right == Attr::Word(Word::Left) {
                    let shifted = self.b.ins().ishl(x, y);
                    let zero = self.b.ins().iconst(types::I64, 0);
                    self.choose(fits, shifted, zero)
                } else {
                    let all = self.b.ins().iconst(types::I64, 63);
                    let places = self.choose(fits, y, all);
                    self.b.ins().sshr(x, places)
                }
            }
        };
        Element { value, length: None, valid }
    }

    fn unary(&mut self, op: Op, dtype: DType, x: Element) -> Element {
        if dtype == DType::I64 {
            let negative = self.b.ins().ineg(x.value);
            let fits = self.b.ins().icmp_imm_s(IntCC::NotEqual, x.value, i64::MIN);
            let value = if op == Op::Abs { self.b.ins().smax(x.value, negative) } else { negative };
            return Element { value, length: None, valid: self.all(x.valid, Some(fits)) };
        }
        let v = x.value;
        let value = match op {
            Op::Neg => self.b.ins().fneg(v),
            Op::Abs => self.b.ins().fabs(v),
            Op::Sqrt => self.b.ins().sqrt(v),
            Op::Floor => self.b.ins().floor(v),
            Op::Ceil => self.b.ins().ceil(v),
            _ => self.b.ins().nearest(v),
        };
        Element { value, ..x }
    }

    fn compare(&mut self, op: Op, dtype: DType, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        let (x, y) = (x.value, y.value);
        let value = if dtype.is_float() {
            let condition = match op {
                Op::Eq => FloatCC::Equal,
                Op::Ne => FloatCC::NotEqual,
                Op::Lt => FloatCC::LessThan,
                Op::Le => FloatCC::LessThanOrEqual,
                Op::Gt => FloatCC::GreaterThan,
                _ => FloatCC::GreaterThanOrEqual,
            };
            self.b.ins().fcmp(condition, x, y)
        } else {
            // False and true are 0 and 1: signed order is theirs too.
            let condition = match op {
                Op::Eq => IntCC::Equal,
                Op::Ne => IntCC::NotEqual,
                Op::Lt => IntCC::SignedLessThan,
                Op::Le => IntCC::SignedLessThanOrEqual,
                Op::Gt => IntCC::SignedGreaterThan,
                _ => IntCC::SignedGreaterThanOrEqual,
            };
            self.b.ins().icmp(condition, x, y)
        };
        Element { value, length: None, valid }
    }

    /// Three-valued: `and` absorbs false, `or` absorbs true. There where one absorbs, or all are.
    fn kleene(&mut self, all: &[Element], absorbing: bool) -> Element {
        let mut absorbed: Option<Value> = None;
        let mut there: Option<Value> = None;
        for x in all {
            let hit = if absorbing { x.value } else { self.b.ins().bxor_imm_u(x.value, 1) };
            let hit = x.valid.map_or(hit, |v| self.b.ins().band(hit, v));
            absorbed = Some(absorbed.map_or(hit, |a| self.b.ins().bor(a, hit)));
            there = self.all(there, x.valid);
        }
        let absorbed = absorbed.unwrap_or_else(|| self.b.ins().iconst(types::I8, 0));
        let value = if absorbing { absorbed } else { self.b.ins().bxor_imm_u(absorbed, 1) };
        Element { value, length: None, valid: there.map(|t| self.b.ins().bor(t, absorbed)) }
    }

    fn is_null(&mut self, x: Element) -> Element {
        let value = match x.valid {
            Some(v) => self.b.ins().bxor_imm_u(v, 1),
            None => self.b.ins().iconst(types::I8, 0),
        };
        Element { value, length: None, valid: None }
    }

    fn in_set(&mut self, x: Element, set: Option<&Frame>) -> Element {
        let mut found: Option<Value> = None;
        for i in 0..set.map_or(0, Frame::len) {
            let Some(c) = set.map(|s| s.get_flat(i)) else { continue };
            let equal = self.equal(x.value, &c);
            found = Some(found.map_or(equal, |f| self.b.ins().bor(f, equal)));
        }
        let value = found.unwrap_or_else(|| self.b.ins().iconst(types::I8, 0));
        Element { value, length: None, valid: x.valid }
    }

    fn equal(&mut self, x: Value, c: &Scalar) -> Value {
        let dtype = if self.b.func.dfg.value_type(x) == types::F32 { DType::F32 } else { DType::F64 };
        let c = immediate(self.b, c, dtype).value;
        match self.b.func.dfg.value_type(x).is_float() {
            true => self.b.ins().fcmp(FloatCC::Equal, x, c),
            false => self.b.ins().icmp(IntCC::Equal, x, c),
        }
    }

    /// The first position of false and of true.
    fn index_of_bool(&mut self, x: Element, categories: Option<&Frame>) -> Element {
        let first = |wanted: bool| {
            let at = categories.and_then(|c| (0..c.len()).find(|i| c.get_flat(*i) == Scalar::Bool(wanted)));
            at.map_or(-1, |i| i as i64)
        };
        let yes = self.b.ins().iconst(types::I64, first(true));
        let no = self.b.ins().iconst(types::I64, first(false));
        Element { value: self.choose(x.value, yes, no), length: None, valid: x.valid }
    }

    fn select(&mut self, condition: Element, x: Element, y: Element) -> Element {
        let holds = condition.valid.map_or(condition.value, |v| self.b.ins().band(condition.value, v));
        let (value, length) = self.choose_element(holds, x, y);
        let valid = match (x.valid, y.valid) {
            (None, None) => None,
            (x, y) => {
                let x = x.unwrap_or_else(|| self.b.ins().iconst(types::I8, 1));
                let y = y.unwrap_or_else(|| self.b.ins().iconst(types::I8, 1));
                Some(self.choose(holds, x, y))
            }
        };
        Element { value, length, valid }
    }

    fn coalesce(&mut self, x: Element, y: Element) -> Element {
        let Some(there) = x.valid else { return x };
        let (value, length) = self.choose_element(there, x, y);
        Element { value, length, valid: y.valid.map(|v| self.b.ins().bor(there, v)) }
    }

    fn guard(&mut self, condition: Element, x: Element) -> Element {
        let holds = self.all(Some(condition.value), condition.valid);
        Element { valid: self.all(holds, x.valid), ..x }
    }

    fn cast(&mut self, x: Element, from: DType, to: DType) -> Element {
        let v = x.value;
        let mut valid = x.valid;
        let value = match (from, to) {
            (a, b) if a == b => return x,
            (DType::F32, DType::F64) => self.b.ins().fpromote(types::F64, v),
            (DType::F64, DType::F32) => self.b.ins().fdemote(types::F32, v),
            (DType::I64, DType::F32 | DType::F64) => self.b.ins().fcvt_from_sint(scalar_type(to), v),
            (DType::Bool, DType::I64) => self.b.ins().uextend(types::I64, v),
            (DType::Bool, DType::F32 | DType::F64) => {
                let wide = self.b.ins().uextend(types::I64, v);
                self.b.ins().fcvt_from_sint(scalar_type(to), wide)
            }
            (DType::I64, DType::Bool) => self.b.ins().icmp_imm_s(IntCC::NotEqual, v, 0),
            // NaN differs from 0.
            (DType::F32 | DType::F64, DType::Bool) => {
                let zero = zero(self.b, from).value;
                self.b.ins().fcmp(FloatCC::NotEqual, v, zero)
            }
            (DType::F32 | DType::F64, DType::I64) => {
                let wide = if from == DType::F32 { self.b.ins().fpromote(types::F64, v) } else { v };
                let (low, high) = (self.b.ins().f64const(-TWO_63), self.b.ins().f64const(TWO_63));
                let above = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, wide, low);
                let below = self.b.ins().fcmp(FloatCC::LessThan, wide, high);
                let inside = self.b.ins().band(above, below);
                valid = self.all(valid, Some(inside));
                self.b.ins().fcvt_to_sint_sat(types::I64, wide)
            }
            // Casts to text are steps of their own, casts from text do not exist.
            (_, DType::Str) | (DType::Str, _) | (DType::Bool | DType::I64, _) => v,
            (DType::F32 | DType::F64, DType::F32 | DType::F64) => v,
        };
        Element { value, length: None, valid }
    }
}

/// The first float beyond i64.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
