//! FROM: tables, views, CTEs, derived tables, predictions over a table.

use std::sync::Arc;

use flock_ir_spec::{ColumnDef, JoinKind, NodeId, Rel, RelId};
use sqlparser::ast::{Ident, JoinConstraint, ObjectName, Spanned, TableAlias, TableFactor, TableWithJoins};

use crate::catalog::{Catalog, NOT_KNOWN, Table};
use crate::expr::{Target, target};
use crate::forms::TableForm;
use crate::lifter::{Lifted, Lifter, Told};
use crate::names;
use crate::parse;
use crate::query::Open;
use crate::scope::{Scope, ScopeColumn, ScopeTable};

/// Rows and what their columns are called.
pub(crate) type Source = (RelId, Scope<'static>);

impl<'a> Lifter<'a> {
    /// The rows of FROM: tables between commas are crossed; without tables there is one row.
    pub fn from(&mut self, list: &[TableWithJoins]) -> Lifted<Source> {
        self.nested(|l| {
            let mut all: Option<Source> = None;
            for item in list {
                let next = l.joined(item)?;
                all = Some(match all {
                    Some(left) => l.join(left, next, JoinKind::Cross, &JoinConstraint::None, item)?,
                    None => next,
                });
            }
            all.map_or_else(|| l.one_row(), Ok)
        })
    }

    fn one_row(&mut self) -> Lifted<Source> {
        let column = self.mint("one", crate::expr::INTEGER.with_nulls(false));
        let rel =
            self.push(Rel::Opaque { sql: "SELECT 1 AS \"one\"".into(), inputs: vec![], columns: vec![column] })?;
        Ok((rel, Scope::default()))
    }

    fn joined(&mut self, item: &TableWithJoins) -> Lifted<Source> {
        let mut left = self.factor(&item.relation)?;
        for join in &item.joins {
            let right = self.factor(&join.relation)?;
            left = self.joined_with(left, right, join)?;
        }
        Ok(left)
    }

    fn factor(&mut self, factor: &TableFactor) -> Lifted<Source> {
        self.visit(factor.span());
        let source = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                self.table(name, alias.as_ref())
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let open = self.query(subquery, None, true);
                open.and_then(|open| self.derived(open, alias.as_ref(), Vec::new()))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins),
            TableFactor::Derived { lateral: true, .. } => Err(self.unsupported(factor, "LATERAL")),
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                Err(self.unsupported(factor, "TABLESAMPLE"))
            }
            TableFactor::Table { args: Some(_), name, .. } => {
                Err(self.unsupported(factor, format!("the table function `{name}`")))
            }
            TableFactor::UNNEST { .. } => Err(self.unsupported(factor, "UNNEST")),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => Err(self.unsupported(factor, "PIVOT")),
            _ => Err(self.unsupported(factor, "this form of table")),
        };
        source.or_else(|_| self.broken(factor))
    }

    /// In the place of a table with a fault: every column of it is known to be at fault.
    fn broken(&mut self, factor: &TableFactor) -> Lifted<Source> {
        let name = match factor {
            TableFactor::Table { alias: Some(a), .. } | TableFactor::Derived { alias: Some(a), .. } => {
                vec![names::given(&a.name)]
            }
            TableFactor::Table { name, .. } => {
                names::parts(name).unwrap_or_default().iter().map(names::given).collect()
            }
            _ => Vec::new(),
        };
        let (rel, mut scope) = self.one_row()?;
        scope.tables.push(ScopeTable { name, open: None, broken: true });
        Ok((rel, scope))
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Lifted<Source> {
        let Some(parts) = names::parts(name) else { return Err(self.unsupported(name, "a computed table name")) };
        if let [only] = parts.as_slice() {
            if let Some(form) = only.value.strip_prefix(&*self.marker).and_then(|i| i.parse::<usize>().ok()) {
                let forms = self.forms.clone();
                return forms.get(form).ok_or(Told).and_then(|form| self.form(form, alias));
            }
            if let Some(i) = self.ctes.iter().rposition(|c| names::same(only, &c.name.value)) {
                let open = self.cte(i)?;
                return self.derived(open, alias, vec![names::given(only)]);
            }
            let catalog = self.catalog;
            let view = catalog.views.iter().find(|(n, _)| names::same(only, n));
            if let Some((view, sql)) = view {
                let open = self.view(view, sql, only)?;
                return self.derived(open, alias, vec![view.as_str().into()]);
            }
        }
        match self.catalog_table(&parts)? {
            Some(table) => self.scan(table, &parts, alias),
            None => self.scan_open(&parts, alias),
        }
    }

    /// A CTE: the first user reads its values, others read a copy with columns of its own.
    fn cte(&mut self, i: usize) -> Lifted<Open> {
        let Some(open) = self.ctes[i].open.clone() else { return Err(Told) };
        if !std::mem::replace(&mut self.ctes[i].used, true) {
            return Ok(open);
        }
        let (rel, columns) = self.project(open.rel, open.columns)?;
        Ok(Open { rel, columns, closed: true })
    }

    /// A view is its query, in which the names around do not count.
    fn view(&mut self, name: &str, sql: &str, at: &Ident) -> Lifted<Open> {
        if self.views.iter().any(|v| v == name) {
            return Err(self.fault(
                "flock::sql::unsupported",
                &names::at(at),
                format!("the view `{name}` reads itself"),
            ));
        }
        let parsed = parse::parse(&format!("{}:{name}", self.name), sql).map_err(|faults| {
            self.faults.extend(faults);
            Told
        })?;
        let forms = std::mem::replace(&mut self.forms, parsed.forms.clone());
        let marker = std::mem::replace(&mut self.marker, parsed.marker.clone());
        let ctes = std::mem::take(&mut self.ctes);
        self.views.push(name.to_owned());
        let open = self.nested(|l| l.query(&parsed.query, None, true));
        self.views.pop();
        (self.forms, self.marker, self.ctes) = (forms, marker, ctes);
        open
    }

    /// The table of the catalog whose name ends in these parts; None where any table is allowed.
    fn catalog_table(&mut self, parts: &[Ident]) -> Lifted<Option<&'a Table>> {
        let catalog: &'a Catalog = self.catalog;
        let ends = |t: &&Table| {
            let n = t.name.len();
            n >= parts.len() && t.name[n - parts.len()..].iter().zip(parts).all(|(n, p)| names::same(p, n))
        };
        let found: Vec<&'a Table> = catalog.tables.iter().filter(ends).collect();
        let whole: Vec<&'a Table> = found.iter().filter(|t| t.name.len() == parts.len()).copied().collect();
        let found = if whole.is_empty() { found } else { whole };
        let text = || parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
        match found.as_slice() {
            [one] => Ok(Some(one)),
            [] if catalog.any_table => Ok(None),
            [] => {
                let mut all: Vec<String> = catalog.tables.iter().map(|t| t.name.join(".")).collect();
                all.extend(self.ctes.iter().map(|c| c.name.value.clone()).chain(catalog.views.keys().cloned()));
                let help = names::help("tables", &text(), all.iter().map(String::as_str));
                let at = ObjectName::from(parts.to_vec());
                Err(self.fault_help("flock::sql::unknown_table", &at, format!("there is no table `{}`", text()), help))
            }
            many => {
                let all: Vec<String> = many.iter().map(|t| t.name.join(".")).collect();
                let at = ObjectName::from(parts.to_vec());
                Err(self.fault(
                    "flock::sql::ambiguous_table",
                    &at,
                    format!("`{}` is ambiguous: {}", text(), all.join(", ")),
                ))
            }
        }
    }

    fn scan(&mut self, table: &Table, parts: &[Ident], alias: Option<&TableAlias>) -> Lifted<Source> {
        let name: Arc<[Arc<str>]> = table.name[table.name.len() - parts.len()..].into();
        let Some(columns) = &table.columns else { return self.scan_open_as(name, alias) };
        let mut defs = Vec::new();
        let mut leaves = Vec::new();
        for c in columns {
            let def = self.mint(&c.name, c.ty.unwrap_or(NOT_KNOWN));
            let leaf = self.leaf(&def);
            if c.ty.is_none() {
                self.unknown.insert(leaf);
            }
            if !c.nan {
                self.no_nan.insert(leaf);
            }
            leaves.push((c.name.clone(), leaf));
            defs.push(def);
        }
        let rel = self.push(Rel::Scan { table: name.clone(), columns: defs })?;
        self.derived(Open { rel, columns: leaves, closed: true }, alias, name.to_vec())
    }

    fn scan_open(&mut self, parts: &[Ident], alias: Option<&TableAlias>) -> Lifted<Source> {
        let fold = |p: &Ident| if p.quote_style.is_some() { p.value.clone() } else { p.value.to_lowercase() };
        self.scan_open_as(parts.iter().map(|p| Arc::from(fold(p))).collect(), alias)
    }

    /// A table whose columns are those that the query names.
    fn scan_open_as(&mut self, name: Arc<[Arc<str>]>, alias: Option<&TableAlias>) -> Lifted<Source> {
        if let Some(a) = alias.filter(|a| !a.columns.is_empty()) {
            return Err(self.unsupported(&names::at(&a.name), "column names for a table whose columns are not known"));
        }
        let shown = alias.map_or_else(|| name.to_vec(), |a| vec![names::given(&a.name)]);
        let rel = self.push(Rel::Scan { table: name, columns: Vec::new() })?;
        let table = ScopeTable { name: shown, open: Some(rel), broken: false };
        Ok((rel, Scope { tables: vec![table], ..Scope::default() }))
    }

    /// A column of a table whose schema is not known.
    pub fn open_column(&mut self, rel: RelId, column: &Ident) -> Lifted<NodeId> {
        let name: Arc<str> =
            if column.quote_style.is_some() { names::given(column) } else { column.value.to_lowercase().into() };
        if let Some(def) = self.open_columns.get(&(rel, name.clone())).cloned() {
            return Ok(self.leaf(&def));
        }
        let Rel::Scan { table, .. } = &self.rels[rel.index()] else { return Err(Told) };
        let key = (table.join("."), name.clone());
        let learned = self.learned.get(&key).copied();
        let def: ColumnDef = self.mint(&name, learned.unwrap_or(NOT_KNOWN));
        let leaf = self.leaf(&def);
        if learned.is_none() {
            self.unknown.insert(leaf);
        }
        self.open.insert(leaf, key);
        self.open_columns.insert((rel, name), def.clone());
        if let Rel::Scan { columns, .. } = &mut self.rels[rel.index()] {
            columns.push(def);
        }
        Ok(leaf)
    }

    /// A lifted query as a table under an alias, or under a name of its own.
    fn derived(&mut self, open: Open, alias: Option<&TableAlias>, own: Vec<Arc<str>>) -> Lifted<Source> {
        let name = match alias {
            Some(a) if a.at.is_some() => return Err(self.unsupported(&names::at(&a.name), "AT behind an alias")),
            Some(a) => vec![names::given(&a.name)],
            None => own,
        };
        let open = self.renamed(open, alias.map_or(&[], |a| &a.columns))?;
        let column = |(name, node): (Arc<str>, NodeId)| ScopeColumn { table: Some(0), name, node, plain: true };
        let columns = open.columns.into_iter().map(column).collect();
        Ok((
            open.rel,
            Scope { tables: vec![ScopeTable { name, open: None, broken: false }], columns, ..Scope::default() },
        ))
    }

    // Predictions over a table.

    fn form(&mut self, form: &TableForm, alias: Option<&TableAlias>) -> Lifted<Source> {
        self.visit(form.span);
        let (rel, mut scope) = self.factor(&form.data)?;
        if scope.tables.iter().any(|t| t.broken) {
            return Err(Told);
        }
        let (name, model) = self.model(&form.model, form.span)?;
        let args = self.bind_by_name(name, model, &scope, form.span)?;
        let mut outputs: Vec<(Arc<str>, NodeId)> = Vec::new();
        for output in model.outputs() {
            let node = self.call(name, output, &args)?;
            outputs.push((output.0.clone(), node));
        }
        if let Some(wanted) = &form.outputs {
            outputs = self.with_outputs(name, wanted, &outputs)?;
        }
        let shown = alias.map(|a| vec![names::given(&a.name)]).unwrap_or_default();
        if !form.own_alias {
            let columns = std::mem::take(&mut scope.columns);
            scope.tables = Vec::new();
            scope.columns =
                columns.into_iter().filter(|c| c.plain).map(|c| ScopeColumn { table: Some(0), ..c }).collect();
            if let Some((twice, _)) = outputs.iter().find(|(n, _)| scope.columns.iter().any(|c| c.name == *n)) {
                let message = format!("the data has a column `{twice}`, and the model `{name}` gives one of that name");
                return Err(self.fault_at(
                    "flock::sql::collision",
                    form.span,
                    message,
                    Some("rename the column of the data".into()),
                ));
            }
        }
        let table = scope.tables.len();
        scope.tables.push(ScopeTable { name: shown, open: None, broken: false });
        scope.columns.extend(outputs.into_iter().map(|(name, node)| ScopeColumn {
            table: Some(table),
            name,
            node,
            plain: true,
        }));
        match alias.map(|a| a.columns.as_slice()) {
            Some([first, ..]) => {
                Err(self.unsupported(&names::at(&first.name), "column names behind the alias of a prediction"))
            }
            _ => Ok((rel, scope)),
        }
    }

    /// The outputs that `WITH (name type, …)` lists, in the types that it gives them.
    fn with_outputs(
        &mut self,
        model: &str,
        wanted: &[(Ident, sqlparser::ast::DataType)],
        outputs: &[(Arc<str>, NodeId)],
    ) -> Lifted<Vec<(Arc<str>, NodeId)>> {
        let mut given = Vec::new();
        for (name, ty) in wanted {
            let Some((_, node)) = outputs.iter().find(|(n, _)| names::same(name, n)) else {
                let help = names::help("outputs", &name.value, outputs.iter().map(|o| &*o.0));
                let message = format!("the model `{model}` has no output `{}`", name.value);
                return Err(self.fault_help("flock::sql::unknown_output", &names::at(name), message, help));
            };
            let from = self.ty(*node).dtype;
            // FLOAT is SQL Server's here: a double.
            let to = match target(ty) {
                Target::Is(dtype) => Some(dtype),
                Target::Float => Some(flock_ir_spec::DType::F64),
                Target::Other => None,
            };
            let fits = |to: flock_ir_spec::DType| from == to || (to.is_float() && from.is_number());
            match to {
                Some(to) if fits(to) => given.push((names::given(name), self.cast_to(*node, to)?)),
                None if from == flock_ir_spec::DType::Str && is_text(ty) => given.push((names::given(name), *node)),
                _ => {
                    let message = format!("the output `{}` of the model `{model}` is {from}, not {ty}", name.value);
                    return Err(self.fault("flock::sql::type", &names::at(name), message));
                }
            }
        }
        Ok(given)
    }
}

/// Text with a length: SQL Server cannot name text without one.
fn is_text(ty: &sqlparser::ast::DataType) -> bool {
    use sqlparser::ast::DataType as T;
    matches!(ty, T::Varchar(_) | T::Nvarchar(_) | T::Char(_) | T::Character(_) | T::CharacterVarying(_))
}
