//! From modules to text.

use std::collections::HashMap;
use std::fmt::{self, Write};

use super::lexer::{is_word, quote};
use super::tables;
use crate::constant::{ConstId, Constant, Pool};
use crate::graph::{Graph, Node, NodeId};
use crate::module::{Function, Module, Param};
use crate::ops::{Attr, AttrKind, Op};
use crate::relation::{Aggregate, ColumnDef, Query, Rel, RelId};
use crate::types::{DType, FrameType};

/// A list goes on one line up to this length.
const LINE: usize = 100;

pub(super) fn module(module: &Module, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut out = String::new();
    writeln!(out, "flock {}", super::VERSION)?;
    let labels = labels(&module.constants);
    for (id, constant) in module.constants.iter() {
        if let Some(label) = labels.get(&id) {
            write!(out, "\nconst #{label} = ")?;
            tables::constant(constant, &mut out)?;
        }
    }
    for function in &module.functions {
        out.push('\n');
        Body { pool: &module.constants, labels: &labels, graph: &function.graph, params: &function.params }
            .function(function, &mut out)?;
    }
    for query in &module.queries {
        out.push('\n');
        Body { pool: &module.constants, labels: &labels, graph: &query.graph, params: &[] }.query(query, &mut out)?;
    }
    f.write_str(&out)
}

pub(super) fn node_line(module: &Module, graph: &Graph, params: &[Param], id: NodeId) -> Option<String> {
    let labels = labels(&module.constants);
    let numbers = graph.numbering();
    let number = numbers[id.index()]?;
    let mut out = String::new();
    let body = Body { pool: &module.constants, labels: &labels, graph, params };
    body.node(number, &numbers, graph.node(id), &mut out).ok()?;
    Some(out)
}

/// Names of the constants that do not stand inline: the shortest prefixes of their hashes that differ, of at least 8
/// digits.
fn labels(pool: &Pool) -> HashMap<ConstId, String> {
    let named: Vec<(ConstId, String)> =
        pool.iter().filter(|(_, c)| !tables::is_inline(c)).map(|(id, _)| (id, id.to_string())).collect();
    let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    // The pool is ordered, so the nearest prefixes are the neighbours'.
    let beside =
        |i: usize, j: Option<usize>| j.and_then(|j| named.get(j)).map_or(0, |other| common(&named[i].1, &other.1) + 1);
    (0..named.len())
        .map(|i| {
            let len = beside(i, i.checked_sub(1)).max(beside(i, Some(i + 1))).max(8);
            (named[i].0, named[i].1[..len.min(32)].to_owned())
        })
        .collect()
}

/// A name, in quotes where it is no word.
pub(super) fn name(name: &str, out: &mut String) {
    if is_word(name) { out.push_str(name) } else { quote(name, out) }
}

fn dotted<'n>(parts: impl IntoIterator<Item = &'n str>, out: &mut String) {
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        name(part, out);
    }
}

/// `(a, b)` on one line, or one item per line where that is long.
fn list(items: &[String], indent: &str, out: &mut String) {
    let long = items.iter().map(|i| i.len() + 2).sum::<usize>() > LINE;
    out.push('(');
    for (i, item) in items.iter().enumerate() {
        let separator = match (i, long) {
            (0, false) => "",
            (_, false) => ", ",
            (0, true) => "\n",
            (_, true) => ",\n",
        };
        out.push_str(separator);
        if long {
            out.push_str(indent);
            out.push_str("  ");
        }
        out.push_str(item);
    }
    if long {
        out.push('\n');
        out.push_str(indent);
    }
    out.push(')');
}

/// What the lines of a block are printed from.
struct Body<'a> {
    pool: &'a Pool,
    labels: &'a HashMap<ConstId, String>,
    graph: &'a Graph,
    params: &'a [Param],
}

type Numbers = [Option<u32>];

impl Body<'_> {
    fn function(&self, function: &Function, out: &mut String) -> fmt::Result {
        let params = function.params.iter().map(|p| {
            let mut text = String::new();
            name(&p.name, &mut text);
            write!(text, ": {}", p.ty).map(|()| text)
        });
        out.push_str("fn ");
        name(&function.name, out);
        list(&params.collect::<Result<Vec<_>, _>>()?, "", out);
        out.push_str(" {\n");
        let numbers = self.graph.numbering();
        let mut step = None;
        for (id, _) in self.graph.iter() {
            self.line(id, &numbers, &mut step, out)?;
        }
        let outputs = function.outputs.iter().map(|o| {
            let mut text = String::new();
            name(&o.name, &mut text);
            text.push_str(" = ");
            self.operand(o.node, &numbers, &mut text).map(|()| text)
        });
        out.push_str("  return ");
        list(&outputs.collect::<Result<Vec<_>, _>>()?, "  ", out);
        out.push_str("\n}\n");
        Ok(())
    }

    /// The line of a node, if it has one, under the line of its step, if that is another than the last.
    fn line(&self, id: NodeId, numbers: &Numbers, step: &mut Option<u32>, out: &mut String) -> fmt::Result {
        let Some(number) = numbers[id.index()] else { return Ok(()) };
        let node = self.graph.node(id);
        if node.step != *step {
            *step = node.step;
            out.push_str("  step ");
            match step.and_then(|s| self.graph.steps.get(s as usize)) {
                None => out.push('-'),
                Some(path) if path.split('.').all(is_word) => out.push_str(path),
                Some(path) => quote(path, out),
            }
            out.push('\n');
        }
        out.push_str(if step.is_some() { "    " } else { "  " });
        self.node(number, numbers, node, out)?;
        out.push('\n');
        Ok(())
    }

    fn node(&self, number: u32, numbers: &Numbers, node: &Node, out: &mut String) -> fmt::Result {
        write!(out, "%{number}: {} = {}", node.ty, node.op)?;
        match &node.attr {
            Attr::Range { start, len } => write!(out, "[{start}..{}]", u64::from(*start) + u64::from(*len))?,
            Attr::Word(word) => write!(out, "[{}]", word.name())?,
            Attr::Call { function, output, .. } => {
                out.push('[');
                dotted([&**function, &**output], out);
                out.push(']');
            }
            Attr::Opaque { sql, .. } => {
                out.push('[');
                quote(sql, out);
                out.push(']');
            }
            Attr::None | Attr::Type(_) | Attr::Param(_) | Attr::Const(_) | Attr::Column(_) => {}
        }
        for a in &node.args {
            out.push(' ');
            self.operand(*a, numbers, out)?;
        }
        Ok(())
    }

    fn operand(&self, id: NodeId, numbers: &Numbers, out: &mut String) -> fmt::Result {
        if let Some(Some(number)) = numbers.get(id.index()) {
            return write!(out, "%{number}");
        }
        let Some(node) = self.graph.nodes().get(id.index()) else { return write!(out, "%absent") };
        match &node.attr {
            Attr::Param(i) => match self.params.get(*i as usize) {
                // A dtype's name before a bracket would be a literal.
                Some(p) if DType::parse(&p.name).is_some() => quote(&p.name, out),
                Some(p) => name(&p.name, out),
                None => write!(out, "parameter_{i}")?,
            },
            Attr::Column(c) => {
                write!(out, "{c}{}", if node.ty.frame().is_some_and(|t| t.nullable) { "?" } else { "" })?
            }
            Attr::Const(c) => match (self.labels.get(c), self.pool.get(*c).map(AsRef::as_ref)) {
                (None, Some(Constant::Table(t))) => tables::literal(t, out)?,
                (Some(label), _) => write!(out, "#{label}")?,
                _ => write!(out, "#{c}")?,
            },
            _ => write!(out, "{}", node.op)?,
        }
        Ok(())
    }

    fn query(&self, query: &Query, out: &mut String) -> fmt::Result {
        out.push_str("query ");
        name(&query.name, out);
        out.push_str(" {\n");
        let numbers = self.graph.numbering();
        let (mut step, mut printed) = (None, 0);
        for (i, rel) in query.rels.iter().enumerate() {
            let needed = rel.frames().iter().map(|n| n.index() + 1).max().unwrap_or(0).min(numbers.len());
            for id in printed..needed {
                self.line(NodeId(id as u32), &numbers, &mut step, out)?;
            }
            printed = printed.max(needed);
            write!(out, "  r{i} = {}", rel.name())?;
            self.rel(rel, &numbers, out)?;
            out.push('\n');
        }
        for id in printed..numbers.len() {
            self.line(NodeId(id as u32), &numbers, &mut step, out)?;
        }
        writeln!(out, "  return r{}\n}}", query.root.0)
    }

    fn rel(&self, rel: &Rel, numbers: &Numbers, out: &mut String) -> fmt::Result {
        match rel {
            Rel::Scan { table, columns } => {
                out.push(' ');
                dotted(table.iter().map(|p| &**p), out);
                self.columns(columns, out)?;
            }
            Rel::Filter { input, predicate } => {
                write!(out, " r{} ", input.0)?;
                self.operand(*predicate, numbers, out)?;
            }
            Rel::Project { input, items } => {
                write!(out, " r{} ", input.0)?;
                self.items(items, numbers, out)?;
            }
            Rel::Join { kind, left, right, on } => {
                write!(out, "[{}] r{} r{}", kind.name(), left.0, right.0)?;
                if let Some(on) = on {
                    out.push(' ');
                    self.operand(*on, numbers, out)?;
                }
            }
            Rel::Aggregate { input, keys, aggregates } => {
                write!(out, " r{} by ", input.0)?;
                self.items(keys, numbers, out)?;
                out.push_str(" give ");
                let items = aggregates.iter().map(|a| self.aggregate(a, numbers));
                list(&items.collect::<Result<Vec<_>, _>>()?, "  ", out);
            }
            Rel::Sort { input, keys } => {
                write!(out, " r{} ", input.0)?;
                let items = keys.iter().map(|k| {
                    let mut text = String::new();
                    self.operand(k.key, numbers, &mut text)?;
                    text.push_str(if k.descending { " desc" } else { " asc" });
                    text.push_str(if k.nulls_first { " nulls first" } else { " nulls last" });
                    Ok(text)
                });
                list(&items.collect::<Result<Vec<_>, fmt::Error>>()?, "  ", out);
            }
            Rel::Limit { input, count, offset } => {
                write!(out, " r{} ", input.0)?;
                match count {
                    Some(n) => write!(out, "{n}")?,
                    None => out.push_str("all"),
                }
                if *offset > 0 {
                    write!(out, " offset {offset}")?;
                }
            }
            Rel::Distinct { input } => write!(out, " r{}", input.0)?,
            Rel::Union { inputs, columns } => {
                self.inputs(inputs, out)?;
                self.columns(columns, out)?;
            }
            Rel::Opaque { sql, inputs, columns } => {
                out.push('[');
                quote(sql, out);
                out.push(']');
                self.inputs(inputs, out)?;
                self.columns(columns, out)?;
            }
        }
        Ok(())
    }

    fn inputs(&self, inputs: &[RelId], out: &mut String) -> fmt::Result {
        inputs.iter().try_for_each(|i| write!(out, " r{}", i.0))
    }

    fn column(&self, column: &ColumnDef) -> Result<String, fmt::Error> {
        let mut text = String::new();
        name(&column.name, &mut text);
        write!(text, "{}: {}", column.id, column.ty)?;
        Ok(text)
    }

    fn columns(&self, columns: &[ColumnDef], out: &mut String) -> fmt::Result {
        out.push(' ');
        let items = columns.iter().map(|c| self.column(c)).collect::<Result<Vec<_>, _>>()?;
        list(&items, "  ", out);
        Ok(())
    }

    fn items(&self, items: &[(ColumnDef, NodeId)], numbers: &Numbers, out: &mut String) -> fmt::Result {
        let items = items.iter().map(|(column, node)| {
            let mut text = self.column(column)?;
            text.push_str(" = ");
            self.operand(*node, numbers, &mut text)?;
            Ok(text)
        });
        list(&items.collect::<Result<Vec<_>, fmt::Error>>()?, "  ", out);
        Ok(())
    }

    fn aggregate(&self, a: &Aggregate, numbers: &Numbers) -> Result<String, fmt::Error> {
        let mut text = self.column(&a.column)?;
        write!(text, " = {}", a.kind.name())?;
        if a.distinct {
            text.push_str(" distinct");
        }
        if let Some(arg) = a.arg {
            text.push(' ');
            self.operand(arg, numbers, &mut text)?;
        }
        Ok(text)
    }
}

/// Whether a type stands in the line of a node of that operator because nothing else says it.
pub(super) fn needs_type(op: Op) -> bool {
    matches!(op.record().attr, AttrKind::Type | AttrKind::Opaque)
}

/// The type as a frame, for messages.
pub(super) fn shown(ty: Option<FrameType>) -> String {
    ty.map_or_else(|| "no frame".into(), |t| t.to_string())
}
