//! A compiled function with all that it needs, and the safe way to call it.

use std::any::Any;
use std::sync::Arc;

use crate::abi::{FLOCK_ABI, FlockEntry, FlockField, FlockKind, FlockLayout, FlockProgram, FlockStatus, FlockStr};
use crate::arena::Arena;
use crate::batch::{OutputColumn, Scratch};
use crate::blob::{ALIGN, Blob};
use crate::column::Column;
use crate::error::CoreError;

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
#[repr(C)]
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
    pub(crate) inputs: Vec<Field>,
    pub(crate) outputs: Vec<Field>,
    pub(crate) memos: Vec<Memo>,
    pub(crate) entry: FlockEntry,
    pub(crate) block_rows: usize,
    pub(crate) scratch_bytes: usize,
    pub(crate) constants: Vec<*const u8>,
    /// What keeps the code and the constants alive.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: constants are never written, and an entry may run on many threads by its contract.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

impl Program {
    /// Takes the parts.
    ///
    /// # Errors
    /// `Length` where block rows or a memo do not fit.
    /// # Safety
    /// `entry` must keep the contract of [`crate::abi`] for exactly these inputs, outputs, memos, constants, block and
    /// scratch, and stay callable while `owner` lives.
    pub unsafe fn new(parts: ProgramParts) -> Result<Program, CoreError> {
        let ProgramParts { inputs, outputs, memos, entry, block_rows, scratch_bytes, constants: blobs, owner } = parts;
        let constants = blobs.iter().map(Blob::as_ptr).collect();
        let _owner = Arc::new((owner, blobs));
        Program { inputs, outputs, memos, entry, block_rows, scratch_bytes, constants, _owner }.checked()
    }

    /// The program that an object file holds.
    ///
    /// # Errors
    /// `Version` where it was written for another layout, or its parts do not fit one another.
    /// # Safety
    /// What `raw` points to stays alive and unchanged, and its entry keeps the contract of [`crate::abi`] for it.
    pub unsafe fn from_static(raw: &'static FlockProgram) -> Result<Program, CoreError> {
        let wrong = |what: &str| CoreError::new(FlockStatus::Version, "program", what);
        if raw.version != FLOCK_ABI {
            return Err(wrong(&format!("it has version {}, this runtime reads {FLOCK_ABI}", raw.version)));
        }
        let damaged = || wrong("it is damaged");
        // SAFETY: the caller's promise, for these and for the names below.
        let (inputs, outputs, memos, constants) = unsafe {
            (
                list(raw.inputs, raw.input_count).ok_or_else(damaged)?,
                list(raw.outputs, raw.output_count).ok_or_else(damaged)?,
                list(raw.memos, raw.memo_count).ok_or_else(damaged)?,
                list(raw.constants, raw.constant_count).ok_or_else(damaged)?,
            )
        };
        let field = |f: &FlockField| {
            // SAFETY: as above.
            let name = unsafe { list(f.name, f.name_length) }?;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            Some(Field { name, kind: FlockKind::of(f.kind)?, nullable: f.nullable != 0 })
        };
        let fields = |all: &[FlockField]| all.iter().map(field).collect::<Option<Vec<_>>>().ok_or_else(damaged);
        if constants.iter().any(|c| c.is_null() || !c.addr().is_multiple_of(ALIGN)) {
            return Err(damaged());
        }
        let program = Program {
            inputs: fields(inputs)?,
            outputs: fields(outputs)?,
            memos: memos.to_vec(),
            entry: raw.entry.ok_or_else(damaged)?,
            block_rows: raw.block_rows,
            scratch_bytes: raw.scratch_bytes,
            constants: constants.to_vec(),
            _owner: Arc::new(()),
        };
        program.checked().map_err(|e| CoreError { status: FlockStatus::Version, ..e })
    }

    fn checked(self) -> Result<Program, CoreError> {
        let wrong = |what: String| Err(CoreError::new(FlockStatus::Length, "program", what));
        if self.block_rows == 0 || !self.block_rows.is_multiple_of(64) {
            return wrong(format!("a block has {} rows, expected a multiple of 64", self.block_rows));
        }
        if let Some(m) = self.memos.iter().find(|m| m.input >= self.inputs.len() || m.table >= self.constants.len()) {
            return wrong(format!("{m:?} names no input or no constant"));
        }
        Ok(self)
    }

    /// The inputs.
    pub fn inputs(&self) -> &[Field] {
        &self.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Field] {
        &self.outputs
    }

    /// Most rows of a block.
    pub fn block_rows(&self) -> usize {
        self.block_rows
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> Scratch {
        let text =
            |f: &Field| if f.kind == FlockKind::Str { vec![FlockStr::new(b""); self.block_rows] } else { Vec::new() };
        Scratch {
            memory: Blob::zeroed(self.scratch_bytes.max(1)),
            arena: Arena::default(),
            text: self.outputs.iter().map(text).collect(),
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
        let batch = self.batch(columns, rows)?;
        let part = batch.next(usize::MAX, scratch).transpose().map_err(|(_, e)| e)?;
        batch.finish(part)
    }

    /// The status of an entry as an error.
    pub(crate) fn fault(status: i32, place: impl Into<String>) -> CoreError {
        let (status, what) = match status {
            s if s == FlockStatus::Memory as i32 => (FlockStatus::Memory, "memory for text cannot be had"),
            s if s == FlockStatus::Null as i32 => (FlockStatus::Null, "a null where none is allowed"),
            s if s == FlockStatus::Length as i32 => (FlockStatus::Length, "a length does not fit"),
            _ => (FlockStatus::Schema, "a column is not of the type that was compiled for"),
        };
        CoreError::new(status, place, what)
    }
}

/// A list of an object file; None where it cannot be one.
/// # Safety
/// There are as many elements at `at`.
unsafe fn list<T>(at: *const T, count: usize) -> Option<&'static [T]> {
    let fits = count.checked_mul(size_of::<T>()).is_some_and(|bytes| bytes <= isize::MAX as usize);
    match count {
        0 => Some(&[]),
        _ if at.is_null() || !at.is_aligned() || !fits => None,
        // SAFETY: the caller's promise.
        _ => Some(unsafe { std::slice::from_raw_parts(at, count) }),
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Program({} inputs, {} outputs, blocks of {} rows, {} bytes of scratch, {} constants)",
            self.inputs.len(),
            self.outputs.len(),
            self.block_rows,
            self.scratch_bytes,
            self.constants.len()
        )
    }
}

const _: () = assert!(FlockLayout::Null as u32 == 0);
