//! Reference evaluation of queries, with SQL's three-valued logic. Order is defined where the language defines it
//! (`sort`, `limit`); elsewhere rows come in the order of the inputs, groups in the order of their first rows.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::{Leaves, frames};
use crate::diagnostic::Diagnostic;
use crate::frame::{Frame, Scalar};
use crate::graph::{Graph, NodeId};
use crate::module::Module;
use crate::ops::category::{Key, key};
use crate::ops::{Attr, ColumnId, Op};
use crate::relation::{Aggregate, AggregateKind, ColumnDef, JoinKind, Query, Rel, RelId, SortKey};
use crate::types::{DType, FrameType};

/// Pairs of rows on which a join's condition is evaluated at once.
const PAIRS: usize = 1 << 16;

/// A table: named columns of width 1, all of `rows` rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Rows; also where there is no column.
    pub rows: usize,
    /// Names of the columns, in order.
    pub names: Vec<Arc<str>>,
    /// The columns.
    pub frames: Vec<Frame>,
}

impl Table {
    /// A table of at least one column.
    pub fn new(names: Vec<Arc<str>>, frames: Vec<Frame>) -> Table {
        Table { rows: frames.first().map_or(0, |f| f.rows), names, frames }
    }

    /// The column of that name, the first where several are.
    pub fn column(&self, name: &str) -> Option<&Frame> {
        self.names.iter().position(|n| &**n == name).and_then(|i| self.frames.get(i))
    }
}

/// Evaluates a query of a verified module. `tables` gives the table of a (qualified) name, with at least the columns
/// that scans of it name; numbers of other dtypes are not cast.
/// Errors: `flock::eval::table` (absent, or a column absent or of another type), `flock::eval::opaque` (SQL that is
/// not read), and those of [`super::frames`].
pub fn query(
    module: &Module,
    query: &Query,
    tables: &dyn Fn(&[Arc<str>]) -> Option<Table>,
) -> Result<Table, Diagnostic> {
    let mut needed = vec![false; query.rels.len()];
    needed[query.root.index()] = true;
    for i in (0..query.rels.len()).rev().filter(|i| *i <= query.root.index()) {
        if needed[i] {
            query.rels[i].inputs().iter().for_each(|r| needed[r.index()] = true);
        }
    }
    let mut run = Run { module, query, tables, results: Vec::new() };
    for (i, rel) in query.rels.iter().enumerate() {
        let rows = if needed[i] { run.relation(i, rel)? } else { Rows { rows: 0, columns: HashMap::new() } };
        run.results.push(Rc::new(rows));
    }
    let root = run.results[query.root.index()].clone();
    let columns = query.columns(query.root);
    let names = columns.iter().map(|c| c.name.clone()).collect();
    let frames = columns.iter().filter_map(|c| root.columns.get(&c.id)).cloned().collect();
    Ok(Table { rows: root.rows, names, frames })
}

/// Rows of a relation, column by column.
struct Rows {
    rows: usize,
    columns: HashMap<ColumnId, Frame>,
}

impl Rows {
    fn gather(&self, rows: &[Option<usize>]) -> Rows {
        let columns = self.columns.iter().map(|(id, f)| (*id, f.gather(rows))).collect();
        Rows { rows: rows.len(), columns }
    }

    fn pick(&self, rows: impl Iterator<Item = usize>) -> Rows {
        self.gather(&rows.map(Some).collect::<Vec<_>>())
    }
}

struct Run<'a> {
    module: &'a Module,
    query: &'a Query,
    tables: &'a dyn Fn(&[Arc<str>]) -> Option<Table>,
    /// What each relation so far gives.
    results: Vec<Rc<Rows>>,
}

impl Run<'_> {
    fn place(&self, rel: usize) -> String {
        format!("{}/r{rel}", self.query.name)
    }

    fn result(&self, id: RelId) -> Rc<Rows> {
        self.results[id.index()].clone()
    }

    fn frames(&self, rows: &Rows, nodes: &[NodeId]) -> Result<Vec<Frame>, Diagnostic> {
        let leaves = Leaves { params: &[], columns: Some(&rows.columns) };
        frames(self.module, &self.query.graph, nodes, rows.rows, &leaves)
    }

    fn relation(&self, i: usize, rel: &Rel) -> Result<Rows, Diagnostic> {
        match rel {
            Rel::Scan { table, columns } => self.scan(i, table, columns),
            Rel::Filter { input, predicate } => {
                let input = self.result(*input);
                let holds = self.truth(&input, *predicate)?;
                Ok(input.pick((0..input.rows).filter(|r| holds[*r])))
            }
            Rel::Project { input, items } => {
                let input = self.result(*input);
                let nodes: Vec<NodeId> = items.iter().map(|(_, n)| *n).collect();
                let values = self.frames(&input, &nodes)?;
                let columns = items.iter().map(|(c, _)| c.id).zip(values).collect();
                Ok(Rows { rows: input.rows, columns })
            }
            Rel::Join { kind, left, right, on } => self.join(*kind, &self.result(*left), &self.result(*right), *on),
            Rel::Aggregate { input, keys, aggregates } => self.aggregate(&self.result(*input), keys, aggregates),
            Rel::Sort { input, keys } => self.sort(&self.result(*input), keys),
            Rel::Limit { input, count, offset } => {
                let input = self.result(*input);
                let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(input.rows);
                let len = count.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX).min(input.rows - start);
                Ok(input.pick(start..start + len))
            }
            Rel::Distinct { input } => {
                let columns: Vec<ColumnId> = self.query.columns(*input).iter().map(|c| c.id).collect();
                let input = self.result(*input);
                let mut seen = HashSet::new();
                let frames: Vec<&Frame> = columns.iter().filter_map(|c| input.columns.get(c)).collect();
                Ok(input.pick((0..input.rows).filter(|r| seen.insert(row_key(&frames, *r)))))
            }
            Rel::Union { inputs, columns } => self.union(i, inputs, columns),
            Rel::Opaque { sql, .. } => {
                let message = format!("SQL that is carried and not read: {sql}");
                Err(Diagnostic::new("flock::eval::opaque", self.place(i), message))
            }
        }
    }

    fn scan(&self, i: usize, table: &[Arc<str>], columns: &[ColumnDef]) -> Result<Rows, Diagnostic> {
        let name = table.join(".");
        let fault = |why: String| Diagnostic::new("flock::eval::table", self.place(i), why);
        let found = (self.tables)(table).ok_or_else(|| fault(format!("there is no table `{name}`")))?;
        let mut given = HashMap::new();
        for c in columns {
            let frame = found.column(&c.name).ok_or_else(|| fault(format!("`{name}` has no column `{}`", c.name)))?;
            let nulls = frame.valid.as_ref().is_some_and(|v| v.contains(&false));
            let ty = FrameType::new(frame.dtype(), 1).with_nulls(nulls);
            if frame.width != 1 || frame.rows != found.rows || !ty.fits(c.ty) {
                return Err(fault(format!("column `{}` of `{name}` is {}, found {ty}", c.name, c.ty)));
            }
            given.insert(c.id, frame.clone());
        }
        Ok(Rows { rows: found.rows, columns: given })
    }

    /// Where a predicate is true: not where it is false, not where it is null.
    fn truth(&self, rows: &Rows, predicate: NodeId) -> Result<Vec<bool>, Diagnostic> {
        let values = self.frames(rows, &[predicate])?;
        Ok((0..rows.rows).map(|r| values[0].get(r, 0) == Scalar::Bool(true)).collect())
    }

    fn join(&self, kind: JoinKind, left: &Rows, right: &Rows, on: Option<NodeId>) -> Result<Rows, Diagnostic> {
        let mut pairs = self.pairs(left, right, on)?;
        let mut matched = (vec![false; left.rows], vec![false; right.rows]);
        for (l, r) in &pairs {
            matched.0[l.unwrap_or(0)] = true;
            matched.1[r.unwrap_or(0)] = true;
        }
        if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            return Ok(left.pick((0..left.rows).filter(|l| matched.0[*l] == (kind == JoinKind::Semi))));
        }
        let (left_nulls, right_nulls) = kind.null_sides();
        if right_nulls {
            pairs.extend((0..left.rows).filter(|l| !matched.0[*l]).map(|l| (Some(l), None)));
            // Back to the order of the left rows.
            pairs.sort_by_key(|(l, _)| *l);
        }
        if left_nulls {
            pairs.extend((0..right.rows).filter(|r| !matched.1[*r]).map(|r| (None, Some(r))));
        }
        Ok(paired(left, right, &pairs))
    }

    /// The pairs for which the condition is true, ordered by left row, then right row.
    fn pairs(&self, left: &Rows, right: &Rows, on: Option<NodeId>) -> Result<Vec<Pair>, Diagnostic> {
        let candidates = self.candidates(left, right, on)?;
        let partners = |l: usize| match &candidates {
            Some(by_row) => by_row[l].iter().copied().collect::<Vec<_>>(),
            None => (0..right.rows).collect(),
        };
        let (mut pairs, mut block): (Vec<Pair>, Vec<Pair>) = Default::default();
        let test = |block: &mut Vec<Pair>, pairs: &mut Vec<Pair>| -> Result<(), Diagnostic> {
            let block = std::mem::take(block);
            match on {
                None => pairs.extend(block),
                Some(on) => {
                    let holds = self.truth(&paired(left, right, &block), on)?;
                    pairs.extend(block.into_iter().zip(holds).filter(|(_, holds)| *holds).map(|(pair, _)| pair));
                }
            }
            Ok(())
        };
        for l in 0..left.rows {
            for r in partners(l) {
                block.push((Some(l), Some(r)));
                if block.len() == PAIRS {
                    test(&mut block, &mut pairs)?;
                }
            }
        }
        test(&mut block, &mut pairs)?;
        Ok(pairs)
    }

    /// Per left row the right rows that may be its partners, where the condition demands that a value of the left
    /// equals one of the right; the condition as a whole is evaluated on these.
    fn candidates(
        &self,
        left: &Rows,
        right: &Rows,
        on: Option<NodeId>,
    ) -> Result<Option<Vec<Rc<Vec<usize>>>>, Diagnostic> {
        let Some((l, r)) = on.and_then(|on| equality(&self.query.graph, on, left, right)) else { return Ok(None) };
        let (l, r) = (self.frames(left, &[l])?, self.frames(right, &[r])?);
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        for row in 0..right.rows {
            if let Some(k) = key(r[0].get(row, 0)) {
                by_key.entry(k).or_default().push(row);
            }
        }
        let by_key: HashMap<Key, Rc<Vec<usize>>> = by_key.into_iter().map(|(k, v)| (k, Rc::new(v))).collect();
        let none = Rc::new(Vec::new());
        let partners = |row| key(l[0].get(row, 0)).and_then(|k| by_key.get(&k)).unwrap_or(&none).clone();
        Ok(Some((0..left.rows).map(partners).collect()))
    }

    fn aggregate(
        &self,
        input: &Rows,
        keys: &[(ColumnDef, NodeId)],
        aggregates: &[Aggregate],
    ) -> Result<Rows, Diagnostic> {
        let values = self.frames(input, &keys.iter().map(|(_, n)| *n).collect::<Vec<_>>())?;
        let mut groups: Vec<Vec<usize>> = if keys.is_empty() { vec![(0..input.rows).collect()] } else { Vec::new() };
        if !keys.is_empty() {
            let frames: Vec<&Frame> = values.iter().collect();
            let mut by_key = HashMap::new();
            for r in 0..input.rows {
                let group = *by_key.entry(row_key(&frames, r)).or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Vec::new());
                }
                groups[group].push(r);
            }
        }
        let first: Vec<Option<usize>> = groups.iter().map(|g| g.first().copied()).collect();
        let mut columns: HashMap<ColumnId, Frame> =
            keys.iter().zip(&values).map(|((c, _), v)| (c.id, v.gather(&first))).collect();
        for a in aggregates {
            let arg = match a.arg {
                Some(node) => self.frames(input, &[node])?.pop(),
                None => None,
            };
            let value = |g: usize| aggregated(a, arg.as_ref(), &groups[g]);
            let ty = FrameType { nullable: true, ..a.column.ty };
            columns.insert(a.column.id, Frame::from_fn(groups.len(), ty, |g, _| value(g)));
        }
        Ok(Rows { rows: groups.len(), columns })
    }

    fn sort(&self, input: &Rows, keys: &[SortKey]) -> Result<Rows, Diagnostic> {
        let values = self.frames(input, &keys.iter().map(|k| k.key).collect::<Vec<_>>())?;
        let mut rows: Vec<usize> = (0..input.rows).collect();
        rows.sort_by(|a, b| {
            let by_key = keys.iter().zip(&values).map(|(k, v)| compare(k, &v.get(*a, 0), &v.get(*b, 0)));
            by_key.fold(Ordering::Equal, Ordering::then)
        });
        Ok(input.pick(rows.into_iter()))
    }

    fn union(&self, i: usize, inputs: &[RelId], columns: &[ColumnDef]) -> Result<Rows, Diagnostic> {
        let mut parts: Vec<Vec<Frame>> = columns.iter().map(|_| Vec::new()).collect();
        let mut rows = 0;
        for input in inputs {
            let given = self.result(*input);
            rows += given.rows;
            for (part, c) in parts.iter_mut().zip(self.query.columns(*input)) {
                part.extend(given.columns.get(&c.id).cloned());
            }
        }
        let stacked = columns.iter().zip(&parts).map(|(c, part)| {
            let fault = || Diagnostic::new("flock::eval::table", self.place(i), "inputs of a union differ in type");
            Ok((c.id, Frame::stack(part).ok_or_else(fault)?))
        });
        Ok(Rows { rows, columns: stacked.collect::<Result<_, _>>()? })
    }
}

/// A left row and a right row; None where an outer join found no partner.
type Pair = (Option<usize>, Option<usize>);

fn paired(left: &Rows, right: &Rows, pairs: &[Pair]) -> Rows {
    let mut both = left.gather(&pairs.iter().map(|(l, _)| *l).collect::<Vec<_>>());
    both.columns.extend(right.gather(&pairs.iter().map(|(_, r)| *r).collect::<Vec<_>>()).columns);
    both
}

/// Operands of an equality that the condition demands, the first over the left side only, the second over the right.
fn equality(graph: &Graph, on: NodeId, left: &Rows, right: &Rows) -> Option<(NodeId, NodeId)> {
    let over = |id: NodeId, side: &Rows| {
        let below = graph.reachable([id]);
        let mut columns = graph.iter().filter(|(n, _)| below[n.index()]).filter_map(|(_, n)| match n.attr {
            Attr::Column(c) => Some(c),
            _ => None,
        });
        columns.all(|c| side.columns.contains_key(&c))
    };
    let node = graph.node(on);
    match (node.op, &*node.args) {
        (Op::Eq, [a, b]) if over(*a, left) && over(*b, right) => Some((*a, *b)),
        (Op::Eq, [a, b]) if over(*b, left) && over(*a, right) => Some((*b, *a)),
        // One level is what queries have; below an `and` inside an `and` the nested loop is as right.
        (Op::And, args) => {
            args.iter().filter(|a| graph.node(**a).op == Op::Eq).find_map(|a| equality(graph, *a, left, right))
        }
        _ => None,
    }
}

/// A row as a key: nulls are one value, NaNs are one value, -0 is 0.
fn row_key(frames: &[&Frame], row: usize) -> Vec<Option<Key>> {
    frames.iter().map(|f| key(f.get(row, 0))).collect()
}

/// The order of two elements that are not null: NaN is greater than every number.
fn order(a: &Scalar, b: &Scalar) -> Ordering {
    let floats = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    match (a, b) {
        (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(b),
        (Scalar::I64(a), Scalar::I64(b)) => a.cmp(b),
        (Scalar::F32(a), Scalar::F32(b)) => floats(f64::from(*a), f64::from(*b)),
        (Scalar::F64(a), Scalar::F64(b)) => floats(*a, *b),
        (Scalar::Str(a), Scalar::Str(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => Ordering::Equal,
    }
}

fn compare(k: &SortKey, a: &Scalar, b: &Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) if k.nulls_first => Ordering::Less,
        (Scalar::Null, _) => Ordering::Greater,
        (_, Scalar::Null) if k.nulls_first => Ordering::Greater,
        (_, Scalar::Null) => Ordering::Less,
        (a, b) if k.descending => order(b, a),
        (a, b) => order(a, b),
    }
}

fn aggregated(a: &Aggregate, arg: Option<&Frame>, rows: &[usize]) -> Scalar {
    let Some(arg) = arg else { return Scalar::I64(rows.len() as i64) };
    let mut seen = HashSet::new();
    let values: Vec<Scalar> = rows
        .iter()
        .map(|r| arg.get(*r, 0))
        .filter(|v| *v != Scalar::Null)
        .filter(|v| !a.distinct || seen.insert(key(v.clone())))
        .collect();
    let float = |v: &Scalar| match v {
        Scalar::I64(x) => *x as f64,
        Scalar::F32(x) => f64::from(*x),
        Scalar::F64(x) => *x,
        _ => f64::NAN,
    };
    let integers = || values.iter().map(|v| if let Scalar::I64(x) = v { i128::from(*x) } else { 0 }).sum::<i128>();
    let whole = arg.dtype() == DType::I64;
    let least = |a: Scalar, b: Scalar| if order(&b, &a) == Ordering::Less { b } else { a };
    let greatest = |a: Scalar, b: Scalar| if order(&b, &a) == Ordering::Greater { b } else { a };
    match a.kind {
        AggregateKind::Count => Scalar::I64(values.len() as i64),
        _ if values.is_empty() => Scalar::Null,
        AggregateKind::Sum if whole => i64::try_from(integers()).map_or(Scalar::Null, Scalar::I64),
        AggregateKind::Sum => Scalar::F64(values.iter().map(float).sum()),
        AggregateKind::Avg if whole => Scalar::F64(integers() as f64 / values.len() as f64),
        AggregateKind::Avg => Scalar::F64(values.iter().map(float).sum::<f64>() / values.len() as f64),
        AggregateKind::Min => values.into_iter().reduce(least).unwrap_or(Scalar::Null),
        AggregateKind::Max => values.into_iter().reduce(greatest).unwrap_or(Scalar::Null),
    }
}
