//! The steps of operators that are not computed element by element in a loop.

use flock_core::{Memo, order_work};
use flock_ir_spec::{Attr, DType, Digest, NodeId, Op, Word, digest_of};

use super::build::{Builder, size, suffix};
use super::documents::Part;
use super::fuse::{bounded_row, filled_inputs, narrowed};
use super::{Arg, Place, Sign, Step, TreeCode, Valid, View};
use crate::constants::BlobId;

/// Rows of the smallest block.
const LEAST_ROWS: usize = 64;

impl Builder<'_> {
    /// Operands that must have a place before [`Builder::steps_of`].
    pub fn step_operands(&self, id: NodeId) -> Vec<NodeId> {
        let args = &self.graph().node(id).args;
        let not_leaves = || args.iter().copied().filter(|a| !self.is_leaf(*a)).collect();
        match self.graph().node(id).op {
            Op::Input | Op::Const | Op::Null | Op::Coalesce => Vec::new(),
            Op::All if let Some((x, _)) = bounded_row(self.graph(), &self.flat.pool, id) => vec![x],
            Op::Concat | Op::Pow | Op::Rem | Op::Gather | Op::Append => not_leaves(),
            Op::Cast if narrowed(self.graph(), &self.flat.pool, id).is_some() => Vec::new(),
            Op::Max => self.step_operands(args[0]),
            Op::Linear if let Some(parts) = self.parts(id) => parts.iter().map(Part::operand).collect(),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge if self.text_test(id).is_some() => Vec::new(),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => not_leaves(),
            Op::IndexOf | Op::InSet if self.text_column(args[0]).is_some() => Vec::new(),
            // What follows the first operand of all others is a table.
            _ => args.iter().copied().take(1).collect(),
        }
    }

    /// Adds the steps of a node and says where its value is.
    pub fn steps_of(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let args = &node.args;
        match node.op {
            Op::Input => self.load(id),
            Op::Coalesce => self.load_filled(id, id, "filled"),
            Op::Exp => self.math(id, "exp"),
            Op::Ln => self.math(id, "ln"),
            Op::Log1p => self.math(id, "log1p"),
            Op::Expm1 => self.math(id, "expm1"),
            Op::Tanh => self.math(id, "tanh"),
            Op::Logistic => self.math(id, "logistic"),
            Op::Sin => self.math(id, "sin"),
            Op::Cos => self.math(id, "cos"),
            Op::Atan => self.math(id, "atan"),
            Op::Pow => self.pair(id, "pow"),
            Op::Rem => self.pair(id, "rem"),
            Op::Eq => self.text_compare(id, Sign::Zero),
            Op::Ne => self.text_compare(id, Sign::NotZero),
            Op::Lt => self.text_compare(id, Sign::Negative),
            Op::Le => self.text_compare(id, Sign::NotPositive),
            Op::Gt => self.text_compare(id, Sign::Positive),
            Op::Ge => self.text_compare(id, Sign::NotNegative),
            Op::InSet => {
                let (set, table) = self.table(args[1])?;
                let table = self.constants.index(set, table, true)?;
                self.found(id, args[0], table, Sign::NotNegative)
            }
            Op::IndexOf => {
                let (set, table) = self.table(args[1])?;
                let table = self.constants.index(set, table, false)?;
                let data = self.target(id);
                let valid = self.positions(id, args[0], table, data)?;
                Ok(Place { data, valid })
            }
            Op::CityHash => self.city_hash(id),
            Op::Digest => self.digest(id),
            Op::Cast => match narrowed(self.graph(), &self.flat.pool, id) {
                Some(filled) => self.load_filled(id, filled, "narrowed"),
                None => self.cast_to_text(id),
            },
            Op::Concat => self.concat(id),
            Op::Slice => {
                let Attr::Range { start, .. } = node.attr else { return Err("no range".into()) };
                let x = self.place(args[0])?;
                Ok(Place { data: x.data.skip(start), valid: x.valid.map(|v| v.skip(start)) })
            }
            Op::Take => self.take(id),
            Op::Sum | Op::Prod | Op::RowMin | Op::RowMax | Op::ArgMax => self.reduce(id),
            Op::All => match bounded_row(self.graph(), &self.flat.pool, id) {
                Some((x, limit)) => self.all_below(id, x, limit),
                None => self.quantify(id, "flock_row_all"),
            },
            Op::Any => self.quantify(id, "flock_row_any"),
            Op::Softmax | Op::Normalize => self.whole_row(id),
            Op::Linear => self.linear(id),
            Op::Max => self.floored(id),
            Op::Lookup => self.lookup(id),
            Op::OneHot => self.one_hot(id),
            Op::Bucketize => self.bucketize(id),
            Op::Interpolate => self.interpolate(id),
            Op::Distances => self.distances(id),
            Op::Order => self.order(id),
            Op::Gather => self.gather(id),
            Op::Trees => self.trees(id),
            Op::Leaves => self.leaves(id),
            Op::Lower => self.text_change(id, 0),
            Op::Upper => self.text_change(id, 1),
            Op::WithoutAccents if node.attr == Attr::Word(Word::Ascii) => self.text_change(id, 3),
            Op::WithoutAccents => self.text_change(id, 2),
            Op::Append => self.append(id),
            Op::Matches => self.matches(id),
            Op::Parse => self.parse(id),
            Op::Digits => self.digits(id),
            Op::TermCounts => self.term_counts(id),
            Op::Const | Op::Null | Op::Column | Op::Call | Op::Opaque | Op::Composite(_) => {
                Err("it has no steps".into())
            }
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Neg
            | Op::Abs
            | Op::Min
            | Op::Sqrt
            | Op::Floor
            | Op::Ceil
            | Op::Round
            | Op::And
            | Op::Or
            | Op::Not
            | Op::IsNull
            | Op::IsNan
            | Op::Select
            | Op::Guard
            | Op::Bitwise => Err("it is computed in a loop".into()),
        }
    }

    fn load(&mut self, id: NodeId) -> Result<Place, String> {
        let Attr::Param(p) = self.graph().node(id).attr else { return Err("no parameter".into()) };
        let (t, data) = (self.ty(id), self.target(id));
        let first = *self.inputs.get(p as usize).ok_or("a parameter that does not exist")?;
        let valid = self.target_valid(id);
        let args = vec![Arg::Input(first), Arg::Start, Arg::Rows, Arg::Column(data, true), column(valid)];
        self.call(&format!("flock_load_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid: own(valid) })
    }

    /// Parameters with a value for what is missing, as `filled` says, each to its columns of `id`.
    fn load_filled(&mut self, id: NodeId, filled: NodeId, how: &str) -> Result<Place, String> {
        let none = "no parameters";
        let (inputs, fill) = filled_inputs(self.graph(), &self.flat.pool, filled).ok_or(none)?;
        let name = format!("flock_load_{how}_{}", suffix(self.ty(id).dtype));
        let data = self.target(id);
        let mut column = 0;
        for input in inputs {
            let Attr::Param(p) = self.graph().node(*input).attr else { return Err(none.into()) };
            let first = *self.inputs.get(p as usize).ok_or(none)?;
            let (t, to) = (self.ty(*input), data.skip(column));
            let (fill, _) = self.stepping(fill)?;
            let args = vec![Arg::Input(first), Arg::Start, Arg::Rows, Arg::Column(to, true), fill];
            self.call(&name, args, t.width)?;
            column += t.width;
        }
        Ok(Place { data, valid: None })
    }

    /// Whether all columns are within a limit.
    fn all_below(&mut self, id: NodeId, x: NodeId, limit: NodeId) -> Result<Place, String> {
        let (from, t, data) = (self.place(x)?.data, self.ty(x), self.target(id));
        let (limit, _) = self.stepping(limit)?;
        let args =
            vec![Arg::Column(from, false), Arg::Stride, word(t.width), Arg::Rows, limit, Arg::Column(data, false)];
        self.call(&format!("flock_row_all_below_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid: None })
    }

    fn math(&mut self, id: NodeId, name: &str) -> Result<Place, String> {
        let x = self.place(self.graph().node(id).args[0])?;
        let (t, data) = (self.ty(id), self.target(id));
        let args = vec![Arg::Column(x.data, true), Arg::Column(data, true), Arg::Rows];
        self.call(&format!("flock_{name}_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid: x.valid })
    }

    /// A function of two numbers.
    fn pair(&mut self, id: NodeId, name: &str) -> Result<Place, String> {
        let node = self.graph().node(id);
        let (t, data) = (self.ty(id), self.target(id));
        let (x, y) = (self.stepping(node.args[0])?, self.stepping(node.args[1])?);
        let mut valid = self.both(id)?;
        let mut args = vec![x.0, x.1, y.0, y.1, Arg::Column(data, true), Arg::Rows];
        if t.dtype == DType::I64 {
            // What has no value clears its validity, which the operands must keep.
            let to = self.fresh(1, t.width);
            match valid {
                Some(v) => self.copy(v.view, v.wide, to, t.width)?,
                None => self.steps.push(Step::Ones { to, columns: t.width }),
            }
            args.push(Arg::Column(to, true));
            valid = own(Some(to));
        }
        self.call(&format!("flock_{name}_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid })
    }

    /// A number operand of a kernel that takes a pointer and a step: constants are read where they are.
    fn stepping(&mut self, id: NodeId) -> Result<(Arg, Arg), String> {
        let t = self.ty(id);
        if let Ok((constant, table)) = self.table(id) {
            let row = self.constants.row(constant, table)?;
            return Ok((Arg::Element(row, size(t.dtype), t.width > 1), Arg::Word(0)));
        }
        // A null on every row: its value is never read, any one will do.
        let place = if self.is_leaf(id) {
            Place { data: self.fresh(size(t.dtype), t.width), valid: None }
        } else {
            self.place(id)?
        };
        Ok((Arg::Column(place.data, t.width > 1), Arg::Word(1)))
    }

    /// The validity of what needs both operands.
    pub(super) fn both(&mut self, id: NodeId) -> Result<Option<Valid>, String> {
        let node = self.graph().node(id);
        let width = self.ty(id).width;
        let mut valids = Vec::new();
        for a in &node.args {
            let wide = self.ty(*a).width > 1;
            let valid = if self.is_leaf(*a) { self.leaf_valid(*a) } else { self.place(*a)?.valid };
            valids.extend(valid.map(|v| Valid { wide: v.wide && wide, ..v }));
        }
        Ok(match valids.as_slice() {
            [] => None,
            [one] => Some(*one),
            [a, b, ..] if a == b => Some(*a),
            [a, b, ..] => {
                let wide = (a.wide || b.wide) && width > 1;
                let columns = if wide { width } else { 1 };
                let to = self.fresh(1, columns);
                self.steps.push(Step::Both { a: *a, b: *b, to, columns });
                Some(Valid { view: to, wide })
            }
        })
    }

    /// A null's validity: 0 on every row. It is a loop of its own.
    fn leaf_valid(&mut self, id: NodeId) -> Option<Valid> {
        if !self.ty(id).nullable {
            return None;
        }
        let t = self.ty(id);
        let view = self.fresh(1, t.width);
        let to = Place { data: self.fresh(size(t.dtype), t.width), valid: own(Some(view)) };
        self.loop_to(id, vec![id], to).ok()?;
        to.valid
    }

    /// The input column of a text parameter.
    fn text_column(&self, id: NodeId) -> Option<u32> {
        let (node, t) = (self.graph().node(id), self.ty(id));
        match node.attr {
            Attr::Param(p) if t.dtype == DType::Str && t.width == 1 => self.inputs.get(p as usize).copied(),
            _ => None,
        }
    }

    /// Whether a text column is tested for being equal to a constant: column and constant.
    fn text_test(&self, id: NodeId) -> Option<(NodeId, NodeId)> {
        let node = self.graph().node(id);
        let [a, b] = *node.args else { return None };
        let constant = |c: NodeId| self.table(c).is_ok_and(|(_, t)| t.len() == 1);
        match node.op {
            Op::Eq | Op::Ne if self.text_column(a).is_some() && constant(b) => Some((a, b)),
            Op::Eq | Op::Ne if self.text_column(b).is_some() && constant(a) => Some((b, a)),
            _ => None,
        }
    }

    fn text_compare(&mut self, id: NodeId, sign: Sign) -> Result<Place, String> {
        if let Some((column, constant)) = self.text_test(id) {
            let (constant, table) = self.table(constant)?;
            let table = self.constants.index(constant, table, false)?;
            let found = if sign == Sign::Zero { Sign::NotNegative } else { Sign::Negative };
            return self.found(id, column, table, found);
        }
        let args = self.graph().node(id).args.clone();
        let (columns, data) = (self.ty(id).width, self.target(id));
        let (x, y) = (self.text_operand(args[0])?, self.text_operand(args[1])?);
        let valid = self.both(id)?;
        let there = valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide));
        let args = vec![x.0, x.1, y.0, y.1, there, Arg::Rows, Arg::Column(data, true)];
        self.call("flock_compare_str", args, columns)?;
        self.steps.push(Step::Test { from: data, to: data, columns, sign });
        Ok(Place { data, valid })
    }

    pub(super) fn text_operand(&mut self, id: NodeId) -> Result<(Arg, Arg), String> {
        let width = self.ty(id).width;
        let Ok((constant, table)) = self.table(id) else { return self.stepping(id) };
        let (spans, bytes) = (self.constants.row(constant, table)?, self.constants.bytes(constant, table)?);
        let to = self.fresh(size(DType::Str), width);
        self.steps.push(Step::Text { spans, bytes, to, columns: width });
        Ok((Arg::Column(to, width > 1), Arg::Word(0)))
    }

    /// Whether the position among the table's values has that sign.
    fn found(&mut self, id: NodeId, x: NodeId, table: BlobId, sign: Sign) -> Result<Place, String> {
        let (columns, data) = (self.ty(id).width, self.target(id));
        let from = self.fresh(size(DType::I64), columns);
        let valid = self.positions(id, x, table, from)?;
        self.steps.push(Step::Test { from, to: data, columns, sign });
        Ok(Place { data, valid })
    }

    /// The positions of x among the table's values; a text parameter is looked up without being loaded.
    fn positions(&mut self, id: NodeId, x: NodeId, table: BlobId, to: View) -> Result<Option<Valid>, String> {
        let t = self.ty(x);
        let to = Arg::Column(to, true);
        if let Some(input) = self.text_column(x) {
            let valid = self.target_valid(id);
            let memo = Arg::Input(self.memo(input, table));
            let args = vec![Arg::Table(table), Arg::Input(input), memo, Arg::Start, Arg::Rows, to, column(valid)];
            self.call("flock_index_column", args, 1)?;
            return Ok(own(valid));
        }
        let x = self.place(x)?;
        let from = Arg::Column(x.data, true);
        let args = match t.dtype {
            DType::Str => {
                vec![Arg::Table(table), from, x.valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide)), Arg::Rows, to]
            }
            _ => vec![Arg::Table(table), from, Arg::Rows, to],
        };
        self.call(&format!("flock_index_{}", suffix(t.dtype)), args, t.width)?;
        Ok(x.valid)
    }

    /// The input that holds the positions of a dictionary's entries.
    fn memo(&mut self, input: u32, table: BlobId) -> u32 {
        let memo = Memo { input: input as usize, table: table.0 as usize };
        let m = self.memos.iter().position(|m| *m == memo).unwrap_or_else(|| {
            self.memos.push(memo);
            self.memos.len() - 1
        });
        self.inputs[self.inputs.len() - 1] + m as u32
    }

    fn city_hash(&mut self, id: NodeId) -> Result<Place, String> {
        let x = self.place(self.graph().node(id).args[0])?;
        let (columns, data) = (self.ty(id).width, self.target(id));
        let there = x.valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide));
        let args = vec![Arg::Column(x.data, true), there, Arg::Rows, Arg::Column(data, true)];
        self.call("flock_city_hash", args, columns)?;
        Ok(Place { data, valid: x.valid })
    }

    fn digest(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let digest = digest_of(&node.attr).ok_or("no such digest")?;
        let how = Digest::ALL.iter().position(|d| *d == digest).unwrap_or_default();
        let (x, data) = (self.place(node.args[0])?, self.target(id));
        let there = x.valid.map_or(Arg::Null, |v| Arg::Column(v.view, false));
        let from = Arg::Column(x.data, false);
        let args = vec![word(how as u32), from, there, Arg::Stride, Arg::Rows, Arg::Column(data, false)];
        self.call("flock_digest", args, 1)?;
        Ok(Place { data, valid: x.valid.map(|v| Valid { wide: false, ..v }) })
    }

    fn parse(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let (x, t, data) = (self.place(node.args[0])?, self.ty(id), self.target(id));
        let to = self.target_valid(id).unwrap_or_else(|| self.fresh(1, t.width));
        let there = x.valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide));
        let signed = word(u32::from(node.attr == Attr::Word(Word::Signed)));
        let how = (t.dtype == DType::I64).then_some(signed);
        let rest = [Arg::Column(x.data, true), there, Arg::Rows, Arg::Column(data, true), Arg::Column(to, true)];
        let args = how.into_iter().chain(rest).collect();
        self.call(&format!("flock_parse_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid: own(Some(to)) })
    }

    fn digits(&mut self, id: NodeId) -> Result<Place, String> {
        let from = self.graph().node(id).args[0];
        let (x, data) = (self.place(from)?, self.target(id));
        let args = vec![Arg::Arena, Arg::Column(x.data, true), Arg::Rows, Arg::Column(data, true)];
        self.call("flock_digits_f64", args, self.ty(id).width)?;
        Ok(Place { data, valid: x.valid })
    }

    fn cast_to_text(&mut self, id: NodeId) -> Result<Place, String> {
        let from = self.graph().node(id).args[0];
        let (x, t, data) = (self.place(from)?, self.ty(from), self.target(id));
        let (from, to) = (Arg::Column(x.data, true), Arg::Column(data, true));
        match t.dtype {
            DType::I64 => self.call("flock_text_of_i64", vec![Arg::Arena, from, Arg::Rows, to], t.width)?,
            _ => self.call("flock_text_of_bool", vec![from, Arg::Rows, to], t.width)?,
        }
        Ok(Place { data, valid: x.valid })
    }

    /// Copies what does not lie in its place already.
    fn concat(&mut self, id: NodeId) -> Result<Place, String> {
        let (data, valid) = (self.target(id), self.target_valid(id));
        let mut column = 0;
        for a in &self.graph().node(id).args {
            let (t, to, there) = (self.ty(*a), data.skip(column), valid.map(|v| v.skip(column)));
            column += t.width;
            if self.is_leaf(*a) {
                self.loop_to(*a, vec![*a], Place { data: to, valid: own(there) })?;
                continue;
            }
            let x = self.place(*a)?;
            if x.data != to {
                self.copy(x.data, true, to, t.width)?;
            }
            match (there, x.valid) {
                (Some(to), None) => self.steps.push(Step::Ones { to, columns: t.width }),
                (Some(to), Some(from)) if from.view != to || !(from.wide || t.width == 1) => {
                    self.copy(from.view, from.wide, to, t.width)?;
                }
                _ => {}
            }
        }
        Ok(Place { data, valid: own(valid) })
    }

    fn copy(&mut self, from: View, steps: bool, to: View, columns: u32) -> Result<(), String> {
        let args = vec![Arg::Column(from, steps), Arg::Column(to, true), Arg::RowBytes(from.size)];
        self.call("flock_copy", args, columns)
    }

    /// Columns that follow one another are a view; others are copied, runs of them at a time.
    fn take(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (x, width) = (self.place(args[0])?, self.ty(args[0]).width);
        let (_, table) = self.table(args[1])?;
        let columns = table.as_i64().unwrap_or_default().iter().map(|j| u32::try_from(*j).ok().filter(|j| *j < width));
        let columns: Vec<u32> = columns.collect::<Option<_>>().ok_or("a column that does not exist")?;
        let first = *columns.first().ok_or("no columns")?;
        if columns.windows(2).all(|w| w[0] + 1 == w[1]) {
            return Ok(Place { data: x.data.skip(first), valid: x.valid.map(|v| v.skip(first)) });
        }
        let data = self.target(id);
        for (k, j) in columns.iter().enumerate() {
            self.copy(x.data.skip(*j), true, data.skip(k as u32), 1)?;
        }
        let Some(from) = x.valid.filter(|v| v.wide) else { return Ok(Place { data, valid: x.valid }) };
        let to = self.fresh(1, columns.len() as u32);
        for (k, j) in columns.iter().enumerate() {
            self.copy(from.view.skip(*j), true, to.skip(k as u32), 1)?;
        }
        Ok(Place { data, valid: own(Some(to)) })
    }

    /// The validity of what needs every column of a frame.
    fn every_column(&mut self, x: NodeId) -> Result<Option<Valid>, String> {
        let (valid, width) = (self.place(x)?.valid, self.ty(x).width);
        let Some(v) = valid else { return Ok(None) };
        if !v.wide || width == 1 {
            return Ok(Some(Valid { wide: false, ..v }));
        }
        let to = self.fresh(1, 1);
        let args = vec![Arg::Column(v.view, false), Arg::Stride, word(width), Arg::Rows, Arg::Column(to, false)];
        self.call("flock_valid_all", args, 1)?;
        Ok(Some(Valid { view: to, wide: false }))
    }

    fn reduce(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let x = node.args[0];
        let (t, data) = (self.ty(x), self.target(id));
        let valid = self.every_column(x)?;
        let name = match node.op {
            Op::Sum => "row_sum",
            Op::Prod => "row_prod",
            Op::RowMin => "row_min",
            Op::RowMax => "row_max",
            _ => "argmax",
        };
        let from = Arg::Column(self.place(x)?.data, false);
        let mut args = vec![from, Arg::Stride, word(t.width), Arg::Rows, Arg::Column(data, false)];
        let mut valid = valid;
        if t.dtype == DType::I64 {
            // A sum that overflows clears its validity, which the operand must keep.
            let to = self.fresh(1, 1);
            match valid {
                Some(v) => self.copy(v.view, false, to, 1)?,
                None => self.steps.push(Step::Ones { to, columns: 1 }),
            }
            args.push(Arg::Column(to, false));
            valid = Some(Valid { view: to, wide: false });
        }
        self.call(&format!("flock_{name}_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid })
    }

    fn quantify(&mut self, id: NodeId, name: &str) -> Result<Place, String> {
        let x = self.graph().node(id).args[0];
        let (place, width, data) = (self.place(x)?, self.ty(x).width, self.target(id));
        // Where all columns are missing together, the result is missing with them.
        let wide = place.valid.filter(|v| v.wide && width > 1);
        let own_valid = wide.map(|_| self.fresh(1, 1));
        let valid = wide.map_or(Arg::Null, |v| Arg::Column(v.view, false));
        let from = Arg::Column(place.data, false);
        let args = vec![from, valid, Arg::Stride, word(width), Arg::Rows, Arg::Column(data, false), column(own_valid)];
        self.call(name, args, 1)?;
        let valid = own_valid.map(|view| Valid { view, wide: false });
        Ok(Place { data, valid: valid.or(place.valid.map(|v| Valid { wide: false, ..v })) })
    }

    fn whole_row(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let x = node.args[0];
        let (t, data) = (self.ty(id), self.target(id));
        let valid = self.every_column(x)?;
        let mut args = vec![Arg::Column(self.place(x)?.data, false), Arg::Stride, word(t.width), Arg::Rows];
        let name = match node.attr {
            Attr::Word(w) => {
                args.push(Arg::Word(match w {
                    Word::L1 => 1,
                    Word::L2 => 2,
                    _ => 0,
                }));
                "normalize"
            }
            _ => "softmax",
        };
        args.push(Arg::Column(data, false));
        self.call(&format!("flock_{name}_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid })
    }

    fn linear(&mut self, id: NodeId) -> Result<Place, String> {
        if let Some(parts) = self.parts(id) {
            return self.linear_of_parts(id, &parts);
        }
        let data = self.target(id);
        self.dense_linear(id, None, data)
    }

    /// A linear map, and a number in place of what is below it.
    fn floored(&mut self, id: NodeId) -> Result<Place, String> {
        let [map, floor] = self.graph().node(id).args[..] else { return Err("no floor".into()) };
        let (constant, table) = self.table(floor)?;
        let floor = self.constants.row(constant, table)?;
        let data = self.target(id);
        self.dense_linear(map, Some(Arg::Element(floor, size(self.ty(id).dtype), false)), data)
    }

    fn dense_linear(&mut self, id: NodeId, floor: Option<Arg>, data: View) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (w, b) = (self.table(args[1])?, self.table(args[2])?);
        let table = self.constants.linear(w, b)?;
        let dtype = suffix(self.ty(id).dtype);
        let valid = self.every_column(args[0])?;
        let x = Arg::Column(self.place(args[0])?.data, false);
        let name = if floor.is_some() { "linear_floored" } else { "linear" };
        let from = [Arg::Table(table), x, Arg::Stride, Arg::Rows];
        let args = from.into_iter().chain(floor).chain([Arg::Column(data, false)]).collect();
        self.call(&format!("flock_{name}_{dtype}"), args, 1)?;
        Ok(Place { data, valid })
    }

    fn lookup(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (constant, table) = self.table(args[1])?;
        let table = self.constants.table(constant, table)?;
        let (index, t, data) = (self.place(args[0])?, self.ty(id), self.target(id));
        let index_data = Arg::Column(index.data, false);
        let args = vec![Arg::Table(table), index_data, Arg::Stride, Arg::Rows, Arg::Column(data, false)];
        self.call(&format!("flock_lookup_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid: index.valid.map(|v| Valid { wide: false, ..v }) })
    }

    fn one_hot(&mut self, id: NodeId) -> Result<Place, String> {
        let index = self.place(self.graph().node(id).args[0])?;
        let (t, data) = (self.ty(id), self.target(id));
        let from = Arg::Column(index.data, false);
        let args = vec![from, Arg::Stride, word(t.width), Arg::Rows, Arg::Column(data, false)];
        self.call(&format!("flock_one_hot_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid: index.valid.map(|v| Valid { wide: false, ..v }) })
    }

    fn bucketize(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let (constant, edges) = self.table(node.args[1])?;
        let table = self.constants.edges(constant, edges, node.attr == Attr::Word(Word::Right))?;
        let (x, t, data) = (self.place(node.args[0])?, self.ty(node.args[0]), self.target(id));
        let args = vec![Arg::Table(table), Arg::Column(x.data, true), Arg::Rows, Arg::Column(data, true)];
        self.call(&format!("flock_bucketize_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid: x.valid })
    }

    fn interpolate(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (xs, ys) = (self.table(args[1])?, self.table(args[2])?);
        let table = self.constants.curve(xs, ys)?;
        let (x, t, data) = (self.place(args[0])?, self.ty(id), self.target(id));
        let args = vec![Arg::Table(table), Arg::Column(x.data, true), Arg::Rows, Arg::Column(data, true)];
        self.call("flock_interpolate_f64", args, t.width)?;
        Ok(Place { data, valid: x.valid })
    }

    fn distances(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let (constant, points) = self.table(node.args[1])?;
        let table = self.constants.points(constant, points)?;
        let (t, data) = (self.ty(id), self.target(id));
        let valid = self.every_column(node.args[0])?;
        let x = Arg::Column(self.place(node.args[0])?.data, false);
        let kind = Arg::Word(match node.attr {
            Attr::Word(Word::L1) => 1,
            Attr::Word(Word::L2) => 2,
            Attr::Word(Word::SqEuclidean) => 3,
            _ => 0,
        });
        let args = vec![Arg::Table(table), x, Arg::Stride, Arg::Rows, kind, Arg::Column(data, false)];
        self.call(&format!("flock_distances_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid })
    }

    fn order(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph().node(id);
        let Attr::Range { start, len } = node.attr else { return Err("no ranks".into()) };
        let (t, data) = (self.ty(node.args[0]), self.target(id));
        let valid = self.every_column(node.args[0])?;
        // The kernel needs memory for one row; a buffer has so many bytes for each of at least 64.
        let work = u32::try_from(order_work(t.width as usize).div_ceil(LEAST_ROWS)).map_err(|_| "too wide")?;
        let work = Arg::Column(self.fresh(1, work), false);
        let x = Arg::Column(self.place(node.args[0])?.data, false);
        let out = Arg::Column(data, false);
        let args = vec![x, Arg::Stride, word(t.width), Arg::Rows, word(start), word(len), out, work];
        self.call(&format!("flock_order_{}", suffix(t.dtype)), args, 1)?;
        Ok(Place { data, valid })
    }

    fn gather(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (x, index) = (self.placed(args[0])?, self.placed(args[1])?);
        let (a, t, data) = (self.ty(args[0]), self.ty(id), self.target(id));
        let to = self.target_valid(id).unwrap_or_else(|| self.fresh(1, t.width));
        let (x_valid, valid_stride) = match x.valid {
            Some(v) => (Arg::Column(v.view, false), if v.wide { Arg::Stride } else { word(0) }),
            None => (Arg::Null, word(0)),
        };
        let index_valid = index.valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide));
        let from = [Arg::Column(x.data, false), x_valid, valid_stride, Arg::Stride, word(a.width)];
        let by = [Arg::Column(index.data, true), index_valid, Arg::Rows];
        let out = [Arg::Column(data, true), Arg::Column(to, true)];
        let args = from.into_iter().chain(by).chain(out).collect();
        self.call(&format!("flock_gather_{}", suffix(t.dtype)), args, t.width)?;
        Ok(Place { data, valid: own(Some(to)) })
    }

    /// Where a frame lies; a constant row and a null are written out.
    fn placed(&mut self, id: NodeId) -> Result<Place, String> {
        if !self.is_leaf(id) {
            return self.place(id);
        }
        let t = self.ty(id);
        let valid = t.nullable.then(|| self.fresh(1, t.width));
        let to = Place { data: self.fresh(size(t.dtype), t.width), valid: own(valid) };
        self.loop_to(id, vec![id], to)?;
        Ok(to)
    }

    fn trees(&mut self, id: NodeId) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (constant, ensemble) = self.ensemble(args[1])?;
        if !self.options.trees.as_code(ensemble) {
            return self.walk(id, "flock_trees");
        }
        let leaves = self.constants.leaves(constant, ensemble)?;
        let f64_features = self.ty(args[0]).dtype == DType::F64;
        let starts = self.constants.starts(constant, ensemble, f64_features)?;
        let thresholds = self.constants.thresholds(constant, ensemble, f64_features)?;
        let valid = self.every_column(args[0])?;
        let (x, out) = (self.place(args[0])?.data, self.target(id));
        self.steps.push(Step::Trees(TreeCode { ensemble: constant, leaves, starts, thresholds, x, out }));
        Ok(Place { data: out, valid })
    }

    fn leaves(&mut self, id: NodeId) -> Result<Place, String> {
        self.walk(id, "flock_leaves")
    }

    /// An ensemble as data.
    fn walk(&mut self, id: NodeId, kernel: &str) -> Result<Place, String> {
        let args = &self.graph().node(id).args;
        let (constant, ensemble) = self.ensemble(args[1])?;
        let (table, (bytes, rows)) = self.constants.trees(constant, ensemble, self.ty(args[0]).dtype == DType::F64)?;
        let valid = self.every_column(args[0])?;
        let data = self.target(id);
        let work = match kernel {
            "flock_trees" if rows > 0 => Arg::Column(self.memory(bytes, rows), false),
            _ => Arg::Null,
        };
        let x = Arg::Column(self.place(args[0])?.data, false);
        let args = vec![Arg::Table(table), x, Arg::Stride, Arg::Rows, Arg::Column(data, false), work];
        self.call(kernel, args, 1)?;
        Ok(Place { data, valid })
    }
}

pub(super) fn word(n: u32) -> Arg {
    Arg::Word(i64::from(n))
}

fn column(view: Option<View>) -> Arg {
    view.map_or(Arg::Null, |v| Arg::Column(v, true))
}

fn own(view: Option<View>) -> Option<Valid> {
    view.map(|view| Valid { view, wide: true })
}
