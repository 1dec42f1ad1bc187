//! Scoring of batches: block by block, by as many threads as come.

use std::alloc::{Layout, alloc_zeroed};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::abi::{FlockCall, FlockColumn, FlockKind, FlockOutput, FlockStatus, FlockStr};
use crate::arena::Arena;
use crate::blob::{Blob, Plain};
use crate::column::Column;
use crate::error::CoreError;
use crate::kernels::category::memo;
use crate::program::{Field, Program};

/// An output column of a batch, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// The elements; what they are where they are missing is not defined.
    pub values: Values,
    /// Bitmap with 1 where the element is there, least significant bit first; None where all are.
    pub validity: Option<Vec<u8>>,
}

/// The elements of an output column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A bitmap.
    Bool(Vec<u8>),
    /// Integers.
    I64(Vec<i64>),
    /// binary32.
    F32(Vec<f32>),
    /// binary64.
    F64(Vec<f64>),
    /// Text: `rows + 1` offsets into the bytes. Empty where missing.
    Str {
        /// Where each text starts, and where the last one ends.
        offsets: Vec<i32>,
        /// The texts, one behind the other. As valid as the input's text is.
        bytes: Vec<u8>,
    },
}

/// Memory that a thread reuses from call to call.
pub struct Scratch {
    pub(crate) memory: Blob,
    pub(crate) arena: Arena,
    /// Per output of text, one block of it.
    pub(crate) text: Vec<Vec<FlockStr>>,
}

// SAFETY: the texts are read only within the call that wrote them.
unsafe impl Send for Scratch {}

/// A batch that a program has accepted, being scored. Blocks are taken by whoever asks for the next ones, each once:
/// threads share a batch, and the result does not depend on who has scored what.
pub struct Batch<'a> {
    program: &'a Program,
    rows: usize,
    /// Rows of a block.
    block: usize,
    /// The columns, then the memos.
    inputs: Vec<FlockColumn>,
    _memos: Vec<Option<Vec<i64>>>,
    outputs: Vec<OutputColumn>,
    /// Where these are written.
    raw: Vec<FlockOutput>,
    /// Blocks that are taken.
    taken: AtomicUsize,
    columns: PhantomData<&'a [Column<'a>]>,
}

// SAFETY: inputs are only read, and every block of the outputs is written by the one thread that has taken it; blocks
// begin at multiples of 64 rows, so that no two share a byte of a bitmap.
unsafe impl Send for Batch<'_> {}
// SAFETY: as above.
unsafe impl Sync for Batch<'_> {}

/// Most rows that a kernel works on together.
const TOGETHER: usize = 512;

/// Blocks of a batch that are scored.
pub struct Part {
    rows: Range<usize>,
    /// Per output of text, where each text of the part ends, and the bytes.
    text: Vec<(Vec<usize>, Vec<u8>)>,
}

impl Program {
    /// A batch of `rows` rows, to be scored.
    ///
    /// # Errors
    /// `Schema` where a column is absent or of another type, `Length` where one has not `rows` elements or an unsigned
    /// value is beyond i64, `Null` where one is missing that must not be.
    pub fn batch<'a>(&'a self, columns: &'a [Column<'a>], rows: usize) -> Result<Batch<'a>, CoreError> {
        self.check(columns, rows)?;
        // SAFETY: the program says that this constant is an index of text.
        let memos = self.memos.iter().map(|m| unsafe { memo(&columns[m.input], self.constants[m.table], rows) });
        let memos: Vec<Option<Vec<i64>>> = memos.collect();
        let mut inputs: Vec<FlockColumn> = columns.iter().map(|c| *c.as_raw()).collect();
        inputs.extend(memos.iter().map(|m| match m {
            Some(m) => *Column::numbers(m).as_raw(),
            None => *Column::null(0).as_raw(),
        }));
        let mut outputs: Vec<OutputColumn> =
            self.outputs.iter().map(|f| OutputColumn::new(f, rows)).collect::<Result<_, _>>()?;
        let raw = outputs.iter_mut().map(OutputColumn::raw).collect();
        let taken = AtomicUsize::new(0);
        Ok(Batch {
            program: self,
            rows,
            block: self.block_rows,
            inputs,
            _memos: memos,
            outputs,
            raw,
            taken,
            columns: PhantomData,
        })
    }

    fn check(&self, columns: &[Column<'_>], rows: usize) -> Result<(), CoreError> {
        if columns.len() != self.inputs.len() {
            let message = format!("{} columns, expected {}", columns.len(), self.inputs.len());
            return Err(CoreError::new(FlockStatus::Schema, "batch", message));
        }
        columns.iter().zip(&self.inputs).try_for_each(|(c, f)| f.check(c, rows))
    }
}

impl Field {
    /// Whether a column of a batch can be this input.
    ///
    /// # Errors
    /// As for [`Program::score`].
    pub fn check(&self, c: &Column<'_>, rows: usize) -> Result<(), CoreError> {
        let fault = |status, message: String| Err(CoreError::new(status, &*self.name, message));
        if c.len() != rows {
            return fault(FlockStatus::Length, format!("{} rows, expected {rows}", c.len()));
        }
        if !c.gives(self.kind) {
            let message = format!("{} cannot become {}", c.describe(), self.kind.name());
            return fault(FlockStatus::Schema, message);
        }
        if !self.nullable && c.null_count() > 0 {
            return fault(FlockStatus::Null, format!("{} nulls where none is allowed", c.null_count()));
        }
        if let Some(row) = c.beyond_i64().filter(|_| self.kind == FlockKind::I64) {
            return fault(FlockStatus::Length, format!("row {row} is beyond the range of i64"));
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Blocks of it, scored or not.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.block)
    }

    /// The same batch in blocks of about the same size, as many as asked if it has rows enough for them.
    pub fn divided(self, blocks: usize) -> Self {
        let most = self.program.block_rows;
        // Where a kernel takes so many rows at once, smaller blocks would cost as much.
        let unit = if most > TOGETHER { 64 } else { most };
        let even = self.rows.div_ceil(blocks.max(self.rows.div_ceil(most)).max(1));
        Batch { block: even.max(1).next_multiple_of(unit).min(most), ..self }
    }

    /// Scores the next `count` blocks that nobody has taken; None where all are taken.
    ///
    /// # Errors
    /// `Null`, `Length` and `Memory` as for [`Program::score`].
    /// With an error comes the first row of what failed: of several errors, the one of the least row does not depend on
    /// who has scored what.
    pub fn next(&self, count: usize, scratch: &mut Scratch) -> Option<Result<Part, (usize, CoreError)>> {
        let (all, count) = (self.blocks(), count.max(1));
        // Taken in steps that cannot overflow, however often this is asked.
        let take = |taken: usize| (taken < all).then(|| all.min(taken.saturating_add(count)));
        let first = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(self.part(first..all.min(first.saturating_add(count)), scratch))
    }

    fn part(&self, blocks: Range<usize>, scratch: &mut Scratch) -> Result<Part, (usize, CoreError)> {
        let p = self.program;
        if scratch.memory.len() < p.scratch_bytes || scratch.text.len() != p.outputs.len() {
            *scratch = p.scratch();
        }
        let rows = blocks.start * self.block..self.rows.min(blocks.end * self.block);
        let text = p.outputs.iter().map(|_| (Vec::new(), Vec::new())).collect();
        let mut part = Part { rows: rows.clone(), text };
        for start in rows.clone().step_by(self.block) {
            self.score(start, self.block.min(rows.end - start), scratch, &mut part).map_err(|e| (start, e))?;
        }
        Ok(part)
    }

    /// Scores a block that this thread has taken.
    fn score(&self, start: usize, rows: usize, scratch: &mut Scratch, part: &mut Part) -> Result<(), CoreError> {
        let aim = |(o, text): (&FlockOutput, &mut Vec<FlockStr>)| match o.kind {
            // The validity of text follows the text's base, so its bitmap starts at this block too.
            k if k == FlockKind::Str as u32 => {
                let there = |v: *mut u8| if v.is_null() { v } else { v.wrapping_add(start / 8) };
                FlockOutput { data: text.as_mut_ptr().cast(), validity: there(o.validity), base: start, ..*o }
            }
            _ => *o,
        };
        let raw: Vec<FlockOutput> = self.raw.iter().zip(&mut scratch.text).map(aim).collect();
        let mut call = FlockCall {
            constants: self.program.constants.as_ptr(),
            inputs: self.inputs.as_ptr(),
            outputs: raw.as_ptr(),
            scratch: scratch.memory.as_mut_ptr(),
            arena: &raw mut scratch.arena,
            start,
            rows,
        };
        // SAFETY: whoever made the program promised that the entry fits its parts, and `check` saw that the columns do.
        let status = unsafe { (self.program.entry)(&raw mut call) };
        if status != FlockStatus::Ok as i32 {
            return Err(Program::fault(status, "batch"));
        }
        for (((o, block), (ends, bytes)), field) in
            raw.iter().zip(&scratch.text).zip(&mut part.text).zip(&self.program.outputs)
        {
            if field.kind != FlockKind::Str {
                continue;
            }
            let grown = |_| CoreError::new(FlockStatus::Memory, &*field.name, "memory for text cannot be had");
            ends.try_reserve(rows).map_err(grown)?;
            for (i, s) in block[..rows].iter().enumerate() {
                // SAFETY: the entry has just filled the first `rows` texts and bits, and the arena was not cleared since.
                unsafe {
                    if o.validity.is_null() || *o.validity.add(i / 8) >> (i % 8) & 1 != 0 {
                        bytes.try_reserve(s.len).map_err(grown)?;
                        bytes.extend_from_slice(s.bytes());
                    }
                }
                ends.push(bytes.len());
            }
        }
        scratch.arena.clear();
        Ok(())
    }

    /// The outputs, once all blocks are scored; the parts in any order.
    ///
    /// # Errors
    /// `Memory` where the text of an output is beyond 2 GiB, `Internal` where a part is missing.
    pub fn finish(mut self, parts: impl IntoIterator<Item = Part>) -> Result<Vec<OutputColumn>, CoreError> {
        let mut parts: Vec<Part> = parts.into_iter().collect();
        parts.sort_unstable_by_key(|p| p.rows.start);
        if parts.iter().map(|p| p.rows.len()).sum::<usize>() != self.rows {
            return Err(CoreError::new(FlockStatus::Internal, "batch", "a part of it was not scored"));
        }
        for (k, (o, field)) in self.outputs.iter_mut().zip(&self.program.outputs).enumerate() {
            let beyond = || CoreError::new(FlockStatus::Memory, &*field.name, "text beyond 2 GiB in one batch");
            o.take_text(parts.iter_mut().map(|p| std::mem::take(&mut p.text[k]))).ok_or_else(beyond)?;
            o.finish(self.rows);
        }
        Ok(self.outputs)
    }
}

/// Zeros; None where memory cannot be had. Not touched before they are written.
fn zeroed<T: Plain>(count: usize) -> Option<Vec<T>> {
    let layout = Layout::array::<T>(count).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the layout is that of a vector of `count` elements and not empty, and zeros are numbers.
    unsafe {
        let at = alloc_zeroed(layout).cast::<T>();
        (!at.is_null()).then(|| Vec::from_raw_parts(at, count, count))
    }
}

impl OutputColumn {
    fn new(f: &Field, rows: usize) -> Result<OutputColumn, CoreError> {
        let none = || CoreError::new(FlockStatus::Memory, &*f.name, format!("memory for {rows} rows cannot be had"));
        let values = match f.kind {
            FlockKind::Bool => zeroed(rows.div_ceil(8)).map(Values::Bool),
            FlockKind::I64 => zeroed(rows).map(Values::I64),
            FlockKind::F32 => zeroed(rows).map(Values::F32),
            FlockKind::F64 => zeroed(rows).map(Values::F64),
            FlockKind::Str => Some(Values::Str { offsets: vec![0], bytes: Vec::new() }),
        };
        let validity = if f.nullable { Some(zeroed(rows.div_ceil(8)).ok_or_else(none)?) } else { None };
        Ok(OutputColumn { values: values.ok_or_else(none)?, validity })
    }

    /// Where the entry writes it, but for text.
    fn raw(&mut self) -> FlockOutput {
        let validity = self.validity.as_mut().map_or(std::ptr::null_mut(), |v| v.as_mut_ptr());
        let (kind, data) = match &mut self.values {
            Values::Bool(v) => (FlockKind::Bool, v.as_mut_ptr()),
            Values::I64(v) => (FlockKind::I64, v.as_mut_ptr().cast()),
            Values::F32(v) => (FlockKind::F32, v.as_mut_ptr().cast()),
            Values::F64(v) => (FlockKind::F64, v.as_mut_ptr().cast()),
            Values::Str { .. } => (FlockKind::Str, std::ptr::null_mut()),
        };
        FlockOutput { kind: kind as u32, reserved: 0, data, validity, base: 0 }
    }

    /// Joins the texts of parts that are in order; None where they are beyond 2 GiB.
    fn take_text(&mut self, parts: impl Iterator<Item = (Vec<usize>, Vec<u8>)>) -> Option<()> {
        let Values::Str { offsets, bytes } = &mut self.values else { return Some(()) };
        for (ends, more) in parts {
            let before = bytes.len();
            i32::try_from(before.checked_add(more.len())?).ok()?;
            // Within i32 by what was just seen.
            offsets.extend(ends.iter().map(|end| (before + end) as i32));
            if before == 0 { *bytes = more } else { bytes.extend_from_slice(&more) }
        }
        Some(())
    }

    /// Clears the bits behind the last row, and drops a bitmap that says that nothing is missing.
    fn finish(&mut self, rows: usize) {
        let Some(v) = &mut self.validity else { return };
        if let (Some(last), 1..) = (v.last_mut(), rows % 8) {
            *last &= (1 << (rows % 8)) - 1;
        }
        if v.iter().map(|b| b.count_ones() as usize).sum::<usize>() == rows {
            self.validity = None;
        }
    }

    /// Number of missing elements among `rows`.
    pub fn null_count(&self, rows: usize) -> usize {
        self.validity.as_ref().map_or(0, |v| rows - v.iter().map(|b| b.count_ones() as usize).sum::<usize>())
    }
}
