//! Delimited text with a header.
//!
//! Text has no types: a column is read as what is wanted of it, else as what its first rows look like. What stands for
//! a missing value is what pandas takes for one, since that is what the pipeline was trained through.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringArray, StringBuilder,
};
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::EngineError;
use crate::source::Counted;

/// Rows that are looked at to tell types.
const SAMPLE: u64 = 10_000;

/// Source: pandas 2 `pandas._libs.parsers.STR_NA_VALUES`.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];

fn is_missing(s: &str) -> bool {
    s.len() <= 8 && (MISSING.contains(&s) || s == "null")
}

fn number(s: &str) -> Option<f64> {
    s.trim_ascii().parse().ok()
}

/// An integer, also where a table of floats has written it as `12.0`.
fn integer(s: &str) -> Option<i64> {
    let s = s.trim_ascii();
    s.parse().ok().or_else(|| number(s).filter(|x| x.fract() == 0.0 && x.abs() <= 9e15).map(|x| x as i64))
}

fn truth(s: &str) -> Option<bool> {
    match s.trim_ascii() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What text looks like, from narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// Missing everywhere.
    Nothing,
    /// Truth values.
    Bool,
    /// Integers written as integers are: `7`, not `007`.
    Int,
    /// Numbers written as numbers are: `0.5`, `1e3`, not `007`.
    Float,
    /// All parse as numbers, but not all are written so: a code rather than a number.
    Code,
    /// Anything.
    Text,
}

impl Looks {
    fn of(s: &str) -> Looks {
        if is_missing(s) {
            return Looks::Nothing;
        }
        if truth(s).is_some() {
            return Looks::Bool;
        }
        if s.parse::<i64>().is_ok_and(|x| x.to_string() == s) {
            return Looks::Int;
        }
        let digits = s.trim_start_matches('-');
        let zeros = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        match number(s) {
            Some(_) if zeros || s.starts_with('+') || s.trim_ascii() != s || !s.contains(['.', 'e', 'E']) => {
                Looks::Code
            }
            Some(_) => Looks::Float,
            None => Looks::Text,
        }
    }

    /// What values of a typed column look like as text, where text can look so.
    pub(crate) fn of_type(found: &DataType) -> Option<Looks> {
        match found {
            DataType::Null => Some(Looks::Nothing),
            DataType::Boolean => Some(Looks::Bool),
            DataType::Int64 => Some(Looks::Int),
            DataType::Float64 => Some(Looks::Float),
            DataType::Utf8 => Some(Looks::Text),
            _ => None,
        }
    }

    pub(crate) fn or(self, other: Looks) -> Looks {
        match (self, other) {
            (a, b) if a == b => a,
            (Looks::Nothing, x) | (x, Looks::Nothing) => x,
            (Looks::Int, Looks::Float) | (Looks::Float, Looks::Int) => Looks::Float,
            (Looks::Text | Looks::Bool, _) | (_, Looks::Text | Looks::Bool) => Looks::Text,
            _ => Looks::Code,
        }
    }

    /// The type as which a column is read where nobody wants another.
    pub(crate) fn natural(self) -> DataType {
        match self {
            Looks::Bool => DataType::Boolean,
            Looks::Int => DataType::Int64,
            Looks::Float => DataType::Float64,
            Looks::Nothing | Looks::Code | Looks::Text => DataType::Utf8,
        }
    }

    /// The type as which it is read for an input of that type: the natural one (a misfit then) where it cannot be.
    pub(crate) fn wanted(self, want: &DataType) -> DataType {
        let numeric = matches!(self, Looks::Int | Looks::Float | Looks::Code | Looks::Nothing);
        match want {
            DataType::Utf8 => DataType::Utf8,
            DataType::Float32 | DataType::Float64 if numeric => DataType::Float64,
            DataType::Int64 if numeric => DataType::Int64,
            DataType::Boolean if self == Looks::Nothing => DataType::Boolean,
            _ => self.natural(),
        }
    }
}

/// A CSV file: its header and what its columns look like.
#[derive(Clone, Debug)]
pub(crate) struct Csv {
    path: PathBuf,
    delimiter: u8,
    names: Vec<String>,
    /// Per column.
    pub looks: Vec<Looks>,
    /// The rows that were looked at, their size as text, and whether they are all.
    seen: (u64, u64, bool),
}

/// All columns as text, empty where nothing stands.
fn reader<R: Read>(
    names: &[String],
    delimiter: u8,
    projection: Vec<usize>,
    rows: usize,
    from: R,
) -> Result<arrow::csv::Reader<R>, arrow::error::ArrowError> {
    let fields: Vec<Field> = names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect();
    ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_header(true)
        .with_delimiter(delimiter)
        .with_batch_size(rows)
        .with_projection(projection)
        .build(from)
}

/// Opens behind a byte order mark.
fn open(path: &Path, count: Option<Counted>) -> Result<BufReader<Box<dyn Read + Send>>, EngineError> {
    let file = File::open(path).map_err(|e| EngineError::file(path, &e))?;
    let file: Box<dyn Read + Send> = match count {
        Some(c) => Box::new(c.reader(file)),
        None => Box::new(file),
    };
    let mut buffered = BufReader::with_capacity(1 << 20, file);
    super::skip_mark(&mut buffered).map_err(|e| EngineError::file(path, &e))?;
    Ok(buffered)
}

impl Csv {
    pub(crate) fn open(path: &Path) -> Result<Csv, EngineError> {
        let failed = |e: &dyn std::fmt::Display| EngineError::data(path, e);
        let delimiter = {
            let mut header = Vec::new();
            open(path, None)?.take(1 << 20).read_until(b'\n', &mut header).map_err(|e| EngineError::file(path, &e))?;
            let count = |d: u8| header.iter().filter(|b| **b == d).count();
            // A header without commas may be of another delimiter; `max_by_key` would take the last of equals.
            [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',')
        };
        let format = arrow::csv::reader::Format::default().with_header(true).with_delimiter(delimiter);
        let (schema, _) = format.infer_schema(open(path, None)?, Some(0)).map_err(|e| failed(&e))?;
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let all = (0..names.len()).collect();
        let mut looks = vec![Looks::Nothing; names.len()];
        let mut seen = (0, 0, true);
        for batch in reader(&names, delimiter, all, 1024, open(path, None)?).map_err(|e| failed(&e))? {
            let batch = batch.map_err(|e| failed(&e))?;
            for (look, column) in looks.iter_mut().zip(batch.columns()) {
                let column = column.as_string::<i32>();
                *look = column.iter().flatten().fold(*look, |l, s| l.or(Looks::of(s)));
                // With what stands behind the value: a delimiter, or the end of the line.
                seen.1 += (column.value_data().len() + column.len()) as u64;
            }
            seen.0 += batch.num_rows() as u64;
            if seen.0 >= SAMPLE {
                seen.2 = false;
                break;
            }
        }
        Ok(Csv { path: path.into(), delimiter, names, looks, seen })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows a file of that many bytes has, by the size of the first.
    pub(crate) fn estimated_rows(&self, bytes: u64) -> u64 {
        match self.seen {
            (rows, _, true) => rows,
            (rows, text, false) => (u128::from(bytes) * u128::from(rows) / u128::from(text.max(1))) as u64,
        }
    }

    /// Batches of those columns as those types; a column may stand there more than once.
    pub(crate) fn batches(
        &self,
        columns: &[usize],
        schema: &SchemaRef,
        rows: usize,
        count: Counted,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, EngineError>> + Send + use<>, EngineError> {
        let (path, schema) = (self.path.clone(), schema.clone());
        let failed = move |e: &dyn std::fmt::Display| EngineError::data(&path, e);
        // arrow's reader wants rising indices; the order asked for comes back by `at`.
        let mut rising = columns.to_vec();
        rising.sort_unstable();
        rising.dedup();
        let at: Vec<usize> = columns.iter().map(|c| rising.partition_point(|r| r < c)).collect();
        let reader = reader(&self.names, self.delimiter, rising, rows, open(&self.path, Some(count))?)
            .map_err(|e| failed(&e))?;
        let mut row = 0;
        let mut ended = false;
        Ok(reader.map_while(move |batch| {
            if ended {
                return None;
            }
            let typed = batch.map_err(|e| failed(&e)).and_then(|b| {
                let first = row;
                row += b.num_rows();
                let arrays = schema.fields().iter().zip(&at).map(|(f, i)| {
                    parse(b.column(*i).as_string(), f).map_err(|(i, s)| {
                        failed(&format!("row {}, column `{}`: `{s}` is no {}", first + i + 1, f.name(), f.data_type()))
                    })
                });
                RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_, _>>()?).map_err(|e| failed(&e))
            });
            ended = typed.is_err();
            Some(typed)
        }))
    }
}

/// Text as a type, or the first row that cannot be one, shortened.
fn parse(text: &StringArray, field: &Field) -> Result<ArrayRef, (usize, String)> {
    macro_rules! build {
        ($builder:ident, $parse:ident) => {{
            let mut b = $builder::with_capacity(text.len());
            for (i, s) in text.iter().enumerate() {
                match s.filter(|s| !is_missing(s)) {
                    None => b.append_null(),
                    Some(s) => b.append_value($parse(s).ok_or_else(|| (i, s.chars().take(60).collect::<String>()))?),
                }
            }
            Arc::new(b.finish()) as ArrayRef
        }};
    }
    Ok(match field.data_type() {
        DataType::Float64 => build!(Float64Builder, number),
        DataType::Int64 => build!(Int64Builder, integer),
        DataType::Boolean => build!(BooleanBuilder, truth),
        _ => {
            let mut b = StringBuilder::with_capacity(text.len(), text.value_data().len());
            text.iter().for_each(|s| b.append_option(s.filter(|s| !is_missing(s))));
            Arc::new(b.finish())
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Looks;

    #[test]
    fn looks_are_told_from_codes() {
        let looks = |values: &[&str]| values.iter().fold(Looks::Nothing, |l, s| l.or(Looks::of(s)));
        assert_eq!(looks(&["1", "NA", "-20", ""]), Looks::Int);
        assert_eq!(looks(&["1", "0.5", "1e-3", "nan"]), Looks::Float);
        assert_eq!(looks(&["007", "12"]), Looks::Code);
        assert_eq!(looks(&["+1"]), Looks::Code);
        assert_eq!(looks(&["12345678901234567890"]), Looks::Code, "beyond i64");
        assert_eq!(looks(&["inf", "1"]), Looks::Code);
        assert_eq!(looks(&["True", "false"]), Looks::Bool);
        assert_eq!(looks(&["True", "1"]), Looks::Text);
        assert_eq!(looks(&["1", "x"]), Looks::Text);
        assert_eq!(looks(&["", "None"]), Looks::Nothing);
    }
}
