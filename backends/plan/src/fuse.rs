//! Which operators are computed element by element in one loop.

use flock_ir_spec::{Attr, Constant, DType, Graph, NodeId, Op, Pool, Scalar};

/// How an operator is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Code per element, fused with its neighbours.
    Element,
    /// A value that costs nothing to have at hand: a constant row, a null.
    Leaf,
    /// Steps of its own.
    Steps,
}

/// Elements of a set that are compared one by one.
const FEW: usize = 8;
/// Most operators of one loop: beyond, registers run out and the code grows for nothing.
const MOST_FUSED: u32 = 64;

/// How a node is compiled.
pub(crate) fn work(graph: &Graph, pool: &Pool, id: NodeId) -> Work {
    let node = graph.node(id);
    let operand = node.args.first().and_then(|a| graph.frame_type(*a)).map_or(DType::F64, |t| t.dtype);
    let element = |yes: bool| if yes { Work::Element } else { Work::Steps };
    match node.op {
        Op::Coalesce if filled_inputs(graph, pool, id).is_some() => Work::Steps,
        Op::Cast if narrowed(graph, pool, id).is_some() => Work::Steps,
        Op::Max if floored(graph, pool, id).is_some() => Work::Steps,
        Op::Const | Op::Null => Work::Leaf,
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg | Op::Abs | Op::Min | Op::Max | Op::Sqrt => Work::Element,
        Op::Floor | Op::Ceil | Op::Round | Op::Bitwise => Work::Element,
        Op::And | Op::Or | Op::Not | Op::IsNull | Op::IsNan | Op::Select | Op::Coalesce | Op::Guard => Work::Element,
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => element(operand != DType::Str),
        Op::Cast => element(operand == DType::Str || !matches!(node.attr, Attr::Type(t) if t.dtype == DType::Str)),
        Op::InSet => element(operand == DType::Bool || operand != DType::Str && set_size(graph, pool, id) <= FEW),
        Op::IndexOf => element(operand == DType::Bool),
        Op::Exp | Op::Ln | Op::Log1p | Op::Expm1 | Op::Pow | Op::Tanh | Op::Logistic => Work::Steps,
        Op::Sin | Op::Cos | Op::Atan | Op::Rem => Work::Steps,
        Op::Concat | Op::Slice | Op::Take => Work::Steps,
        Op::Sum | Op::Prod | Op::RowMin | Op::RowMax | Op::All | Op::Any | Op::ArgMax | Op::Softmax | Op::Normalize => {
            Work::Steps
        }
        Op::Linear | Op::Lookup | Op::OneHot | Op::Bucketize | Op::Trees | Op::Leaves => Work::Steps,
        Op::Interpolate | Op::Distances | Op::Order | Op::Gather | Op::CityHash | Op::Digest => Work::Steps,
        Op::Lower
        | Op::Upper
        | Op::WithoutAccents
        | Op::Append
        | Op::Matches
        | Op::TermCounts
        | Op::Parse
        | Op::Digits => Work::Steps,
        Op::Input | Op::Column | Op::Call | Op::Opaque | Op::Composite(_) => Work::Steps,
    }
}

/// Parameters with one value in place of what is missing, which loading can do: `coalesce (concat a b …) c`.
pub(super) fn filled_inputs<'a>(graph: &'a Graph, pool: &Pool, id: NodeId) -> Option<(&'a [NodeId], NodeId)> {
    let [x, fill] = graph.node(id).args[..] else { return None };
    let t = graph.frame_type(x)?;
    let inputs = match graph.node(x).op {
        Op::Input => &graph.node(id).args[..1],
        Op::Concat => &graph.node(x).args[..],
        _ => return None,
    };
    let are_inputs = inputs.iter().all(|i| graph.node(*i).op == Op::Input);
    (t.dtype.is_float() && t.nullable && are_inputs && is_number(graph, pool, fill)).then_some((inputs, fill))
}

/// The same rounded to f32 at once: `cast (coalesce …)`, and the node of the coalesce.
pub(super) fn narrowed(graph: &Graph, pool: &Pool, id: NodeId) -> Option<NodeId> {
    let node = graph.node(id);
    let from = *node.args.first()?;
    let narrows = matches!(node.attr, Attr::Type(t) if t.dtype == DType::F32) && node.op == Op::Cast;
    let wide = graph.frame_type(from).is_some_and(|t| t.dtype == DType::F64) && graph.node(from).op == Op::Coalesce;
    (narrows && wide && filled_inputs(graph, pool, from).is_some()).then_some(from)
}

/// `max (linear …) c`, which one kernel computes: the map, and the node of the number.
pub(super) fn floored(graph: &Graph, pool: &Pool, id: NodeId) -> Option<(NodeId, NodeId)> {
    let [x, floor] = graph.node(id).args[..] else { return None };
    let number = match graph.constant(pool, floor) {
        Some(Constant::Table(t)) if t.len() == 1 && t.rows == 1 => match t.get_flat(0) {
            Scalar::F64(c) => !c.is_nan(),
            Scalar::F32(c) => !c.is_nan(),
            Scalar::Null | Scalar::Bool(_) | Scalar::I64(_) | Scalar::Str(_) => false,
        },
        _ => false,
    };
    let fits = graph.node(id).op == Op::Max && graph.node(x).op == Op::Linear && number;
    fits.then_some((x, floor))
}

/// Whether a node is a constant row of one number.
fn is_number(graph: &Graph, pool: &Pool, id: NodeId) -> bool {
    matches!(graph.constant(pool, id), Some(Constant::Table(t)) if t.len() == 1 && t.rows == 1)
}

/// `all (not (ge (abs x) c))`, which one kernel asks: the frame, and the node of the limit.
pub(super) fn bounded_row(graph: &Graph, pool: &Pool, id: NodeId) -> Option<(NodeId, NodeId)> {
    let operand = |id: NodeId, op: Op| (graph.node(id).op == op).then(|| graph.node(id).args.first().copied())?;
    let not = graph.node(id).args.first().copied()?;
    let ge = operand(not, Op::Not)?;
    let x = operand(operand(ge, Op::Ge)?, Op::Abs)?;
    let limit = graph.node(ge).args.get(1).copied()?;
    let t = graph.frame_type(x)?;
    let leaf = matches!(graph.node(x).op, Op::Const | Op::Null);
    (t.dtype.is_float() && !t.nullable && !leaf && is_number(graph, pool, limit)).then_some((x, limit))
}

fn set_size(graph: &Graph, pool: &Pool, id: NodeId) -> usize {
    match graph.node(id).args.get(1).and_then(|a| graph.constant(pool, *a)) {
        Some(Constant::Table(t)) => t.len(),
        _ => usize::MAX,
    }
}

/// How many operands of an elementwise operator are frames; what follows are tables that its code holds.
pub fn frame_operands(graph: &Graph, id: NodeId) -> &[NodeId] {
    let node = graph.node(id);
    match node.op {
        Op::InSet | Op::IndexOf => &node.args[..node.args.len().min(1)],
        _ => &node.args,
    }
}

/// For each elementwise node that is live, the last node of the loop that it is computed in.
///
/// A node joins the loop of its users where all of them are in the same one and have as many columns as it has: then
/// its value is never stored. What is used from elsewhere, or by wider frames, ends a loop of its own.
pub(crate) fn fuse(graph: &Graph, works: &[Work], live: &[bool], roots: &[NodeId]) -> Vec<Option<NodeId>> {
    let n = graph.nodes().len();
    let width = |id: NodeId| graph.frame_type(id).map_or(0, |t| t.width);
    let mut group: Vec<Option<NodeId>> = vec![None; n];
    // What the users seen so far say: nothing yet, one loop, or that it cannot join.
    let mut wanted: Vec<Option<Option<NodeId>>> = vec![None; n];
    let mut size = vec![0u32; n];
    roots.iter().for_each(|r| wanted[r.index()] = Some(None));
    for (id, node) in graph.iter().rev().filter(|(id, _)| live[id.index()]) {
        if works[id.index()] == Work::Element {
            let joins = wanted[id.index()].flatten().filter(|g| size[g.index()] < MOST_FUSED);
            let root = joins.unwrap_or(id);
            size[root.index()] += 1;
            group[id.index()] = Some(root);
        }
        for a in &node.args {
            let wish = group[id.index()].filter(|_| width(*a) == width(id));
            let seen = &mut wanted[a.index()];
            *seen = match *seen {
                None => Some(wish),
                Some(before) if before == wish => Some(wish),
                Some(_) => Some(None),
            };
        }
    }
    group
}
