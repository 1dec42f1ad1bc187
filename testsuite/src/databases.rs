//! Real databases, through one Python process that holds them: `oracle/engines.py`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flock_ir_spec::{DType, Scalar};
use serde_json::{Value, json};

use crate::case::Table;

/// The folder of the Python environments: `FLOCK_ORACLE_DIR`, else `oracle` in the build directory.
pub fn oracle_folder() -> PathBuf {
    let named = |variable| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("FLOCK_ORACLE_DIR").unwrap_or_else(|| {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        named("CARGO_TARGET_DIR").unwrap_or(target).join("oracle")
    })
}

/// A running process with the databases.
pub struct Databases {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Databases {
    /// Starts the process; the error says what is missing and how to get it.
    pub fn start() -> Result<Databases, String> {
        let python = oracle_folder().join("venv/bin/python");
        if !python.exists() {
            return Err(format!("{} is not there: run `cargo xtask venv`", python.display()));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/engines.py");
        let mut process = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", python.display()))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Ok(Databases { process, input, output: BufReader::new(output) }),
            _ => Err("no pipes".into()),
        }
    }

    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        writeln!(self.input, "{request}").and_then(|()| self.input.flush()).map_err(|e| e.to_string())?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| e.to_string())?;
        let answer: Value = serde_json::from_str(&line).map_err(|e| format!("{e}: {line}"))?;
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or("an error without text").to_owned()),
            None => Ok(answer),
        }
    }

    /// The version of a database, or why it is not there.
    pub fn probe(&mut self, engine: &str) -> Result<String, String> {
        let answer = self.ask(&json!({ "engine": engine, "probe": true }))?;
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    /// Runs a statement over one table and gives the column names and rows.
    pub fn query(&mut self, engine: &str, name: &str, table: &Table, sql: &str) -> Result<Answer, String> {
        self.query_after(engine, name, table, &[], sql)
    }

    /// The same after other statements.
    pub fn query_after(
        &mut self,
        engine: &str,
        name: &str,
        table: &Table,
        setup: &[String],
        sql: &str,
    ) -> Result<Answer, String> {
        let columns: Vec<Value> = table.columns.iter().map(|(n, t)| json!({ "name": n, "type": t.name() })).collect();
        let rows: Vec<Vec<Value>> = table.rows.iter().map(|r| r.iter().map(to_json).collect()).collect();
        let request =
            json!({ "engine": engine, "table": name, "columns": columns, "rows": rows, "setup": setup, "sql": sql });
        let answer = self.ask(&request)?;
        let columns = answer["columns"].as_array().ok_or("no columns")?;
        let rows = answer["rows"].as_array().ok_or("no rows")?;
        Ok(Answer {
            columns: columns.iter().map(|c| c.as_str().unwrap_or_default().to_owned()).collect(),
            rows: rows.iter().map(|r| r.as_array().cloned().unwrap_or_default()).collect(),
        })
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nothing to do about it either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a database answered.
pub struct Answer {
    /// Column names.
    pub columns: Vec<String>,
    /// Cells as JSON: numbers, text, truth values, null, and "NaN", "Infinity", "-Infinity" for floats.
    pub rows: Vec<Vec<Value>>,
}

fn to_json(cell: &Scalar) -> Value {
    let float = |x: f64| match x {
        _ if x.is_nan() => json!("NaN"),
        _ if x == f64::INFINITY => json!("Infinity"),
        _ if x == f64::NEG_INFINITY => json!("-Infinity"),
        _ => json!(x),
    };
    match cell {
        Scalar::Null => Value::Null,
        Scalar::Bool(x) => json!(x),
        Scalar::I64(x) => json!(x),
        Scalar::F32(x) => float(f64::from(*x)),
        Scalar::F64(x) => float(*x),
        Scalar::Str(x) => json!(**x),
    }
}

/// A cell of an answer as a value of the dtype that is expected there.
pub fn from_json(cell: &Value, dtype: DType) -> Scalar {
    let float = match cell {
        Value::Number(n) => n.as_f64(),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::String(s) => match s.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    match (dtype, cell) {
        (_, Value::Null) => Scalar::Null,
        (DType::Str, Value::String(s)) => Scalar::Str(s.as_str().into()),
        (DType::Bool, Value::Bool(b)) => Scalar::Bool(*b),
        (DType::I64, Value::Number(n)) if n.is_i64() => n.as_i64().map_or(Scalar::Null, Scalar::I64),
        (DType::Bool, _) => float.map_or(Scalar::Null, |x| Scalar::Bool(x != 0.0)),
        (DType::F32, _) => float.map_or(Scalar::Str(cell.to_string().into()), |x| Scalar::F32(x as f32)),
        _ => float.map_or(Scalar::Str(cell.to_string().into()), Scalar::F64),
    }
}
