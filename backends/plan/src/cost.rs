//! What a row costs, and when trees are better as code. Nanoseconds on one core of a current server CPU.

use std::collections::HashSet;

use flock_ir_spec::{Constant, DType, Function, Module, Op, TreeEnsemble};

use crate::trees::{CHOSEN, reachable};

/// How ensembles are compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trees {
    /// As is cheaper.
    #[default]
    Auto,
    /// Always as data that a kernel walks.
    Data,
    /// As code where that is possible: up to 16 outputs and 65,536 nodes, no sets.
    Code,
}

/// Outputs and nodes beyond which an ensemble is never code.
const MOST_OUTPUTS: u32 = 16;
const MOST_NODES: usize = 1 << 16;
/// Nodes of all trees up to which code is worth the time to compile it, about 30 µs for each.
const SMALL_ENSEMBLE: usize = 2048;

impl Trees {
    /// Whether the ensemble becomes code.
    pub(crate) fn as_code(self, t: &TreeEnsemble) -> bool {
        let (largest, limit) = match self {
            Trees::Data => return false,
            Trees::Code => (MOST_NODES, MOST_NODES),
            // Measured: up to 15 nodes 2.5 to 4 times as fast as the walk, at 31 slower.
            Trees::Auto if code(t) <= data(t) => (CHOSEN, SMALL_ENSEMBLE),
            Trees::Auto => return false,
        };
        // A set is looked up by the kernel.
        t.sets.is_empty()
            && t.outputs <= MOST_OUTPUTS
            && t.nodes.len() + t.trees.len() <= limit
            && t.trees.iter().all(|tree| reachable(t, tree).len() <= largest)
    }
}

/// What of a row's time depends on who writes the code; all else is kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Nanoseconds of an elementwise operator on one element.
    pub element: f64,
    /// An ensemble as code, as a part of what it takes in 128-bit vectors.
    pub trees: f64,
}

impl Rates {
    /// Scalar loops, and trees in 128-bit vectors.
    pub const NARROW: Rates = Rates { element: 0.4, trees: 1.0 };
}

/// The nodes of ensembles that become code.
pub fn code_nodes(module: &Module, function: &Function) -> usize {
    let Ok(flat) = crate::flatten::flatten(module, &function.name) else { return 0 };
    let ensembles = flat.graph.nodes().iter().filter(|n| n.op == Op::Trees).filter_map(|n| n.args.get(1));
    let constants = ensembles.filter_map(|e| flat.graph.constant(&flat.pool, *e));
    let code = |c: &Constant| match c {
        Constant::Trees(t) if Trees::Auto.as_code(t) => t.nodes.len(),
        _ => 0,
    };
    constants.map(code).sum()
}

/// The estimated time of a row; infinite where the function cannot be compiled.
pub fn nanoseconds(module: &Module, function: &Function, rates: &Rates) -> f64 {
    let Ok(flat) = crate::flatten::flatten(module, &function.name) else { return f64::INFINITY };
    let graph = &flat.graph;
    let live = graph.reachable(flat.outputs.iter().map(|o| o.node));
    let nodes = graph.iter().filter(|(id, _)| live[id.index()]);
    let width = |id| graph.frame_type(id).map_or(1.0, |t| f64::from(t.width));
    let of = |op: Op, id, node: &flock_ir_spec::Node| {
        let operand = node.args.first().map_or(1.0, |a| width(*a));
        let text = node.args.first().and_then(|a| graph.frame_type(*a)).is_some_and(|t| t.dtype == DType::Str);
        match op {
            Op::Input => 0.6 * width(id),
            Op::Const | Op::Slice | Op::Null => 0.0,
            Op::Concat | Op::Take => 0.2 * width(id),
            Op::Exp | Op::Ln | Op::Log1p | Op::Expm1 | Op::Tanh | Op::Logistic => 6.0 * width(id),
            Op::Sin | Op::Cos | Op::Atan => 10.0 * width(id),
            Op::Pow | Op::Rem => 20.0 * width(id),
            Op::Sum | Op::Prod | Op::RowMin | Op::RowMax | Op::All | Op::Any | Op::ArgMax => 0.6 * operand,
            Op::Softmax => 9.0 * operand,
            Op::Normalize => 2.0 * operand,
            // Measured: 0.05 in f32 and 0.1 in f64 with 256-bit registers, and the inputs of a tile are copied.
            Op::Linear => (0.08 * width(id)).max(0.15) * operand,
            Op::IndexOf | Op::InSet => {
                if text {
                    15.0
                } else {
                    5.0 * operand
                }
            }
            Op::CityHash => 12.0 * width(id),
            Op::Digest => 150.0,
            Op::Lookup | Op::OneHot => 0.5 * width(id),
            Op::Bucketize | Op::Interpolate => 8.0 * width(id),
            Op::Distances => 0.4 * operand * width(id),
            // A selection among all, then a sort of the few.
            Op::Order => 8.0 * operand + 10.0 * width(id),
            Op::Gather => 1.0 * width(id),
            Op::Trees | Op::Leaves => match node.args.get(1).and_then(|e| graph.constant(&flat.pool, *e)) {
                Some(Constant::Trees(t)) => ensemble(t, op == Op::Trees, rates),
                _ => 0.0,
            },
            // A document of some hundred characters.
            Op::Lower | Op::Upper | Op::WithoutAccents | Op::Append | Op::Matches | Op::Parse | Op::Digits => {
                100.0 * width(id)
            }
            Op::TermCounts => 2000.0 + 0.2 * width(id),
            Op::Column | Op::Opaque | Op::Call => f64::INFINITY,
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Neg
            | Op::Abs
            | Op::Min
            | Op::Max
            | Op::Sqrt
            | Op::Floor
            | Op::Ceil
            | Op::Round
            | Op::Eq
            | Op::Ne
            | Op::Lt
            | Op::Le
            | Op::Gt
            | Op::Ge
            | Op::And
            | Op::Or
            | Op::Not
            | Op::IsNull
            | Op::IsNan
            | Op::Select
            | Op::Coalesce
            | Op::Guard
            | Op::Cast
            | Op::Bitwise
            | Op::Composite(_) => rates.element * width(id),
        }
    };
    nodes.map(|(id, node)| of(node.op, id, node)).sum()
}

fn ensemble(t: &TreeEnsemble, sums: bool, rates: &Rates) -> f64 {
    match sums {
        true if Trees::Auto.as_code(t) => rates.trees * code(t),
        true => data(t),
        false => walk(t),
    }
}

/// An ensemble as code.
fn code(t: &TreeEnsemble) -> f64 {
    0.6 * t.trees.len() as f64 + 0.12 * t.nodes.len() as f64
}

/// Rows that walk side by side over nodes of 8 bytes (16 for f64). Measured: a level of a tree in a near cache takes 0.8 ns, in a far
/// one 2; the features are copied first.
fn deep(t: &TreeEnsemble) -> f64 {
    let near = t.nodes.len() / t.trees.len().max(1) < 4096;
    let level = if near { 0.8 } else { 2.0 };
    let walks: f64 = t.depths().iter().map(|d| 2.0 + level * f64::from(*d)).sum();
    walks + 0.2 * f64::from(t.features)
}

/// A walk of each tree with all tests that there are.
fn walk(t: &TreeEnsemble) -> f64 {
    t.depths().iter().map(|d| 1.2 + 1.2 * f64::from(*d)).sum()
}

/// An ensemble as data in large batches: the kernel's own choice, without looking at single trees. Measured with 512-bit registers:
/// a feature's ranks, a choice per node, and a look-up per tree whose table is in registers or in memory.
fn data(t: &TreeEnsemble) -> f64 {
    let trees = t.trees.len() as f64;
    let nodes = t.nodes.len() as f64;
    let features: HashSet<u32> = t.nodes.iter().map(|n| n.feature).collect();
    let program = match nodes / trees.max(1.0) {
        n if n < 64.0 => 0.2 * trees,
        n if n < 1024.0 => 1.0 * trees,
        _ => return deep(t),
    };
    if !t.sets.is_empty() {
        walk(t)
    } else if t.trees.len() <= 4 {
        deep(t)
    } else {
        program + 0.005 * nodes + 1.3 * features.len() as f64
    }
}
