//! From categories to the columns that trees test: positions among the hashes of one-hot splits, and counters.
//!
//! The library hashes a category's text and keeps 32 bits, as a signed number; the file has nothing else of it. Several
//! values become one hash by `h = M × (h + M × value)` from 0 on, modulo 2^64: the sum of the values, each times a power of
//! the odd number M. That is done in halves of 32 bits, whose products and sums fit.
//! Source: CatBoost `libs/cat_feature/cat_feature.h`, `libs/model/hash.h`, `libs/model/eval_processing.h`.

use std::collections::{BTreeMap, BTreeSet};

use flock_ir_spec::{Attr, DType, Frame, NodeId, Op, Word};

use super::CatBoost;
use super::ctr::{Ctr, CtrTable, NO_HASH, Projection};
use crate::build::Build;
use crate::inputs::Inputs;
use crate::{Res, damaged};

/// `MAGIC_MULT`.
const M: u64 = 0x4906_ba49_4954_cb65;

/// The hashes of all categories, a column each.
pub(super) fn of_texts(cx: &mut Build, inputs: &Inputs) -> Res<Option<NodeId>> {
    if inputs.texts.is_empty() {
        return Ok(None);
    }
    let texts = cx.side_by_side(&inputs.texts)?;
    let hash = cx.op(Op::CityHash, &[texts])?;
    let high = bits(cx, Word::Left, hash, 32)?;
    bits(cx, Word::Right, high, 32).map(Some)
}

/// For each category of one-hot splits, the position of its hash among theirs, -1 where it is none; f64.
pub(super) fn positions(cx: &mut Build, hashes: NodeId, values: &BTreeMap<u32, Vec<i32>>) -> Res<Vec<NodeId>> {
    let position = |(category, values): (&u32, &Vec<i32>)| {
        let hash = cx.column(hashes, *category as usize)?;
        let known = cx.b.constant(Frame::row_i64(values.iter().map(|v| i64::from(*v)).collect::<Vec<_>>()));
        let index = cx.op(Op::IndexOf, &[hash, known])?;
        cx.cast(index, DType::F64)
    };
    values.iter().map(position).collect()
}

/// The counters, a column each; f64.
pub(super) fn counters(cx: &mut Build, model: &CatBoost, hashes: NodeId, numbers: Option<NodeId>) -> Res<NodeId> {
    let projected = projections(cx, model, hashes, numbers)?;
    let (mut frames, mut starts, mut width) = (Vec::new(), Vec::new(), 0);
    for table in &model.ctrs.tables {
        let hash = projected.get(table.projection).copied().ok_or_else(|| damaged("ctrs", "no such projection"))?;
        let single = is_category(&model.ctrs.projections[table.projection]);
        frames.push(counts(cx, table, hash, single)?);
        starts.push(width);
        width += table.targets() as u32 + 1;
    }
    let all = cx.side_by_side(&frames)?;
    quotients(cx, &model.ctrs.ctrs, all, &starts)
}

fn is_category(projection: &Projection) -> bool {
    projection.categories.len() == 1 && projection.len() == 1
}

/// The total and the numbers in classes for each row.
fn counts(cx: &mut Build, table: &CtrTable, hash: NodeId, single: bool) -> Res<NodeId> {
    let (mut keys, mut kept) = (Vec::with_capacity(table.keys.len()), Vec::with_capacity(table.keys.len()));
    for (at, key) in table.keys.iter().enumerate().filter(|(_, key)| **key != NO_HASH) {
        let key = if single { category_of(*key) } else { Some(key.cast_signed()) };
        keys.extend(key);
        kept.extend(key.map(|_| at));
    }
    let values = cx.b.constant(table.frame(&kept));
    if keys.is_empty() {
        return Ok(values);
    }
    let keys = cx.b.constant(Frame::row_i64(keys));
    let index = cx.op(Op::IndexOf, &[hash, keys])?;
    let one = cx.b.constant(Frame::row_i64([1]));
    let row = cx.op(Op::Add, &[index, one])?;
    cx.op(Op::Lookup, &[row, values])
}

/// The category whose projection has that hash, for there is at most one: M is odd, so that its square can be divided by.
fn category_of(key: u64) -> Option<i64> {
    // An odd number is its own inverse in the lowest 3 bits, and each of Newton's steps doubles them.
    let inverse = (0..5).fold(M, |x, _| x.wrapping_mul(2u64.wrapping_sub(M.wrapping_mul(x))));
    let category = key.wrapping_mul(inverse).wrapping_mul(inverse).cast_signed();
    i32::try_from(category).ok().map(i64::from)
}

fn quotients(cx: &mut Build, ctrs: &[Ctr], counts: NodeId, starts: &[u32]) -> Res<NodeId> {
    let total: Vec<u32> = ctrs.iter().map(|c| starts[c.table as usize]).collect();
    let in_class: Vec<u32> = ctrs.iter().map(|c| starts[c.table as usize] + 1 + c.target).collect();
    let row =
        |cx: &mut Build, f: fn(&Ctr) -> f32| cx.b.constant(Frame::row_f32(ctrs.iter().map(f).collect::<Vec<_>>()));
    let (above, below) = (row(cx, |c| c.prior[0]), row(cx, |c| c.prior[1]));
    let (shift, scale) = (row(cx, |c| c.shift), row(cx, |c| c.scale));
    let (in_class, total) = (cx.take(counts, &in_class)?, cx.take(counts, &total)?);
    let (above, below) = (cx.op(Op::Add, &[in_class, above])?, cx.op(Op::Add, &[total, below])?);
    let quotient = cx.op(Op::Div, &[above, below])?;
    let shifted = cx.op(Op::Add, &[quotient, shift])?;
    let scaled = cx.op(Op::Mul, &[shifted, scale])?;
    cx.cast(scaled, DType::F64)
}

/// The hash of each projection; that of a category alone is the category's own.
fn projections(cx: &mut Build, model: &CatBoost, hashes: NodeId, numbers: Option<NodeId>) -> Res<Vec<NodeId>> {
    let all = &model.ctrs.projections;
    let mut found: Vec<Option<NodeId>> = vec![None; all.len()];
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, projection) in all.iter().enumerate() {
        match projection.categories.as_slice() {
            [category] if is_category(projection) => found[i] = Some(cx.column(hashes, *category as usize)?),
            _ => groups.entry(projection.len()).or_default().push(i),
        }
    }
    let values = Values::of(cx, model, hashes, numbers)?;
    for (len, group) in groups {
        let columns: Vec<Vec<u32>> = group.iter().map(|i| values.columns(&all[*i])).collect();
        let of = |slot: usize| -> Vec<u32> { columns.iter().map(|c| c[slot]).collect() };
        let combined = combine(cx, values.frame, (0..len).map(of))?;
        for (k, i) in group.iter().enumerate() {
            found[*i] = Some(cx.column(combined, k)?);
        }
    }
    found.into_iter().collect::<Option<_>>().ok_or_else(|| damaged("ctrs", "a hash of nothing"))
}

/// All values that are hashed together: the categories, then answers to splits as 0 or 1.
struct Values {
    frame: NodeId,
    above: BTreeMap<(u32, u32), u32>,
    equal: BTreeMap<(u32, i32), u32>,
}

impl Values {
    fn of(cx: &mut Build, model: &CatBoost, hashes: NodeId, numbers: Option<NodeId>) -> Res<Values> {
        let above: BTreeSet<(u32, u32)> = model.ctrs.projections.iter().flat_map(|p| p.above.iter().copied()).collect();
        let equal: BTreeSet<(u32, i32)> = model.ctrs.projections.iter().flat_map(|p| p.equal.iter().copied()).collect();
        let (above, equal): (Vec<_>, Vec<_>) = (above.into_iter().collect(), equal.into_iter().collect());
        let mut frames = vec![hashes];
        let mut width = cx.width(hashes) as u32;
        let mut place = |n: usize| {
            width += n as u32;
            width - n as u32..width
        };
        let (above_at, equal_at) = (place(above.len()), place(equal.len()));
        if !above.is_empty() {
            let x = numbers.ok_or_else(|| damaged("ctrs", "borders of numbers, and no numbers"))?;
            let answers = is_above(cx, model, x, &above)?;
            frames.push(cx.cast(answers, DType::I64)?);
        }
        if !equal.is_empty() {
            let columns = cx.take(hashes, &equal.iter().map(|e| e.0).collect::<Vec<_>>())?;
            let values = cx.b.constant(Frame::row_i64(equal.iter().map(|e| i64::from(e.1)).collect::<Vec<_>>()));
            let answers = cx.op(Op::Eq, &[columns, values])?;
            frames.push(cx.cast(answers, DType::I64)?);
        }
        let frame = cx.side_by_side(&frames)?;
        Ok(Values {
            frame,
            above: above.into_iter().zip(above_at).collect(),
            equal: equal.into_iter().zip(equal_at).collect(),
        })
    }

    /// The columns of a projection's values, in the order in which they are hashed.
    fn columns(&self, projection: &Projection) -> Vec<u32> {
        let categories = projection.categories.iter().copied();
        let above = projection.above.iter().map(|a| self.above[a]);
        categories.chain(above).chain(projection.equal.iter().map(|e| self.equal[e])).collect()
    }
}

/// Whether float features are above borders, as trees ask it.
fn is_above(cx: &mut Build, model: &CatBoost, x: NodeId, above: &[(u32, u32)]) -> Res<NodeId> {
    let borders: Vec<f32> = above.iter().map(|a| f32::from_bits(a.1)).collect();
    let columns = cx.take(x, &above.iter().map(|a| a.0).collect::<Vec<_>>())?;
    let columns = cx.cast(columns, DType::F32)?;
    let greatest = |(feature, border): (&(u32, u32), &f32)| {
        model.features[feature.0 as usize].nan_is_greatest && *border != f32::INFINITY
    };
    let greatest: Vec<bool> = above.iter().zip(&borders).map(greatest).collect();
    let borders = cx.b.constant(Frame::row_f32(borders));
    let answers = cx.op(Op::Gt, &[columns, borders])?;
    if !greatest.contains(&true) {
        return Ok(answers);
    }
    let greatest = cx.b.constant(Frame::row_bool(greatest));
    let nan = cx.op(Op::IsNan, &[columns])?;
    let nan = cx.op(Op::And, &[nan, greatest])?;
    cx.op(Op::Or, &[answers, nan])
}

/// One hash of as many values as there are slots, for the projections side by side.
fn combine(cx: &mut Build, values: NodeId, slots: impl ExactSizeIterator<Item = Vec<u32>>) -> Res<NodeId> {
    let slots_left = slots.len() as u32;
    let (mut low, mut high) = (None, None);
    for (slot, columns) in slots.enumerate() {
        let weight = M.wrapping_pow(slots_left - slot as u32 + 1);
        let value = cx.take(values, &columns)?;
        let lower = times(cx, value, weight & HALF)?;
        let upper = times(cx, value, weight >> 32)?;
        let (least, carried) = (bits(cx, Word::And, lower, HALF as i64)?, bits(cx, Word::Right, lower, 32)?);
        let most = bits(cx, Word::And, upper, HALF as i64)?;
        low = Some(sum(cx, low, least)?);
        let with = sum(cx, high, carried)?;
        high = Some(sum(cx, Some(with), most)?);
    }
    let (Some(low), Some(high)) = (low, high) else { return Err(damaged("ctrs", "a hash of nothing")) };
    let carried = bits(cx, Word::Right, low, 32)?;
    let high = sum(cx, Some(high), carried)?;
    let (high, low) = (bits(cx, Word::Left, high, 32)?, bits(cx, Word::And, low, HALF as i64)?);
    cx.op_with(Op::Bitwise, Attr::Word(Word::Or), &[high, low])
}

/// 32 bits.
const HALF: u64 = 0xffff_ffff;

fn times(cx: &mut Build, x: NodeId, half: u64) -> Res<NodeId> {
    let half = cx.b.constant(Frame::row_i64([half as i64]));
    cx.op(Op::Mul, &[x, half])
}

fn sum(cx: &mut Build, a: Option<NodeId>, b: NodeId) -> Res<NodeId> {
    a.map_or(Ok(b), |a| cx.op(Op::Add, &[a, b]))
}

fn bits(cx: &mut Build, word: Word, x: NodeId, with: i64) -> Res<NodeId> {
    let with = cx.b.constant(Frame::row_i64([with]));
    cx.op_with(Op::Bitwise, Attr::Word(word), &[x, with])
}
