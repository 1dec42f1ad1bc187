//! Sets of categories that the nodes of an ensemble test for.

use crate::constant::Hasher;

/// Sets of non-negative integers, each as runs of neighbours: no set takes more memory than its members, whatever they
/// are. A float is in a set where it is an integer of it: -0 is 0; NaN, infinities, fractions and numbers below 0 are in
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategorySets {
    /// Behind the last run of each set.
    ends: Vec<u32>,
    /// First and last member; ascending within a set, with a gap before the next.
    runs: Vec<[u32; 2]>,
}

/// Most runs of all sets.
const MOST_RUNS: usize = 1 << 31;

impl CategorySets {
    /// Adds a set and gives its index, which a node of [`crate::Test::In`] has as its threshold. The members may come in
    /// any order and more than once. None where there are more than 2^31 runs.
    pub fn add(&mut self, members: impl IntoIterator<Item = u32>) -> Option<u32> {
        self.add_runs(members.into_iter().map(|m| [m, m]))
    }

    /// The same from a bit set: member m is bit m mod 32 of word m / 32.
    pub fn add_bits(&mut self, words: &[u32]) -> Option<u32> {
        let bits = |(i, w): (usize, &u32)| {
            let (first, w) = (i as u32 * 32, *w);
            (0..32).filter(move |b| w >> b & 1 == 1).map(move |b| first + b)
        };
        self.add(words.iter().enumerate().flat_map(bits))
    }

    /// The same from runs, first and last member of each.
    pub fn add_runs(&mut self, runs: impl IntoIterator<Item = [u32; 2]>) -> Option<u32> {
        let mut all: Vec<[u32; 2]> = runs.into_iter().filter(|[first, last]| first <= last).collect();
        all.sort_unstable();
        let start = self.runs.len();
        for run in all {
            match self.runs[start..].last_mut() {
                Some(last) if run[0] <= last[1].saturating_add(1) => last[1] = last[1].max(run[1]),
                _ => self.runs.push(run),
            }
        }
        if self.runs.len() >= MOST_RUNS || self.ends.len() >= MOST_RUNS {
            return None;
        }
        self.ends.push(self.runs.len() as u32);
        Some(self.ends.len() as u32 - 1)
    }

    /// Number of sets.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// First and last member of each run of a set, ascending; nothing where there is no such set.
    pub fn runs(&self, set: usize) -> &[[u32; 2]] {
        let start = if set == 0 { 0 } else { self.ends.get(set - 1).map_or(0, |e| *e as usize) };
        self.ends.get(set).map_or(&[], |end| &self.runs[start..*end as usize])
    }

    /// Number of members of a set.
    pub fn size(&self, set: usize) -> u64 {
        self.runs(set).iter().map(|[first, last]| u64::from(last - first) + 1).sum()
    }

    /// The members of a set, ascending. There may be 2^32 of them: ask for the size first.
    pub fn members(&self, set: usize) -> impl Iterator<Item = u32> + '_ {
        self.runs(set).iter().flat_map(|[first, last]| *first..=*last)
    }

    /// Whether a number is in a set.
    pub fn contains(&self, set: usize, x: f64) -> bool {
        // What is no such integer differs from what the cast makes of it.
        let k = x as u32;
        let runs = self.runs(set);
        f64::from(k) == x && runs.get(runs.partition_point(|[_, last]| *last < k)).is_some_and(|[first, _]| *first <= k)
    }

    pub(crate) fn hash_into(&self, h: &mut Hasher) {
        h.u32s(self.ends.iter().copied());
        h.u32s(self.runs.iter().flatten().copied().collect::<Vec<_>>().into_iter());
    }
}
