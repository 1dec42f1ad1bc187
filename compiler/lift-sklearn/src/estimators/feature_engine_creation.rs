//! Transformers of feature_engine that append columns made of others: `MathFeatures` folds some columns into one by each
//! of its functions, `RelativeFeatures` puts columns in relation to others.
//!
//! | `variables`, `feature_names_in_` | the columns that are read, and all of them |   | `func` | names of functions |
//! | `new_variables_names` | names of the new columns |   | `reference` | the columns that others are related to |
//! | `fill_value` | what stands for a division by 0; where it is None such a row is refused |
//! | `missing_values` | `raise` refuses NaN and infinities; else folds leave NaN out, and a relation to NaN is NaN |
//! | `drop_original` | whether the columns that were read go |
//!
//! Source: feature_engine 1.9, `creation/`; pandas `core/nanops.py`; numpy `floor_divide`, `remainder`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use super::feature_engine::{listed, names, shown, whole};
use crate::columns::Columns;
use crate::features::{ANY, as_number, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "feature_engine.creation.math_features.MathFeatures",
        reads: &["variables", "func", "new_variables_names", "missing_values", "drop_original"],
        ignores: &["variables_"],
        lift: math,
    },
    Lifter {
        class: "feature_engine.creation.relative_features.RelativeFeatures",
        reads: &["variables", "reference", "func", "fill_value", "missing_values", "drop_original"],
        ignores: &["variables_"],
        lift: relative,
    },
];

/// The columns of a list by name, each as numbers; NaN and infinities are refused where they have to be.
fn numbers(cx: &mut Lift, view: &View<'_>, columns: &[Columns], positions: &[usize]) -> Res<Vec<NodeId>> {
    let refuses = view.attr("missing_values")?.str() == Some("raise");
    let number = |i: &usize| {
        let column = &columns[*i];
        if refuses {
            return whole(cx, view, column);
        }
        super::refuse_single(column, view)?;
        cx.settle(column)?;
        cx.numbers(column, view)
    };
    positions.iter().map(number).collect()
}

/// The names of functions: one, or a list.
fn functions(view: &View<'_>) -> Res<Vec<String>> {
    let func = view.attr("func")?;
    let texts = match func.str() {
        Some(one) => return Ok(vec![one.into()]),
        None => func.items()?,
    };
    let name = |f: View<'_>| match f.str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(f.unsupported("a function of Python, of which a file has the name alone")),
    };
    texts.into_iter().map(name).collect()
}

/// The input, but for the columns that go, and the new columns behind it.
fn appended(
    cx: &mut Lift,
    view: &View<'_>,
    mut input: Columns,
    read: &[usize],
    new: Vec<(String, NodeId)>,
) -> Res<Lifted> {
    let names = names(view, &input)?;
    if let Some((twice, _)) = new.iter().find(|(name, _)| names.contains(name)) {
        return Err(view.unsupported(format!("a new column in the place of `{twice}`")));
    }
    let dropped = view.attr("drop_original")?.bool()?;
    cx.settle(&input)?;
    let kept: Vec<usize> = (0..names.len()).filter(|i| !dropped || !read.contains(i)).collect();
    input.names = Some(shown(&names, &input));
    let mut out = cx.select(&input, &kept)?;
    for (name, node) in new {
        out.append(Columns::node(node, 1, ANY, Some(vec![name])));
    }
    Ok(Lifted::Columns(out))
}

fn math(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let variables = listed(view, "variables", &names)?;
    let columns = cx.split(&input)?;
    let parts = numbers(cx, view, &columns, &variables)?;
    let x = cx.side_by_side(&parts)?;
    let fold = Fold::of(cx, x)?;
    let functions = functions(view)?;
    let given = view.attr("new_variables_names")?;
    let joined = variables.iter().map(|i| names[*i].as_str()).collect::<Vec<_>>().join("_");
    let names = match given.is_none() {
        true => functions.iter().map(|f| format!("{f}_{joined}")).collect(),
        false => given.items()?.iter().map(View::text).collect::<Res<Vec<_>>>()?,
    };
    if names.len() != functions.len() {
        return Err(given.expected(&format!("{} names", functions.len())));
    }
    let mut new = Vec::new();
    for (name, function) in names.into_iter().zip(&functions) {
        new.push((name, fold.by(cx, view, function)?));
    }
    appended(cx, view, input, &variables, new)
}

/// A row of numbers of which those that are missing do not count.
struct Fold {
    x: NodeId,
    missing: NodeId,
    /// How many are there, in f64.
    count: NodeId,
    /// Whether none is there.
    none: NodeId,
}

impl Fold {
    fn of(cx: &mut Lift, x: NodeId) -> Res<Fold> {
        let missing = cx.op(Op::IsNan, &[x])?;
        let there = cx.op(Op::Not, &[missing])?;
        let there = as_number(cx, there)?;
        let count = cx.op(Op::Sum, &[there])?;
        let none = cx.with_row(Op::Eq, count, vec![0.0])?;
        Ok(Fold { x, missing, count, none })
    }

    /// The numbers with `value` for those that are missing.
    fn filled(&self, cx: &mut Lift, value: f64) -> Res<NodeId> {
        let value = row(cx, vec![value]);
        cx.op(Op::Select, &[self.missing, value, self.x])
    }

    /// NaN where no number is there.
    fn unless_none(&self, cx: &mut Lift, node: NodeId) -> Res<NodeId> {
        let nan = row(cx, vec![f64::NAN]);
        cx.op(Op::Select, &[self.none, nan, node])
    }

    fn by(&self, cx: &mut Lift, view: &View<'_>, function: &str) -> Res<NodeId> {
        match function {
            "sum" => {
                let x = self.filled(cx, 0.0)?;
                cx.op(Op::Sum, &[x])
            }
            "prod" | "product" => {
                let x = self.filled(cx, 1.0)?;
                cx.op(Op::Prod, &[x])
            }
            "mean" => self.mean(cx),
            "min" => {
                let x = self.filled(cx, f64::INFINITY)?;
                let least = cx.op(Op::RowMin, &[x])?;
                self.unless_none(cx, least)
            }
            "max" => {
                let x = self.filled(cx, f64::NEG_INFINITY)?;
                let greatest = cx.op(Op::RowMax, &[x])?;
                self.unless_none(cx, greatest)
            }
            "var" => self.variance(cx),
            "std" => {
                let variance = self.variance(cx)?;
                cx.op(Op::Sqrt, &[variance])
            }
            "median" => self.median(cx),
            _ => Err(view.attr("func")?.unsupported(format!("the function `{function}` of pandas"))),
        }
    }

    fn mean(&self, cx: &mut Lift) -> Res<NodeId> {
        let x = self.filled(cx, 0.0)?;
        let sum = cx.op(Op::Sum, &[x])?;
        let mean = cx.op(Op::Div, &[sum, self.count])?;
        self.unless_none(cx, mean)
    }

    /// Of a sample: divided by one less than there are, NaN of a single number.
    fn variance(&self, cx: &mut Lift) -> Res<NodeId> {
        let mean = self.mean(cx)?;
        let apart = cx.op(Op::Sub, &[mean, self.x])?;
        let zero = row(cx, vec![0.0]);
        let apart = cx.op(Op::Select, &[self.missing, zero, apart])?;
        let squares = cx.op(Op::Mul, &[apart, apart])?;
        let sum = cx.op(Op::Sum, &[squares])?;
        let rest = cx.with_row(Op::Sub, self.count, vec![1.0])?;
        let few = cx.with_row(Op::Le, rest, vec![0.0])?;
        let nan = row(cx, vec![f64::NAN]);
        let variance = cx.op(Op::Div, &[sum, rest])?;
        cx.op(Op::Select, &[few, nan, variance])
    }

    /// Half of the sum of the two in the middle, which may be one and the same.
    fn median(&self, cx: &mut Lift) -> Res<NodeId> {
        let width = cx.width(self.x) as u32;
        let order = cx.op_with(Op::Order, Attr::Range { start: 0, len: width }, &[self.x])?;
        let x = self.filled(cx, 0.0)?;
        let ty = FrameType::new(DType::I64, 1).nullable();
        let count = cx.op_with(Op::Cast, Attr::Type(ty), &[self.count])?;
        let count = cx.or_else(count, Frame::row_i64([0]))?;
        let (one, two) = (cx.b.constant(Frame::row_i64([1])), cx.b.constant(Frame::row_i64([2])));
        let before = cx.op(Op::Sub, &[count, one])?;
        let mut middle = Vec::new();
        for rank in [before, count] {
            let half = cx.op(Op::Div, &[rank, two])?;
            let half = cx.or_else(half, Frame::row_i64([0]))?;
            let index = cx.op(Op::Gather, &[order, half])?;
            let index = cx.or_else(index, Frame::row_i64([0]))?;
            let value = cx.op(Op::Gather, &[x, index])?;
            middle.push(cx.or_else(value, Frame::row_f64([0.0]))?);
        }
        let sum = cx.op(Op::Add, &[middle[0], middle[1]])?;
        let median = cx.with_row(Op::Div, sum, vec![2.0])?;
        self.unless_none(cx, median)
    }
}

fn relative(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let (variables, references) = (listed(view, "variables", &names)?, listed(view, "reference", &names)?);
    let columns = cx.split(&input)?;
    let left = numbers(cx, view, &columns, &variables)?;
    let right = numbers(cx, view, &columns, &references)?;
    let mut new = Vec::new();
    for function in functions(view)? {
        for (r, y) in references.iter().zip(&right) {
            for (v, x) in variables.iter().zip(&left) {
                let node = related(cx, view, &function, *x, *y)?;
                new.push((format!("{}_{function}_{}", names[*v], names[*r]), node));
            }
        }
    }
    let read: Vec<usize> = variables.into_iter().chain(references).collect();
    appended(cx, view, input, &read, new)
}

/// x in relation to y.
fn related(cx: &mut Lift, view: &View<'_>, function: &str, x: NodeId, y: NodeId) -> Res<NodeId> {
    match function {
        "add" => cx.op(Op::Add, &[x, y]),
        "sub" => cx.op(Op::Sub, &[x, y]),
        "mul" => cx.op(Op::Mul, &[x, y]),
        "pow" => cx.op(Op::Pow, &[x, y]),
        "div" | "truediv" => {
            let quotient = cx.op(Op::Div, &[x, y])?;
            not_by_zero(cx, view, y, quotient)
        }
        "floordiv" => {
            let quotient = floor_division(cx, x, y)?;
            not_by_zero(cx, view, y, quotient)
        }
        "mod" => {
            let rest = remainder(cx, x, y)?;
            not_by_zero(cx, view, y, rest)
        }
        _ => Err(view.attr("func")?.expected("a function of two numbers")),
    }
}

/// What stands for a division by 0, or the refusal of the row.
fn not_by_zero(cx: &mut Lift, view: &View<'_>, y: NodeId, quotient: NodeId) -> Res<NodeId> {
    let fill = view.attr("fill_value")?;
    if fill.is_none() {
        let fine = cx.with_row(Op::Ne, y, vec![0.0])?;
        cx.b.refuse_unless(fine);
        return Ok(quotient);
    }
    let zero = cx.with_row(Op::Eq, y, vec![0.0])?;
    let fill = row(cx, vec![fill.f64()?]);
    cx.op(Op::Select, &[zero, fill, quotient])
}

/// C's remainder, and whether it is to be moved by y to have the sign of y.
fn remains(cx: &mut Lift, x: NodeId, y: NodeId) -> Res<(NodeId, NodeId)> {
    let rest = cx.op(Op::Rem, &[x, y])?;
    let (below, negative) = (cx.with_row(Op::Lt, rest, vec![0.0])?, cx.with_row(Op::Lt, y, vec![0.0])?);
    let differ = cx.op(Op::Ne, &[below, negative])?;
    let left = cx.with_row(Op::Ne, rest, vec![0.0])?;
    let moved = cx.op(Op::And, &[differ, left])?;
    Ok((rest, moved))
}

/// numpy's `remainder`, which has the sign of y.
fn remainder(cx: &mut Lift, x: NodeId, y: NodeId) -> Res<NodeId> {
    let (rest, moved) = remains(cx, x, y)?;
    let sum = cx.op(Op::Add, &[rest, y])?;
    cx.op(Op::Select, &[moved, sum, rest])
}

/// numpy's `floor_divide`: the quotient of what is left when the remainder is gone, to the nearest integer.
fn floor_division(cx: &mut Lift, x: NodeId, y: NodeId) -> Res<NodeId> {
    let (rest, moved) = remains(cx, x, y)?;
    let whole = cx.op(Op::Sub, &[x, rest])?;
    let quotient = cx.op(Op::Div, &[whole, y])?;
    let less = cx.with_row(Op::Sub, quotient, vec![1.0])?;
    let quotient = cx.op(Op::Select, &[moved, less, quotient])?;
    let floor = cx.op(Op::Floor, &[quotient])?;
    let over = cx.op(Op::Sub, &[quotient, floor])?;
    let up = cx.with_row(Op::Gt, over, vec![0.5])?;
    let next = cx.with_row(Op::Add, floor, vec![1.0])?;
    cx.op(Op::Select, &[up, next, floor])
}
