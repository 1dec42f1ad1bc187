//! Operators on constants.

use egg::Id;
use flock_ir_spec::ops::{Apply, Arg, Meaning};
use flock_ir_spec::{Constant, Op};

use super::rules;
use crate::analysis::{add_constant, constant};
use crate::language::{Egraph, Enode};

rules! {
    /// An operator on constants is what the reference evaluator says, where that is not null: constants have no nulls.
    Bits  "fold": [every] => { evaluate };
    /// The same for operators that round as the engine likes; this engine's rounding is one of them.
    Reals "fold-reals": [every] => { evaluate };
}

fn evaluate(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let op = node.op()?;
    let Meaning::Eval(meaning) = op.record().meaning else { return None };
    if node.children.is_empty()
        || matches!(op, Op::Const | Op::Null)
        || g[g.lookup(node.clone())?].data.constant.is_some()
    {
        return None;
    }
    let args: Option<Vec<Arg<'_>>> = node
        .children
        .iter()
        .map(|c| match constant(g, *c)? {
            Constant::Table(t) => Some(Arg::Frame(t)),
            Constant::Trees(t) => Some(Arg::Trees(t)),
            Constant::Terms(t) => Some(Arg::Terms(t)),
        })
        .collect();
    let args = args?;
    let out = g[g.lookup(node.clone())?].data.frame()?;
    let value = meaning(&Apply { rows: 1, attr: node.attr(), args: &args, out });
    (value.valid.is_none()).then(|| add_constant(g, value))
}
