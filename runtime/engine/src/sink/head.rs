//! The first rows as text.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::EngineError;
use crate::sink::Sink;

/// Collects the first rows as text and drops the rest.
#[derive(Debug)]
pub struct Head {
    limit: usize,
    /// The columns' names.
    pub names: Vec<String>,
    /// Per row, per column, its text; None where it is null.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Head {
    /// Keeps that many rows.
    pub fn new(limit: usize) -> Head {
        Head { limit, names: Vec::new(), rows: Vec::new() }
    }
}

impl Sink for Head {
    fn start(&mut self, schema: &SchemaRef) -> Result<(), EngineError> {
        self.names = schema.fields().iter().map(|f| f.name().clone()).collect();
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let rows = batch.num_rows().min(self.limit - self.rows.len());
        let options = FormatOptions::default().with_display_error(true);
        let columns: Result<Vec<_>, _> =
            batch.columns().iter().map(|c| Ok((c, ArrayFormatter::try_new(c.as_ref(), &options)?))).collect();
        let columns = columns.map_err(|e: arrow::error::ArrowError| EngineError::Score {
            place: "table".into(),
            message: e.to_string(),
        })?;
        self.rows.extend(
            (0..rows)
                .map(|i| columns.iter().map(|(c, text)| (!c.is_null(i)).then(|| text.value(i).to_string())).collect()),
        );
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}
