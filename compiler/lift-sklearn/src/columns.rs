//! What flows between steps: columns that are not bound to a dtype before a step asks for one.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::lift::Lift;
use crate::read::view::View;

/// What a column of the input holds, as its readers use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number; null and NaN are one.
    Number,
    /// Text; null is missing.
    Text,
    /// A truth value; null is missing.
    Bool,
    /// An integer that a step takes for the text of its digits; null is missing.
    Integer,
}

impl Kind {
    /// How a column of that dtype is read.
    pub(crate) fn of(dtype: DType) -> Kind {
        match dtype {
            DType::Str => Kind::Text,
            DType::Bool => Kind::Bool,
            DType::I64 | DType::F32 | DType::F64 => Kind::Number,
        }
    }

    /// What the caller says that a column holds.
    pub(crate) fn said(dtype: DType) -> Kind {
        if dtype == DType::I64 { Kind::Integer } else { Kind::of(dtype) }
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Kind::Integer => DType::I64,
            Kind::Number => DType::F64,
            Kind::Text => DType::Str,
            Kind::Bool => DType::Bool,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::Bool => "a truth value",
        }
    }
}

/// A column of the input: how it is named, and how the first step that reads it uses it.
pub(crate) struct Input {
    pub name: String,
    /// What the caller says, of a column that no step reads or that one takes as text.
    pub given: Option<Kind>,
    pub used: Option<(Kind, String)>,
}

/// What is known of the numbers of some columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// A value may be NaN.
    pub nan: bool,
    /// A value may be infinite or beyond float32.
    pub big: bool,
    /// A finite input may have become an infinite value.
    pub overflow: bool,
    /// The library holds the values in float32.
    pub single: bool,
}

impl Facts {
    /// Columns of the input.
    pub const RAW: Facts = Facts { nan: true, big: true, overflow: false, single: false };
    /// Small integers.
    pub const CODES: Facts = Facts { nan: false, big: false, overflow: false, single: false };

    fn or(self, other: Facts) -> Facts {
        Facts {
            nan: self.nan || other.nan,
            big: self.big || other.big,
            overflow: self.overflow || other.overflow,
            // An array of both is float64.
            single: self.single && other.single,
        }
    }
}

#[derive(Clone)]
enum Part {
    /// A column of the input that no step has read yet.
    Input(usize),
    /// Columns of a node.
    Node { node: NodeId, width: usize, facts: Facts, pending: Option<NodeId> },
    /// The output of a step that could not be lifted: faults are there already, only the width matters.
    Unknown(usize),
}

impl Part {
    fn width(&self) -> usize {
        match self {
            Part::Input(_) => 1,
            Part::Node { width, .. } | Part::Unknown(width) => *width,
        }
    }
}

/// Columns between two steps.
///
/// A step that refuses infinities may leave that check to a later one that refuses them anyway: `pending` is the frame
/// still to be checked. Infinity stays infinite or becomes NaN through scalers and selections, never a finite number.
#[derive(Clone)]
pub struct Columns {
    parts: Vec<Part>,
    /// `get_feature_names_out()`, where the steps so far have it.
    pub names: Option<Vec<String>>,
    /// Whether the library holds them in a sparse matrix.
    pub sparse: bool,
}

impl Columns {
    pub(crate) fn inputs(names: Vec<String>) -> Columns {
        Columns { parts: (0..names.len()).map(Part::Input).collect(), names: Some(names), sparse: false }
    }

    /// Columns of a node.
    pub fn node(node: NodeId, width: usize, facts: Facts, names: Option<Vec<String>>) -> Columns {
        Columns { parts: vec![Part::Node { node, width, facts, pending: None }], names, sparse: false }
    }

    /// No columns.
    pub fn none() -> Columns {
        Columns { parts: Vec::new(), names: Some(Vec::new()), sparse: false }
    }

    /// Columns that stand for those of a step that was not lifted.
    pub fn unknown(width: usize) -> Columns {
        Columns { parts: vec![Part::Unknown(width)], names: None, sparse: false }
    }

    /// The same columns with infinities still to be refused.
    #[must_use]
    pub fn with_pending(mut self, pending: Option<NodeId>) -> Columns {
        for part in &mut self.parts {
            if let Part::Node { pending: p, .. } = part {
                *p = pending;
            }
        }
        self
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.parts.iter().map(Part::width).sum()
    }

    /// Whether a step before could not be lifted.
    pub fn is_unknown(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Unknown(_)))
    }

    /// What is known of the numbers.
    pub fn facts(&self) -> Facts {
        let of = |p: &Part| if let Part::Node { facts, .. } = p { *facts } else { Facts::RAW };
        self.parts.iter().map(of).reduce(Facts::or).unwrap_or(Facts::CODES)
    }

    /// Side by side. Names stay where both have them.
    pub fn append(&mut self, other: Columns) {
        self.parts.extend(other.parts);
        self.sparse |= other.sparse;
        self.names = match (self.names.take(), other.names) {
            (Some(mut a), Some(b)) => {
                a.extend(b);
                Some(a)
            }
            _ => None,
        };
    }

    /// The columns for which `keep` holds of the facts, as far as parts go.
    fn filter(&self, keep: impl Fn(Facts) -> bool) -> Columns {
        let of = |p: &&Part| keep(if let Part::Node { facts, .. } = p { *facts } else { Facts::RAW });
        Columns { parts: self.parts.iter().filter(of).cloned().collect(), names: None, sparse: false }
    }
}

type Res<T> = Result<T, Diagnostic>;

impl Lift {
    /// Some columns by position, repeats allowed.
    pub fn select(&mut self, columns: &Columns, positions: &[usize]) -> Res<Columns> {
        let mut starts = Vec::with_capacity(columns.parts.len());
        let mut width = 0;
        for part in &columns.parts {
            starts.push(width);
            width += part.width();
        }
        let mut selected = Columns { parts: Vec::new(), names: None, sparse: columns.sparse };
        selected.names = columns.names.as_ref().map(|n| positions.iter().map(|p| n[*p].clone()).collect());
        let mut at = 0;
        while at < positions.len() {
            let part = starts.partition_point(|s| *s <= positions[at]).saturating_sub(1);
            let end = starts[part] + columns.parts[part].width();
            let inside = positions[at..].iter().take_while(|p| (starts[part]..end).contains(*p)).count();
            let local: Vec<usize> = positions[at..at + inside].iter().map(|p| p - starts[part]).collect();
            selected.parts.push(self.select_part(&columns.parts[part], &local)?);
            at += inside;
        }
        Ok(selected)
    }

    /// Every column by itself.
    pub fn split(&mut self, columns: &Columns) -> Res<Vec<Columns>> {
        let mut split = Vec::with_capacity(columns.width());
        for part in &columns.parts {
            for k in 0..part.width() {
                let names = columns.names.as_ref().map(|n| vec![n[split.len()].clone()]);
                split.push(Columns { parts: vec![self.select_part(part, &[k])?], names, sparse: columns.sparse });
            }
        }
        Ok(split)
    }

    fn select_part(&mut self, part: &Part, positions: &[usize]) -> Res<Part> {
        Ok(match part {
            Part::Input(i) => Part::Input(*i),
            Part::Unknown(_) => Part::Unknown(positions.len()),
            Part::Node { node, facts, pending, .. } => Part::Node {
                node: self.pick(*node, positions)?,
                width: positions.len(),
                facts: *facts,
                pending: match pending {
                    Some(p) => Some(self.pick(*p, positions)?),
                    None => None,
                },
            },
        })
    }

    /// Columns of a node by position.
    pub fn pick(&mut self, node: NodeId, positions: &[usize]) -> Res<NodeId> {
        let width = self.width(node);
        let first = positions.first().copied().unwrap_or(0);
        if positions.iter().enumerate().all(|(i, p)| *p == first + i) {
            if positions.len() == width {
                return Ok(node);
            }
            let range = Attr::Range { start: first as u32, len: positions.len() as u32 };
            return self.op_with(Op::Slice, range, &[node]);
        }
        let columns = self.b.constant(Frame::row_i64(positions.iter().map(|p| *p as i64).collect::<Vec<_>>()));
        self.op(Op::Take, &[node, columns])
    }

    /// The columns as one frame of f64 without nulls; missing is NaN.
    pub fn numbers(&mut self, columns: &Columns, place: &View<'_>) -> Res<NodeId> {
        let mut nodes = Vec::new();
        let mut at = 0;
        while at < columns.parts.len() {
            let raw = columns.parts[at..].iter().take_while(|p| matches!(p, Part::Input(_))).count();
            if raw > 0 {
                nodes.push(self.input_numbers(&columns.parts[at..at + raw], place)?);
                at += raw;
                continue;
            }
            nodes.push(match &columns.parts[at] {
                Part::Node { node, .. } => self.as_numbers(*node, place)?,
                part => self.b.constant(Frame::row_f64(vec![f64::NAN; part.width()])),
            });
            at += 1;
        }
        self.side_by_side(&nodes)
    }

    /// The frames' columns in one frame.
    pub fn side_by_side(&mut self, nodes: &[NodeId]) -> Res<NodeId> {
        match nodes {
            [one] => Ok(*one),
            many => self.op(Op::Concat, many),
        }
    }

    fn input_numbers(&mut self, parts: &[Part], place: &View<'_>) -> Res<NodeId> {
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            let Part::Input(i) = part else { continue };
            nodes.push(match self.inputs[*i].used {
                Some((kind @ (Kind::Bool | Kind::Integer), _)) => {
                    let input = self.input(*i, kind, place)?;
                    self.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1).nullable()), &[input])?
                }
                _ => self.input(*i, Kind::Number, place)?,
            });
        }
        let all = self.side_by_side(&nodes)?;
        self.or_else(all, Frame::row_f64([f64::NAN]))
    }

    fn as_numbers(&mut self, node: NodeId, place: &View<'_>) -> Res<NodeId> {
        let ty = self.frame_type(node);
        let node = match ty.dtype {
            DType::F64 => node,
            DType::Str => return Err(place.unsupported("text where numbers are expected")),
            _ => self.op_with(Op::Cast, Attr::Type(ty.with_dtype(DType::F64)), &[node])?,
        };
        if ty.nullable { self.or_else(node, Frame::row_f64([f64::NAN])) } else { Ok(node) }
    }

    /// The columns of the input, declared as they are used; two uses that differ are a fault.
    fn input(&mut self, index: usize, kind: Kind, place: &View<'_>) -> Res<NodeId> {
        let input = &mut self.inputs[index];
        if let Some((other, by)) = &input.used
            && *other != kind
        {
            let (name, other, kind) = (&input.name, other.name(), kind.name());
            let message = format!("column `{name}` is used as {other} at {by} and as {kind} here");
            return Err(Diagnostic::new("flock::lift::column_type", place.path(), message));
        }
        input.used.get_or_insert_with(|| (kind, place.path().into()));
        let name = input.name.clone();
        let ty = FrameType::new(kind.dtype(), 1).nullable();
        self.b.input(&name, ty).map_err(|found| {
            let message = format!("column `{name}` is {ty} here and {found} elsewhere");
            Diagnostic::new("flock::lift::column_type", place.path(), message)
        })
    }

    /// One column as it is: its node, and what it holds. `wanted` is for a column of the input that is not read yet.
    pub fn single(&mut self, column: &Columns, wanted: Kind, place: &View<'_>) -> Res<(NodeId, Kind)> {
        match &column.parts[..] {
            [Part::Input(i)] => {
                // A column of truth values that was declared for one reader serves as numbers for another.
                let kind = match (self.inputs[*i].used.as_ref().map(|u| u.0), wanted) {
                    (Some(Kind::Number), Kind::Bool) => Kind::Number,
                    (Some(Kind::Bool | Kind::Integer), Kind::Number) => Kind::Number,
                    (_, wanted) => wanted,
                };
                let node = match kind {
                    Kind::Number => self.input_numbers(&column.parts, place)?,
                    kind => self.input(*i, kind, place)?,
                };
                Ok((node, kind))
            }
            [Part::Node { node, .. }] => match self.frame_type(*node).dtype {
                DType::Str => Ok((*node, Kind::Text)),
                DType::Bool => Ok((*node, Kind::Bool)),
                _ => Ok((*node, Kind::Number)),
            },
            _ => match wanted {
                Kind::Number => Ok((self.b.constant(Frame::row_f64([0.0])), wanted)),
                Kind::Text => Ok((self.b.constant(Frame::row_str([""])), wanted)),
                Kind::Bool => Ok((self.b.constant(Frame::row_bool([false])), wanted)),
                Kind::Integer => Ok((self.b.constant(Frame::row_i64([0])), wanted)),
            },
        }
    }

    /// One column as text that is hashed: of integers the digits, of truth values 1 and 0; None where it is numbers.
    pub(crate) fn text_to_hash(&mut self, column: &Columns, place: &View<'_>) -> Res<Option<NodeId>> {
        let said = match &column.parts[..] {
            [Part::Input(i)] => self.inputs[*i].given.filter(|k| matches!(k, Kind::Integer | Kind::Bool)),
            _ => None,
        };
        let (node, kind) = self.single(column, said.unwrap_or(Kind::Text), place)?;
        let to = |cx: &mut Lift, node: NodeId, dtype: DType| {
            let ty = cx.frame_type(node).with_dtype(dtype);
            cx.op_with(Op::Cast, Attr::Type(ty), &[node])
        };
        match kind {
            Kind::Text => Ok(Some(node)),
            Kind::Integer => to(self, node, DType::Str).map(Some),
            Kind::Bool => {
                let digit = to(self, node, DType::I64)?;
                to(self, digit, DType::Str).map(Some)
            }
            Kind::Number => Ok(None),
        }
    }

    /// The columns as output, one node per column.
    pub(crate) fn outputs_of(&mut self, columns: &Columns, place: &View<'_>) -> Res<Vec<NodeId>> {
        let mut nodes = Vec::with_capacity(columns.width());
        for part in &columns.parts {
            match part {
                Part::Input(i) => {
                    nodes.push(match self.inputs[*i].used.as_ref().map(|u| u.0).or(self.inputs[*i].given) {
                        Some(kind @ (Kind::Text | Kind::Bool)) => self.input(*i, kind, place)?,
                        _ => self.input_numbers(std::slice::from_ref(part), place)?,
                    })
                }
                Part::Node { node, width, .. } => {
                    for k in 0..*width {
                        nodes.push(self.pick(*node, &[k])?);
                    }
                }
                Part::Unknown(_) => {}
            }
        }
        Ok(nodes)
    }

    /// Refuses the infinities that steps before have left to a later check.
    pub fn settle(&mut self, columns: &Columns) -> Res<()> {
        self.settle_where(columns, |_| true)
    }

    fn settle_where(&mut self, columns: &Columns, which: impl Fn(Facts) -> bool) -> Res<()> {
        for part in &columns.parts {
            if let Part::Node { pending: Some(pending), facts, .. } = part
                && which(*facts)
            {
                self.refuse_infinity(*pending)?;
            }
        }
        Ok(())
    }

    /// The library refuses infinities in these columns here, and lets NaN through: what a later step has to check
    /// unless it refuses infinities anyway. `numbers` are the columns as one frame.
    pub fn refuse_infinity_later(&mut self, columns: &Columns, numbers: NodeId) -> Res<Option<NodeId>> {
        self.settle_where(columns, |facts| facts.overflow)?;
        Ok(columns.facts().big.then_some(numbers))
    }

    /// Refuses rows with an infinity; NaN may be.
    pub fn refuse_infinity(&mut self, numbers: NodeId) -> Res<()> {
        let size = self.op(Op::Abs, &[numbers])?;
        let infinity = self.b.constant(Frame::row_f64([f64::INFINITY]));
        let finite = self.op(Op::Ne, &[size, infinity])?;
        self.refuse_unless_all(finite)
    }

    /// Refuses rows with a NaN or an infinity (`check_array`'s default).
    pub fn refuse_non_finite(&mut self, columns: &Columns, place: &View<'_>) -> Res<()> {
        let suspects = columns.filter(|f| f.nan || f.big);
        if suspects.width() == 0 {
            return Ok(());
        }
        let numbers = self.numbers(&suspects, place)?;
        let finite = self.op(Op::Composite(flock_ir_spec::Composite::IS_FINITE), &[numbers])?;
        self.refuse_unless_all(finite)
    }

    /// Refuses rows with a value that is infinite as float32, and with NaN unless it is `allowed`.
    pub fn refuse_beyond_f32(&mut self, columns: &Columns, allowed: bool, place: &View<'_>) -> Res<()> {
        let suspects = columns.filter(|f| f.big || f.nan && !allowed);
        if suspects.width() == 0 {
            return Ok(());
        }
        let numbers = self.numbers(&suspects, place)?;
        let size = self.op(Op::Abs, &[numbers])?;
        let limit = self.b.constant(Frame::row_f64([F32_OVERFLOW]));
        let fits = if allowed {
            let beyond = self.op(Op::Ge, &[size, limit])?;
            self.op(Op::Not, &[beyond])?
        } else {
            self.op(Op::Lt, &[size, limit])?
        };
        self.refuse_unless_all(fits)
    }

    /// Refuses rows in which a column of the condition is not true.
    pub fn refuse_unless_all(&mut self, condition: NodeId) -> Res<()> {
        let all = if self.width(condition) == 1 { condition } else { self.op(Op::All, &[condition])? };
        self.b.refuse_unless(all);
        Ok(())
    }
}

/// The least double that rounds to an infinite float32: halfway between the largest float32 and 2^128.
const F32_OVERFLOW: f64 = 3.402_823_567_797_336_6e38;
