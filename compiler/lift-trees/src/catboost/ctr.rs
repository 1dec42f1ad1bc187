//! Counters: what training saw of a category, or of a combination of categories and of answers to other splits.
//!
//! | a projection | categories, float borders and equal categories; its value is one hash of 64 bits |
//! | a table | hash → counts, of one kind |
//! | a counter | `((in_class + prior) / (total + prior_denominator) + shift) × scale`, all in float32 |
//!
//! | kind | in_class, total |
//! |---|---|
//! | `Borders` | rows of the classes behind the border, rows of all |
//! | `Buckets` | rows of the class, rows of all |
//! | `BinarizedTargetMeanValue`, `FloatTargetMeanValue` | sum of targets, rows |
//! | `Counter`, `FeatureFreq` | rows, the table's denominator |
//!
//! What a table has no entry for was seen in 0 rows.
//! Source: CatBoost `libs/model/static_ctr_provider.cpp`, `libs/model/ctr_data.h`, `libs/model/online_ctr.h`.

use std::collections::BTreeMap;

use flock_ir_spec::{Data, Frame};

use super::Border;

/// The number that a projection's hash never has, and an empty place of a file's table.
pub(crate) const NO_HASH: u64 = u64::MAX;

/// More features in a projection than the library combines.
pub(crate) const MAX_VALUES: usize = 256;

/// What a hash is taken of, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Projection {
    /// Categories.
    pub categories: Vec<u32>,
    /// Whether float features are above a border, whose bits these are.
    pub above: Vec<(u32, u32)>,
    /// Whether categories have a hash.
    pub equal: Vec<(u32, i32)>,
}

impl Projection {
    /// How many values are hashed.
    pub fn len(&self) -> usize {
        self.categories.len() + self.above.len() + self.equal.len()
    }

    /// A border as it is kept here.
    pub fn border(border: Border) -> (u32, u32) {
        (border.feature, border.border.to_bits())
    }
}

/// What a table counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CtrKind {
    Borders,
    Buckets,
    Mean,
    Counter,
}

impl CtrKind {
    /// By the name in JSON, or by the number in a cbm file.
    pub fn of(name: Option<&str>, number: u8) -> Option<CtrKind> {
        const NAMES: [&str; 6] =
            ["Borders", "Buckets", "BinarizedTargetMeanValue", "FloatTargetMeanValue", "Counter", "FeatureFreq"];
        let number = name.map_or(Some(usize::from(number)), |name| NAMES.iter().position(|n| *n == name));
        Some(match number? {
            0 => CtrKind::Borders,
            1 => CtrKind::Buckets,
            2 | 3 => CtrKind::Mean,
            4 | 5 => CtrKind::Counter,
            _ => return None,
        })
    }
}

/// What a file's table has for a hash.
#[derive(Clone, Debug)]
pub(crate) enum Counts {
    /// Rows by class, or rows alone: so many numbers each.
    Rows(usize, Vec<i32>),
    /// Sums of targets, and of how many rows.
    Means(Vec<(f32, i32)>),
}

/// A table of a file.
#[derive(Clone, Debug)]
pub(crate) struct CtrTable {
    /// Index of its projection.
    pub projection: usize,
    /// What it counts.
    pub kind: CtrKind,
    /// Hashes in the order of the counts.
    pub keys: Vec<u64>,
    /// The counts.
    pub counts: Counts,
    /// The total of a counter of rows.
    pub denominator: i32,
}

/// A counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ctr {
    /// Index of its table.
    pub table: u32,
    /// The border or the bucket.
    pub target: u32,
    /// What is added above and below.
    pub prior: [f32; 2],
    /// What is added to the quotient.
    pub shift: f32,
    /// What that is multiplied with.
    pub scale: f32,
}

/// All counters of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ctrs {
    /// Projections, each once.
    pub projections: Vec<Projection>,
    known: BTreeMap<Projection, usize>,
    /// Tables.
    pub tables: Vec<CtrTable>,
    /// The counters in the order of the file.
    pub ctrs: Vec<Ctr>,
}

impl Ctrs {
    /// The index of the projection, which is added where it is new.
    pub fn projection(&mut self, projection: Projection) -> usize {
        let next = self.projections.len();
        let index = *self.known.entry(projection.clone()).or_insert(next);
        if index == next {
            self.projections.push(projection);
        }
        index
    }

    /// Whether everything that is named is there.
    pub fn check(&self, categories: usize, floats: usize) -> Result<(), String> {
        if categories == 0 && !self.ctrs.is_empty() {
            return Err("counters, and no categories".into());
        }
        for p in &self.projections {
            if p.len() == 0 || p.len() > MAX_VALUES {
                return Err(format!("a projection of {} features", p.len()));
            }
            let category =
                p.categories.iter().chain(p.equal.iter().map(|(c, _)| c)).find(|c| **c as usize >= categories);
            let float = p.above.iter().map(|(f, _)| f).find(|f| **f as usize >= floats);
            if let Some(feature) = category.or(float) {
                return Err(format!("a projection of feature {feature}, which is not there"));
            }
        }
        self.tables.iter().try_for_each(CtrTable::check)?;
        let missing = |c: &&Ctr| self.tables.get(c.table as usize).is_none_or(|t| c.target as usize >= t.targets());
        match self.ctrs.iter().position(|c| missing(&c)) {
            Some(at) => Err(format!("counter {at} of a border that its table does not have")),
            None => Ok(()),
        }
    }
}

impl CtrTable {
    /// Numbers of `in_class` that the counts have: one per border or bucket, or one.
    pub fn targets(&self) -> usize {
        match (self.kind, &self.counts) {
            (CtrKind::Borders, Counts::Rows(classes, _)) => classes.saturating_sub(1),
            (CtrKind::Buckets, Counts::Rows(classes, _)) => *classes,
            _ => 1,
        }
    }

    /// Whether keys and counts are as many, and of the table's kind.
    pub fn check(&self) -> Result<(), String> {
        let found = match (&self.counts, self.kind) {
            (Counts::Rows(1, counts), CtrKind::Counter) => counts.len(),
            (Counts::Rows(classes @ 2.., counts), CtrKind::Borders | CtrKind::Buckets) => {
                if counts.len() % classes != 0 {
                    return Err(format!("{} counts of {classes} classes", counts.len()));
                }
                counts.len() / classes
            }
            (Counts::Means(means), CtrKind::Mean) => means.len(),
            _ => return Err("counts of another kind than the counter's".into()),
        };
        if found == 0 {
            return Err("a table of no counts".into());
        }
        if found != self.keys.len() { Err(format!("{found} counts for {} hashes", self.keys.len())) } else { Ok(()) }
    }

    /// The counts as a table of the rows that `keep` names, behind one for a hash that is not there: the total, and
    /// `in_class` for each target.
    pub fn frame(&self, keep: &[usize]) -> Frame {
        let (rows, width) = (keep.len() + 1, self.targets() + 1);
        let mut data = vec![0.0f32; rows * width];
        if self.kind == CtrKind::Counter {
            data[..rows].fill(self.denominator as f32);
        }
        for (row, at) in keep.iter().enumerate() {
            let mut put = |column: usize, x: f32| data[column * rows + row + 1] = x;
            match &self.counts {
                Counts::Means(means) => {
                    put(0, means[*at].1 as f32);
                    put(1, means[*at].0);
                }
                Counts::Rows(1, counts) => put(1, counts[*at] as f32),
                Counts::Rows(classes, counts) => {
                    // The sum of all classes from one on: behind the border below it, or the total.
                    let mut behind = 0i32;
                    for (class, n) in counts[at * classes..(at + 1) * classes].iter().enumerate().rev() {
                        behind = behind.wrapping_add(*n);
                        match self.kind {
                            CtrKind::Buckets => put(class + 1, *n as f32),
                            _ => put(class, behind as f32),
                        }
                    }
                    put(0, behind as f32);
                }
            }
        }
        Frame { rows, width, data: Data::F32(data), valid: None }
    }
}
