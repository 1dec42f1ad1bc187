//! Every case on every engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use flock::artefact::{self, LoadOptions, Pipeline};
use flock::{frames, score};
use flock_ir_spec::{DType, Frame, FrameType, Scalar};
use flock_testsuite::case::{Case, Table, all_cases};
use flock_testsuite::compare::difference;
use flock_testsuite::databases::{Answer, Databases, from_json};

/// One model of a case with what the library answered.
pub struct Subject {
    pub name: String,
    pub case: Case,
    model: std::path::PathBuf,
    columns: Option<Vec<String>>,
    data: Table,
    run: Table,
}

impl Subject {
    pub fn load(&self) -> Result<Pipeline, String> {
        let types = self.data.columns.iter().cloned().collect();
        let options = LoadOptions { columns: self.columns.clone(), types };
        artefact::load(&self.model, &options).map_err(|e| e.report(false))
    }
}

pub fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for case in all_cases().unwrap() {
        for (suffix, model) in case.models() {
            let table = |name: &str, body: Option<&str>| {
                let body = body.unwrap_or_else(|| panic!("{}: no section {name}", case.name()));
                Table::parse(body).unwrap_or_else(|e| panic!("{}: {name}: {e}", case.name()))
            };
            let data = table("data", case.section("data"));
            let names = || data.columns.iter().map(|(n, _)| n.clone()).collect();
            let given = case.option("columns").map(|c| c.split(',').map(|n| n.trim().to_owned()).collect());
            let array = suffix == "onnx" && array_twin(&case);
            subjects.push(Subject {
                name: format!("{} {suffix}", case.name()),
                columns: if array { Some(names()) } else { given },
                run: table(&format!("run:{suffix}"), case.run(&suffix)),
                case: case.clone(),
                model,
                data,
            });
        }
    }
    assert!(subjects.len() > 60, "only {} subjects: where are the cases?", subjects.len());
    subjects
}

/// Whether the twin has one input `X` of all columns: what the option says, or what skl2onnx needs for the model.
fn array_twin(case: &Case) -> bool {
    let section = case.section("onnx").unwrap_or_default();
    let names = section.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| k.trim() == "names");
    match names {
        Some((_, value)) => value.trim() == "array",
        None => !case.section("sklearn").unwrap_or_default().contains("ColumnTransformer"),
    }
}

fn batch(data: &Table) -> RecordBatch {
    let column = |j: usize| -> (Field, ArrayRef) {
        let (name, dtype) = &data.columns[j];
        let frame =
            Frame::from_fn(data.rows.len(), FrameType::new(*dtype, 1).nullable(), |i, _| data.rows[i][j].clone());
        (Field::new(name, frames::data_type(*dtype), true), frames::to_arrow(&frame, 0))
    };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = (0..data.columns.len()).map(column).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// The columns that an engine gave, by name.
type Columns = BTreeMap<String, Vec<Scalar>>;

fn from_arrays(names: impl Iterator<Item = String>, arrays: &[ArrayRef]) -> Columns {
    let column = |a: &ArrayRef| {
        let dtype = DType::ALL.into_iter().find(|d| frames::data_type(*d) == *a.data_type()).unwrap();
        let frame = frames::from_arrow(a, FrameType::new(dtype, 1).nullable()).unwrap();
        (0..frame.rows).map(|i| frame.get(i, 0)).collect()
    };
    names.zip(arrays).map(|(n, a)| (n, column(a))).collect()
}

/// What differs from the library's answer; at most a few lines.
fn differences(s: &Subject, found: &Columns) -> Vec<String> {
    let mut all = Vec::new();
    for (j, (name, dtype)) in s.run.columns.iter().enumerate() {
        let Some(column) = found.get(name) else {
            all.push(format!("no column `{name}`; there are {:?}", found.keys().collect::<Vec<_>>()));
            continue;
        };
        let default = if *dtype == DType::F32 { 1e-5 } else { 1e-9 };
        let tolerance = s.case.option("tolerance").map_or(default, |t| t.parse().unwrap());
        if column.len() != s.run.rows.len() {
            all.push(format!("{name}: {} rows, expected {}", column.len(), s.run.rows.len()));
            continue;
        }
        for (i, value) in column.iter().enumerate() {
            if let Some(why) = difference(value, &s.run.rows[i][j], tolerance) {
                all.push(format!("row {i} {:?}: {name}: {why}", s.data.rows[i]));
            }
        }
    }
    if found.len() != s.run.columns.len() {
        all.push(format!("{} columns, expected {}: {:?}", found.len(), s.run.columns.len(), found.keys()));
    }
    let more = all.len().saturating_sub(4);
    all.truncate(4);
    if more > 0 {
        all.push(format!("… and {more} more"));
    }
    all
}

/// What an engine says that it cannot do, and why: `testsuite/unsupported/<engine>.txt`, one `subject: reason` a line.
fn listed(engine: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("unsupported").join(format!("{engine}.txt"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let entry = |l: &str| l.split_once(": ").map(|(n, why)| (n.to_owned(), why.to_owned()));
    text.lines().filter(|l| !l.starts_with('#')).filter_map(entry).collect()
}

/// To standard error itself, which the test harness does not swallow.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs every subject; the list of the unsupported must be exactly what fails by name.
fn check(engine: &str, mut run: impl FnMut(&Subject) -> Result<Columns, String>) {
    let only = std::env::var("FLOCK_CASE").ok();
    let listed = listed(engine);
    let mut failures = Vec::new();
    let mut passed = 0;
    for s in subjects().iter().filter(|s| only.as_ref().is_none_or(|o| s.name.contains(o.as_str()))) {
        let expected = listed.get(&s.name);
        match (run(s), expected) {
            (Ok(_), Some(_)) => failures.push(format!("{}: is listed as unsupported and runs", s.name)),
            (Err(e), Some(why)) if e.contains(why.as_str()) => {}
            (Err(e), _) => failures.push(format!("{}: {e}", s.name)),
            (Ok(found), None) => match differences(s, &found) {
                d if d.is_empty() => passed += 1,
                d => failures.push(format!("{}:\n    {}", s.name, d.join("\n    "))),
            },
        }
    }
    for name in listed.keys().filter(|n| only.is_none() && !subjects().iter().any(|s| s.name == **n)) {
        failures.push(format!("{name}: is listed as unsupported and is no subject"));
    }
    assert!(passed > 0 || !failures.is_empty(), "no subject ran: FLOCK_CASE={only:?}");
    say(&format!("{engine}: {passed} subjects equal, {} unsupported by name", listed.len()));
    assert!(failures.is_empty(), "{} failures on {engine}:\n{}", failures.len(), failures.join("\n"));
}

fn score_with(
    s: &Subject,
    make: impl Fn(&Pipeline) -> flock::Result<Box<dyn score::Scorer>>,
) -> Result<Columns, String> {
    let pipeline = s.load()?;
    let scorer = make(&pipeline).map_err(|e| e.report(false))?;
    let arrays = score::batch(&*scorer, &batch(&s.data)).map_err(|e| e.report(false))?;
    Ok(from_arrays(scorer.outputs().iter().map(|f| f.name.clone()), &arrays))
}

#[test]
fn reference() {
    check("reference", |s| score_with(s, score::reference));
}

#[test]
fn native() {
    check("native", |s| score_with(s, score::native));
}

/// The optimiser must not change an answer.
#[test]
fn optimized() {
    check("optimized", |s| score_with(s, |p| score::reference(&flock::optimize::function(p)?.pipeline)));
}

#[test]
fn sqlite() {
    database("sqlite");
}

#[test]
fn duckdb() {
    database("duckdb");
}

#[test]
fn postgres() {
    database("postgres");
}

/// Skips, aloud, where the database is not there; CI sets `FLOCK_REQUIRE_DATABASES` and fails instead.
fn database(engine: &str) {
    let started = Databases::start().and_then(|mut d| d.probe(engine).map(|v| (d, v)));
    let mut databases = match started {
        Ok((d, version)) => {
            say(&format!("{engine} {version}"));
            d
        }
        Err(why) if std::env::var_os("FLOCK_REQUIRE_DATABASES").is_some() => panic!("{engine}: {why}"),
        Err(why) => return say(&format!("skipped: {engine}: {why}")),
    };
    check(engine, |s| {
        let pipeline = s.load()?;
        let options = flock::compile::SqlOptions {
            dialect: engine.into(),
            table: "data".into(),
            keep: vec![ROW.into()],
            ..Default::default()
        };
        let sql = flock::compile::sql(&pipeline, &options).map_err(|e| e.report(false))?;
        let answer =
            databases.query(engine, "data", &numbered(&s.data), &sql).map_err(|e| format!("{e}\n{}", short(&sql)))?;
        in_order(&pipeline, answer)
    });
}

/// A column that says which row it is: a database may give rows in another order.
const ROW: &str = "row number";

fn numbered(data: &Table) -> Table {
    let mut table = data.clone();
    table.columns.push((ROW.into(), DType::I64));
    table.rows.iter_mut().enumerate().for_each(|(i, row)| row.push(Scalar::I64(i as i64)));
    table
}

/// The columns of an answer in the order of the rows that were asked.
fn in_order(pipeline: &Pipeline, mut answer: Answer) -> Result<Columns, String> {
    let at = answer.columns.iter().position(|c| c == ROW).ok_or("the kept column is not there")?;
    answer.rows.sort_by_key(|r| r[at].as_i64());
    let dtype = |name: &str| {
        let output = pipeline.function().output(name);
        output.and_then(|o| pipeline.function().output_type(o)).map_or(DType::F64, |t| t.dtype)
    };
    let column = |j: usize| {
        let name = &answer.columns[j];
        (name.clone(), answer.rows.iter().map(|r| from_json(&r[j], dtype(name))).collect())
    };
    Ok((0..answer.columns.len()).filter(|j| *j != at).map(column).collect())
}

fn short(sql: &str) -> String {
    sql.chars().take(2000).collect()
}
