//! Queries and the IR that they become, for what the reference evaluator does not know: carried SQL, dialects.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod common;

use flock_ir_spec::{DType, FrameType};
use flock_lift_sql::{Column, SourceDialect, Table, lift};

#[test]
fn ir_is_as_written() {
    let mut world = common::world();
    world.catalog.table("others", [Column::other("when_"), Column::new("carrier", FrameType::new(DType::Str, 1))]);
    world.catalog.add_table(Table { name: vec!["main".into(), "any".into()], columns: None });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ir.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blessed = Vec::new();
    for block in text
        .trim_end()
        .split("\n\n=== ")
        .flat_map(|b| b.split("\n\n"))
        .filter(|b| b.contains("\n----") || b.starts_with('#'))
    {
        let Some((head, _)) = block.split_once("\n----") else {
            blessed.push(block.to_owned());
            continue;
        };
        let (dialect, sql) = head.split_once('\n').unwrap();
        let module = lift("q", sql, &world.catalog, SourceDialect::parse(dialect).unwrap());
        let ir = match module {
            Ok(module) => {
                let query = flock_ir_spec::Module { functions: vec![], ..module.clone() }.to_string();
                assert_eq!(flock_ir_spec::text::parse(&module.to_string()).unwrap().to_string(), module.to_string());
                query.lines().filter(|l| !l.is_empty() && !l.starts_with("flock ")).collect::<Vec<_>>().join("\n")
            }
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        blessed.push(format!("{head}\n----\n{ir}"));
    }
    let found = blessed.join("\n\n") + "\n";
    if std::env::var_os("FLOCK_BLESS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap(), "FLOCK_BLESS=1 takes what is found as right");
}
