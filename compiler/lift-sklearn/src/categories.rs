//! Categories of the encoders: values to positions.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::{Columns, Kind};
use crate::lift::Lift;
use crate::read::numpy::Kind as ElementKind;
use crate::read::view::{Plain, View};

/// The categories of one column, in the encoder's order.
pub struct Categories {
    /// The values; at `missing` there is one that stands for None or NaN.
    values: Vec<Plain>,
    kind: Kind,
    missing: Option<usize>,
}

/// Position of a value that is no category, where nothing else is said.
pub const UNKNOWN: i64 = -1;

impl Categories {
    /// The categories of `categories_[i]`.
    pub fn of(view: &View<'_>) -> Result<Categories, Diagnostic> {
        Categories::from(view.plains()?, view)
    }

    /// The categories of that order; `view` is where they stand.
    pub fn from(values: Vec<Plain>, view: &View<'_>) -> Result<Categories, Diagnostic> {
        let is_missing = |p: &Plain| matches!(p, Plain::None | Plain::Na) || matches!(p, Plain::Float(f) if f.is_nan());
        let mut missing = values.iter().enumerate().filter(|(_, p)| is_missing(p)).map(|(i, _)| i);
        let (first, second) = (missing.next(), missing.next());
        if second.is_some() {
            return Err(
                view.unsupported("None and NaN are both categories, and a null cannot be told to be one of them")
            );
        }
        let known = values.iter().filter(|p| !is_missing(p));
        let kind_of = |p: &Plain| match p {
            Plain::Str(_) => Kind::Text,
            Plain::Bool(_) => Kind::Bool,
            _ => Kind::Number,
        };
        let kinds: Vec<Kind> = known.map(kind_of).collect();
        let kind = match kinds.first() {
            Some(kind) if kinds.iter().all(|k| k == kind) => *kind,
            Some(_) => return Err(view.expected("categories of one type")),
            None if view.element_kind() == Some(ElementKind::Float) => Kind::Number,
            None => Kind::Text,
        };
        if kind == Kind::Number && values.iter().any(|p| !is_missing(p) && p.number().is_none()) {
            return Err(view.unsupported("an integer category beyond 2^53, which a double does not hold"));
        }
        Ok(Categories { values, kind, missing: first })
    }

    /// Number of categories.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The category of that position, as Python prints it.
    pub fn text(&self, i: usize) -> String {
        crate::labels::text(&self.values[i])
    }

    /// What the column holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn row(&self, order: &[usize], kind: Kind) -> Frame {
        let values = order.iter().map(|i| &self.values[*i]);
        match kind {
            Kind::Number | Kind::Integer => {
                Frame::row_f64(values.map(|p| p.number().unwrap_or(f64::NAN)).collect::<Vec<_>>())
            }
            Kind::Bool => Frame::row_bool(values.map(|p| *p == Plain::Bool(true)).collect::<Vec<_>>()),
            Kind::Text => Frame::row_str(values.map(crate::labels::text)),
        }
    }
}

impl Lift {
    /// The position of each value of a column (i64, never null): `positions[c]` for category c, at least `width` where
    /// that is None, `unknown` where the value is no category.
    pub fn positions(
        &mut self,
        column: &Columns,
        categories: &Categories,
        positions: &[Option<usize>],
        width: usize,
        unknown: i64,
        place: &View<'_>,
    ) -> Result<NodeId, Diagnostic> {
        let (node, kind) = self.single(column, categories.kind, place)?;
        let number_of_bool = kind == Kind::Number && categories.kind == Kind::Bool;
        if kind != categories.kind && !number_of_bool {
            let message = format!("the categories are {}, the column is {}", categories.kind.name(), kind.name());
            return Err(Diagnostic::new("flock::lift::column_type", place.path(), message));
        }
        // A null is no element of a constant; the NaN of numbers is.
        let in_table = |c: &usize| kind == Kind::Number || categories.missing != Some(*c);
        let mut order: Vec<usize> = (0..categories.len()).filter(in_table).collect();
        order.sort_by_key(|c| positions[*c].unwrap_or(usize::MAX));
        let at = |c: usize| positions[c].unwrap_or(width) as i64;
        // Where the order of the table is the order of the positions, the index is the position.
        let direct =
            unknown == UNKNOWN && order.iter().enumerate().all(|(i, c)| positions[*c].map_or(i >= width, |p| p == i));
        let null = categories.missing.map_or(unknown, at);
        if order.is_empty() {
            return self.only_missing(node, null, unknown);
        }
        let table = self.b.constant(categories.row(&order, kind));
        let index = self.op(Op::IndexOf, &[node, table])?;
        if direct {
            return self.or_else(index, Frame::row_i64([null]));
        }
        let index = self.or_else(index, Frame::row_i64([order.len() as i64]))?;
        let mut table: Vec<i64> = order.iter().map(|c| at(*c)).collect();
        table.push(null);
        let zero = self.b.constant(Frame::row_i64([0]));
        let none = self.op(Op::Lt, &[index, zero])?;
        let table = Frame { rows: table.len(), width: 1, ..Frame::row_i64(table) };
        let table = self.b.constant(table);
        let position = self.op(Op::Lookup, &[index, table])?;
        let unknown = self.b.constant(Frame::row_i64([unknown]));
        self.op(Op::Select, &[none, unknown, position])
    }

    /// Of a column whose only category is None or NaN.
    fn only_missing(&mut self, node: NodeId, position: i64, unknown: i64) -> Result<NodeId, Diagnostic> {
        let missing = self.op(Op::IsNull, &[node])?;
        let (yes, no) = (self.b.constant(Frame::row_i64([position])), self.b.constant(Frame::row_i64([unknown])));
        self.op(Op::Select, &[missing, yes, no])
    }

    /// Refuses rows whose value is no category.
    pub fn refuse_unknown(&mut self, position: NodeId) -> Result<(), Diagnostic> {
        let zero = self.b.constant(Frame::row_i64([0]));
        let known = self.op(Op::Ge, &[position, zero])?;
        self.b.refuse_unless(known);
        Ok(())
    }
}
