//! What values an element may take: a set of numbers as closed ranges over their order, a set of texts, and whether
//! null and NaN are among them.

use std::collections::BTreeSet;
use std::sync::Arc;

use flock_ir_spec::{DType, FrameType, Scalar};

/// More pieces than this are replaced by the range around them.
const MOST_PIECES: usize = 256;

/// The position of a float in the order of floats. -0 and 0 are one; NaN has none.
pub fn key(x: f64) -> i64 {
    let bits = (x.abs()).to_bits() as i64;
    if x < 0.0 { -bits } else { bits }
}

/// The float at a position; 0 for the zeros.
pub fn unkey(k: i64) -> f64 {
    let x = f64::from_bits(k.unsigned_abs());
    if k < 0 { -x } else { x }
}

/// Sorted, disjoint, closed ranges of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ranges(Arc<[(i64, i64)]>);

impl Ranges {
    /// From any pieces.
    pub fn new(mut pieces: Vec<(i64, i64)>) -> Ranges {
        pieces.retain(|(lo, hi)| lo <= hi);
        pieces.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(pieces.len());
        for (lo, hi) in pieces {
            match merged.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        if merged.len() > MOST_PIECES {
            merged = vec![(merged[0].0, merged[merged.len() - 1].1)];
        }
        Ranges(merged.into())
    }

    /// One range.
    pub fn one(lo: i64, hi: i64) -> Ranges {
        Ranges::new(vec![(lo, hi)])
    }

    /// Every value of a dtype.
    pub fn all(dtype: DType) -> Ranges {
        match dtype {
            DType::Bool => Ranges::one(0, 1),
            DType::F32 | DType::F64 => Ranges::one(key(f64::NEG_INFINITY), key(f64::INFINITY)),
            DType::I64 | DType::Str => Ranges::one(i64::MIN, i64::MAX),
        }
    }

    /// The pieces.
    pub fn pieces(&self) -> &[(i64, i64)] {
        &self.0
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least and the greatest.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    /// Whether a key is in it.
    pub fn contains(&self, k: i64) -> bool {
        let i = self.0.partition_point(|(_, hi)| *hi < k);
        self.0.get(i).is_some_and(|(lo, _)| *lo <= k)
    }

    /// What is in both.
    pub fn meet(&self, other: &Ranges) -> Ranges {
        let (mut i, mut j, mut out) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                out.push((lo, hi));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        Ranges::new(out)
    }

    /// What is in either.
    pub fn join(&self, other: &Ranges) -> Ranges {
        if self == other { self.clone() } else { Ranges::new(self.0.iter().chain(other.0.iter()).copied().collect()) }
    }

    /// What is in this one and not in the other.
    pub fn minus(&self, other: &Ranges) -> Ranges {
        let mut gaps = Vec::with_capacity(other.0.len() + 1);
        let mut from = Some(i64::MIN);
        for (lo, hi) in other.0.iter() {
            if let (Some(f), Some(before)) = (from, lo.checked_sub(1)) {
                gaps.push((f, before));
            }
            from = hi.checked_add(1);
        }
        gaps.extend(from.map(|f| (f, i64::MAX)));
        // The complement of many points has as many pieces: it must not be widened before it is met.
        gaps.retain(|(lo, hi)| lo <= hi);
        self.meet(&Ranges(gaps.into()))
    }
}

/// Texts: these only, or all but these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Texts {
    /// These.
    Only(Arc<BTreeSet<Arc<str>>>),
    /// All others.
    Except(Arc<BTreeSet<Arc<str>>>),
}

impl Texts {
    /// Every text.
    pub fn all() -> Texts {
        Texts::Except(Arc::default())
    }

    /// Whether a text is in it.
    pub fn contains(&self, s: &str) -> bool {
        match self {
            Texts::Only(set) => set.contains(s),
            Texts::Except(set) => !set.contains(s),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Texts::Only(set) if set.is_empty())
    }

    fn meet(&self, other: &Texts) -> Texts {
        match (self, other) {
            (Texts::Only(a), b) | (b, Texts::Only(a)) => {
                Texts::Only(Arc::new(a.iter().filter(|s| b.contains(s)).cloned().collect()))
            }
            (Texts::Except(a), Texts::Except(b)) => Texts::Except(Arc::new(a.union(b).cloned().collect())),
        }
    }

    fn join(&self, other: &Texts) -> Texts {
        match (self, other) {
            (Texts::Only(a), Texts::Only(b)) => Texts::Only(Arc::new(a.union(b).cloned().collect())),
            (Texts::Except(a), b) | (b, Texts::Except(a)) => {
                Texts::Except(Arc::new(a.iter().filter(|s| !b.contains(s)).cloned().collect()))
            }
        }
    }

    /// The other texts.
    pub fn complement(&self) -> Texts {
        match self {
            Texts::Only(set) => Texts::Except(set.clone()),
            Texts::Except(set) => Texts::Only(set.clone()),
        }
    }
}

/// The values proper.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Values {
    /// Of bool (0, 1), i64 (themselves), f32 and f64 (by [`key`] of the f64).
    Numbers(Ranges),
    /// Of str.
    Texts(Texts),
}

/// What one element may be. Every element of that type is in [`Domain::full`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain {
    /// The dtype.
    pub dtype: DType,
    /// Whether it may be null.
    pub null: bool,
    /// Whether it may be NaN.
    pub nan: bool,
    /// What else it may be.
    pub values: Values,
}

impl Domain {
    /// Everything of a type.
    pub fn full(ty: FrameType) -> Domain {
        let values = match ty.dtype {
            DType::Str => Values::Texts(Texts::all()),
            dtype => Values::Numbers(Ranges::all(dtype)),
        };
        Domain { dtype: ty.dtype, null: ty.nullable, nan: ty.dtype.is_float(), values }
    }

    /// Everything of a dtype, null among it.
    pub fn any(dtype: DType) -> Domain {
        Domain::full(FrameType::new(dtype, 1).nullable())
    }

    /// Nothing.
    pub fn none(dtype: DType) -> Domain {
        let values = match dtype {
            DType::Str => Values::Texts(Texts::Only(Arc::default())),
            _ => Values::Numbers(Ranges::new(Vec::new())),
        };
        Domain { dtype, null: false, nan: false, values }
    }

    /// Numbers without null and NaN.
    pub fn numbers(dtype: DType, ranges: Ranges) -> Domain {
        Domain { dtype, null: false, nan: false, values: Values::Numbers(ranges) }
    }

    /// Texts without null.
    pub fn texts(texts: Texts) -> Domain {
        Domain { dtype: DType::Str, null: false, nan: false, values: Values::Texts(texts) }
    }

    /// Outcomes of a condition.
    pub fn outcomes(yes: bool, no: bool, null: bool) -> Domain {
        let pieces = [(no, (0, 0)), (yes, (1, 1))].into_iter().filter(|(is, _)| *is).map(|(_, p)| p).collect();
        Domain::numbers(DType::Bool, Ranges::new(pieces)).with_null(null)
    }

    /// The one value (null for Null).
    pub fn point(x: &Scalar, dtype: DType) -> Domain {
        let number = |k| Domain::numbers(dtype, Ranges::one(k, k));
        match x {
            Scalar::Null => Domain::none(dtype).with_null(true),
            Scalar::Bool(x) => number(i64::from(*x)),
            Scalar::I64(x) => number(*x),
            Scalar::F32(x) if !x.is_nan() => number(key(f64::from(*x))),
            Scalar::F64(x) if !x.is_nan() => number(key(*x)),
            Scalar::F32(_) | Scalar::F64(_) => Domain::none(dtype).with_nan(true),
            Scalar::Str(s) => Domain::texts(Texts::Only(Arc::new([s.clone()].into()))),
        }
    }

    /// The same with null as given.
    #[must_use]
    pub fn with_null(self, null: bool) -> Domain {
        Domain { null, ..self }
    }

    /// The same with NaN as given.
    #[must_use]
    pub fn with_nan(self, nan: bool) -> Domain {
        Domain { nan, ..self }
    }

    /// The numbers; everything where it is text.
    pub fn ranges(&self) -> Ranges {
        match &self.values {
            Values::Numbers(r) => r.clone(),
            Values::Texts(_) => Ranges::all(self.dtype),
        }
    }

    /// Whether no element is in it.
    pub fn is_empty(&self) -> bool {
        !self.null && !self.nan && self.has_no_value()
    }

    /// Whether nothing but null and NaN is in it.
    pub fn has_no_value(&self) -> bool {
        match &self.values {
            Values::Numbers(r) => r.is_empty(),
            Values::Texts(t) => t.is_empty(),
        }
    }

    /// Whether an element is in it.
    pub fn contains(&self, x: &Scalar) -> bool {
        match (x, &self.values) {
            (Scalar::Null, _) => self.null,
            (Scalar::F32(x), _) if x.is_nan() => self.nan,
            (Scalar::F64(x), _) if x.is_nan() => self.nan,
            (Scalar::F32(x), Values::Numbers(r)) => r.contains(key(f64::from(*x))),
            (Scalar::F64(x), Values::Numbers(r)) => r.contains(key(*x)),
            (Scalar::I64(x), Values::Numbers(r)) => r.contains(*x),
            (Scalar::Bool(x), Values::Numbers(r)) => r.contains(i64::from(*x)),
            (Scalar::Str(s), Values::Texts(t)) => t.contains(s),
            _ => true,
        }
    }

    /// What is in both.
    #[must_use]
    pub fn meet(&self, other: &Domain) -> Domain {
        let values = match (&self.values, &other.values) {
            (Values::Numbers(a), Values::Numbers(b)) => Values::Numbers(a.meet(b)),
            (Values::Texts(a), Values::Texts(b)) => Values::Texts(a.meet(b)),
            (a, _) => a.clone(),
        };
        Domain { dtype: self.dtype, null: self.null && other.null, nan: self.nan && other.nan, values }
    }

    /// What is in either.
    #[must_use]
    pub fn join(&self, other: &Domain) -> Domain {
        let values = match (&self.values, &other.values) {
            (Values::Numbers(a), Values::Numbers(b)) => Values::Numbers(a.join(b)),
            (Values::Texts(a), Values::Texts(b)) => Values::Texts(a.join(b)),
            (a, _) => a.clone(),
        };
        Domain { dtype: self.dtype, null: self.null || other.null, nan: self.nan || other.nan, values }
    }

    /// The values (not null, not NaN) that are not in this domain, and NaN where it is not in it.
    #[must_use]
    pub fn complement(&self) -> Domain {
        let values = match &self.values {
            Values::Numbers(r) => Values::Numbers(Ranges::all(self.dtype).minus(r)),
            Values::Texts(t) => Values::Texts(t.complement()),
        };
        Domain { dtype: self.dtype, null: false, nan: self.dtype.is_float() && !self.nan, values }
    }

    /// The only element, where its bits are known: not a zero of floats, whose sign is not.
    pub fn constant(&self) -> Option<Scalar> {
        if self.null || self.nan {
            return None;
        }
        match &self.values {
            Values::Texts(Texts::Only(set)) if set.len() == 1 => set.first().cloned().map(Scalar::Str),
            Values::Texts(_) => None,
            Values::Numbers(r) => match (r.pieces(), self.dtype) {
                (&[(lo, hi)], _) if lo != hi => None,
                (&[(k, _)], DType::Bool) => Some(Scalar::Bool(k != 0)),
                (&[(k, _)], DType::I64) => Some(Scalar::I64(k)),
                (&[(k, _)], DType::F64) if k != 0 => Some(Scalar::F64(unkey(k))),
                (&[(k, _)], DType::F32) if k != 0 => Some(Scalar::F32(unkey(k) as f32)),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_floats() {
        let xs = [f64::NEG_INFINITY, -1e300, -1.0, -5e-324, 0.0, 5e-324, 0.1, 1.0, 1e300, f64::INFINITY];
        assert!(xs.windows(2).all(|w| key(w[0]) < key(w[1])));
        assert!(xs.iter().all(|x| unkey(key(*x)).to_bits() == x.to_bits()));
        assert_eq!(key(-0.0), key(0.0));
        assert_eq!(key(0.0) + 1, key(5e-324));
    }

    #[test]
    fn ranges_are_sets() {
        let a = Ranges::new(vec![(0, 10), (20, 30), (12, 13), (11, 11)]);
        assert_eq!(a.pieces(), [(0, 13), (20, 30)]);
        assert_eq!(a.minus(&Ranges::one(5, 25)).pieces(), [(0, 4), (26, 30)]);
        assert_eq!(Ranges::all(DType::I64).minus(&Ranges::all(DType::I64)).pieces(), []);
        assert_eq!(a.meet(&Ranges::new(vec![(13, 20)])).pieces(), [(13, 13), (20, 20)]);
        assert!(a.contains(13) && !a.contains(14));
    }
}
