//! The state of one lift: the query under construction, what is known about its values, and the faults so far.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use flock_ir_spec::{
    Attr, ColumnDef, ColumnId, Constant, DType, Diagnostic, Faults, Frame, FrameType, Graph, Module, NodeId, Op, Pool,
    Rel, RelId, Type,
};
use sqlparser::ast::Spanned;
use sqlparser::tokenizer::Span;

use crate::catalog::{Catalog, NOT_KNOWN};
use crate::dialect::SourceDialect;
use crate::expr::Value;
use crate::forms::TableForm;
use crate::group::Grouping;
use crate::names;
use crate::parse::Parsed;
use crate::query::{Columns, Cte};
use crate::scope::Scope;
use crate::window::Window;

/// A fault has been told; nothing more is to be said about the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told;

pub(crate) type Lifted<T> = Result<T, Told>;

/// Bounds of one query: a statement of a few lines can name `a JOIN a` forty times over.
const MAX_NODES: usize = 2_000_000;
const MAX_RELS: usize = 20_000;
const MAX_COLUMNS: usize = 100_000;
const MAX_FAULTS: usize = 100;

/// The types that models' parameters gave to columns of tables without a schema: table, column → type.
type Learned = BTreeMap<(String, Arc<str>), FrameType>;

pub(crate) struct Lifter<'a> {
    pub name: &'a str,
    pub catalog: &'a Catalog,
    pub forms: Rc<[TableForm]>,
    pub marker: Rc<str>,
    pub dialect: SourceDialect,
    pub graph: Graph,
    pub pool: Pool,
    pub rels: Vec<Rel>,
    /// Relations that are used twice, so that none may be changed for one of its users.
    pub shared: HashSet<RelId>,
    pub names: Vec<Arc<str>>,
    /// Nodes whose type is not known.
    pub unknown: HashSet<NodeId>,
    /// Column leaves that are known to hold no NaN.
    pub no_nan: HashSet<NodeId>,
    /// Column leaves of tables without a schema.
    pub open: HashMap<NodeId, (String, Arc<str>)>,
    pub open_columns: HashMap<(RelId, Arc<str>), ColumnDef>,
    pub learned: &'a Learned,
    pub learning: Learned,
    /// CTEs in scope, the innermost last.
    pub ctes: Vec<Cte>,
    /// Views that are being unfolded.
    pub views: Vec<String>,
    pub models: BTreeSet<String>,
    /// Where aggregates are collected; None where there can be none.
    pub grouping: Option<Grouping>,
    /// Where window functions are collected; None where there can be none.
    pub windows: Option<Vec<Window>>,
    /// Scalar subqueries of the clause at hand, one row each; None where there can be none.
    pub subqueries: Option<Vec<RelId>>,
    pub faults: Faults,
    /// The last place that was known.
    pub place: String,
}

/// Lifts a parsed query.
pub(crate) fn lift(name: &str, parsed: &Parsed, catalog: &Catalog, dialect: SourceDialect) -> Result<Module, Faults> {
    let mut learned = Learned::new();
    loop {
        let mut lifter = Lifter::new(name, parsed, catalog, dialect, &learned);
        let root = lifter.root(&parsed.query);
        let more = std::mem::take(&mut lifter.learning);
        // Each round types at least one more column of a finite text.
        if more.is_empty() {
            return lifter.finish(root);
        }
        learned.extend(more);
    }
}

impl<'a> Lifter<'a> {
    fn new(
        name: &'a str,
        parsed: &Parsed,
        catalog: &'a Catalog,
        dialect: SourceDialect,
        learned: &'a Learned,
    ) -> Lifter<'a> {
        Lifter {
            name,
            catalog,
            forms: parsed.forms.clone(),
            marker: parsed.marker.clone(),
            dialect,
            graph: Graph::default(),
            pool: Pool::default(),
            rels: Vec::new(),
            shared: HashSet::new(),
            names: Vec::new(),
            unknown: HashSet::new(),
            no_nan: HashSet::new(),
            open: HashMap::new(),
            open_columns: HashMap::new(),
            learned,
            learning: Learned::new(),
            ctes: Vec::new(),
            views: Vec::new(),
            models: BTreeSet::new(),
            grouping: None,
            windows: None,
            subqueries: None,
            faults: Vec::new(),
            place: format!("{name}:1:1"),
        }
    }

    // Faults.

    /// Tells a fault at a part of the text.
    pub fn fault(&mut self, code: &'static str, at: &impl Spanned, message: impl Into<String>) -> Told {
        self.fault_at(code, at.span(), message, None)
    }

    /// Tells a fault and what helps.
    pub fn fault_help(
        &mut self,
        code: &'static str,
        at: &impl Spanned,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Told {
        self.fault_at(code, at.span(), message, Some(help.into()))
    }

    /// Tells a fault at a span; an empty one means the last place that was known.
    pub fn fault_at(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Told {
        self.visit(span);
        let fault = Diagnostic { code, place: self.place.clone(), message: message.into(), help };
        if self.faults.len() < MAX_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        Told
    }

    /// The nearest of the columns in scope; nothing where no more faults are kept.
    pub fn nearest_column(&self, found: &str, scope: &Scope<'_>) -> String {
        if self.faults.len() >= MAX_FAULTS {
            return String::new();
        }
        names::help("columns", found, scope.columns.iter().filter(|c| c.plain).map(|c| &*c.name))
    }

    /// What SQL has and this lifter does not.
    pub fn unsupported(&mut self, at: &impl Spanned, what: impl std::fmt::Display) -> Told {
        self.fault("flock::sql::unsupported", at, format!("not supported: {what}"))
    }

    /// Remembers a place for faults that have none of their own.
    pub fn visit(&mut self, span: Span) {
        if span.start.line > 0 {
            let view = self.views.last().map(|v| format!("{v}:")).unwrap_or_default();
            self.place = format!("{}:{view}{}:{}", self.name, span.start.line, span.start.column);
        }
    }

    // Nodes.

    /// Adds a node. A type error here is a fault of this lifter, and said as such.
    pub fn add(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Lifted<NodeId> {
        if self.graph.nodes().len() >= MAX_NODES {
            return Err(self.too_large("values"));
        }
        self.graph.add(op, attr, args).map_err(|e| {
            self.fault_at(
                "flock::sql::internal",
                Span::empty(),
                format!("the lifted expression is not well typed: {e}"),
                None,
            )
        })
    }

    /// Adds an operator without attribute.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Lifted<NodeId> {
        self.add(op, Attr::None, args)
    }

    fn too_large(&mut self, what: &str) -> Told {
        self.fault_at("flock::sql::too_large", Span::empty(), format!("the query unfolds into too many {what}"), None)
    }

    /// A constant.
    pub fn constant(&mut self, frame: Frame) -> NodeId {
        self.graph.add_constant(&mut self.pool, Constant::Table(frame))
    }

    /// A null of a type.
    pub fn null(&mut self, dtype: DType) -> Lifted<NodeId> {
        self.add(Op::Null, Attr::Type(FrameType::new(dtype, 1).nullable()), &[])
    }

    /// Carried SQL. `ty` is None where its type is not known.
    pub fn opaque(&mut self, sql: String, ty: Option<FrameType>, operands: &[NodeId]) -> Lifted<NodeId> {
        let attr = Attr::Opaque { sql: sql.into(), ty: ty.unwrap_or(NOT_KNOWN) };
        let node = self.add(Op::Opaque, attr, operands)?;
        if ty.is_none() {
            self.unknown.insert(node);
        }
        Ok(node)
    }

    /// The type of a frame node.
    pub fn ty(&self, node: NodeId) -> FrameType {
        self.graph.frame_type(node).unwrap_or(NOT_KNOWN)
    }

    /// A column leaf, with what is known about the column.
    pub fn leaf(&mut self, column: &ColumnDef) -> NodeId {
        self.graph.add_leaf(Op::Column, Attr::Column(column.id), Type::Frame(column.ty))
    }

    /// The column that a leaf names.
    pub fn column_of(&self, node: NodeId) -> Option<ColumnId> {
        match self.graph.node(node).attr {
            Attr::Column(id) => Some(id),
            _ => None,
        }
    }

    /// A leaf of the same column where it may be null, or may not.
    pub fn as_nullable(&mut self, node: NodeId) -> NodeId {
        let Some(id) = self.column_of(node) else { return node };
        let leaf = self.graph.add_leaf(Op::Column, Attr::Column(id), Type::Frame(self.ty(node).nullable()));
        self.like(node, leaf);
        leaf
    }

    /// Notes that `new` holds the values of `old`.
    pub fn like(&mut self, old: NodeId, new: NodeId) {
        if self.unknown.contains(&old) {
            self.unknown.insert(new);
        }
        if self.without_nan(old) {
            self.no_nan.insert(new);
        }
        if let Some(open) = self.open.get(&old).cloned() {
            self.open.insert(new, open);
        }
    }

    /// Whether the value cannot be NaN.
    pub fn without_nan(&self, node: NodeId) -> bool {
        let n = self.graph.node(node);
        !self.ty(node).dtype.is_float()
            || self.no_nan.contains(&node)
            || match n.op {
                Op::Cast => n.args.iter().all(|a| self.without_nan(*a)),
                Op::Neg | Op::Abs | Op::Floor | Op::Ceil => n.args.iter().all(|a| self.without_nan(*a)),
                Op::Const => match self.graph.constant(&self.pool, node) {
                    Some(Constant::Table(t)) => match &t.data {
                        flock_ir_spec::Data::F64(v) => v.iter().all(|x| !x.is_nan()),
                        flock_ir_spec::Data::F32(v) => v.iter().all(|x| !x.is_nan()),
                        _ => true,
                    },
                    _ => false,
                },
                _ => false,
            }
    }

    // Relations.

    /// A new column.
    pub fn mint(&mut self, name: &str, ty: FrameType) -> ColumnDef {
        let id = ColumnId(self.names.len() as u32);
        self.names.push(name.into());
        ColumnDef { id, name: name.into(), ty }
    }

    /// Adds a relation.
    pub fn push(&mut self, rel: Rel) -> Lifted<RelId> {
        if self.rels.len() >= MAX_RELS {
            return Err(self.too_large("relations"));
        }
        if self.names.len() >= MAX_COLUMNS {
            return Err(self.too_large("columns"));
        }
        self.rels.push(rel);
        Ok(RelId(self.rels.len() as u32 - 1))
    }

    /// The rows for which all predicates are true. A filter right below takes them in behind its own.
    pub fn filter(&mut self, input: RelId, predicates: &[NodeId]) -> Lifted<RelId> {
        let mut all = Vec::new();
        let below = match &self.rels[input.index()] {
            Rel::Filter { input: below, predicate } if !self.shared.contains(&input) => {
                all = self.conjuncts(*predicate);
                *below
            }
            _ => input,
        };
        for p in predicates {
            all.extend(self.conjuncts(*p));
        }
        match self.conjunction(&all)? {
            None => Ok(below),
            Some(predicate) => self.push(Rel::Filter { input: below, predicate }),
        }
    }

    /// The operands of an `and`, or the node itself.
    pub fn conjuncts(&self, node: NodeId) -> Vec<NodeId> {
        match self.graph.node(node) {
            n if n.op == Op::And => n.args.to_vec(),
            _ => vec![node],
        }
    }

    /// One predicate of several: each once, in order.
    pub fn conjunction(&mut self, all: &[NodeId]) -> Lifted<Option<NodeId>> {
        let mut seen = HashSet::new();
        let all: Vec<NodeId> = all.iter().copied().filter(|n| seen.insert(*n)).collect();
        Ok(match all.as_slice() {
            [] => None,
            [one] => Some(*one),
            many => Some(self.op(Op::And, many)?),
        })
    }

    /// Computed columns: each value becomes a column with a new id, and a leaf that stands for it.
    pub fn project(
        &mut self,
        input: RelId,
        values: impl IntoIterator<Item = (Arc<str>, NodeId)>,
    ) -> Lifted<(RelId, Columns)> {
        let mut items = Vec::new();
        let mut leaves = Vec::new();
        for (name, node) in values {
            let column = self.mint(&name, self.ty(node));
            let leaf = self.leaf(&column);
            self.like(node, leaf);
            self.open.remove(&leaf);
            items.push((column, node));
            leaves.push((name, leaf));
        }
        Ok((self.push(Rel::Project { input, items })?, leaves))
    }

    /// Runs `f` where aggregates, windows and scalar subqueries have another home.
    pub fn nested<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let outside = (self.grouping.take(), self.windows.take(), self.subqueries.take());
        let result = f(self);
        (self.grouping, self.windows, self.subqueries) = outside;
        result
    }

    /// The value as a node: a literal takes the type that it has alone.
    pub fn settle(&mut self, value: Value) -> Lifted<NodeId> {
        match value {
            Value::Node(node) => Ok(node),
            Value::Literal(literal) => self.literal_node(&literal, literal.alone()),
        }
    }
}
