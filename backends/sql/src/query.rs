//! A query as a statement: relations become SELECTs, as few as their order allows, the others CTEs.
//!
//! Filters and projections are substituted into the SELECT that is open; an aggregate, a DISTINCT, a LIMIT, a join or a
//! union closes it: it becomes a CTE, and the next one reads that.

use std::collections::HashMap;
use std::rc::Rc;

use flock_api::Unsupported;
use flock_ir_spec::{
    Aggregate, AggregateKind, Attr, ColumnDef, ColumnId, DType, JoinKind, NodeId, Op, Query, Rel, RelId, SortKey,
    Verified,
};

use crate::carried;
use crate::dialect::{Dialect, Identifiers};
use crate::expr::{Arena, Cast, Id, Op2, X};
use crate::literal;
use crate::lower::{Cell, Inputs, Lower, Naming};
use crate::print::Printer;
use crate::select::{reached_refusals, unsupported};
use crate::stages::Names;
use crate::statement::{Block, Order, Statement};

/// A column of something that can stand behind FROM.
#[derive(Clone)]
struct Named {
    id: ColumnId,
    /// Quoted, qualified where need be.
    sql: Rc<str>,
    /// The bare name.
    name: Rc<str>,
    /// A table's own column, whose type in the database is not known: it is cast where it is computed with.
    raw: bool,
}

/// Something that can stand behind FROM.
#[derive(Clone)]
struct Source {
    from: String,
    columns: Vec<Named>,
}

/// A column within an open SELECT.
#[derive(Clone)]
struct Given {
    /// As it is, to pass on.
    id: Id,
    /// As a value, to compute with.
    cell: Cell,
    raw: bool,
}

/// A SELECT to which filters, a projection, an order and a limit can still be added.
struct Open<'m> {
    lower: Lower<'m>,
    block: Block,
    given: HashMap<ColumnId, Given>,
    /// Whether it has what a filter or projection must not be added to.
    closed: bool,
}

struct Emitter<'m> {
    module: &'m Verified,
    query: &'m Query,
    dialect: &'static Dialect,
    identifiers: Identifiers,
    naming: Naming<'m>,
    statement: Statement,
    /// Relations that are used several times, once they are CTEs.
    sources: HashMap<RelId, Source>,
    uses: Vec<u32>,
    faults: Vec<Unsupported>,
}

/// The query of that name as one statement. Calls that are left in it are written as functions of the names that
/// `naming` gives. Errors: everything that cannot be said exactly in the dialect.
pub fn emit_query<'m>(
    module: &'m Verified,
    query: &str,
    dialect: &'static Dialect,
    identifiers: Identifiers,
    naming: Naming<'m>,
) -> Result<String, Vec<Unsupported>> {
    let Some(found) = module.queries.iter().find(|q| *q.name == *query) else {
        return Err(vec![unsupported(query, query, "the module has no such query")]);
    };
    let mut uses = vec![0; found.rels.len()];
    found.rels.iter().flat_map(Rel::inputs).for_each(|i| uses[i.index()] += 1);
    let mut tables = Names::new(dialect);
    for rel in &found.rels {
        if let Rel::Scan { table, .. } = rel {
            table.iter().for_each(|part| tables.take(part));
        }
    }
    let statement = Statement::new(tables);
    let sources = HashMap::new();
    let mut e =
        Emitter { module, query: found, dialect, identifiers, naming, statement, sources, uses, faults: Vec::new() };
    let text = e.whole();
    e.faults.append(&mut e.statement.faults);
    if e.faults.is_empty() { Ok(text) } else { Err(e.faults) }
}

impl<'m> Emitter<'m> {
    fn whole(&mut self) -> String {
        let mut open = self.open(self.query.root);
        let columns = self.query.columns(self.query.root);
        open.block.items = columns.iter().filter_map(|c| Some((open.result(c.id)?, c.name.to_string()))).collect();
        self.faults.extend(reached_refusals(&open.lower.arena, &open.block));
        self.statement.finish(&open.lower.arena, &open.block)
    }

    /// The relation as a SELECT that can grow. Chains of relations are followed by iteration, not recursion: only joins
    /// and unions go down.
    fn open(&mut self, rel: RelId) -> Open<'m> {
        let mut chain = Vec::new();
        let mut at = rel;
        let query = self.query;
        loop {
            if self.sources.contains_key(&at) || (at != rel && self.uses[at.index()] > 1) {
                break;
            }
            match query.rel(at) {
                Rel::Filter { input, .. }
                | Rel::Project { input, .. }
                | Rel::Aggregate { input, .. }
                | Rel::Sort { input, .. }
                | Rel::Limit { input, .. }
                | Rel::Distinct { input } => {
                    chain.push(at);
                    at = *input;
                }
                _ => break,
            }
        }
        let mut open = if at == rel && chain.is_empty() { self.base(at) } else { self.shared(at) };
        for (below, step) in chain.iter().rev().scan(at, |below, step| Some((std::mem::replace(below, *step), *step))) {
            open = self.grow(open, below, step);
        }
        open
    }

    /// A relation that others may use too: then it is a CTE, made once.
    fn shared(&mut self, rel: RelId) -> Open<'m> {
        if self.uses[rel.index()] <= 1 || matches!(self.query.rel(rel), Rel::Scan { .. }) {
            return self.base(rel);
        }
        if !self.sources.contains_key(&rel) {
            let open = self.open(rel);
            let source = self.close(open, rel);
            self.sources.insert(rel, source);
        }
        let source = self.sources[&rel].clone();
        self.reopen(&source, &[rel])
    }

    /// A SELECT over a scan, a join, a union or carried SQL.
    fn base(&mut self, rel: RelId) -> Open<'m> {
        if let Some(source) = self.sources.get(&rel).cloned() {
            return self.reopen(&source, &[rel]);
        }
        match self.query.rel(rel) {
            Rel::Join { kind, left, right, on } => self.join(rel, *kind, *left, *right, *on),
            Rel::Union { inputs, columns } => {
                let source = self.union(inputs, columns);
                self.reopen(&source, &[rel])
            }
            Rel::Opaque { sql, inputs, columns } => {
                let source = self.opaque(sql, inputs, columns);
                self.reopen(&source, &[rel])
            }
            _ => {
                let source = self.scan(rel);
                self.reopen(&source, &[rel])
            }
        }
    }

    fn identifier(&self, name: &str) -> String {
        self.dialect.identifier(name, self.identifiers)
    }

    fn scan(&mut self, rel: RelId) -> Source {
        let Rel::Scan { table, columns } = self.query.rel(rel) else {
            return Source { from: String::new(), columns: vec![] };
        };
        let from = table.iter().map(|t| self.identifier(t)).collect::<Vec<_>>().join(".");
        let column =
            |c: &ColumnDef| Named { id: c.id, sql: self.identifier(&c.name).into(), name: (*c.name).into(), raw: true };
        Source { from, columns: columns.iter().map(column).collect() }
    }

    /// An open SELECT over a source with the columns of these relations.
    fn reopen(&mut self, source: &Source, rels: &[RelId]) -> Open<'m> {
        let mut lower = Lower::new(self.dialect, self.module, Some(self.naming));
        lower.arena.place = (*self.query.name).into();
        let columns = rels.iter().flat_map(|rel| self.query.columns(*rel));
        let types: HashMap<ColumnId, ColumnDef> = columns.map(|c| (c.id, c)).collect();
        let mut given = HashMap::new();
        for n in &source.columns {
            let Some(def) = types.get(&n.id) else { continue };
            let id = lower.arena.column(&n.name, &n.sql);
            let cell = if n.raw { lower.input(&n.name, &n.sql, def.ty) } else { lower.column(id, def.ty) };
            given.insert(n.id, Given { id, cell, raw: n.raw });
        }
        Open { lower, block: Block { from: source.from.clone(), ..Block::default() }, given, closed: false }
    }

    /// Adds a relation to the SELECT of its input, which is closed first where SQL's order of steps asks for it.
    fn grow(&mut self, mut open: Open<'m>, below: RelId, step: RelId) -> Open<'m> {
        let rel = self.query.rel(step);
        let ready = match rel {
            Rel::Sort { .. } => {
                open.block.limit.is_none()
                    && open.block.offset == 0
                    && !open.block.distinct
                    && open.block.keys.is_none()
            }
            Rel::Limit { .. } => open.block.limit.is_none() && open.block.offset == 0,
            // Columns computed of the rows that are left are columns of these rows in the same order.
            Rel::Project { .. } => !open.block.distinct && open.block.keys.is_none(),
            _ => !open.closed && open.block.order.is_empty(),
        };
        if !ready {
            let source = self.close(open, below);
            open = self.reopen(&source, &[below]);
        }
        match rel {
            Rel::Filter { predicate, .. } => {
                // Each conjunct by itself, so that it is applied as soon as its columns are there.
                let node = self.query.graph.node(*predicate);
                let conjuncts = if node.op == Op::And { node.args.to_vec() } else { vec![*predicate] };
                for conjunct in conjuncts {
                    let id = open.condition(self.query, conjunct);
                    open.block.filters.push(id);
                }
            }
            Rel::Project { items, .. } => open.project(self.query, items),
            Rel::Aggregate { keys, aggregates, .. } => self.aggregate(&mut open, keys, aggregates),
            Rel::Sort { keys, .. } => open.sort(self.query, keys),
            Rel::Limit { count, offset, .. } => {
                open.block.limit = *count;
                open.block.offset = *offset;
                open.closed = true;
            }
            Rel::Distinct { .. } => {
                open.block.distinct = true;
                open.closed = true;
                open.block.items = self.items(&open, below);
            }
            _ => {}
        }
        open
    }

    fn items(&self, open: &Open<'m>, rel: RelId) -> Vec<(Id, String)> {
        let columns = self.query.columns(rel);
        columns.iter().filter_map(|c| Some((open.result(c.id)?, c.name.to_string()))).collect()
    }

    fn aggregate(&mut self, open: &mut Open<'m>, keys: &[(ColumnDef, NodeId)], aggregates: &[Aggregate]) {
        let mut given = HashMap::new();
        let mut items = Vec::new();
        let nodes: Vec<NodeId> = keys.iter().map(|(_, n)| *n).chain(aggregates.iter().filter_map(|a| a.arg)).collect();
        let values = open.values(self.query, &nodes);
        for (column, node) in keys {
            let (id, raw) = values[node];
            items.push((id, column.name.to_string()));
            let cell = open.lower.column(id, column.ty);
            given.insert(column.id, Given { id, cell, raw });
        }
        for a in aggregates {
            let arg = a.arg.map(|n| (values[&n].0, self.query.graph.frame_type(n).map(|t| t.dtype)));
            let id = call(&mut open.lower.arena, a, arg);
            items.push((id, a.column.name.to_string()));
            let cell = open.lower.column(id, a.column.ty);
            given.insert(a.column.id, Given { id, cell, raw: false });
        }
        open.given = given;
        open.block.keys = Some(keys.len());
        open.block.items = items;
        open.closed = true;
    }

    /// The SELECT as a CTE; its columns have unique names.
    fn close(&mut self, mut open: Open<'m>, rel: RelId) -> Source {
        let name = self.statement.tables.free(&[self.query.rel(rel).name()]);
        let mut names = Names::new(self.dialect);
        let mut columns = Vec::new();
        let mut items = Vec::new();
        for c in self.query.columns(rel) {
            let Some(id) = open.result(c.id) else { continue };
            let own = names.free(&[&c.name]);
            let raw = open.given.get(&c.id).is_some_and(|g| g.raw);
            columns.push(Named { id: c.id, sql: literal::identifier(&own).into(), name: own.as_str().into(), raw });
            items.push((id, own));
        }
        open.block.items = items;
        self.faults.extend(reached_refusals(&open.lower.arena, &open.block));
        let quoted = literal::identifier(&name);
        self.statement.cte(&open.lower.arena, &open.block, &quoted);
        Source { from: quoted, columns }
    }

    /// The relation as something that can stand behind FROM: a table as it is, everything else as a CTE.
    fn source(&mut self, rel: RelId) -> Source {
        if let Some(source) = self.sources.get(&rel) {
            return source.clone();
        }
        if let Rel::Scan { .. } = self.query.rel(rel) {
            return self.scan(rel);
        }
        let open = self.open(rel);
        let source = self.close(open, rel);
        if self.uses[rel.index()] > 1 {
            self.sources.insert(rel, source.clone());
        }
        source
    }

    fn join(&mut self, rel: RelId, kind: JoinKind, left: RelId, right: RelId, on: Option<NodeId>) -> Open<'m> {
        let (l, r) = (self.aliased(left), self.aliased(right));
        let keep_right = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let both = Source { from: String::new(), columns: l.columns.iter().chain(&r.columns).cloned().collect() };
        // The condition sees both sides, before a side becomes null.
        let mut open = self.reopen(&both, &[left, right]);
        let condition = on.map(|on| open.condition(self.query, on));
        let text = |open: &Open<'m>, id: Id| {
            let names = vec![None; open.lower.arena.len()];
            let mut out = String::new();
            Printer { arena: &open.lower.arena, names: &names }.expr(&mut out, id, 0, 3);
            out
        };
        let on_text = |open: &Open<'m>| condition.map_or_else(|| "1 = 1".to_owned(), |c| text(open, c));
        if let Some(c) = condition {
            let probe = Block { filters: vec![c], ..Block::default() };
            self.faults.extend(reached_refusals(&open.lower.arena, &probe));
            if kind == JoinKind::Full && self.dialect.full_join_by_equality && !joins_sides(&open.lower.arena, c, &l) {
                let reason =
                    "FULL JOIN needs a condition that says that something of one side equals something of the other";
                self.faults.push(unsupported(&self.query.name, "full join", reason));
            }
        }
        let word = match kind {
            JoinKind::Inner | JoinKind::Cross => {
                open.block.from = format!("{} CROSS JOIN {}", l.from, r.from);
                open.block.filters.extend(condition);
                return open;
            }
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::Semi => "EXISTS",
            JoinKind::Anti => "NOT EXISTS",
        };
        if keep_right {
            let from = format!("{} {word} {} ON {}", l.from, r.from, on_text(&open));
            return self.reopen(&Source { from, ..both }, &[rel]);
        }
        let exists = format!("{word} (SELECT 1 FROM {} WHERE {})", r.from, on_text(&open));
        let mut kept = self.reopen(&l, &[left]);
        kept.block.conditions.push(exists);
        kept
    }

    /// A side of a join under a name of its own, its columns qualified by it.
    fn aliased(&mut self, rel: RelId) -> Source {
        let source = self.source(rel);
        let wanted = match self.query.rel(rel) {
            Rel::Scan { table, .. } => table.last().map_or("t", |t| t).to_owned(),
            other => other.name().to_owned(),
        };
        let alias = literal::identifier(&self.statement.tables.free(&[&wanted]));
        let qualify = |n: &Named| Named { sql: format!("{alias}.{}", n.sql).into(), ..n.clone() };
        Source { from: format!("{} AS {alias}", source.from), columns: source.columns.iter().map(qualify).collect() }
    }

    fn union(&mut self, inputs: &[RelId], columns: &[ColumnDef]) -> Source {
        let sources: Vec<Source> = inputs.iter().map(|i| self.source(*i)).collect();
        let mut names = Names::new(self.dialect);
        let own: Vec<String> = columns.iter().map(|c| names.free(&[&c.name])).collect();
        let part = |(rel, s): (&RelId, &Source)| {
            let order = self.query.columns(*rel);
            let item = |(c, name): (&ColumnDef, &String)| {
                let sql = s.columns.iter().find(|n| n.id == c.id).map_or("NULL", |n| &n.sql);
                format!("{sql} AS {}", literal::identifier(name))
            };
            let items: Vec<String> = order.iter().zip(&own).map(item).collect();
            format!("SELECT {} FROM {}", items.join(", "), s.from)
        };
        let text: Vec<String> = inputs.iter().zip(&sources).map(part).collect();
        let name = literal::identifier(&self.statement.tables.free(&["union"]));
        self.statement.add(&name, &text.join("\n    UNION ALL\n    "));
        let raw = |id: usize| sources.iter().any(|s| s.columns.get(id).is_some_and(|n| n.raw));
        let column = |(j, (c, n)): (usize, (&ColumnDef, &String))| Named {
            id: c.id,
            sql: literal::identifier(n).into(),
            name: n.as_str().into(),
            raw: raw(j),
        };
        Source { from: name, columns: columns.iter().zip(&own).enumerate().map(column).collect() }
    }

    /// Carried SQL: `{i}` is input i, which exposes its columns' own names; the result's columns are named by position.
    fn opaque(&mut self, sql: &str, inputs: &[RelId], columns: &[ColumnDef]) -> Source {
        let mut froms = Vec::new();
        for input in inputs {
            let open = self.open(*input);
            froms.push(self.close(open, *input).from);
        }
        let adapted = carried::adapted(self.dialect, sql).unwrap_or_else(|why| {
            self.faults.push(unsupported(&self.query.name, "opaque", &why));
            Default::default()
        });
        let text = filled(&adapted, &froms);
        let mut names = Names::new(self.dialect);
        let own: Vec<String> = columns.iter().map(|c| names.free(&[&c.name])).collect();
        let name = literal::identifier(&self.statement.tables.free(&["carried"]));
        let list: Vec<String> = own.iter().map(|n| literal::identifier(n)).collect();
        self.statement.add(&format!("{name} ({})", list.join(", ")), &text);
        let column = |(c, n): (&ColumnDef, &String)| Named {
            id: c.id,
            sql: literal::identifier(n).into(),
            name: n.as_str().into(),
            raw: true,
        };
        Source { from: name, columns: columns.iter().zip(&own).map(column).collect() }
    }
}

impl<'m> Open<'m> {
    /// The expression of a column for a result.
    fn result(&self, column: ColumnId) -> Option<Id> {
        self.given.get(&column).map(|g| g.id)
    }

    /// The expressions of nodes for a result, and whether they are a table's own columns.
    fn values(&mut self, query: &'m Query, nodes: &[NodeId]) -> HashMap<NodeId, (Id, bool)> {
        let columns: HashMap<ColumnId, Cell> = self.given.iter().map(|(id, g)| (*id, g.cell.clone())).collect();
        let cells =
            self.lower.graph(&query.graph, nodes, &query.name, &Inputs { params: &[], columns: Some(&columns) });
        let mut values = HashMap::new();
        for node in nodes {
            let passed = match (&query.graph.node(*node).op, &query.graph.node(*node).attr) {
                (Op::Column, Attr::Column(c)) => self.given.get(c).map(|g| (g.id, g.raw)),
                _ => None,
            };
            let value = passed.unwrap_or_else(|| match cells[node.index()].first() {
                Some(cell) => (self.lower.raw(cell).id, false),
                None => (self.lower.arena.refuse("query", "a value has no column"), false),
            });
            values.insert(*node, value);
        }
        values
    }

    fn condition(&mut self, query: &'m Query, node: NodeId) -> Id {
        let columns: HashMap<ColumnId, Cell> = self.given.iter().map(|(id, g)| (*id, g.cell.clone())).collect();
        let cells =
            self.lower.graph(&query.graph, &[node], &query.name, &Inputs { params: &[], columns: Some(&columns) });
        match cells[node.index()].first() {
            Some(cell) => self.lower.val(cell).id,
            None => self.lower.arena.refuse("query", "a condition has no value"),
        }
    }

    fn project(&mut self, query: &'m Query, items: &[(ColumnDef, NodeId)]) {
        let columns: HashMap<ColumnId, Cell> = self.given.iter().map(|(id, g)| (*id, g.cell.clone())).collect();
        let nodes: Vec<NodeId> = items.iter().map(|(_, n)| *n).collect();
        let cells =
            self.lower.graph(&query.graph, &nodes, &query.name, &Inputs { params: &[], columns: Some(&columns) });
        let values = self.values(query, &nodes);
        let given = items.iter().filter_map(|(column, node)| {
            let (id, raw) = values[node];
            let cell = cells[node.index()].first()?.clone();
            Some((column.id, Given { id, cell, raw }))
        });
        self.given = given.collect();
    }

    fn sort(&mut self, query: &'m Query, keys: &[SortKey]) {
        let nodes: Vec<NodeId> = keys.iter().map(|k| k.key).collect();
        let values = self.values(query, &nodes);
        let order = |k: &SortKey| Order { key: values[&k.key].0, descending: k.descending, nulls_first: k.nulls_first };
        let mut order: Vec<Order> = keys.iter().map(order).collect();
        // Sorting is stable: what was ordered before decides between equals.
        order.append(&mut self.block.order);
        self.block.order = order;
    }
}

/// Whether a conjunct of a condition is an equality with one side's columns alone on the left and the other's on the right,
/// or the condition reads no column. `left` is one side.
fn joins_sides(arena: &Arena<'_>, condition: Id, left: &Source) -> bool {
    // Which sides an expression reads: bit 0 for the left one, bit 1 for the other.
    let sides = |root: Id| {
        let (mut found, mut stack) = (0u8, vec![root]);
        while let Some(id) = stack.pop() {
            if let X::Column(c) = arena.x(id) {
                let sql = &arena.columns[*c as usize].sql;
                found |= if left.columns.iter().any(|n| n.sql == *sql) { 1 } else { 2 };
            }
            arena.operands(id, |a, _| stack.push(a));
        }
        found
    };
    let equality = |id: &Id| match arena.x(*id) {
        X::Op2(Op2::Eq, a, b) => sides(*a) ^ sides(*b) == 3 && sides(*a) != 0 && sides(*b) != 0,
        _ => false,
    };
    match arena.x(condition) {
        X::And(all) => all.iter().any(equality),
        _ => equality(&condition) || sides(condition) == 0,
    }
}

/// An aggregate function of an expression.
fn call(arena: &mut Arena<'_>, a: &Aggregate, arg: Option<(Id, Option<DType>)>) -> Id {
    let distinct = if a.distinct { "DISTINCT " } else { "" };
    let Some((id, dtype)) = arg else {
        let count = arena.add(X::Template("count(*)".into(), Box::new([])));
        return arena.inline(count);
    };
    // The mean of integers is a float in the IR; databases have integers or decimals for it.
    let mean = a.kind == AggregateKind::Avg && dtype == Some(DType::I64);
    let id = if mean { arena.add(X::Cast(Cast::Double, id)) } else { id };
    let aggregate = arena.add(X::Template(format!("{}({distinct}{{0}})", a.kind.name()).into(), Box::new([id])));
    arena.inline(aggregate)
}

/// A template of carried SQL with texts in the place of `{i}`.
fn filled(template: &str, texts: &[String]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.next_if_eq(&'{').is_some() => out.push('{'),
            '}' if chars.next_if_eq(&'}').is_some() => out.push('}'),
            '{' => {
                let index: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
                chars.next_if_eq(&'}');
                out.push_str(index.parse().ok().and_then(|i: usize| texts.get(i)).map_or("", String::as_str));
            }
            c => out.push(c),
        }
    }
    out
}
