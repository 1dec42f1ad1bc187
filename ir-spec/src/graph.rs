//! Frame graphs: nodes in topological order, equal nodes once.

use std::collections::HashMap;

use crate::constant::{Constant, Pool};
use crate::frame::{Data, Frame};
use crate::ops::{Attr, Composite, Meaning, Op};
use crate::types::{DType, FrameType, Type};

/// The index of a node in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One application of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// What it carries.
    pub attr: Attr,
    /// Operands; each comes before the node.
    pub args: Box<[NodeId]>,
    /// The type, as the operator's record infers it.
    pub ty: Type,
    /// Index into [`Graph::steps`]: the pipeline step that the node belongs to.
    pub step: Option<u32>,
}

/// Why a node was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {why}")]
pub struct TypeError {
    /// The operator.
    pub op: &'static str,
    /// What is wrong with its operands.
    pub why: String,
}

/// What makes two nodes equal. The flag is a leaf's null: an outer join makes a column nullable for those above it, so
/// that one column is a leaf of either type.
type Key = (Op, Attr, Box<[NodeId]>, bool);

/// Nodes in topological order. Built through [`Graph::add`], equal nodes are one.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    memo: HashMap<Key, NodeId>,
    /// Paths of pipeline steps, e.g. `features.num.scaler`.
    pub steps: Vec<String>,
    step_ids: HashMap<String, u32>,
    step: Option<u32>,
}

impl PartialEq for Graph {
    fn eq(&self, other: &Graph) -> bool {
        self.nodes == other.nodes && self.steps == other.steps
    }
}

impl Graph {
    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of that id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> Type {
        self.nodes[id.index()].ty
    }

    /// The type of a node as a frame operand (a constant of one row counts).
    pub fn frame_type(&self, id: NodeId) -> Option<FrameType> {
        self.ty(id).frame()
    }

    /// Ids and nodes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }

    /// The constant that a node holds.
    pub fn constant<'p>(&self, pool: &'p Pool, id: NodeId) -> Option<&'p Constant> {
        match self.node(id).attr {
            Attr::Const(c) => pool.get(c).map(AsRef::as_ref),
            _ => None,
        }
    }

    /// Adds a node whose type its record infers, or finds the equal one.
    pub fn add(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Result<NodeId, TypeError> {
        let error = |why: String| TypeError { op: op.name(), why };
        if let Some(a) = args.iter().find(|a| a.index() >= self.nodes.len()) {
            return Err(error(format!("operand %{} does not exist", a.0)));
        }
        let types: Vec<Type> = args.iter().map(|a| self.ty(*a)).collect();
        let ty = op.infer(&attr, &types).map_err(error)?;
        Ok(self.push(op, attr, args, ty))
    }

    /// Adds a leaf whose type the graph's owner knows (parameter, constant, column), or finds the equal one.
    pub fn add_leaf(&mut self, op: Op, attr: Attr, ty: Type) -> NodeId {
        self.push(op, attr, &[], ty)
    }

    fn push(&mut self, op: Op, attr: Attr, args: &[NodeId], ty: Type) -> NodeId {
        let nullable_leaf = args.is_empty() && ty.frame().is_some_and(|t| t.nullable);
        let next = NodeId(self.nodes.len() as u32);
        let id = *self.memo.entry((op, attr.clone(), Box::from(args), nullable_leaf)).or_insert(next);
        if id == next {
            self.nodes.push(Node { op, attr, args: args.into(), ty, step: self.step });
        }
        id
    }

    /// Adds a constant to the pool and a node that holds it.
    pub fn add_constant(&mut self, pool: &mut Pool, constant: Constant) -> NodeId {
        let ty = constant.ty();
        let id = pool.insert(constant);
        self.add_leaf(Op::Const, Attr::Const(id), ty)
    }

    /// The path of the step that nodes are added in, until it is set again. Gives what was set before.
    pub fn set_step(&mut self, path: Option<&str>) -> Option<String> {
        let before = self.step.map(|s| self.steps[s as usize].clone());
        self.step = path.map(|p| self.step_id(p));
        before
    }

    fn step_id(&mut self, path: &str) -> u32 {
        if let Some(i) = self.step_ids.get(path).filter(|i| self.steps.get(**i as usize).is_some_and(|s| s == path)) {
            return *i;
        }
        let id = self.steps.len() as u32;
        self.steps.push(path.to_owned());
        self.step_ids.insert(path.to_owned(), id);
        id
    }

    /// The step path of a node.
    pub fn step_of(&self, id: NodeId) -> Option<&str> {
        self.node(id).step.map(|s| self.steps[s as usize].as_str())
    }

    /// Which nodes are reachable from these.
    pub fn reachable(&self, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        roots.into_iter().for_each(|r| live[r.index()] = true);
        for i in (0..self.nodes.len()).rev() {
            if live[i] {
                self.nodes[i].args.iter().for_each(|a| live[a.index()] = true);
            }
        }
        live
    }

    /// How often each node is an operand.
    pub fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        self.nodes.iter().flat_map(|n| n.args.iter()).for_each(|a| uses[a.index()] += 1);
        uses
    }

    /// Copies the nodes of another graph that `live` marks, each one through `map`, which sees the new operands and
    /// gives the new node. The result says which node became which.
    pub fn rebuild<E>(
        source: &Graph,
        live: &[bool],
        mut map: impl FnMut(&mut Graph, NodeId, &Node, &[NodeId]) -> Result<NodeId, E>,
    ) -> Result<(Graph, Vec<Option<NodeId>>), E> {
        let mut out = Graph::default();
        let mut became: Vec<Option<NodeId>> = vec![None; source.nodes.len()];
        let mut steps: Vec<Option<u32>> = vec![None; source.steps.len()];
        for (id, node) in source.iter().filter(|(id, _)| live[id.index()]) {
            let args: Vec<NodeId> = node.args.iter().filter_map(|a| became[a.index()]).collect();
            out.step = node.step.map(|s| match steps[s as usize] {
                Some(step) => step,
                None => *steps[s as usize].insert(out.step_id(&source.steps[s as usize])),
            });
            became[id.index()] = Some(map(&mut out, id, node, &args)?);
        }
        out.step = None;
        Ok((out, became))
    }

    /// Adds an equal node with other operands. An attribute that repeats whether an operand is nullable follows it.
    pub fn add_like(&mut self, node: &Node, args: &[NodeId]) -> Result<NodeId, TypeError> {
        if args.is_empty() && matches!(node.op, Op::Input | Op::Const | Op::Column) {
            return Ok(self.add_leaf(node.op, node.attr.clone(), node.ty));
        }
        let from = args.first().filter(|a| a.index() < self.nodes.len()).and_then(|a| self.frame_type(*a));
        let attr = match (node.op, &node.attr, from) {
            (Op::Cast, Attr::Type(to), Some(from)) => {
                let partial = from.dtype.is_float() && to.dtype == DType::I64;
                Attr::Type(to.with_nulls(from.nullable || partial))
            }
            (Op::OneHot, Attr::Type(to), Some(from)) => Attr::Type(to.with_nulls(from.nullable)),
            (_, attr, _) => attr.clone(),
        };
        self.add(node.op, attr, args)
    }

    /// The numbers of nodes in the text form: operators are counted in order; parameters, columns and constants are
    /// written where they are used and have none.
    pub fn numbering(&self) -> Vec<Option<u32>> {
        let mut next = 0..;
        let is_leaf = |n: &Node| matches!(n.op, Op::Input | Op::Const | Op::Column);
        self.nodes.iter().map(|n| if is_leaf(n) { None } else { next.next() }).collect()
    }

    /// Adds the definition of a composite in core operators.
    pub fn add_expanded(
        &mut self,
        pool: &mut Pool,
        composite: Composite,
        args: &[NodeId],
    ) -> Result<NodeId, TypeError> {
        let record = composite.record();
        let error = |why: &str| TypeError { op: record.name, why: why.into() };
        let Meaning::Expands(text) = record.meaning else { return Err(error("no definition")) };
        let operands = record.operands.iter().zip(args);
        let mut names: HashMap<&str, NodeId> = operands.map(|(name, id)| (*name, *id)).collect();
        let mut result = None;
        for line in text.split(';') {
            let (name, value) = match line.split_once('=') {
                Some((name, value)) => (name.trim().strip_prefix('?'), value),
                None => (None, line),
            };
            let id = self.defined(pool, composite, value, args, &names)?;
            names.extend(name.map(|n| (n, id)));
            result = Some(id);
        }
        result.ok_or_else(|| error("no result"))
    }

    /// One expression of a definition.
    fn defined(
        &mut self,
        pool: &mut Pool,
        composite: Composite,
        text: &str,
        args: &[NodeId],
        names: &HashMap<&str, NodeId>,
    ) -> Result<NodeId, TypeError> {
        let error = |why: &str| TypeError { op: composite.record().name, why: why.into() };
        let dtype = args.first().and_then(|a| self.frame_type(*a)).map_or(DType::F64, |t| t.dtype);
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut stack: Vec<(&str, Vec<NodeId>)> = Vec::new();
        let mut tokens = spaced.split_whitespace();
        while let Some(token) = tokens.next() {
            let value = match token {
                "(" => {
                    stack.push((tokens.next().ok_or_else(|| error("no operator after ("))?, Vec::new()));
                    continue;
                }
                ")" => {
                    let (op, operands) = stack.pop().ok_or_else(|| error("unbalanced"))?;
                    match (op, Op::parse(op)) {
                        ("horner", _) => self.horner(&operands)?,
                        // It stands above this one in the list, so this ends.
                        (_, Some(Op::Composite(inner))) if inner < composite => {
                            self.add_expanded(pool, inner, &operands)?
                        }
                        (_, Some(op)) => self.add(op, Attr::None, &operands)?,
                        (_, None) => return Err(error("no such operator")),
                    }
                }
                name if name.starts_with('?') => *names.get(&name[1..]).ok_or_else(|| error("unknown name"))?,
                literal => {
                    let table = Self::literal(literal, dtype).ok_or_else(|| error("not a literal"))?;
                    self.add_constant(pool, Constant::Table(table))
                }
            };
            match stack.last_mut() {
                Some((_, operands)) => operands.push(value),
                None => return Ok(value),
            }
        }
        Err(error("unbalanced"))
    }

    /// The polynomial of a variable with these coefficients, that of the highest power first.
    fn horner(&mut self, operands: &[NodeId]) -> Result<NodeId, TypeError> {
        let [z, first, rest @ ..] = operands else {
            return Err(TypeError { op: "horner", why: "no coefficients".into() });
        };
        rest.iter().try_fold(*first, |sum, c| {
            let product = self.add(Op::Mul, Attr::None, &[sum, *z])?;
            self.add(Op::Add, Attr::None, &[product, *c])
        })
    }

    /// A literal of a definition: `true`, `false`, or a number in the dtype of the first operand.
    fn literal(text: &str, dtype: DType) -> Option<Frame> {
        let data = match (text, dtype) {
            ("true" | "false", _) => Data::Bool(vec![text == "true"]),
            (_, DType::F32) => Data::F32(vec![text.parse().ok()?]),
            (_, DType::I64) => Data::I64(vec![text.parse().ok()?]),
            _ => Data::F64(vec![text.parse().ok()?]),
        };
        Frame::new(1, 1, data)
    }
}
