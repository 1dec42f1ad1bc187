//! A compiled function with all that it needs, and the safe way to call it.

use std::any::Any;
use std::sync::Arc;

use crate::abi::{FlockCall, FlockColumn, FlockEntry, FlockKind, FlockLayout, FlockOutput, FlockStatus, FlockStr};
use crate::arena::Arena;
use crate::blob::Blob;
use crate::column::Column;
use crate::error::CoreError;
use crate::kernels::category::memo;

/// An input or output of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FlockKind,
    /// Whether an element may be missing.
    pub nullable: bool,
}

/// "Look the distinct values of this input up in that index table once per batch, where it is dictionary-encoded."
/// The result is the extra input column `inputs[program.inputs.len() + m]` for memo m: i64, one per dictionary entry;
/// its `data` is null where the input is not dictionary-encoded. `flock_index_column` takes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memo {
    /// Which input.
    pub input: usize,
    /// Which constant, written by `pack_index_str`.
    pub table: usize,
}

/// What a program is made of.
pub struct ProgramParts {
    /// The inputs in the order of `FlockCall::inputs`.
    pub inputs: Vec<Field>,
    /// The outputs in the order of `FlockCall::outputs`.
    pub outputs: Vec<Field>,
    /// The dictionary look-ups to prepare per batch.
    pub memos: Vec<Memo>,
    /// The compiled function.
    pub entry: FlockEntry,
    /// Most rows of a block; also the stride of every frame in scratch. A multiple of 64.
    pub block_rows: usize,
    /// Bytes of scratch that a call needs.
    pub scratch_bytes: usize,
    /// The blobs in the order of `FlockCall::constants`.
    pub constants: Vec<Blob>,
    /// What keeps the code of `entry` alive.
    pub owner: Arc<dyn Any + Send + Sync>,
}

/// A compiled function that can be called from many threads at once.
pub struct Program {
    parts: ProgramParts,
    constants: Vec<*const u8>,
}

// SAFETY: constants are never written, and an entry may run on many threads by its contract.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

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
    memory: Blob,
    arena: Arena,
    text: Vec<Vec<FlockStr>>,
}

// SAFETY: the texts are read only within the call that wrote them.
unsafe impl Send for Scratch {}

impl Program {
    /// Takes the parts.
    ///
    /// # Errors
    /// `Length` where block rows or a memo do not fit.
    /// # Safety
    /// `entry` must keep the contract of [`crate::abi`] for exactly these inputs, outputs, memos, constants, block and
    /// scratch, and stay callable while `owner` lives.
    pub unsafe fn new(parts: ProgramParts) -> Result<Program, CoreError> {
        let wrong = |what: String| Err(CoreError::new(FlockStatus::Length, "program", what));
        if parts.block_rows == 0 || !parts.block_rows.is_multiple_of(64) {
            return wrong(format!("a block has {} rows, expected a multiple of 64", parts.block_rows));
        }
        if let Some(m) = parts.memos.iter().find(|m| m.input >= parts.inputs.len() || m.table >= parts.constants.len())
        {
            return wrong(format!("{m:?} names no input or no constant"));
        }
        let constants = parts.constants.iter().map(Blob::as_ptr).collect();
        Ok(Program { parts, constants })
    }

    /// The inputs.
    pub fn inputs(&self) -> &[Field] {
        &self.parts.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Field] {
        &self.parts.outputs
    }

    /// Most rows of a block.
    pub fn block_rows(&self) -> usize {
        self.parts.block_rows
    }

    /// The constants.
    pub fn constants(&self) -> &[Blob] {
        &self.parts.constants
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> Scratch {
        let text = |f: &Field| {
            if f.kind == FlockKind::Str { vec![FlockStr::new(b""); self.parts.block_rows] } else { Vec::new() }
        };
        Scratch {
            memory: Blob::zeroed(self.parts.scratch_bytes.max(1)),
            arena: Arena::default(),
            text: self.parts.outputs.iter().map(text).collect(),
        }
    }

    /// Scores a batch of `rows` rows. The result does not depend on how a table is cut into batches.
    ///
    /// # Errors
    /// `Schema` where a column is absent or of another type, `Length` where one has not `rows` elements or an unsigned
    /// value is beyond i64, `Null` where one is missing that must not be, `Memory` where text outgrows memory or 2 GiB.
    pub fn score(
        &self,
        columns: &[Column<'_>],
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<OutputColumn>, CoreError> {
        self.check(columns, rows)?;
        if scratch.memory.len() < self.parts.scratch_bytes || scratch.text.len() != self.parts.outputs.len() {
            *scratch = self.scratch();
        }
        let memos = self.parts.memos.iter().map(|m| memo(&columns[m.input], &self.parts.constants[m.table], rows));
        let memos: Vec<Option<Vec<i64>>> = memos.collect();
        let mut inputs: Vec<FlockColumn> = columns.iter().map(|c| *c.as_raw()).collect();
        inputs.extend(memos.iter().map(|m| match m {
            Some(m) => *Column::numbers(m).as_raw(),
            None => *Column::null(0).as_raw(),
        }));
        let mut outputs: Vec<OutputColumn> = self.parts.outputs.iter().map(|f| OutputColumn::new(f, rows)).collect();
        for start in (0..rows).step_by(self.parts.block_rows) {
            let n = self.parts.block_rows.min(rows - start);
            self.block(&inputs, &mut outputs, start, n, scratch)?;
        }
        outputs.iter_mut().for_each(|o| o.finish(rows));
        Ok(outputs)
    }

    fn block(
        &self,
        inputs: &[FlockColumn],
        outputs: &mut [OutputColumn],
        start: usize,
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<(), CoreError> {
        let raw: Vec<FlockOutput> = outputs.iter_mut().zip(&mut scratch.text).map(|(o, t)| o.raw(t, start)).collect();
        let mut call = FlockCall {
            constants: self.constants.as_ptr(),
            inputs: inputs.as_ptr(),
            outputs: raw.as_ptr(),
            scratch: scratch.memory.as_mut_ptr(),
            arena: &raw mut scratch.arena,
            start,
            rows,
        };
        // SAFETY: `new` was promised that the entry fits these parts, and `check` saw that the columns do.
        let status = unsafe { (self.parts.entry)(&raw mut call) };
        if status != FlockStatus::Ok as i32 {
            let (status, what) = match status {
                s if s == FlockStatus::Memory as i32 => (FlockStatus::Memory, "memory for text cannot be had"),
                s if s == FlockStatus::Null as i32 => (FlockStatus::Null, "a null where none is allowed"),
                s if s == FlockStatus::Length as i32 => (FlockStatus::Length, "a length does not fit"),
                _ => (FlockStatus::Schema, "a column is not of the type that was compiled for"),
            };
            return Err(CoreError::new(status, "batch", format!("{what}, in rows {start} to {}", start + rows)));
        }
        for ((o, t), f) in outputs.iter_mut().zip(&scratch.text).zip(&self.parts.outputs) {
            // SAFETY: the entry has just filled the first `rows` texts, and the arena was not cleared since.
            unsafe { o.take_text(t, start, rows) }
                .map_err(|e| CoreError::new(e, &*f.name, "text beyond 2 GiB in one batch"))?;
        }
        scratch.arena.clear();
        Ok(())
    }

    fn check(&self, columns: &[Column<'_>], rows: usize) -> Result<(), CoreError> {
        let fields = &self.parts.inputs;
        if columns.len() != fields.len() {
            let message = format!("{} columns, expected {}", columns.len(), fields.len());
            return Err(CoreError::new(FlockStatus::Schema, "batch", message));
        }
        for (c, f) in columns.iter().zip(fields) {
            let fault = |status, message: String| Err(CoreError::new(status, &*f.name, message));
            if c.len() != rows {
                return fault(FlockStatus::Length, format!("{} rows, expected {rows}", c.len()));
            }
            if !c.gives(f.kind) {
                return fault(
                    FlockStatus::Schema,
                    format!("layout {} cannot become {}", c.as_raw().layout, f.kind.name()),
                );
            }
            if !f.nullable && c.null_count() > 0 {
                return fault(FlockStatus::Null, format!("{} nulls where none is allowed", c.null_count()));
            }
            if let Some(row) = c.beyond_i64().filter(|_| f.kind == FlockKind::I64) {
                return fault(FlockStatus::Length, format!("row {row} is beyond the range of i64"));
            }
        }
        Ok(())
    }
}

impl OutputColumn {
    fn new(f: &Field, rows: usize) -> OutputColumn {
        let values = match f.kind {
            FlockKind::Bool => Values::Bool(vec![0; rows.div_ceil(8)]),
            FlockKind::I64 => Values::I64(vec![0; rows]),
            FlockKind::F32 => Values::F32(vec![0.0; rows]),
            FlockKind::F64 => Values::F64(vec![0.0; rows]),
            FlockKind::Str => Values::Str { offsets: vec![0], bytes: Vec::new() },
        };
        OutputColumn { values, validity: f.nullable.then(|| vec![0; rows.div_ceil(8)]) }
    }

    /// As the entry writes it; text goes to `text`, one block at a time.
    fn raw(&mut self, text: &mut [FlockStr], start: usize) -> FlockOutput {
        let validity = self.validity.as_mut().map_or(std::ptr::null_mut(), |v| v.as_mut_ptr());
        let (kind, data) = match &mut self.values {
            Values::Bool(v) => (FlockKind::Bool, v.as_mut_ptr()),
            Values::I64(v) => (FlockKind::I64, v.as_mut_ptr().cast()),
            Values::F32(v) => (FlockKind::F32, v.as_mut_ptr().cast()),
            Values::F64(v) => (FlockKind::F64, v.as_mut_ptr().cast()),
            // The validity of text follows the text's base, so its bitmap starts at this block too.
            Values::Str { .. } => {
                let validity = if validity.is_null() { validity } else { validity.wrapping_add(start / 8) };
                let kind = FlockKind::Str as u32;
                return FlockOutput { kind, reserved: 0, data: text.as_mut_ptr().cast(), validity, base: start };
            }
        };
        FlockOutput { kind: kind as u32, reserved: 0, data, validity, base: 0 }
    }

    /// Copies the block's text.
    /// # Safety
    /// The first `rows` of `text` are alive.
    unsafe fn take_text(&mut self, text: &[FlockStr], start: usize, rows: usize) -> Result<(), FlockStatus> {
        let Values::Str { offsets, bytes } = &mut self.values else { return Ok(()) };
        for (i, s) in text[..rows].iter().enumerate() {
            let row = start + i;
            if self.validity.as_ref().is_none_or(|v| v[row / 8] >> (row % 8) & 1 != 0) {
                // SAFETY: the caller vouches for it.
                bytes.extend_from_slice(unsafe { s.bytes() });
            }
            offsets.push(i32::try_from(bytes.len()).map_err(|_| FlockStatus::Memory)?);
        }
        Ok(())
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

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let p = &self.parts;
        let bytes: usize = p.constants.iter().map(Blob::len).sum();
        write!(
            f,
            "Program({} inputs, {} outputs, blocks of {} rows, {} bytes of scratch, {} constants of {bytes} bytes)",
            p.inputs.len(),
            p.outputs.len(),
            p.block_rows,
            p.scratch_bytes,
            p.constants.len()
        )
    }
}

const _: () = assert!(FlockLayout::Null as u32 == 0);
