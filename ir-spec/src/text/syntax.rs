//! What a block says, before names are resolved: a query's frames may read columns that a later line mints.

use std::sync::Arc;

use super::lexer::Pos;
use crate::frame::Frame;
use crate::ops::{Attr, Op};
use crate::relation::{AggregateKind, JoinKind};
use crate::types::FrameType;

/// An operand.
pub(super) enum Operand<'t> {
    /// `%7`
    Node(u32),
    /// `@7`, or `@7?` where an outer join makes it nullable.
    Column(u32, bool),
    /// `#1a2b3c4d`
    Const(&'t str),
    /// `f64[1, 2]`
    Literal(Frame),
    /// A parameter.
    Name(Arc<str>),
}

/// An operand and where it stands.
pub(super) type At<'t> = (Operand<'t>, Pos);

/// `%5: f64[2] = op[attribute] operands`
pub(super) struct NodeLine<'t> {
    pub pos: Pos,
    pub number: u32,
    pub ty: Option<FrameType>,
    pub op: Op,
    pub attr: AttrText,
    pub args: Vec<At<'t>>,
}

/// What stands in brackets behind the operator.
pub(super) enum AttrText {
    /// Nothing, or everything that the attribute needs.
    Known(Attr),
    /// `cast`, `null`, `one_hot`: the line's type is the attribute.
    LineType,
    /// A call: its type is the line's, or else the output's.
    Call { function: Arc<str>, output: Arc<str> },
    /// SQL: its type is the line's.
    Opaque { sql: Arc<str> },
}

/// `name@7: i64?`
pub(super) struct Column {
    pub name: Arc<str>,
    pub id: u32,
    pub ty: FrameType,
}

/// A relation with its inputs by number.
pub(super) enum RelText<'t> {
    Scan { table: Vec<Arc<str>>, columns: Vec<Column> },
    Filter { input: u32, predicate: At<'t> },
    Project { input: u32, items: Vec<(Column, At<'t>)> },
    Join { kind: JoinKind, left: u32, right: u32, on: Option<At<'t>> },
    Aggregate { input: u32, keys: Vec<(Column, At<'t>)>, aggregates: Vec<AggregateText<'t>> },
    Sort { input: u32, keys: Vec<(At<'t>, bool, bool)> },
    Limit { input: u32, count: Option<u64>, offset: u64 },
    Distinct { input: u32 },
    Union { inputs: Vec<u32>, columns: Vec<Column> },
    Opaque { sql: Arc<str>, inputs: Vec<u32>, columns: Vec<Column> },
}

/// `n@9: i64 = count distinct @2`
pub(super) struct AggregateText<'t> {
    pub column: Column,
    pub kind: AggregateKind,
    pub distinct: bool,
    pub arg: Option<At<'t>>,
}

/// A line of a block.
pub(super) enum Line<'t> {
    Step(Option<String>),
    Node(NodeLine<'t>),
    Rel {
        pos: Pos,
        number: u32,
        rel: RelText<'t>,
    },
    /// `return name = %3, …` of a function.
    Outputs(Vec<(Arc<str>, At<'t>)>),
    /// `return r3` of a query.
    Root(u32, Pos),
}
