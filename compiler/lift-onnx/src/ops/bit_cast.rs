//! `BitCast`: the same bits as another type.
//!
//! A float's bits are its exponent and its fraction. Steps of powers of two bring the size between 1 and 2, which takes
//! no bit off; 2^52 of such are whole numbers. Back, a table has the powers. A NaN's bits are open: its row is refused.
//! Source: ai.onnx BitCast-26; IEEE 754-2019 3.4.

use flock_ir_spec::{Attr, DType, Frame, NodeId, Op, Word};

use super::Lifter;
use super::cast::target;
use crate::Res;
use crate::attributes::Form;
use crate::elem::{Elem, Int, Special};
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] =
    &[Lifter { attributes: &[("to", Form::Int)], ..Lifter::main("BitCast", &[26], 1..=1, lift) }];

/// A format of IEEE 754: bits of the exponent and of the fraction.
#[derive(Clone, Copy)]
struct Layout {
    exponent: u32,
    fraction: u32,
}

impl Layout {
    fn of(elem: Elem) -> Option<Layout> {
        Some(match elem {
            Elem::F32 => Layout { exponent: 8, fraction: 23 },
            Elem::F64 => Layout { exponent: 11, fraction: 52 },
            Elem::Small(f) if f.special == Special::Ieee => Layout { exponent: f.exponent, fraction: f.fraction },
            _ => return None,
        })
    }

    fn bits(self) -> u32 {
        1 + self.exponent + self.fraction
    }

    fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The code of infinity.
    fn infinity(self) -> i64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    /// The integer of as many bits.
    fn int(self) -> Int {
        Int { bits: self.bits(), signed: true }
    }
}

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let to = target(node)?;
    let x = node.tensor(0)?;
    let value = match (x.elem, to) {
        (from, to) if from == to => x.node,
        (Elem::Int(from), Elem::Int(int)) if from.bits == int.bits => node.wrapped(x.node, int)?,
        (Elem::Bool, Elem::Int(int)) if int.bits == 8 => node.cast(x.node, DType::I64)?,
        (from, to) => match (Layout::of(from), Layout::of(to)) {
            (Some(layout), None) if to == Elem::Int(layout.int()) || unsigned(to, layout) => {
                let bits = node.bits_of(x.node, layout)?;
                node.fitted(bits, to)?
            }
            (None, Some(layout)) if from == Elem::Int(layout.int()) || unsigned(from, layout) => {
                let double = node.float_of_bits(x.node, layout)?;
                node.cast(double, to.dtype())?
            }
            (Some(from), Some(to)) if from.bits() == to.bits() => {
                let bits = node.bits_of(x.node, from)?;
                let double = node.float_of_bits(bits, to)?;
                node.cast(double, DType::F32)?
            }
            _ => return Err(node.unsupported(format!("the bits of {} as {}", from.name(), to.name()))),
        },
    };
    node.give(to, x.shape, value)
}

fn unsigned(elem: Elem, layout: Layout) -> bool {
    elem == Elem::Int(Int { bits: layout.bits(), signed: false })
}

impl Node<'_, '_> {
    /// The bits of a float as a signed integer.
    fn bits_of(&mut self, x: NodeId, layout: Layout) -> Res<NodeId> {
        let x = self.as_f64(x)?;
        let nan = self.op(Op::IsNan, &[x])?;
        let number = self.op(Op::Not, &[nan])?;
        self.refuse_unless(number)?;
        let size = self.op(Op::Abs, &[x])?;
        let (low, one) = (self.double(2f64.powi(1 - layout.bias()))?, self.double(1.0)?);
        let subnormal = self.op(Op::Lt, &[size, low])?;
        let most = self.double(f64::MAX)?;
        let infinite = self.op(Op::Gt, &[size, most])?;
        // What has no exponent of its own stands aside as 1.
        let mut rest = self.op(Op::Select, &[subnormal, one, size])?;
        rest = self.op(Op::Select, &[infinite, one, rest])?;
        let mut exponent = self.int(i64::from(layout.bias()))?;
        for step in (0..layout.exponent - 1).rev().map(|k| 1i32 << k) {
            let (above, below) = (self.double(2f64.powi(step))?, self.double(2f64.powi(1 - step))?);
            let (down, up) = (self.double(2f64.powi(-step))?, self.double(2f64.powi(step))?);
            let (great, small) = (self.op(Op::Ge, &[rest, above])?, self.op(Op::Lt, &[rest, below])?);
            let factor = self.op(Op::Select, &[small, up, one])?;
            let factor = self.op(Op::Select, &[great, down, factor])?;
            rest = self.op(Op::Mul, &[rest, factor])?;
            let [plus, minus, none] = [i64::from(step), -i64::from(step), 0].map(|i| self.int(i));
            let (plus, minus, none) = (plus?, minus?, none?);
            let moved = self.op(Op::Select, &[small, minus, none])?;
            let moved = self.op(Op::Select, &[great, plus, moved])?;
            let sum = self.op(Op::Add, &[exponent, moved])?;
            exponent = self.settled(sum)?;
        }
        // 1 < 2 is left; below 1 is left of a number at the edge of a step.
        let short = self.op(Op::Lt, &[rest, one])?;
        let two = self.double(2.0)?;
        let factor = self.op(Op::Select, &[short, two, one])?;
        rest = self.op(Op::Mul, &[rest, factor])?;
        let [down, none] = [-1, 0].map(|i| self.int(i));
        let (down, none) = (down?, none?);
        let moved = self.op(Op::Select, &[short, down, none])?;
        let sum = self.op(Op::Add, &[exponent, moved])?;
        exponent = self.settled(sum)?;
        let whole = self.double(2f64.powi(layout.fraction as i32))?;
        let fraction = self.op(Op::Sub, &[rest, one])?;
        let fraction = self.op(Op::Mul, &[fraction, whole])?;
        let fraction = self.cast(fraction, DType::I64)?;
        let places = self.int(i64::from(layout.fraction))?;
        let high = self.op_with(Op::Bitwise, Attr::Word(Word::Left), &[exponent, places])?;
        let normal = self.op_with(Op::Bitwise, Attr::Word(Word::Or), &[high, fraction])?;
        // Steps of the least number, in two factors: one would overflow.
        let steps = layout.bias() - 1 + layout.fraction as i32;
        let small = self.op(Op::Min, &[size, low])?;
        let mut count = small;
        for power in [steps / 2, steps - steps / 2] {
            let factor = self.double(2f64.powi(power))?;
            count = self.op(Op::Mul, &[count, factor])?;
        }
        let count = self.cast(count, DType::I64)?;
        let code = self.op(Op::Select, &[subnormal, count, normal])?;
        let beyond = self.int(layout.infinity())?;
        let code = self.op(Op::Select, &[infinite, beyond, code])?;
        // The sign is that of 1 / x, which a negative zero has as well.
        let zero = self.double(0.0)?;
        let inverse = self.op(Op::Div, &[one, x])?;
        let by_inverse = self.op(Op::Lt, &[inverse, zero])?;
        let negative = self.op(Op::Lt, &[x, zero])?;
        let negative = self.op(Op::Or, &[negative, by_inverse])?;
        let sign = self.int(i64::MIN >> (64 - layout.bits()))?;
        let signed = self.op_with(Op::Bitwise, Attr::Word(Word::Or), &[code, sign])?;
        self.op(Op::Select, &[negative, signed, code])
    }

    /// The double whose bits, in a format, an integer has.
    fn float_of_bits(&mut self, code: NodeId, layout: Layout) -> Res<NodeId> {
        let and = |node: &mut Self, x: NodeId, mask: i64| {
            let mask = node.int(mask)?;
            node.op_with(Op::Bitwise, Attr::Word(Word::And), &[x, mask])
        };
        let places = self.int(i64::from(layout.fraction))?;
        let right = self.op_with(Op::Bitwise, Attr::Word(Word::Right), &[code, places])?;
        let field = and(self, right, (1 << layout.exponent) - 1)?;
        let fraction = and(self, code, (1 << layout.fraction) - 1)?;
        let fraction = self.as_f64(fraction)?;
        let part = self.double(2f64.powi(-(layout.fraction as i32)))?;
        let part = self.op(Op::Mul, &[fraction, part])?;
        let last = (1 << layout.exponent) - 1;
        let power = |e: i32| if e == last { f64::INFINITY } else { 2f64.powi(e.max(1) - layout.bias()) };
        let table: Vec<f64> = (0..=last).map(power).collect();
        let power = self.look_up(field, Frame { rows: table.len(), width: 1, ..Frame::row_f64(table) })?;
        let (zero, one, nan, none) = (self.double(0.0)?, self.double(1.0)?, self.double(f64::NAN)?, self.int(0)?);
        let subnormal = self.op(Op::Eq, &[field, none])?;
        let first = self.op(Op::Select, &[subnormal, zero, one])?;
        let sum = self.op(Op::Add, &[first, part])?;
        let size = self.op(Op::Mul, &[sum, power])?;
        let top = self.int(i64::from(last))?;
        let (special, some) = (self.op(Op::Eq, &[field, top])?, self.op(Op::Gt, &[part, zero])?);
        let is_nan = self.op(Op::And, &[special, some])?;
        let size = self.op(Op::Select, &[is_nan, nan, size])?;
        let sign = and(self, code, 1i64.checked_shl(layout.bits() - 1).unwrap_or(i64::MIN))?;
        let positive = self.op(Op::Eq, &[sign, none])?;
        let negative = self.op(Op::Neg, &[size])?;
        self.op(Op::Select, &[positive, size, negative])
    }
}
