//! What a catalog holds and how a query names it.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod common;

use flock_ir_spec::{Attr, DType, FrameType, Function, FunctionBuilder, Module, Op, Rel};
use flock_lift_sql::{Catalog, Column, SourceDialect, Table, lift};

const F64: FrameType = FrameType::new(DType::F64, 1).nullable();

fn text(catalog: &Catalog, sql: &str) -> String {
    match lift("q", sql, catalog, SourceDialect::Generic) {
        Ok(module) => module.to_string(),
        Err(faults) => faults.iter().map(|f| format!("{} {f}", f.code)).collect::<Vec<_>>().join("\n"),
    }
}

fn named(parts: &[&str]) -> Table {
    Table {
        name: parts.iter().map(|p| (*p).into()).collect(),
        columns: Some(vec![Column::new("x", F64).without_nan()]),
    }
}

#[test]
fn tables_are_found_by_the_end_of_their_name() {
    let mut catalog = Catalog::new();
    catalog
        .add_table(named(&["a", "t"]))
        .add_table(named(&["b", "t"]))
        .add_table(named(&["b", "u"]))
        .add_table(named(&["u"]));
    assert!(text(&catalog, "SELECT B.T.x FROM B.T").contains("scan b.t"));
    assert!(text(&catalog, "SELECT t.x FROM b.t").contains("scan b.t"));
    assert!(text(&catalog, "SELECT x FROM u").contains("scan u "));
    assert!(text(&catalog, "SELECT x FROM t").starts_with("flock::sql::ambiguous_table q:1:15"));
    assert!(text(&catalog, "SELECT x FROM c.t").starts_with("flock::sql::unknown_table"));
    catalog.allow_any_table();
    assert!(text(&catalog, "SELECT x FROM c.T").contains("scan c.t"));
}

#[test]
fn a_column_without_nan_has_the_simple_comparison() {
    let mut catalog = Catalog::new();
    catalog.table("t", [Column::new("x", F64).without_nan(), Column::new("y", F64)]);
    assert!(!text(&catalog, "SELECT x FROM t WHERE x > 1 AND x >= -x").contains("is_nan"));
    assert!(text(&catalog, "SELECT x FROM t WHERE y > 1").contains("is_nan"));
    assert!(!text(&catalog, "SELECT m FROM (SELECT max(x) AS m FROM t) d WHERE m > 1").contains("is_nan"));
}

#[test]
fn models_keep_their_names_and_helpers_apart() {
    let mut f = FunctionBuilder::new("half");
    let x = f.input("x", F64).unwrap();
    let y = f.op(Op::Neg, &[x]).unwrap();
    f.output("prediction", y);
    let mut module = f.finish().unwrap();
    let mut outer = module.functions[0].clone();
    outer.name = "pipeline".into();
    let attr = Attr::Call { function: "half".into(), output: "prediction".into(), ty: F64 };
    outer.outputs[0].node = outer.graph.add(Op::Call, attr, &[x]).unwrap();
    module.functions.push(outer);
    let mut catalog = Catalog::new();
    catalog.table("t", [Column::new("x", F64)]);
    catalog.model("a", &module).unwrap().model("b", &module).unwrap();
    let lifted = lift("q", "SELECT predict(A, x), predict('b') FROM t", &catalog, SourceDialect::Generic).unwrap();
    let names: Vec<&str> = lifted.functions.iter().map(|f: &Function| &*f.name).collect();
    assert_eq!(names, ["a.half", "a", "b.half", "b"]);
    assert_eq!(
        catalog.models().map(|(n, m)| (n, m.params().len(), m.outputs().len())).collect::<Vec<_>>(),
        [("a", 1, 1), ("b", 1, 1)]
    );
    assert!(catalog.model("none", &Module::default()).is_err());
}

#[test]
fn views_are_unfolded_and_read_their_own_names() {
    let mut catalog = common::world().catalog;
    catalog.view("slow", "WITH f AS (SELECT id, dep_delay FROM flights) SELECT * FROM f WHERE dep_delay > 30");
    let sql = "WITH f AS (SELECT 1 AS other), flights AS (SELECT 2 AS wrong) SELECT a.id, f.other FROM SLOW a, f WHERE a.id > 3";
    let module = lift("q", sql, &catalog, SourceDialect::Generic).unwrap();
    let scans: Vec<_> = module.queries[0].rels.iter().filter(|r| matches!(r, Rel::Scan { .. })).collect();
    assert_eq!(scans.len(), 1, "{module}");
}

#[test]
fn columns_of_open_tables_take_the_types_of_parameters() {
    let mut catalog = common::world().catalog;
    catalog.allow_any_table();
    let module =
        lift("q", "SELECT predict(late) FROM logs WHERE dep_delay > 1 AND other = 2", &catalog, SourceDialect::Generic)
            .unwrap();
    let Rel::Scan { columns, .. } = &module.queries[0].rels[0] else { panic!("{module}") };
    let types: Vec<String> = columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect();
    assert_eq!(types, ["dep_delay f64?", "other str?", "carrier str?"]);
    // The type that one model gives is the type that another finds.
    let sql = "SELECT predict(late, x, 'AA'), predict(late, 1, x) FROM logs";
    assert!(text(&catalog, sql).contains("wants `carrier` as str, found f64?"), "{}", text(&catalog, sql));
}
