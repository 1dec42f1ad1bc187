//! What a query may name: tables, views and models.

use std::collections::BTreeMap;
use std::sync::Arc;

use flock_ir_spec::{Attr, DType, Diagnostic, FrameType, Function, Graph, Module, Op, Param};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name as the table has it.
    pub name: Arc<str>,
    /// Width 1; None for a type that the IR does not have (dates, decimals, lists): it can be passed on, compared by the
    /// database and cast.
    pub ty: Option<FrameType>,
    /// Whether a float may be NaN. False where the database or the file is known to hold none; comparisons are simpler then.
    pub nan: bool,
}

impl Column {
    /// A column of that type; a float may be NaN.
    pub fn new(name: impl Into<Arc<str>>, ty: FrameType) -> Column {
        Column { name: name.into(), ty: Some(ty.with_width(1)), nan: ty.dtype.is_float() }
    }

    /// A column of a type that the IR does not have.
    pub fn other(name: impl Into<Arc<str>>) -> Column {
        Column { name: name.into(), ty: None, nan: false }
    }

    /// The same, known to hold no NaN.
    #[must_use]
    pub fn without_nan(self) -> Column {
        Column { nan: false, ..self }
    }
}

/// A table by its name, part by part (`schema`, `table`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The parts of the name.
    pub name: Vec<Arc<str>>,
    /// The columns in order; None where the schema is not known. Such a table has every column that a query names, and a
    /// column that is bound to a model's parameter has the parameter's type.
    pub columns: Option<Vec<Column>>,
}

/// A model: a function with a name in the catalog.
#[derive(Clone, Debug)]
pub struct Model {
    module: Arc<Module>,
    params: Vec<Param>,
    outputs: Vec<(Arc<str>, FrameType)>,
}

impl Model {
    /// The parameters of its function, in order.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The outputs of its function with their types, in order.
    pub fn outputs(&self) -> &[(Arc<str>, FrameType)] {
        &self.outputs
    }

    pub(crate) fn module(&self) -> &Module {
        &self.module
    }
}

/// Tables, views and models by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) tables: Vec<Table>,
    pub(crate) views: BTreeMap<String, String>,
    pub(crate) models: BTreeMap<String, Model>,
    pub(crate) any_table: bool,
}

impl Catalog {
    /// An empty catalog.
    pub fn new() -> Catalog {
        Catalog::default()
    }

    /// Adds a table, or replaces the one of that name.
    pub fn add_table(&mut self, table: Table) -> &mut Catalog {
        self.tables.retain(|t| t.name != table.name);
        self.tables.push(table);
        self
    }

    /// Adds a table with a name of one part.
    pub fn table(&mut self, name: &str, columns: impl IntoIterator<Item = Column>) -> &mut Catalog {
        self.add_table(Table { name: vec![name.into()], columns: Some(columns.into_iter().collect()) })
    }

    /// A table that is not in the catalog is one whose schema is not known; without this it is a fault.
    pub fn allow_any_table(&mut self) -> &mut Catalog {
        self.any_table = true;
        self
    }

    /// Adds a view: a query that stands for its name.
    pub fn view(&mut self, name: &str, sql: &str) -> &mut Catalog {
        self.views.insert(name.into(), sql.into());
        self
    }

    /// Adds a model: the last function of the module, which calls the others. In the lifted module it has the name given
    /// here, whatever it was called.
    ///
    /// # Errors
    /// The module has no function, or an output or a parameter is wider than one column.
    pub fn model(&mut self, name: &str, module: &Module) -> Result<&mut Catalog, Diagnostic> {
        let fault = |message: &str| Err(Diagnostic::new("flock::sql::no_pipeline", name, message));
        let Some(function) = module.functions.last() else { return fault("the module has no function") };
        let outputs: Vec<(Arc<str>, FrameType)> =
            function.outputs.iter().filter_map(|o| Some((o.name.clone(), function.output_type(o)?))).collect();
        let wide = outputs.iter().map(|o| o.1).chain(function.params.iter().map(|p| p.ty)).any(|t| t.width != 1);
        if wide || outputs.len() != function.outputs.len() {
            return fault("the function has a parameter or an output that is no column, so that SQL cannot name it");
        }
        let model = Model { params: function.params.clone(), outputs, module: Arc::new(renamed(module, name)) };
        self.models.insert(name.into(), model);
        Ok(self)
    }

    /// The models by name.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Model)> {
        self.models.iter().map(|(name, model)| (name.as_str(), model))
    }
}

/// The same module with the last function under that name and the others behind it, so that models do not collide.
fn renamed(module: &Module, name: &str) -> Module {
    let Some(last) = module.functions.last().map(|f| f.name.clone()) else { return module.clone() };
    let new = |old: &str| -> Arc<str> { if *old == *last { name.into() } else { format!("{name}.{old}").into() } };
    let functions = module.functions.iter().map(|f| {
        let f = Function { name: new(&f.name), ..f.clone() };
        if f.graph.nodes().iter().any(|n| n.op == Op::Call) { with_calls(&f, &new) } else { f }
    });
    Module { constants: module.constants.clone(), functions: functions.collect(), queries: Vec::new() }
}

/// The same function with the functions that it calls under new names.
fn with_calls(f: &Function, new: &dyn Fn(&str) -> Arc<str>) -> Function {
    let all = vec![true; f.graph.nodes().len()];
    let rebuilt = Graph::rebuild(&f.graph, &all, |g, _, node, args| match &node.attr {
        Attr::Call { function, output, ty } => {
            let attr = Attr::Call { function: new(function), output: output.clone(), ty: *ty };
            g.add(node.op, attr, args)
        }
        _ => g.add_like(node, args),
    });
    let Ok((graph, became)) = rebuilt else { return f.clone() };
    let mut out = Function { graph, ..f.clone() };
    out.outputs.retain_mut(|o| became[o.node.index()].map(|n| o.node = n).is_some());
    out
}

/// What `str?` stands for where a value's type is not known: no model and no operator of the IR reads it.
pub(crate) const NOT_KNOWN: FrameType = FrameType::new(DType::Str, 1).nullable();
