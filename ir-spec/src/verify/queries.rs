//! Queries: columns, scopes and the types of relations.

use std::collections::{HashMap, HashSet};

use super::{Context, Found, Owner, check_template, check_unique, nodes};
use crate::graph::NodeId;
use crate::ops::{Attr, ColumnId, Op};
use crate::relation::{ColumnDef, JoinKind, Query, Rel, RelId};
use crate::types::{DType, FrameType};

/// Columns of all relations of a query together: what the check may hold in memory.
const MAX_COLUMNS: usize = 1 << 22;
/// Nodes that the check of scopes may visit; a node is visited once per scope that it is used in.
const MAX_VISITS: usize = 1 << 26;

pub(super) fn check(context: &Context<'_>, faults: &mut Found) {
    let queries = &context.module.queries;
    check_unique(queries.iter().map(|q| &q.name), "query", || "module".into(), faults);
    let mut minted = HashSet::new();
    for query in queries {
        let mut check = QueryCheck { query, faults, columns: HashMap::new(), scopes: Vec::new(), sizes: 0, visits: 0 };
        check.mint(&mut minted);
        nodes::check(context, &query.graph, &query.name, &Owner::Query(&check.columns), check.faults);
        check.relations();
        context.check_inlined(&query.name, context.inlined(&query.graph), faults);
    }
}

struct QueryCheck<'a> {
    query: &'a Query,
    faults: &'a mut Found,
    /// Types of the columns where they are minted.
    columns: HashMap<ColumnId, FrameType>,
    /// What each relation gives.
    scopes: Vec<std::rc::Rc<Scope>>,
    /// Columns in all scopes.
    sizes: usize,
    visits: usize,
}

/// The columns that frames over a relation may read, and the nodes that have been found to read only those.
#[derive(Default)]
struct Scope {
    columns: Vec<ColumnDef>,
    types: HashMap<ColumnId, FrameType>,
    seen: std::cell::RefCell<HashSet<NodeId>>,
}

impl Scope {
    fn new(columns: Vec<ColumnDef>) -> Scope {
        let types = columns.iter().map(|c| (c.id, c.ty)).collect();
        Scope { columns, types, seen: Default::default() }
    }
}

impl QueryCheck<'_> {
    fn fault(&mut self, rel: usize, message: impl Into<String>) {
        self.coded("flock::verify::relation", rel, message);
    }

    fn coded(&mut self, code: &'static str, rel: usize, message: impl Into<String>) {
        let name = &self.query.name;
        self.faults.add(code, || format!("{name}/r{rel}"), message);
    }

    fn mint(&mut self, minted: &mut HashSet<ColumnId>) {
        for (i, rel) in self.query.rels.iter().enumerate() {
            for column in rel.minted() {
                if !minted.insert(column.id) {
                    self.coded("flock::verify::column", i, format!("{} is minted twice", column.id));
                }
                if column.ty.width != 1 {
                    let message = format!("column `{}` is {}, expected width 1", column.name, column.ty);
                    self.coded("flock::verify::column", i, message);
                }
                self.columns.insert(column.id, column.ty);
            }
        }
    }

    fn relations(&mut self) {
        let query = self.query;
        for (i, rel) in query.rels.iter().enumerate() {
            if rel.inputs().iter().any(|r| r.index() >= i) {
                self.fault(i, format!("`{}` reads a relation that does not come before it", rel.name()));
                self.scopes.push(std::rc::Rc::default());
                continue;
            }
            if let Some(n) = rel.frames().iter().find(|n| n.index() >= query.graph.nodes().len()) {
                self.fault(i, format!("`{}` evaluates node {}, which does not exist", rel.name(), n.0));
                self.scopes.push(std::rc::Rc::default());
                continue;
            }
            self.relation(i, rel);
            let scope = self.gives(rel);
            self.sizes += scope.columns.len();
            self.scopes.push(scope);
            if self.sizes > MAX_COLUMNS || self.visits > MAX_VISITS {
                self.coded("flock::verify::too_large", i, "too many columns in nested relations");
                return;
            }
        }
        if query.root.index() >= query.rels.len() {
            self.faults.add(
                "flock::verify::relation",
                || query.name.to_string(),
                "the result is a relation that does not exist",
            );
        }
    }

    fn scope(&self, id: RelId) -> std::rc::Rc<Scope> {
        self.scopes[id.index()].clone()
    }

    /// The columns that a relation gives.
    fn gives(&self, rel: &Rel) -> std::rc::Rc<Scope> {
        match rel {
            Rel::Filter { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input } => self.scope(*input),
            Rel::Join { kind: JoinKind::Semi | JoinKind::Anti, left, .. } => self.scope(*left),
            Rel::Join { kind, left, right, .. } => {
                let (left_nulls, right_nulls) = kind.null_sides();
                let side = |id: RelId, nulls: bool| -> Vec<ColumnDef> {
                    self.scope(id).columns.iter().map(|c| c.clone().or_null(nulls)).collect()
                };
                std::rc::Rc::new(Scope::new([side(*left, left_nulls), side(*right, right_nulls)].concat()))
            }
            _ => std::rc::Rc::new(Scope::new(rel.minted().cloned().collect())),
        }
    }

    fn relation(&mut self, i: usize, rel: &Rel) {
        match rel {
            Rel::Scan { table, .. } if table.is_empty() => self.fault(i, "a scan of a table without a name"),
            Rel::Scan { .. } | Rel::Limit { .. } | Rel::Distinct { .. } => {}
            Rel::Filter { input, predicate } => {
                let scope = self.scope(*input);
                self.predicate(i, &scope, *predicate);
            }
            Rel::Project { input, items } => {
                let scope = self.scope(*input);
                items.iter().for_each(|(c, n)| self.item(i, &scope, c, *n));
            }
            Rel::Aggregate { input, keys, aggregates } => {
                let scope = self.scope(*input);
                keys.iter().for_each(|(c, n)| self.item(i, &scope, c, *n));
                aggregates.iter().for_each(|a| self.aggregate(i, &scope, a, !keys.is_empty()));
            }
            Rel::Sort { input, keys } => {
                let scope = self.scope(*input);
                for k in keys {
                    self.value(i, &scope, k.key);
                }
            }
            Rel::Join { kind, left, right, on } => self.join(i, *kind, (*left, *right), *on),
            Rel::Union { inputs, columns } => self.union(i, inputs, columns),
            Rel::Opaque { sql, inputs, .. } => {
                if let Err(why) = check_template(sql, inputs.len()) {
                    self.fault(i, why);
                }
            }
        }
    }

    /// The type of a frame of width 1 over a scope.
    fn value(&mut self, i: usize, scope: &Scope, node: NodeId) -> Option<FrameType> {
        self.visible(i, scope, node);
        match self.query.graph.frame_type(node) {
            Some(t) if t.width == 1 => Some(t),
            _ => {
                let found = self.query.graph.ty(node);
                self.fault(i, format!("{found} where a frame of width 1 is expected"));
                None
            }
        }
    }

    fn predicate(&mut self, i: usize, scope: &Scope, node: NodeId) {
        if let Some(t) = self.value(i, scope, node)
            && t.dtype != DType::Bool
        {
            self.fault(i, format!("a condition of {t}, expected bool"));
        }
    }

    fn item(&mut self, i: usize, scope: &Scope, column: &ColumnDef, node: NodeId) {
        if let Some(t) = self.value(i, scope, node)
            && !t.fits(column.ty)
        {
            self.fault(i, format!("column `{}` is {}, its value {t}", column.name, column.ty));
        }
    }

    fn aggregate(&mut self, i: usize, scope: &Scope, a: &crate::Aggregate, grouped: bool) {
        let arg = match a.arg {
            Some(node) => match self.value(i, scope, node) {
                Some(t) => Some(t),
                None => return,
            },
            None if a.distinct => return self.fault(i, "distinct rows cannot be counted without an operand"),
            None => None,
        };
        match a.kind.result(arg, grouped) {
            Err(why) => self.fault(i, why),
            Ok(t) if !t.fits(a.column.ty) => {
                self.fault(i, format!("column `{}` is {}, `{}` gives {t}", a.column.name, a.column.ty, a.kind.name()));
            }
            Ok(_) => {}
        }
    }

    fn join(&mut self, i: usize, kind: JoinKind, (left, right): (RelId, RelId), on: Option<NodeId>) {
        let (l, r) = (self.scope(left), self.scope(right));
        if let Some(c) = r.columns.iter().find(|c| l.types.contains_key(&c.id)) {
            self.coded("flock::verify::column", i, format!("{} is on both sides of the join", c.id));
        }
        match (kind, on) {
            (JoinKind::Cross, Some(_)) => self.fault(i, "a cross join with a condition"),
            (JoinKind::Cross, None) => {}
            (_, None) => self.fault(i, format!("a {} join without a condition", kind.name())),
            (_, Some(on)) => {
                // Pairs are met before the null side is: the condition sees the columns as each side has them.
                let both = Scope::new(l.columns.iter().chain(&r.columns).cloned().collect());
                self.sizes += both.columns.len();
                self.predicate(i, &both, on);
            }
        }
    }

    fn union(&mut self, i: usize, inputs: &[RelId], columns: &[ColumnDef]) {
        if inputs.is_empty() {
            self.fault(i, "a union of nothing");
        }
        for (n, input) in inputs.iter().enumerate() {
            let scope = self.scope(*input);
            if scope.columns.len() != columns.len() {
                self.fault(i, format!("input {n} has {} columns, expected {}", scope.columns.len(), columns.len()));
                continue;
            }
            for (found, column) in scope.columns.iter().zip(columns) {
                if !found.ty.fits(column.ty) {
                    let message = format!("column `{}` is {}, in input {n} {}", column.name, column.ty, found.ty);
                    self.fault(i, message);
                }
            }
        }
    }

    /// Every column below the node is one of the scope, and nullable where it is so there.
    fn visible(&mut self, i: usize, scope: &Scope, node: NodeId) {
        let graph = &self.query.graph;
        let mut todo = vec![node];
        while let Some(id) = todo.pop() {
            if !scope.seen.borrow_mut().insert(id) || self.visits > MAX_VISITS {
                continue;
            }
            self.visits += 1;
            let node = graph.node(id);
            // Operands that do not come before have been reported, and may make a circle.
            todo.extend(node.args.iter().filter(|a| **a < id));
            let (Op::Column, Attr::Column(column)) = (node.op, &node.attr) else { continue };
            match (scope.types.get(column), graph.frame_type(id)) {
                (None, _) => {
                    self.coded("flock::verify::scope", i, format!("{column} is no column of what is read here"));
                }
                (Some(t), Some(found)) if t.nullable && !found.nullable => {
                    self.coded("flock::verify::scope", i, format!("{column} may be null here, it is read as {found}"));
                }
                _ => {}
            }
        }
    }
}
