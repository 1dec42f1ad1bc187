//! What native code does, step by step, before any machine code: which values lie where in scratch, which operators
//! share a loop, which kernels are called with what. Backends that compile to machine code write these steps.
//!
//! ```text
//! function ─► flatten ─► plan ─► a backend's machine code
//!             calls and    load    a b c            -> x[0..3]        three columns, straight to where the concatenation wants them
//!             composites   loop    x = select(is_nan x, fill, x) - mean          one pass for a chain of elementwise operators
//!             expanded     kernel  flock_trees(ensemble, x)   -> y
//!                          store   y                -> prediction
//! ```
//! The compiled function takes a block of rows (see [`flock_core`]): input columns are loaded into column-major frames in
//! scratch, chains of elementwise operators are one loop each, wide work is a call of a kernel with a constant table, and
//! outputs are stored. The number of rows of a block follows from the widths of the frames, so that a block stays in
//! cache. A frame's memory is used again after its last reader.
//!
//! **Text** is a pointer with a length in scratch. A text parameter that is only looked up, tested against a set or
//! against a constant never gets there: the kernel reads the column, once per distinct value where it has a dictionary.
//!
//! **Wide parameters and outputs** are columns `name_0`, `name_1`, …; a frame of width 1 is the column `name`.
//!
//! Not compiled, and refused by name: `column` and `opaque` (they have a meaning within a query only), frames without
//! columns, edges that are not sorted, and functions whose frames or code would be beyond any use.

mod build;
mod constants;
mod cost;
mod cpu;
mod documents;
mod flatten;
mod fuse;
mod image;
mod kernels;
mod layout;
mod trees;

use flock_api::{Support, Unsupported};
use flock_core::{Blob, Field, FlockKind, Kernel, Memo};
use flock_ir_spec::{ConstId, DType, FrameType, NodeId, Op, Verified};

pub use build::size;
pub use constants::BlobId;
pub use cost::{Rates, Trees, code_nodes, nanoseconds};
pub use cpu::Cpu;
pub use flatten::{Flat, FlatOutput, unsupported};
pub use fuse::frame_operands;
pub use image::{DataItem, Relocation, entry_symbol, program_symbol};
pub use trees::{functions, narrow, reachable};

/// Choices that change the code and not the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How ensembles are compiled.
    pub trees: Trees,
}

/// The plan of a function of the module.
///
/// # Errors
/// Everything in the function that cannot be compiled, each with its step.
pub fn plan(module: &Verified, function: &str, options: &Options) -> Result<Plan, Vec<Unsupported>> {
    build::build(flatten::flatten(module, function)?, options)
}

/// Whether native code can be made of an operator.
pub fn supports(op: Op) -> Support {
    match op {
        Op::Column => Support::No("a column of a relation has a value within its query only"),
        Op::Opaque => Support::No("only the target database knows what this SQL means"),
        Op::Composite(_) | Op::Call => Support::Expanded,
        _ => Support::Native,
    }
}

/// A region of scratch: so many columns of elements of one size, `block_rows` of them each.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Bytes that a row takes.
    pub row_bytes: u64,
    /// Where it starts, in bytes per row of the block; set by the layout.
    pub at: u64,
}

/// Columns of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
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
pub struct Valid {
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
pub struct Place {
    /// Its elements.
    pub data: View,
    /// Its validity; None where no element can be null.
    pub valid: Option<Valid>,
}

/// An argument of a kernel. In a step that repeats over columns, k is the column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
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
pub struct Loop {
    /// Columns.
    pub width: u32,
    /// The operators in order; the last one's value is stored.
    pub members: Vec<NodeId>,
    /// Where the value goes.
    pub to: Place,
}

/// An ensemble as code.
#[derive(Clone, Copy, Debug)]
pub struct TreeCode {
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
pub enum Sign {
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
pub enum Step {
    /// Elementwise operators.
    Loop(Loop),
    /// A kernel, once per column.
    Call {
        /// Which.
        kernel: &'static Kernel,
        /// Its arguments.
        args: Vec<Arg>,
        /// How many times.
        columns: u32,
    },
    /// Sets validity to 1.
    Ones {
        /// Which.
        to: View,
        /// Of so many columns.
        columns: u32,
    },
    /// The validity of what needs both.
    Both {
        /// One.
        a: Valid,
        /// The other.
        b: Valid,
        /// Where it goes.
        to: View,
        /// So many columns of it.
        columns: u32,
    },
    /// The sign of integers as truth values, column by column.
    Test {
        /// The integers.
        from: View,
        /// Where the truth values go.
        to: View,
        /// So many columns of them.
        columns: u32,
        /// What is asked.
        sign: Sign,
    },
    /// The texts of a constant row as elements, in the first row of each column.
    Text {
        /// Where each text starts, and its length.
        spans: BlobId,
        /// The texts.
        bytes: BlobId,
        /// Where the elements go.
        to: View,
        /// So many columns of them.
        columns: u32,
    },
    /// An ensemble as code.
    Trees(TreeCode),
}

/// A function ready to be written as machine code.
pub struct Plan {
    /// The function.
    pub flat: Flat,
    /// Where nodes lie that are not computed within a loop.
    pub places: Vec<Option<Place>>,
    /// Blobs of one-row constants that loops read, by node: elements, and bytes of text.
    pub rows: Vec<Option<(BlobId, Option<BlobId>)>>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The regions of scratch.
    pub buffers: Vec<Buffer>,
    /// The program's constants.
    pub blobs: Vec<Blob>,
    /// The look-ups of dictionaries to prepare per batch.
    pub memos: Vec<Memo>,
    /// Most rows of a block.
    pub block_rows: usize,
    /// Bytes of scratch.
    pub scratch_bytes: usize,
}

/// Weight of the steps that make one function.
const PART: usize = 1500;

impl Plan {
    /// The steps cut into functions, none of which is long: the time to compile one grows faster than its length. `weight` is
    /// about how many instructions a step becomes within its function.
    pub fn parts(&self, weight: impl Fn(&Step) -> usize) -> Vec<&[Step]> {
        let mut parts = Vec::new();
        let (mut first, mut sum) = (0, 0);
        for (i, step) in self.steps.iter().enumerate() {
            let weight = weight(step);
            if i > first && sum + weight > PART {
                parts.push(&self.steps[first..i]);
                (first, sum) = (i, 0);
            }
            sum += weight;
        }
        if first < self.steps.len() {
            parts.push(&self.steps[first..]);
        }
        parts
    }

    /// The columns that the compiled function reads.
    pub fn inputs(&self) -> Vec<Field> {
        self.flat.params.iter().flat_map(|p| fields(&p.name, p.ty)).collect()
    }

    /// The columns that it writes.
    pub fn outputs(&self) -> Vec<Field> {
        self.flat.outputs.iter().flat_map(|o| fields(&o.name, o.ty)).collect()
    }
}

/// A frame as columns: one under its name, several under `name_0`, `name_1`, ….
fn fields(name: &str, ty: FrameType) -> Vec<Field> {
    let kind = match ty.dtype {
        DType::Bool => FlockKind::Bool,
        DType::I64 => FlockKind::I64,
        DType::F32 => FlockKind::F32,
        DType::F64 => FlockKind::F64,
        DType::Str => FlockKind::Str,
    };
    let field = |name: String| Field { name, kind, nullable: ty.nullable };
    match ty.width {
        1 => vec![field(name.to_owned())],
        n => (0..n).map(|j| field(format!("{name}_{j}"))).collect(),
    }
}
