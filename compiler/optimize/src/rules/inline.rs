//! Models into the frames that call them.

use egg::Id;
use flock_ir_spec::{Attr, Op};

use super::rules;
use crate::build;
use crate::language::{Egraph, Enode};

rules! {
    /// A call is the function's body with the operands in place of the parameters. A call as such can be chosen only
    /// where the target has the model as a native function.
    Bits "inline": [Call] => { inline };
}

fn inline(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (Some(Op::Call), Attr::Call { function, output, .. }) = (node.op(), node.attr()) else { return None };
    let functions = g.analysis.functions;
    let f = functions.iter().find(|f| f.name == *function)?;
    let root = f.output(output)?.node;
    build::import(g, &f.graph, &[root], Some(&f.name), |leaf| match leaf.attr {
        Attr::Param(i) => node.children.get(i as usize).copied(),
        _ => None,
    })?
    .pop()
}
