//! Where rows come from: files, read in batches, in constant memory.

mod csv;
mod json;
mod kind;
mod parquet;
mod paths;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::{FileReader, StreamReader};

use crate::bind::{Binding, Keep, bind};
use crate::error::{EngineError, Faults};
use crate::scorer::{accepts, data_type};

pub use self::parquet::RowGroup;
use csv::Looks;
pub use kind::{FileKind, file_kind};
pub use paths::files;

/// A reader of batches, in order; ends after the first error.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, EngineError>> + Send>;

/// One or more files of one table.
#[derive(Clone, Debug)]
pub struct Source {
    files: Vec<DataFile>,
    progress: Counted,
}

#[derive(Clone, Debug)]
struct DataFile {
    path: PathBuf,
    kind: FileKind,
    bytes: u64,
    /// Known where the format says it, else estimated.
    rows: u64,
    schema: Schema,
    csv: Option<csv::Csv>,
    parquet: Option<ArrowReaderMetadata>,
}

/// A source with the columns that a scorer and the caller want.
#[derive(Clone, Debug)]
pub struct BoundSource {
    source: Source,
    files: Vec<BoundFile>,
    /// The columns that are passed through.
    kept: SchemaRef,
}

#[derive(Clone, Debug)]
struct BoundFile {
    /// Columns of the file to read, and as what: of text that is an input and kept, a column may stand there as both.
    columns: Vec<usize>,
    schema: SchemaRef,
    /// Per input and kept column, its index in `columns`.
    inputs: Vec<usize>,
    kept: Vec<usize>,
    /// Of Parquet, how it is read where text may come as dictionaries.
    parquet: Option<ArrowReaderMetadata>,
}

/// Part of a source: rows that were read, or that can be read beside others.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Rows.
    Rows(Rows),
    /// A row group of a Parquet file.
    Group(RowGroup),
}

impl Piece {
    /// Its rows in order, a batch at a time; ends after the first error.
    pub fn rows(&self) -> Box<dyn Iterator<Item = Result<Rows, EngineError>>> {
        match self {
            Piece::Rows(rows) => Box::new(std::iter::once(Ok(rows.clone()))),
            Piece::Group(group) => Box::new(group.each()),
        }
    }
}

/// Rows of a source: what the scorer reads, and what is passed through.
#[derive(Clone, Debug)]
pub struct Rows {
    /// One column per input.
    pub inputs: RecordBatch,
    /// One column per kept column.
    pub kept: RecordBatch,
}

impl Source {
    /// Opens a file, a folder or a pattern. Each file is of a kind of its own, by its content.
    ///
    /// # Errors
    /// All files that cannot be read, at once.
    pub fn open(path: &str) -> Result<Source, Faults> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for path in files(path)? {
            match guarded(&path, || DataFile::open(&path)) {
                Ok(file) => found.push(file),
                Err(e) => faults.push(e),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        agree(&mut found);
        Ok(Source { files: found, progress: Counted::default() })
    }

    /// The columns of the first file, with the types that it shows by itself.
    pub fn schema(&self) -> SchemaRef {
        self.files.first().map_or_else(|| Arc::new(Schema::empty()), |f| Arc::new(f.schema.clone()))
    }

    /// The files in order, with their kinds.
    pub fn files(&self) -> impl Iterator<Item = (&Path, FileKind)> {
        self.files.iter().map(|f| (f.path.as_path(), f.kind))
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// Rows of all files: known for Parquet, estimated from sizes and the first rows otherwise.
    pub fn estimated_rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Finds the inputs and the kept columns in every file. Inputs from text formats are read as what is wanted of
    /// them, kept columns as what the files themselves suggest: they come back as they stood.
    ///
    /// # Errors
    /// All columns that are missing or of a type that does not fit.
    pub fn bind(&self, fields: &[flock_core::Field], keep: &Keep) -> Result<BoundSource, Faults> {
        let mut kept: Option<SchemaRef> = None;
        let mut files = Vec::new();
        for file in &self.files {
            let (read, passed, binding) = file.bind(fields, keep)?;
            let own: Schema = binding.kept.iter().map(|i| passed.field(*i).clone()).collect::<Vec<_>>().into_schema();
            let first = kept.get_or_insert_with(|| Arc::new(own.clone()));
            file.same_kept(first, &own)?;
            files.push(BoundFile::new(file, &read, &passed, &binding));
        }
        Ok(BoundSource { source: self.clone(), files, kept: kept.unwrap_or_else(|| Arc::new(Schema::empty())) })
    }
}

/// A value in a file without a count of rows, in bytes, for the estimate of its rows.
const CELL_BYTES: u64 = 8;

/// Text has no types: files that are read together are read as what their columns look like together.
fn agree(files: &mut [DataFile]) {
    if files.len() < 2 {
        return;
    }
    let mut together: BTreeMap<String, Option<Looks>> = BTreeMap::new();
    for file in files.iter() {
        for (i, f) in file.schema.fields().iter().enumerate() {
            let looks = match &file.csv {
                Some(csv) => Some(csv.looks[i]),
                None => Looks::of_type(f.data_type()),
            };
            let known = together.entry(f.name().clone()).or_insert(looks);
            *known = known.zip(looks).map(|(a, b)| a.or(b));
        }
    }
    for file in files.iter_mut().filter(|f| matches!(f.kind, FileKind::Csv | FileKind::Json)) {
        let mut fields: Vec<Field> = file.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        for f in &mut fields {
            let Some(Some(looks)) = together.get(f.name()) else { continue };
            if file.csv.is_some() || wants_another(&looks.natural(), f.data_type()) {
                f.set_data_type(looks.natural());
            }
        }
        file.schema = fields.into_schema();
    }
}

trait IntoSchema {
    fn into_schema(self) -> Schema;
}
impl IntoSchema for Vec<Field> {
    fn into_schema(self) -> Schema {
        Schema::new(self)
    }
}

impl DataFile {
    fn open(path: &Path) -> Result<DataFile, EngineError> {
        let kind = file_kind(path)?;
        let file = || File::open(path).map_err(|e| EngineError::file(path, &e));
        let damaged = |e: &dyn std::fmt::Display| EngineError::data(path, e);
        let bytes = std::fs::metadata(path).map_err(|e| EngineError::file(path, &e))?.len();
        let (mut csv, mut parquet) = (None, None);
        let mut rows = None;
        let schema = match kind {
            FileKind::Parquet => {
                let metadata = parquet::metadata(&file()?).map_err(|e| damaged(&e))?;
                rows = Some(metadata.metadata().file_metadata().num_rows().max(0) as u64);
                parquet.insert(metadata).schema().as_ref().clone()
            }
            FileKind::ArrowFile => {
                FileReader::try_new_buffered(file()?, None).map_err(|e| damaged(&e))?.schema().as_ref().clone()
            }
            FileKind::ArrowStream => {
                StreamReader::try_new_buffered(file()?, None).map_err(|e| damaged(&e))?.schema().as_ref().clone()
            }
            FileKind::Json => {
                let (schema, seen) = json::schema(path)?;
                rows = seen;
                schema
            }
            FileKind::Csv => {
                let c = csv::Csv::open(path)?;
                let fields =
                    c.names().iter().zip(&c.looks).map(|(n, l)| Field::new(n, l.natural(), true)).collect::<Vec<_>>();
                rows = Some(c.estimated_rows(bytes));
                csv = Some(c);
                fields.into_schema()
            }
        };
        let rows = rows.unwrap_or_else(|| bytes / (CELL_BYTES * schema.fields().len().max(1) as u64));
        Ok(DataFile { path: path.into(), kind, bytes, rows, schema, csv, parquet })
    }

    /// The schemas as which the file is read for these fields and for what is kept, and where they are in it.
    fn bind(&self, fields: &[flock_core::Field], keep: &Keep) -> Result<(Schema, Schema, Binding), Faults> {
        let mut read: Vec<Field> = self.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        for (i, f) in read.iter_mut().enumerate() {
            let Some(field) = fields.iter().find(|w| w.name == *f.name()) else { continue };
            // What is kept is read once where the input can be derived from it.
            if keep.has(f.name()) && *f.data_type() != DataType::Null && accepts(field.kind, f.data_type()) {
                continue;
            }
            let want = data_type(field.kind);
            // The scorer rounds to f32 itself, so that a column that is kept too stays as it is.
            let want = if want == DataType::Float32 { DataType::Float64 } else { want };
            if let Some(csv) = &self.csv {
                f.set_data_type(csv.looks[i].wanted(&want));
            } else if self.kind == FileKind::Json && wants_another(&want, f.data_type()) {
                f.set_data_type(want);
            }
        }
        let read = read.into_schema();
        let binding = bind(fields, keep, &read)?;
        let passed = if self.csv.is_some() { self.schema.clone() } else { read.clone() };
        Ok((read, passed, binding))
    }

    /// Kept columns are of one type in all files.
    fn same_kept(&self, first: &Schema, own: &Schema) -> Result<(), Faults> {
        let differs = |(a, b): &(&Arc<Field>, &Arc<Field>)| a.name() != b.name() || a.data_type() != b.data_type();
        let faults: Vec<EngineError> = first
            .fields()
            .iter()
            .zip(own.fields())
            .filter(differs)
            .map(|(a, b)| EngineError::MistypedColumn {
                column: b.name().clone(),
                message: format!(
                    "`{}` has it as {}, the first file has `{}` as {}",
                    self.path.display(),
                    b.data_type(),
                    a.name(),
                    a.data_type()
                ),
                help: "files that are read together must have one schema; run them one by one".into(),
            })
            .collect();
        if first.fields().len() != own.fields().len() {
            let message = format!("{} columns where the first file has {}", own.fields().len(), first.fields().len());
            return Err(EngineError::data(&self.path, &message).into());
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    /// Its rows; of Parquet those of one row group, where that is given.
    fn batches(
        &self,
        bound: &BoundFile,
        group: Option<usize>,
        rows: usize,
        count: &Counted,
    ) -> Result<Batches, EngineError> {
        let file = || File::open(&self.path).map_err(|e| EngineError::file(&self.path, &e));
        let damaged = |e: &dyn std::fmt::Display| EngineError::data(&self.path, e);
        let path = self.path.clone();
        let columns = bound.columns.clone();
        Ok(match self.kind {
            FileKind::Parquet => match &bound.parquet {
                Some(metadata) => {
                    parquet::Part { path: &self.path, bytes: self.bytes, metadata, columns: &columns, group }
                        .batches(rows, count)?
                }
                None => Box::new(std::iter::empty()),
            },
            FileKind::ArrowFile => {
                let reader = FileReader::try_new_buffered(count.clone().reader(file()?), Some(columns))
                    .map_err(|e| damaged(&e))?;
                Box::new(reader.map(move |b| b.map_err(|e| EngineError::data(&path, &e))))
            }
            FileKind::ArrowStream => {
                let reader = StreamReader::try_new_buffered(count.clone().reader(file()?), Some(columns))
                    .map_err(|e| damaged(&e))?;
                Box::new(reader.map(move |b| b.map_err(|e| EngineError::data(&path, &e))))
            }
            FileKind::Json => json::batches(&self.path, &bound.schema, rows, count.clone())?,
            FileKind::Csv => match &self.csv {
                Some(csv) => Box::new(csv.batches(&columns, &bound.schema, rows, count.clone())?),
                None => Box::new(std::iter::empty()),
            },
        })
    }
}

/// Whether JSON of that type is read as what is wanted: between numbers, and where nothing but null was seen.
fn wants_another(want: &DataType, found: &DataType) -> bool {
    match found {
        DataType::Null => true,
        DataType::Int64 => *want == DataType::Float64,
        _ => false,
    }
}

impl BoundFile {
    fn new(file: &DataFile, read: &Schema, passed: &Schema, binding: &Binding) -> BoundFile {
        let typed = |schema: &Schema, i: &usize| (*i, schema.field(*i).data_type().clone());
        let mut columns: Vec<(usize, DataType)> = binding.inputs.iter().map(|i| typed(read, i)).collect();
        columns.extend(binding.kept.iter().map(|i| typed(passed, i)));
        columns.sort();
        columns.dedup();
        if columns.is_empty() && !read.fields().is_empty() {
            // Something must be read to count the rows.
            columns.push(typed(passed, &0));
        }
        let at = |schema: &Schema, i: &usize| columns.partition_point(|c| *c < typed(schema, i));
        let inputs = binding.inputs.iter().map(|i| at(read, i)).collect();
        let kept = binding.kept.iter().map(|i| at(passed, i)).collect();
        let field = |(i, t): &(usize, DataType)| read.field(*i).clone().with_data_type(t.clone());
        let schema = columns.iter().map(field).collect::<Vec<_>>().into_schema();
        // What is passed through comes back as it stood.
        let only_inputs: Vec<usize> = binding.inputs.iter().copied().filter(|i| !binding.kept.contains(i)).collect();
        let parquet = file.parquet.as_ref().map(|m| parquet::with_dictionaries(m, &only_inputs));
        let columns = columns.into_iter().map(|(i, _)| i).collect();
        BoundFile { columns, schema: Arc::new(schema), inputs, kept, parquet }
    }

    fn split(&self, batch: &RecordBatch, kept: &SchemaRef, rows: std::ops::Range<usize>) -> Result<Rows, EngineError> {
        let refused =
            |e: arrow::error::ArrowError| EngineError::Score { place: "batch".into(), message: e.to_string() };
        let pick = |at: &[usize]| -> Vec<ArrayRef> {
            at.iter().map(|i| batch.column(*i).slice(rows.start, rows.len())).collect()
        };
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let fields: Vec<Field> = self.inputs.iter().map(|i| batch.schema_ref().field(*i).clone()).collect();
        let inputs = RecordBatch::try_new_with_options(Arc::new(fields.into_schema()), pick(&self.inputs), &options);
        let kept = RecordBatch::try_new_with_options(kept.clone(), pick(&self.kept), &options);
        Ok(Rows { inputs: inputs.map_err(refused)?, kept: kept.map_err(refused)? })
    }
}

impl BoundSource {
    /// The columns that are passed through.
    pub fn kept(&self) -> &SchemaRef {
        &self.kept
    }

    /// The share of the source that has been read, 0 to 1.
    pub fn progress(&self) -> f64 {
        self.source.progress.bytes() as f64 / self.source.bytes().max(1) as f64
    }

    /// All rows in order, at most `rows` at a time, with the types that the files show by themselves.
    pub fn rows(&self, rows: usize) -> impl Iterator<Item = Result<Rows, EngineError>> + Send + use<> {
        let mut plain = self.clone();
        plain.files.iter_mut().zip(&plain.source.files).for_each(|(f, of)| f.parquet = of.parquet.clone());
        let this = Arc::new(plain);
        let mut next = 0..self.files.len();
        let mut opened: Option<Stream> = None;
        ending(move || {
            loop {
                if let Some(rows) = opened.as_mut().and_then(Iterator::next) {
                    return Some(rows);
                }
                match this.stream(next.next()?, rows) {
                    Ok(stream) => opened = Some(stream),
                    Err(e) => return Some(Err(e)),
                }
            }
        })
    }

    /// All rows in order, in pieces that can be read side by side where the format has such. Batches have at most `rows`, and
    /// text that is no more than an input may come as dictionaries.
    pub fn pieces(&self, rows: usize) -> impl Iterator<Item = Result<Piece, EngineError>> + Send + use<> {
        let this = Arc::new(self.clone());
        let mut next = 0..self.files.len();
        let (mut opened, mut groups): (Option<Stream>, _) = (None, (0, 0..0));
        ending(move || {
            loop {
                if let Some(group) = groups.1.next() {
                    let group = RowGroup { source: this.clone(), file: groups.0, group, rows };
                    return Some(Ok(Piece::Group(group)));
                }
                if let Some(rows) = opened.as_mut().and_then(Iterator::next) {
                    return Some(rows.map(Piece::Rows));
                }
                let file = next.next()?;
                match this.files[file].parquet.as_ref().and_then(parquet::groups) {
                    Some(all) => groups = (file, all),
                    None => match this.stream(file, rows) {
                        Ok(stream) => opened = Some(stream),
                        Err(e) => return Some(Err(e)),
                    },
                }
            }
        })
    }

    /// The rows of a file.
    fn stream(self: &Arc<Self>, file: usize, rows: usize) -> Result<Stream, EngineError> {
        let batches = self.batches_of(file, None, rows)?;
        Ok(Stream { source: self.clone(), file, batches, rows, rest: None })
    }

    /// The batches of a file, or of one of its row groups.
    fn batches_of(&self, file: usize, group: Option<usize>, rows: usize) -> Result<Batches, EngineError> {
        let (f, bound) = (&self.source.files[file], &self.files[file]);
        guarded(&f.path, || f.batches(bound, group, rows, &self.source.progress))
    }
}

/// An iterator that ends after the first error.
fn ending<T>(mut next: impl FnMut() -> Option<Result<T, EngineError>>) -> impl Iterator<Item = Result<T, EngineError>> {
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let item = next();
        failed = matches!(item, Some(Err(_)));
        item
    })
}

/// The rows of a file, read one batch after the other.
struct Stream {
    source: Arc<BoundSource>,
    file: usize,
    batches: Batches,
    rows: usize,
    /// What is left of a batch that was larger than asked for, and where it starts.
    rest: Option<(RecordBatch, usize)>,
}

impl Iterator for Stream {
    type Item = Result<Rows, EngineError>;

    fn next(&mut self) -> Option<Result<Rows, EngineError>> {
        let path = &self.source.source.files[self.file].path;
        let (batch, from) = loop {
            if let Some(rest) = self.rest.take() {
                break rest;
            }
            match guarded_next(path, &mut self.batches)? {
                Ok(batch) => self.rest = (batch.num_rows() > 0).then_some((batch, 0)),
                Err(e) => return Some(Err(e)),
            }
        };
        let to = batch.num_rows().min(from + self.rows.max(1));
        let out = self.source.files[self.file].split(&batch, &self.source.kept, from..to);
        if to < batch.num_rows() {
            self.rest = Some((batch, to));
        }
        Some(out)
    }
}

/// Readers of foreign formats may panic on damaged files: that is a fault of the file.
fn guarded<T>(path: &Path, f: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(EngineError::data(path, &"the file is damaged")))
}

fn guarded_next(path: &Path, batches: &mut Batches) -> Option<Result<RecordBatch, EngineError>> {
    guarded(path, || Ok(batches.next())).unwrap_or_else(|e| Some(Err(e)))
}

/// Skips a UTF-8 byte order mark.
fn skip_mark(r: &mut impl BufRead) -> io::Result<()> {
    if r.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        r.consume(3);
    }
    Ok(())
}

/// Counts the bytes that have been read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn reader<R>(self, inner: R) -> CountedReader<R> {
        CountedReader { inner, count: self }
    }

    /// For formats that are read in pieces: each row stands for its share of the file.
    fn per_row(self, bytes: u64, rows: u64) -> impl Fn(&RecordBatch) + Send {
        move |batch| {
            let share = bytes as u128 * batch.num_rows() as u128 / u128::from(rows.max(1));
            self.0.fetch_add(share as u64, Ordering::Relaxed);
        }
    }
}

struct CountedReader<R> {
    inner: R,
    count: Counted,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl<R: io::Seek> io::Seek for CountedReader<R> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
