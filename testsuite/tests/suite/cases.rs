//! Every case on every engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use flock::artefact::{self, LoadOptions, Pipeline};
use flock::codegen::Codegen;
use flock::{frames, score};
use flock_ir_spec::{DType, Diagnostic, Frame, FrameType, Scalar};
use flock_testsuite::case::{Case, Table, all_cases};
use flock_testsuite::compare::{difference, distance};
use flock_testsuite::databases::{Answer, Databases, from_json};

/// One model of a case with what the library answered.
pub struct Subject {
    pub name: String,
    pub case: Case,
    /// What the model is of: `sklearn-1.9`, …, `onnx`.
    pub suffix: String,
    pub model: std::path::PathBuf,
    columns: Option<Vec<String>>,
    pub data: Table,
    pub run: Table,
    /// Words of the reason for which the model is refused, in a case that is there to hold that.
    pub refused: Option<String>,
}

impl Subject {
    pub fn load(&self) -> Result<Pipeline, String> {
        self.lift().map_err(|e| e.report(false))
    }

    pub fn lift(&self) -> flock::Result<Pipeline> {
        let define = self.define().map(|path| artefact::definitions(&[path])).transpose()?.unwrap_or_default();
        let (columns, types) = self.given();
        artefact::load(&self.model, &LoadOptions { columns, types, define })
    }

    /// The file that says what custom classes mean, where the case has one.
    pub fn define(&self) -> Option<std::path::PathBuf> {
        self.case.option("define").map(|file| self.case.path.with_file_name(file))
    }

    /// What the model's file does not say: the names of its columns, and what those of the data hold.
    pub fn given(&self) -> (Option<Vec<String>>, BTreeMap<String, DType>) {
        (self.columns.clone(), self.data.columns.iter().cloned().collect())
    }
}

fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for case in all_cases().unwrap() {
        for (suffix, model) in case.models() {
            let table = |name: &str, body: Option<&str>| {
                let body = body.unwrap_or_else(|| panic!("{}: no section {name}", case.name()));
                Table::parse(body).unwrap_or_else(|e| panic!("{}: {name}: {e}", case.name()))
            };
            let refused = case.section("refused").map(str::to_owned);
            let nothing = || Table { columns: Vec::new(), rows: Vec::new() };
            let told = |name: &str, body| if refused.is_some() { nothing() } else { table(name, body) };
            let data = told("data", case.section("data"));
            let names = || data.columns.iter().map(|(n, _)| n.clone()).collect();
            let given = case.option("columns").map(|c| c.split(',').map(|n| n.trim().to_owned()).collect());
            let array = suffix == "onnx" && array_twin(&case);
            subjects.push(Subject {
                name: format!("{} {suffix}", case.name()),
                columns: if array { Some(names()) } else { given },
                run: told(&format!("run:{suffix}"), case.run(&suffix)),
                refused: refused.clone(),
                case: case.clone(),
                suffix,
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
        None => case.section("sklearn").is_some_and(|s| !s.contains("ColumnTransformer")),
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
pub type Columns = BTreeMap<String, Vec<Scalar>>;

/// An engine may give an array in another form (views of text, narrower integers): the pipeline says what it holds.
fn from_arrays(
    pipeline: &Pipeline,
    names: impl Iterator<Item = String>,
    arrays: &[ArrayRef],
) -> Result<Columns, Fault> {
    let column = |(name, array): (String, &ArrayRef)| {
        let frame = frames::from_arrow(array, FrameType::new(dtype(pipeline, &name), 1).nullable());
        let frame = frame.map_err(|e| Fault::Failed(format!("{name}: {}", e.message())))?;
        Ok((name, (0..frame.rows).map(|i| frame.get(i, 0)).collect()))
    };
    names.zip(arrays).map(column).collect()
}

/// What a column of the output holds.
fn dtype(pipeline: &Pipeline, name: &str) -> DType {
    let output = pipeline.function().output(name);
    output.and_then(|o| pipeline.function().output_type(o)).map_or(DType::F64, |t| t.dtype)
}

/// What an engine makes of a subject.
pub enum Verdict {
    /// The library's answer, with the greatest difference of a float: of its size, or of 1 where it is smaller.
    Equal(f64),
    /// Another answer; a few lines of it.
    Differs(Vec<String>),
    /// None, and it says why by name.
    Refused(Vec<Diagnostic>),
    /// None, for no reason that it knows.
    Failed(String),
}

/// Why there are no columns.
pub enum Fault {
    Refused(Vec<Diagnostic>),
    Failed(String),
}

impl From<flock::Error> for Fault {
    fn from(e: flock::Error) -> Fault {
        Fault::Refused(e.faults().to_vec())
    }
}

impl From<String> for Fault {
    fn from(e: String) -> Fault {
        Fault::Failed(e)
    }
}

/// The verdict on what an engine found.
fn judged(s: &Subject, found: Result<Columns, Fault>) -> Verdict {
    match found {
        Err(Fault::Refused(faults)) => Verdict::Refused(faults),
        Err(Fault::Failed(why)) => Verdict::Failed(why),
        Ok(found) => match compared(s, &found) {
            (lines, worst) if lines.is_empty() => Verdict::Equal(worst),
            (lines, _) => Verdict::Differs(lines),
        },
    }
}

/// What differs from the library's answer, at most a few lines, and the greatest difference of a float.
pub fn compared(s: &Subject, found: &Columns) -> (Vec<String>, f64) {
    let (mut all, mut worst) = (Vec::new(), 0.0f64);
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
            worst = worst.max(distance(value, &s.run.rows[i][j]));
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
    (all, worst)
}

/// What an engine says that it cannot do, and why: `testsuite/unsupported/<engine>.txt`, one `subject: reason` a line. The
/// name of a case without a suffix stands for all its models.
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

/// Every subject, read once.
pub fn all() -> &'static [Subject] {
    static ALL: OnceLock<Vec<Subject>> = OnceLock::new();
    ALL.get_or_init(subjects)
}

/// The engines that every subject is put to.
pub const ENGINES: [&str; 6] = ["reference", "native", "sqlite", "duckdb", "postgres", "datafusion"];

/// Files of earlier versions of a model. They lift to what the newest lifts to, or to nearly that, and DataFusion plans for
/// most of a second each: it is put to the newest alone.
const OLDER: [&str; 3] = ["sklearn-1.2", "sklearn-1.5", "sklearn-1.7"];

/// The subjects that are asked for, with what the engine makes of them; or why the engine is not there.
pub fn verdicts(engine: &'static str) -> Result<&'static [(&'static Subject, Verdict)], &'static str> {
    type Verdicts = Result<Vec<(&'static Subject, Verdict)>, String>;
    static KNOWN: Mutex<BTreeMap<&str, &'static OnceLock<Verdicts>>> = Mutex::new(BTreeMap::new());
    let cell = *KNOWN.lock().unwrap().entry(engine).or_insert_with(|| Box::leak(Box::default()));
    let verdicts = cell.get_or_init(|| {
        let mut ask = asker(engine)?;
        let only = std::env::var("FLOCK_CASE").ok();
        let asked = all().iter().filter(|s| only.as_ref().is_none_or(|o| s.name.contains(o.as_str())));
        let asked = asked.filter(|s| engine != "datafusion" || !OLDER.contains(&s.suffix.as_str()));
        Ok(asked.map(|s| (s, judged(s, ask(s)))).collect())
    });
    verdicts.as_deref().map_err(String::as_str)
}

/// Puts one subject to an engine.
type Ask = Box<dyn FnMut(&Subject) -> Result<Columns, Fault>>;

fn asker(engine: &'static str) -> Result<Ask, String> {
    Ok(match engine {
        "reference" => Box::new(|s| score_with(s, score::reference)),
        "native" => Box::new(|s| score_with(s, |p| score::native(p, Codegen::Cranelift))),
        "llvm" => Box::new(|s| score_with(s, |p| score::native(p, Codegen::Llvm))),
        // The optimiser must not change an answer.
        "optimized" => Box::new(|s| score_with(s, |p| score::reference(&flock::optimize::function(p)?.pipeline))),
        "datafusion" => embedded()?,
        _ => database(engine)?,
    })
}

/// Puts every subject to an engine; the list of the unsupported must be exactly what is refused by name. An engine that
/// is not there is skipped, aloud; CI sets `FLOCK_REQUIRE_DATABASES` and fails instead.
fn check(engine: &'static str) {
    let verdicts = match verdicts(engine) {
        Ok(verdicts) => verdicts,
        Err(why) if std::env::var_os("FLOCK_REQUIRE_DATABASES").is_some() => panic!("{engine}: {why}"),
        Err(why) => return say(&format!("skipped: {engine}: {why}")),
    };
    let (listed, mut failures, mut passed, mut refused) = (listed(engine), Vec::new(), 0, 0);
    for (s, verdict) in verdicts {
        let fault = |what: String| Some(format!("{}: {what}", s.name));
        refused += usize::from(s.refused.is_some());
        let known = || listed.get(&s.name).or_else(|| listed.get(&s.case.name()));
        failures.extend(match (verdict, s.refused.as_ref().or_else(known)) {
            (Verdict::Equal(_), None) => {
                passed += 1;
                None
            }
            (Verdict::Equal(_) | Verdict::Differs(_), Some(_)) => fault("is to be refused and runs".into()),
            (Verdict::Differs(lines), None) => fault(format!("\n    {}", lines.join("\n    "))),
            (Verdict::Failed(why), _) => fault(why.clone()),
            (Verdict::Refused(faults), listed) => {
                let told = faults.iter().map(|f| format!("{}: {}: {}", f.code, f.place, f.message)).collect::<Vec<_>>();
                let told = told.join("\n    ");
                if listed.is_some_and(|why| told.contains(why.as_str())) { None } else { fault(told) }
            }
        });
    }
    let whole = std::env::var_os("FLOCK_CASE").is_none();
    for name in listed.keys().filter(|n| whole && !all().iter().any(|s| [&s.name, &s.case.name()].contains(n))) {
        failures.push(format!("{name}: is listed as unsupported and is no subject"));
    }
    assert!(passed + refused > 0 || !failures.is_empty(), "no subject ran");
    say(&format!("{engine}: {passed} subjects equal, {} unsupported by name", listed.len() + refused));
    assert!(failures.is_empty(), "{} failures on {engine}:\n{}", failures.len(), failures.join("\n"));
}

fn score_with(
    s: &Subject,
    make: impl Fn(&Pipeline) -> flock::Result<Box<dyn score::Scorer>>,
) -> Result<Columns, Fault> {
    let pipeline = s.lift()?;
    let scorer = make(&pipeline)?;
    // A fault of a row is a fault of ours: rows that the library refuses are null.
    let arrays = score::batch(&*scorer, &batch(&s.data)).map_err(|e| Fault::Failed(e.report(false)))?;
    from_arrays(&pipeline, scorer.outputs().iter().map(|f| f.name.clone()), &arrays)
}

#[test]
fn reference() {
    check("reference");
}

#[test]
fn native() {
    check("native");
}

#[cfg(feature = "llvm")]
#[test]
fn llvm() {
    check("llvm");
}

#[test]
fn optimized() {
    check("optimized");
}

#[test]
fn sqlite() {
    check("sqlite");
}

#[test]
fn duckdb() {
    check("duckdb");
}

#[test]
fn postgres() {
    check("postgres");
}

#[cfg(feature = "query")]
#[test]
fn datafusion() {
    check("datafusion");
}

fn database(engine: &'static str) -> Result<Ask, String> {
    let mut databases = Databases::start()?;
    let version = databases.probe(engine)?;
    say(&format!("{engine} {version}"));
    Ok(Box::new(move |s| {
        let pipeline = s.lift()?;
        let options = flock::compile::SqlOptions {
            dialect: engine.into(),
            table: "data".into(),
            keep: vec![ROW.into()],
            ..Default::default()
        };
        let sql = flock::compile::sql(&pipeline, &options)?;
        let answer =
            databases.query(engine, "data", &numbered(&s.data), &sql).map_err(|e| format!("{e}\n{}", short(&sql)))?;
        Ok(in_order(&pipeline, answer)?)
    }))
}

/// DataFusion, within the compiler.
fn embedded() -> Result<Ask, String> {
    if !cfg!(feature = "query") {
        return Err("this build lacks the feature `query`".into());
    }
    Ok(Box::new(|s| {
        let pipeline = s.lift()?;
        let answer = flock::embedded::answerer(&pipeline)?;
        let data = batch(&s.data);
        let names = pipeline.function().params.iter().map(|p| &*p.name);
        let at: Vec<usize> = names.filter_map(|n| data.schema().index_of(n).ok()).collect();
        let data = data.project(&at).map_err(|e| e.to_string())?;
        let arrays = answer(&data).map_err(|e| Fault::Failed(e.report(false)))?;
        from_arrays(&pipeline, pipeline.function().outputs.iter().map(|o| o.name.to_string()), &arrays)
    }))
}

/// A column that says which row it is: a database may give rows in another order.
pub const ROW: &str = "row number";

pub fn numbered(data: &Table) -> Table {
    let mut table = data.clone();
    table.columns.push((ROW.into(), DType::I64));
    table.rows.iter_mut().enumerate().for_each(|(i, row)| row.push(Scalar::I64(i as i64)));
    table
}

/// The columns of an answer in the order of the rows that were asked.
pub fn in_order(pipeline: &Pipeline, mut answer: Answer) -> Result<Columns, String> {
    let at = answer.columns.iter().position(|c| c == ROW).ok_or("the kept column is not there")?;
    answer.rows.sort_by_key(|r| r[at].as_i64());
    let column = |j: usize| {
        let name = &answer.columns[j];
        (name.clone(), answer.rows.iter().map(|r| from_json(&r[j], dtype(pipeline, name))).collect())
    };
    Ok((0..answer.columns.len()).filter(|j| *j != at).map(column).collect())
}

fn short(sql: &str) -> String {
    sql.chars().take(2000).collect()
}
