//! Text steps, counts of terms, and linear maps of counts that never become frames.
//!
//! A vocabulary has more terms than a document, and a frame has a column for each. Where counts go through operators
//! that leave 0 what is 0 into a linear map, one kernel does all of it in the time of the document; the frames between
//! are not made unless something else reads them.

use flock_core::WeighSpec;
use flock_ir_spec::{Attr, DType, Frame, NodeId, Op, Word};

use super::build::Builder;
use super::kernels::word;
use super::{Arg, Place, Valid, View};
use crate::constants::BlobId;

/// Columns of a linear map's operand.
pub(super) enum Part {
    /// A frame.
    Dense(NodeId),
    /// Counts that need not become one.
    Sparse(Sparse),
}

impl Part {
    /// What must have a place before the map.
    pub fn operand(&self) -> NodeId {
        match self {
            Part::Dense(x) => *x,
            Part::Sparse(sparse) => sparse.text,
        }
    }
}

/// Counts on their way into a linear map.
pub(super) struct Sparse {
    /// The documents.
    text: NodeId,
    terms: NodeId,
    /// What is done to the counts, in order.
    weighing: Vec<Weigh>,
}

/// As [`WeighSpec`], with rows that are nodes.
#[derive(Clone, Copy)]
enum Weigh {
    Logarithm,
    Times(NodeId),
    Over(NodeId),
    Norm(Word),
    Above(f64),
    Take(NodeId),
}

impl Builder<'_> {
    /// Text to text, changed in one of the ways of the kernel.
    pub(super) fn text_change(&mut self, id: NodeId, how: u32) -> Result<Place, String> {
        let x = self.place(self.graph().node(id).args[0])?;
        let data = self.target(id);
        let args =
            vec![Arg::Arena, word(how), Arg::Column(x.data, true), there(x.valid), Arg::Rows, Arg::Column(data, true)];
        self.call("flock_text_change", args, self.ty(id).width)?;
        Ok(Place { data, valid: x.valid })
    }

    pub(super) fn append(&mut self, id: NodeId) -> Result<Place, String> {
        let args = self.graph().node(id).args.clone();
        let data = self.target(id);
        let (x, y) = (self.text_operand(args[0])?, self.text_operand(args[1])?);
        let valid = self.both(id)?;
        let args = vec![Arg::Arena, x.0, x.1, y.0, y.1, there(valid), Arg::Rows, Arg::Column(data, true)];
        self.call("flock_text_append", args, self.ty(id).width)?;
        Ok(Place { data, valid })
    }

    pub(super) fn matches(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (constant, pattern) = self.table(args[1])?;
        let table = self.constants.pattern(constant, pattern)?;
        let (x, data) = (self.place(args[0])?, self.target(id));
        let args =
            vec![Arg::Table(table), Arg::Column(x.data, true), there(x.valid), Arg::Rows, Arg::Column(data, true)];
        self.call("flock_text_matches", args, self.ty(id).width)?;
        Ok(Place { data, valid: x.valid })
    }

    pub(super) fn term_counts(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (constant, terms) = self.terms(args[1])?;
        let table = self.constants.terms(constant, terms)?;
        let (x, width, data) = (self.place(args[0])?, self.ty(id).width, self.target(id));
        let valid = x.valid.map(|v| Valid { wide: false, ..v });
        let (from, to) = (Arg::Column(x.data, false), Arg::Column(data, false));
        let args = vec![Arg::Table(table), from, there(valid), Arg::Stride, Arg::Rows, word(width), to];
        self.call("flock_term_counts", args, 1)?;
        Ok(Place { data, valid })
    }

    /// The operand of a linear map in parts, where counts are among them: by themselves, or beside frames that are
    /// never null. The parts come in the order of their columns, so that sums keep theirs.
    pub(super) fn parts(&self, id: NodeId) -> Option<Vec<Part>> {
        let node = self.graph().node(id);
        let [x, w, b] = *node.args else { return None };
        let finite = |t: NodeId| self.table(t).is_ok_and(|(_, t)| all(t, f64::is_finite));
        if !finite(w) || !finite(b) {
            return None;
        }
        let (mut parts, mut stack) = (Vec::new(), vec![x]);
        while let Some(x) = stack.pop() {
            let node = self.graph().node(x);
            match self.sparse(x) {
                Some(sparse) => parts.push(Part::Sparse(sparse)),
                None if node.op == Op::Concat && !self.ty(x).nullable => stack.extend(node.args.iter().rev()),
                None if self.is_leaf(x) => return None,
                None => parts.push(Part::Dense(x)),
            }
        }
        parts.iter().any(|p| matches!(p, Part::Sparse(_))).then_some(parts)
    }

    /// The counts that a frame is made of, where nothing between needs all columns.
    fn sparse(&self, mut x: NodeId) -> Option<Sparse> {
        let mut weighing = Vec::new();
        while self.graph().node(x).op != Op::TermCounts {
            let (from, step) = self.weigh(x)?;
            weighing.push(step);
            x = from;
        }
        weighing.reverse();
        let args = &self.graph().node(x).args;
        Some(Sparse { text: args[0], terms: args[1], weighing })
    }

    /// What an operator does to counts, and where they come from.
    fn weigh(&self, id: NodeId) -> Option<(NodeId, Weigh)> {
        let node = self.graph().node(id);
        let args = &node.args;
        let row = |t: NodeId, holds: fn(f64) -> bool| self.table(t).is_ok_and(|(_, t)| t.rows == 1 && all(t, holds));
        match (node.op, &node.attr) {
            (Op::Normalize, Attr::Word(norm)) => Some((args[0], Weigh::Norm(*norm))),
            (Op::Mul, _) if row(args[1], f64::is_finite) => Some((args[0], Weigh::Times(args[1]))),
            (Op::Mul, _) if row(args[0], f64::is_finite) => Some((args[1], Weigh::Times(args[0]))),
            (Op::Div, _) if row(args[1], |x| x != 0.0 && !x.is_nan()) => Some((args[0], Weigh::Over(args[1]))),
            (Op::Cast, Attr::Type(to)) if to.dtype == DType::F64 => {
                let test = self.graph().node(args[0]);
                match test.op {
                    Op::Gt => Some((test.args[0], Weigh::Above(self.number(test.args[1]).filter(|x| *x >= 0.0)?))),
                    Op::Lt => Some((test.args[1], Weigh::Above(self.number(test.args[0]).filter(|x| *x >= 0.0)?))),
                    _ => None,
                }
            }
            (Op::Take, _) => {
                let (_, columns) = self.table(args[1]).ok()?;
                let mut columns = columns.as_i64()?.to_vec();
                columns.sort_unstable();
                columns.windows(2).all(|w| w[0] != w[1]).then_some((args[0], Weigh::Take(args[1])))
            }
            (Op::Select, _) => self.logarithm(args),
            _ => None,
        }
    }

    /// `select(x == 0, 0, ln x + 1)`
    fn logarithm(&self, args: &[NodeId]) -> Option<(NodeId, Weigh)> {
        let [none, zero, sum] = *args else { return None };
        let (none, sum) = (self.graph().node(none), self.graph().node(sum));
        let (x, one) = (*none.args.first()?, *sum.args.get(1)?);
        let ln = self.graph().node(*sum.args.first()?);
        let is = |id: NodeId, number: f64| self.number(id) == Some(number);
        let found = none.op == Op::Eq
            && is(*none.args.get(1)?, 0.0)
            && is(zero, 0.0)
            && sum.op == Op::Add
            && is(one, 1.0)
            && ln.op == Op::Ln
            && ln.args[0] == x;
        found.then_some((x, Weigh::Logarithm))
    }

    /// The one number of a constant.
    fn number(&self, id: NodeId) -> Option<f64> {
        let (_, table) = self.table(id).ok()?;
        table.as_f64().filter(|v| v.len() == 1).map(|v| v[0])
    }

    /// A linear map of parts, one after the other onto the sums so far.
    pub(super) fn linear_of_parts(&mut self, id: NodeId, parts: &[Part]) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (w, b) = (self.table(args[1])?, self.table(args[2])?);
        let data = self.target(id);
        let (mut first, mut valid) = (0, None);
        for (i, part) in parts.iter().enumerate() {
            let width = match part {
                Part::Dense(x) => self.ty(*x).width,
                Part::Sparse(sparse) => self.width_of(sparse)?,
            };
            let table = self.constants.linear_part(w, b, first, width, i + 1 == parts.len())?;
            let start = (i > 0).then_some(data);
            first += width;
            match part {
                Part::Sparse(sparse) => valid = self.sparse_linear(sparse, table, start, data)?,
                Part::Dense(x) => {
                    let x = Arg::Column(self.place(*x)?.data, false);
                    let start = start.map_or(Arg::Null, |v| Arg::Column(v, false));
                    let args = vec![Arg::Table(table), x, Arg::Stride, Arg::Rows, start, Arg::Column(data, false)];
                    self.call("flock_linear_onto_f64", args, 1)?;
                }
            }
        }
        // Parts beside one another are never null.
        Ok(Place { data, valid: valid.filter(|_| parts.len() == 1) })
    }

    /// The columns that counts have when they reach the map.
    fn width_of(&self, sparse: &Sparse) -> Result<u32, String> {
        let taken = sparse.weighing.iter().rev().find_map(|w| if let Weigh::Take(t) = w { Some(*t) } else { None });
        match taken {
            Some(columns) => Ok(self.table(columns)?.1.width as u32),
            None => Ok(self.terms(sparse.terms)?.1.columns()),
        }
    }

    fn sparse_linear(
        &mut self,
        sparse: &Sparse,
        linear: BlobId,
        start: Option<View>,
        data: View,
    ) -> Result<Option<Valid>, String> {
        let (constant, terms) = self.terms(sparse.terms)?;
        let width = terms.columns() as usize;
        let table = self.constants.terms(constant, terms)?;
        let rows: Vec<Option<Vec<f64>>> = sparse.weighing.iter().map(|w| self.numbers_of(*w, width)).collect();
        let mut columns: Vec<Vec<u32>> = Vec::new();
        for w in &sparse.weighing {
            let taken = if let Weigh::Take(t) = w { self.table(*t)?.1.as_i64().unwrap_or_default() } else { &[] };
            columns.push(taken.iter().map(|c| *c as u32).collect());
        }
        let mut width = width;
        let mut steps = Vec::new();
        for ((w, row), taken) in sparse.weighing.iter().zip(&rows).zip(&columns) {
            let row = row.as_deref().unwrap_or_default();
            steps.push(match w {
                Weigh::Logarithm => WeighSpec::Logarithm,
                Weigh::Times(_) => WeighSpec::Times(row),
                Weigh::Over(_) => WeighSpec::Over(row),
                Weigh::Norm(Word::L1) => WeighSpec::Norm(1),
                Weigh::Norm(Word::L2) => WeighSpec::Norm(2),
                Weigh::Norm(_) => WeighSpec::Norm(0),
                Weigh::Above(limit) => WeighSpec::Above(*limit),
                Weigh::Take(_) => WeighSpec::Take(taken, std::mem::replace(&mut width, taken.len())),
            });
        }
        let weighing = self.constants.weighing(&steps)?;
        let x = self.place(sparse.text)?;
        let valid = x.valid.map(|v| Valid { wide: false, ..v });
        let tables = [Arg::Table(table), Arg::Table(weighing), Arg::Table(linear), Arg::Column(x.data, false)];
        let start = start.map_or(Arg::Null, |v| Arg::Column(v, false));
        let rest = [there(valid), Arg::Stride, Arg::Rows, start, Arg::Column(data, false)];
        self.call("flock_term_linear_f64", tables.into_iter().chain(rest).collect(), 1)?;
        Ok(valid)
    }

    /// The row of a step, a number for each of the columns that it sees.
    fn numbers_of(&self, w: Weigh, width: usize) -> Option<Vec<f64>> {
        let (Weigh::Times(row) | Weigh::Over(row)) = w else { return None };
        let row = self.table(row).ok()?.1.as_f64()?;
        Some(if row.len() == 1 { vec![row[0]; width] } else { row.to_vec() })
    }
}

fn all(t: &Frame, holds: fn(f64) -> bool) -> bool {
    t.as_f64().is_some_and(|v| v.iter().all(|x| holds(*x)))
}

/// Validity as a kernel of text takes it.
fn there(valid: Option<Valid>) -> Arg {
    valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide))
}
