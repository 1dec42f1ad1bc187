//! The e-graph's language: the IR's own operators and relations; an operand is a class.

use std::sync::Arc;

use egg::{FromOp, Id, Language};
use flock_ir_spec::ops::AttrKind;
use flock_ir_spec::{AggregateKind, Attr, ColumnDef, ColumnId, JoinKind, Op};

/// The e-graph of one optimisation.
pub type Egraph<'a> = egg::EGraph<Enode, crate::analysis::Ir<'a>>;

/// An aggregate without its operand, which is a child.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateHead {
    /// The column that it gives.
    pub column: ColumnDef,
    /// Which.
    pub kind: AggregateKind,
    /// Over distinct values.
    pub distinct: bool,
    /// Whether it has an operand.
    pub arg: bool,
}

/// What a node is, apart from its children.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Head {
    /// A frame: children are the operands. Without attribute it stands in a pattern for any attribute.
    Frame(Op, Option<Attr>),
    /// No children.
    Scan(Arc<[Arc<str>]>, Arc<[ColumnDef]>),
    /// Input, predicate.
    Filter,
    /// Input, items.
    Project(Arc<[ColumnDef]>),
    /// Left, right, condition where there is one.
    Join(JoinKind),
    /// Input, keys, operands of the aggregates that have one.
    Aggregate(Arc<[ColumnDef]>, Arc<[AggregateHead]>),
    /// Input, keys; per key (descending, nulls first).
    Sort(Arc<[(bool, bool)]>),
    /// Input; count, offset.
    Limit(Option<u64>, u64),
    /// Input.
    Distinct,
    /// Inputs.
    Union(Arc<[ColumnDef]>),
    /// Inputs; the template and what it gives.
    Opaque(Arc<str>, Arc<[ColumnDef]>),
}

/// What rules are rooted at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// A frame of that operator.
    Frame(Op),
    /// `scan`
    Scan,
    /// `filter`
    Filter,
    /// `project`
    Project,
    /// `join`
    Join,
    /// `aggregate`
    Aggregate,
    /// `sort`
    Sort,
    /// `limit`
    Limit,
    /// `distinct`
    Distinct,
    /// `union`
    Union,
    /// `opaque` as a relation
    Opaque,
}

/// A node of the e-graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Enode {
    /// What it is.
    pub head: Head,
    /// Its operands.
    pub children: Box<[Id]>,
}

impl Enode {
    /// A node.
    pub fn new(head: Head, children: &[Id]) -> Enode {
        Enode { head, children: children.into() }
    }

    /// A frame.
    pub fn frame(op: Op, attr: Attr, children: &[Id]) -> Enode {
        Enode::new(Head::Frame(op, Some(attr)), children)
    }

    /// The operator of a frame.
    pub fn op(&self) -> Option<Op> {
        if let Head::Frame(op, _) = self.head { Some(op) } else { None }
    }

    /// The attribute of a frame.
    pub fn attr(&self) -> &Attr {
        if let Head::Frame(_, Some(attr)) = &self.head { attr } else { &Attr::None }
    }

    /// The children where it is a frame of that operator.
    pub fn is(&self, op: Op) -> Option<&[Id]> {
        (self.op() == Some(op)).then_some(&*self.children)
    }

    /// The leaf of data that it is: a parameter or a column.
    pub fn leaf(&self) -> Option<Leaf> {
        match (self.op()?, self.attr()) {
            (Op::Input, Attr::Param(i)) => Some(Leaf::Param(*i)),
            (Op::Column, Attr::Column(c)) => Some(Leaf::Column(*c)),
            _ => None,
        }
    }

    /// How many children of a relation are relations; they come first.
    pub fn inputs(&self) -> usize {
        match self.head {
            Head::Frame(..) | Head::Scan(..) => 0,
            Head::Join(_) => 2,
            Head::Union(_) | Head::Opaque(..) => self.children.len(),
            _ => 1,
        }
    }

    /// What a rule for it is rooted at.
    pub fn root(&self) -> Root {
        match self.head {
            Head::Frame(op, _) => Root::Frame(op),
            Head::Scan(..) => Root::Scan,
            Head::Filter => Root::Filter,
            Head::Project(_) => Root::Project,
            Head::Join(_) => Root::Join,
            Head::Aggregate(..) => Root::Aggregate,
            Head::Sort(_) => Root::Sort,
            Head::Limit(..) => Root::Limit,
            Head::Distinct => Root::Distinct,
            Head::Union(_) => Root::Union,
            Head::Opaque(..) => Root::Opaque,
        }
    }
}

/// Where data enters a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    /// A parameter of the function.
    Param(u32),
    /// A column of a relation.
    Column(ColumnId),
}

impl Language for Enode {
    type Discriminant = Root;

    fn discriminant(&self) -> Root {
        self.root()
    }

    fn matches(&self, other: &Enode) -> bool {
        self.children.len() == other.children.len()
            && match (&self.head, &other.head) {
                (Head::Frame(a, x), Head::Frame(b, y)) => a == b && (x.is_none() || y.is_none() || x == y),
                (a, b) => a == b,
            }
    }

    fn children(&self) -> &[Id] {
        &self.children
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.children
    }
}

impl FromOp for Enode {
    type Error = String;

    /// A node of a pattern: an operator by its name, with any attribute where it takes one.
    fn from_op(op: &str, children: Vec<Id>) -> Result<Enode, String> {
        let op = Op::parse(op).ok_or_else(|| format!("no operator `{op}`"))?;
        let attr = (op.record().attr == AttrKind::None).then_some(Attr::None);
        Ok(Enode::new(Head::Frame(op, attr), &children))
    }
}
