//! What comes before a linear map folds into its weights.

use egg::Id;
use flock_ir_spec::{Attr, DType, Frame, Op};

use super::rules;
use super::shape::columns;
use crate::analysis::{add, add_constant, constant, table};
use crate::choose::Cheapest;
use crate::domain::key;
use crate::facts::Facts;
use crate::language::{Egraph, Enode};
use crate::prune;
use crate::tables;

rules! {
    /// (x / s) · w + b = x · (w / s) + b: a scaler folds into the weights.
    Reals "linear-div":     "(linear (div ?x ?s) ?w ?b)" => { divide(?x ?s ?w ?b) };
    /// (x * s) · w + b = x · (s * w) + b.
    Reals "linear-mul":     "(linear (mul ?x ?s) ?w ?b)" => { multiply(?x ?s ?w ?b) };
    /// (x - m) · w + b = x · w + (b - m · w), where the shift is too small to cost digits.
    Reals "linear-sub":     "(linear (sub ?x ?m) ?w ?b)" => { subtract(?x ?m ?w ?b) };
    /// (x + m) · w + b = x · w + (b + m · w), where the shift is too small to cost digits.
    Reals "linear-add":     "(linear (add ?x ?m) ?w ?b)" => { add_shift(?x ?m ?w ?b) };
    /// A sum that starts from +0 is never -0, so adding 0 changes no bit of it: a bias that comes behind one of 0 takes its place.
    Bits  "linear-bias":    "(add (linear ?x ?w ?b) ?c)" => { set_bias(?x ?w ?b ?c) };
    /// A one-hot encoding picks a row of the weights: a dictionary lookup.
    Reals "linear-one-hot": "(linear (one_hot ?i) ?w ?b)" => { pick_row(?i ?w ?b) };
    /// A linear map of a dictionary's row is a dictionary of the mapped rows.
    Reals "linear-lookup":  "(linear (lookup ?i ?t) ?w ?b)" => { map_rows(?i ?t ?w ?b) };
    /// A linear map of frames side by side is a sum: encodings become lookups, constants go into the bias.
    Reals "linear-concat":  [Linear] => { split };
    /// A column with weights of 0 adds nothing where it is finite and never null.
    Reals "linear-dead":    [context Linear] => { without_dead_columns };
}

/// Weights as f64 in column order, with the shape.
struct Weights {
    dtype: DType,
    rows: usize,
    outputs: usize,
    w: Vec<f64>,
    b: Vec<f64>,
}

impl Weights {
    fn read(g: &Egraph<'_>, w: Id, b: Id) -> Option<Weights> {
        let (w, b) = (table(g, w)?, table(g, b)?);
        Some(Weights { dtype: w.dtype(), rows: w.rows, outputs: w.width, w: tables::floats(w)?, b: tables::floats(b)? })
    }

    fn finite(&self) -> bool {
        self.w.iter().chain(&self.b).all(|x| x.is_finite())
    }

    /// The weights with row i multiplied or divided; None where a weight would lose digits.
    fn scaled(&self, f: impl Fn(f64, usize) -> f64) -> Option<Vec<f64>> {
        let least = if self.dtype == DType::F32 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        let most = if self.dtype == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
        let scaled: Vec<f64> = self.w.iter().enumerate().map(|(i, w)| f(*w, i % self.rows)).collect();
        let safe = |(old, new): (&f64, &f64)| (*old == 0.0 && *new == 0.0) || (least..=most).contains(&new.abs());
        self.w.iter().zip(&scaled).all(safe).then_some(scaled)
    }

    /// The bias moved by `sign` × m · w.
    fn shifted(&self, m: &[f64], sign: f64) -> Option<Vec<f64>> {
        let terms = |o: usize| (0..self.rows).map(move |i| m[i] * self.w[o * self.rows + i]);
        // The original subtracts before it multiplies. Rounding x · w and m · w apart costs about one step of
        // |m · w| per term, which must stay below the absolute tolerance of 1e-12 whatever x is.
        let small = |o: usize| {
            let size: f64 = terms(o).map(f64::abs).sum();
            size * (self.rows as f64 + 2.0) * f64::EPSILON <= 5e-13
        };
        (self.dtype == DType::F64 && (0..self.outputs).all(small))
            .then(|| (0..self.outputs).map(|o| self.b[o] + sign * terms(o).sum::<f64>()).collect())
    }

    fn add(&self, g: &mut Egraph<'_>, x: Id, w: Vec<f64>, b: Vec<f64>) -> Option<Id> {
        let w = tables::table(self.dtype, self.rows, self.outputs, w)?;
        let b = tables::table(self.dtype, 1, self.outputs, b)?;
        let (w, b) = (add_constant(g, w), add_constant(g, b));
        add(g, Op::Linear, Attr::None, &[x, w, b])
    }
}

/// A constant operand of an elementwise step, one value per column of the result.
fn per_column(g: &Egraph<'_>, class: Id, width: usize) -> Option<Vec<f64>> {
    let v = tables::floats(table(g, class).filter(|t| t.rows == 1)?)?;
    let all = if v.len() == 1 { vec![v[0]; width] } else { v };
    (all.len() == width && all.iter().all(|x| x.is_finite())).then_some(all)
}

/// The operand of the step as wide as its result: one that repeats cannot replace it.
fn operands(g: &Egraph<'_>, c: &[Id]) -> Option<(Id, Vec<f64>, Weights)> {
    let weights = Weights::read(g, c[2], c[3]).filter(Weights::finite)?;
    let step = per_column(g, c[1], weights.rows)?;
    (g[c[0]].data.width() as usize == weights.rows && constant(g, c[0]).is_none()).then_some((c[0], step, weights))
}

fn divide(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let (x, s, weights) = operands(g, c)?;
    let w = weights.scaled(|w, i| w / s[i])?;
    weights.add(g, x, w, weights.b.clone())
}

fn multiply(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let (x, s, weights) = operands(g, c)?;
    // A factor of 0 would turn an overflow of the product into none.
    s.iter().all(|s| *s != 0.0).then_some(())?;
    let w = weights.scaled(|w, i| w * s[i])?;
    weights.add(g, x, w, weights.b.clone())
}

fn subtract(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let (x, m, weights) = operands(g, c)?;
    let b = weights.shifted(&m, -1.0)?;
    weights.add(g, x, weights.w.clone(), b)
}

fn add_shift(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let (x, m, weights) = operands(g, c)?;
    let b = weights.shifted(&m, 1.0)?;
    weights.add(g, x, weights.w.clone(), b)
}

fn set_bias(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let weights = Weights::read(g, c[1], c[2]).filter(|w| w.b.iter().all(|b| *b == 0.0))?;
    let bias = per_column(g, c[3], weights.outputs)?;
    weights.add(g, c[0], weights.w.clone(), bias)
}

fn pick_row(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let [index, w, b] = *c else { return None };
    Weights::read(g, w, b).filter(Weights::finite)?;
    let row = add(g, Op::Lookup, Attr::None, &[index, w])?;
    if table(g, b).is_some_and(|t| tables::floats(t).is_some_and(|v| v.iter().all(|x| *x == 0.0))) {
        return Some(row);
    }
    add(g, Op::Add, Attr::None, &[row, b])
}

fn map_rows(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let [index, rows, w, b] = *c else { return None };
    let weights = Weights::read(g, w, b).filter(Weights::finite)?;
    let t = table(g, rows)?;
    let (count, values) = (t.rows, tables::floats(t)?);
    // The work and the size of the table are bounded by those of the operands.
    (values.iter().all(|x| x.is_finite()) && weights.outputs <= 8.max(t.width)).then_some(())?;
    let cell =
        |o: usize, r: usize| (0..weights.rows).map(|k| values[k * count + r] * weights.w[o * weights.rows + k]).sum();
    let mapped: Vec<f64> =
        (0..weights.outputs).flat_map(|o| (0..count).map(move |r| (o, r))).map(|(o, r)| cell(o, r)).collect();
    mapped.iter().all(|x| x.is_finite()).then_some(())?;
    let mapped = add_constant(g, tables::table(weights.dtype, count, weights.outputs, mapped)?);
    let row = add(g, Op::Lookup, Attr::None, &[index, mapped])?;
    add(g, Op::Add, Attr::None, &[row, b])
}

/// What a part of a concat becomes.
enum Part {
    /// Stays in a linear map.
    Dense,
    /// Its one-hot index.
    Encoded(Id),
    /// A constant row.
    Fixed,
}

fn split(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let [x, w, b] = *node.children else { return None };
    let parts = g[x].nodes.iter().find_map(|n| n.is(Op::Concat))?.to_vec();
    let weights = Weights::read(g, w, b).filter(Weights::finite)?;
    let kind = |p: &Id| match g[*p].nodes.iter().find_map(|n| n.is(Op::OneHot)) {
        _ if constant(g, *p).is_some() => Part::Fixed,
        Some(c) => Part::Encoded(c[0]),
        None => Part::Dense,
    };
    let kinds: Vec<Part> = parts.iter().map(kind).collect();
    if kinds.iter().all(|k| matches!(k, Part::Dense)) {
        return None;
    }
    let (mut start, mut bias, mut dense, mut rows, mut lookups) = (0, weights.b.clone(), vec![], vec![], vec![]);
    for (part, kind) in parts.iter().zip(&kinds) {
        let width = g[*part].data.width() as usize;
        let block: Vec<usize> = (start..start + width).collect();
        start += width;
        match kind {
            Part::Dense => {
                dense.push(*part);
                rows.extend(block);
            }
            Part::Encoded(index) => {
                let t = tables::rows_of(table(g, w)?, &block);
                let t = add_constant(g, t);
                lookups.push(add(g, Op::Lookup, Attr::None, &[*index, t])?);
            }
            Part::Fixed => {
                let v = tables::floats(table(g, *part)?)?;
                for (o, b) in bias.iter_mut().enumerate() {
                    *b += block.iter().zip(&v).map(|(i, v)| v * weights.w[o * weights.rows + i]).sum::<f64>();
                }
            }
        }
    }
    bias.iter().all(|b| b.is_finite()).then_some(())?;
    let bias = tables::table(weights.dtype, 1, weights.outputs, bias)?;
    let first = if dense.is_empty() {
        add_constant(g, bias)
    } else {
        let x = if let [one] = *dense { one } else { add(g, Op::Concat, Attr::None, &dense)? };
        let w = tables::rows_of(table(g, w)?, &rows);
        let (w, b) = (add_constant(g, w), add_constant(g, bias));
        add(g, Op::Linear, Attr::None, &[x, w, b])?
    };
    lookups.into_iter().try_fold(first, |sum, row| add(g, Op::Add, Attr::None, &[sum, row]))
}

fn without_dead_columns(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let [x, w, b] = *node.children else { return None };
    let weights = Weights::read(g, w, b).filter(Weights::finite)?;
    let dead = |i: usize| (0..weights.outputs).all(|o| weights.w[o * weights.rows + i] == 0.0);
    if !(0..weights.rows).any(dead) {
        return None;
    }
    let domains = prune::columns(g, best, x, &Facts::none())?;
    let finite = |i: usize| {
        let d = domains.get(i)?;
        let (lo, hi) = d.ranges().bounds()?;
        Some(!d.null && !d.nan && lo > key(f64::NEG_INFINITY) && hi < key(f64::INFINITY))
    };
    let kept: Vec<usize> = (0..weights.rows).filter(|i| !dead(*i) || finite(*i) != Some(true)).collect();
    if kept.len() == weights.rows {
        return None;
    }
    if kept.is_empty() {
        return Some(b);
    }
    let x = columns(g, x, &kept.iter().map(|i| *i as u32).collect::<Vec<_>>())?;
    let w: Frame = tables::rows_of(table(g, w)?, &kept);
    let w = add_constant(g, w);
    add(g, Op::Linear, Attr::None, &[x, w, b])
}
