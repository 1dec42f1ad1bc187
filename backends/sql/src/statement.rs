//! A statement as it grows: CTEs, then one SELECT.

use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

use flock_api::Unsupported;

use crate::dialect::{Fence, Star};
use crate::expr::{Arena, Id, X};
use crate::literal;
use crate::print::{Printer, line};
use crate::stages::{self, Beside, Names, Plan};

/// One SELECT over one source, before its stages are known.
#[derive(Default)]
pub struct Block {
    /// What follows FROM.
    pub from: String,
    /// What the SELECT gives: expressions and their names.
    pub items: Vec<(Id, String)>,
    /// Conditions.
    pub filters: Vec<Id>,
    /// What else the last SELECT reads: sort keys.
    pub order: Vec<Order>,
    /// Conditions as text over the source; they hold from the start.
    pub conditions: Vec<String>,
    /// Aggregates: how many of the items are keys.
    pub keys: Option<usize>,
    pub distinct: bool,
    pub limit: Option<u64>,
    pub offset: u64,
    /// All columns of the source pass through as well.
    pub star: bool,
}

/// A sort key.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub key: Id,
    pub descending: bool,
    pub nulls_first: bool,
}

/// The text so far: CTEs, each written where it stays, since a statement is larger than the model that it comes from.
pub struct Statement {
    text: String,
    pub tables: Names,
    /// What is too much for the dialect.
    pub faults: Vec<Unsupported>,
}

impl Statement {
    pub fn new(tables: Names) -> Statement {
        Statement { text: String::new(), tables, faults: Vec::new() }
    }

    /// Adds a CTE of that quoted name.
    pub fn add(&mut self, name: &str, select: &str) {
        self.begin(name, false);
        self.text.push_str(select);
        self.end();
    }

    fn begin(&mut self, name: &str, materialized: bool) {
        self.text.push_str(if self.text.is_empty() { "WITH\n  " } else { ",\n  " });
        let _ = write!(self.text, "{name} AS {}(", if materialized { "MATERIALIZED " } else { "" });
        line(&mut self.text, CTE);
    }

    fn end(&mut self) {
        self.text.push_str("\n  )");
    }

    /// Adds a block as a CTE of that quoted name, its stages before it.
    pub fn cte(&mut self, arena: &Arena<'_>, block: &Block, name: &str) {
        let (plan, source) = self.stages(arena, block);
        self.begin(name, false);
        self.last(arena, block, &plan, &source, CTE);
        self.end();
    }

    /// The whole statement: what was added and, last, that block.
    pub fn finish(&mut self, arena: &Arena<'_>, block: &Block) -> String {
        let (plan, source) = self.stages(arena, block);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.last(arena, block, &plan, &source, 0);
        self.text.push('\n');
        std::mem::take(&mut self.text)
    }

    /// Adds the stages of a block; gives what its last SELECT reads from.
    fn stages(&mut self, arena: &Arena<'_>, block: &Block) -> (Plan, String) {
        let roots: Vec<Id> = block.items.iter().map(|(id, _)| *id).chain(block.order.iter().map(|o| o.key)).collect();
        let beside = match (block.star, arena.dialect.star) {
            (false, _) => Beside::Nothing,
            (true, Star::Exclude) => Beside::Star,
            (true, _) => Beside::Row,
        };
        let plan = stages::plan(arena, &roots, &block.filters, &mut self.tables, beside);
        let mut source = block.from.clone();
        for (s, stage) in plan.stages.iter().enumerate() {
            let fence = fence(arena, plan.stages.len());
            self.begin(&stage.name, stage.fenced && fence == Fence::Materialized);
            self.stage(arena, block, &plan, s, &source);
            self.end();
            source.clone_from(&stage.name);
        }
        (plan, source)
    }

    fn stage(&mut self, arena: &Arena<'_>, block: &Block, plan: &Plan, s: usize, source: &str) {
        let stage = &plan.stages[s];
        let printer = Printer { arena, names: if s == 0 { &plan.names } else { &plan.inner } };
        let out = &mut self.text;
        out.push_str("SELECT");
        let mut items = Items { base: CTE, first: true };
        if block.star {
            items.add(out, &row(arena, s));
        }
        let by_star = block.star && arena.dialect.star == Star::Exclude;
        for id in stage.passes.iter().filter(|_| !by_star) {
            items.add(out, "");
            let start = out.len();
            printer.expr(out, *id, 0, CTE + 1);
            let name = plan.inner[id.index()].as_deref().unwrap_or_default();
            if out[start..] != *name {
                let _ = write!(out, " AS {name}");
            }
        }
        let several = stage.computes.windows(2).any(|w| arena.info(w[0]).step != arena.info(w[1]).step);
        let mut step = u32::MAX;
        for id in &stage.computes {
            let of = arena.info(*id).step;
            let comment = (several && of != step).then(|| comment(&arena.steps[of as usize])).flatten();
            step = of;
            items.add_after(out, comment.as_deref(), "");
            printer.definition(out, *id, 0, CTE + 1);
            let _ = write!(out, " AS {}", plan.names[id.index()].as_deref().unwrap_or_default());
        }
        line(out, CTE);
        let _ = write!(out, "FROM {source}");
        let conditions: &[String] = if s == 0 { &block.conditions } else { &[] };
        filters(out, &printer, &stage.filters, conditions, CTE);
        if stage.fenced && fence(arena, plan.stages.len()) == Fence::OffsetZero {
            line(out, CTE);
            out.push_str("OFFSET 0");
        }
        self.check_width(arena, stage.passes.len() + stage.computes.len());
    }

    fn last(&mut self, arena: &Arena<'_>, block: &Block, plan: &Plan, source: &str, base: usize) {
        let staged = !plan.stages.is_empty();
        let printer = Printer { arena, names: if staged { &plan.inner } else { &plan.names } };
        let out = &mut self.text;
        out.push_str(if block.distinct { "SELECT DISTINCT" } else { "SELECT" });
        let mut items = Items { base, first: true };
        if block.star {
            items.add(out, &star(arena, plan));
        }
        for (id, name) in &block.items {
            items.add(out, "");
            let start = out.len();
            printer.expr(out, *id, 0, base + 1);
            let name = literal::identifier(name);
            if out[start..] != name {
                let _ = write!(out, " AS {name}");
            }
        }
        if items.first {
            out.push_str(" 1");
        }
        line(out, base);
        if block.star && arena.dialect.star == Star::RowId && staged {
            let row = literal::identifier(ROW);
            let _ = write!(out, "FROM {} JOIN {source} ON {source}.{row} = \"t\"._rowid_", block.from);
        } else {
            let _ = write!(out, "FROM {source}");
        }
        filters(out, &printer, &plan.filters, if staged { &[] } else { &block.conditions }, base);
        if let Some(keys) = block.keys.filter(|k| *k > 0) {
            let ordinals: Vec<String> = (1..=keys).map(|i| i.to_string()).collect();
            line(out, base);
            let _ = write!(out, "GROUP BY {}", ordinals.join(", "));
        }
        let names = if block.order.is_empty() { None } else { apart(&printer, block, source) };
        let printer = Printer { names: names.as_deref().unwrap_or(printer.names), ..printer };
        tail(out, &printer, block, base);
        self.check_width(arena, block.items.len());
    }

    fn check_width(&mut self, arena: &Arena<'_>, columns: usize) {
        let most = arena.dialect.columns;
        if columns > most {
            self.faults.push(Unsupported {
                place: "SELECT".into(),
                what: format!("{columns} columns"),
                reason: format!("a SELECT has at most {most} columns in {}", arena.dialect.name),
            });
        }
    }
}

/// How far a CTE's lines stand to the right.
pub const CTE: usize = 2;

/// The column that stands for the source's row.
pub const ROW: &str = "flock.row";

/// Writes the items of a SELECT, one a line.
struct Items {
    base: usize,
    first: bool,
}

impl Items {
    fn add(&mut self, out: &mut String, text: &str) {
        self.add_after(out, None, text);
    }

    fn add_after(&mut self, out: &mut String, comment: Option<&str>, text: &str) {
        if !self.first {
            out.push(',');
        }
        self.first = false;
        if let Some(comment) = comment {
            line(out, self.base + 1);
            out.push_str(comment);
        }
        line(out, self.base + 1);
        out.push_str(text);
    }
}

/// The path of a step as a comment, where it is plain: a path comes from the model's file.
fn comment(path: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    (!path.is_empty() && path.chars().all(plain)).then(|| format!("-- {path}"))
}

/// What stands for all columns of the source in a stage.
fn row(arena: &Arena<'_>, stage: usize) -> String {
    let name = literal::identifier(ROW);
    match (arena.dialect.star, stage) {
        (Star::Exclude, _) => "*".into(),
        // The table's alias, which is its row as long as it has no column of that name.
        (Star::Row, 0) => name,
        (Star::RowId, 0) => format!("_rowid_ AS {name}"),
        _ => name,
    }
}

/// All columns of the source in the last SELECT.
fn star(arena: &Arena<'_>, plan: &Plan) -> String {
    let names: Vec<&str> = plan.names.iter().flatten().map(AsRef::as_ref).collect();
    match arena.dialect.star {
        Star::Row if plan.stages.is_empty() => format!("{}.*", literal::identifier(ROW)),
        Star::RowId => "\"t\".*".into(),
        _ if plan.stages.is_empty() => "\"t\".*".into(),
        Star::Row => format!("({}).*", literal::identifier(ROW)),
        Star::Exclude => format!("* EXCLUDE ({})", names.join(", ")),
    }
}

fn filters(out: &mut String, printer: &Printer<'_, '_>, filters: &[Id], conditions: &[String], base: usize) {
    let mut keyword = "WHERE ";
    let mut next = |out: &mut String| {
        line(out, base);
        out.push_str(keyword);
        keyword = "  AND ";
    };
    for f in filters {
        next(out);
        printer.expr(out, *f, 3, base);
    }
    for c in conditions {
        next(out);
        out.push_str(c);
    }
}

/// The names of what is read, for ORDER BY, where a name means a result column before one of the source: what a result
/// column of another value is called like is qualified. None where nothing is.
fn apart(printer: &Printer<'_, '_>, block: &Block, source: &str) -> Option<Vec<Option<Rc<str>>>> {
    let arena = printer.arena;
    let results: HashMap<String, Id> =
        block.items.iter().map(|(id, name)| (arena.dialect.key(&literal::identifier(name)), *id)).collect();
    let mut names: Option<Vec<Option<Rc<str>>>> = None;
    for i in 0..arena.len() {
        let id = Id(i as u32);
        let name = match (&printer.names[i], arena.x(id)) {
            (Some(name), _) => name,
            (None, X::Column(c)) => &arena.columns[*c as usize].sql,
            _ => continue,
        };
        if results.get(&arena.dialect.key(name)).is_some_and(|result| *result != id) {
            let qualified = format!("{source}.{name}").into();
            names.get_or_insert_with(|| printer.names.to_vec())[i] = Some(qualified);
        }
    }
    names
}

/// ORDER BY and LIMIT.
fn tail(out: &mut String, printer: &Printer<'_, '_>, block: &Block, base: usize) {
    for (i, order) in block.order.iter().enumerate() {
        if i == 0 {
            line(out, base);
        }
        out.push_str(if i == 0 { "ORDER BY " } else { ", " });
        printer.expr(out, order.key, 1, 1);
        out.push_str(if order.descending { " DESC" } else { "" });
        out.push_str(if order.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    let limit = match (block.limit, block.offset) {
        (None, 0) => return,
        (Some(n), 0) => format!("LIMIT {n}"),
        (Some(n), offset) => format!("LIMIT {n} OFFSET {offset}"),
        // SQLite knows OFFSET after LIMIT only.
        (None, offset) if printer.arena.dialect.fence == Fence::Materialized => format!("LIMIT -1 OFFSET {offset}"),
        (None, offset) => format!("OFFSET {offset}"),
    };
    line(out, base);
    out.push_str(&limit);
}

/// Stages from which on `OFFSET 0` gives way to `MATERIALIZED`: a planner that copies a stage into the next one takes time
/// in the square of their number (PostgreSQL 15: 456 stages more than 200 s, materialized 0.9 s).
const DEEP: usize = 24;

/// What fences the stages of a statement of so many.
fn fence(arena: &Arena<'_>, stages: usize) -> Fence {
    match arena.dialect.fence {
        Fence::OffsetZero if stages > DEEP => Fence::Materialized,
        fence => fence,
    }
}
