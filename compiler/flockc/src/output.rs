//! Where the rows of a run or a query go.

use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flock_engine::{EngineError, FileSink, Head, Sink, Summary};

use crate::error::Result;
use crate::run::Done;
use crate::score::faults;

/// Rows of the table that is shown where no file is written.
const SHOWN_ROWS: usize = 10;

/// A file that appears whole or not at all, or the first rows for a table.
pub(crate) enum Output {
    File(Box<FileSink>, PathBuf),
    Head(Head),
}

impl Output {
    /// To that file, or to a table without one.
    pub(crate) fn new(out: Option<&Path>) -> Result<Output> {
        match out {
            Some(path) => Ok(Output::File(Box::new(FileSink::new(path).map_err(|e| faults(e.into()))?), path.into())),
            None => Ok(Output::Head(Head::new(SHOWN_ROWS))),
        }
    }

    /// What was done, once all rows were given.
    pub(crate) fn done(self, summary: Summary, (engine, why): (&'static str, String), started: Instant) -> Done {
        let (head, out) = match self {
            Output::File(_, path) => (None, Some(path)),
            Output::Head(head) => (Some((head.names, head.rows)), None),
        };
        Done { rows: summary.rows, refused: summary.refused, engine, why, time: started.elapsed(), head, out }
    }

    fn sink(&mut self) -> &mut dyn Sink {
        match self {
            Output::File(file, _) => &mut **file,
            Output::Head(head) => head,
        }
    }
}

impl Sink for Output {
    fn start(&mut self, schema: &SchemaRef) -> std::result::Result<(), EngineError> {
        self.sink().start(schema)
    }

    fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), EngineError> {
        self.sink().write(batch)
    }

    fn finish(&mut self) -> std::result::Result<(), EngineError> {
        self.sink().finish()
    }
}
