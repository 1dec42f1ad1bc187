//! The memory that compiled code and the caller share. Every type is `#[repr(C)]`; fields are only ever added at the end.
//!
//! Compiled code is one function, the *entry*, that scores one block of rows:
//! ```text
//! int32_t entry(FlockCall *call)      // 0, or a FlockStatus
//! ```
//! It reads `call->rows` rows of `call->inputs` from row `call->start` on and writes the same rows of `call->outputs`.
//! It keeps every intermediate value in `call->scratch`, allocates nothing, never unwinds, and may run on many
//! threads at once as long as each has a call of its own.

/// How the elements of an input column lie in memory. Numbers are the machine's own byte order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlockLayout {
    /// Every element is missing; no memory at all.
    Null = 0,
    /// A bitmap, least significant bit first.
    Bool = 1,
    /// 8-bit signed integers.
    I8 = 2,
    /// 16-bit signed integers.
    I16 = 3,
    /// 32-bit signed integers.
    I32 = 4,
    /// 64-bit signed integers.
    I64 = 5,
    /// 8-bit unsigned integers.
    U8 = 6,
    /// 16-bit unsigned integers.
    U16 = 7,
    /// 32-bit unsigned integers.
    U32 = 8,
    /// 64-bit unsigned integers.
    U64 = 9,
    /// binary32.
    F32 = 10,
    /// binary64.
    F64 = 11,
    /// Text: `offsets` are `length + 1` i32 into `data`.
    Str32 = 12,
    /// Text: `offsets` are `length + 1` i64 into `data`.
    Str64 = 13,
    /// Text: `data` is one 16-byte Arrow view per element, `buffers` the buffers that long views name.
    StrView = 14,
    /// `data` is one code per element, of layout `codes`, into `dictionary`. A code outside of it is a missing element.
    Dictionary = 15,
}

/// An input column of a batch, borrowed: Arrow's layout without its ownership.
/// Element i is at index `offset + i` of `data` (of `offsets` for `Str32` and `Str64`), its validity at bit `validity_offset + i`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlockColumn {
    /// A [`FlockLayout`].
    pub layout: u32,
    /// For `Dictionary`, the layout of the codes (`I8` … `U64`); otherwise 0.
    pub codes: u32,
    /// Number of elements.
    pub length: usize,
    /// Values, bits, text bytes, views or codes, as the layout says.
    pub data: *const u8,
    /// Elements to skip in `data` or `offsets`.
    pub offset: usize,
    /// Bitmap with 1 where the element is there; null where all are.
    pub validity: *const u8,
    /// Bits to skip in `validity`.
    pub validity_offset: usize,
    /// `Str32`, `Str64`: where each text starts, and where the last one ends.
    pub offsets: *const u8,
    /// `StrView`: the buffers.
    pub buffers: *const *const u8,
    /// `Dictionary`: the distinct values, a text column.
    pub dictionary: *const FlockColumn,
}

/// A text element within a block: `len` bytes of UTF-8 at `ptr`, borrowed from an input, a constant or the arena.
/// 16 bytes; `ptr` is never null within a block, also where `len` is 0. In a row of the C ABI a null `ptr` is a missing text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlockStr {
    /// The bytes.
    pub ptr: *const u8,
    /// Their number.
    pub len: usize,
}

impl FlockStr {
    /// The text of that slice; the caller keeps it alive.
    pub fn new(bytes: &[u8]) -> FlockStr {
        FlockStr { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes.
    /// # Safety
    /// What it was made from must still be alive.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: `ptr` is never null and `len` bytes long by construction; the caller vouches for the lifetime.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }
}

/// The type of an output column, and of a frame in scratch.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlockKind {
    /// Truth value: one byte 0 or 1 in scratch, one bit in an output column.
    Bool = 0,
    /// 64-bit signed integer.
    I64 = 1,
    /// binary32.
    F32 = 2,
    /// binary64.
    F64 = 3,
    /// Text: a [`FlockStr`], both in scratch and in an output column.
    Str = 4,
}

impl FlockKind {
    /// Bytes of one element in scratch.
    pub const fn size(self) -> usize {
        match self {
            FlockKind::Bool => 1,
            FlockKind::I64 | FlockKind::F64 => 8,
            FlockKind::F32 => 4,
            FlockKind::Str => 16,
        }
    }

    /// As the IR's text form calls it.
    pub const fn name(self) -> &'static str {
        match self {
            FlockKind::Bool => "bool",
            FlockKind::I64 => "i64",
            FlockKind::F32 => "f32",
            FlockKind::F64 => "f64",
            FlockKind::Str => "str",
        }
    }

    /// The kind of that number.
    pub const fn of(number: u32) -> Option<FlockKind> {
        Some(match number {
            0 => FlockKind::Bool,
            1 => FlockKind::I64,
            2 => FlockKind::F32,
            3 => FlockKind::F64,
            4 => FlockKind::Str,
            _ => return None,
        })
    }
}

/// An output column of a batch: memory of the caller that the entry fills. The `flock_store_*` kernels write it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlockOutput {
    /// A [`FlockKind`].
    pub kind: u32,
    /// Not used.
    pub reserved: u32,
    /// Where row `start` of this call goes: element `call.start - base` of it (bit, for `Bool`).
    pub data: *mut u8,
    /// Bitmap with 1 where the element is there, written like `data`; null where the output cannot be null.
    pub validity: *mut u8,
    /// The row of the batch that is element 0 of `data`; a multiple of 8.
    pub base: usize,
}

/// Everything that one call of the entry may touch.
#[repr(C)]
#[derive(Debug)]
pub struct FlockCall {
    /// Constant model data, one pointer per blob of the program, 64-byte aligned.
    pub constants: *const *const u8,
    /// One column per input of the program, then one per memo (see [`crate::Memo`]).
    pub inputs: *const FlockColumn,
    /// One per output of the program.
    pub outputs: *const FlockOutput,
    /// `scratch_bytes` of the program, 64-byte aligned, zeroed when it was made.
    pub scratch: *mut u8,
    /// Where text kernels put new text; valid until the call returns its outputs.
    pub arena: *mut crate::Arena,
    /// First row of the block; a multiple of 64.
    pub start: usize,
    /// Rows of the block: 1 to `block_rows`.
    pub rows: usize,
}

/// What an entry returns, and what the C functions of this library return.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlockStatus {
    /// Done.
    Ok = 0,
    /// A column is absent, there twice, or of a type that the input cannot be made of.
    Schema = 1,
    /// A length, an offset or a count is negative, overflows, or does not fit the others.
    Length = 2,
    /// A null where none is allowed.
    Null = 3,
    /// Memory cannot be had, or text outgrows 2 GiB in one batch.
    Memory = 4,
    /// A null pointer where there must be a structure or a buffer, or a structure that was released.
    Argument = 5,
    /// A buffer is not aligned to its elements.
    Alignment = 6,
    /// The program is of another version of this library, or damaged.
    Version = 7,
    /// A fault of this library; nothing was written.
    Internal = 8,
}

/// The compiled function.
pub type FlockEntry = unsafe extern "C" fn(*mut FlockCall) -> i32;

/// What a compiler and a runtime must have in common: the structures of this file, and the tables that kernels read. Written in
/// every [`FlockProgram`]; a runtime refuses programs of another. It is a digest of the source of both, so that nobody has
/// to think of it when a table changes.
pub const FLOCK_ABI: u32 = {
    let sources: &[&[u8]] = &[
        include_bytes!("abi.rs"),
        include_bytes!("kernels/category.rs"),
        include_bytes!("kernels/columns.rs"),
        include_bytes!("kernels/documents.rs"),
        include_bytes!("kernels/linear.rs"),
        include_bytes!("kernels/math.rs"),
        include_bytes!("kernels/mod.rs"),
        include_bytes!("kernels/nearest.rs"),
        include_bytes!("kernels/processor.rs"),
        include_bytes!("kernels/rows.rs"),
        include_bytes!("kernels/tables.rs"),
        include_bytes!("kernels/text.rs"),
        include_bytes!("kernels/trees.rs"),
        include_bytes!("kernels/trees/bins.rs"),
        include_bytes!("kernels/trees/deep.rs"),
        include_bytes!("kernels/trees/few.rs"),
        include_bytes!("kernels/trees/pack.rs"),
        include_bytes!("kernels/trees/planes.rs"),
        include_bytes!("kernels/trees/run.rs"),
        include_bytes!("kernels/trees/wide.rs"),
    ];
    // FNV-1a.
    let (mut digest, mut file) = (0x811c_9dc5u32, 0);
    while file < sources.len() {
        let mut i = 0;
        while i < sources[file].len() {
            digest = (digest ^ sources[file][i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        file += 1;
    }
    digest
};

/// What a runtime library carries, so that who links it sees its version: a text that is nowhere else, and [`FLOCK_ABI`].
pub const FLOCK_MARK: [u8; MARK.len() + 4] = {
    let mut mark = [0; MARK.len() + 4];
    let (text, digest) = mark.split_at_mut(MARK.len());
    text.copy_from_slice(MARK);
    digest.copy_from_slice(&FLOCK_ABI.to_le_bytes());
    mark
};

/// The text.
const MARK: &[u8; 24] = b"flock runtime, version: ";

/// An input or output of a [`FlockProgram`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlockField {
    /// The name: UTF-8, not ended by a zero.
    pub name: *const u8,
    /// Its bytes.
    pub name_length: usize,
    /// A [`FlockKind`].
    pub kind: u32,
    /// 1 where an element may be missing, 0 where none may.
    pub nullable: u32,
}

/// A compiled function with all that it needs, as an object file holds it: read-only data under the symbol `NAME_program`.
/// A pointer whose count is 0 may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlockProgram {
    /// [`FLOCK_ABI`] of the compiler that wrote it.
    pub version: u32,
    /// 0.
    pub reserved: u32,
    /// The compiled function.
    pub entry: Option<FlockEntry>,
    /// Most rows of a block; also the stride of every frame in scratch. A multiple of 64.
    pub block_rows: usize,
    /// Bytes of scratch that a call needs.
    pub scratch_bytes: usize,
    /// The inputs in the order of [`FlockCall::inputs`].
    pub inputs: *const FlockField,
    /// Their number.
    pub input_count: usize,
    /// The outputs in the order of [`FlockCall::outputs`].
    pub outputs: *const FlockField,
    /// Their number.
    pub output_count: usize,
    /// The dictionary look-ups to prepare per batch.
    pub memos: *const crate::Memo,
    /// Their number.
    pub memo_count: usize,
    /// The blobs in the order of [`FlockCall::constants`], each 64-byte aligned.
    pub constants: *const *const u8,
    /// Their number.
    pub constant_count: usize,
}

// SAFETY: a program is read-only data, and its entry may run on many threads.
unsafe impl Sync for FlockProgram {}
// SAFETY: as above.
unsafe impl Send for FlockProgram {}

/// Byte offsets of the fields of [`FlockCall`] and sizes of what it points to, for code generators.
pub mod layout {
    use super::{FlockCall, FlockColumn, FlockOutput, FlockStr};
    use std::mem::{offset_of, size_of};

    /// `FlockCall::constants`
    pub const CALL_CONSTANTS: usize = offset_of!(FlockCall, constants);
    /// `FlockCall::inputs`
    pub const CALL_INPUTS: usize = offset_of!(FlockCall, inputs);
    /// `FlockCall::outputs`
    pub const CALL_OUTPUTS: usize = offset_of!(FlockCall, outputs);
    /// `FlockCall::scratch`
    pub const CALL_SCRATCH: usize = offset_of!(FlockCall, scratch);
    /// `FlockCall::arena`
    pub const CALL_ARENA: usize = offset_of!(FlockCall, arena);
    /// `FlockCall::start`
    pub const CALL_START: usize = offset_of!(FlockCall, start);
    /// `FlockCall::rows`
    pub const CALL_ROWS: usize = offset_of!(FlockCall, rows);
    /// Bytes from one input column to the next.
    pub const COLUMN_SIZE: usize = size_of::<FlockColumn>();
    /// Bytes from one output column to the next.
    pub const OUTPUT_SIZE: usize = size_of::<FlockOutput>();
    /// Bytes of a text element.
    pub const STR_SIZE: usize = size_of::<FlockStr>();
}
