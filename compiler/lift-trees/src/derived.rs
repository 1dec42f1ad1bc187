//! Columns beside the model's features that trees test: a feature whose zeros are missing, whether a category is in a set.

use std::collections::BTreeMap;

use flock_ir_spec::{Attr, DType, Frame, NodeId, Op};

use crate::build::Build;
use crate::{Res, unsupported};

/// A set of categories, ascending.
pub(crate) type Set = Vec<i64>;

/// What is derived from the features, by need. Column numbers from the number of features on stand for these until
/// [`Derived::place`] says where they come to lie.
pub(crate) struct Derived {
    features: u32,
    count: u32,
    /// Categories in all sets.
    elements: usize,
    /// Feature → number: the feature with NaN for what counts as zero.
    zeros: BTreeMap<u32, u32>,
    /// Feature → set → number: 1 where the feature's category is in the set, else 0.
    sets: BTreeMap<u32, BTreeMap<Set, u32>>,
}

/// Features and derived columns in one frame.
pub(crate) struct Placed {
    /// The frame.
    pub frame: NodeId,
    /// Its number of columns.
    pub width: u32,
    features: u32,
    places: Vec<u32>,
}

/// More than these elements of membership tables are no use to anybody.
const MAX_MEMBERSHIPS: usize = 1 << 24;

impl Derived {
    /// Nothing yet, beside so many features.
    pub fn new(features: usize) -> Derived {
        Derived { features: features as u32, count: 0, elements: 0, zeros: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// The feature with NaN in the place of zeros.
    pub fn zero_is_missing(&mut self, feature: u32) -> u32 {
        let next = self.features + self.count;
        let number = *self.zeros.entry(feature).or_insert(next);
        self.count += u32::from(number == next);
        number
    }

    /// Whether the feature's category is in the set.
    pub fn member(&mut self, feature: u32, set: Set) -> Result<u32, String> {
        let next = self.features + self.count;
        let size = set.len();
        let number = *self.sets.entry(feature).or_default().entry(set).or_insert(next);
        if number == next {
            self.count += 1;
            self.elements += size;
        }
        if self.elements > MAX_MEMBERSHIPS || self.count as usize > MAX_MEMBERSHIPS {
            return Err("more categories in sets than can be tabulated".into());
        }
        Ok(number)
    }

    /// The frame of features and derived columns. `zero` is the greatest size that counts as zero; `category` gives a
    /// feature's category (i64; null, or one of no set, where it has none); `missing` says whether the membership of a
    /// missing feature is missing, else it is 0.
    pub fn place(
        self,
        cx: &mut Build,
        x: NodeId,
        zero: f64,
        category: fn(&mut Build, NodeId) -> Res<NodeId>,
        missing: bool,
    ) -> Res<Placed> {
        let mut frames = vec![x];
        let mut places = vec![0; self.count as usize];
        let mut width = self.features;
        let mut put = |number: &u32| {
            places[(*number - self.features) as usize] = width;
            width += 1;
        };
        if !self.zeros.is_empty() {
            let features: Vec<u32> = self.zeros.keys().copied().collect();
            self.zeros.values().for_each(&mut put);
            let columns = cx.take(x, &features)?;
            frames.push(zero_to_nan(cx, columns, zero)?);
        }
        let dtype = cx.frame_type(x).dtype;
        for (feature, sets) in self.sets {
            sets.values().for_each(&mut put);
            let column = cx.column(x, feature as usize)?;
            let code = category(cx, column)?;
            let members = memberships(cx, code, sets.into_keys().collect(), dtype)?;
            frames.push(if missing { nan_where_nan(cx, column, members)? } else { members });
        }
        let frame = cx.side_by_side(&frames)?;
        Ok(Placed { frame, width, features: self.features, places })
    }
}

impl Placed {
    /// Where the column of that number lies in the frame.
    pub fn column(&self, number: u32) -> u32 {
        if number < self.features { number } else { self.places[(number - self.features) as usize] }
    }
}

fn zero_to_nan(cx: &mut Build, x: NodeId, zero: f64) -> Res<NodeId> {
    let size = cx.op(Op::Abs, &[x])?;
    let is_zero = cx.with(Op::Le, size, zero)?;
    let nan = cx.number(f64::NAN);
    cx.op(Op::Select, &[is_zero, nan, x])
}

fn nan_where_nan(cx: &mut Build, x: NodeId, value: NodeId) -> Res<NodeId> {
    let missing = cx.op(Op::IsNan, &[x])?;
    let nan = cx.number(f64::NAN);
    let nan = cx.cast(nan, cx.frame_type(value).dtype)?;
    cx.op(Op::Select, &[missing, nan, value])
}

/// One column per set: 1 where the code is in it.
fn memberships(cx: &mut Build, code: NodeId, sets: Vec<Set>, dtype: DType) -> Res<NodeId> {
    let mut codes: Vec<i64> = sets.iter().flatten().copied().collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.len().saturating_mul(sets.len()) > MAX_MEMBERSHIPS {
        let message = format!("{} categories in {} different sets", codes.len(), sets.len());
        return Err(unsupported("trees", message));
    }
    if codes.is_empty() {
        let zeros = cx.row(vec![0.0; sets.len()]);
        return cx.cast(zeros, dtype);
    }
    let mut table = vec![0.0; codes.len() * sets.len()];
    for (k, set) in sets.iter().enumerate() {
        for code in set {
            let row = codes.partition_point(|c| c < code);
            table[row * sets.len() + k] = 1.0;
        }
    }
    let table = Frame::table_f64(codes.len(), sets.len(), &table);
    let table = table.ok_or_else(|| unsupported("trees", "sets of categories that make no table"))?;
    let (codes, table) = (cx.b.constant(Frame::row_i64(codes)), cx.b.constant(table));
    let index = cx.op_with(Op::IndexOf, Attr::None, &[code, codes])?;
    let index = cx.or_else(index, Frame::row_i64([-1]))?;
    let members = cx.op(Op::Lookup, &[index, table])?;
    cx.cast(members, dtype)
}
