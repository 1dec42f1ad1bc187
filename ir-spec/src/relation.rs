//! Relations: named, typed, nullable columns, and the queries over them.

use std::sync::Arc;

use crate::graph::{Graph, NodeId};
use crate::ops::ColumnId;
use crate::types::{DType, FrameType};

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

impl ColumnDef {
    /// The same column, nullable if it was or if `nulls`.
    #[must_use]
    pub fn or_null(mut self, nulls: bool) -> ColumnDef {
        self.ty.nullable |= nulls;
        self
    }
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

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<JoinKind> {
        JoinKind::ALL.into_iter().find(|k| k.name() == name)
    }

    /// Whether the result may have nulls in place of a left row, and in place of a right row.
    pub fn null_sides(self) -> (bool, bool) {
        (matches!(self, JoinKind::Right | JoinKind::Full), matches!(self, JoinKind::Left | JoinKind::Full))
    }

    /// Whether the result has the columns of the right side.
    pub fn keeps_right(self) -> bool {
        !matches!(self, JoinKind::Semi | JoinKind::Anti)
    }
}

/// An aggregate over the rows of a group. Nulls are skipped; NaN is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AggregateKind {
    /// Number of rows, or of rows where the operand is not null.
    Count,
    /// Sum, of floats as f64; null for no rows.
    Sum,
    /// Mean as f64; null for no rows.
    Avg,
    /// Least. NaN is greater than every number.
    Min,
    /// Greatest. NaN is greater than every number.
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

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<AggregateKind> {
        AggregateKind::ALL.into_iter().find(|k| k.name() == name)
    }

    /// The type of the result over an operand of that type (None for `count(*)`), or what is wrong with it. Counts are
    /// i64, sums i64 or f64, means f64. Null where there may be no value, or an integer sum that overflows; `grouped`
    /// says that the aggregate has keys, so that every group has a row.
    pub fn result(self, arg: Option<FrameType>, grouped: bool) -> Result<FrameType, String> {
        let Some(arg) = arg else {
            return match self {
                AggregateKind::Count => Ok(FrameType::new(DType::I64, 1)),
                _ => Err(format!("`{}` needs an operand", self.name())),
            };
        };
        let number = || match arg.dtype {
            DType::Bool | DType::Str => Err(format!("`{}` of {arg}, expected a number", self.name())),
            DType::I64 => Ok(DType::I64),
            DType::F32 | DType::F64 => Ok(DType::F64),
        };
        let nulls = arg.nullable || !grouped;
        let ty = |dtype, nulls| FrameType { dtype, nullable: nulls, width: 1 };
        match self {
            _ if arg.width != 1 => Err(format!("`{}` of {arg}, expected width 1", self.name())),
            AggregateKind::Count => Ok(ty(DType::I64, false)),
            AggregateKind::Sum => number().map(|d| ty(d, nulls || d == DType::I64)),
            AggregateKind::Avg => number().map(|_| ty(DType::F64, nulls)),
            AggregateKind::Min | AggregateKind::Max => Ok(ty(arg.dtype, nulls)),
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
    /// Rows in order; stable; NaN is greater than every number. Order is part of a query's result only at its root and under `limit`.
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

    /// The columns whose ids it mints: those of a scan, project, aggregate, union or opaque.
    pub fn minted(&self) -> impl Iterator<Item = &ColumnDef> {
        let (plain, pairs, aggregates): (&[ColumnDef], &[(ColumnDef, NodeId)], &[Aggregate]) = match self {
            Rel::Scan { columns, .. } | Rel::Union { columns, .. } | Rel::Opaque { columns, .. } => (columns, &[], &[]),
            Rel::Project { items, .. } => (&[], items, &[]),
            Rel::Aggregate { keys, aggregates, .. } => (&[], keys, aggregates),
            _ => (&[], &[], &[]),
        };
        plain.iter().chain(pairs.iter().map(|(c, _)| c)).chain(aggregates.iter().map(|a| &a.column))
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

impl Rel {
    /// Replaces every frame that the relation evaluates.
    pub fn map_frames(&mut self, mut f: impl FnMut(NodeId) -> NodeId) {
        match self {
            Rel::Filter { predicate, .. } => *predicate = f(*predicate),
            Rel::Project { items, .. } => items.iter_mut().for_each(|(_, n)| *n = f(*n)),
            Rel::Join { on, .. } => on.iter_mut().for_each(|n| *n = f(*n)),
            Rel::Aggregate { keys, aggregates, .. } => {
                keys.iter_mut().for_each(|(_, n)| *n = f(*n));
                aggregates.iter_mut().filter_map(|a| a.arg.as_mut()).for_each(|n| *n = f(*n));
            }
            Rel::Sort { keys, .. } => keys.iter_mut().for_each(|k| k.key = f(k.key)),
            Rel::Scan { .. } | Rel::Limit { .. } | Rel::Distinct { .. } | Rel::Union { .. } | Rel::Opaque { .. } => {}
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
        let mut columns = Vec::new();
        // Relations still to come, the next one last; the flag says that a join above may find no row there.
        let mut todo = vec![(id, false)];
        while let Some((id, nulls)) = todo.pop() {
            let mut then = |input: RelId, nulls: bool| {
                // A query that breaks this is no valid one, and the walk must end all the same.
                if input < id {
                    todo.push((input, nulls));
                }
            };
            match self.rel(id) {
                Rel::Join { kind, left, right, .. } => {
                    let (left_nulls, right_nulls) = kind.null_sides();
                    if kind.keeps_right() {
                        then(*right, nulls || right_nulls);
                    }
                    then(*left, nulls || left_nulls);
                }
                Rel::Filter { input, .. }
                | Rel::Sort { input, .. }
                | Rel::Limit { input, .. }
                | Rel::Distinct { input } => then(*input, nulls),
                rel => columns.extend(rel.minted().map(|c| c.clone().or_null(nulls))),
            }
        }
        columns
    }

    /// The same query over another graph, where `became` says which node each node is there; None where a relation
    /// evaluates a node that is not.
    pub fn with_graph(&self, graph: Graph, became: &[Option<NodeId>]) -> Option<Query> {
        let new = |n: NodeId| became.get(n.index()).copied().flatten();
        let known = self.rels.iter().flat_map(Rel::frames).all(|n| new(n).is_some());
        let mut rels = self.rels.clone();
        rels.iter_mut().for_each(|rel| rel.map_frames(|n| new(n).unwrap_or(n)));
        known.then(|| Query { name: self.name.clone(), graph, rels, root: self.root })
    }

    /// The same query without nodes that no relation evaluates.
    #[must_use]
    pub fn without_dead_nodes(&self) -> Query {
        let live = self.graph.reachable(self.rels.iter().flat_map(Rel::frames));
        let copy = |g: &mut Graph, _: NodeId, n: &crate::Node, args: &[NodeId]| g.add_like(n, args);
        let rebuilt = Graph::rebuild::<crate::TypeError>(&self.graph, &live, copy);
        rebuilt.ok().and_then(|(graph, became)| self.with_graph(graph, &became)).unwrap_or_else(|| self.clone())
    }
}
