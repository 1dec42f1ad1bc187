//! What the compiled function does, step by step, before any machine code: which values lie where in scratch, which
//! operators share a loop, which kernels are called with what.
//!
//! ```text
//! load    a b c            -> x[0..3]        three columns, straight to where the concatenation wants them
//! loop    x = select(is_nan x, fill, x) - mean          one pass for a chain of elementwise operators
//! kernel  flock_trees(ensemble, x)   -> y
//! store   y                -> prediction
//! ```

mod build;
mod documents;
mod fuse;
mod kernels;
mod layout;

use flock_core::{Blob, Kernel, Memo};
use flock_ir_spec::{ConstId, NodeId};

use crate::constants::BlobId;
use crate::flatten::Flat;

pub(crate) use build::{build, size};
pub(crate) use fuse::frame_operands;

/// A region of scratch: so many columns of elements of one size, `block_rows` of them each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    /// Bytes that a row takes.
    pub row_bytes: u64,
    /// Where it starts, in bytes per row of the block; set by the layout.
    pub at: u64,
}

/// Columns of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Which buffer.
    pub buffer: u32,
    /// The first column.
    pub column: u32,
    /// Bytes of an element.
    pub size: u8,
}

impl View {
    /// From a later column on.
    pub fn skip(self, columns: u32) -> View {
        View { column: self.column + columns, ..self }
    }
}

/// One byte per element, 1 where it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Valid {
    /// The bytes.
    pub view: View,
    /// Whether each column has its own; otherwise one column stands for all.
    pub wide: bool,
}

impl Valid {
    /// That of a range of columns.
    pub fn skip(self, columns: u32) -> Valid {
        if self.wide { Valid { view: self.view.skip(columns), ..self } } else { self }
    }
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Its elements.
    pub data: View,
    /// Its validity; None where no element can be null.
    pub valid: Option<Valid>,
}

/// An argument of a kernel. In a step that repeats over columns, k is the column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arg {
    /// A constant.
    Table(BlobId),
    /// Element k of a constant row, if it is to step; otherwise its start. The number is the element's size.
    Element(BlobId, u8, bool),
    /// Column k, if it is to step; otherwise the first column.
    Column(View, bool),
    /// A null pointer.
    Null,
    /// A number.
    Word(i64),
    /// Rows from one column of a frame to the next.
    Stride,
    /// Rows of the block.
    Rows,
    /// So many bytes per row of the block.
    RowBytes(u8),
    /// First row of the block.
    Start,
    /// Where text goes.
    Arena,
    /// Input column `i + k`.
    Input(u32),
    /// Output column `i + k`.
    Output(u32),
}

/// One pass over the rows of each column that computes a fused chain of elementwise operators.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    /// Columns.
    pub width: u32,
    /// The operators in order; the last one's value is stored.
    pub members: Vec<NodeId>,
    /// Where the value goes.
    pub to: Place,
}

/// An ensemble as code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeCode {
    /// The ensemble.
    pub ensemble: ConstId,
    /// Its leaf values.
    pub leaves: BlobId,
    /// Where these start, leaf by leaf.
    pub starts: BlobId,
    /// Its nodes' thresholds in the type of the features.
    pub thresholds: BlobId,
    /// The frame that is read.
    pub x: View,
    /// The frame that is given.
    pub out: View,
}

/// What is compared with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// `== 0`
    Zero,
    /// `!= 0`
    NotZero,
    /// `< 0`
    Negative,
    /// `<= 0`
    NotPositive,
    /// `> 0`
    Positive,
    /// `>= 0`
    NotNegative,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Elementwise operators.
    Loop(Loop),
    /// A kernel, once per column for `columns` columns.
    Call { kernel: &'static Kernel, args: Vec<Arg>, columns: u32 },
    /// Sets so many columns of validity to 1.
    Ones { to: View, columns: u32 },
    /// The validity of what needs both.
    Both { a: Valid, b: Valid, to: View, columns: u32 },
    /// The sign of integers as truth values, column by column.
    Test { from: View, to: View, columns: u32, sign: Sign },
    /// The texts of a constant row as elements, in the first row of as many columns.
    Text { spans: BlobId, bytes: BlobId, to: View, columns: u32 },
    /// An ensemble as code.
    Trees(TreeCode),
}

/// A function ready to be written as machine code.
pub(crate) struct Plan {
    pub flat: Flat,
    /// Where nodes lie that are not computed within a loop.
    pub places: Vec<Option<Place>>,
    /// Blobs of one-row constants that loops read, by node: elements, and bytes of text.
    pub rows: Vec<Option<(BlobId, Option<BlobId>)>>,
    pub steps: Vec<Step>,
    pub buffers: Vec<Buffer>,
    pub blobs: Vec<Blob>,
    pub memos: Vec<Memo>,
    /// Most rows of a block.
    pub block_rows: usize,
    /// Bytes of scratch.
    pub scratch_bytes: usize,
}
