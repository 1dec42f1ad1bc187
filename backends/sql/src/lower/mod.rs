//! From frame graphs to scalar expressions.
//!
//! # Missing values
//!
//! A float of the IR can be NaN, and null if its frame is nullable. In SQL here, **NULL stands for NaN** wherever the
//! frame cannot be null: `coalesce(x, NaN)` at the border becomes `nullif(x, 'NaN')`, after which NULL is the one missing
//! value in every dialect, SQLite (which has no NaN) among them. A test on NULL is not true, so the usual route of NaN
//! costs nothing, and arithmetic passes it on. Each value carries what SQL's NULL means in it ([`Val::null`],
//! [`Val::miss`]) and whether a NaN of the dialect's own may turn up ([`Val::nan`]): only arithmetic on infinities makes
//! one, and it is turned into NULL where something would tell the two apart. Where NULL would mean both null and NaN, an
//! operator that has to tell them apart is refused; a guarded output needs not, both are missing there.
//! For truth values likewise: NULL stands for false where the frame cannot be null.
//!
//! # float32
//!
//! A float32 is held as the double of the same value. Its rounding is put off ([`Val::wide`]) until something needs
//! it: a test with a constant becomes one with the equivalent double, arithmetic forces it. The sum, product, quotient
//! and root of two float32 in double, rounded, are the float32 results (53 ≥ 2·24 + 2 bits).
//!
//! # Bad rows
//!
//! No expression ends the statement for a value in a row: every cast, and in PostgreSQL every operation whose bounds
//! ([`Range`]) do not exclude overflow, underflow or a division by 0, is guarded by CASE.

mod arithmetic;
mod cast;
mod category;
mod composite;
mod curve;
mod digest;
mod functions;
mod linear;
mod logic;
mod nearest;
mod range;
mod remainder;
mod row;
mod trees;

use std::collections::HashMap;
use std::rc::Rc;

use flock_ir_spec::ops::{Apply, Arg, Meaning};
use flock_ir_spec::{
    Attr, ColumnId, Constant, DType, Frame, FrameType, Function, Graph, Module, Node, NodeId, Op, Scalar,
};

use crate::backend::{CHARACTERS, NO_HASH, NUMBERS, PATTERNS, TERMS};
use crate::carried;
use crate::dialect::{Dialect, Nan};
use crate::expr::{Arena, Cast, Id, Lit, X};
pub use range::Range;

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub struct Val {
    pub id: Id,
    pub dtype: DType,
    /// NULL may turn up and means null.
    pub null: bool,
    /// NULL may turn up and means NaN, or false.
    pub miss: bool,
    /// A NaN of the dialect may turn up.
    pub nan: bool,
    /// A float32 whose rounding is put off.
    pub wide: bool,
    /// Its operator is exact only up to rounding, so that rounding it once more or less changes nothing that is promised.
    pub loose: bool,
    pub range: Range,
}

/// A function of a category: the first true condition, else the key that the operand equals, says the value.
#[derive(Debug)]
pub struct Dict {
    pub arms: Rc<Arms>,
    /// A value for each condition, then for each key.
    pub values: Vec<Scalar>,
    pub otherwise: Scalar,
    pub dtype: DType,
}

/// What a [`Dict`] tells apart.
#[derive(Debug, PartialEq)]
pub struct Arms {
    pub conditions: Vec<Id>,
    pub operand: Option<Id>,
    pub keys: Vec<Lit>,
}

/// One of two values; a condition that is not true means `no`.
#[derive(Clone, Debug)]
pub struct Pick {
    pub condition: Id,
    pub yes: Scalar,
    pub no: Scalar,
    pub dtype: DType,
    /// It is `yes` where this index is that number.
    pub of: Option<(Rc<Dict>, i64)>,
}

/// One column of a frame, as far as it is known while compiling.
#[derive(Clone, Debug)]
pub enum Cell {
    Const(Scalar, DType),
    Pick(Pick),
    Dict(Rc<Dict>),
    Val(Val),
}

impl Cell {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Cell::Const(_, d) => *d,
            Cell::Pick(p) => p.dtype,
            Cell::Dict(d) => d.dtype,
            Cell::Val(v) => v.dtype,
        }
    }
}

/// The values that leaves of a graph stand for.
#[derive(Default)]
pub struct Inputs<'a> {
    /// Parameters of the function.
    pub params: &'a [Rc<[Cell]>],
    /// Columns of the relation.
    pub columns: Option<&'a HashMap<ColumnId, Cell>>,
}

/// How a call that is left in a query is written: function, output, to a name.
pub type Naming<'a> = &'a dyn Fn(&str, &str) -> String;

/// Lowers graphs into an arena.
pub struct Lower<'m> {
    pub arena: Arena<'m>,
    pub module: &'m Module,
    /// Calls are written by this name; without it they are lowered in place.
    pub naming: Option<Naming<'m>>,
    calls: u32,
}

/// Functions within functions are followed so far.
const DEEPEST_CALL: u32 = 64;

impl<'m> Lower<'m> {
    pub fn new(dialect: &'static Dialect, module: &'m Module, naming: Option<Naming<'m>>) -> Lower<'m> {
        Lower { arena: Arena::new(dialect), module, naming, calls: 0 }
    }

    pub fn dialect(&self) -> &'static Dialect {
        self.arena.dialect
    }

    /// The column of a table as the parameter of a function: cast to the type that the model was trained on.
    pub fn input(&mut self, name: &str, sql: &str, ty: FrameType) -> Cell {
        let column = self.arena.column(name, sql);
        let id = match ty.dtype {
            DType::F32 | DType::F64 => self.arena.add(X::Cast(Cast::Double, column)),
            DType::Str => {
                let text = self.arena.add(X::Cast(Cast::Text, column));
                if self.dialect().bytewise.is_empty() { text } else { self.arena.add(X::Bytewise(text)) }
            }
            DType::Bool | DType::I64 => column,
        };
        self.column(id, ty)
    }

    /// A column of a relation whose type is known.
    pub fn column(&mut self, id: Id, ty: FrameType) -> Cell {
        let float = ty.dtype.is_float();
        Cell::Val(Val {
            null: ty.nullable,
            miss: float && !ty.nullable,
            nan: float && self.dialect().has_nan(),
            wide: ty.dtype == DType::F32,
            ..self.plain(id, ty.dtype)
        })
    }

    /// The cells of every node that the roots need.
    pub fn graph(&mut self, graph: &'m Graph, roots: &[NodeId], place: &str, inputs: &Inputs<'_>) -> Vec<Rc<[Cell]>> {
        let live = graph.reachable(roots.iter().copied());
        let outer = std::mem::replace(&mut self.arena.place, place.into());
        let mut cells: Vec<Rc<[Cell]>> = vec![Rc::from([]); live.len()];
        for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
            self.arena.set_step(graph.step_of(id).unwrap_or(""));
            let args: Vec<Rc<[Cell]>> = node.args.iter().map(|a| cells[a.index()].clone()).collect();
            let found = self.node(graph, node, &args, inputs);
            cells[id.index()] = found.into();
        }
        self.arena.place = outer;
        cells
    }

    /// Every column of a frame that cannot be said.
    fn refused(&mut self, node: &Node, reason: &str) -> Vec<Cell> {
        let id = self.arena.refuse(node.op.name(), reason);
        let ty = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        let range = Range::ALL;
        let val = Val { id, dtype: ty.dtype, null: true, miss: false, nan: false, wide: false, loose: false, range };
        vec![Cell::Val(val); ty.width as usize]
    }

    fn node(&mut self, graph: &'m Graph, node: &Node, args: &[Rc<[Cell]>], inputs: &Inputs<'_>) -> Vec<Cell> {
        let out = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        match (node.op, &node.attr) {
            (Op::Input, Attr::Param(i)) => inputs.params.get(*i as usize).map_or_else(Vec::new, |c| c.to_vec()),
            (Op::Column, Attr::Column(c)) => match inputs.columns.and_then(|m| m.get(c)) {
                Some(cell) => vec![cell.clone()],
                None => self.refused(node, "the relation has no such column"),
            },
            (Op::Const, Attr::Const(c)) => match self.module.constants.get(*c).map(AsRef::as_ref) {
                Some(Constant::Table(t)) if t.rows == 1 => {
                    (0..t.width).map(|j| Cell::Const(t.get(0, j), t.dtype())).collect()
                }
                // Tables of several rows and ensembles are read by the operators that take them.
                _ => Vec::new(),
            },
            (Op::Null, _) => vec![Cell::Const(Scalar::Null, out.dtype); out.width as usize],
            (Op::Concat, _) => args.iter().flat_map(|a| a.iter().cloned()).collect(),
            (Op::Slice, Attr::Range { start, len }) => {
                args[0].iter().skip(*start as usize).take(*len as usize).cloned().collect()
            }
            (Op::Take, _) => {
                let columns = args[1].iter().filter_map(|c| match c {
                    Cell::Const(Scalar::I64(j), _) => args[0].get(*j as usize).cloned(),
                    _ => None,
                });
                columns.collect()
            }
            (Op::Call, Attr::Call { function, output, .. }) => self.call(node, function, output, args),
            (Op::Opaque, Attr::Opaque { sql, ty }) => {
                let text = match carried::adapted(self.dialect(), sql) {
                    Ok(text) => text,
                    Err(why) => return self.refused(node, &why),
                };
                let ids: Vec<Id> = args.iter().filter_map(|a| a.first()).map(|c| self.raw(c).id).collect();
                let id = self.arena.add(X::Template(text.as_ref().into(), ids.into()));
                let nan = ty.dtype.is_float() && self.dialect().has_nan();
                vec![Cell::Val(Val { null: ty.nullable, nan, ..self.plain(id, ty.dtype) })]
            }
            (Op::Linear, _) => self.linear(graph, node, args),
            (Op::Lookup, _) => self.lookup(graph, node, args),
            (Op::OneHot, _) => self.one_hot(node, args),
            (Op::Trees | Op::Leaves, _) => self.trees(graph, node, args),
            (Op::TermCounts, _) => self.refused(node, TERMS),
            (Op::Lower | Op::Upper | Op::WithoutAccents, _) => self.refused(node, CHARACTERS),
            (Op::Matches, _) => self.refused(node, PATTERNS),
            (Op::Parse | Op::Digits, _) => self.refused(node, NUMBERS),
            (Op::Interpolate, _) => self.interpolate(graph, node, args),
            (Op::Distances, _) => self.distances(graph, node, args),
            (Op::Order, _) => self.order(node, args),
            (Op::Gather, _) => self.gather(node, args),
            (Op::CityHash, _) => self.refused(node, NO_HASH),
            (Op::Digest, _) => self.digest(node, args),
            (Op::Composite(c), _) if !logic::has_short_way(c) => self.definition(graph, node, c, args),
            (Op::Sum | Op::Prod | Op::RowMin | Op::RowMax | Op::ArgMax | Op::Softmax | Op::Normalize, _) => {
                self.reduce(node, &args[0])
            }
            (Op::All, _) => vec![self.logic(&args[0], true)],
            (Op::Any, _) => vec![self.logic(&args[0], false)],
            (Op::InSet | Op::IndexOf | Op::Bucketize, _) => self.by_constant(graph, node, args),
            _ => {
                let width = out.width as usize;
                let column = |a: &Rc<[Cell]>, k: usize| a.get(if a.len() == 1 { 0 } else { k }).cloned();
                (0..width)
                    .map(|k| {
                        let cells: Vec<Cell> = args.iter().filter_map(|a| column(a, k)).collect();
                        self.element(node, &cells, out)
                    })
                    .collect()
            }
        }
    }

    /// A value for SQL that is carried, which knows the dialect's own NaN and types.
    pub fn raw(&mut self, cell: &Cell) -> Val {
        let v = self.val(cell);
        let id = self.output(cell);
        self.native(Val { id, ..v })
    }

    fn call(&mut self, node: &Node, function: &str, output: &str, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let ty = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        if let Some(naming) = self.naming {
            let name: Rc<str> = naming(function, output).into();
            let cells: Vec<Cell> = args.iter().flat_map(|a| a.iter().cloned()).collect();
            let ids: Vec<Id> = cells.iter().map(|c| self.raw(c).id).collect();
            let id = self.arena.add(X::Udf(name.as_ref().into(), ids.into()));
            let nan = ty.dtype.is_float() && self.dialect().has_nan();
            return vec![Cell::Val(Val { null: true, nan, ..self.plain(id, ty.dtype) })];
        }
        let module = self.module;
        let found = module.function(function).and_then(|f| Some((f, f.output(output)?)));
        let Some((f, output)) = found else { return self.refused(node, "no such function or output in the module") };
        if self.calls >= DEEPEST_CALL {
            return self.refused(node, "functions call one another too deeply");
        }
        self.calls += 1;
        let cells = self.graph(&f.graph, &[output.node], &f.name, &Inputs { params: args, columns: None });
        self.calls -= 1;
        cells[output.node.index()].to_vec()
    }

    /// One element of an operator that works element by element.
    fn element(&mut self, node: &Node, args: &[Cell], out: FrameType) -> Cell {
        // What is made of something that cannot be said cannot be said for that reason.
        let unsaid = |c: &&Cell| matches!(c, Cell::Val(v) if matches!(self.arena.x(v.id), X::Refused(_)));
        if let Some(Cell::Val(v)) = args.iter().find(unsaid) {
            return Cell::Val(Val { dtype: out.dtype, ..*v });
        }
        match self.mapped(node, args, out) {
            Some(cell) => cell,
            None => self.computed(node, args, out),
        }
    }

    /// The operator on what is known while compiling: constants, and functions of one category.
    fn mapped(&mut self, node: &Node, args: &[Cell], out: FrameType) -> Option<Cell> {
        let Meaning::Eval(_) = node.op.record().meaning else { return None };
        let open: Vec<usize> = (0..args.len()).filter(|i| !matches!(args[*i], Cell::Const(..))).collect();
        let at = |i: usize, x: &Scalar| -> Option<Scalar> {
            let scalars: Vec<(Scalar, DType)> = args
                .iter()
                .enumerate()
                .map(|(j, a)| match a {
                    Cell::Const(s, d) => (s.clone(), *d),
                    _ if j == i => (x.clone(), a.dtype()),
                    _ => (Scalar::Null, a.dtype()),
                })
                .collect();
            evaluate(node, &scalars, out)
        };
        match open.as_slice() {
            [] => Some(Cell::Const(at(usize::MAX, &Scalar::Null)?, out.dtype)),
            [i] => match &args[*i] {
                Cell::Dict(d) => {
                    let values = d.values.iter().map(|v| at(*i, v)).collect::<Option<Vec<_>>>()?;
                    let otherwise = at(*i, &d.otherwise)?;
                    let dict = Dict { arms: d.arms.clone(), values, otherwise, dtype: out.dtype };
                    Some(Cell::Dict(dict.into()))
                }
                Cell::Pick(p) => {
                    let pick = Pick { yes: at(*i, &p.yes)?, no: at(*i, &p.no)?, dtype: out.dtype, ..p.clone() };
                    if pick.yes == pick.no {
                        return Some(Cell::Const(pick.yes, out.dtype));
                    }
                    Some(Cell::Pick(pick))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A cell as an expression.
    pub fn val(&mut self, cell: &Cell) -> Val {
        match cell {
            Cell::Val(v) => *v,
            Cell::Const(s, dtype) => self.constant(s, *dtype),
            Cell::Pick(p) => self.picked(p),
            Cell::Dict(d) => self.looked_up(d),
        }
    }

    fn constant(&mut self, s: &Scalar, dtype: DType) -> Val {
        let id = self.arena.lit(Lit::of(s, dtype));
        let nan = number(s).is_some_and(f64::is_nan);
        let range = number(s).map_or(Range::ALL, Range::point);
        let null = matches!(s, Scalar::Null);
        Val { id, dtype, null, miss: nan, nan: false, wide: false, loose: false, range }
    }

    /// A plain value of that type.
    fn plain(&self, id: Id, dtype: DType) -> Val {
        Val { id, dtype, null: false, miss: false, nan: false, wide: false, loose: false, range: Range::ALL }
    }

    /// The same float with NULL in place of the dialect's own NaN.
    pub fn clean(&mut self, v: Val) -> Val {
        if !v.nan {
            return v;
        }
        let id = match self.dialect().nan {
            Nan::Absent => v.id,
            Nan::Greatest => {
                let nan = self.arena.lit(Lit::Nan);
                self.arena.call("nullif", &[v.id, nan])
            }
            Nan::ByBits => {
                let test = self.arena.call("isnan", &[v.id]);
                let null = self.arena.lit(Lit::Null(DType::F64));
                // Named once where it is used often; NULL of the operand takes ELSE.
                self.arena.add(X::Case([(test, null)].into(), Some(v.id)))
            }
        };
        Val { id, nan: false, miss: true, ..v }
    }

    /// The same float with the dialect's own NaN in place of a NULL that means it.
    fn native(&mut self, v: Val) -> Val {
        if !v.miss || v.null || !self.dialect().has_nan() {
            return v;
        }
        let nan = self.arena.lit(Lit::Nan);
        let id = self.arena.call("coalesce", &[v.id, nan]);
        Val { id, miss: false, nan: true, ..v }
    }

    /// Floats among which NULL has one meaning, as far as the dialect can tell two apart.
    fn agreed(&mut self, vals: &mut [Val]) {
        if vals.iter().any(|v| v.null) && vals.iter().any(|v| v.miss) {
            for v in vals {
                *v = self.native(*v);
            }
        }
    }

    /// The value for a result column.
    pub fn output(&mut self, cell: &Cell) -> Id {
        let v = self.val(cell);
        match v.dtype {
            DType::Bool if v.miss && !v.null => self.arena.add(X::IsTrue(v.id)),
            DType::F32 => self.narrow_type(v),
            _ => v.id,
        }
    }
}

/// The operator on known elements, by the reference evaluation.
fn evaluate(node: &Node, args: &[(Scalar, DType)], out: FrameType) -> Option<Scalar> {
    let Meaning::Eval(f) = node.op.record().meaning else { return None };
    let one = |(s, d): &(Scalar, DType)| Frame::from_fn(1, FrameType::new(*d, 1).nullable(), |_, _| s.clone());
    let frames: Vec<Frame> = args.iter().map(one).collect();
    let args: Vec<Arg<'_>> = frames.iter().map(Arg::Frame).collect();
    let result = f(&Apply { rows: 1, attr: &node.attr, args: &args, out: out.with_width(1) });
    Some(result.get(0, 0))
}

/// A float or integer as a double.
pub fn number(s: &Scalar) -> Option<f64> {
    match s {
        Scalar::F32(x) => Some(f64::from(*x)),
        Scalar::F64(x) => Some(*x),
        Scalar::I64(x) => Some(*x as f64),
        _ => None,
    }
}

/// The parameters of a function as cells over the columns of a table.
pub fn parameters(lower: &mut Lower<'_>, function: &Function, sql: impl Fn(&str) -> String) -> Vec<Rc<[Cell]>> {
    lower.arena.place = (*function.name).into();
    let params = function.params.iter().map(|p| match p.ty.width {
        1 => Rc::from([lower.input(&p.name, &sql(&p.name), p.ty)]),
        width => {
            let id = lower.arena.refuse("input", format!("parameter `{}` is {width} columns wide", p.name));
            let val = lower.plain(id, p.ty.dtype);
            vec![Cell::Val(val); width as usize].into()
        }
    });
    params.collect()
}

/// A table of constants that an operator reads.
fn table<'m>(module: &'m Module, graph: &Graph, id: NodeId) -> Option<&'m Frame> {
    match graph.constant(&module.constants, id) {
        Some(Constant::Table(t)) => Some(t),
        _ => None,
    }
}
