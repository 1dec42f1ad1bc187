//! Every query of `queries.txt` on the reference evaluator gives the rows that DuckDB gave.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod common;

use flock_lift_sql::{SourceDialect, lift};

#[test]
fn rows_are_those_of_duckdb() {
    let world = common::world();
    let mut failures = Vec::new();
    let mut count = 0;
    for block in common::blocks(common::QUERIES).filter(|b| b[0].starts_with("query")) {
        let end = block.iter().position(|l| *l == "----").unwrap();
        let sql = block[1..end].iter().filter(|l| !l.starts_with("duckdb: ")).copied().collect::<Vec<_>>().join("\n");
        let words: Vec<&str> = block[0].split(' ').collect();
        let dialect = words.iter().find_map(|w| SourceDialect::parse(w)).unwrap_or_default();
        let expected: Vec<String> = block[end + 1..].iter().map(|l| l.to_string()).collect();
        let found = lift("q", &sql, &world.catalog, dialect)
            .map_err(|f| f.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            .and_then(|module| {
                let mut rows = world.rows(&module).map_err(|e| format!("{e}\n{module}"))?;
                if !words.contains(&"ordered") {
                    rows.sort();
                }
                if rows == expected { Ok(()) } else { Err(format!("{}\n{module}", rows.join("\n"))) }
            });
        count += 1;
        if let Err(found) = found {
            failures.push(format!("{sql}\nexpected\n{}\nfound\n{found}", expected.join("\n")));
        }
    }
    assert!(count > 80, "only {count} queries");
    assert!(failures.is_empty(), "{} of {count}:\n\n{}", failures.len(), failures.join("\n\n"));
}
