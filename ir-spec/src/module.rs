//! Modules: functions, queries and the constants that they share.

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
        let unknown: Vec<String> = names.iter().filter(|n| self.output(n).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let outputs = names.iter().filter_map(|n| self.output(n)).cloned().collect();
        Ok(Function { outputs, ..self.clone() }.without_dead_nodes())
    }

    /// The same function without nodes that no output needs.
    pub fn without_dead_nodes(&self) -> Function {
        let live = self.graph.reachable(self.outputs.iter().map(|o| o.node));
        let copy = |g: &mut Graph, _: NodeId, n: &crate::Node, args: &[NodeId]| g.add_like(n, args);
        match Graph::rebuild::<TypeError>(&self.graph, &live, copy) {
            Ok((graph, became)) => {
                let outputs = self.outputs.iter().filter_map(|o| {
                    Some(Output { name: o.name.clone(), node: became[o.node.index()]? })
                });
                Function { outputs: outputs.collect(), graph, ..self.clone() }
            }
            Err(_) => self.clone(),
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

    /// Adds the functions and constants of another module; a function of the same name is replaced.
    pub fn absorb(&mut self, other: Module) {
        for (id, constant) in other.constants.iter() {
            self.constants.share(id, constant.clone());
        }
        for f in other.functions {
            self.functions.retain(|g| g.name != f.name);
            self.functions.push(f);
        }
        self.queries.extend(other.queries);
    }

    /// Drops constants that no node holds.
    pub fn drop_unused_constants(&mut self) {
        let graphs = self.functions.iter().map(|f| &f.graph).chain(self.queries.iter().map(|q| &q.graph));
        let used: std::collections::BTreeSet<_> = graphs
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
    graph: Graph,
    pool: Pool,
    outputs: Vec<Output>,
    conditions: Vec<NodeId>,
}

impl FunctionBuilder {
    /// An empty function.
    pub fn new(name: &str) -> FunctionBuilder {
        FunctionBuilder {
            name: name.into(),
            params: Vec::new(),
            graph: Graph::default(),
            pool: Pool::default(),
            outputs: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// The parameter of that name, made on first use. The error is the type that it has already, if another.
    pub fn input(&mut self, name: &str, ty: FrameType) -> Result<NodeId, FrameType> {
        let index = match self.params.iter().position(|p| &*p.name == name) {
            Some(i) if self.params[i].ty == ty => i,
            Some(i) => return Err(self.params[i].ty),
            None => {
                self.params.push(Param { name: name.into(), ty });
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

    /// A row for which `condition` (bool, width 1) is not true is one that the library refuses: every output is null.
    pub fn refuse_unless(&mut self, condition: NodeId) {
        if !self.conditions.contains(&condition) {
            self.conditions.push(condition);
        }
    }

    /// An output of any width; the caller names columns of pipelines one by one.
    pub fn output(&mut self, name: &str, node: NodeId) {
        self.outputs.push(Output { name: name.into(), node });
    }

    /// The module with the function in it, outputs guarded by the conditions, dead nodes gone, verified.
    pub fn finish(mut self) -> Result<Module, Faults> {
        let fault = |e: TypeError| vec![crate::Diagnostic::new("flock::ir::type", self.name.to_string(), e.to_string())];
        if !self.conditions.is_empty() {
            let all = match self.conditions.as_slice() {
                [one] => *one,
                many => self.graph.add(Op::And, Attr::None, many).map_err(fault)?,
            };
            for o in &mut self.outputs {
                o.node = self.graph.add(Op::Guard, Attr::None, &[all, o.node]).map_err(fault)?;
            }
        }
        let function =
            Function { name: self.name, params: self.params, graph: self.graph, outputs: self.outputs };
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

impl From<crate::TreeEnsemble> for Constant {
    fn from(trees: crate::TreeEnsemble) -> Constant {
        Constant::Trees(trees)
    }
}
