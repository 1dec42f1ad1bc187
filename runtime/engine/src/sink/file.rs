//! Files that appear whole or not at all: written under another name in the same folder, then renamed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::FileWriter;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use crate::error::EngineError;
use crate::sink::Sink;

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Apache Parquet, Snappy.
    Parquet,
    /// Text with a header and commas; nulls are empty.
    Csv,
    /// Arrow's file format.
    Arrow,
    /// One JSON object per line; nulls are written.
    Json,
}

impl OutputKind {
    /// The format that a name asks for.
    ///
    /// # Errors
    /// Where its ending is none of the four.
    pub fn of(path: &Path) -> Result<OutputKind, EngineError> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("parquet" | "pq") => Ok(OutputKind::Parquet),
            Some("csv") => Ok(OutputKind::Csv),
            Some("arrow" | "feather" | "ipc") => Ok(OutputKind::Arrow),
            Some("json" | "jsonl" | "ndjson") => Ok(OutputKind::Json),
            _ => Err(EngineError::Kind {
                path: path.display().to_string(),
                found: "the name does not say which format to write".into(),
                help: "end it in .parquet, .csv, .arrow or .json".into(),
            }),
        }
    }
}

/// Rows of a row group, which stands in memory until it is whole, and bytes of a dictionary: an eighth of the library's own.
const GROUP_ROWS: usize = 1 << 17;
const DICTIONARY_BYTES: usize = 1 << 17;

type Out = BufWriter<File>;

enum Writer {
    Parquet(Box<ArrowWriter<Out>>),
    Csv(Box<arrow::csv::Writer<Out>>),
    Arrow(Box<FileWriter<Out>>),
    Json(Box<arrow::json::Writer<Out, LineDelimited>>),
}

/// A file in one of the formats.
pub struct FileSink {
    path: PathBuf,
    kind: OutputKind,
    open: Option<(NamedTempFile, Writer)>,
}

impl FileSink {
    /// A sink for that path. Nothing is written yet.
    ///
    /// # Errors
    /// Where the name does not say which format to write, or is that of a folder.
    pub fn new(path: &Path) -> Result<FileSink, EngineError> {
        if path.is_dir() {
            return Err(EngineError::file(path, &"is a folder"));
        }
        let kind = OutputKind::of(path)?;
        // A link stays one: what it names is written. What is no file cannot appear whole.
        let target = path.canonicalize().unwrap_or_else(|_| path.into());
        if target.exists() && !target.is_file() {
            return Err(EngineError::file(path, &"is no file"));
        }
        Ok(FileSink { path: target, kind, open: None })
    }

    fn failed(&self, e: impl std::fmt::Display) -> EngineError {
        EngineError::file(&self.path, &e)
    }

    fn temporary(&self) -> std::io::Result<NamedTempFile> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.path.file_name().unwrap_or_default();
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{}.", name.to_string_lossy());
        builder.prefix(&prefix);
        // What any new file gets, less the user's mask: a temporary file is private otherwise.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(folder)
    }

    fn writer(&self, out: Out, schema: &SchemaRef) -> Result<Writer, EngineError> {
        Ok(match self.kind {
            OutputKind::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .set_dictionary_page_size_limit(DICTIONARY_BYTES)
                    .build();
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(|e| self.failed(e))?;
                Writer::Parquet(Box::new(writer))
            }
            OutputKind::Csv => Writer::Csv(Box::new(arrow::csv::WriterBuilder::new().with_header(true).build(out))),
            OutputKind::Arrow => Writer::Arrow(Box::new(FileWriter::try_new(out, schema).map_err(|e| self.failed(e))?)),
            OutputKind::Json => {
                Writer::Json(Box::new(WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out)))
            }
        })
    }
}

impl Sink for FileSink {
    fn start(&mut self, schema: &SchemaRef) -> Result<(), EngineError> {
        let file = self.temporary().map_err(|e| self.failed(e))?;
        let out = BufWriter::with_capacity(1 << 20, file.reopen().map_err(|e| self.failed(e))?);
        let mut writer = self.writer(out, schema)?;
        if let Writer::Csv(w) = &mut writer {
            // The header stands also where no row follows.
            w.write(&RecordBatch::new_empty(schema.clone())).map_err(|e| self.failed(e))?;
        }
        self.open = Some((file, writer));
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let result = match self.open.as_mut().map(|(_, w)| w) {
            Some(Writer::Parquet(w)) => w.write(batch).map_err(|e| e.to_string()),
            Some(Writer::Csv(w)) => w.write(batch).map_err(|e| e.to_string()),
            Some(Writer::Arrow(w)) => w.write(batch).map_err(|e| e.to_string()),
            Some(Writer::Json(w)) => w.write(batch).map_err(|e| e.to_string()),
            None => Err("written to before it was started".into()),
        };
        result.map_err(|e| self.failed(e))
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        let Some((file, writer)) = self.open.take() else {
            return Err(self.failed("finished before it was started"));
        };
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let out = match writer {
            Writer::Parquet(w) => w.into_inner().map_err(|e| text(&e)),
            Writer::Csv(w) => Ok(w.into_inner()),
            Writer::Arrow(w) => w.into_inner().map_err(|e| text(&e)),
            Writer::Json(mut w) => w.finish().map_err(|e| text(&e)).map(|()| w.into_inner()),
        };
        let synced = out.and_then(|mut out| out.flush().and_then(|()| out.get_ref().sync_all()).map_err(|e| text(&e)));
        synced.map_err(|e| self.failed(e))?;
        file.persist(&self.path).map_err(|e| self.failed(e))?;
        Ok(())
    }
}
