//! What is said about statements at fault: codes, places, help, all faults at once.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod common;

use flock_ir_spec::{DType, FrameType};
use flock_lift_sql::{Column, SourceDialect, Table, lift};

#[test]
fn faults_are_told() {
    let mut world = common::world();
    world
        .catalog
        .table("others", [Column::other("when_"), Column::new("carrier", FrameType::new(DType::Str, 1).nullable())]);
    world.catalog.add_table(Table { name: vec!["open_table".into()], columns: None });
    world.catalog.view("a_view", "SELECT id,\n nope FROM flights").view("self_view", "SELECT * FROM self_view");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blessed = Vec::new();
    for block in text.trim_end().split("\n\n") {
        let Some((sql, _)) = block.split_once("\n----") else {
            blessed.push(block.to_owned());
            continue;
        };
        let said = match lift("q", sql, &world.catalog, SourceDialect::Generic) {
            Ok(module) => format!("nothing:\n{module}"),
            Err(faults) => {
                assert!(faults.iter().all(|f| f.place.starts_with("q")), "{faults:?}");
                let line = |f: &flock_ir_spec::Diagnostic| {
                    let help = f.help.as_ref().map(|h| format!("\n    help: {h}")).unwrap_or_default();
                    format!("{} {f}{help}", f.code)
                };
                faults.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        };
        blessed.push(format!("{sql}\n----\n{said}"));
    }
    let found = blessed.join("\n\n") + "\n";
    if std::env::var_os("FLOCK_BLESS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap(), "FLOCK_BLESS=1 takes what is found as right");
}
