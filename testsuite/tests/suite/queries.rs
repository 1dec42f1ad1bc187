//! Queries with predictions: the optimised SQL in real databases, and the embedded engine, against the reference
//! evaluation of the query as it was lifted.

use std::path::PathBuf;

use flock::codegen::Codegen;
use flock::query::{self, Prepared, Request};
use flock::{cli::Engine, frames};
use flock_ir_spec::{Scalar, eval};
use flock_testsuite::case::Table;
use flock_testsuite::compare::difference;
use flock_testsuite::databases::{Databases, from_json};

use super::arrows::root;

/// Every query ends in an order that is total, so that rows can be compared one by one.
const QUERIES: &[&str] = &[
    "SELECT id, predict_proba(late, '1') AS p FROM flights WHERE carrier = 'AA' AND dep_delay > 30 ORDER BY id",
    "SELECT id, predict(late) AS late, predict(forest) AS forest, predict(linear) AS minutes FROM flights WHERE origin IN ('JFK', 'LGA') AND month BETWEEN 3 AND 5 ORDER BY id",
    "SELECT id, predict_proba(logistic, '1') AS p FROM flights WHERE dest = 'LAX' AND carrier <> 'UA' ORDER BY id LIMIT 50",
    "SELECT carrier, count(*) AS n, avg(predict_proba(late, '1')) AS p FROM flights GROUP BY carrier ORDER BY carrier",
    "SELECT id FROM flights WHERE predict(late) = 1 AND distance > 1000 ORDER BY id",
    "SELECT f.id, predict_proba(forest, '0') AS p FROM (SELECT * FROM flights WHERE hour >= 20) AS f WHERE f.dep_delay IS NULL OR f.dep_delay > 60 ORDER BY f.id",
    "SELECT id, CASE WHEN predict_proba(late, '1') > 0.5 THEN 'late' ELSE 'on time' END AS word FROM flights WHERE id < 20000 ORDER BY id",
    "WITH scored AS (SELECT id, carrier, predict_proba(late, '1') AS p FROM flights) SELECT id, p FROM scored WHERE p > 0.8 AND carrier = 'EV' ORDER BY id",
    "SELECT id, predict_proba(forest, '1') AS p FROM flights WHERE NOT (dep_delay > 10 OR distance <= 500) AND dep_delay NOT BETWEEN -3 AND 2 ORDER BY id",
    "SELECT id, p * 100 AS percent FROM (SELECT id, predict_proba(late, '1') AS p FROM flights ORDER BY dep_delay DESC NULLS LAST, id LIMIT 20) AS worst",
    "SELECT DISTINCT carrier, predict(late) AS late FROM flights WHERE origin = 'JFK' ORDER BY carrier, late",
    "SELECT a.id, b.n, predict_proba(logistic, '1', a.dep_delay, a.distance, a.hour, a.minute, a.month, a.day, a.sched_dep_time, a.carrier, a.origin, a.dest) AS p FROM flights AS a LEFT JOIN (SELECT dest, count(*) AS n FROM flights GROUP BY dest HAVING count(*) > 20) AS b ON a.dest = b.dest WHERE a.hour = 17 ORDER BY a.id",
    "SELECT id, predict(late) AS late FROM flights WHERE dest IN (SELECT dest FROM flights WHERE predict_proba(late, '1') > 0.9) AND month = 7 ORDER BY id",
    "SELECT month, count(*) AS n FROM (SELECT month FROM flights WHERE predict(late) = 1 UNION ALL SELECT month FROM flights WHERE predict(forest) = 1) AS both_ GROUP BY month ORDER BY month",
    "SELECT a.id, predict(linear) AS minutes FROM flights AS a WHERE a.carrier NOT IN ('AA', 'B6', 'DL') AND a.air_time IS NOT NULL ORDER BY a.id DESC LIMIT 100",
];

fn flights(file: &str) -> PathBuf {
    root().join("testsuite/data/flights").join(file)
}

fn models() -> Vec<(String, PathBuf)> {
    [("late", "late"), ("forest", "late_forest"), ("logistic", "late_logistic"), ("linear", "delay_linear")]
        .map(|(name, file)| (name.to_owned(), flights(&format!("{file}.joblib"))))
        .to_vec()
}

fn prepared(sql: &str, dialect: Option<&str>) -> Prepared {
    let tables = [("flights".to_owned(), flights("sample.parquet"))];
    let models = models();
    let used: Vec<_> = models.into_iter().filter(|(n, _)| sql.contains(&format!("({n}"))).collect();
    let request = Request {
        sql,
        models: &used,
        tables: &tables,
        define: &[],
        dialect,
        engine: Engine::Auto,
        codegen: Codegen::default(),
        out: None,
        threads: None,
    };
    query::prepare(&request).unwrap_or_else(|e| panic!("{sql}\n{}", e.report(false)))
}

fn expected(prepared: &Prepared, table: &eval::Table) -> eval::Table {
    let q = prepared.lifted.queries.iter().find(|q| *q.name == *query::NAME).unwrap();
    eval::query(&prepared.lifted, q, &|_| Some(table.clone())).unwrap()
}

fn compare(sql: &str, right: &eval::Table, rows: &[Vec<Scalar>]) -> Vec<String> {
    if rows.len() != right.rows {
        return vec![format!("{sql}\n    {} rows, expected {}", rows.len(), right.rows)];
    }
    let cell = |i: usize, j: usize| {
        difference(&rows[i][j], &right.frames[j].get(i, 0), 1e-9)
            .map(|d| format!("{sql}\n    row {i} {}: {d}", right.names[j]))
    };
    (0..right.rows)
        .flat_map(|i| (0..right.names.len()).map(move |j| (i, j)))
        .filter_map(|(i, j)| cell(i, j))
        .take(3)
        .collect()
}

/// Something is scored at all, and every query selects some rows.
#[test]
fn selects_rows() {
    let table = frames::table(&flights("sample.parquet")).unwrap();
    for sql in QUERIES {
        assert!(expected(&prepared(sql, None), &table).rows > 0, "{sql}");
    }
}

fn database(engine: &str) {
    let started = Databases::start().and_then(|mut d| d.probe(engine).map(|_| d));
    let mut databases = match started {
        Ok(d) => d,
        Err(why) if std::env::var_os("FLOCK_REQUIRE_DATABASES").is_some() => panic!("{engine}: {why}"),
        Err(why) => return super::cases::say(&format!("skipped: {engine}: {why}")),
    };
    let table = frames::table(&flights("sample.parquet")).unwrap();
    let data = Table {
        columns: table.names.iter().zip(&table.frames).map(|(n, f)| (n.to_string(), f.dtype())).collect(),
        rows: (0..table.rows).map(|i| table.frames.iter().map(|f| f.get(i, 0)).collect()).collect(),
    };
    let mut wrong = Vec::new();
    for sql in QUERIES {
        let prepared = prepared(sql, Some(engine));
        let right = expected(&prepared, &table);
        let text = query::to_sql(&prepared, engine).unwrap_or_else(|e| panic!("{sql}\n{}", e.report(false)));
        match databases.query(engine, "flights", &data, &text) {
            Ok(answer) if answer.columns.len() != right.names.len() => {
                wrong.push(format!("{sql}\n    columns {:?}, expected {:?}", answer.columns, right.names));
            }
            Ok(answer) => {
                let row = |r: &Vec<serde_json::Value>| {
                    (0..r.len()).map(|j| from_json(&r[j], right.frames[j].dtype())).collect()
                };
                let rows: Vec<Vec<Scalar>> = answer.rows.iter().map(row).collect();
                wrong.extend(compare(sql, &right, &rows));
            }
            Err(e) => wrong.push(format!("{sql}\n    {e}\n{}", text.chars().take(3000).collect::<String>())),
        }
    }
    assert!(wrong.is_empty(), "{engine}:\n{}", wrong.join("\n"));
}

#[test]
fn queries_on_sqlite() {
    database("sqlite");
}

#[test]
fn queries_on_duckdb() {
    database("duckdb");
}

#[test]
fn queries_on_postgres() {
    database("postgres");
}

/// Machine code called from SQL, and the model as SQL, in the embedded engine.
#[cfg(feature = "query")]
#[test]
fn queries_in_the_embedded_engine() {
    let table = frames::table(&flights("sample.parquet")).unwrap();
    let folder = std::env::temp_dir().join(format!("flock-queries-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut wrong = Vec::new();
    for sql in QUERIES {
        for engine in [Engine::Native, Engine::Sql] {
            let prepared = prepared(sql, None);
            let right = expected(&prepared, &table);
            let out = folder.join("result.parquet");
            let tables = [("flights".to_owned(), flights("sample.parquet"))];
            let request = Request {
                sql,
                models: &[],
                tables: &tables,
                define: &[],
                dialect: None,
                engine,
                codegen: Codegen::default(),
                out: Some(&out),
                threads: None,
            };
            match query::run(&prepared, &request, &mut |_| std::ops::ControlFlow::Continue(())) {
                Ok(_) => {
                    let found = frames::table(&out).unwrap();
                    let rows: Vec<Vec<Scalar>> =
                        (0..found.rows).map(|i| found.frames.iter().map(|f| f.get(i, 0)).collect()).collect();
                    wrong.extend(compare(&format!("{engine:?} {sql}"), &right, &rows));
                }
                Err(e) => wrong.push(format!("{engine:?} {sql}\n{}", e.report(false))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
