//! JSON objects, one behind the other (NDJSON) or in one array.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;

use crate::error::EngineError;
use crate::source::{Batches, Counted};

/// Objects that are looked at to tell types.
const SAMPLE: usize = 10_000;

/// The schema that the first objects show, and how many objects there are, where these are all.
pub(crate) fn schema(path: &Path) -> Result<(Schema, Option<u64>), EngineError> {
    let (schema, seen) = infer_json_schema(open(path, None)?, Some(SAMPLE)).map_err(|e| EngineError::data(path, &e))?;
    Ok((schema, (seen < SAMPLE).then_some(seen as u64)))
}

/// Batches of the fields of that schema; other fields of the objects are passed over.
pub(crate) fn batches(path: &Path, schema: &SchemaRef, rows: usize, count: Counted) -> Result<Batches, EngineError> {
    let fields = schema.fields().iter().map(|f| match f.data_type() {
        DataType::Int64 => f.as_ref().clone().with_data_type(EXACT),
        _ => f.as_ref().clone(),
    });
    let read = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let reader = ReaderBuilder::new(read).with_batch_size(rows).build(open(path, Some(count))?);
    let reader = reader.map_err(|e| EngineError::data(path, &e))?;
    let (path, schema) = (path.to_path_buf(), schema.clone());
    let mut row = 0;
    let mut integral = move |b: RecordBatch| {
        let columns = b.columns().iter().zip(schema.fields());
        let arrays: Vec<ArrayRef> = columns.map(|(a, f)| integers(a, f, row)).collect::<Result<_, String>>()?;
        row += b.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(b.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|e| e.to_string())
    };
    let mut failed = false;
    Ok(Box::new(reader.map_while(move |b| {
        let batch = b.map_err(|e| e.to_string()).and_then(&mut integral).map_err(|e| EngineError::data(&path, &e));
        let first_fault = !failed;
        failed = batch.is_err();
        first_fault.then_some(batch)
    })))
}

/// As what integers are read: arrow cuts `1.5` to 1 where it reads an integer by itself.
const EXACT: DataType = DataType::Decimal128(38, SCALE as i8);
const SCALE: u32 = 18;

/// Integers that were read as [`EXACT`]; the message names the first that is none.
fn integers(array: &ArrayRef, field: &Field, first: usize) -> Result<ArrayRef, String> {
    const ONE: i128 = 10_i128.pow(SCALE);
    if *field.data_type() != DataType::Int64 {
        return Ok(array.clone());
    }
    let exact: &Decimal128Array = array.as_primitive::<Decimal128Type>();
    let integer = |(i, x): (usize, Option<i128>)| match x {
        None => Ok(None),
        Some(x) => i64::try_from(x / ONE).ok().filter(|_| x % ONE == 0).map(Some).ok_or_else(|| {
            let (row, name) = (first + i + 1, field.name());
            let found = exact.value_as_string(i);
            format!("row {row}, column `{name}`: `{}` is no integer", found.trim_end_matches('0').trim_end_matches('.'))
        }),
    };
    let values: Int64Array = exact.iter().enumerate().map(integer).collect::<Result<_, _>>()?;
    Ok(Arc::new(values))
}

fn open(path: &Path, count: Option<Counted>) -> Result<Box<dyn BufRead + Send>, EngineError> {
    let failed = |e| EngineError::file(path, &e);
    let file = File::open(path).map_err(failed)?;
    let file: Box<dyn Read + Send> = match count {
        Some(c) => Box::new(c.reader(file)),
        None => Box::new(file),
    };
    let mut file = BufReader::with_capacity(1 << 20, file);
    super::skip_mark(&mut file).map_err(failed)?;
    let mut first = None;
    while first.is_none() {
        let buffer = file.fill_buf().map_err(failed)?;
        if buffer.is_empty() {
            break;
        }
        first = buffer.iter().copied().find(|b| !b.is_ascii_whitespace());
        if first.is_none() {
            let n = buffer.len();
            file.consume(n);
        }
    }
    Ok(if first == Some(b'[') { Box::new(BufReader::new(Unwrapped::new(file))) } else { Box::new(file) })
}

/// One array of objects as objects one behind the other: the outer brackets and the commas between its elements
/// become white space, the rest passes through.
struct Unwrapped<R> {
    inner: R,
    depth: usize,
    text: bool,
    escaped: bool,
}

impl<R> Unwrapped<R> {
    fn new(inner: R) -> Unwrapped<R> {
        Unwrapped { inner, depth: 0, text: false, escaped: false }
    }

    fn step(&mut self, b: u8) -> u8 {
        if self.text {
            self.text = self.escaped || b != b'"';
            self.escaped = !self.escaped && b == b'\\';
            return b;
        }
        match b {
            b'"' => self.text = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let outer = matches!((b, self.depth), (b'[', 1) | (b']', 0) | (b',', 1));
        if outer { b'\n' } else { b }
    }
}

impl<R: Read> Read for Unwrapped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        for b in &mut buffer[..n] {
            *b = self.step(*b);
        }
        Ok(n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Unwrapped;
    use std::io::Read;

    #[test]
    fn only_the_outer_array_is_taken_off() {
        let text = r#" [ {"a": [1, 2], "b": "x],\"[{"} , {"a": [], "b": "\\"} ] "#;
        let mut out = String::new();
        Unwrapped::new(text.as_bytes()).read_to_string(&mut out).unwrap();
        let lines: Vec<&str> = out.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        assert_eq!(lines, [r#"{"a": [1, 2], "b": "x],\"[{"}"#, r#"{"a": [], "b": "\\"}"#]);
    }
}
