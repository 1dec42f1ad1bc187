//! Libraries of compiled pipelines, linked into C programs and loaded by databases: the answers are the training library's.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use flock::codegen::Codegen;
use flock::library::{Kind, Request, files};
use flock_ir_spec::{DType, Scalar};
use flock_plan::Cpu;
use flock_testsuite::case::Table;

use crate::arrows::root;
use crate::cases::{Columns, Subject, all, compared};

/// A case of each kind of work: trees of each library, tables, text, labels of each type, refused rows.
const SUBJECTS: [&str; 12] = [
    "lightgbm/binary ",
    "lightgbm/pipeline_multiclass ",
    "xgboost/binary ",
    "catboost/categories_combined ",
    "forest/classifier sklearn-1.9",
    "boosting/multiclass sklearn-1.9",
    "compose/odd_names sklearn-1.9",
    "compose/words sklearn-1.9",
    "compose/remainder_passthrough sklearn-1.9",
    "network/classifier_bool sklearn-1.9",
    "spline_error sklearn-1.9",
    "linear/onehot sklearn-1.9",
];

/// With the feature, all of it is LLVM's code.
const CODEGEN: Codegen = if cfg!(feature = "llvm") { Codegen::Llvm } else { Codegen::Cranelift };

pub fn subjects() -> Vec<&'static Subject> {
    let found: Vec<&Subject> = SUBJECTS
        .iter()
        .filter_map(|name| all().iter().find(|s| s.name.contains(name) && s.refused.is_none()))
        .collect();
    let names: Vec<&str> = found.iter().map(|s| s.name.as_str()).collect();
    assert!(found.len() >= 8, "the cases have other names now: only {names:?} are there");
    found
}

/// The runtime library, built as it is now; beside the test's own binary, where flockc looks for it.
fn runtime() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let build = ["build", "--release", "--quiet", "-p", "flock-runtime"];
        assert!(Command::new(cargo).args(build).current_dir(root()).status().unwrap().success(), "the runtime builds");
    });
}

/// A folder with the library of a subject, its header and its page.
pub fn library(s: &Subject, kind: Kind, file: &str) -> (tempfile::TempDir, PathBuf) {
    runtime();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join(file);
    let pipeline = s.load().unwrap_or_else(|e| panic!("{}: {e}", s.name));
    let request = Request {
        pipeline: &pipeline,
        source: &s.model,
        kind,
        out: &out,
        cpu: Cpu::portable(),
        codegen: CODEGEN,
        no_optimize: false,
    };
    let files = files(&request).unwrap_or_else(|e| panic!("{}: {}", s.name, e.report(false)));
    files.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    (folder, out)
}

/// Runs a command that must succeed; what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A program under a checker of memory, where CI asks for one: `FLOCK_VALGRIND=1`.
pub fn checked(program: &Path) -> Command {
    if std::env::var_os("FLOCK_VALGRIND").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("valgrind");
    // What stays for the life of the process is reachable, which is no leak; the threads that stay are "possibly" one.
    command
        .args(["-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"])
        .arg(program);
    command
}

/// Compiles `main.c` of a folder with a library of it, as its page says.
pub fn compile(folder: &Path, library: &str) -> PathBuf {
    let c = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let mut gcc = Command::new("gcc");
    gcc.current_dir(folder).args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-g", "-I"]).arg(c);
    gcc.args(["main.c", library, "-lm", "-lpthread", "-o", "main"]);
    run(&mut gcc);
    folder.join("main")
}

/// A member of a structure of the header: its C type, its name, and its column's name.
pub struct Member {
    pub ctype: String,
    pub name: String,
}

pub fn members(header: &str, structure: &str) -> Vec<Member> {
    let body = header.split(&format!("struct {structure} {{\n")).nth(1).unwrap().split("};").next().unwrap();
    let member = |line: &str| {
        let (ctype, name) = line.trim().split(';').next()?.split_once(' ')?;
        Some(Member { ctype: ctype.to_owned(), name: name.to_owned() })
    };
    body.lines().filter_map(member).collect()
}

/// Times that the rows of a case are scored in one batch: so that there are several blocks, and some for each thread.
const TIMES: usize = 40;

fn bits(x: &Scalar) -> u64 {
    match x {
        Scalar::Null => f64::NAN.to_bits(),
        Scalar::Bool(b) => f64::from(u8::from(*b)).to_bits(),
        Scalar::I64(i) => (*i as f64).to_bits(),
        Scalar::F32(x) => f64::from(*x).to_bits(),
        Scalar::F64(x) => x.to_bits(),
        Scalar::Str(_) => unreachable!("text where a number is expected"),
    }
}

fn bitmap(bits: impl Iterator<Item = bool>) -> String {
    let bits: Vec<bool> = bits.collect();
    let byte = |b: &[bool]| b.iter().enumerate().fold(0u32, |x, (i, b)| x | u32::from(*b) << i).to_string();
    format!("{{{}}}", bits.chunks(8).map(byte).collect::<Vec<_>>().join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

fn bytes(text: &str) -> String {
    list(text.bytes().map(|b| b.to_string()).chain(["0".into()]))
}

/// The memory of a column of the data as C, and the statement that makes an array of it. Text takes turns in form.
fn column(code: &mut String, data: &Table, j: usize) -> String {
    let n = data.rows.len() * TIMES;
    let cell = |i: usize| &data.rows[i % data.rows.len()][j];
    let _ =
        writeln!(code, "static const uint8_t v{j}[] = {};", bitmap((0..n).map(|i| !matches!(cell(i), Scalar::Null))));
    let (name, dtype) = &data.columns[j];
    let _ = writeln!(code, "static const char n{j}[] = {};", bytes(name));
    let texts = || (0..n).map(|i| if let Scalar::Str(s) = cell(i) { s.to_string() } else { String::new() });
    let mut plain = |ctype: &str, values: String, format: &str| {
        let _ = writeln!(code, "static const {ctype} c{j}[] = {values};");
        let _ = writeln!(code, "static const void *b{j}[3] = {{v{j}, c{j}}};");
        format!("make_column(&a{j}, &s{j}, n{j}, \"{format}\", {n}, 2, b{j});")
    };
    match dtype {
        DType::Bool => plain("uint8_t", bitmap((0..n).map(|i| matches!(cell(i), Scalar::Bool(true)))), "b"),
        DType::I64 => {
            let value = |i| if let Scalar::I64(x) = cell(i) { format!("(int64_t){}u", *x as u64) } else { "0".into() };
            plain("int64_t", list((0..n).map(value)), "l")
        }
        DType::F64 | DType::F32 => plain("uint64_t", list((0..n).map(|i| format!("{:#x}", bits(cell(i))))), "g"),
        DType::Str if j % 3 == 2 => {
            let mut distinct: Vec<String> = texts().collect();
            distinct.sort();
            distinct.dedup();
            let codes = texts().map(|t| distinct.binary_search(&t).unwrap().to_string());
            let mut make = plain("int32_t", list(codes), "i");
            let ends = distinct.iter().scan(0, |end, t| {
                *end += t.len();
                Some(end.to_string())
            });
            let _ = writeln!(code, "static const int32_t o{j}[] = {};", list(["0".into()].into_iter().chain(ends)));
            let _ = writeln!(code, "static const uint8_t t{j}[] = {};", bytes(&distinct.concat()));
            let _ = writeln!(code, "static const void *d{j}[3] = {{NULL, o{j}, t{j}}};");
            let _ = writeln!(code, "static struct ArrowArray da{j}; static struct ArrowSchema ds{j};");
            let m = distinct.len();
            let _ = write!(make, " make_column(&da{j}, &ds{j}, \"\", \"u\", {m}, 3, d{j});");
            let _ = write!(make, " a{j}.dictionary = &da{j}; s{j}.dictionary = &ds{j};");
            make
        }
        DType::Str => {
            let (ctype, format) = if j % 3 == 1 { ("int64_t", "U") } else { ("int32_t", "u") };
            let ends = texts().scan(0, |end, t| {
                *end += t.len();
                Some(end.to_string())
            });
            let _ = writeln!(code, "static const {ctype} o{j}[] = {};", list(["0".into()].into_iter().chain(ends)));
            let _ = writeln!(code, "static const uint8_t t{j}[] = {};", bytes(&texts().collect::<String>()));
            let _ = writeln!(code, "static const void *b{j}[3] = {{v{j}, o{j}, t{j}}};");
            format!("make_column(&a{j}, &s{j}, n{j}, \"{format}\", {n}, 3, b{j});")
        }
    }
}

/// A statement that sets a member of a row, and one that says that it is missing where it has a byte for that.
fn set(m: &Member, all: &[Member], cell: &Scalar) -> String {
    let byte = format!("{}_is_null", m.name);
    if matches!(cell, Scalar::Null) && all.iter().any(|o| o.name == byte) {
        return format!("in.{byte} = 1;");
    }
    match (&*m.ctype, cell) {
        ("FlockStr", Scalar::Null) => String::new(),
        ("FlockStr", Scalar::Str(s)) => {
            format!("{{ static const uint8_t t[] = {}; in.{}.ptr = t; in.{1}.len = {}; }}", bytes(s), m.name, s.len())
        }
        ("FlockStr", other) => panic!("{other:?} where text is expected"),
        ("int64_t", Scalar::I64(x)) => format!("in.{} = (int64_t){}u;", m.name, *x as u64),
        ("int64_t" | "uint8_t", Scalar::Bool(b)) => format!("in.{} = {};", m.name, u8::from(*b)),
        (_, cell) => {
            format!("{{ uint64_t b = {:#x}u; double x; memcpy(&x, &b, 8); in.{} = x; }}", bits(cell), m.name)
        }
    }
}

/// A program that scores the rows of a case by batch, with one thread and with three, and row by row, and prints it all.
fn program(s: &Subject, header: &str) -> String {
    let data = &s.data;
    let mut code = String::from("#include \"score.h\"\n#include \"support.h\"\n");
    let n = data.columns.len();
    let makes: Vec<String> = (0..n).map(|j| column(&mut code, data, j)).collect();
    for j in 0..n {
        let _ = writeln!(code, "static struct ArrowArray a{j}; static struct ArrowSchema s{j};");
    }
    let _ = writeln!(code, "static int failed(void) {{ fprintf(stderr, \"%s\\n\", flock_message()); return 1; }}");
    let _ = writeln!(code, "int main(void) {{\n  {}", makes.join("\n  "));
    let all = |c: char| list((0..n).map(|j| format!("&{c}{j}")));
    let _ = writeln!(code, "  struct ArrowArray batch, out, *arrays[] = {};", all('a'));
    let _ = writeln!(code, "  struct ArrowSchema schema, fields, *schemas[] = {};", all('s'));
    let rows = data.rows.len() * TIMES;
    let _ = writeln!(code, "  make_batch(&batch, &schema, {rows}, {n}, arrays, schemas);");
    for threads in [1, 3] {
        let _ = writeln!(code, "  if (score_batch(&batch, &schema, {threads}, &out, &fields)) return failed();");
        let _ = writeln!(code, "  print_batch(\"batch{threads}\", &out, &fields);");
        let _ = writeln!(code, "  out.release(&out); fields.release(&fields);");
    }
    let (inputs, outputs) = (members(header, "score_input"), members(header, "score_output"));
    let names: Vec<String> = s.load().unwrap().function().params.iter().map(|p| p.name.to_string()).collect();
    let _ = writeln!(code, "  FlockRow *row; struct score_output o;\n  if (score_row_new(&row)) return failed();");
    for (i, cells) in data.rows.iter().enumerate() {
        let _ = writeln!(code, "  {{ struct score_input in; memset(&in, 0, sizeof in);");
        for (m, name) in inputs.iter().zip(&names) {
            let j = data.columns.iter().position(|(c, _)| c == name).unwrap();
            let _ = writeln!(code, "    {}", set(m, &inputs, &cells[j]));
        }
        let _ = writeln!(code, "    if (score_row(row, &in, &o)) return failed();");
        for (c, m) in outputs.iter().take(s.run.columns.len()).enumerate() {
            let print = match &*m.ctype {
                "FlockStr" => format!("print_text(\"row\", {c}, {i}, o.{0}.ptr, o.{0}.len)", m.name),
                "int64_t" | "uint8_t" => format!("print_int(\"row\", {c}, {i}, o.{})", m.name),
                _ => format!("print_double(\"row\", {c}, {i}, o.{})", m.name),
            };
            let byte = format!("{}_is_null", m.name);
            let null = match outputs.iter().any(|o| o.name == byte) {
                true => format!("if (o.{byte}) print_null(\"row\", {c}, {i}); else "),
                false => String::new(),
            };
            let _ = writeln!(code, "    {null}{print};");
        }
        code.push_str("  }\n");
    }
    code + "  flock_row_free(row);\n  return 0;\n}\n"
}

/// What a program has printed under a tag, as columns.
fn printed(s: &Subject, text: &str, tag: &str) -> Columns {
    let pipeline = s.load().unwrap();
    let names: Vec<(String, DType)> = outputs(&pipeline);
    let mut columns: Columns = names.iter().map(|(n, _)| (n.clone(), Vec::new())).collect();
    for line in text.lines() {
        let mut words = line.split(' ');
        if words.next() != Some(tag) {
            continue;
        }
        let (column, _, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let (name, dtype) = &names[column.parse::<usize>().unwrap()];
        columns.get_mut(name).unwrap().push(scalar(value, *dtype));
    }
    columns
}

pub fn outputs(pipeline: &flock::artefact::Pipeline) -> Vec<(String, DType)> {
    let f = pipeline.function();
    f.outputs.iter().map(|o| (o.name.to_string(), f.output_type(o).unwrap().dtype)).collect()
}

pub fn scalar(text: &str, dtype: DType) -> Scalar {
    if text == "null" {
        return Scalar::Null;
    }
    let (kind, value) = text.split_at(1);
    match kind {
        "f" if dtype == DType::F32 => Scalar::F32(f64::from_bits(u64::from_str_radix(value, 16).unwrap()) as f32),
        "f" => Scalar::F64(f64::from_bits(u64::from_str_radix(value, 16).unwrap())),
        "i" if dtype == DType::Bool => Scalar::Bool(value == "1"),
        "i" => Scalar::I64(value.parse().unwrap()),
        "d" if dtype == DType::F32 => Scalar::F32(value.parse::<f64>().unwrap() as f32),
        "d" => Scalar::F64(value.parse().unwrap()),
        _ => Scalar::Str(String::from_utf8(hex(value)).unwrap().into()),
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// What differs from the training library's answer, for rows that are there `times` times.
pub fn differences(s: &Subject, found: &Columns, times: usize) -> Vec<String> {
    let n = s.data.rows.len();
    let mut all = Vec::new();
    for t in 0..times {
        let part = |v: &Vec<Scalar>| v.get(t * n..(t + 1) * n).map(<[_]>::to_vec).unwrap_or_default();
        let part: Columns = found.iter().map(|(name, v)| (name.clone(), part(v))).collect();
        all.extend(compared(s, &part).0.into_iter().map(|d| format!("{}: {d}", s.name)));
    }
    all
}

#[test]
fn c_programs() {
    let failures = Mutex::new(Vec::new());
    for s in subjects() {
        let (folder, _) = library(s, Kind::Static, "libscore.a");
        let header = std::fs::read_to_string(folder.path().join("score.h")).unwrap();
        std::fs::write(folder.path().join("main.c"), program(s, &header)).unwrap();
        let text = run(&mut checked(&compile(folder.path(), "libscore.a")));
        for (tag, times) in [("batch1", TIMES), ("batch3", TIMES), ("row", 1)] {
            let found = differences(s, &printed(s, &text, tag), times);
            failures.lock().unwrap().extend(found.into_iter().map(|d| format!("{tag}: {d}")));
        }
    }
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
}

/// Two models in one program: their libraries hold the same runtime, which is linked once.
#[test]
fn two_libraries_in_one_program_and_the_example_of_the_page() {
    let subjects = subjects();
    let (folder, _) = library(subjects[0], Kind::Static, "libscore.a");
    let (other, path) = library(subjects[4], Kind::Static, "libother.a");
    for file in ["libother.a", "other.h"] {
        std::fs::copy(other.path().join(file), folder.path().join(file)).unwrap();
    }
    drop(path);
    let page = std::fs::read_to_string(folder.path().join("score.md")).unwrap();
    let example = page.split("```c\n").nth(1).unwrap().split("```").next().unwrap();
    let both = "\n#include \"other.h\"\nint (*other)(FlockRow **) = other_row_new;\n";
    std::fs::write(folder.path().join("main.c"), format!("{example}{both}")).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.current_dir(folder.path()).args(["-Wall", "-Werror", "main.c", "libscore.a", "libother.a"]);
    run(gcc.args(["-lm", "-lpthread", "-o", "main"]));
    let text = run(&mut checked(&folder.path().join("main")));
    assert_eq!(text.lines().count(), subjects[0].run.columns.len(), "{text}");
}

/// Objects for other machines have the architecture, the one symbol for others, and need nothing but the runtime, libc and libm.
#[test]
fn objects_for_other_processors() {
    use object::{Architecture, Object, ObjectSymbol};
    let s = subjects()[4];
    let pipeline = s.load().unwrap();
    for cpu in [Cpu::X86V2, Cpu::X86V3, Cpu::X86V4, Cpu::Aarch64] {
        let out = Path::new("score.o");
        let request = Request {
            pipeline: &pipeline,
            source: &s.model,
            kind: Kind::Object,
            out,
            cpu,
            codegen: CODEGEN,
            no_optimize: false,
        };
        let files = files(&request).unwrap_or_else(|e| panic!("{}", e.report(false)));
        let file = object::File::parse(&*files.last().unwrap().1).unwrap();
        let expected = if cpu == Cpu::Aarch64 { Architecture::Aarch64 } else { Architecture::X86_64 };
        assert_eq!(file.architecture(), expected, "{}", cpu.name());
        let globals = file.symbols().filter(|y| y.is_global() && !y.is_undefined());
        assert_eq!(globals.map(|y| y.name().unwrap()).collect::<Vec<_>>(), ["score_program"], "{}", cpu.name());
        let kernels: Vec<&str> = flock_core::kernels::kernels().map(|k| k.name).collect();
        for y in file.symbols().filter(|y| y.is_undefined()) {
            let name = y.name().unwrap();
            let known = kernels.contains(&name) || ["memcpy", "memset"].contains(&name);
            assert!(name.is_empty() || known, "{}: it needs `{name}`", cpu.name());
        }
        if !cpu.is_here() {
            let linked = Request { kind: Kind::Static, out: Path::new("libscore.a"), ..request };
            let refused = flock::library::files(&linked).err().unwrap();
            assert_eq!(refused.exit_code(), 2);
        }
    }
}

/// Every bad batch gives its status and a message that names the place.
#[test]
fn faults_from_c() {
    let s = all().iter().find(|s| s.name.starts_with("compose/odd_names sklearn-1.9")).unwrap();
    let (folder, _) = library(s, Kind::Static, "libscore.a");
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/faults.c");
    std::fs::copy(main, folder.path().join("main.c")).unwrap();
    let text = run(&mut checked(&compile(folder.path(), "libscore.a")));
    assert!(text.lines().count() > 30, "{text}");
}
