//! Where rows go: a file that appears whole or not at all, or the first rows for a table on the screen.

mod file;
mod head;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::EngineError;

pub use file::{FileSink, OutputKind};
pub use head::Head;

/// Takes batches in order.
pub trait Sink {
    /// Says of which columns the batches are; called once, before the first batch.
    ///
    /// # Errors
    /// Where the target cannot be made, or cannot hold such columns.
    fn start(&mut self, schema: &SchemaRef) -> Result<(), EngineError>;

    /// Takes the next rows.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError>;

    /// Says that all rows were given. A sink that is dropped without leaves nothing behind.
    ///
    /// # Errors
    /// Where the end cannot be written.
    fn finish(&mut self) -> Result<(), EngineError>;
}
