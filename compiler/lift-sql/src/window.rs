//! Window functions. They look at other rows, so they are no frame operators: the select list is computed over an opaque
//! relation that adds them as columns.

use std::collections::{HashMap, HashSet};

use flock_ir_spec::{ColumnDef, ColumnId, DType, FrameType, NodeId, Rel, RelId};
use sqlparser::ast::{Expr, Function, WindowType};
use sqlparser::tokenizer::Span;

use crate::catalog::NOT_KNOWN;
use crate::expr::{FLOAT, INTEGER, Value};
use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::scope::Scope;

/// A window function: the column that it gives, its text with `{i}` for operand i, the operands.
pub(crate) struct Window {
    pub column: ColumnDef,
    pub sql: String,
    pub operands: Vec<NodeId>,
}

impl Lifter<'_> {
    /// A call with OVER.
    pub fn window(&mut self, e: &Expr, f: &Function, name: &str, scope: &Scope<'_>) -> Lifted<Value> {
        match &f.over {
            Some(WindowType::WindowSpec(spec)) if spec.window_name.is_none() => {}
            _ => return Err(self.unsupported(e, "a named window")),
        }
        let Some(mut windows) = self.windows.take() else {
            return Err(self.unsupported(e, "a window function outside of the select list and ORDER BY"));
        };
        let result = self.template(e, scope).and_then(|(sql, operands)| {
            let ty = self.window_type(e, name, &operands)?;
            let column = self.mint(&format!("w{}", windows.len()), ty.unwrap_or(NOT_KNOWN));
            let leaf = self.leaf(&column);
            if ty.is_none() {
                self.unknown.insert(leaf);
            }
            windows.push(Window { column, sql, operands });
            Ok(Value::Node(leaf))
        });
        self.windows = Some(windows);
        result
    }

    fn window_type(&mut self, e: &Expr, name: &str, operands: &[NodeId]) -> Lifted<Option<FrameType>> {
        let first = operands.first().filter(|n| !self.unknown.contains(n)).map(|n| self.ty(*n).nullable());
        Ok(match name {
            "row_number" | "rank" | "dense_rank" | "ntile" | "count" => Some(INTEGER),
            "percent_rank" | "cume_dist" => Some(FLOAT),
            "sum" | "avg" => first.filter(|t| t.dtype == DType::F64),
            "lag" | "lead" | "first_value" | "last_value" | "nth_value" | "min" | "max" => first,
            _ => return Err(self.unsupported(e, format!("the window function `{name}`"))),
        })
    }

    /// A relation with the windows as columns, and the values over it.
    pub fn with_windows(&mut self, input: RelId, windows: Vec<Window>, values: &mut [NodeId]) -> Lifted<RelId> {
        let own: HashSet<ColumnId> = windows.iter().map(|w| w.column.id).collect();
        let used = self.columns_in(values).into_iter().filter(|n| self.column_of(*n).is_none_or(|c| !own.contains(&c)));
        let mut items: Vec<NodeId> = used.collect();
        let columns = items.len();
        for o in windows.iter().flat_map(|w| &w.operands) {
            if !items[columns..].contains(o) {
                items.push(*o);
            }
        }
        let name = |i: usize| if i < columns { format!("c{i}") } else { format!("a{}", i - columns) };
        let named = items.iter().enumerate().map(|(i, n)| (name(i).into(), *n)).collect::<Vec<_>>();
        let (project, leaves) = self.project(input, named)?;
        let mut sql = String::from("SELECT *");
        for w in &windows {
            let column = |i: usize| {
                let at = w.operands.get(i).and_then(|o| items[columns..].iter().position(|x| x == o));
                names::quote(&name(columns + at.unwrap_or(0)))
            };
            sql.push_str(&format!(", {} AS {}", fill(&w.sql, column), names::quote(&w.column.name)));
        }
        sql.push_str(" FROM {0} AS \"input\"");
        let mut given = Vec::new();
        let mut memo = HashMap::new();
        for (i, (name, leaf)) in leaves.iter().enumerate() {
            let column = self.mint(name, self.ty(*leaf));
            let new = self.leaf(&column);
            self.like(*leaf, new);
            if i < columns {
                memo.insert(items[i], new);
            }
            given.push(column);
        }
        given.extend(windows.into_iter().map(|w| w.column));
        for v in values {
            *v = self.substitute(*v, &mut memo, &own, Span::empty())?;
        }
        self.push(Rel::Opaque { sql: sql.into(), inputs: vec![project], columns: given })
    }
}

/// The template with text in the place of its operands; its doubled braces stay doubled.
fn fill(template: &str, operand: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match rest
            .strip_prefix('{')
            .and_then(|r| r.split_once('}'))
            .and_then(|(i, after)| Some((i.parse().ok()?, after)))
        {
            Some((i, after)) => {
                out.push_str(&operand(i));
                rest = after;
            }
            None => {
                let pair = rest.len().min(2);
                out.push_str(&rest[..pair]);
                rest = &rest[pair..];
            }
        }
    }
    out + rest
}
