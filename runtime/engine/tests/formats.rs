//! The same table in every format, read as the pipeline wants it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use common::*;
use flock_engine::{FileKind, Keep, Options, Source, file_kind};

fn keep(names: &[&str]) -> Options {
    Options { keep: Keep::Columns(names.iter().map(|n| n.to_string()).collect()), ..Options::default() }
}

fn text(folder: &Path, name: &str, content: &str) -> String {
    fs::write(folder.join(name), content).unwrap();
    folder.join(name).to_str().unwrap().to_string()
}

#[test]
fn every_format_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    for rows in [0, 1, 5000] {
        let t = table(rows);
        for name in ["a.parquet", "a.csv", "a.arrow", "a.json", "stream", "lz4", "array"] {
            let path = folder.path().join(name);
            match name {
                "stream" => {
                    let mut w = StreamWriter::try_new(File::create(&path).unwrap(), &t.schema()).unwrap();
                    w.write(&t).unwrap();
                    w.finish().unwrap();
                }
                "lz4" => {
                    let lz4 =
                        IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
                    let mut w =
                        FileWriter::try_new_with_options(File::create(&path).unwrap(), &t.schema(), lz4).unwrap();
                    w.write(&t).unwrap();
                    w.finish().unwrap();
                }
                "array" => {
                    let lines = fs::read_to_string(folder.path().join("a.json")).unwrap();
                    fs::write(&path, format!("[{}]", lines.trim().replace('\n', ",\n"))).unwrap();
                }
                _ => write(&path, &t),
            }
            if rows == 0 && matches!(name, "a.json" | "array") {
                continue; // JSON without objects has no columns.
            }
            let out = head(path.to_str().unwrap(), &keep(&["id", "carrier"])).unwrap();
            assert_eq!(out.names, ["id", "carrier", "prediction", "label"], "{name}");
            assert_eq!(out.rows.len(), rows, "{name}");
            for (i, row) in out.rows.iter().enumerate() {
                let carrier = (i % 5 != 0).then(|| ["AA", "UA", "007", "XX"][i % 4].to_string());
                let [prediction, label] = expected(i);
                assert_eq!(*row, [Some(i.to_string()), carrier, prediction, label], "{name}");
            }
        }
    }
}

#[test]
fn a_result_reads_back_from_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.parquet");
    write(&source, &table(3000));
    let want = head(source.to_str().unwrap(), &keep(&["id"])).unwrap().rows;
    for name in ["o.parquet", "o.csv", "o.arrow", "o.json"] {
        let out = folder.path().join(name);
        let mut sink = flock_engine::FileSink::new(&out).unwrap();
        let summary = run_to(source.to_str().unwrap(), &keep(&["id"]), &mut sink).unwrap();
        assert_eq!((summary.rows, summary.refused), (3000, 429));
        let back = Source::open(out.to_str().unwrap()).unwrap().bind(&[], &Keep::All).unwrap();
        let batches: Vec<RecordBatch> = back.rows(1000).map(|r| r.unwrap().kept).collect();
        assert!(batches.len() >= 3, "{name}");
        let mut read = flock_engine::Head::new(5000);
        for b in &batches {
            flock_engine::Sink::write(&mut read, b).unwrap();
        }
        assert_eq!(read.rows.len(), want.len());
        read.rows.iter().zip(&want).for_each(|(got, want)| assert_eq!(got, want, "{name}"));
    }
}

#[test]
fn text_is_read_as_what_is_wanted_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "\u{feff}carrier;delay;code;note\n007;1;07;\"a;b\"\n;NA;08;\nNA;NaN;1;null\nUA;-0.5;2;x\nAA; 2;3;y\n";
    let path = text(folder.path(), "x", csv);
    let out = head(&path, &keep(&["code", "note", "delay"])).unwrap();
    let some = |row: [&str; 5]| row.map(|s| (s != "-").then(|| s.to_string())).to_vec();
    assert_eq!(
        out.rows,
        [
            some(["07", "a;b", "1", "4.0", "on time"]),
            some(["08", "-", "-", "-", "-"]),
            some(["1", "-", "-", "-", "-"]),
            some(["2", "x", "-0.5", "0.0", "on time"]),
            some(["3", "y", " 2", "4.0", "on time"]),
        ]
    );
}

#[test]
fn a_kept_input_comes_back_as_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |path: &str| head(path, &keep(&["delay", "carrier"])).unwrap().rows;
    let some = |row: [&str; 4]| row.map(|s| (s != "-").then(|| s.to_string())).to_vec();
    // 2^53 + 1: its digits are more than a float has.
    let big = "9007199254740993";
    let expected =
        [some(["7", "AA", "14.0", "on time"]), some([big, "UA", "1.8014398509481984e16", "late"]), some(["-"; 4])];
    let csv = text(folder.path(), "ints.csv", &format!("delay,carrier\n7,AA\n{big},UA\n,\n"));
    assert_eq!(rows(&csv), expected);
    let json = format!("{{\"delay\":7,\"carrier\":\"AA\"}}\n{{\"delay\":{big},\"carrier\":\"UA\"}}\n{{}}\n");
    assert_eq!(rows(&text(folder.path(), "ints.json", &json)), expected);
    // Numbers that are not written as numbers are: kept as text, an input as a number.
    let codes = text(folder.path(), "codes.csv", "delay,carrier\n007,AA\ninf,UA\n");
    assert_eq!(rows(&codes), [some(["007", "AA", "14.0", "on time"]), some(["inf", "UA", "inf", "late"])]);
    // Files that are read together are of one type, whatever each looks like by itself.
    fs::create_dir(folder.path().join("both")).unwrap();
    text(&folder.path().join("both"), "a.csv", "delay,carrier\n1,AA\n");
    text(&folder.path().join("both"), "b.csv", "delay,carrier\n0.5,AA\n");
    text(&folder.path().join("both"), "c.csv", "delay,carrier\n,AA\n");
    text(&folder.path().join("both"), "d.json", "{\"delay\":2,\"carrier\":\"AA\"}\n");
    let first: Vec<_> = rows(folder.path().join("both").to_str().unwrap())
        .into_iter()
        .map(|r| r[0].clone().unwrap_or_default())
        .collect();
    assert_eq!(first, ["1.0", "0.5", "", "2.0"]);
}

#[test]
fn values_that_do_not_parse_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("delay,carrier\n");
    (0..20_000).for_each(|i| csv += &format!("{i},AA\n"));
    csv += "12x,AA\n";
    let e = head(&text(folder.path(), "late.csv", &csv), &Options::default()).unwrap_err();
    assert_eq!(e.0[0].code(), "flock::run::damaged_data");
    assert!(e.0[0].message().contains("row 20001, column `delay`: `12x`"), "{e}");
    let e = head(&text(folder.path(), "early.csv", "delay,carrier\n12x,AA\n"), &Options::default()).unwrap_err();
    assert_eq!(codes(&e), [("flock::run::mistyped_column", "column `delay`".into())]);
    let e = head(&text(folder.path(), "ragged.csv", "delay,carrier\n1,AA\n1,AA,3\n"), &Options::default()).unwrap_err();
    assert_eq!(e.0[0].code(), "flock::run::damaged_data");
    // arrow by itself would cut it to 1.
    let json = "{\"delay\":1,\"carrier\":\"AA\"}\n".repeat(20_000) + "{\"delay\":1.5,\"carrier\":\"AA\"}\n";
    let json = text(folder.path(), "late.json", &json);
    let e = head(&json, &keep(&["delay"])).unwrap_err();
    assert!(e.0[0].message().contains("row 20001, column `delay`: `1.5` is no integer"), "{e}");
    assert_eq!(head(&json, &Options::default()).unwrap().rows[20_000][0].as_deref(), Some("3.0"));
    let json = "{\"delay\": 1, \"carrier\": 7}\n";
    let e = head(&text(folder.path(), "a.json", json), &Options::default()).unwrap_err();
    assert_eq!(codes(&e), [("flock::run::mistyped_column", "column `carrier`".into())]);
    let e = head(&text(folder.path(), "b.json", "{\"delay\": 1, \"carrier\": "), &Options::default()).unwrap_err();
    assert_eq!(e.0[0].code(), "flock::run::damaged_data");
}

#[test]
fn folders_and_patterns_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let t = table(300);
    fs::create_dir_all(folder.path().join("data/b")).unwrap();
    write(&folder.path().join("data/a.parquet"), &t.slice(0, 100));
    write(&folder.path().join("data/b/x.csv"), &t.slice(100, 100));
    write(&folder.path().join("data/c.arrow"), &t.slice(200, 100));
    fs::write(folder.path().join("data/_SUCCESS"), "").unwrap();
    fs::write(folder.path().join("data/.hidden"), "").unwrap();
    let at = |p: &str| folder.path().join(p).to_str().unwrap().to_string();
    let ids = |p: &str| -> Vec<String> {
        head(&at(p), &keep(&["id"])).unwrap().rows.into_iter().map(|r| r[0].clone().unwrap()).collect()
    };
    assert_eq!(ids("data"), (0..300).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(ids("data/?.arrow").len(), 100);
    assert_eq!(ids("data/**/*.csv").len(), 100);
    assert_eq!(Source::open(&at("data/*.orc")).unwrap_err().0[0].code(), "flock::run::file");
    assert_eq!(Source::open(&at("absent.csv")).unwrap_err().0[0].code(), "flock::run::file");
    fs::write(folder.path().join("data/d.gz"), b"\x1f\x8b\x08").unwrap();
    fs::write(folder.path().join("data/e"), b"").unwrap();
    let faults = Source::open(&at("data")).unwrap_err();
    assert_eq!(faults.0.len(), 2, "all of them: {faults}");
    assert_eq!(faults.0[0].code(), "flock::run::unknown_kind");
}

#[test]
fn damaged_files_end_in_a_diagnostic() {
    let folder = tempfile::tempdir().unwrap();
    let t = table(2000);
    for name in ["a.parquet", "a.arrow", "a.csv", "a.json"] {
        let whole = folder.path().join(name);
        write(&whole, &t);
        assert!(file_kind(&whole).is_ok_and(|k| k != FileKind::ArrowStream));
        let bytes = fs::read(&whole).unwrap();
        let broken = folder.path().join("broken");
        let attempt = |content: &[u8]| {
            fs::write(&broken, content).unwrap();
            // A flipped bit may only change a value; it must not panic, hang or end in half a result.
            head(broken.to_str().unwrap(), &Options::default()).map(|h| h.rows.len())
        };
        for cut in [10, bytes.len() / 2, bytes.len() - 5] {
            let result = attempt(&bytes[..cut]);
            assert!(result.is_err() || name == "a.csv" || name == "a.json", "{name} cut at {cut}: {result:?}");
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 150 + 1) {
            let mut b = bytes.clone();
            b[at] ^= 1 << (at % 8);
            _ = attempt(&b);
        }
    }
}
