//! SQL with scorers as functions.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "query")]

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, RecordBatch};
use common::*;
use flock_engine::{CompiledScorer, EngineError, Faults, Field, FileSink, Head, QuerySession, Scorer};

fn session(folder: &std::path::Path, name: &str) -> QuerySession {
    let path = folder.join(name);
    write(&path, &table(20_000));
    let mut s = QuerySession::new(2).unwrap();
    let scorer: Arc<dyn Scorer> = Arc::new(scorer());
    s.register_table("flights", path.to_str().unwrap(), scorer.inputs()).unwrap();
    s.register_function("late", scorer.clone(), Some("prediction")).unwrap();
    s.register_function("late_all", scorer, None).unwrap();
    s
}

fn rows(s: &QuerySession, sql: &str) -> Result<Vec<Vec<Option<String>>>, Faults> {
    let mut head = Head::new(100_000);
    s.run(sql, &mut head, &mut |_| ControlFlow::Continue(())).map(|_| head.rows)
}

#[test]
fn a_query_scores_what_a_run_scores_in_the_order_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["t [1].parquet", "t.csv", "t.arrow", "t.json"] {
        let s = session(folder.path(), name);
        let sql =
            "SELECT id, late(delay, carrier) AS p, get_field(late_all(delay, carrier), 'label') AS l FROM flights";
        let out = rows(&s, sql).unwrap();
        assert_eq!(out.len(), 20_000);
        for (i, row) in out.iter().enumerate() {
            let [p, l] = expected(i);
            assert_eq!(*row, [Some(i.to_string()), p, l], "{name}");
        }
        let out = rows(&s, "SELECT count(*), count(late(delay, carrier)) FROM flights WHERE carrier = '007'").unwrap();
        let there = (0..20_000).filter(|i| i % 4 == 2 && i % 5 != 0).collect::<Vec<_>>();
        let scored = there.iter().filter(|i| *i % 7 != 0).count();
        assert_eq!(out, [[Some(there.len().to_string()), Some(scored.to_string())]], "{name}");
        assert_eq!(rows(&s, "SELECT late(40, 'AA'), late(NULL, NULL)").unwrap(), [[Some("80.0".into()), None]]);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path(), "t.parquet");
    let message = |sql: &str| rows(&s, sql).unwrap_err().0[0].message();
    assert!(message("SELECT late(delay) FROM flights").contains("delay, carrier"));
    assert!(message("SELECT late(carrier, carrier) FROM flights").contains("`delay`"));
    assert!(message("SELECT nothing FROM flights").contains("nothing"));
    assert!(message("SELECT FROM WHERE").len() > 5);
    assert!(!message("CREATE TABLE x AS SELECT 1").is_empty());
    assert!(!message("COPY flights TO 'x.csv'").is_empty());
    let missing = s.register_function("f", Arc::new(scorer()), Some("lable")).unwrap_err();
    assert!(missing.help().unwrap().contains("`label`"));
    assert!(s.register_table("x", "no such file", &[]).is_err());
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "delay\n".to_string() + &"1\n".repeat(20_000) + "x\n").unwrap();
    s.register_table("bad", bad.to_str().unwrap(), &[]).unwrap();
    let out = folder.path().join("out.csv");
    let e = s.run("SELECT delay FROM bad", &mut FileSink::new(&out).unwrap(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(e.unwrap_err().0[0].code(), "flock::run::damaged_data");
    let e = s.run("SELECT * FROM flights", &mut FileSink::new(&out).unwrap(), &mut |_| ControlFlow::Break(()));
    assert_eq!(e.unwrap_err().0, [EngineError::Stopped]);
    assert!(!out.exists());
}

#[test]
fn deep_expressions_are_planned_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let s = session(folder.path(), "t.parquet");
    let depth = 300;
    let mut case = "0".to_string();
    (0..depth).for_each(|i| case = format!("CASE WHEN id = {i} THEN {} ELSE {case} END", i + 1));
    let out = rows(&s, &format!("SELECT {case} AS x FROM flights WHERE id < 500 ORDER BY id")).unwrap();
    assert_eq!(out.len(), 500);
    assert_eq!(
        (out[0][0].as_deref(), out[299][0].as_deref(), out[300][0].as_deref()),
        (Some("1"), Some("300"), Some("0"))
    );
}

/// Counts how often rows are scored.
struct Counting(CompiledScorer, AtomicUsize);

impl Scorer for Counting {
    fn inputs(&self) -> &[Field] {
        self.0.inputs()
    }
    fn outputs(&self) -> &[Field] {
        self.0.outputs()
    }
    fn score(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, EngineError> {
        self.1.fetch_add(batch.num_rows(), Ordering::SeqCst);
        self.0.score(batch)
    }
}

#[test]
fn several_outputs_of_one_call_cost_one_scoring() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path(), "t.parquet");
    let counting = Arc::new(Counting(scorer(), AtomicUsize::new(0)));
    s.register_function("counted", counting.clone(), None).unwrap();
    let sql = "SELECT get_field(counted(delay, carrier), 'prediction') AS p, get_field(counted(delay, carrier), 'label') AS l FROM flights";
    assert_eq!(rows(&s, sql).unwrap().len(), 20_000);
    assert_eq!(counting.1.load(Ordering::SeqCst), 20_000);
    assert!(s.explain(sql).unwrap().contains("counted"));
    // Rows that a predicate drops are not scored.
    counting.1.store(0, Ordering::SeqCst);
    assert_eq!(rows(&s, &format!("{sql} WHERE id < 100")).unwrap().len(), 100);
    assert_eq!(counting.1.load(Ordering::SeqCst), 100);
}
