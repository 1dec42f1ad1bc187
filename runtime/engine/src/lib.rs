//! Files in and out through a scorer: compiled code or the reference evaluation.
//!
//! ```text
//! Source (Parquet, CSV, Arrow, JSON; a file, a folder, a pattern)
//!    │ bind: inputs and kept columns by exact name, all faults at once
//!    ▼
//! batches ──► Scorer on N threads, order kept, memory bounded ──► Sink (a file that appears whole, or the first rows)
//! ```
//! Knows no IR. With the feature `query`, DataFusion with scorers as functions.

mod bind;
mod error;
#[cfg(feature = "query")]
mod query;
mod run;
mod scorer;
mod sink;
mod source;

pub use bind::{Binding, Keep, bind, nearest};
pub use error::{EngineError, Faults};
pub use flock_core::{Field, FlockKind};
#[cfg(feature = "query")]
pub use query::QuerySession;
pub use run::{Options, Progress, Summary, run};
pub use scorer::{CompiledScorer, Scorer, accepts, array, canonical, column, data_type};
pub use sink::{FileSink, Head, OutputKind, Sink};
pub use source::{BoundSource, FileKind, Piece, RowGroup, Rows, Source, file_kind, files};

/// Arrow, in the version that the engine speaks.
pub use arrow;
