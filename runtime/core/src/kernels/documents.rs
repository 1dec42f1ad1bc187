//! Counts of a document's terms, and linear maps of them.
//!
//! A document has few of all terms. [`flock_term_linear_f64`] keeps what is not 0: counts, their weights, their norm and
//! the sums of a linear map are in the time of the document, whatever the vocabulary. Columns come in ascending order and
//! what is 0 adds nothing, so that sums have the bits that they have over all columns.

use flock_text::{Pattern, Splitter, Tokens, Unit, Work, column_of};

use crate::abi::FlockStr;
use crate::blob::{Blob, Plain};
use crate::kernels::category::{find_text, pack_index_str};
use crate::kernels::linear::weights;
use crate::kernels::text::{pack_pattern, program, read};
use crate::kernels::{export, section};

/// What a document is split into, and the column of each term.
pub struct TermsSpec<'a> {
    /// What terms are made of.
    pub unit: Unit,
    /// Units of the shortest terms, at least 1.
    pub first: u32,
    /// Units of the longest terms.
    pub last: u32,
    /// How tokens are found: a pattern, or runs of word characters of at least so many.
    pub tokens: Result<&'a Pattern, u32>,
    /// Tokens that are left out.
    pub stop: &'a [&'a str],
    /// Whether a column of some term holds 1, however often it is there.
    pub binary: bool,
    /// The term of each column; or a number of columns by hash, and whether a negative hash counts -1.
    pub features: Result<&'a [&'a str], (u32, bool)>,
}

/// Header of packed terms. Tables within it start where the offsets say; 0 is for none.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    unit: u64,
    first: u64,
    last: u64,
    least: u64,
    pattern: u64,
    stop: u64,
    binary: u64,
    /// Index of terms to columns.
    vocabulary: u64,
    /// Columns by hash.
    columns: u64,
    signed: u64,
}
// SAFETY: numbers without padding.
unsafe impl Plain for Header {}

/// The table of the kernels here.
pub fn pack_terms(spec: &TermsSpec<'_>) -> Blob {
    let mut blob = Blob::of(&[0u8; size_of::<Header>()]);
    let mut table = |part: Option<Blob>| part.map_or(0, |p| blob.section(p.as_bytes()) as u64);
    let pattern = table(spec.tokens.ok().map(pack_pattern));
    let stop = table((!spec.stop.is_empty()).then(|| pack_index_str(spec.stop)));
    let vocabulary = table(spec.features.ok().map(pack_index_str));
    let (columns, signed) = spec.features.err().unwrap_or_default();
    blob.set_header(Header {
        unit: spec.unit as u64,
        first: spec.first.into(),
        last: spec.last.into(),
        least: spec.tokens.err().unwrap_or(0).into(),
        pattern,
        stop,
        binary: spec.binary.into(),
        vocabulary,
        columns: columns.into(),
        signed: signed.into(),
    });
    blob
}

/// Packed terms, to run.
struct Reader<'a> {
    table: *const u8,
    header: &'a Header,
    splitter: Splitter<'a>,
    work: Work,
}

impl Reader<'_> {
    /// # Safety
    /// `table` was written by [`pack_terms`].
    unsafe fn new<'a>(table: *const u8) -> Reader<'a> {
        // SAFETY: the tables within it lie where the header says.
        unsafe {
            let header = &*table.cast::<Header>();
            let tokens = match header.pattern {
                0 => Tokens::Runs(header.least as usize),
                at => Tokens::Pattern(program(table.add(at as usize))),
            };
            let unit = Unit::ALL[(header.unit as usize).min(2)];
            let (first, last) = (header.first as usize, header.last as usize);
            Reader { table, header, splitter: Splitter { unit, first, last, tokens }, work: Work::default() }
        }
    }

    /// Calls `f` with the column of each term and what the term adds to it.
    /// # Safety
    /// As for [`Reader::new`]; the text is still alive.
    unsafe fn each(&mut self, document: FlockStr, mut f: impl FnMut(u32, f64)) {
        let (h, table) = (self.header, self.table);
        // SAFETY: the caller's promise.
        let text = unsafe { read(document) };
        // SAFETY: the index lies where the header says.
        let find = |at: u64, s: &str| unsafe { find_text(table.add(at as usize), s.as_bytes()) };
        let is_stop = |token: &str| h.stop != 0 && find(h.stop, token) >= 0;
        self.splitter.each(&text, &mut self.work, is_stop, |term| {
            if h.vocabulary != 0 {
                let column = find(h.vocabulary, term);
                if column >= 0 {
                    f(column as u32, 1.0);
                }
            } else {
                let (column, negative) = column_of(term.as_bytes(), h.columns as u32);
                f(column, if negative && h.signed != 0 { -1.0 } else { 1.0 });
            }
        });
    }

    /// The columns that a term of the document falls into, ascending, with their counts.
    /// # Safety
    /// As for [`Reader::each`].
    unsafe fn counts(&mut self, document: FlockStr, out: &mut Vec<(u32, f64)>) {
        out.clear();
        // SAFETY: the caller's promise.
        unsafe { self.each(document, |column, one| out.push((column, one))) };
        out.sort_unstable_by_key(|(column, _)| *column);
        out.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        if self.header.binary != 0 {
            out.iter_mut().for_each(|(_, count)| *count = 1.0);
        }
    }
}

/// What is done to the counts of a row before the linear map; each leaves 0 what is 0.
pub enum WeighSpec<'a> {
    /// 1 + ln of what is not 0.
    Logarithm,
    /// Times a number for each column.
    Times(&'a [f64]),
    /// Divided by a number for each column.
    Over(&'a [f64]),
    /// Divided by a norm: 1 sum of absolute values, 2 Euclidean, 0 greatest absolute value.
    Norm(u32),
    /// 1 where it is above this number, which is not negative, else 0.
    Above(f64),
    /// Columns by index, none twice, out of so many.
    Take(&'a [u32], usize),
}

/// One thing that is done; the row of numbers lies at an offset.
#[repr(C)]
#[derive(Clone, Copy)]
struct Weigh {
    kind: u64,
    at: u64,
    limit: f64,
    reserved: u64,
}
// SAFETY: numbers without padding.
unsafe impl Plain for Weigh {}

/// The table of what is done to counts.
pub fn pack_weighing(steps: &[WeighSpec<'_>]) -> Blob {
    let mut blob = Blob::of(&vec![0u8; (steps.len() + 1) * size_of::<Weigh>()]);
    let mut all = vec![Weigh { kind: 0, at: 0, limit: 0.0, reserved: steps.len() as u64 }];
    for step in steps {
        let (kind, at, limit) = match step {
            WeighSpec::Logarithm => (1, 0, 0.0),
            WeighSpec::Times(row) => (2, blob.section(row), 0.0),
            WeighSpec::Over(row) => (3, blob.section(row), 0.0),
            WeighSpec::Norm(norm) => (4, *norm as usize, 0.0),
            WeighSpec::Above(limit) => (5, 0, *limit),
            WeighSpec::Take(columns, of) => {
                let mut place = vec![u32::MAX; *of];
                columns.iter().zip(0..).for_each(|(c, k)| place[*c as usize] = k);
                (6, blob.section(&place), 0.0)
            }
        };
        all.push(Weigh { kind, at: at as u64, limit, reserved: 0 });
    }
    let steps: Vec<[u64; 4]> = all.iter().map(|w| [w.kind, w.at, w.limit.to_bits(), w.reserved]).collect();
    for (i, step) in steps.into_iter().enumerate() {
        blob.overwrite(i * size_of::<Weigh>(), step);
    }
    blob
}

/// # Safety
/// `table` was written by [`pack_weighing`] for rows of as many columns as `row` is of.
unsafe fn weigh(table: *const u8, row: &mut Vec<(u32, f64)>) {
    // SAFETY: the steps and their rows of numbers lie inside of the table, and columns within the rows.
    unsafe {
        let steps = table.cast::<Weigh>();
        for i in 1..=(*steps).reserved as usize {
            let step = *steps.add(i);
            let number = |column: u32| *section::<f64>(table, step.at).add(column as usize);
            match step.kind {
                1 => row.iter_mut().filter(|x| x.1 != 0.0).for_each(|x| x.1 = x.1.ln() + 1.0),
                2 => row.iter_mut().for_each(|x| x.1 *= number(x.0)),
                3 => row.iter_mut().for_each(|x| x.1 /= number(x.0)),
                4 => {
                    let size = match step.at {
                        1 => row.iter().fold(0.0, |a, x| a + x.1.abs()),
                        2 => row.iter().fold(0.0, |a, x| a + x.1 * x.1).sqrt(),
                        _ => row.iter().fold(0.0, |a: f64, x| a.max(x.1.abs())),
                    };
                    if size != 0.0 {
                        row.iter_mut().for_each(|x| x.1 /= size);
                    }
                }
                5 => row.iter_mut().for_each(|x| x.1 = if x.1 > step.limit { 1.0 } else { 0.0 }),
                _ => {
                    let place = section::<u32>(table, step.at);
                    row.iter_mut().for_each(|x| x.0 = *place.add(x.0 as usize));
                    row.retain(|x| x.0 != u32::MAX);
                    row.sort_unstable_by_key(|x| x.0);
                }
            }
        }
    }
}

export! {
    /// The count of each column's terms in each text; 0 where `valid` (may be null) is 0. `columns` is the frame's width.
    fn flock_term_counts(table: *const u8, x: *const FlockStr, valid: *const u8, stride: usize, rows: usize, columns: usize, out: *mut f64) {
        (0..columns).for_each(|j| (0..rows).for_each(|i| *out.add(j * stride + i) = 0.0));
        let (mut reader, mut counts) = (Reader::new(table), Vec::new());
        for i in (0..rows).filter(|i| valid.is_null() || *valid.add(*i) != 0) {
            reader.counts(*x.add(i), &mut counts);
            counts.iter().for_each(|(column, count)| *out.add(*column as usize * stride + i) = *count);
        }
    }
    /// The counts, weighed, times the weights of `linear` (see [`crate::kernels::linear`]), onto `start` (a frame of
    /// its outputs, which may be `out`; null for 0), plus its bias. `x` and `valid` are as above.
    fn flock_term_linear_f64(table: *const u8, weighing: *const u8, linear: *const u8, x: *const FlockStr, valid: *const u8, stride: usize, rows: usize, start: *const f64, out: *mut f64) {
        let (mut reader, mut row) = (Reader::new(table), Vec::new());
        let (inputs, outputs, w, bias) = weights::<f64>(linear);
        for i in 0..rows {
            row.clear();
            if valid.is_null() || *valid.add(i) != 0 {
                reader.counts(*x.add(i), &mut row);
                weigh(weighing, &mut row);
            }
            for j in 0..outputs {
                let w = w.add(j * inputs);
                let first = if start.is_null() { 0.0 } else { *start.add(j * stride + i) };
                let sum = row.iter().fold(first, |sum, (column, value)| sum + *value * *w.add(*column as usize));
                *out.add(j * stride + i) = sum + *bias.add(j);
            }
        }
    }
}
