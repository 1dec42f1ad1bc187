//! `COVERAGE.md`: every row of `coverage/rows.txt` on every engine, as the runs of the cases found it.
//!
//! Which rows a case is about is read from its model: the estimators that the lift met and what each does there, or the
//! operators of a graph. `FLOCK_BLESS=1` writes the page. An engine that is not there keeps the cells that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use flock::artefact;
use flock_ir_spec::Diagnostic;

use super::arrows::root;
use super::cases::{ENGINES, Subject, Verdict, all, verdicts};

/// A class and what it does.
type Row = (String, String);

/// What was seen of a row on one engine.
#[derive(Default)]
struct Seen {
    equal: usize,
    worst: f64,
    differs: usize,
    refused: BTreeSet<String>,
    refusals: usize,
}

/// Something in a model that is a row of the page.
struct Part {
    row: Vec<Row>,
    step: String,
    lifted: bool,
}

/// How far an answer may be from the library's, in words; beyond the last the case has raised its tolerance.
const BOUNDS: [(f64, &str); 6] = [
    (0.0, "equal"),
    (1e-15, "≤ 1e-15"),
    (1e-12, "≤ 1e-12"),
    (1e-9, "≤ 1e-9"),
    (1e-5, "≤ 1e-5"),
    (f64::INFINITY, "≤ tolerance"),
];

/// The longest reason in a cell.
const MAX_REASON: usize = 100;

impl Seen {
    fn text(&self) -> String {
        let refused = || self.refused.iter().map(|r| short(r)).collect::<Vec<_>>().join("; ");
        match self {
            Seen { differs: 1.., .. } => "differs".into(),
            Seen { equal: 0, refusals: 0, .. } => "missing".into(),
            Seen { equal: 0, .. } => format!("refused: {}", refused()),
            _ => {
                let bound = BOUNDS.iter().find(|(b, _)| self.worst <= *b).map_or("", |(_, word)| word);
                let also = if self.refusals > 0 { format!(", {} refused", self.refusals) } else { String::new() };
                format!("{bound}{also}")
            }
        }
    }
}

/// The bound of a cell: its rank and what stands behind it.
fn bound(cell: &str) -> Option<(usize, &str)> {
    BOUNDS.iter().enumerate().find_map(|(rank, (_, word))| Some((rank, cell.strip_prefix(word)?)))
}

fn short(reason: &str) -> String {
    let clean = reason.replace('|', "\\|").replace('\n', " ");
    match clean.char_indices().nth(MAX_REASON) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

/// A class by the name that the list has: libraries beside scikit-learn move theirs between modules.
fn listed_name(class: &str) -> String {
    match (class.split_once('.'), class.rsplit_once('.')) {
        (Some((library, _)), Some((_, name))) if !["sklearn", "ai"].contains(&library) => format!("{library}.{name}"),
        _ => class.to_owned(),
    }
}

/// The parts of a subject's model.
fn parts(s: &Subject) -> Vec<Part> {
    let bytes = std::fs::read(&s.model).unwrap_or_else(|e| panic!("{}: {e}", s.model.display()));
    let (columns, types) = s.given();
    if s.suffix.starts_with("sklearn") {
        let define = s.define().map(|path| artefact::definitions(&[path]).unwrap()).unwrap_or_default();
        let options = flock_lift_sklearn::Options { columns, types, define, booster: Some(artefact::booster) };
        let part = |seen: flock_lift_sklearn::Surveyed| {
            let class = listed_name(&seen.class);
            let told: Vec<Row> = seen.tasks.iter().map(|task| (class.clone(), task.name().to_owned())).collect();
            let listed = of_class(&class);
            // What is refused does not show what it would do.
            let row = if seen.lifted || told.iter().any(|row| listed.contains(row)) { told } else { listed };
            Part { row, step: seen.step, lifted: seen.lifted }
        };
        return flock_lift_sklearn::survey("model", &bytes, &options).0.into_iter().map(part).collect();
    }
    if let Some(kind) = boosting_kind(&s.suffix) {
        let options = flock_lift_trees::Options { columns, types };
        let task = flock_lift_trees::lift("model", &bytes, &options).ok().map(|module| boosting_task(&module));
        let row = task.map(|task| (kind.to_owned(), task.to_owned())).into_iter().collect();
        return vec![Part { lifted: true, step: String::new(), row }];
    }
    let operators = flock_lift_onnx::operators(&bytes);
    let part = |name: String| Part { step: name.clone(), row: vec![(name, "operator".into())], lifted: true };
    operators.into_iter().map(part).collect()
}

/// The row of a gradient boosting file.
fn boosting_kind(suffix: &str) -> Option<&'static str> {
    Some(match suffix {
        "lightgbm.txt" => "LightGBM text",
        "xgboost.json" => "XGBoost JSON",
        "xgboost.ubj" => "XGBoost UBJSON",
        "catboost.json" => "CatBoost JSON",
        "catboost.cbm" => "CatBoost cbm",
        _ => return None,
    })
}

/// What such a file predicts, by its columns.
fn boosting_task(module: &flock_ir_spec::Module) -> &'static str {
    let names = || module.functions.iter().flat_map(|f| &f.outputs).map(|o| &*o.name);
    match names().filter(|n| n.starts_with("probability_")).count() {
        _ if names().any(|n| n == "prediction_1") => "multi-output",
        0 if names().count() == 1 => "regression",
        2 => "binary",
        _ => "multiclass",
    }
}

/// Whether a refusal is about a part: the lift stopped at it, or the fault's place is its step or lies within it.
fn concerns(part: &Part, faults: &[Diagnostic], parts: &[Part]) -> Vec<String> {
    let of = |f: &&Diagnostic| {
        if f.code.starts_with("flock::lift") && parts.iter().any(|p| !p.lifted) {
            return !part.lifted;
        }
        let operator = part.step.rsplit('.').next().unwrap_or_default();
        let inside = |p: &Part| {
            p.step.is_empty() || f.place == p.step || f.place.strip_prefix(&*p.step).is_some_and(|r| r.starts_with('.'))
        };
        let deepest = parts.iter().filter(|p| inside(p)).map(|p| p.step.len()).max();
        match deepest {
            Some(n) => inside(part) && part.step.len() == n,
            None => !f.place.contains('(') || f.place.contains(&format!("({operator})")),
        }
    };
    faults.iter().filter(of).map(|f| f.message.clone()).collect()
}

type Page = BTreeMap<Row, BTreeMap<&'static str, Seen>>;

/// Everything that the engines found, and the versions whose files were answered equally.
fn seen() -> (Page, BTreeMap<Row, BTreeSet<String>>, BTreeSet<&'static str>) {
    let (mut page, mut versions, mut asked) = (Page::new(), BTreeMap::new(), BTreeSet::new());
    let known: BTreeMap<&str, Vec<Part>> = all().iter().map(|s| (&*s.name, parts(s))).collect();
    for engine in ENGINES {
        let Ok(verdicts) = verdicts(engine) else { continue };
        asked.insert(engine);
        for (s, verdict) in verdicts {
            let parts = &known[&*s.name];
            for (part, row) in parts.iter().flat_map(|p| p.row.iter().map(move |row| (p, row))) {
                let seen = page.entry(row.clone()).or_default().entry(engine).or_default();
                match verdict {
                    Verdict::Equal(worst) => {
                        seen.equal += 1;
                        seen.worst = seen.worst.max(*worst);
                        let version = s.suffix.strip_prefix("sklearn-").filter(|_| engine == "reference");
                        let of_row: &mut BTreeSet<String> = versions.entry(row.clone()).or_default();
                        of_row.extend(version.map(str::to_owned));
                    }
                    Verdict::Refused(faults) => {
                        let why = concerns(part, faults, parts);
                        seen.refusals += usize::from(!why.is_empty());
                        seen.refused.extend(why);
                    }
                    Verdict::Differs(_) | Verdict::Failed(_) => seen.differs += 1,
                }
            }
        }
    }
    (page, versions, asked)
}

/// Every row of the list that a class has.
fn of_class(class: &str) -> Vec<Row> {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| listed().into_iter().flat_map(|(_, rows)| rows).collect());
    ROWS.iter().filter(|(c, _)| c == class).cloned().collect()
}

/// A heading of the list with its rows.
type Family = (String, Vec<Row>);

fn listed() -> Vec<Family> {
    let path = root().join("testsuite/coverage/rows.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines().filter(|l| !l.is_empty()) {
        if let Some(name) = line.strip_prefix("# ") {
            families.push((name.to_owned(), Vec::new()));
        } else if let (Some((class, tasks)), Some((_, rows))) = (line.split_once(": "), families.last_mut()) {
            rows.extend(tasks.split(", ").map(|task| (class.to_owned(), task.to_owned())));
        }
    }
    // The comment above the list has no rows.
    families.retain(|(_, rows)| !rows.is_empty());
    families
}

/// The cells of a committed page by row and engine.
fn cells(page: &str) -> BTreeMap<(Row, String), String> {
    let mut cells = BTreeMap::new();
    for line in page.lines().filter(|l| l.starts_with("| `")) {
        let parts: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let row = (parts[0].trim_matches('`').to_owned(), parts[1].to_owned());
        for (engine, cell) in ENGINES.iter().zip(&parts[3..]) {
            cells.insert((row.clone(), (*engine).to_owned()), cell.trim_end_matches(" |").to_owned());
        }
    }
    cells
}

/// The page: fresh cells, and old ones of engines that were not asked. Unless it is written anew, a bound that is kept
/// with room to spare stands: processors round differently.
fn render(old: &str, bless: bool) -> String {
    let (page, versions, asked) = seen();
    let before = cells(old);
    let cell = |row: &Row, engine: &'static str| {
        let before = before.get(&(row.clone(), engine.to_owned()));
        if !asked.contains(engine) {
            return before.cloned().unwrap_or_else(|| "not asked".into());
        }
        let fresh = page.get(row).and_then(|r| r.get(engine)).map_or_else(|| "missing".into(), Seen::text);
        match (before.and_then(|b| bound(b)), bound(&fresh)) {
            (Some((was, rest)), Some((is, more))) if !bless && is <= was && rest == more => before.unwrap().clone(),
            _ => fresh,
        }
    };
    let mut families = listed();
    let on_list: BTreeSet<Row> = families.iter().flat_map(|(_, rows)| rows.clone()).collect();
    let others: Vec<Row> = page.keys().filter(|row| !on_list.contains(*row)).cloned().collect();
    families.push(("Beside the list".into(), others));
    let mut tables = String::new();
    let mut equal = [0usize; ENGINES.len()];
    let mut refused = [0usize; ENGINES.len()];
    for (family, rows) in &families {
        tables += &format!("\n## {family}\n\n| class | task | versions | {} |\n", ENGINES.join(" | "));
        tables += &format!("|{}\n", "---|".repeat(3 + ENGINES.len()));
        for row in rows {
            let found: Vec<String> = ENGINES.iter().map(|e| cell(row, e)).collect();
            for (at, text) in found.iter().enumerate().filter(|_| on_list.contains(row)) {
                equal[at] += usize::from(bound(text).is_some());
                refused[at] += usize::from(text.starts_with("refused"));
            }
            let of = versions.get(row).map(|v| v.iter().cloned().collect::<Vec<_>>().join(" ")).unwrap_or_default();
            tables += &format!("| `{}` | {} | {of} | {} |\n", row.0, row.1, found.join(" | "));
        }
    }
    let total = on_list.len();
    let share = |n: usize| format!("{n} ({:.0} %)", 100.0 * n as f64 / total as f64);
    let mut totals = format!("| of {total} rows | {} |\n|{}\n", ENGINES.join(" | "), "---|".repeat(1 + ENGINES.len()));
    for (what, counts) in [("equal", equal), ("refused by name", refused)] {
        totals += &format!("| {what} | {} |\n", counts.map(share).join(" | "));
    }
    format!("{HEAD}\n{totals}{tables}")
}

const HEAD: &str = "\
# Coverage

Written by the tests from what they found (`FLOCK_BLESS=1 cargo test --release --features query -p flock-testsuite`);
nothing here is kept by hand but the list of rows, `coverage/rows.txt`. A row is a class with a task, an operator, or a
kind of file.

- `equal`: every number is the library's, or the greatest difference seen, of a number's size (of 1 where it is smaller);
  graphs of float32 are held to 1e-5; `2 refused`: that many models with it are refused, for one of its options
- `refused: …`: every model with it is refused by name, and why
- `missing`: no case has it, or no lifter
- versions: the scikit-learn versions whose files the reference answers equally
";

#[test]
fn the_page_of_coverage_is_fresh() {
    if std::env::var_os("FLOCK_CASE").is_some() {
        return;
    }
    let path: PathBuf = root().join("testsuite/COVERAGE.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let bless = std::env::var_os("FLOCK_BLESS").is_some();
    if !bless && std::env::var_os("FLOCK_REQUIRE_DATABASES").is_none() {
        return;
    }
    let fresh = render(&old, bless);
    if bless {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    let lines = |page: &str| page.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let stale: Vec<String> = lines(&fresh).difference(&lines(&old)).take(20).cloned().collect();
    assert!(fresh == old, "testsuite/COVERAGE.md is stale; FLOCK_BLESS=1 writes it:\n{}", stale.join("\n"));
}
