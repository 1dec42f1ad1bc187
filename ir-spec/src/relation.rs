//! Relations: named, typed, nullable columns, and the queries over them.

use std::sync::Arc;

use crate::graph::{Graph, NodeId};
use crate::ops::ColumnId;
use crate::types::FrameType;

/// The index of a relation in its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelId(pub u32);

impl RelId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column: an id that means the same wherever it is named, a name for the reader and the target, a type of width 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnDef {
    /// Unique in the module.
    pub id: ColumnId,
    /// The name in the relation.
    pub name: Arc<str>,
    /// Width 1.
    pub ty: FrameType,
}

/// How rows of two relations meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JoinKind {
    /// Pairs for which the condition is true.
    Inner,
    /// And the left rows without a partner, the right side null.
    Left,
    /// And the right rows without a partner, the left side null.
    Right,
    /// Both.
    Full,
    /// Every pair; no condition.
    Cross,
    /// Left rows with a partner; columns of the left side only.
    Semi,
    /// Left rows without a partner; columns of the left side only.
    Anti,
}

impl JoinKind {
    /// Every kind.
    pub const ALL: [JoinKind; 7] = [
        JoinKind::Inner,
        JoinKind::Left,
        JoinKind::Right,
        JoinKind::Full,
        JoinKind::Cross,
        JoinKind::Semi,
        JoinKind::Anti,
    ];

    /// As written in the text form.
    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Right => "right",
            JoinKind::Full => "full",
            JoinKind::Cross => "cross",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
        }
    }
}

/// An aggregate over the rows of a group. Nulls are skipped; NaN is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AggregateKind {
    /// Number of rows, or of rows where the operand is not null.
    Count,
    /// Sum; null for no rows.
    Sum,
    /// Mean as f64; null for no rows.
    Avg,
    /// Least.
    Min,
    /// Greatest.
    Max,
}

impl AggregateKind {
    /// Every kind.
    pub const ALL: [AggregateKind; 5] =
        [AggregateKind::Count, AggregateKind::Sum, AggregateKind::Avg, AggregateKind::Min, AggregateKind::Max];

    /// As written in the text form, and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            AggregateKind::Count => "count",
            AggregateKind::Sum => "sum",
            AggregateKind::Avg => "avg",
            AggregateKind::Min => "min",
            AggregateKind::Max => "max",
        }
    }
}

/// One aggregate of an `aggregate`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aggregate {
    /// The column that it gives.
    pub column: ColumnDef,
    /// Which.
    pub kind: AggregateKind,
    /// Over distinct values.
    pub distinct: bool,
    /// The operand, a frame of width 1 over the input; None for `count(*)`.
    pub arg: Option<NodeId>,
}

/// One key of a `sort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SortKey {
    /// A frame of width 1 over the input.
    pub key: NodeId,
    /// Greatest first.
    pub descending: bool,
    /// Nulls before everything else, whatever the direction.
    pub nulls_first: bool,
}

/// A relation. Frames in it are nodes of the query's graph over the columns of the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Rel {
    /// The rows of a table. Each scan mints its own column ids, so that self-joins differ.
    Scan {
        /// The table's name as the query wrote it, part by part (`schema`, `table`).
        table: Arc<[Arc<str>]>,
        /// The columns that are read.
        columns: Vec<ColumnDef>,
    },
    /// Rows for which the predicate (bool, width 1) is true.
    Filter {
        /// Rows.
        input: RelId,
        /// Condition.
        predicate: NodeId,
    },
    /// Computed columns. Each item mints an id.
    Project {
        /// Rows.
        input: RelId,
        /// Columns and their values.
        items: Vec<(ColumnDef, NodeId)>,
    },
    /// Pairs of rows.
    Join {
        /// Which pairs.
        kind: JoinKind,
        /// Left side.
        left: RelId,
        /// Right side; its ids differ from the left side's.
        right: RelId,
        /// Condition over both sides; None for `cross`.
        on: Option<NodeId>,
    },
    /// One row per group; one row in all where there are no keys.
    Aggregate {
        /// Rows.
        input: RelId,
        /// Keys; nulls form a group.
        keys: Vec<(ColumnDef, NodeId)>,
        /// Aggregates.
        aggregates: Vec<Aggregate>,
    },
    /// Rows in order; stable. Order is part of a query's result only at its root and under `limit`.
    Sort {
        /// Rows.
        input: RelId,
        /// Keys, the first counts most.
        keys: Vec<SortKey>,
    },
    /// Some of the rows, by position.
    Limit {
        /// Rows.
        input: RelId,
        /// At most so many; None for all.
        count: Option<u64>,
        /// After so many.
        offset: u64,
    },
    /// Equal rows once (nulls are equal to one another).
    Distinct {
        /// Rows.
        input: RelId,
    },
    /// The rows of all inputs, repeated rows kept. Column j of the result is column j of each input.
    Union {
        /// Inputs with the same dtypes in the same order.
        inputs: Vec<RelId>,
        /// The result's columns.
        columns: Vec<ColumnDef>,
    },
    /// A table expression that is carried and not read: `{i}` in the text stands for input i as a subquery.
    Opaque {
        /// The template.
        sql: Arc<str>,
        /// Inputs.
        inputs: Vec<RelId>,
        /// What it gives, as far as is known.
        columns: Vec<ColumnDef>,
    },
}

impl Rel {
    /// The name in the text form.
    pub fn name(&self) -> &'static str {
        match self {
            Rel::Scan { .. } => "scan",
            Rel::Filter { .. } => "filter",
            Rel::Project { .. } => "project",
            Rel::Join { .. } => "join",
            Rel::Aggregate { .. } => "aggregate",
            Rel::Sort { .. } => "sort",
            Rel::Limit { .. } => "limit",
            Rel::Distinct { .. } => "distinct",
            Rel::Union { .. } => "union",
            Rel::Opaque { .. } => "opaque",
        }
    }

    /// The relations that it reads.
    pub fn inputs(&self) -> Vec<RelId> {
        match self {
            Rel::Scan { .. } => vec![],
            Rel::Filter { input, .. }
            | Rel::Project { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input } => vec![*input],
            Rel::Join { left, right, .. } => vec![*left, *right],
            Rel::Union { inputs, .. } | Rel::Opaque { inputs, .. } => inputs.clone(),
        }
    }

    /// The frames that it evaluates.
    pub fn frames(&self) -> Vec<NodeId> {
        match self {
            Rel::Filter { predicate, .. } => vec![*predicate],
            Rel::Project { items, .. } => items.iter().map(|(_, n)| *n).collect(),
            Rel::Join { on, .. } => on.iter().copied().collect(),
            Rel::Aggregate { keys, aggregates, .. } => {
                keys.iter().map(|(_, n)| *n).chain(aggregates.iter().filter_map(|a| a.arg)).collect()
            }
            Rel::Sort { keys, .. } => keys.iter().map(|k| k.key).collect(),
            _ => vec![],
        }
    }
}

/// A query: relations in topological order over one graph of frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The name, unique in the module.
    pub name: Arc<str>,
    /// The frames of all relations; leaves are columns and constants.
    pub graph: Graph,
    /// Each relation comes after its inputs.
    pub rels: Vec<Rel>,
    /// The result.
    pub root: RelId,
}

impl Query {
    /// The relation of that id.
    pub fn rel(&self, id: RelId) -> &Rel {
        &self.rels[id.index()]
    }

    /// The columns that a relation gives, in order. An outer join makes the columns of its null side nullable.
    pub fn columns(&self, id: RelId) -> Vec<ColumnDef> {
        let nullable = |columns: Vec<ColumnDef>, yes: bool| {
            columns.into_iter().map(|c| ColumnDef { ty: c.ty.with_nulls(c.ty.nullable || yes), ..c }).collect::<Vec<_>>()
        };
        match self.rel(id) {
            Rel::Scan { columns, .. } | Rel::Union { columns, .. } | Rel::Opaque { columns, .. } => columns.clone(),
            Rel::Filter { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input } => self.columns(*input),
            Rel::Project { items, .. } => items.iter().map(|(c, _)| c.clone()).collect(),
            Rel::Aggregate { keys, aggregates, .. } => {
                keys.iter().map(|(c, _)| c.clone()).chain(aggregates.iter().map(|a| a.column.clone())).collect()
            }
            Rel::Join { kind: JoinKind::Semi | JoinKind::Anti, left, .. } => self.columns(*left),
            Rel::Join { kind, left, right, .. } => {
                let mut columns =
                    nullable(self.columns(*left), matches!(kind, JoinKind::Right | JoinKind::Full));
                columns.extend(nullable(self.columns(*right), matches!(kind, JoinKind::Left | JoinKind::Full)));
                columns
            }
        }
    }
}
