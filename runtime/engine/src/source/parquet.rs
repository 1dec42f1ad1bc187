//! Parquet: row groups that are decoded apart from one another, and text that stays in its dictionary.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetStatisticsPolicy};

use super::{Batches, BoundSource, Counted, Rows, guarded, guarded_next};
use crate::error::EngineError;

/// Rows of a row group up to which it is read as one piece: what was scored of it waits for its turn as a whole.
const PIECE_ROWS: i64 = 1 << 18;

/// What is known of an open file: of its row groups, which all are held at once, no more than is asked for.
pub(super) fn metadata(file: &File) -> Result<ArrowReaderMetadata, String> {
    let none = ParquetStatisticsPolicy::SkipAll;
    let options = ArrowReaderOptions::new().with_column_stats_policy(none.clone()).with_size_stats_policy(none);
    ArrowReaderMetadata::load(file, options).map_err(|e| e.to_string())
}

/// The row groups of a file, if it is better read by them: several, and none too large.
pub(super) fn groups(metadata: &ArrowReaderMetadata) -> Option<Range<usize>> {
    let groups = metadata.metadata().row_groups();
    let small = groups.iter().all(|g| g.num_rows() <= PIECE_ROWS);
    (groups.len() > 1 && small).then_some(0..groups.len())
}

/// The same file with those text columns as dictionaries where it has them as such from the first page to the last: a
/// value then is read, checked and looked up once, however many rows have it.
pub(super) fn with_dictionaries(metadata: &ArrowReaderMetadata, columns: &[usize]) -> ArrowReaderMetadata {
    let wanted = |i: usize| columns.contains(&i) && is_text(metadata.schema().field(i)) && in_dictionary(metadata, i);
    if !(0..metadata.schema().fields().len()).any(wanted) {
        return metadata.clone();
    }
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |(i, f): (usize, &Arc<Field>)| match wanted(i) {
        true => Arc::new(f.as_ref().clone().with_data_type(dictionary())),
        false => f.clone(),
    };
    let fields: Vec<Arc<Field>> = metadata.schema().fields().iter().enumerate().map(field).collect();
    let schema = Schema::new_with_metadata(fields, metadata.schema().metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    // Where the reader does not want it, text is read as text.
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).unwrap_or_else(|_| metadata.clone())
}

fn is_text(f: &Field) -> bool {
    matches!(f.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn in_dictionary(metadata: &ArrowReaderMetadata, column: usize) -> bool {
    let schema = metadata.parquet_schema();
    let Some(leaf) = (0..schema.num_columns()).find(|l| schema.get_column_root_idx(*l) == column) else { return false };
    let only = |c: &ColumnChunkMetaData| {
        let pages = c.page_encoding_stats_mask();
        c.dictionary_page_offset().is_some()
            && pages.is_some_and(|m| m.is_only(Encoding::PLAIN_DICTIONARY) || m.is_only(Encoding::RLE_DICTIONARY))
    };
    metadata.metadata().row_groups().iter().all(|g| g.columns().get(leaf).is_some_and(only))
}

/// What is read of a file.
pub(super) struct Part<'a> {
    pub path: &'a Path,
    pub bytes: u64,
    pub metadata: &'a ArrowReaderMetadata,
    pub columns: &'a [usize],
    /// One row group; all without it.
    pub group: Option<usize>,
}

impl Part<'_> {
    /// Its batches of at most so many rows.
    pub fn batches(&self, rows: usize, count: &Counted) -> Result<Batches, EngineError> {
        let damaged = |e: &dyn std::fmt::Display| EngineError::data(self.path, e);
        let file = File::open(self.path).map_err(|e| EngineError::file(self.path, &e))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), self.columns.iter().copied());
        let total = builder.metadata().file_metadata().num_rows().max(0) as u64;
        let builder = builder.with_projection(mask).with_batch_size(rows);
        let builder = match self.group {
            Some(group) => builder.with_row_groups(vec![group]),
            None => builder,
        };
        let reader = builder.build().map_err(|e| damaged(&e))?;
        let bytes = count.clone().per_row(self.bytes, total);
        let path = self.path.to_owned();
        Ok(Box::new(reader.map(move |b| b.inspect(|b| bytes(b)).map_err(|e| EngineError::data(&path, &e)))))
    }
}

/// A row group that is still to be read.
#[derive(Clone, Debug)]
pub struct RowGroup {
    pub(super) source: Arc<BoundSource>,
    pub(super) file: usize,
    pub(super) group: usize,
    pub(super) rows: usize,
}

impl RowGroup {
    /// Reads its rows, in order and a batch at a time; ends after the first error.
    pub(super) fn each(&self) -> impl Iterator<Item = Result<Rows, EngineError>> + use<> {
        let this = self.clone();
        let path = this.source.source.files[this.file].path.clone();
        let mut open = None;
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let opened = match open.take() {
                Some(batches) => Ok(batches),
                None => guarded(&path, || this.source.batches_of(this.file, Some(this.group), this.rows)),
            };
            let next = opened.map(|mut batches| {
                let next = guarded_next(&path, &mut batches);
                open = Some(batches);
                next
            });
            let rows = match next {
                Ok(None) => return None,
                Ok(Some(Ok(batch))) => {
                    this.source.files[this.file].split(&batch, &this.source.kept, 0..batch.num_rows())
                }
                Ok(Some(Err(e))) | Err(e) => Err(e),
            };
            failed = rows.is_err();
            Some(rows)
        })
    }
}
