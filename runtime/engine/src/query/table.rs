//! Files that DataFusion does not read itself, as partitions of a table.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use flock_core::Field;

use crate::bind::Keep;
use crate::error::{EngineError, Faults};
use crate::scorer::{accepts, canonical, data_type};
use crate::source::{BoundSource, Rows, Source};

const BATCH_ROWS: usize = 8192;

/// All columns of one source.
#[derive(Debug)]
pub(crate) struct FilePartition {
    bound: BoundSource,
    wanted: Vec<Field>,
    schema: SchemaRef,
}

/// The input that a column is read as in place of what it looks like, which cannot be that input.
fn replaced(wanted: &[Field], column: &ArrowField) -> Option<usize> {
    wanted.iter().position(|w| w.name == *column.name() && !accepts(w.kind, column.data_type()))
}

/// The rows of a table: kept columns, with inputs in the place of those that they replace.
fn columns(rows: &Rows, wanted: &[Field], schema: &SchemaRef) -> Result<RecordBatch, EngineError> {
    let kept = rows.kept.schema();
    let column = |(j, f): (usize, &Arc<ArrowField>)| match replaced(wanted, f) {
        Some(i) => canonical(rows.inputs.column(i), wanted[i].kind),
        None => Ok(rows.kept.column(j).clone()),
    };
    let arrays = kept.fields().iter().enumerate().map(column).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.kept.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
        .map_err(|e| EngineError::Score { place: "batch".into(), message: e.to_string() })
}

/// The partitions of a table.
pub(crate) struct Partitions {
    pub(crate) schema: SchemaRef,
    pub(crate) streams: Vec<Arc<dyn PartitionStream>>,
}

impl FilePartition {
    /// One partition for all files, in order. A column has the type that the files show where that can be the input
    /// of its name, else the type that is wanted of it; columns that do not fit stay as they are: the query need not
    /// pass them to the scorer.
    pub(crate) fn all(source: &Source, wanted: &[Field]) -> Result<Partitions, Faults> {
        let there = source.schema();
        let wanted: Vec<Field> = wanted.iter().filter(|w| there.column_with_name(&w.name).is_some()).cloned().collect();
        let (bound, wanted) = match source.bind(&wanted, &Keep::All) {
            Ok(bound) => (bound, wanted),
            Err(_) => (source.bind(&[], &Keep::All)?, Vec::new()),
        };
        let field = |f: &Arc<ArrowField>| match replaced(&wanted, f) {
            Some(i) => ArrowField::new(f.name(), data_type(wanted[i].kind), true),
            None => f.as_ref().clone(),
        };
        let schema = Arc::new(Schema::new(bound.kept().fields().iter().map(field).collect::<Vec<_>>()));
        let partition = FilePartition { bound, wanted, schema: schema.clone() };
        Ok(Partitions { schema, streams: vec![Arc::new(partition)] })
    }
}

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.schema.clone(), 2);
        let (to, rows) = (builder.tx(), self.bound.rows(BATCH_ROWS));
        let (wanted, schema) = (self.wanted.clone(), self.schema.clone());
        builder.spawn_blocking(move || {
            for r in rows {
                let batch =
                    r.and_then(|r| columns(&r, &wanted, &schema)).map_err(|e| DataFusionError::External(Box::new(e)));
                // The receiver is gone where the query needs no more rows.
                if to.blocking_send(batch).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
