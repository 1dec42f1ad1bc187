//! Modules: functions, queries and the constants that they share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::constant::{Constant, Pool};
use crate::diagnostic::Faults;
use crate::graph::{Graph, NodeId, TypeError};
use crate::ops::{Attr, Op};
use crate::relation::Query;
use crate::types::{FrameType, Type};

/// A parameter of a function: an input column when the function is a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name, as the training data had it.
    pub name: Arc<str>,
    /// Its type; width 1 for an input column.
    pub ty: FrameType,
}

/// An output of a function. Width 1 where the function is a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The column's name.
    pub name: Arc<str>,
    /// The node that gives it.
    pub node: NodeId,
}

/// A function of frames to frames. A model is a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The name, unique in the module.
    pub name: Arc<str>,
    /// Parameters, unique by name.
    pub params: Vec<Param>,
    /// The body.
    pub graph: Graph,
    /// Outputs, unique by name.
    pub outputs: Vec<Output>,
}

impl Function {
    /// The type of an output.
    pub fn output_type(&self, output: &Output) -> Option<FrameType> {
        self.graph.frame_type(output.node)
    }

    /// The output of that name.
    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| &*o.name == name)
    }

    /// The same function with these outputs only, in that order, and without what they do not need. Parameters stay,
    /// so that a call means the same. Unknown names come back as the error.
    pub fn keep_outputs(&self, names: &[String]) -> Result<Function, Vec<String>> {
        let by_name: HashMap<&str, &Output> = self.outputs.iter().map(|o| (&*o.name, o)).collect();
        let unknown: Vec<String> = names.iter().filter(|n| !by_name.contains_key(n.as_str())).cloned().collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let outputs: Vec<Output> = names.iter().filter_map(|n| by_name.get(n.as_str())).map(|o| (*o).clone()).collect();
        Ok(self.restricted_to(outputs))
    }

    /// The same function without nodes that no output needs.
    pub fn without_dead_nodes(&self) -> Function {
        self.restricted_to(self.outputs.clone())
    }

    fn restricted_to(&self, outputs: Vec<Output>) -> Function {
        let live = self.graph.reachable(outputs.iter().map(|o| o.node));
        let copy = |g: &mut Graph, _: NodeId, n: &crate::Node, args: &[NodeId]| g.add_like(n, args);
        match Graph::rebuild::<TypeError>(&self.graph, &live, copy) {
            Ok((graph, became)) => {
                let renamed = |o: Output| became[o.node.index()].map(|node| Output { node, ..o });
                let outputs = outputs.into_iter().filter_map(renamed).collect();
                Function { name: self.name.clone(), params: self.params.clone(), graph, outputs }
            }
            Err(_) => Function { outputs, ..self.clone() },
        }
    }
}

/// Functions, queries and constants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The constants, by content hash.
    pub constants: Pool,
    /// The functions, unique by name; a function calls only functions before it.
    pub functions: Vec<Function>,
    /// The queries, unique by name.
    pub queries: Vec<Query>,
}

impl Module {
    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| &*f.name == name)
    }

    /// Adds the functions, queries and constants of another module; what has the same name is replaced. Functions are
    /// put in an order in which each calls only those before it.
    pub fn absorb(&mut self, other: Module) {
        for (id, _) in other.constants.iter() {
            self.constants.share_from(&other.constants, id);
        }
        let functions: HashSet<Arc<str>> = other.functions.iter().map(|f| f.name.clone()).collect();
        let queries: HashSet<Arc<str>> = other.queries.iter().map(|q| q.name.clone()).collect();
        self.functions.retain(|f| !functions.contains(&f.name));
        self.functions.extend(other.functions);
        self.queries.retain(|q| !queries.contains(&q.name));
        self.queries.extend(other.queries);
        self.sort_functions();
    }

    /// Callees before callers, otherwise in the order that was; functions that call each other in a circle stay behind.
    fn sort_functions(&mut self) {
        let index: HashMap<Arc<str>, usize> =
            self.functions.iter().enumerate().map(|(i, f)| (f.name.clone(), i)).collect();
        let callees = |f: &Function| -> BTreeSet<usize> {
            let name =
                |n: &crate::Node| if let Attr::Call { function, .. } = &n.attr { Some(function.clone()) } else { None };
            f.graph.nodes().iter().filter_map(name).filter_map(|n| index.get(&n).copied()).collect()
        };
        let calls: Vec<BTreeSet<usize>> = self.functions.iter().map(callees).collect();
        let mut callers: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
        calls.iter().enumerate().for_each(|(i, c)| c.iter().for_each(|callee| callers[*callee].push(i)));
        let mut waiting: Vec<usize> = calls.iter().map(BTreeSet::len).collect();
        let mut ready: BTreeSet<usize> = (0..calls.len()).filter(|i| waiting[*i] == 0).collect();
        let mut position = vec![usize::MAX; calls.len()];
        let mut next = 0;
        while let Some(i) = ready.pop_first() {
            position[i] = next;
            next += 1;
            for caller in &callers[i] {
                waiting[*caller] -= 1;
                if waiting[*caller] == 0 {
                    ready.insert(*caller);
                }
            }
        }
        let mut sorted: Vec<(usize, Function)> = position.into_iter().zip(self.functions.drain(..)).collect();
        sorted.sort_by_key(|(p, _)| *p);
        self.functions = sorted.into_iter().map(|(_, f)| f).collect();
    }

    /// Drops constants that no node holds.
    pub fn drop_unused_constants(&mut self) {
        let graphs = self.functions.iter().map(|f| &f.graph).chain(self.queries.iter().map(|q| &q.graph));
        let used: HashSet<_> = graphs
            .flat_map(|g| g.nodes())
            .filter_map(|n| if let Attr::Const(c) = n.attr { Some(c) } else { None })
            .collect();
        self.constants.retain(|id| used.contains(&id));
    }
}

/// Builds a function and its constants: what lifters write with.
pub struct FunctionBuilder {
    name: Arc<str>,
    params: Vec<Param>,
    param_ids: HashMap<Arc<str>, usize>,
    graph: Graph,
    pool: Pool,
    outputs: Vec<Output>,
    conditions: Vec<NodeId>,
    seen_conditions: HashSet<NodeId>,
}

impl FunctionBuilder {
    /// An empty function.
    pub fn new(name: &str) -> FunctionBuilder {
        FunctionBuilder {
            name: name.into(),
            params: Vec::new(),
            param_ids: HashMap::new(),
            graph: Graph::default(),
            pool: Pool::default(),
            outputs: Vec::new(),
            conditions: Vec::new(),
            seen_conditions: HashSet::new(),
        }
    }

    /// The parameter of that name, made on first use. The error is the type that it has already, if another.
    pub fn input(&mut self, name: &str, ty: FrameType) -> Result<NodeId, FrameType> {
        let index = match self.param_ids.get(name).copied() {
            Some(i) if self.params[i].ty == ty => i,
            Some(i) => return Err(self.params[i].ty),
            None => {
                self.params.push(Param { name: name.into(), ty });
                self.param_ids.insert(name.into(), self.params.len() - 1);
                self.params.len() - 1
            }
        };
        Ok(self.graph.add_leaf(Op::Input, Attr::Param(index as u32), Type::Frame(ty)))
    }

    /// A constant.
    pub fn constant(&mut self, constant: impl Into<Constant>) -> NodeId {
        self.graph.add_constant(&mut self.pool, constant.into())
    }

    /// An operator without attribute.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Result<NodeId, TypeError> {
        self.graph.add(op, Attr::None, args)
    }

    /// An operator with an attribute.
    pub fn op_with(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Result<NodeId, TypeError> {
        self.graph.add(op, attr, args)
    }

    /// The type of a node.
    pub fn ty(&self, node: NodeId) -> Type {
        self.graph.ty(node)
    }

    /// The type of a node as a frame.
    pub fn frame_type(&self, node: NodeId) -> Option<FrameType> {
        self.graph.frame_type(node)
    }

    /// The constant that a node holds.
    pub fn constant_of(&self, node: NodeId) -> Option<&Constant> {
        self.graph.constant(&self.pool, node)
    }

    /// The graph as built so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Runs `f` with nodes labelled by the path of a pipeline step.
    pub fn in_step<R>(&mut self, path: &str, f: impl FnOnce(&mut FunctionBuilder) -> R) -> R {
        let before = self.graph.set_step(Some(path));
        let result = f(self);
        self.graph.set_step(before.as_deref());
        result
    }

    /// Labels nodes with the path of a pipeline step from here on; gives the path before.
    pub fn set_step(&mut self, path: Option<&str>) -> Option<String> {
        self.graph.set_step(path)
    }

    /// A row for which `condition` (bool, width 1) is not true is one that the library refuses: every output is null.
    pub fn refuse_unless(&mut self, condition: NodeId) {
        if self.seen_conditions.insert(condition) {
            self.conditions.push(condition);
        }
    }

    /// An output of any width; the caller names columns of pipelines one by one.
    pub fn output(&mut self, name: &str, node: NodeId) {
        self.outputs.push(Output { name: name.into(), node });
    }

    /// The module with the function in it, outputs guarded by the conditions, dead nodes gone, verified.
    pub fn finish(mut self) -> Result<Module, Faults> {
        let fault =
            |e: TypeError| vec![crate::Diagnostic::new("flock::ir::type", self.name.to_string(), e.to_string())];
        if !self.conditions.is_empty() {
            let all = match self.conditions.as_slice() {
                [one] => *one,
                many => self.graph.add(Op::And, Attr::None, many).map_err(fault)?,
            };
            for o in &mut self.outputs {
                o.node = self.graph.add(Op::Guard, Attr::None, &[all, o.node]).map_err(fault)?;
            }
        }
        let function = Function { name: self.name, params: self.params, graph: self.graph, outputs: self.outputs };
        let mut module =
            Module { constants: self.pool, functions: vec![function.without_dead_nodes()], queries: Vec::new() };
        module.drop_unused_constants();
        crate::verify::check(&module)?;
        Ok(module)
    }
}

impl From<crate::Frame> for Constant {
    fn from(table: crate::Frame) -> Constant {
        Constant::Table(table)
    }
}

impl From<crate::Terms> for Constant {
    fn from(terms: crate::Terms) -> Constant {
        Constant::Terms(terms)
    }
}

impl From<crate::TreeEnsemble> for Constant {
    fn from(trees: crate::TreeEnsemble) -> Constant {
        Constant::Trees(trees)
    }
}
