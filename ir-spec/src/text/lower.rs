//! From lines to graphs and relations: names are resolved, nodes are typed.

use std::collections::HashMap;
use std::sync::Arc;

use super::lexer::Pos;
use super::parser::Parser;
use super::print::{needs_type, shown};
use super::syntax::{At, AttrText, Column, Line, NodeLine, Operand, RelText};
use crate::constant::{ConstId, Constant, Pool};
use crate::graph::{Graph, NodeId};
use crate::module::{Function, Module, Output, Param};
use crate::ops::{Attr, ColumnId, Op};
use crate::relation::{Aggregate, ColumnDef, Query, Rel, RelId, SortKey};
use crate::types::{FrameType, Type};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Lower<'t> {
    pub module: Module,
    /// The constants by the hash that the text gives them.
    constants: HashMap<&'t str, ConstId>,
    /// Types of the outputs of the functions.
    outputs: HashMap<Arc<str>, HashMap<Arc<str>, Option<FrameType>>>,
}

/// What the operands of a block can name.
struct Names {
    params: HashMap<Arc<str>, (u32, FrameType)>,
    columns: HashMap<u32, FrameType>,
    /// None for a node that is at fault: what reads it is not reported again.
    nodes: HashMap<u32, Option<NodeId>>,
    rels: HashMap<u32, RelId>,
}

impl<'t> Lower<'t> {
    pub fn constant(&mut self, p: &mut Parser<'t>, label: &'t str, pos: Pos, constant: Constant) {
        let sound = match &constant {
            Constant::Table(_) => Ok(()),
            Constant::Trees(t) => t.check(),
            Constant::Terms(t) => t.check(),
        };
        if let Err(why) = sound {
            p.fault("flock::text::value", pos, why);
        }
        let id = self.module.constants.insert(constant);
        let hash = id.to_string();
        if label.len() < 8 || !hash.starts_with(label) {
            let message =
                format!("the content hashes to #{}, the text says #{label}", &hash[..label.len().clamp(8, 32)]);
            p.fault("flock::text::hash", pos, message);
        }
        if self.constants.insert(label, id).is_some() {
            p.fault("flock::text::name", pos, format!("#{label} is there twice"));
        }
    }

    pub fn function(&mut self, p: &mut Parser<'t>, name: Arc<str>, pos: Pos, params: Vec<Param>, lines: Vec<Line<'t>>) {
        let by_name = params.iter().zip(0..).map(|(p, i)| (p.name.clone(), (i, p.ty))).collect();
        let mut names = Names { params: by_name, columns: HashMap::new(), nodes: HashMap::new(), rels: HashMap::new() };
        let mut graph = Graph::default();
        let mut outputs = None;
        for line in lines {
            match line {
                Line::Outputs(list) if outputs.is_none() => {
                    let list = list
                        .into_iter()
                        .map(|(name, at)| Some(Output { name, node: self.operand(p, &mut graph, &names, &at)? }));
                    outputs = Some(list.flatten().collect::<Vec<_>>());
                }
                Line::Outputs(list) => {
                    let at = list.first().map_or(pos, |(_, (_, pos))| *pos);
                    p.fault("flock::text::syntax", at, "a second `return`");
                }
                line => self.frame_line(p, &mut graph, &mut names, line),
            }
        }
        if outputs.is_none() {
            p.fault("flock::text::syntax", pos, format!("`{name}` has no `return`"));
        }
        graph.set_step(None);
        let function = Function { name: name.clone(), params, graph, outputs: outputs.unwrap_or_default() };
        let types = function.outputs.iter().map(|o| (o.name.clone(), function.output_type(o))).collect();
        self.outputs.insert(name, types);
        self.module.functions.push(function);
    }

    fn frame_line(&mut self, p: &mut Parser<'t>, graph: &mut Graph, names: &mut Names, line: Line<'t>) {
        match line {
            Line::Step(path) => drop(graph.set_step(path.as_deref())),
            Line::Node(line) => {
                let node = self.node(p, graph, names, &line);
                if names.nodes.insert(line.number, node).is_some() {
                    p.fault("flock::text::name", line.pos, format!("%{} is there twice", line.number));
                }
            }
            // The parser lets no other line into this kind of block.
            Line::Rel { .. } | Line::Outputs(_) | Line::Root(..) => {}
        }
    }

    fn node(&mut self, p: &mut Parser<'t>, graph: &mut Graph, names: &Names, line: &NodeLine<'t>) -> Option<NodeId> {
        let args: Vec<Option<NodeId>> = line.args.iter().map(|a| self.operand(p, graph, names, a)).collect();
        let args: Vec<NodeId> = args.into_iter().collect::<Option<_>>()?;
        let attr = self.attribute(p, line)?;
        match graph.add(line.op, attr, &args) {
            Err(e) => {
                p.fault("flock::text::type", line.pos, e.to_string());
                None
            }
            Ok(id) => {
                let found = graph.frame_type(id);
                if let Some(ty) = line.ty
                    && found != Some(ty)
                {
                    let message = format!("`{}` gives {}, the line says {ty}", line.op, shown(found));
                    p.fault("flock::text::type", line.pos, message);
                }
                Some(id)
            }
        }
    }

    fn attribute(&self, p: &mut Parser<'t>, line: &NodeLine<'t>) -> Option<Attr> {
        let attr = match &line.attr {
            AttrText::Known(attr) => Some(attr.clone()),
            AttrText::LineType => line.ty.map(Attr::Type),
            AttrText::Opaque { sql } => line.ty.map(|ty| Attr::Opaque { sql: sql.clone(), ty }),
            AttrText::Call { function, output } => {
                let known = self.outputs.get(function).and_then(|o| o.get(output)).copied().flatten();
                line.ty.or(known).map(|ty| Attr::Call { function: function.clone(), output: output.clone(), ty })
            }
        };
        if attr.is_none() {
            let message = if needs_type(line.op) {
                format!("`{}` needs a type: `%{}: TYPE = {}`", line.op, line.number, line.op)
            } else {
                "the type of the call is not known: its function stands below, or has no such output".into()
            };
            p.fault("flock::text::type", line.pos, message);
        }
        attr
    }

    fn operand(&mut self, p: &mut Parser<'t>, graph: &mut Graph, names: &Names, at: &At<'t>) -> Option<NodeId> {
        let (operand, pos) = at;
        let unknown = match operand {
            Operand::Node(n) => match names.nodes.get(n) {
                Some(node) => return *node,
                None => format!("there is no %{n} above"),
            },
            Operand::Column(c, nullable) => match names.columns.get(c) {
                Some(ty) => {
                    let ty = Type::Frame(ty.with_nulls(ty.nullable || *nullable));
                    return Some(graph.add_leaf(Op::Column, Attr::Column(ColumnId(*c)), ty));
                }
                None => format!("no relation mints @{c}"),
            },
            Operand::Const(label) => match self.constants.get(label) {
                Some(id) => return Some(leaf(graph, &self.module.constants, *id)),
                None => format!("there is no constant #{label} above"),
            },
            Operand::Literal(table) => {
                return Some(graph.add_constant(&mut self.module.constants, table.clone().into()));
            }
            Operand::Name(name) => match names.params.get(name) {
                Some((i, ty)) => return Some(graph.add_leaf(Op::Input, Attr::Param(*i), Type::Frame(*ty))),
                None => format!("there is no parameter `{name}`"),
            },
        };
        p.fault("flock::text::name", *pos, unknown);
        None
    }

    pub fn query(&mut self, p: &mut Parser<'t>, name: Arc<str>, pos: Pos, lines: Vec<Line<'t>>) {
        let rels = lines.iter().filter_map(|l| if let Line::Rel { rel, .. } = l { Some(rel) } else { None });
        let columns = rels.flat_map(minted).map(|c| (c.id, c.ty)).collect();
        let mut names = Names { params: HashMap::new(), columns, nodes: HashMap::new(), rels: HashMap::new() };
        let mut query = Query { name, graph: Graph::default(), rels: Vec::new(), root: RelId(0) };
        let mut root = None;
        for line in lines {
            match line {
                Line::Rel { pos, number, rel } => {
                    if let Some(rel) = self.rel(p, &mut query.graph, &names, rel, pos) {
                        query.rels.push(rel);
                    }
                    // A relation that is at fault keeps its number, so that what reads it is not reported again.
                    let id = RelId((query.rels.len() as u32).saturating_sub(1));
                    if names.rels.insert(number, id).is_some() {
                        p.fault("flock::text::name", pos, format!("r{number} is there twice"));
                    }
                }
                Line::Root(number, pos) if root.is_none() => root = Some(rel_id(p, &names, number, pos)),
                Line::Root(_, pos) => p.fault("flock::text::syntax", pos, "a second `return`"),
                line => self.frame_line(p, &mut query.graph, &mut names, line),
            }
        }
        query.graph.set_step(None);
        match root {
            Some(root) => query.root = root.unwrap_or(RelId(0)),
            None => p.fault("flock::text::syntax", pos, format!("`{}` has no `return`", query.name)),
        }
        self.module.queries.push(query);
    }

    fn rel(&mut self, p: &mut Parser<'t>, graph: &mut Graph, names: &Names, rel: RelText<'t>, pos: Pos) -> Option<Rel> {
        let mut node = |p: &mut Parser<'t>, at: &At<'t>| self.operand(p, graph, names, at);
        Some(match rel {
            RelText::Scan { table, columns } => Rel::Scan { table: table.into(), columns: defs(columns) },
            RelText::Filter { input, predicate } => {
                Rel::Filter { input: rel_id(p, names, input, pos)?, predicate: node(p, &predicate)? }
            }
            RelText::Project { input, items } => {
                let input = rel_id(p, names, input, pos)?;
                let items = items.into_iter().map(|(c, at)| Some((def(c), node(p, &at)?)));
                Rel::Project { input, items: items.collect::<Option<_>>()? }
            }
            RelText::Join { kind, left, right, on } => {
                let (left, right) = (rel_id(p, names, left, pos)?, rel_id(p, names, right, pos)?);
                let on = match on {
                    Some(at) => Some(node(p, &at)?),
                    None => None,
                };
                Rel::Join { kind, left, right, on }
            }
            RelText::Aggregate { input, keys, aggregates } => {
                let input = rel_id(p, names, input, pos)?;
                let keys = keys.into_iter().map(|(c, at)| Some((def(c), node(p, &at)?))).collect::<Option<_>>()?;
                let aggregates = aggregates.into_iter().map(|a| {
                    let arg = match &a.arg {
                        Some(at) => Some(node(p, at)?),
                        None => None,
                    };
                    Some(Aggregate { column: def(a.column), kind: a.kind, distinct: a.distinct, arg })
                });
                Rel::Aggregate { input, keys, aggregates: aggregates.collect::<Option<_>>()? }
            }
            RelText::Sort { input, keys } => {
                let input = rel_id(p, names, input, pos)?;
                let keys = keys
                    .into_iter()
                    .map(|(at, descending, nulls_first)| Some(SortKey { key: node(p, &at)?, descending, nulls_first }));
                Rel::Sort { input, keys: keys.collect::<Option<_>>()? }
            }
            RelText::Limit { input, count, offset } => {
                Rel::Limit { input: rel_id(p, names, input, pos)?, count, offset }
            }
            RelText::Distinct { input } => Rel::Distinct { input: rel_id(p, names, input, pos)? },
            RelText::Union { inputs, columns } => {
                let inputs = inputs.into_iter().map(|r| rel_id(p, names, r, pos)).collect::<Option<_>>()?;
                Rel::Union { inputs, columns: defs(columns) }
            }
            RelText::Opaque { sql, inputs, columns } => {
                let inputs = inputs.into_iter().map(|r| rel_id(p, names, r, pos)).collect::<Option<_>>()?;
                Rel::Opaque { sql, inputs, columns: defs(columns) }
            }
        })
    }
}

fn leaf(graph: &mut Graph, pool: &Pool, id: ConstId) -> NodeId {
    let ty = pool.get(id).map_or(Type::Const { dtype: crate::DType::F64, rows: 0, width: 0 }, |c| c.ty());
    graph.add_leaf(Op::Const, Attr::Const(id), ty)
}

fn rel_id(p: &mut Parser<'_>, names: &Names, number: u32, pos: Pos) -> Option<RelId> {
    let found = names.rels.get(&number).copied();
    if found.is_none() {
        p.fault("flock::text::name", pos, format!("there is no r{number} above"));
    }
    found
}

fn def(c: Column) -> ColumnDef {
    ColumnDef { id: ColumnId(c.id), name: c.name, ty: c.ty }
}

fn defs(columns: Vec<Column>) -> Vec<ColumnDef> {
    columns.into_iter().map(def).collect()
}

/// The columns that a relation mints.
fn minted<'r>(rel: &'r RelText<'_>) -> Box<dyn Iterator<Item = &'r Column> + 'r> {
    match rel {
        RelText::Scan { columns, .. } | RelText::Union { columns, .. } | RelText::Opaque { columns, .. } => {
            Box::new(columns.iter())
        }
        RelText::Project { items, .. } => Box::new(items.iter().map(|(c, _)| c)),
        RelText::Aggregate { keys, aggregates, .. } => {
            Box::new(keys.iter().map(|(c, _)| c).chain(aggregates.iter().map(|a| &a.column)))
        }
        _ => Box::new(std::iter::empty()),
    }
}
