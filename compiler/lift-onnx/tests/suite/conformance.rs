//! The node cases of the `onnx` package, which `testsuite/conformance/onnx_cases.py` writes: each is lifted, evaluated by
//! the reference, and equal; or it stands in `testsuite/conformance/onnx_out_of_scope.txt` with a reason.
//!
//! A case is a graph of one operator whose inputs all are the graph's. It is read in these ways, one after the other:
//!
//! 1. `rows`: the first axis of the inputs is the batch. Rows of data are bound to every input whose first extent is that
//!    of the first input, then to the first input alone, then to each other input alone; the others become initializers.
//! 2. `calls`: a row is a call. Data is bound to every input, to every input of floats, then to the first one alone.
//! 3. `constant`: every input is an initializer; the graph is folded.
//!
//! Every way that lifts must give the case's numbers. The first one that lifts is what the case passes as. A case that does
//! not pass as `rows` though its rows are not refused for mixing (`flock::lift::not_row_local`), one that passes as
//! `constant`, and one that passes in no way must be listed, each under its heading. An entry whose case passes better
//! than it says fails, and so does one that is no case's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use flock_ir_spec::{Frame, Module, Scalar, eval};
use flock_lift_onnx::{Options, Reading, lift};
use onnx_protobuf::{Message, ModelProto, NodeProto, TensorProto};

use crate::common::root;

/// How a case passes, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Rows,
    Calls,
    Constant,
    Refused,
}

impl Way {
    const ALL: [Way; 4] = [Way::Rows, Way::Calls, Way::Constant, Way::Refused];

    fn name(self) -> &'static str {
        match self {
            Way::Rows => "rows",
            Way::Calls => "calls",
            Way::Constant => "constant",
            Way::Refused => "refused",
        }
    }
}

/// An input or an output with its elements.
struct Value {
    name: String,
    kind: String,
    dims: Vec<usize>,
    elements: Vec<Scalar>,
}

struct Case {
    name: String,
    model: ModelProto,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    /// The inputs as what stands for them in the graph.
    known: Vec<Known>,
}

/// An input whose value is in the graph.
enum Known {
    /// An initializer.
    Tensor(Box<TensorProto>),
    /// Initializers, put into a sequence.
    Sequence(Vec<TensorProto>),
    /// An optional one that is not there.
    Absent,
}

fn folder() -> PathBuf {
    root().join("target/conformance/onnx")
}

fn element(kind: &str, text: &str) -> Option<Scalar> {
    Some(match kind {
        "bool" => Scalar::Bool(text == "1"),
        "float" | "double" | "float16" | "bfloat16" => Scalar::F64(text.parse().ok()?),
        k if k.starts_with("float") => Scalar::F64(text.parse().ok()?),
        "string" if text == "-" => Scalar::Str("".into()),
        "string" => {
            let bytes: Option<Vec<u8>> =
                (0..text.len() / 2).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect();
            Scalar::Str(String::from_utf8(bytes?).ok()?.into())
        }
        // A uint64 of 2^63 and above fits no i64; no case that lifts has one.
        _ => Scalar::I64(text.parse::<u64>().map(|x| x as i64).or_else(|_| text.parse()).ok()?),
    })
}

fn values(text: &str, side: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [which, name, kind, dims, elements] = fields[..] else { panic!("{line}") };
        let dims = dims.split_whitespace().map(|d| d.parse().expect("an extent")).collect();
        let elements = elements.split_whitespace().map(|e| element(kind, e).unwrap_or(Scalar::Null)).collect();
        (which == side).then(|| Value { name: name.into(), kind: kind.into(), dims, elements })
    };
    text.lines().filter_map(parse).collect()
}

fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path.join("values.txt")).expect("values");
    let inputs = values(&text, "input");
    let tensor = |file: String| TensorProto::parse_from_bytes(&std::fs::read(path.join(file)).ok()?).ok();
    let known = |(i, input): (usize, &Value)| match tensor(format!("input_{i}.pb")) {
        Some(t) => Known::Tensor(Box::new(t)),
        None if input.kind == "absent" => Known::Absent,
        None => Known::Sequence((0..).map_while(|j| tensor(format!("input_{i}_{j}.pb"))).collect()),
    };
    Case {
        name: path.file_name().expect("a name").to_string_lossy().into(),
        model: ModelProto::parse_from_bytes(&std::fs::read(path.join("model.onnx")).expect("a model"))
            .expect("a model"),
        known: inputs.iter().enumerate().map(known).collect(),
        inputs,
        outputs: values(&text, "output"),
    }
}

impl Case {
    /// The model with the values of the inputs that are not bound.
    fn bound(&self, bound: &[usize]) -> Option<Vec<u8>> {
        let mut model = self.model.clone();
        let graph = model.graph.as_mut()?;
        let mut inputs = std::mem::take(&mut graph.input);
        for (i, info) in inputs.drain(..).enumerate() {
            if bound.contains(&i) {
                graph.input.push(info);
                continue;
            }
            let mut node = NodeProto { op_type: "Optional".into(), output: vec![info.name], ..NodeProto::default() };
            match self.known.get(i)? {
                Known::Tensor(tensor) => {
                    graph.initializer.push(TensorProto::clone(tensor));
                    continue;
                }
                Known::Sequence(tensors) => {
                    node.op_type = if tensors.is_empty() { "SequenceEmpty" } else { "SequenceConstruct" }.into();
                    node.input = tensors.iter().map(|t| t.name.clone()).collect();
                    graph.initializer.extend(tensors.iter().cloned());
                }
                Known::Absent => {}
            }
            graph.node.insert(0, node);
        }
        model.write_to_bytes().ok()
    }

    /// The sets of inputs to bind, in order.
    fn bindings(&self, way: Way) -> Vec<Vec<usize>> {
        let tensor = |i: &usize| matches!(self.known[*i], Known::Tensor(_));
        let all: Vec<usize> = (0..self.inputs.len()).filter(tensor).collect();
        let mut sets: Vec<Vec<usize>> = match way {
            Way::Rows => {
                let Some(n) = all.first().and_then(|i| self.inputs[*i].dims.first()) else { return Vec::new() };
                let batched = |i: &&usize| self.inputs[**i].dims.first() == Some(n);
                let mut sets = vec![all.iter().filter(batched).copied().collect()];
                sets.extend(all.iter().filter(|i| !self.inputs[**i].dims.is_empty()).map(|i| vec![*i]));
                sets
            }
            Way::Calls => {
                let float = |i: &&usize| self.inputs[**i].kind.contains("float") || self.inputs[**i].kind == "double";
                let mut sets = vec![all.clone(), all.iter().filter(float).copied().collect()];
                sets.extend(all.iter().map(|i| vec![*i]));
                sets.retain(|s: &Vec<usize>| !s.is_empty());
                sets
            }
            Way::Constant => vec![Vec::new()],
            Way::Refused => Vec::new(),
        };
        let mut seen = BTreeSet::new();
        sets.retain(|s| seen.insert(s.clone()));
        sets
    }

    fn lifted(&self, way: Way, bound: &[usize]) -> Result<Module, Vec<(String, String)>> {
        let none = || vec![("no tensor".to_owned(), "an input is no tensor".to_owned())];
        let bytes = self.bound(bound).ok_or_else(none)?;
        let reading = if way == Way::Rows { Reading::Rows } else { Reading::Calls };
        let options = Options { reading: Some(reading), ..Options::default() };
        lift("case", &bytes, &options)
            .map_err(|faults| faults.iter().map(|f| (f.code.to_owned(), f.to_string())).collect())
    }

    /// Where a lifted case differs from what it should give.
    fn differences(&self, module: &Module, way: Way, bound: &[usize]) -> Vec<String> {
        let rows = if way == Way::Rows { self.inputs[bound[0]].dims[0] } else { 1 };
        let function = &module.functions[0];
        let mut columns = BTreeMap::new();
        for i in bound {
            let v = &self.inputs[*i];
            let width = v.elements.len() / rows.max(1);
            for c in 0..width {
                let name = if width == 1 { v.name.clone() } else { format!("{}_{c}", v.name) };
                columns.insert(name, (0..rows).map(|r| v.elements[r * width + c].clone()).collect::<Vec<_>>());
            }
        }
        let params: Vec<Frame> =
            function.params.iter().map(|p| Frame::from_fn(rows, p.ty, |r, _| columns[&*p.name][r].clone())).collect();
        let found = match eval::call(module, function, rows, &params) {
            Ok(found) => found,
            Err(e) => return vec![e.to_string()],
        };
        let mut found = found.iter();
        let terms = self.inputs.iter().map(|i| i.elements.len()).max().unwrap_or(0);
        let mut differences = Vec::new();
        for output in &self.outputs {
            let columns: Vec<&Frame> = found.by_ref().take(output.elements.len() / rows.max(1)).collect();
            if columns.len() * rows != output.elements.len() {
                return vec![format!("`{}`: {} columns", output.name, columns.len())];
            }
            differences.extend(output.differences(&columns, rows, way == Way::Rows, terms));
        }
        if found.next().is_some() {
            differences.push("more columns than the outputs have".into());
        }
        differences
    }
}

impl Value {
    /// Where columns differ from a tensor. Which axis the rows are is not said: any axis of as many indices may be it.
    fn differences(&self, columns: &[&Frame], rows: usize, by_rows: bool, terms: usize) -> Vec<String> {
        let axes: Vec<usize> =
            if by_rows { (0..self.dims.len()).filter(|a| self.dims[*a] == rows).collect() } else { vec![usize::MAX] };
        let best = axes.into_iter().map(|axis| self.along(columns, rows, axis, terms)).min_by_key(Vec::len);
        best.unwrap_or_else(|| vec![format!("`{}` {:?} has no axis of {rows} rows", self.name, self.dims)])
    }

    fn along(&self, columns: &[&Frame], rows: usize, axis: usize, terms: usize) -> Vec<String> {
        let inner: usize = self.dims.get(axis.wrapping_add(1)..).map_or(1, |d| d.iter().product());
        let mut differences = Vec::new();
        for (c, column) in columns.iter().enumerate() {
            for r in 0..rows {
                let at = if axis == usize::MAX { c } else { (c / inner * rows + r) * inner + c % inner };
                let (found, expected) = (column.get(r, 0), &self.elements[at]);
                if !self.equal(&found, expected, terms) {
                    differences.push(format!("`{}`[{at}]: {found:?}, expected {expected:?}", self.name));
                }
            }
        }
        differences
    }

    /// Integers, truth values and text exactly; floats within 1e-5 (1e-9 for double, two units in the last place for what
    /// has fewer bits) of their size, or of 1 where they are smaller.
    fn equal(&self, found: &Scalar, expected: &Scalar, terms: usize) -> bool {
        let (found, expected) = match (found, expected) {
            (Scalar::F32(a), Scalar::F64(b)) => (f64::from(*a), *b),
            (Scalar::F64(a), Scalar::F64(b)) => (*a, *b),
            (a, b) => return a == b,
        };
        let tolerance = match self.kind.as_str() {
            "double" => 1e-9,
            // A sum of thousands of numbers in float32 depends on its order.
            "float" if terms > 4096 => 1e-4,
            "float" => 1e-5,
            "bfloat16" => 1.0 / 128.0,
            "float16" => 1.0 / 1024.0,
            _ => 0.0,
        };
        found == expected
            || (found.is_nan() && expected.is_nan())
            || (found - expected).abs() <= tolerance * expected.abs().max(1.0)
    }
}

/// What came of a case.
struct Outcome {
    way: Way,
    /// Whether the rows were refused for a reason that the list must give.
    unexplained: bool,
    wrong: Vec<String>,
    faults: Vec<String>,
}

fn run(case: &Case) -> Outcome {
    let mut outcome = Outcome { way: Way::Refused, unexplained: false, wrong: Vec::new(), faults: Vec::new() };
    let mut mixes = false;
    for way in [Way::Rows, Way::Calls, Way::Constant] {
        for bound in case.bindings(way) {
            match case.lifted(way, &bound) {
                Ok(module) => {
                    let differences = case.differences(&module, way, &bound);
                    if differences.is_empty() {
                        outcome.way = outcome.way.min(way);
                    } else {
                        let first = differences.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
                        outcome.wrong.push(format!(
                            "{} {bound:?}: {} differences: {first}",
                            way.name(),
                            differences.len()
                        ));
                    }
                }
                Err(faults) => {
                    mixes |= way == Way::Rows && faults.iter().any(|f| f.0 == "flock::lift::not_row_local");
                    outcome.faults.extend(faults.into_iter().map(|f| format!("{} {bound:?}: {}", way.name(), f.1)));
                }
            }
        }
    }
    let scalar = case.inputs.first().is_none_or(|i| i.dims.is_empty());
    outcome.unexplained = outcome.way == Way::Calls && !mixes && !scalar;
    outcome
}

/// An entry of the list: a pattern with `*`, under which heading, why.
struct Entry {
    way: Way,
    pattern: String,
}

fn entries() -> Vec<Entry> {
    let path = root().join("testsuite/conformance/onnx_out_of_scope.txt");
    let text = std::fs::read_to_string(path).expect("the list");
    let mut way = Way::Refused;
    let mut entries = Vec::new();
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            way = Way::ALL.into_iter().find(|w| w.name() == heading).expect("a heading");
            continue;
        }
        let (pattern, reason) = line.split_once(": ").expect("`pattern: reason`");
        assert!(!reason.trim().is_empty(), "`{pattern}` has no reason");
        entries.push(Entry { way, pattern: pattern.trim().to_owned() });
    }
    entries
}

/// Whether a name is of a pattern in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn the_node_cases_of_onnx() {
    let folder = folder();
    if !folder.join("version.txt").exists() {
        assert!(std::env::var_os("FLOCK_REQUIRE_CONFORMANCE").is_none(), "{} is not there", folder.display());
        eprintln!("skipped: the node cases of onnx; testsuite/conformance/onnx_cases.py writes them");
        return;
    }
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    folders.retain(|p| p.is_dir());
    folders.sort();
    let wanted = std::env::var("FLOCK_CASE").unwrap_or_default();
    let names: Vec<String> = folders.iter().map(|p| p.file_name().expect("a name").to_string_lossy().into()).collect();
    let chosen: Vec<&PathBuf> =
        folders.iter().zip(&names).filter(|(_, n)| n.contains(&wanted)).map(|(p, _)| p).collect();
    let outcomes: Vec<(String, Outcome)> = std::thread::scope(|scope| {
        let parts: Vec<_> = chosen
            .chunks(chosen.len().div_ceil(4).max(1))
            .map(|part| {
                scope.spawn(|| part.iter().map(|p| read(p)).map(|c| (c.name.clone(), run(&c))).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|p| p.join().expect("a part")).collect()
    });
    let entries = entries();
    let (mut report, mut counts) = (String::new(), BTreeMap::new());
    let mut used = vec![false; entries.len()];
    for (name, outcome) in &outcomes {
        *counts.entry(outcome.way).or_insert(0) += 1;
        for wrong in &outcome.wrong {
            let _ = writeln!(report, "{name}: {wrong}");
        }
        let needed = outcome.way > Way::Calls || outcome.unexplained;
        // Of several patterns the longest counts, so that one can say what a wider one does not. An operator that is
        // refused may be lifted where the file writes it out in others: what is expanded is spoken of by that name.
        let speaks = |p: &str| matches(p, name) && p.contains("expanded") == name.contains("_expanded");
        let listed =
            (0..entries.len()).filter(|i| speaks(&entries[*i].pattern)).max_by_key(|i| entries[*i].pattern.len());
        if let Some(i) = listed {
            used[i] = true;
        }
        match listed.map(|i| &entries[i]) {
            Some(e) if e.way == outcome.way => {}
            Some(e) => {
                let _ = writeln!(report, "{name}: listed as {}, passes as {}", e.way.name(), outcome.way.name());
            }
            None if needed => {
                let why = outcome.faults.first().cloned().unwrap_or_default();
                let _ = writeln!(report, "{name}: passes as {} and is not listed: {why}", outcome.way.name());
            }
            None => {}
        }
    }
    if wanted.is_empty() {
        for (e, _) in entries.iter().zip(used).filter(|(_, u)| !u) {
            let _ = writeln!(report, "`{}` is listed and is no case", e.pattern);
        }
    } else if std::env::var_os("FLOCK_SHOW").is_some() {
        for (name, outcome) in &outcomes {
            outcome.faults.iter().for_each(|f| eprintln!("{name} {f}"));
        }
    }
    let summary: Vec<String> =
        Way::ALL.iter().map(|w| format!("{} {}", counts.get(w).unwrap_or(&0), w.name())).collect();
    eprintln!("node cases of onnx: {} of {} ({})", outcomes.len(), names.len(), summary.join(", "));
    assert!(report.is_empty(), "\n{report}");
}
