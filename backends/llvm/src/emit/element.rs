//! One element of an elementwise operator: values and validity in registers.
//!
//! The rules are those of the operators' records: nothing is contracted or reordered (no instruction carries a
//! fast-math flag), comparisons with NaN are false, a strict operator is there where all operands are. What depends on
//! a condition is chosen, not branched to, so that a loop over rows can become vectors.

use std::collections::HashMap;

use flock_ir_spec::{Attr, Constant, DType, Frame, NodeId, Op, Scalar, Word};
use flock_plan::Flat;

use crate::text::{Function, Ty, Value, float, integer, truth, word};

/// An element in registers. Text is an address with a length; `valid` is None where it cannot be null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub value: Value,
    pub length: Option<Value>,
    pub valid: Option<Value>,
}

impl Element {
    fn there(value: Value) -> Element {
        Element { value, length: None, valid: None }
    }
}

/// The type of an element in a register; of text, that of its address.
pub(super) fn register(dtype: DType) -> Ty {
    match dtype {
        DType::Bool => Ty::I1,
        DType::I64 | DType::Str => Ty::I64,
        DType::F32 => Ty::F32,
        DType::F64 => Ty::F64,
    }
}

/// Zero, false or the empty text.
pub(super) fn zero(dtype: DType) -> Element {
    match dtype {
        DType::Bool => Element::there(truth(false)),
        DType::I64 => Element::there(word(0)),
        DType::F32 | DType::F64 => Element::there(float(register(dtype), 0.0)),
        // Never null, as the boundary asks of every text.
        DType::Str => Element { length: Some(word(0)), ..Element::there(word(1)) },
    }
}

/// A constant of width 1 that is no text.
pub(super) fn immediate(x: &Scalar, dtype: DType) -> Element {
    Element::there(match x {
        Scalar::Bool(x) => truth(*x),
        Scalar::I64(x) => word(*x),
        Scalar::F32(x) => float(Ty::F32, f64::from(*x)),
        Scalar::F64(x) => float(Ty::F64, *x),
        Scalar::Null | Scalar::Str(_) => return zero(dtype),
    })
}

/// The value of an elementwise node whose operands are known.
pub(super) fn value(f: &mut Function, flat: &Flat, id: NodeId, known: &HashMap<NodeId, Element>) -> Element {
    let (graph, node) = (&flat.graph, flat.graph.node(id));
    let operands: Vec<Element> = node.args.iter().filter_map(|a| known.get(a).copied()).collect();
    let dtype = |i: usize| node.args.get(i).and_then(|a| graph.frame_type(*a)).map_or(DType::F64, |t| t.dtype);
    let set = || match node.args.get(1).and_then(|a| graph.constant(&flat.pool, *a)) {
        Some(Constant::Table(t)) => Some(t),
        _ => None,
    };
    let out = graph.frame_type(id).map_or(DType::F64, |t| t.dtype);
    let mut e = Emit { f };
    match (node.op, operands.as_slice()) {
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Min | Op::Max, [x, y]) => e.arithmetic(node.op, out, *x, *y),
        (Op::Bitwise, [x, y]) => e.bitwise(&node.attr, *x, *y),
        (Op::Neg | Op::Abs | Op::Sqrt | Op::Floor | Op::Ceil | Op::Round, [x]) => e.unary(node.op, out, *x),
        (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, [x, y]) => e.comparison(node.op, dtype(0), *x, *y),
        (Op::And, all) => e.kleene(all, false),
        (Op::Or, all) => e.kleene(all, true),
        (Op::Not, [x]) => Element { value: e.f.not(x.value), ..*x },
        (Op::IsNull, [x]) => Element::there(x.valid.map_or(truth(false), |v| e.f.not(v))),
        (Op::IsNan, [x]) => Element { value: e.f.compare("fcmp uno", x.value, x.value), ..*x },
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
        _ => zero(out),
    }
}

struct Emit<'f> {
    f: &'f mut Function,
}

impl Emit<'_> {
    fn all(&mut self, a: Option<Value>, b: Option<Value>) -> Option<Value> {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Some(self.f.binary("and", a, b)),
            (a, b) => a.or(b),
        }
    }

    /// Value and length of one or the other.
    fn choose(&mut self, condition: Value, x: Element, y: Element) -> (Value, Option<Value>) {
        let value = self.f.select(condition, x.value, y.value);
        let length = x.length.zip(y.length).map(|(x, y)| self.f.select(condition, x, y));
        (value, length)
    }

    fn arithmetic(&mut self, op: Op, dtype: DType, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        if dtype == DType::I64 {
            return self.integers(op, x.value, y.value, valid);
        }
        let (x, y) = (x.value, y.value);
        let value = match op {
            Op::Add => self.f.binary("fadd", x, y),
            Op::Sub => self.f.binary("fsub", x, y),
            Op::Mul => self.f.binary("fmul", x, y),
            Op::Div => self.f.binary("fdiv", x, y),
            // The first where it is as good as the second, or NaN.
            Op::Min | Op::Max => {
                let better = self.f.compare(if op == Op::Min { "fcmp ole" } else { "fcmp oge" }, x, y);
                let nan = self.f.compare("fcmp uno", x, x);
                let first = self.f.binary("or", better, nan);
                self.f.select(first, x, y)
            }
            _ => x,
        };
        Element { value, length: None, valid }
    }

    /// Whether neither or only one of two signs differs: `(a ^ b) & (c ^ d)` is not negative.
    fn signs_agree(&mut self, [a, b, c, d]: [Value; 4]) -> Value {
        let (left, right) = (self.f.binary("xor", a, b), self.f.binary("xor", c, d));
        let both = self.f.binary("and", left, right);
        self.f.compare("icmp sge", both, word(0))
    }

    /// Integers; null where the result does not fit.
    fn integers(&mut self, op: Op, x: Value, y: Value, valid: Option<Value>) -> Element {
        let (value, fits) = match op {
            Op::Add => {
                let sum = self.f.binary("add", x, y);
                (sum, Some(self.signs_agree([x, sum, y, sum])))
            }
            Op::Sub => {
                let difference = self.f.binary("sub", x, y);
                (difference, Some(self.signs_agree([x, y, x, difference])))
            }
            Op::Mul => self.product(x, y),
            // The quotients that do not exist would trap: by 1 in their place.
            Op::Div => {
                let zero = self.f.compare("icmp eq", y, word(0));
                let least = self.f.compare("icmp eq", x, word(i64::MIN));
                let minus = self.f.compare("icmp eq", y, word(-1));
                let beyond = self.f.binary("and", least, minus);
                let wrong = self.f.binary("or", zero, beyond);
                let by = self.f.select(wrong, word(1), y);
                (self.f.binary("sdiv", x, by), Some(self.f.not(wrong)))
            }
            Op::Min => (self.f.intrinsic("smin", &[x, y]), None),
            Op::Max => (self.f.intrinsic("smax", &[x, y]), None),
            _ => (x, None),
        };
        Element { value, length: None, valid: self.all(valid, fits) }
    }

    /// The lower half of a product; it fits where the upper half repeats its sign.
    fn product(&mut self, x: Value, y: Value) -> (Value, Option<Value>) {
        let [wide_x, wide_y] = [x, y].map(|v| self.f.convert("sext", v, Ty::I128));
        let wide = self.f.binary("mul nsw", wide_x, wide_y);
        let low = self.f.convert("trunc", wide, Ty::I64);
        let upper = self.f.binary("ashr", wide, integer(Ty::I128, 64));
        let high = self.f.convert("trunc", upper, Ty::I64);
        let sign = self.f.binary("ashr", low, word(63));
        (low, Some(self.f.compare("icmp eq", high, sign)))
    }

    fn bitwise(&mut self, attr: &Attr, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        let (x, y) = (x.value, y.value);
        let value = match attr {
            Attr::Word(Word::And) => self.f.binary("and", x, y),
            Attr::Word(Word::Or) => self.f.binary("or", x, y),
            Attr::Word(Word::Xor) => self.f.binary("xor", x, y),
            left_or_right => {
                // A shift by 64 places and more has no value, so it is by fewer.
                let fits = self.f.compare("icmp ult", y, word(64));
                if *left_or_right == Attr::Word(Word::Left) {
                    let places = self.f.binary("and", y, word(63));
                    let shifted = self.f.binary("shl", x, places);
                    self.f.select(fits, shifted, word(0))
                } else {
                    let places = self.f.select(fits, y, word(63));
                    self.f.binary("ashr", x, places)
                }
            }
        };
        Element { value, length: None, valid }
    }

    fn unary(&mut self, op: Op, dtype: DType, x: Element) -> Element {
        let v = x.value;
        if dtype == DType::I64 {
            let negative = self.f.binary("sub", word(0), v);
            let fits = self.f.compare("icmp ne", v, word(i64::MIN));
            let value = if op == Op::Abs { self.f.intrinsic("smax", &[v, negative]) } else { negative };
            return Element { value, length: None, valid: self.all(x.valid, Some(fits)) };
        }
        let value = match op {
            Op::Neg => self.f.gives(v.ty, format_args!("fneg {} {v}", v.ty)),
            Op::Abs => self.f.intrinsic("fabs", &[v]),
            Op::Sqrt => self.f.intrinsic("sqrt", &[v]),
            Op::Floor => self.f.intrinsic("floor", &[v]),
            Op::Ceil => self.f.intrinsic("ceil", &[v]),
            // To even; where there is no instruction, `rint` of every C library, which `roundeven` is not in.
            _ => self.f.intrinsic("rint", &[v]),
        };
        Element { value, ..x }
    }

    fn comparison(&mut self, op: Op, dtype: DType, x: Element, y: Element) -> Element {
        let valid = self.all(x.valid, y.valid);
        // Of truth values, false is less than true: unsigned.
        let [of_float, of_integer, of_truth] = match op {
            Op::Eq => ["fcmp oeq", "icmp eq", "icmp eq"],
            Op::Ne => ["fcmp une", "icmp ne", "icmp ne"],
            Op::Lt => ["fcmp olt", "icmp slt", "icmp ult"],
            Op::Le => ["fcmp ole", "icmp sle", "icmp ule"],
            Op::Gt => ["fcmp ogt", "icmp sgt", "icmp ugt"],
            _ => ["fcmp oge", "icmp sge", "icmp uge"],
        };
        let how = match dtype {
            DType::F32 | DType::F64 => of_float,
            DType::Bool => of_truth,
            DType::I64 | DType::Str => of_integer,
        };
        Element { value: self.f.compare(how, x.value, y.value), length: None, valid }
    }

    /// Three-valued: `and` absorbs false, `or` absorbs true. There where one absorbs, or all are.
    fn kleene(&mut self, all: &[Element], absorbing: bool) -> Element {
        let mut absorbed: Option<Value> = None;
        let mut there: Option<Value> = None;
        for x in all {
            let hit = if absorbing { x.value } else { self.f.not(x.value) };
            let hit = x.valid.map_or(hit, |v| self.f.binary("and", hit, v));
            absorbed = Some(absorbed.map_or(hit, |a| self.f.binary("or", a, hit)));
            there = self.all(there, x.valid);
        }
        let absorbed = absorbed.unwrap_or(truth(false));
        let value = if absorbing { absorbed } else { self.f.not(absorbed) };
        Element { value, length: None, valid: there.map(|t| self.f.binary("or", t, absorbed)) }
    }

    fn in_set(&mut self, x: Element, set: Option<&Frame>) -> Element {
        let how = if x.value.ty.is_float() { "fcmp oeq" } else { "icmp eq" };
        let mut found: Option<Value> = None;
        for i in 0..set.map_or(0, Frame::len) {
            let Some(c) = set.map(|s| s.get_flat(i)) else { continue };
            let equal = self.f.compare(how, x.value, immediate(&c, DType::F64).value);
            found = Some(found.map_or(equal, |f| self.f.binary("or", f, equal)));
        }
        Element { value: found.unwrap_or(truth(false)), length: None, valid: x.valid }
    }

    /// The first position of false and of true.
    fn index_of_bool(&mut self, x: Element, categories: Option<&Frame>) -> Element {
        let first = |wanted: bool| {
            let at = categories.and_then(|c| (0..c.len()).find(|i| c.get_flat(*i) == Scalar::Bool(wanted)));
            word(at.map_or(-1, |i| i as i64))
        };
        Element { value: self.f.select(x.value, first(true), first(false)), length: None, valid: x.valid }
    }

    fn select(&mut self, condition: Element, x: Element, y: Element) -> Element {
        let holds = condition.valid.map_or(condition.value, |v| self.f.binary("and", condition.value, v));
        let (value, length) = self.choose(holds, x, y);
        let valid = match (x.valid, y.valid) {
            (None, None) => None,
            (x, y) => Some(self.f.select(holds, x.unwrap_or(truth(true)), y.unwrap_or(truth(true)))),
        };
        Element { value, length, valid }
    }

    fn coalesce(&mut self, x: Element, y: Element) -> Element {
        let Some(there) = x.valid else { return x };
        let (value, length) = self.choose(there, x, y);
        Element { value, length, valid: y.valid.map(|v| self.f.binary("or", there, v)) }
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
            (DType::F32, DType::F64) => self.f.convert("fpext", v, Ty::F64),
            (DType::F64, DType::F32) => self.f.convert("fptrunc", v, Ty::F32),
            (DType::I64, DType::F32 | DType::F64) => self.f.convert("sitofp", v, register(to)),
            (DType::Bool, DType::I64) => self.f.convert("zext", v, Ty::I64),
            (DType::Bool, DType::F32 | DType::F64) => self.f.convert("uitofp", v, register(to)),
            (DType::I64, DType::Bool) => self.f.compare("icmp ne", v, word(0)),
            // NaN differs from 0.
            (DType::F32 | DType::F64, DType::Bool) => self.f.compare("fcmp une", v, zero(from).value),
            (DType::F32 | DType::F64, DType::I64) => {
                let wide = if from == DType::F32 { self.f.convert("fpext", v, Ty::F64) } else { v };
                let above = self.f.compare("fcmp oge", wide, float(Ty::F64, -TWO_63));
                let below = self.f.compare("fcmp olt", wide, float(Ty::F64, TWO_63));
                let inside = self.f.binary("and", above, below);
                valid = self.all(valid, Some(inside));
                self.f.truncated(wide)
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
