//! A function as one SELECT.

use flock_api::{Backend, Unsupported};
use flock_ir_spec::{Function, NodeId, Op, Verified};

use crate::backend::Sql;
use crate::dialect::{Dialect, Identifiers, Star};
use crate::expr::{Arena, Id, X};
use crate::literal;
use crate::lower::{Inputs, Lower, parameters};
use crate::stages::{BESIDE_STAR, Names};
use crate::statement::{Block, ROW, Statement};

/// What a SELECT is written for.
#[derive(Clone, Debug)]
pub struct SelectOptions {
    /// The dialect.
    pub dialect: &'static Dialect,
    /// The table, part by part: `schema`, `table`.
    pub table: Vec<String>,
    /// Columns of the table to pass through, before the outputs; `*` for all of them. Beside `*` the names that begin
    /// with `flock.` are the statement's own, since the table's names are not known.
    pub keep: Vec<String>,
    /// In which case names are written.
    pub identifiers: Identifiers,
}

impl SelectOptions {
    /// For a table of that name, nothing kept.
    pub fn new(dialect: &'static Dialect, table: &str) -> SelectOptions {
        SelectOptions { dialect, table: vec![table.to_owned()], keep: Vec::new(), identifiers: Identifiers::Fold }
    }
}

/// The function of that name as one SELECT over a table whose columns have the names of its parameters. The result has
/// the kept columns and the function's outputs, in order. NULL stands for a missing number, NaN included; truth values
/// are integers where the dialect has none. Errors: everything that cannot be said exactly in the dialect.
pub fn emit_function(module: &Verified, function: &str, options: &SelectOptions) -> Result<String, Vec<Unsupported>> {
    let fault = |reason: &str| vec![unsupported(function, function, reason)];
    let found = module.function(function).ok_or_else(|| fault("the module has no such function"))?;
    let faults = faults_of_names(found, options);
    if !faults.is_empty() {
        return Err(faults);
    }
    // A frame of a million columns is no million expressions.
    if found.graph.nodes().iter().any(|n| n.op == Op::TermCounts) {
        return Err(Sql::new(options.dialect).unsupported(found));
    }
    let mut lower = Lower::new(options.dialect, module, None);
    let mut block = block(&mut lower, options);
    let sql = |name: &str| options.dialect.identifier(name, options.identifiers);
    let params = parameters(&mut lower, found, sql);
    let roots: Vec<NodeId> = found.outputs.iter().map(|o| o.node).collect();
    let cells = lower.graph(&found.graph, &roots, &found.name, &Inputs { params: &params, columns: None });
    for output in &found.outputs {
        match cells[output.node.index()].first() {
            Some(cell) if cells[output.node.index()].len() == 1 => {
                let id = lower.output(cell);
                block.items.push((id, output.name.to_string()));
            }
            _ => return Err(fault("an output has more than one column")),
        }
    }
    let mut tables = Names::new(options.dialect);
    options.table.iter().for_each(|t| tables.take(t));
    tables.take("t");
    let mut statement = Statement::new(tables);
    let text = statement.finish(&lower.arena, &block);
    let mut faults = reached_refusals(&lower.arena, &block);
    faults.append(&mut statement.faults);
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

pub(crate) fn unsupported(place: &str, what: &str, reason: &str) -> Unsupported {
    Unsupported { place: place.to_owned(), what: what.to_owned(), reason: reason.to_owned() }
}

/// The table and the kept columns.
fn block(lower: &mut Lower<'_>, options: &SelectOptions) -> Block {
    let identifier = |name: &str| options.dialect.identifier(name, options.identifiers);
    let table: Vec<String> = options.table.iter().map(|t| identifier(t)).collect();
    let star = options.keep.iter().any(|k| k == "*");
    let alias = if options.dialect.star == Star::Row { ROW } else { "t" };
    let from = if star { format!("{} AS {}", table.join("."), literal::identifier(alias)) } else { table.join(".") };
    let mut block = Block { from, star, ..Block::default() };
    // `*` holds every column that is named beside it.
    for name in options.keep.iter().filter(|_| !star) {
        let id = lower.arena.column(name, &identifier(name));
        block.items.push((id, name.clone()));
    }
    block
}

/// Names that the dialect cannot tell apart or cannot hold.
fn faults_of_names(function: &Function, options: &SelectOptions) -> Vec<Unsupported> {
    let d = options.dialect;
    let mut faults = Vec::new();
    let mut place = |name: &str, reason: String| faults.push(unsupported(&function.name, name, &reason));
    let star = options.keep.iter().any(|k| k == "*");
    let kept = || options.keep.iter().filter(|_| !star).map(String::as_str);
    let beside = || options.keep.iter().filter(|k| star && *k != "*").map(String::as_str);
    let params = || function.params.iter().map(|p| &*p.name);
    let outputs = || function.outputs.iter().map(|o| &*o.name);
    let tables = options.table.iter().map(String::as_str);
    for name in params().chain(kept()).chain(outputs()).chain(tables) {
        if let Some(fault) = d.fault_of_name(name) {
            place(name, fault);
        }
    }
    for name in params().chain(beside()).filter(|n| star && d.key(n).starts_with(BESIDE_STAR)) {
        place(name, format!("beside `*`, names that begin with `{BESIDE_STAR}` are the statement's own"));
    }
    let passed = || kept().chain(params().filter(|_| star));
    for (what, names) in
        [("inputs", params().collect::<Vec<_>>()), ("result columns", passed().chain(outputs()).collect())]
    {
        let mut seen = std::collections::HashMap::new();
        for name in names {
            if let Some(other) = seen.insert(d.key(name), name) {
                place(name, format!("two {what}, `{other}` and `{name}`, are one name in {}", d.name));
            }
        }
    }
    faults
}

/// What was refused and is needed.
pub(crate) fn reached_refusals(arena: &Arena<'_>, block: &Block) -> Vec<Unsupported> {
    if arena.refused.is_empty() {
        return Vec::new();
    }
    let mut reached = vec![false; arena.len()];
    let roots = block.items.iter().map(|(id, _)| *id).chain(block.filters.iter().copied());
    roots.chain(block.order.iter().map(|o| o.key)).for_each(|id: Id| reached[id.index()] = true);
    for i in (0..arena.len()).rev() {
        if reached[i] {
            arena.operands(Id(i as u32), |a, _| reached[a.index()] = true);
        }
    }
    let refused = (0..arena.len()).filter(|i| reached[*i]).filter_map(|i| match arena.x(Id(i as u32)) {
        X::Refused(r) => Some(arena.refused[*r as usize].clone()),
        _ => None,
    });
    refused.collect()
}
