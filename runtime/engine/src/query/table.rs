//! Files that DataFusion does not read itself, as partitions of a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use flock_core::Field;

use crate::bind::Keep;
use crate::error::Faults;
use crate::source::{BoundSource, Source};

const BATCH_ROWS: usize = 8192;

/// All columns of one source.
#[derive(Debug)]
pub(crate) struct FilePartition {
    bound: BoundSource,
    schema: SchemaRef,
}

/// The partitions of a table.
pub(crate) struct Partitions {
    pub(crate) schema: SchemaRef,
    pub(crate) streams: Vec<Arc<dyn PartitionStream>>,
}

impl FilePartition {
    /// One partition for all files, in order. Columns that do not fit what is wanted of them stay as they are: the
    /// query need not pass them to the scorer.
    pub(crate) fn all(source: &Source, wanted: &[Field]) -> Result<Partitions, Faults> {
        let there = source.schema();
        let wanted: Vec<Field> = wanted.iter().filter(|w| there.column_with_name(&w.name).is_some()).cloned().collect();
        let bound = source.bind(&wanted, &Keep::All).or_else(|_| source.bind(&[], &Keep::All))?;
        let schema = bound.kept().clone();
        Ok(Partitions { schema: schema.clone(), streams: vec![Arc::new(FilePartition { bound, schema })] })
    }
}

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.schema.clone(), 2);
        let (to, rows) = (builder.tx(), self.bound.rows(BATCH_ROWS));
        builder.spawn_blocking(move || {
            for r in rows {
                let batch = r.map(|r| r.kept).map_err(|e| DataFusionError::External(Box::new(e)));
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
