//! The command line keeps its contract: exit codes, streams, whole outputs, diagnostics that name the place.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::arrows::root;
use super::readme::flockc;

fn flights(file: &str) -> PathBuf {
    root().join("testsuite/data/flights").join(file)
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    let ran = ran(Command::new(flockc()).args(arguments).env("NO_COLOR", "1").output().unwrap());
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

macro_rules! flockc {
    ($($argument:expr),* $(,)?) => { run([$(std::ffi::OsString::from($argument)),*]) };
}

/// A new folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("flock-{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn help_has_an_example_for_every_verb() {
    for verb in ["compile", "run", "query", "explain", "inspect", "verify", "completions"] {
        let help = flockc!(verb, "--help");
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Example:") && help.out.contains(&format!("flockc {verb}")), "{verb}: {}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(flockc!("completions", shell).out.contains("flockc"));
    }
}

#[test]
fn wrong_usage_is_2() {
    let late = flights("late.joblib");
    for ran in [
        flockc!("score"),
        flockc!("run", &late),
        flockc!("compile", &late, "--to", "sql"),
        flockc!("compile", &late, "--to", "sql", "--dialect", "nosuch", "--table", "t"),
        flockc!("compile", &late, "--to", "object"),
        flockc!("run", &late, "--data", flights("sample.parquet"), "--engine", "gpu"),
        flockc!("run", &late, "--data", flights("sample.parquet"), "--threads", "0"),
        flockc!("run", &late, "--data", flights("sample.parquet"), "--outputs", ""),
        flockc!("verify", &late, "--engines", "abacus"),
    ] {
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.is_empty());
    }
}

/// What is wrong with the flags is found before a file is read: these do not exist.
#[test]
fn wrong_usage_is_found_first() {
    let sql = "SELECT predict(m) FROM t";
    for ran in [
        flockc!("compile", "absent.joblib", "--to", "sql", "--table", "t"),
        flockc!("compile", "absent.joblib", "--to", "sql", "--dialect", "duckdb"),
        flockc!("compile", "absent.joblib", "--to", "sql", "--dialect", "nosuch", "--table", "t"),
        flockc!("compile", "absent.joblib", "--to", "ir", "--table", "t"),
        flockc!("run", "absent.joblib", "--data", "absent.csv", "--engine", "gpu"),
        flockc!("run", "absent.joblib", "--data", "absent.csv", "-o", "scores.xls"),
        flockc!("run", "absent.joblib", "--data", "absent.csv", "--engine", "native", "--rounding", "1"),
        flockc!("verify", "absent.joblib", "--engines", "abacus"),
        flockc!("query", sql, "--model", "m=absent.joblib"),
        flockc!("query", sql, "--model", "m=absent.joblib", "--table", "t=absent.csv", "--engine", "reference"),
        flockc!("query", sql, "--model", "m=absent.joblib", "--table", "t=absent.csv", "--dialect", "duckdb"),
        flockc!("query", sql, "--model", "m=absent.joblib", "--to", "sql", "--dialect", "nosuch"),
        flockc!("query", sql, "--model", "m=absent.joblib", "--model", "m=absent.joblib", "--table", "t=absent.csv"),
    ] {
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(!ran.err.contains("absent"), "{}", ran.err);
    }
}

#[test]
fn wrong_usage_is_json_where_json_is_asked_for() {
    let late = flights("late.joblib");
    for (ran, place) in [
        (flockc!("--json", "run", &late), "--data"),
        (flockc!("run", &late, "--data", "x.csv", "--engine", "abacus", "--json"), "--engine"),
        (flockc!("score", "--json"), "score"),
        (flockc!("--json"), "flockc"),
        (flockc!("--json", "compile", &late, "--to", "object"), "-o"),
    ] {
        assert_eq!(ran.code, 2, "{}", ran.err);
        let report: serde_json::Value = serde_json::from_str(&ran.err).unwrap_or_else(|e| panic!("{e}: {}", ran.err));
        let fault = &report["faults"][0];
        assert_eq!(fault["code"], "flock::usage");
        assert!(fault["place"].as_str().unwrap().contains(place), "{fault}");
        assert!(!fault["message"].as_str().unwrap().is_empty() && fault["help"].is_string(), "{fault}");
    }
    assert!(flockc!("--json", "run", "--help").out.contains("Usage"), "help is help");
}

#[test]
fn a_target_that_is_absent_names_what_it_waits_for() {
    let late = flights("late.joblib");
    for (to, flags, names) in [
        ("object", &["-o", "score.o", "--codegen", "abacus"][..], &["abacus", "cranelift, llvm"][..]),
        ("object", &["-o", "score.o", "--cpu", "z80"], &["`z80`", "x86-64-v3", "aarch64"]),
        ("object", &["-o", "2.o"], &["`2`", "identifier"]),
        ("object", &["-o", "libint.o"], &["`int`", "identifier"]),
        ("staticlib", &[], &["-o libscore.a"]),
        ("staticlib", &["-o", "libscore.a", "--table", "t"], &["--table"]),
        ("wgsl", &[], &["`wgsl`", "feature `wgpu`"]),
    ] {
        let mut arguments: Vec<std::ffi::OsString> = vec!["compile".into(), (&late).into(), "--to".into(), to.into()];
        arguments.extend(flags.iter().map(|f| f.into()));
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(names.iter().all(|n| ran.err.contains(n)), "{}", ran.err);
    }
}

#[test]
fn explain_takes_what_it_uses() {
    let late = flights("late.joblib");
    for flag in [["-o", "x"], ["--engine", "native"], ["--to", "sql"], ["--dialect", "duckdb"], ["--threads", "1"]] {
        assert_eq!(flockc!("explain", &late, flag[0], flag[1]).code, 2, "{flag:?}");
    }
    assert_eq!(flockc!("explain", &late, "--model", "m=x.joblib").code, 2);
    assert_eq!(flockc!("explain", &late).code, 0);
}

/// The rows of the tables decide costs, and the plan says by what the engine is chosen.
#[test]
fn a_query_is_explained_with_the_rows_of_its_tables() {
    let model = format!("late={}", flights("late.joblib").display());
    let table = format!("flights={}", flights("sample.parquet").display());
    let sql = "SELECT id, predict(late) AS p FROM flights WHERE dep_delay > 30";
    let explained = |verb: &[&str]| {
        let all = verb.iter().copied().chain([sql, "--model", &model, "--table", &table]);
        let ran = run(all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let text = explained(&["explain"]);
    for words in ["table flights", "2000 rows", "machine code called from SQL", "SQL alone"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert_eq!(text, explained(&["query", "--explain"]));
    assert!(explained(&["query", "--explain", "--engine", "sql"]).contains("asked for"));
    let without = flockc!("explain", sql, "--model", &model);
    assert_eq!(without.code, 0, "{}", without.err);
    let cost = |text: &str| text.lines().find(|l| l.contains("estimated cost")).unwrap().to_owned();
    assert_ne!(cost(&text), cost(&without.out), "a table that is not known counts as a million rows");
}

#[cfg(not(feature = "query"))]
#[test]
fn a_missing_feature_says_how_to_get_it() {
    let late = flights("late.joblib");
    let table = format!("flights={}", flights("sample.parquet").display());
    let model = format!("late={}", late.display());
    for ran in [
        flockc!("run", &late, "--data", flights("sample.parquet"), "--engine", "sql"),
        flockc!("query", "SELECT predict(late) FROM flights", "--model", model, "--table", table),
    ] {
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("--features query"), "{}", ran.err);
    }
}

#[cfg(not(feature = "llvm"))]
#[test]
fn a_missing_code_generator_says_how_to_get_it() {
    let (late, data) = (flights("late.joblib"), flights("sample.parquet"));
    for ran in [
        flockc!("run", &late, "--data", &data, "--codegen", "llvm"),
        flockc!("compile", &late, "--to", "object", "-o", "score.o", "--codegen", "llvm"),
        flockc!("verify", &late, "--codegen", "llvm"),
        flockc!("verify", &late, "--engines", "llvm"),
        flockc!("query", "SELECT 1", "--codegen", "llvm", "--table", format!("flights={}", data.display())),
    ] {
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("--features llvm"), "{}", ran.err);
    }
}

/// The same rows by both code generators; without a wish the cheaper one, which says what either would cost.
#[cfg(feature = "llvm")]
#[test]
fn both_code_generators_give_the_same_file() {
    let (folder, data) = (folder("codegen"), flights("sample.parquet"));
    let score = |codegen: &str| {
        let out = folder.join(format!("{codegen}.parquet"));
        let late = flights("late.joblib");
        let ran =
            flockc!("--json", "run", late, "--data", &data, "--codegen", codegen, "--engine", "native", "-o", &out);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        (report["engine"].as_str().unwrap().to_owned(), std::fs::read(out).unwrap())
    };
    let ((native, a), (llvm, b)) = (score("cranelift"), score("llvm"));
    assert_eq!((native.as_str(), llvm.as_str()), ("native", "llvm"));
    assert!(a == b, "the files differ");
    let ran = flockc!("run", flights("late.joblib"), "--data", &data);
    assert!(ran.err.contains("native ") && ran.err.contains("llvm "), "{}", ran.err);
    let ran = flockc!("verify", flights("late.joblib"), "--engines", "native,llvm", "--codegen", "llvm");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn a_code_generator_is_for_machine_code() {
    for engine in ["reference", "gpu"] {
        let ran = flockc!("run", "x.joblib", "--data", "x.csv", "--engine", engine, "--codegen", "cranelift");
        assert_eq!(ran.code, 2, "{}", ran.err);
    }
}

/// A library would be refused by a runtime of another version, so it is not made.
#[test]
fn a_runtime_of_another_version_is_1_and_leaves_nothing() {
    let folder = folder("runtime");
    let (runtime, out) = (folder.join("libflock_runtime.a"), folder.join("libscore.a"));
    std::fs::write(&runtime, b"!<arch>\n flock runtime, version: 0000").unwrap();
    for (path, what) in [(runtime, "another version"), (folder.join("absent.a"), "names no file")] {
        let mut command = Command::new(flockc());
        command.arg("compile").arg(flights("late.joblib")).args(["--to", "staticlib", "-o"]).arg(&out);
        let ran = ran(command.env("FLOCK_RUNTIME", &path).output().unwrap());
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("flock::library::runtime") && ran.err.contains(what), "{}", ran.err);
        assert!(!out.exists());
    }
}

#[test]
fn a_file_that_is_no_pipeline_is_1_with_code_and_place() {
    let folder = folder("kinds");
    for (name, bytes) in
        [("empty.joblib", &b""[..]), ("noise.onnx", b"\xff\xfe\x00\x01 not a model"), ("text.pkl", b"hello")]
    {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let ran = flockc!("inspect", &path);
        assert_eq!(ran.code, 1, "{name}: {}", ran.err);
        assert!(ran.err.contains("flock::"), "{name}: {}", ran.err);
        assert!(ran.out.is_empty());
    }
    assert_eq!(flockc!("inspect", folder.join("absent.joblib")).code, 1);
}

/// A pickle that calls `os.system` names it and runs nothing.
#[test]
fn a_pickle_runs_nothing() {
    let folder = folder("pickle");
    let made = folder.join("made");
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", made.display());
    let path = folder.join("evil.pkl");
    std::fs::write(&path, pickle).unwrap();
    let ran = flockc!("inspect", &path);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("system"), "{}", ran.err);
    assert!(!made.exists());
}

#[test]
fn missing_and_mistyped_columns_are_all_named() {
    let folder = folder("columns");
    let data = folder.join("rows.csv");
    let mut rows = String::from("id,dep_dely,distance,hour,minute,month,day,sched_dep_time,carrier,origin\n");
    rows.push_str("1,3,far,5,15,1,1,515,UA,EWR\n");
    std::fs::write(&data, rows).unwrap();
    let ran = flockc!("run", flights("late.joblib"), "--data", &data);
    assert_eq!(ran.code, 1);
    for word in ["dep_delay", "dep_dely", "dest"] {
        assert!(ran.err.contains(word), "{word} is not in {}", ran.err);
    }
    let json = flockc!("--json", "run", flights("late.joblib"), "--data", &data);
    let report: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert!(report["faults"].as_array().unwrap().len() >= 2, "{report}");
}

#[test]
fn outputs_appear_whole_or_not_at_all() {
    let folder = folder("whole");
    for out in ["scores.parquet", "scores.csv", "scores.arrow", "scores.json"] {
        let path = folder.join(out);
        let ran =
            flockc!("run", flights("late.joblib"), "--data", flights("sample.parquet"), "--keep", "id", "-o", &path);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(path.metadata().unwrap().len() > 10_000);
    }
    // A value that is no number, far behind the rows that the type is guessed from.
    let data = folder.join("late_fault.csv");
    let mut rows = String::from("dep_delay,distance,hour,minute,month,day,sched_dep_time,carrier,origin,dest\n");
    (0..50_000).for_each(|_| rows.push_str("1,2,3,4,5,6,7,AA,JFK,LAX\n"));
    rows.push_str("1,2,3,4,five,6,7,AA,JFK,LAX\n");
    std::fs::write(&data, rows).unwrap();
    let out = folder.join("none.parquet");
    let ran = flockc!("run", flights("late.joblib"), "--data", &data, "-o", &out);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("five") || ran.err.contains("month"), "{}", ran.err);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn names_that_collide_are_named() {
    let ran = flockc!(
        "compile",
        flights("late.joblib"),
        "--to",
        "sql",
        "--dialect",
        "duckdb",
        "--table",
        "t",
        "--keep",
        "id,Prediction"
    );
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("prediction") && ran.err.contains("Prediction"), "{}", ran.err);
    let ran = flockc!("run", flights("late.joblib"), "--data", flights("sample.parquet"), "--outputs", "probability_2");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("probability_2") && ran.err.contains("probability_1"), "{}", ran.err);
    let twice = ["--outputs", "prediction,probability_1,prediction"];
    let ran = flockc!("run", flights("late.joblib"), "--data", flights("sample.parquet"), twice[0], twice[1]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("flock::outputs::twice") && ran.err.contains("`prediction` is asked for twice"),
        "{}",
        ran.err
    );
}

#[test]
fn a_kept_input_comes_back_as_it_stood() {
    let folder = folder("kept");
    let header = "dep_delay,distance,hour,minute,month,day,sched_dep_time,carrier,origin,dest\n";
    let data = folder.join("rows.csv");
    std::fs::write(&data, format!("{header}7,9007199254740993,5,15,1,1,515,UA,EWR,IAH\n")).unwrap();
    let out = folder.join("scores.csv");
    let ran = flockc!("run", flights("late.joblib"), "--data", &data, "--keep", "dep_delay,distance", "-o", &out);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("7,9007199254740993,"), "{text}");
}

#[test]
fn the_result_does_not_depend_on_threads_or_format() {
    let folder = folder("threads");
    let score = |threads: &str, engine: &str| {
        let out = folder.join(format!("{threads}-{engine}.csv"));
        let ran = flockc!(
            "run",
            flights("late_forest.joblib"),
            "--data",
            flights("sample.parquet"),
            "--keep",
            "id",
            "--threads",
            threads,
            "--engine",
            engine,
            "-o",
            &out
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        std::fs::read_to_string(out).unwrap()
    };
    let one = score("1", "native");
    assert_eq!(one, score("7", "native"));
    assert_eq!(one, score("3", "reference"));
}

#[test]
fn strict_fails_on_refused_rows() {
    let folder = folder("strict");
    let data = folder.join("rows.csv");
    std::fs::write(
        &data,
        "dep_delay,distance,hour,minute,month,day,sched_dep_time,carrier,origin,dest\ninf,1,1,1,1,1,1,AA,JFK,LAX\n",
    )
    .unwrap();
    let ran = flockc!("run", flights("late.joblib"), "--data", &data);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("1 rows are rows that the library would refuse"), "{}", ran.err);
    let out = folder.join("scores.csv");
    for engine in
        if cfg!(feature = "query") { &["auto", "native", "reference", "sql"][..] } else { &["auto", "reference"] }
    {
        let late = flights("late.joblib");
        let ran = flockc!("run", late, "--data", &data, "--strict", "-o", &out, "--engine", *engine);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("1 of 1 rows are rows that the library would refuse"), "{}", ran.err);
        assert!(!out.exists() && ran.out.is_empty());
    }
    let ran = flockc!("run", flights("late.joblib"), "--data", flights("sample.parquet"), "--strict", "-o", &out);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(out.exists());
}

/// Text → IR → text is the identity, and IR is a pipeline as good as its source.
#[test]
fn ir_is_a_pipeline() {
    let folder = folder("ir");
    for name in ["late", "late_forest", "late_logistic", "delay_linear"] {
        let ir = folder.join(format!("{name}.flock"));
        assert_eq!(
            flockc!("compile", flights(&format!("{name}.joblib")), "--to", "ir", "--no-optimize", "-o", &ir).code,
            0
        );
        let again = flockc!("compile", &ir, "--to", "ir", "--no-optimize");
        assert_eq!(again.out, std::fs::read_to_string(&ir).unwrap());
        let score = |pipeline: PathBuf| {
            let ran = flockc!("--json", "run", pipeline, "--data", flights("sample.parquet"), "--engine", "native");
            assert_eq!(ran.code, 0, "{}", ran.err);
            let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
            report["first_rows"].clone()
        };
        assert_eq!(score(flights(&format!("{name}.joblib"))), score(ir));
    }
}

#[test]
fn verify_writes_a_certificate() {
    let folder = folder("verify");
    let path = folder.join("late.json");
    let ran = flockc!("verify", flights("late.joblib"), "--data", flights("sample.parquet"), "--certificate", &path);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let certificate: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(certificate["equal"], true);
    // One-hot columns and imputed numbers among them: a row reaches each split and stands on it.
    assert_eq!(certificate["thresholds_covered"], certificate["thresholds"], "{certificate}");
    assert!(certificate["thresholds"].as_u64().unwrap() > 100, "{certificate}");
    assert!(certificate["comparisons"].as_array().unwrap().iter().all(|c| c["rows"].as_u64().unwrap() >= 1000));
}
