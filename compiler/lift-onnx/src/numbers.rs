//! Numbers of types that the IR does not have: integers of less than 64 bits in an i64, floats of less than 32 bits in an
//! f32. What an operator makes of them is wrapped around, rounded, saturated or refused here, always in so many words.

use flock_ir_spec::{Attr, DType, Frame, FunctionBuilder, NodeId, Op, Word};

use crate::Res;
use crate::elem::{Elem, Format, Int, Special};
use crate::node::{NODE_COST, Node};

/// Integers up to which doubles hold every one.
const EXACT: f64 = 9007199254740992.0;

impl Node<'_, '_> {
    /// A double constant.
    pub fn double(&mut self, x: f64) -> Res<NodeId> {
        self.number(Elem::F64, x)
    }

    /// An integer constant.
    pub fn int(&mut self, x: i64) -> Res<NodeId> {
        self.constant(Frame::row_i64([x]))
    }

    /// As doubles; every float of less than 64 bits is one.
    pub fn as_f64(&mut self, node: NodeId) -> Res<NodeId> {
        self.cast(node, DType::F64)
    }

    /// A value that an operator computed, as one of the type: rounded where the type has fewer bits than its frame,
    /// wrapped around where it is an integer of fewer bits.
    pub fn fitted(&mut self, node: NodeId, elem: Elem) -> Res<NodeId> {
        match elem {
            Elem::Small(format) => self.rounded(node, format, false),
            Elem::Int(int) => self.wrapped(node, int),
            _ => Ok(node),
        }
    }

    /// Rows in which an integer is none of the type are refused.
    pub fn refuse_beyond(&mut self, node: NodeId, int: Int) -> Res<()> {
        self.spend(4 * NODE_COST)?;
        refuse_beyond(&mut self.lift.b, node, int).map_err(|e| self.fault("flock::lift::type", e))
    }

    /// The last bits of an integer. For 64 bits, rows beyond are refused, as operators of the IR give null there.
    pub fn wrapped(&mut self, node: NodeId, int: Int) -> Res<NodeId> {
        let node = self.settled(node)?;
        if int.bits == 64 {
            self.refuse_beyond(node, int)?;
            return Ok(node);
        }
        if !int.signed {
            let mask = self.int(int.high())?;
            return self.op_with(Op::Bitwise, Attr::Word(Word::And), &[node, mask]);
        }
        // Up to the top and down again, which repeats the sign.
        let places = self.int(i64::from(64 - int.bits))?;
        let up = self.op_with(Op::Bitwise, Attr::Word(Word::Left), &[node, places])?;
        self.op_with(Op::Bitwise, Attr::Word(Word::Right), &[up, places])
    }

    /// Rows with an integer beyond 2^53 are refused.
    pub fn refuse_inexact(&mut self, node: NodeId) -> Res<()> {
        let (low, high) = (self.int(-(EXACT as i64))?, self.int(EXACT as i64)?);
        let (above, below) = (self.op(Op::Ge, &[node, low])?, self.op(Op::Le, &[node, high])?);
        let inside = self.op(Op::And, &[above, below])?;
        self.refuse_unless(inside)
    }

    /// A float rounded to a smaller format (see [`rounded`]).
    pub fn rounded(&mut self, node: NodeId, format: &'static Format, saturate: bool) -> Res<NodeId> {
        self.spend(24 * NODE_COST)?;
        rounded(&mut self.lift.b, node, format, saturate).map_err(|e| self.unsupported(e))
    }
}

/// Builds operators without a node of the graph; a fault is text.
struct Build<'b>(&'b mut FunctionBuilder);

impl Build<'_> {
    fn op(&mut self, op: Op, args: &[NodeId]) -> Result<NodeId, String> {
        self.0.op(op, args).map_err(|e| e.to_string())
    }

    fn double(&mut self, x: f64) -> NodeId {
        self.0.constant(Frame::row_f64([x]))
    }

    fn cast(&mut self, node: NodeId, to: DType) -> Result<NodeId, String> {
        match self.0.frame_type(node) {
            Some(ty) if ty.dtype != to => {
                self.0.op_with(Op::Cast, Attr::Type(ty.with_dtype(to)), &[node]).map_err(|e| e.to_string())
            }
            _ => Ok(node),
        }
    }
}

/// Rows in which an integer is none of the type are refused.
pub fn refuse_beyond(b: &mut FunctionBuilder, node: NodeId, int: Int) -> Result<(), String> {
    if int.signed && int.bits == 64 {
        return Ok(());
    }
    let mut b = Build(b);
    let (low, high) = (b.0.constant(Frame::row_i64([int.low()])), b.0.constant(Frame::row_i64([int.high()])));
    let (above, below) = (b.op(Op::Ge, &[node, low])?, b.op(Op::Le, &[node, high])?);
    let inside = b.op(Op::And, &[above, below])?;
    let wide = b.0.frame_type(inside).is_some_and(|t| t.width > 1);
    let all = if wide { b.op(Op::All, &[inside])? } else { inside };
    b.0.refuse_unless(all);
    Ok(())
}

/// A float rounded to a smaller format, to nearest, ties to even; the frame is f32. With `saturate` what is too great
/// becomes the greatest finite value, else an infinity, or NaN where the format has none.
///
/// x + 2^(52 - fraction) · x - 2^(52 - fraction) · x in doubles leaves as many bits as the format has. Below the least
/// normal number the step is fixed: 1.5 · 2^52 steps added and taken off leave whole steps.
pub fn rounded(b: &mut FunctionBuilder, x: NodeId, format: &Format, saturate: bool) -> Result<NodeId, String> {
    if format.special == Special::PowersOfTwo {
        return Err(format!("rounding to {}", format.name));
    }
    let b = &mut Build(b);
    let x = b.cast(x, DType::F64)?;
    let size = b.op(Op::Abs, &[x])?;
    let most = b.double(2f64.powi(400));
    let size = b.op(Op::Min, &[size, most])?;
    let (least_exponent, fraction) = (1 - format.bias, format.fraction as i32);
    let factor = b.double(2f64.powi(52 - fraction));
    let much = b.op(Op::Mul, &[size, factor])?;
    let normal = leaving_bits(b, size, much)?;
    let magic = b.double(1.5 * 2f64.powi(52 + least_exponent - fraction));
    let below = leaving_bits(b, size, magic)?;
    let least = b.double(2f64.powi(least_exponent));
    let is_below = b.op(Op::Lt, &[size, least])?;
    let rounded = b.op(Op::Select, &[is_below, below, normal])?;
    let greatest = b.double(format.greatest);
    let too_great = b.op(Op::Gt, &[rounded, greatest])?;
    let instead = b.double(match format.special {
        Special::Ieee if !saturate => f64::INFINITY,
        Special::NanAlone | Special::NanAsNegativeZero if !saturate => f64::NAN,
        _ => format.greatest,
    });
    let limited = b.op(Op::Select, &[too_great, instead, rounded])?;
    let signed = with_sign_of(b, limited, x, format.special)?;
    b.cast(signed, DType::F32)
}

fn leaving_bits(b: &mut Build<'_>, x: NodeId, much: NodeId) -> Result<NodeId, String> {
    let sum = b.op(Op::Add, &[x, much])?;
    b.op(Op::Sub, &[sum, much])
}

/// A size with the sign of x, that of zeros included, where the format has a negative zero. Without a NaN, NaN is that.
fn with_sign_of(b: &mut Build<'_>, size: NodeId, x: NodeId, special: Special) -> Result<NodeId, String> {
    let zero = b.double(0.0);
    let below = b.op(Op::Lt, &[x, zero])?;
    let negative = b.op(Op::Neg, &[size])?;
    let signed = b.op(Op::Select, &[below, negative, size])?;
    if special == Special::NanAsNegativeZero {
        // -0 + 0 is 0.
        return b.op(Op::Add, &[signed, zero]);
    }
    let is_zero = b.op(Op::Eq, &[x, zero])?;
    let signed = b.op(Op::Select, &[is_zero, x, signed])?;
    if special != Special::None {
        return Ok(signed);
    }
    let (nan, negative_zero) = (b.op(Op::IsNan, &[x])?, b.double(-0.0));
    b.op(Op::Select, &[nan, negative_zero, signed])
}
