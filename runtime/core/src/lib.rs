//! The runtime behind compiled code: batches, kernels, dictionaries. Knows no IR; of ours it depends on the crate for text alone.
//!
//! # The boundary
//!
//! | | what | where |
//! |---|---|---|
//! | **code** | one function per pipeline, the *entry*: a block of rows in, a block of rows out ([`abi`]) | the backend |
//! | **constant data** | weights, trees, dictionaries as position-independent [`Blob`]s, written by the `pack_*` functions | the program's constants |
//! | **kernels** | wide work on such data: `extern "C"` functions by name ([`kernels`]) | here |
//!
//! Compiled code goes through a block like this:
//! ```text
//! entry(call):
//!     flock_load_f64(&call.inputs[0], call.start, call.rows, scratch + 0, scratch + valid_0)  // a column to a frame
//!     flock_index_column(call.constants[0], &call.inputs[1], &call.inputs[2], …, scratch + k) // text to an index
//!     for i in 0..call.rows { … }                                                             // arithmetic: plain code
//!     flock_trees(call.constants[1], scratch + x, stride, call.rows, scratch + y, work)       // wide work: a kernel
//!     flock_store_f64(&call.outputs[0], call.start, call.rows, scratch + y, scratch + valid_y)
//!     return 0
//! ```
//! A block has at most `block_rows` rows, so that its frames stay in cache; the compiler picks the number from the
//! widths of its frames. A frame in scratch is column-major with `block_rows` as its stride, of bool (a byte), i64,
//! f32, f64 or text ([`abi::FlockStr`]); a frame that may be null has one validity byte per element beside it.
//!
//! [`Program`] holds all of it and is the safe way to call it, whether its code was made on the spot or lies in an object
//! file as a [`FlockProgram`]; strategies of a kernel (how trees are walked, say) are
//! chosen inside of `pack_*` and written in the blob's header, so that code compiled once profits.

pub mod abi;
mod arena;
mod batch;
mod blob;
mod column;
mod error;
pub mod kernels;
mod program;
mod row;
mod threads;

pub use abi::{
    FLOCK_ABI, FLOCK_MARK, FlockCall, FlockColumn, FlockEntry, FlockField, FlockKind, FlockLayout, FlockOutput,
    FlockProgram, FlockStatus, FlockStr,
};
pub use arena::Arena;
pub use batch::{Batch, OutputColumn, Part, Scratch, Values};
pub use blob::{ALIGN, Blob, Plain};
pub use column::{Code, Column, Number};
pub use error::CoreError;
pub use kernels::category::{pack_edges, pack_index_f64, pack_index_i64, pack_index_str};
pub use kernels::documents::{TermsSpec, WeighSpec, pack_terms, pack_weighing};
pub use kernels::linear::{pack_linear_f32, pack_linear_f64};
pub use kernels::nearest::{order_work, pack_curve, pack_points_f32, pack_points_f64};
pub use kernels::tables::{pack_table_bool, pack_table_f32, pack_table_f64, pack_table_i64, pack_table_str};
pub use kernels::text::pack_pattern;
pub use kernels::trees::{PackedTrees, TreeNodeSpec, TreeSpec, TreesSpec, pack_trees};
pub use kernels::{Abi, Kernel, PackError, kernel, kernels};
pub use program::{Field, Memo, Program, ProgramParts};
pub use row::{Row, RowLayout};
pub use threads::ordered_map;
