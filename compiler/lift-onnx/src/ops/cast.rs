//! `Cast`, `CastLike`: to another element type.
//!
//! A float becomes the integer towards zero; a row in which the type has none is refused (C leaves that open; types of
//! less than 8 bits keep the last bits, as onnx does). An integer keeps its last bits. Floats of less than 32 bits are
//! rounded to nearest, ties to even; with `saturate` what an 8-bit float does not hold becomes its greatest number. A bool
//! becomes the text `1` or `0`, a float eight digits. Text becomes the number that it begins with, as C reads it; a row of
//! text without one is refused.
//! Source: ai.onnx Cast-9 … -28, CastLike-15 … -28; onnxruntime `tensor/cast_op.cc`.

use flock_ir_spec::{Attr, DType, Frame, NodeId, Op, Word};

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::{Elem, Format, Special, name_of};
use crate::node::Node;
use crate::value::{Tensor, Value};

const ROUNDING: [Declared; 2] = [("saturate", Form::Int), ("round_mode", Form::Text)];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("to", Form::Int), ROUNDING[0], ROUNDING[1]],
        ..Lifter::main("Cast", &[9, 13, 19, 21, 23, 24, 25, 28], 1..=1, cast)
    },
    Lifter { attributes: &ROUNDING, ..Lifter::main("CastLike", &[15, 19, 21, 23, 24, 25, 28], 2..=2, like) },
];

/// The type that a cast is to.
pub fn target(node: &Node<'_, '_>) -> Res<Elem> {
    let to = node.attributes().int("to").ok_or_else(|| node.bad_attribute("no type to cast to"))?;
    Elem::of(to).ok_or_else(|| node.unsupported(format!("a cast to {}", name_of(to))))
}

fn cast(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let to = target(node)?;
    lift(node, to)
}

fn like(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let to = match &node.inputs[1] {
        Some(Value::Tensor(t)) => t.elem,
        Some(Value::Literal(l)) => l.elem,
        _ => return Err(node.unsupported("a type that no tensor gives")),
    };
    lift(node, to)
}

fn lift(node: &mut Node<'_, '_>, to: Elem) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let value = node.converted(&x, to)?;
    node.give(to, x.shape, value)
}

impl Node<'_, '_> {
    /// The elements in another type, by the node's `saturate` and `round_mode`.
    pub fn converted(&mut self, x: &Tensor, to: Elem) -> Res<NodeId> {
        match (x.elem, to) {
            (from, to) if from == to => Ok(x.node),
            (Elem::Str, _) => self.parsed(x, to),
            (Elem::F32 | Elem::F64 | Elem::Small(_), Elem::Str) => {
                let x = self.as_f64(x.node)?;
                self.op(Op::Digits, &[x])
            }
            (Elem::Bool, Elem::Str) => {
                let (yes, no) = (self.constant(Frame::row_str(["1"]))?, self.constant(Frame::row_str(["0"]))?);
                self.op(Op::Select, &[x.node, yes, no])
            }
            (_, Elem::Small(format)) if format.special == Special::PowersOfTwo => self.power_of_two(x.node, format),
            (from, Elem::Small(format)) => {
                if matches!(from, Elem::Int(int) if int.bits == 64) {
                    self.refuse_inexact(x.node)?;
                }
                let saturate = format.bits() <= 8 && self.attributes().int("saturate").unwrap_or(1) != 0;
                self.rounded(x.node, format, saturate)
            }
            (from, Elem::Int(int)) => {
                let whole = self.cast(x.node, DType::I64)?;
                if from.is_int() || int.bits < 8 {
                    return self.wrapped(whole, int);
                }
                if from != Elem::Bool {
                    self.refuse_beyond(whole, int)?;
                }
                Ok(whole)
            }
            _ => self.cast(x.node, to.dtype()),
        }
    }

    /// The number that text begins with; a row of text without one, or with one out of range, is refused.
    fn parsed(&mut self, x: &Tensor, to: Elem) -> Res<NodeId> {
        let how = match to {
            Elem::Int(int) if int.signed => Word::Signed,
            Elem::Int(_) | Elem::Bool => Word::Unsigned,
            _ => Word::Float,
        };
        let found = self.op_with(Op::Parse, Attr::Word(how), &[x.node])?;
        let node = self.settled(found)?;
        match to {
            Elem::Int(int) => self.wrapped(node, int),
            Elem::Bool => {
                let zero = self.int(0)?;
                self.op(Op::Ne, &[node, zero])
            }
            _ => self.converted(&Tensor { elem: Elem::F64, shape: x.shape.clone(), node }, to),
        }
    }

    /// The power of two at or above the value, or below it with `round_mode` `down`; NaN below 0.
    fn power_of_two(&mut self, x: NodeId, format: &'static Format) -> Res<NodeId> {
        let side = match self.attributes().text("round_mode").unwrap_or("up") {
            "up" => Word::Left,
            "down" => Word::Right,
            other => return Err(self.unsupported(format!("round_mode `{other}`"))),
        };
        let saturate = self.attributes().int("saturate").unwrap_or(1) != 0;
        let x = self.as_f64(x)?;
        let powers: Vec<f64> = (-format.bias..=format.bias).map(|e| 2f64.powi(e)).collect();
        let edges = self.constant(Frame::row_f64(powers.clone()))?;
        let place = self.op_with(Op::Bucketize, Attr::Word(side), &[x, edges])?;
        let beyond = if saturate { format.greatest } else { f64::NAN };
        let table: Vec<f64> = if side == Word::Left {
            powers.into_iter().chain([beyond]).collect()
        } else {
            [if saturate { powers[0] } else { f64::NAN }].into_iter().chain(powers).collect()
        };
        let found = self.look_up(place, Frame { rows: table.len(), width: 1, ..Frame::row_f64(table) })?;
        let (zero, nan) = (self.double(0.0)?, self.double(f64::NAN)?);
        let number = self.op(Op::Ge, &[x, zero])?;
        let found = self.op(Op::Select, &[number, found, nan])?;
        self.cast(found, DType::F32)
    }
}
