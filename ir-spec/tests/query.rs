//! Queries as the reference evaluates them, against results written out by hand.

use std::sync::Arc;

use flock_ir_spec::eval::{self, Table};
use flock_ir_spec::*;

/// A table from rows of text: `_` is null, quotes are text, a point or `nan` is a float, the rest an integer or bool.
fn table(names: &str, rows: &[&str]) -> Table {
    let cells: Vec<Vec<Scalar>> = rows.iter().map(|r| r.split_whitespace().map(cell).collect()).collect();
    let names: Vec<Arc<str>> = names.split_whitespace().map(Into::into).collect();
    let column = |j: usize| {
        let dtype = cells.iter().find_map(|r| dtype(&r[j])).unwrap_or(DType::I64);
        Frame::from_fn(cells.len(), FrameType::new(dtype, 1).nullable(), |i, _| cells[i][j].clone())
    };
    let frames = (0..names.len()).map(column).collect();
    Table { rows: rows.len(), names, frames }
}

fn cell(text: &str) -> Scalar {
    match text {
        "_" => Scalar::Null,
        "true" | "false" => Scalar::Bool(text == "true"),
        _ if text.starts_with('\'') => Scalar::Str(text.trim_matches('\'').into()),
        _ => text.parse().map(Scalar::I64).or_else(|_| text.parse().map(Scalar::F64)).expect("a number"),
    }
}

fn dtype(cell: &Scalar) -> Option<DType> {
    match cell {
        Scalar::Null => None,
        Scalar::Bool(_) => Some(DType::Bool),
        Scalar::I64(_) => Some(DType::I64),
        Scalar::F32(_) => Some(DType::F32),
        Scalar::F64(_) => Some(DType::F64),
        Scalar::Str(_) => Some(DType::Str),
    }
}

fn shown(t: &Table) -> Vec<String> {
    let show = |s: Scalar| match s {
        Scalar::Null => "_".to_owned(),
        Scalar::Bool(x) => x.to_string(),
        Scalar::I64(x) => x.to_string(),
        Scalar::F32(x) => format!("{x:?}"),
        Scalar::F64(x) => format!("{x:?}").to_lowercase(),
        Scalar::Str(x) => format!("'{x}'"),
    };
    (0..t.rows).map(|r| t.frames.iter().map(|f| show(f.get(r, 0))).collect::<Vec<_>>().join(" ")).collect()
}

const FUNCTION: &str = "fn double(a: i64?) {\n  %0 = add a a\n  return (x = %0, y = a)\n}\n";
const SCANS: &str = "  r0 = scan t (k@1: i64?, x@2: f64?, s@3: str?)\n  r1 = scan main.u (k@4: i64?, n@5: str?)\n";

fn module(lines: &str) -> Module {
    let text = format!("flock 1\n{FUNCTION}query q {{\n{SCANS}{lines}\n}}\n");
    let module = text::parse(&text).unwrap_or_else(|f| panic!("{text}\n{f:#?}"));
    verify::check(&module).unwrap_or_else(|f| panic!("{text}\n{f:#?}"));
    module
}

fn tables(name: &[Arc<str>]) -> Option<Table> {
    match name.join(".").as_str() {
        "t" => Some(table("s x k", &["'a' 1.5 1", "'b' nan 2", "_ -0.0 2", "'a' 0.0 _", "'a' _ 3", "'b' 2.5 1"])),
        "main.u" => Some(table("k n", &["1 'one'", "1 'uno'", "4 'four'", "_ 'null'"])),
        _ => None,
    }
}

fn gives(lines: &str, expected: &[&str]) {
    let module = module(lines);
    let result = eval::query(&module, &module.queries[0], &tables).unwrap_or_else(|e| panic!("{lines}\n{e}"));
    assert_eq!(shown(&result), expected, "{lines}");
}

#[test]
fn scans_filters_and_projects() {
    gives("  return r0", &["1 1.5 'a'", "2 nan 'b'", "2 -0.0 _", "_ 0.0 'a'", "3 _ 'a'", "1 2.5 'b'"]);
    // A comparison with null is null, and so is its negation: neither keeps the row.
    gives("  %0 = eq @1 i64[1]\n  r2 = filter r0 %0\n  return r2", &["1 1.5 'a'", "1 2.5 'b'"]);
    gives(
        "  %0 = eq @1 i64[1]\n  %1 = not %0\n  r2 = filter r0 %1\n  return r2",
        &["2 nan 'b'", "2 -0.0 _", "3 _ 'a'"],
    );
    gives(
        "  %0: i64? = call[double.x] @1\n  %1: i64? = call[double.y] @1\n  r2 = project r0 (a@9: i64? = %0, b@10: i64? = %1, c@11: bool = bool[true])\n  return r2",
        &["2 1 true", "4 2 true", "4 2 true", "_ _ true", "6 3 true", "2 1 true"],
    );
}

#[test]
fn joins() {
    let join = |kind: &str, rest: &str, expected: &[&str]| {
        gives(
            &format!("  %0 = eq @1 @4\n  r2 = join[{kind}] r0 r1 %0\n  r3 = project r2 ({rest})\n  return r3"),
            expected,
        );
    };
    let both = "a@9: i64? = @1, x@10: f64? = @2, b@11: i64? = @4?, n@12: str? = @5?";
    let matched = ["1 1.5 1 'one'", "1 1.5 1 'uno'", "1 2.5 1 'one'", "1 2.5 1 'uno'"];
    join("inner", both, &matched);
    let left = [
        "1 1.5 1 'one'",
        "1 1.5 1 'uno'",
        "2 nan _ _",
        "2 -0.0 _ _",
        "_ 0.0 _ _",
        "3 _ _ _",
        "1 2.5 1 'one'",
        "1 2.5 1 'uno'",
    ];
    join("left", both, &left);
    let unmatched = ["_ _ 4 'four'", "_ _ _ 'null'"];
    join("right", both, &[&matched[..], &unmatched[..]].concat());
    join("full", both, &[&left[..], &unmatched[..]].concat());
    join("semi", "a@9: i64? = @1, x@10: f64? = @2", &["1 1.5", "1 2.5"]);
    join("anti", "a@9: i64? = @1, x@10: f64? = @2", &["2 nan", "2 -0.0", "_ 0.0", "3 _"]);
    gives(
        "  r2 = limit r0 2\n  r3 = join[cross] r2 r1\n  r4 = project r3 (a@9: i64? = @1, n@12: str? = @5)\n  return r4",
        &["1 'one'", "1 'uno'", "1 'four'", "1 'null'", "2 'one'", "2 'uno'", "2 'four'", "2 'null'"],
    );
    // The rest of the condition counts too, and a condition without an equality is evaluated on every pair.
    gives(
        "  %0 = eq @4 @1\n  %1 = eq @5 str[\"uno\"]\n  %2 = and %1 %0\n  r2 = join[inner] r0 r1 %2\n  r3 = project r2 (x@10: f64? = @2)\n  return r3",
        &["1.5", "2.5"],
    );
    gives(
        "  %0 = lt @4 @1\n  r2 = join[inner] r0 r1 %0\n  r3 = project r2 (a@9: i64? = @1, n@12: str? = @5)\n  return r3",
        &["2 'one'", "2 'uno'", "2 'one'", "2 'uno'", "3 'one'", "3 'uno'"],
    );
}

#[test]
fn aggregates() {
    gives(
        "  r2 = aggregate r0 by (s@9: str? = @3) give (n@10: i64 = count, x@11: i64 = count @2, t@12: f64? = sum @2, m@13: f64? = avg @1, lo@14: f64? = min @2, hi@15: f64? = max @2)\n  return r2",
        // Nulls are skipped, groups of null and of no values stay; NaN is a value and the greatest one.
        &["'a' 3 2 1.5 2.0 0.0 1.5", "'b' 2 2 nan 1.5 2.5 nan", "_ 1 1 -0.0 2.0 -0.0 -0.0"],
    );
    gives(
        "  r2 = filter r0 bool[false]\n  r3 = aggregate r2 by () give (n@10: i64 = count, t@12: i64? = sum @1, m@13: str? = max @3)\n  return r3",
        &["0 _ _"],
    );
    gives(
        "  r2 = filter r0 bool[false]\n  r3 = aggregate r2 by (s@9: str? = @3) give (n@10: i64 = count)\n  return r3",
        &[],
    );
    // Zero of either sign is one value; a sum that overflows is null.
    gives(
        "  %0 = coalesce @2 f64[7]\n  r2 = aggregate r0 by () give (n@10: i64 = count distinct @2, m@11: i64 = count distinct %0, k@12: i64? = sum distinct @1)\n  return r2",
        &["4 5 6"],
    );
    gives(
        "  %0 = coalesce @1 i64[9223372036854775807]\n  r2 = aggregate r0 by () give (t@10: i64? = sum %0)\n  return r2",
        &["_"],
    );
}

#[test]
fn order_and_position() {
    let sort = |keys: &str, expected: &[&str]| {
        gives(
            &format!("  r2 = sort r0 ({keys})\n  r3 = project r2 (k@9: i64? = @1, x@10: f64? = @2)\n  return r3"),
            expected,
        );
    };
    sort("@2 asc nulls last", &["2 -0.0", "_ 0.0", "1 1.5", "1 2.5", "2 nan", "3 _"]);
    sort("@2 desc nulls first", &["3 _", "2 nan", "1 2.5", "1 1.5", "2 -0.0", "_ 0.0"]);
    sort("@1 asc nulls first, @2 desc nulls last", &["_ 0.0", "1 2.5", "1 1.5", "2 nan", "2 -0.0", "3 _"]);
    gives("  r2 = limit r1 2 offset 1\n  return r2", &["1 'uno'", "4 'four'"]);
    gives("  r2 = limit r1 all offset 3\n  return r2", &["_ 'null'"]);
    gives("  r2 = limit r1 5 offset 99\n  return r2", &[]);
}

#[test]
fn sets() {
    gives("  r2 = project r0 (x@9: i64? = @1)\n  r3 = distinct r2\n  return r3", &["1", "2", "_", "3"]);
    gives(
        "  r2 = project r0 (x@9: i64? = @1)\n  r3 = project r1 (x@10: i64? = @4)\n  r4 = union r2 r3 (z@11: i64?)\n  return r4",
        &["1", "2", "2", "_", "3", "1", "1", "1", "4", "_"],
    );
}

#[test]
fn what_cannot_be_evaluated_is_refused_by_name() {
    let refused = |lines: &str, code: &str, place: &str| {
        let module = module(lines);
        let fault = eval::query(&module, &module.queries[0], &tables).expect_err(lines);
        assert_eq!((fault.code, fault.place.as_str()), (code, place), "{fault}");
    };
    refused("  r2 = opaque[\"SELECT 1\"] (x@9: i64)\n  return r2", "flock::eval::opaque", "q/r2");
    refused("  r2 = scan v (x@9: i64)\n  return r2", "flock::eval::table", "q/r2");
    refused("  r2 = scan t (z@9: i64)\n  return r2", "flock::eval::table", "q/r2");
    refused("  r2 = scan t (k@9: i64)\n  return r2", "flock::eval::table", "q/r2");
    refused("  r2 = scan t (k@9: f64?)\n  return r2", "flock::eval::table", "q/r2");
    refused(
        "  %0: i64? = opaque[\"abs({0})\"] @1\n  r2 = project r0 (x@9: i64? = %0)\n  return r2",
        "flock::eval::no_meaning",
        "%1",
    );
    // What the result does not need is not evaluated.
    gives("  r2 = opaque[\"SELECT 1\"] (x@9: i64)\n  r3 = limit r0 1\n  return r3", &["1 1.5 'a'"]);
}
