//! Any text ends in a module or in faults, in bounded time, memory and recursion.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod common;

use std::time::{Duration, Instant};

use flock_ir_spec::verify;
use flock_lift_sql::{Catalog, SourceDialect, lift};

fn code(sql: &str, catalog: &Catalog) -> &'static str {
    match lift("q", sql, catalog, SourceDialect::Generic) {
        Ok(_) => "ok",
        Err(faults) => faults[0].code,
    }
}

#[test]
fn deep_and_wide_statements_are_bounded() {
    let catalog = common::world().catalog;
    let wide = |n: usize, item: &str, sep: &str| vec![item; n].join(sep);
    let nested =
        |open: &str, inner: &str, close: &str, n: usize| format!("{}{inner}{}", open.repeat(n), close.repeat(n));
    let too_large = "flock::sql::too_large";
    let doubling: String = (1..40).map(|i| format!(", c{i} AS (SELECT * FROM c{} a, c{} b)", i - 1, i - 1)).collect();
    let cases = [
        (format!("SELECT {} FROM flights", wide(49_000, "id", " + ")), "ok"),
        (format!("SELECT id FROM flights WHERE {}", wide(24_000, "id = 1", " AND ")), "ok"),
        (format!("SELECT id FROM flights WHERE {}", wide(12_000, "id = 1 AND id = 2", " OR ")), "ok"),
        (format!("SELECT {} FROM flights", wide(49_000, "carrier", " || ")), "ok"),
        (
            format!("SELECT max({}) FROM flights GROUP BY id", wide(49_000, "-dep_delay", " - ")),
            "flock::sql::too_large",
        ),
        (format!("SELECT max({}) FROM flights GROUP BY id", wide(33_000, "-dep_delay", " - ")), "ok"),
        (wide(5_000, "SELECT id FROM flights", " UNION ALL "), "ok"),
        (wide(1_000, "SELECT id FROM flights", " UNION ALL SELECT id FROM flights UNION "), "ok"),
        (format!("SELECT {} FROM flights", wide(200_000, "1", ",")), too_large),
        (format!("SELECT {} FROM flights", nested("(", "1", ")", 100)), "ok"),
        (format!("SELECT {} FROM flights", nested("(", "1", ")", 100_000)), too_large),
        (format!("SELECT * FROM {}", nested("(", "flights", ")", 100)), "ok"),
        (format!("SELECT * FROM {}", nested("(SELECT * FROM ", "flights", ")", 100)), "ok"),
        (format!("SELECT {} FROM flights", nested("CASE WHEN true THEN ", "1", " END", 100)), "ok"),
        (format!("SELECT {} FROM flights", nested("NOT ", "true", "", 50_000)), "flock::sql::parse"),
        (format!("SELECT {} FROM flights", nested("- ", "1", "", 50_000)), "flock::sql::parse"),
        (format!("SELECT {} FROM flights", nested("coalesce(dep_delay, ", "1", ")", 100)), "ok"),
        (format!("SELECT {} FROM flights", nested("lower(", "carrier", ")", 100)), "ok"),
        (format!("WITH c0 AS (SELECT * FROM flights){doubling} SELECT count(*) FROM c39"), too_large),
        (format!("SELECT * FROM {}", nested("PREDICT(MODEL = late, DATA = ", "flights", ")", 60)), "ok"),
    ];
    for (sql, expected) in cases {
        let start = Instant::now();
        let found = code(&sql, &catalog);
        let short: String = sql.chars().take(80).collect();
        assert!(start.elapsed() < Duration::from_secs(30), "{:?} for {short}", start.elapsed());
        eprintln!("{:?} {found} {short}", start.elapsed());
        assert_eq!(found, expected, "{short}");
    }
}

/// A parser that goes back and tries again at each level would take for ever here.
#[test]
fn unfinished_nesting_is_refused_soon() {
    let catalog = common::world().catalog;
    let openings = [
        "(",
        "((SELECT 1) UNION ",
        "(flights JOIN ",
        "(SELECT * FROM ",
        "(VALUES (",
        "CASE ",
        "CASE WHEN ",
        "f(",
        "CAST(",
        "[",
        "{'a': ",
        "EXISTS (",
        "1 IN (",
        "NOT ",
        "INTERVAL ",
        "a.",
        "ARRAY[",
        "STRUCT(",
        "count(*) FILTER (WHERE ",
        "x -> ",
        "(a, ",
        "(WITH a AS (",
        "PREDICT(MODEL = m, DATA = ",
        "ML.PREDICT(MODEL m, (",
        "f() OVER (PARTITION BY ",
        "a BETWEEN ",
        "a LIKE ",
        "TABLE(",
        "LATERAL (",
        "x::",
        "TRIM(BOTH ",
        "POSITION(",
        "ARRAY<",
        "CAST(1 AS ARRAY<",
        "STRUCT<a ",
        "x::STRUCT<a ",
        "EXTRACT(",
        "SUBSTRING(",
        "POSITION(",
        "a AT TIME ZONE ",
        "MAP {",
        "CONVERT(",
        "UNNEST(",
    ];
    for opening in openings {
        for head in ["SELECT ", "SELECT * FROM ", "SELECT a FROM t WHERE ", "", "WITH a AS "] {
            let sql = format!("{head}{}", opening.repeat(100));
            let start = Instant::now();
            assert!(lift("q", &sql, &catalog, SourceDialect::Generic).is_err(), "{sql}");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?} for {head}{opening}", start.elapsed());
        }
    }
}

/// xorshift with a fixed seed: the same texts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

#[test]
fn mutated_statements_do_not_panic() {
    let mut world = common::world();
    world.catalog.allow_any_table();
    let faults = include_str!("faults.txt");
    let seeds: Vec<String> = common::blocks(common::QUERIES)
        .chain(common::blocks(common::QUERIES))
        .chain(common::blocks(faults))
        .filter(|b| !b[0].starts_with("table"))
        .map(|b| {
            b.iter()
                .take_while(|l| **l != "----")
                .filter(|l| !l.starts_with("query"))
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let words: Vec<&str> = seeds.iter().flat_map(|s| s.split(' ')).collect();
    let mut random = Random(0x5eed_f10c);
    let mut lifted = 0;
    for _ in 0..10_000 {
        let seed = &seeds[random.below(seeds.len())];
        let mut tokens: Vec<&str> = seed.split(' ').collect();
        for _ in 0..=random.below(3) {
            let at = random.below(tokens.len());
            match random.below(4) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, words[random.below(words.len())]),
                2 => tokens[at] = words[random.below(words.len())],
                _ => tokens.truncate(at + 1),
            }
            if tokens.is_empty() {
                tokens.push("SELECT");
            }
        }
        let mut sql = tokens.join(" ");
        if random.below(5) == 0 {
            let at = (0..=random.below(sql.len() + 1)).rev().find(|i| sql.is_char_boundary(*i)).unwrap_or(0);
            sql.insert(at, ['(', ')', '\'', '"', '{', '}', '\0', 'é', '.', ',', '@', ';'][random.below(12)]);
        }
        let dialect = ["generic", "duckdb", "postgres", "datafusion"][random.below(4)];
        match lift("q", &sql, &world.catalog, SourceDialect::parse(dialect).unwrap()) {
            Ok(module) => {
                lifted += 1;
                assert!(verify::check(&module).is_ok());
                // Whatever is lifted can be evaluated, but for what only a database knows.
                if let Err(e) = world.rows(&module) {
                    assert!(
                        e.contains("database") || e.contains("not read") || e.contains("opaque") || e.contains("table"),
                        "{sql}\n{e}\n{module}"
                    );
                }
            }
            Err(faults) => {
                assert!(!faults.is_empty(), "{sql}");
                assert!(
                    faults.iter().all(|f| f.code != "flock::sql::internal" && !f.code.starts_with("flock::verify")),
                    "{sql}\n{faults:?}"
                );
            }
        }
    }
    assert!(lifted > 300, "only {lifted} texts were lifted");
}
