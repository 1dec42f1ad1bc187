//! Functions of numpy by name, element by element, in f64.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use crate::lift::Lift;

impl Lift {
    /// The function of that dotted name on numbers; None where it is not one of numpy's that are known.
    pub fn numpy_function(&mut self, name: &str, x: NodeId) -> Result<Option<NodeId>, Diagnostic> {
        let Some(("numpy", name)) = name.split_once('.').map(|(first, _)| first).zip(name.rsplit('.').next()) else {
            return Ok(None);
        };
        let op = match name {
            "exp" => Op::Exp,
            "expm1" => Op::Expm1,
            "log" => Op::Ln,
            "log1p" => Op::Log1p,
            "sqrt" => Op::Sqrt,
            "abs" | "absolute" | "fabs" => Op::Abs,
            "negative" => Op::Neg,
            "floor" => Op::Floor,
            "ceil" => Op::Ceil,
            "rint" => Op::Round,
            "tanh" => Op::Tanh,
            "sin" => Op::Sin,
            "cos" => Op::Cos,
            "arctan" | "atan" => Op::Atan,
            "log10" => Op::Composite(Composite::LOG10),
            "log2" => Op::Composite(Composite::LOG2),
            "sign" => Op::Composite(Composite::SIGN),
            "square" => Op::Composite(Composite::SQUARE),
            "reciprocal" => Op::Composite(Composite::RECIPROCAL),
            "tan" => Op::Composite(Composite::TAN),
            "sinh" => Op::Composite(Composite::SINH),
            "cosh" => Op::Composite(Composite::COSH),
            "arcsin" | "asin" => Op::Composite(Composite::ASIN),
            "arccos" | "acos" => Op::Composite(Composite::ACOS),
            "arcsinh" | "asinh" => Op::Composite(Composite::ASINH),
            "arccosh" | "acosh" => Op::Composite(Composite::ACOSH),
            "arctanh" | "atanh" => Op::Composite(Composite::ATANH),
            "positive" => return Ok(Some(x)),
            "exp2" => {
                let two = self.row_f64([2.0]);
                return self.op(Op::Pow, &[two, x]).map(Some);
            }
            _ => return Ok(None),
        };
        self.op(op, &[x]).map(Some)
    }
}
