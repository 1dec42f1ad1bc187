//! Columns beside the model's features that trees test: a feature whose zeros are missing, and one as a category.

use std::collections::BTreeMap;

use flock_ir_spec::{NodeId, Op};

use crate::Res;
use crate::build::Build;

/// What is derived from the features, by need. Column numbers from the number of features on stand for these until
/// [`Derived::place`] says where they come to lie.
pub(crate) struct Derived {
    features: u32,
    count: u32,
    /// Feature → number: the feature with NaN for what counts as zero.
    zeros: BTreeMap<u32, u32>,
    /// Feature → number: the feature as a whole number.
    categories: BTreeMap<u32, u32>,
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

impl Derived {
    /// Nothing yet, beside so many features.
    pub fn new(features: usize) -> Derived {
        Derived { features: features as u32, count: 0, zeros: BTreeMap::new(), categories: BTreeMap::new() }
    }

    /// The feature with NaN in the place of zeros.
    pub fn zero_is_missing(&mut self, feature: u32) -> u32 {
        let next = self.features + self.count;
        let number = *self.zeros.entry(feature).or_insert(next);
        self.count += u32::from(number == next);
        number
    }

    /// The feature as a category.
    pub fn category(&mut self, feature: u32) -> u32 {
        let next = self.features + self.count;
        let number = *self.categories.entry(feature).or_insert(next);
        self.count += u32::from(number == next);
        number
    }

    /// The frame of features and derived columns. `zero` is the greatest size that counts as zero; `category` gives features
    /// as whole numbers, and some that are in no set where they are no categories.
    pub fn place(
        self,
        cx: &mut Build,
        x: NodeId,
        zero: f64,
        category: fn(&mut Build, NodeId) -> Res<NodeId>,
    ) -> Res<Placed> {
        let mut frames = vec![x];
        let mut places = vec![0; self.count as usize];
        let mut width = self.features;
        for (of, make) in [(&self.zeros, None), (&self.categories, Some(category))] {
            if of.is_empty() {
                continue;
            }
            for number in of.values() {
                places[(*number - self.features) as usize] = width;
                width += 1;
            }
            let features: Vec<u32> = of.keys().copied().collect();
            let columns = cx.take(x, &features)?;
            frames.push(match make {
                Some(make) => make(cx, columns)?,
                None => zero_to_nan(cx, columns, zero)?,
            });
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
