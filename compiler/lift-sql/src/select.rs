//! SELECT: FROM, WHERE, GROUP BY, HAVING, windows, the select list, DISTINCT, ORDER BY.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flock_ir_spec::{ColumnId, NodeId, Rel, RelId, SortKey};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, OrderBy, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind,
    Spanned, TopQuantity, WildcardAdditionalOptions,
};
use sqlparser::tokenizer::Span;

use crate::expr::short;
use crate::group::Grouping;
use crate::lifter::{Lifted, Lifter, Told};
use crate::names;
use crate::query::{Columns, Open};
use crate::scope::{Scope, ScopeColumn};

/// A select while its clauses are lifted: values over the rows of FROM and WHERE, with aggregates and windows as leaves.
struct Block {
    items: Columns,
    /// Where each item stands.
    spans: Vec<Span>,
    having: Option<NodeId>,
    keys: Vec<SortKey>,
    groups: Vec<NodeId>,
}

impl Lifter<'_> {
    /// A SELECT, in order if it is given one.
    pub fn select(&mut self, s: &Select, order: Option<&OrderBy>, outer: Option<&Scope<'_>>) -> Lifted<Open> {
        self.select_clauses(s)?;
        let (rel, mut scope) = self.from(&s.from)?;
        scope.outer = outer;
        let selected = s.selection.as_ref().map_or(Ok(rel), |e| self.nested(|l| l.selection(rel, e, &scope)));
        let order = self.order_items(order);
        let outside = (
            self.grouping.replace(Grouping::default()),
            self.windows.replace(Vec::new()),
            self.subqueries.replace(Vec::new()),
        );
        let block = order.and_then(|order| self.block(s, order, &scope));
        let grouping = std::mem::replace(&mut self.grouping, outside.0).unwrap_or_default();
        let windows = std::mem::replace(&mut self.windows, outside.1).unwrap_or_default();
        let rows = std::mem::replace(&mut self.subqueries, outside.2).unwrap_or_default();
        let (rel, mut block) = (selected?, block?);

        let grouped = !block.groups.is_empty() || !grouping.aggregates.is_empty() || s.having.is_some();
        let free: HashSet<ColumnId> = rows.iter().flat_map(|r| self.row_columns(*r)).collect();
        let mut windows = windows;
        let rel = if grouped { self.grouped(rel, grouping, &mut block, &mut windows, &free)? } else { rel };
        let mut rel = self.with_rows(rel, rows)?;
        if let Some(having) = block.having {
            rel = self.filter(rel, &[having])?;
        }
        if !windows.is_empty() {
            let mut values: Vec<NodeId> = block.values();
            rel = self.with_windows(rel, windows, &mut values)?;
            block.set_values(&values);
        }
        self.finished(s, rel, block)
    }

    /// DISTINCT, ORDER BY, TOP.
    fn finished(&mut self, s: &Select, rel: RelId, block: Block) -> Lifted<Open> {
        let mut open = Open { rel, columns: block.items, closed: false };
        let mut keys = block.keys;
        if let Some(Distinct::Distinct) = s.distinct {
            let before: Vec<NodeId> = open.columns.iter().map(|c| c.1).collect();
            open = self.distinct(open)?;
            for k in &mut keys {
                match before.iter().position(|n| *n == k.key) {
                    Some(i) => k.key = open.columns[i].1,
                    None => {
                        let message = "with SELECT DISTINCT, what ORDER BY sorts by must be in the select list";
                        return Err(self.fault("flock::sql::unsupported", s, message));
                    }
                }
            }
        }
        let open = self.sorted(open, keys)?;
        match &s.top {
            None => Ok(open),
            Some(top) => {
                let count = match &top.quantity {
                    Some(TopQuantity::Constant(n)) => Some(*n),
                    Some(TopQuantity::Expr(e)) => self.row_count(e)?,
                    None => None,
                };
                let rel = self.push(Rel::Limit { input: open.rel, count, offset: 0 })?;
                Ok(Open { rel, ..open })
            }
        }
    }

    fn select_clauses(&mut self, s: &Select) -> Lifted<()> {
        let what = match s {
            Select { distinct: Some(Distinct::On(_)), .. } => "DISTINCT ON",
            Select { into: Some(_), .. } => "SELECT INTO",
            Select { qualify: Some(_), .. } => "QUALIFY",
            Select { prewhere: Some(_), .. } => "PREWHERE",
            Select { value_table_mode: Some(_), .. } => "SELECT AS STRUCT and AS VALUE",
            Select { exclude: Some(_), .. } => "EXCLUDE behind the select list",
            Select { select_modifiers: Some(_), .. } => "a modifier of SELECT",
            Select { top: Some(t), .. } if t.percent || t.with_ties => "TOP with PERCENT or WITH TIES",
            s if !s.named_window.is_empty() => "WINDOW",
            s if !s.lateral_views.is_empty() => "LATERAL VIEW",
            s if !s.connect_by.is_empty() => "CONNECT BY",
            s if !(s.cluster_by.is_empty() && s.distribute_by.is_empty() && s.sort_by.is_empty()) => {
                "CLUSTER BY, DISTRIBUTE BY and SORT BY"
            }
            _ => return Ok(()),
        };
        Err(self.unsupported(s, what))
    }

    /// Lifts all clauses before any fault of one ends the select.
    fn block(&mut self, s: &Select, order: &[sqlparser::ast::OrderByExpr], scope: &Scope<'_>) -> Lifted<Block> {
        let items = self.items(s, scope);
        let having = s.having.as_ref().map(|e| self.without_windows(|l| l.condition(e, scope))).transpose();
        let (items, spans) = items?;
        let column = |(name, node): &(Arc<str>, NodeId)| ScopeColumn {
            table: None,
            name: name.clone(),
            node: *node,
            plain: true,
        };
        let output = Scope { columns: items.iter().map(column).collect(), ..Scope::default() };
        let groups = self.group_keys(s, &output, scope);
        let keys: Vec<Lifted<SortKey>> = order.iter().map(|i| self.sort_key(i, &output, scope)).collect();
        let keys = keys.into_iter().collect::<Lifted<Vec<SortKey>>>();
        Ok(Block { items, spans, having: having?, keys: keys?, groups: groups? })
    }

    fn without_windows<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let windows = self.windows.take();
        let result = f(self);
        self.windows = windows;
        result
    }

    /// The keys of GROUP BY: a column of the input first, then a name or a position of the select list.
    fn group_keys(&mut self, s: &Select, output: &Scope<'_>, scope: &Scope<'_>) -> Lifted<Vec<NodeId>> {
        let exprs = match &s.group_by {
            GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => exprs,
            _ => return Err(self.unsupported(&s.group_by, "GROUP BY ALL, ROLLUP, CUBE and GROUPING SETS")),
        };
        let keys: Vec<Lifted<NodeId>> = exprs
            .iter()
            .map(|e| match e {
                Expr::Value(v) if matches!(v.value, sqlparser::ast::Value::Number(..)) => self.position(e, output),
                Expr::Identifier(name) if self.is_alias(name, output, scope) => {
                    self.named(std::slice::from_ref(name), output)
                }
                Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_) => {
                    Err(self.unsupported(e, "ROLLUP, CUBE and GROUPING SETS"))
                }
                e => self.nested(|l| l.node(e, scope)),
            })
            .collect();
        keys.into_iter().collect()
    }

    fn is_alias(&self, name: &Ident, output: &Scope<'_>, scope: &Scope<'_>) -> bool {
        let here = scope.columns.iter().any(|c| c.plain && names::same(name, &c.name));
        !here && output.columns.iter().any(|c| names::same(name, &c.name))
    }

    // The select list.

    fn items(&mut self, s: &Select, scope: &Scope<'_>) -> Lifted<(Columns, Vec<Span>)> {
        let mut items = Vec::new();
        let mut spans = Vec::new();
        let mut told = None;
        let all = [SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        let list = if s.flavor == SelectFlavor::FromFirstNoSelect { all.as_slice() } else { &s.projection };
        for item in list {
            match self.item(item, scope) {
                Ok(columns) => {
                    spans.resize(spans.len() + columns.len(), item.span());
                    items.extend(columns);
                }
                Err(t) => told = Some(t),
            }
        }
        match told {
            Some(told) => Err(told),
            None if items.is_empty() => Err(self.unsupported(s, "a select list without columns")),
            None => Ok((items, spans)),
        }
    }

    fn item(&mut self, item: &SelectItem, scope: &Scope<'_>) -> Lifted<Columns> {
        self.visit(item.span());
        match item {
            SelectItem::UnnamedExpr(e) => {
                let node = self.node(e, scope)?;
                Ok(vec![(self.item_name(e, node, scope), node)])
            }
            SelectItem::ExprWithAlias { expr, alias } => Ok(vec![(names::given(alias), self.node(expr, scope)?)]),
            SelectItem::ExprWithAliases { .. } => Err(self.unsupported(item, "several names for one expression")),
            SelectItem::Wildcard(options) => {
                if let Some(told) = self.star_fault(item, scope, None) {
                    return Err(told);
                }
                let all: Vec<_> = scope.columns.iter().filter(|c| c.plain).map(|c| (c.name.clone(), c.node)).collect();
                self.excluded(item, options, all)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let table = names::parts(name).and_then(|parts| scope.table(&parts));
                let Some(table) = table else {
                    let tables: Vec<String> = scope.tables.iter().map(|t| t.name.join(".")).collect();
                    let help = names::help("tables here", &name.to_string(), tables.iter().map(String::as_str));
                    return Err(self.fault_help(
                        "flock::sql::unknown_table",
                        item,
                        format!("`{name}` is no table here"),
                        help,
                    ));
                };
                if let Some(told) = self.star_fault(item, scope, Some(table)) {
                    return Err(told);
                }
                let own = scope.columns.iter().filter(|c| c.table == Some(table));
                let all: Vec<_> = own.map(|c| (c.name.clone(), c.node)).collect();
                self.excluded(item, options, all)
            }
            SelectItem::QualifiedWildcard(..) => Err(self.unsupported(item, "a wildcard over an expression")),
        }
    }

    /// Why `*` cannot be written out, if so.
    fn star_fault(&mut self, item: &SelectItem, scope: &Scope<'_>, table: Option<usize>) -> Option<Told> {
        let mut tables = scope.tables.iter().enumerate().filter(|(i, _)| table.is_none_or(|t| t == *i)).map(|(_, t)| t);
        if tables.clone().any(|t| t.broken) {
            return Some(Told);
        }
        let open = tables.find(|t| t.open.is_some())?;
        let message = format!("`*` over the table `{}`, whose columns are not known", open.name.join("."));
        Some(self.fault_help("flock::sql::unknown_column", item, message, "name the columns, or give the table's file"))
    }

    /// The columns without those that EXCLUDE or EXCEPT lists.
    fn excluded(
        &mut self,
        item: &SelectItem,
        options: &WildcardAdditionalOptions,
        mut all: Columns,
    ) -> Lifted<Columns> {
        use sqlparser::ast::ExcludeSelectItem as Exclude;
        let o = options;
        if o.opt_ilike.is_some() || o.opt_replace.is_some() || o.opt_rename.is_some() || o.opt_alias.is_some() {
            return Err(self.unsupported(item, "ILIKE, REPLACE and RENAME behind `*`"));
        }
        let mut out: Vec<Ident> = match &o.opt_exclude {
            Some(Exclude::Single(name)) => names::parts(name).unwrap_or_default(),
            Some(Exclude::Multiple(list)) => list.iter().filter_map(names::parts).flatten().collect(),
            None => Vec::new(),
        };
        if let Some(except) = &o.opt_except {
            out.push(except.first_element.clone());
            out.extend(except.additional_elements.iter().cloned());
        }
        for name in out {
            let before = all.len();
            all.retain(|(n, _)| !names::same(&name, n));
            if all.len() == before {
                let help = names::help("columns", &name.value, all.iter().map(|c| &*c.0));
                let message = format!("there is no column `{}` to leave out", name.value);
                return Err(self.fault_help("flock::sql::unknown_column", &names::at(&name), message, help));
            }
        }
        Ok(all)
    }

    /// The name of a result that the query does not name.
    fn item_name(&self, e: &Expr, node: NodeId, scope: &Scope<'_>) -> Arc<str> {
        match e {
            Expr::Nested(e) => self.item_name(e, node, scope),
            Expr::Identifier(i) => self.column_name(i, node, scope),
            Expr::CompoundIdentifier(parts) => {
                parts.last().map_or_else(|| short(e), |i| self.column_name(i, node, scope))
            }
            Expr::Function(f) if names::function(&f.name).is_some_and(|n| n == "predict" || n == "predict_proba") => {
                self.prediction_name(node).unwrap_or_else(|| short(e))
            }
            e => e.to_string().into(),
        }
    }

    /// The name as the table has it.
    fn column_name(&self, written: &Ident, node: NodeId, scope: &Scope<'_>) -> Arc<str> {
        let column = scope.columns.iter().find(|c| c.node == node && names::same(written, &c.name));
        column.map_or_else(|| names::given(written), |c| c.name.clone())
    }

    // Grouping.

    /// One row per group, and the values of the block over it.
    fn grouped(
        &mut self,
        input: RelId,
        grouping: Grouping,
        block: &mut Block,
        windows: &mut [crate::window::Window],
        free: &HashSet<ColumnId>,
    ) -> Lifted<RelId> {
        let mut memo = HashMap::new();
        let mut keys = Vec::new();
        for node in block.groups.clone() {
            if memo.contains_key(&node) {
                continue;
            }
            let name = match self.column_of(node) {
                Some(id) => self.names[id.0 as usize].clone(),
                None => format!("key{}", keys.len()).into(),
            };
            let column = self.mint(&name, self.ty(node));
            let leaf = self.leaf(&column);
            self.like(node, leaf);
            self.open.remove(&leaf);
            memo.insert(node, leaf);
            keys.push((column, node));
        }
        let mut free = free.clone();
        free.extend(windows.iter().map(|w| w.column.id));
        let inner: Vec<NodeId> =
            keys.iter().map(|k| k.1).chain(grouping.aggregates.iter().filter_map(|a| a.0.arg)).collect();
        if self.columns_in(&inner).iter().any(|n| self.column_of(*n).is_some_and(|c| free.contains(&c))) {
            let message = "a subquery or a window inside of an aggregate or of GROUP BY is not supported";
            return Err(self.fault_at("flock::sql::unsupported", Span::empty(), message, None));
        }
        free.extend(grouping.aggregates.iter().map(|a| a.0.column.id));
        let mut told = None;
        let mut replace = |l: &mut Self, node: &mut NodeId, at: Span| match l.substitute(*node, &mut memo, &free, at) {
            Ok(new) => *node = new,
            Err(t) => told = Some(t),
        };
        for ((_, node), at) in block.items.iter_mut().zip(&block.spans) {
            replace(self, node, *at);
        }
        let others = block.having.iter_mut().chain(block.keys.iter_mut().map(|k| &mut k.key));
        for node in others.chain(windows.iter_mut().flat_map(|w| w.operands.iter_mut())) {
            replace(self, node, Span::empty());
        }
        match told {
            Some(told) => Err(told),
            None => {
                let aggregates = grouping.aggregates.into_iter().map(|a| a.0).collect();
                self.push(Rel::Aggregate { input, keys, aggregates })
            }
        }
    }

    /// The columns of a subquery's one row.
    fn row_columns(&self, rel: RelId) -> Vec<ColumnId> {
        match &self.rels[rel.index()] {
            Rel::Aggregate { aggregates, .. } => aggregates.iter().map(|a| a.column.id).collect(),
            _ => Vec::new(),
        }
    }
}

impl Block {
    /// The values that are computed last: the select list, then the sort keys.
    fn values(&self) -> Vec<NodeId> {
        self.items.iter().map(|i| i.1).chain(self.keys.iter().map(|k| k.key)).collect()
    }

    fn set_values(&mut self, values: &[NodeId]) {
        let nodes = self.items.iter_mut().map(|i| &mut i.1).chain(self.keys.iter_mut().map(|k| &mut k.key));
        nodes.zip(values).for_each(|(node, new)| *node = *new);
    }
}
