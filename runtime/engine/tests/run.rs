//! Threads, batches, whole files, diagnostics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray};
use common::*;
use flock_engine::{EngineError, FileSink, Keep, Options, Sink, Source, run};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_result_does_not_depend_on_threads_or_batches() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.csv");
    write(&source, &table(10_000));
    let mut results = Vec::new();
    for (threads, batch_rows) in [(1, 16_384), (2, 1000), (7, 333), (3, 1)] {
        let rows = if batch_rows == 1 { 500 } else { 10_000 };
        let small = folder.path().join("small.csv");
        write(&small, &table(rows));
        let options = Options { keep: Keep::All, threads, batch_rows, ..Options::default() };
        let out = folder.path().join("out.csv");
        run_to(small.to_str().unwrap(), &options, &mut FileSink::new(&out).unwrap()).unwrap();
        results.push(fs::read_to_string(out).unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
    assert!(results[0].starts_with(&results[3]));
}

/// A Parquet file of row groups of so many rows; dictionaries are given up behind that many bytes of them.
fn grouped(path: &Path, rows: usize, group: usize, dictionary: usize) {
    let t = table(rows);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_dictionary_page_size_limit(dictionary)
        .set_write_batch_size(64)
        .build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), t.schema(), Some(properties)).unwrap();
    writer.write(&t).unwrap();
    writer.close().unwrap();
}

#[test]
fn row_groups_are_read_side_by_side_and_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.parquet");
    // One group, several, and text whose dictionary does not reach to the end.
    for (group, dictionary) in [(10_000, 1 << 20), (700, 1 << 20), (700, 1)] {
        grouped(&file, 5_000, group, dictionary);
        for (threads, keep) in [(1, Keep::All), (4, Keep::All), (4, Keep::Nothing)] {
            let all = keep == Keep::All;
            let options = Options { keep, threads, batch_rows: 256, ..Options::default() };
            let head = head(file.to_str().unwrap(), &options).unwrap();
            assert_eq!(head.rows.len(), 5_000);
            for (i, row) in head.rows.iter().enumerate() {
                let (kept, outputs) = row.split_at(if all { 4 } else { 0 });
                assert_eq!(outputs, expected(i), "row {i}");
                assert!(!all || kept[0] == Some(i.to_string()));
            }
        }
    }
}

#[test]
fn a_damaged_row_group_stops_the_run_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.parquet");
    grouped(&file, 5_000, 700, 1 << 20);
    let mut bytes = fs::read(&file).unwrap();
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let faults = head(file.to_str().unwrap(), &Options { threads: 3, ..Options::default() }).err().unwrap();
    assert_eq!(faults.0.len(), 1);
    assert!(faults.0[0].place().contains("in.parquet"), "{faults:?}");
}

#[test]
fn kept_columns_and_chosen_outputs_stand_in_the_order_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.parquet");
    write(&source, &table(10));
    let source = source.to_str().unwrap();
    let names = |keep, outputs: Option<&[&str]>| {
        let outputs = outputs.map(|o| o.iter().map(|s| s.to_string()).collect());
        head(source, &Options { keep, outputs, ..Options::default() }).map(|h| h.names)
    };
    let columns = |c: &[&str]| Keep::Columns(c.iter().map(|s| s.to_string()).collect());
    assert_eq!(names(Keep::All, None).unwrap(), ["id", "delay", "carrier", "flag", "prediction", "label"]);
    assert_eq!(names(columns(&["flag", "id"]), Some(&["label"])).unwrap(), ["flag", "id", "label"]);
    let faults = names(columns(&["idd", "ID"]), Some(&["lable"])).unwrap_err();
    let helps: Vec<_> = faults.0.iter().map(|f| f.help().unwrap()).collect();
    assert_eq!(faults.0.len(), 3);
    assert!(helps[0].contains("`label`") && helps[1].contains("`id`") && helps[2].contains("`id`"), "{helps:?}");
    let faults = names(columns(&["id", "id"]), None).unwrap_err();
    assert_eq!(codes(&faults), [("flock::run::column_collision", "column `id`".into())]);
    let faults = names(Keep::Nothing, Some(&["label", "label"])).unwrap_err();
    assert_eq!(codes(&faults), [("flock::run::column_collision", "column `label`".into())]);
}

#[test]
fn an_output_named_like_a_kept_column_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.parquet");
    let t = table(3);
    let mut columns: Vec<(&str, ArrayRef)> = vec![("prediction", t.column(0).clone())];
    columns.extend([("delay", t.column(1).clone()), ("carrier", t.column(2).clone())]);
    write(&source, &RecordBatch::try_from_iter(columns).unwrap());
    let all = Options { keep: Keep::All, ..Options::default() };
    let faults = head(source.to_str().unwrap(), &all).unwrap_err();
    assert_eq!(codes(&faults), [("flock::run::column_collision", "column `prediction`".into())]);
    assert!(faults.0[0].message().contains("kept column") && faults.0[0].message().contains("output"));
}

#[test]
fn all_columns_that_do_not_bind_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let bad = |columns: Vec<(&str, ArrayRef)>| {
        let path = folder.path().join("bad.parquet");
        write(&path, &RecordBatch::try_from_iter(columns).unwrap());
        head(path.to_str().unwrap(), &Options::default()).unwrap_err()
    };
    let ints = || Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef;
    let text = || Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
    let faults = bad(vec![("Dep_Delay", ints()), ("carier", text()), ("Delay", ints())]);
    assert_eq!(
        codes(&faults),
        [
            ("flock::run::missing_column", "column `delay`".into()),
            ("flock::run::missing_column", "column `carrier`".into())
        ]
    );
    assert!(faults.0[0].help().unwrap().contains("`Delay`") && faults.0[1].help().unwrap().contains("`carier`"));
    let faults = bad(vec![("delay", text()), ("carrier", ints())]);
    assert_eq!(
        codes(&faults),
        [
            ("flock::run::mistyped_column", "column `delay`".into()),
            ("flock::run::mistyped_column", "column `carrier`".into())
        ]
    );
    let faults = bad(vec![("delay", Arc::new(Date32Array::from(vec![1, 2]))), ("carrier", text())]);
    assert!(faults.0[0].message().contains("Date32"), "{faults}");
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("delay,carrier\n");
    (0..50_000).for_each(|i| csv += &format!("{i},AA\n"));
    let good = folder.path().join("good.csv");
    fs::write(&good, &csv).unwrap();
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, csv.clone() + "oops,AA\n").unwrap();
    for name in ["out.parquet", "out.csv", "out.arrow", "out.json"] {
        let out = folder.path().join(name);
        let before = listing(folder.path());
        run_to(bad.to_str().unwrap(), &Options::default(), &mut FileSink::new(&out).unwrap()).unwrap_err();
        assert_eq!(listing(folder.path()), before, "nothing is left behind");
        fs::write(&out, "older").unwrap();
        run_to(bad.to_str().unwrap(), &Options::default(), &mut FileSink::new(&out).unwrap()).unwrap_err();
        assert_eq!(fs::read_to_string(&out).unwrap(), "older");
        let source = Source::open(good.to_str().unwrap()).unwrap();
        let mut seen = 0;
        let options = Options { batch_rows: 1000, ..Options::default() };
        let stopped = run(&source, &scorer(), &options, &mut FileSink::new(&out).unwrap(), &mut |p| {
            seen = p.rows;
            if p.rows >= 10_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((stopped.unwrap_err().0, seen), (vec![EngineError::Stopped], 10_000));
        assert_eq!(fs::read_to_string(&out).unwrap(), "older");
        run_to(good.to_str().unwrap(), &Options::default(), &mut FileSink::new(&out).unwrap()).unwrap();
        assert_eq!(head_rows(&out), 50_000);
        #[cfg(unix)]
        assert_ne!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&out).unwrap().permissions()) & 0o400, 0);
        fs::remove_file(&out).unwrap();
    }
    assert!(FileSink::new(folder.path()).is_err() && FileSink::new(&folder.path().join("x.xls")).is_err());
    let mut nowhere = FileSink::new(&folder.path().join("no/such/out.csv")).unwrap();
    assert!(nowhere.start(&table(1).schema()).is_err());
}

fn head_rows(path: &Path) -> usize {
    let bound = Source::open(path.to_str().unwrap()).unwrap().bind(&[], &Keep::Nothing).unwrap();
    bound.rows(10_000).map(|r| r.unwrap().kept.num_rows()).sum()
}

#[test]
fn strict_leaves_nothing_behind_a_refused_row() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.parquet");
    write(&source, &table(3000));
    let out = folder.path().join("out.csv");
    let strict = Options { strict: true, ..Options::default() };
    let e = run_to(source.to_str().unwrap(), &strict, &mut FileSink::new(&out).unwrap()).unwrap_err();
    assert_eq!(e.0, [EngineError::RefusedRows { refused: 429, rows: 3000 }]);
    assert_eq!(listing(folder.path()), ["in.parquet"]);
}

#[test]
fn rows_are_estimated_from_what_a_file_says() {
    let folder = tempfile::tempdir().unwrap();
    for (name, share) in [("a.parquet", 1.0), ("a.csv", 0.95), ("a.json", 0.2), ("a.arrow", 0.5)] {
        for rows in [0, 100, 30_000] {
            if rows == 0 && name == "a.json" {
                continue; // JSON without objects has no kind.
            }
            let path = folder.path().join(name);
            write(&path, &table(rows));
            let guess = Source::open(path.to_str().unwrap()).unwrap().estimated_rows() as f64;
            let (least, most) = (share * rows as f64, rows as f64 / share + 100.0);
            assert!((least..=most).contains(&guess), "{name} {rows}: {guess}");
        }
    }
}

#[test]
fn progress_reaches_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["in.parquet", "in.csv", "in.arrow", "in.json"] {
        let path = folder.path().join(name);
        write(&path, &table(30_000));
        let mut last = None;
        let mut sink = flock_engine::Head::new(1);
        let source = Source::open(path.to_str().unwrap()).unwrap();
        run(&source, &scorer(), &Options::default(), &mut sink, &mut |p| {
            last = Some(p);
            ControlFlow::Continue(())
        })
        .unwrap();
        let p = last.unwrap();
        assert!(p.rows == 30_000 && p.read > 0.9 && p.read <= 1.0, "{name}: {p:?}");
    }
}

#[test]
fn infinities_and_nan_pass_through_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.csv");
    let delays = Float64Array::from(vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300, 5e-324]);
    let t = RecordBatch::try_from_iter([
        ("delay", Arc::new(delays) as ArrayRef),
        ("carrier", Arc::new(StringArray::from(vec!["AA"; 5]))),
    ]);
    write(&path, &t.unwrap());
    let out = head(path.to_str().unwrap(), &Options::default()).unwrap();
    let first: Vec<_> = out.rows.iter().map(|r| r[0].as_deref()).collect();
    assert_eq!(
        first,
        [Some("inf"), Some("-inf"), None, Some("2e300"), Some("1e-323")],
        "NaN in text is a missing value"
    );
}
