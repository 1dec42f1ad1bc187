//! Shared libraries of compiled pipelines within databases: SQLite and PostgreSQL call them, DuckDB's Arrow tables go through.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use flock::library::Kind;
use flock_ir_spec::{DType, Scalar};
use flock_testsuite::databases::Databases;

use crate::cases::{Columns, ROW, Subject, in_order, numbered, say};
use crate::linked::{differences, library, members, outputs, run, scalar, subjects};

/// Where a database is not there, CI fails and others are told.
fn absent(what: &str, why: &str) {
    assert!(std::env::var_os("FLOCK_REQUIRE_DATABASES").is_none(), "{what}: {why}");
    say(&format!("skipped: {what}: {why}"));
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The calls of a subject's functions with its columns, under the names of the outputs. `cast` says how a column of a type
/// becomes an argument of another.
fn calls(
    s: &Subject,
    folder: &Path,
    name: &str,
    cast: impl Fn(&str, DType, DType) -> String,
) -> Vec<(String, DType, String)> {
    let header = std::fs::read_to_string(folder.join(format!("{name}.h"))).unwrap();
    let functions = members(&header, &format!("{name}_output"));
    let pipeline = s.load().unwrap();
    let argument = |p: &flock_ir_spec::Param| {
        let (column, dtype) = s.data.columns.iter().find(|(c, _)| **c == *p.name).unwrap();
        cast(&quoted(column), *dtype, p.ty.dtype)
    };
    let arguments: Vec<String> = pipeline.function().params.iter().map(argument).collect();
    let call = |((output, dtype), m): ((String, DType), &crate::linked::Member)| {
        let function = quoted(&format!("{name}_{}", m.name));
        (output, dtype, format!("{function}({})", arguments.join(", ")))
    };
    outputs(&pipeline).into_iter().zip(&functions).map(call).collect()
}

fn literal(cell: &Scalar) -> String {
    match cell {
        Scalar::Null => "NULL".into(),
        Scalar::Bool(b) => u8::from(*b).to_string(),
        Scalar::I64(x) => x.to_string(),
        Scalar::Str(t) => format!("'{}'", t.replace('\'', "''")),
        Scalar::F32(x) => literal(&Scalar::F64(f64::from(*x))),
        Scalar::F64(x) if x.is_nan() => "NULL".into(),
        Scalar::F64(x) if x.is_infinite() => format!("{}9e999", if *x < 0.0 { "-" } else { "" }),
        Scalar::F64(x) => format!("{x:e}"),
    }
}

#[test]
fn sqlite_extension() {
    if let Err(e) = Command::new("sqlite3").arg("--version").output() {
        return absent("the program sqlite3", &e.to_string());
    }
    let mut failures = Vec::new();
    for s in subjects() {
        let (folder, _) = library(s, Kind::Shared, "score.so");
        let calls = calls(s, folder.path(), "score", |column, _, _| column.to_owned());
        let mut script = String::from(".load ./score\n.headers off\n.mode list\n");
        let columns: Vec<String> = s.data.columns.iter().map(|(n, _)| quoted(n)).collect();
        let _ = writeln!(script, "CREATE TABLE data(number, {});", columns.join(", "));
        for (i, row) in s.data.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(literal).collect();
            let _ = writeln!(script, "INSERT INTO data VALUES ({i}, {});", cells.join(", "));
        }
        for (_, _, call) in &calls {
            let shown = "CASE typeof(v) WHEN 'null' THEN 'null' WHEN 'text' THEN 's' || hex(v) \
                         WHEN 'integer' THEN 'i' || v ELSE 'd' || quote(v) END";
            let _ = writeln!(script, "SELECT {shown} FROM (SELECT number, {call} AS v FROM data) ORDER BY number;");
        }
        std::fs::write(folder.path().join("script"), script).unwrap();
        let mut sqlite = Command::new("sqlite3");
        sqlite.args([":memory:", "-bail", "-init", "/dev/null", ".read script"]).current_dir(folder.path());
        let text = run(&mut sqlite);
        let lines: Vec<&str> = text.lines().collect();
        let n = s.data.rows.len();
        assert_eq!(lines.len(), n * calls.len(), "{}: {text}", s.name);
        let column = |(k, (name, dtype, _)): (usize, &(String, DType, String))| {
            (name.clone(), lines[k * n..(k + 1) * n].iter().map(|l| scalar(l, *dtype)).collect())
        };
        let found: Columns = calls.iter().enumerate().map(column).collect();
        failures.extend(differences(s, &found, 1));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A wrong argument is an error of the statement, and the connection lives.
#[test]
fn sqlite_refuses_by_name() {
    if let Err(e) = Command::new("sqlite3").arg("--version").output() {
        return absent("the program sqlite3", &e.to_string());
    }
    let s = subjects().into_iter().find(|s| s.name.starts_with("compose/odd_names")).unwrap();
    let (folder, _) = library(s, Kind::Shared, "score.so");
    let text = "SELECT score_prediction(1, 2, 'x', 3, 'y');\nSELECT score_prediction(1, 2, 3, 4, 5);\nSELECT 7;\n";
    std::fs::write(folder.path().join("script"), format!(".load ./score\n{text}")).unwrap();
    let mut sqlite = Command::new("sqlite3");
    sqlite.args([":memory:", ".read script"]).current_dir(folder.path());
    let output = sqlite.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(err.contains("a \"b\": expected a number") && err.contains("it's: expected text"), "{err}");
    assert_eq!(out.trim(), "7");
}

#[test]
fn postgres_functions() {
    let mut databases = match Databases::start().and_then(|mut d| d.probe("postgres").map(|_| d)) {
        Ok(databases) => databases,
        Err(why) => return absent("postgres", &why),
    };
    let mut failures = Vec::new();
    for (k, s) in subjects().into_iter().enumerate() {
        let name = format!("score{k}");
        let (folder, file) = library(s, Kind::Shared, &format!("{name}.so"));
        run(Command::new("chmod").arg("755").arg(folder.path()));
        let script = std::fs::read_to_string(folder.path().join(format!("{name}.sql"))).unwrap();
        let script = script.replace(&format!("$libdir/{name}.so"), &file.display().to_string());
        let cast = |column: &str, found: DType, wanted: DType| match wanted {
            DType::F32 if found != wanted => format!("CAST({column} AS real)"),
            _ => column.to_owned(),
        };
        let calls = calls(s, folder.path(), &name, cast);
        let columns: Vec<String> = calls.iter().map(|(n, _, call)| format!("{call} AS {}", quoted(n))).collect();
        let sql = format!("SELECT {}, {} FROM data", quoted(ROW), columns.join(", "));
        let answer = databases.query_after("postgres", "data", &numbered(&s.data), &[script], &sql);
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e}\n{sql}", s.name));
        failures.extend(differences(s, &in_order(&s.load().unwrap(), answer).unwrap(), 1));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn duckdb_through_arrow() {
    let mut databases = match Databases::start().and_then(|mut d| d.probe("library").map(|_| d)) {
        Ok(databases) => databases,
        Err(why) => return absent("duckdb", &why),
    };
    let mut failures = Vec::new();
    for (k, s) in subjects().into_iter().enumerate() {
        // A library that is loaded stays: each has a name of its own.
        let name = format!("score{k}");
        let (_folder, file) = library(s, Kind::Shared, &format!("{name}.so"));
        let pipeline = s.load().unwrap();
        let columns: Vec<String> = outputs(&pipeline).iter().map(|(n, _)| quoted(n)).collect();
        let columns = columns.join(", ");
        let sql = format!("library {} {name}\nSELECT {}, {columns} FROM scored", file.display(), quoted(ROW));
        let answer = databases.query("library", "data", &numbered(&s.data), &sql);
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e}\n{sql}", s.name));
        failures.extend(differences(s, &in_order(&pipeline, answer).unwrap(), 1));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
