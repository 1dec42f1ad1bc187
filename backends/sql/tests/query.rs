//! What the text of a query must be like. That its rows are right is for the suite to show, on the databases themselves.

use flock_ir_spec::{Verified, text};
use flock_sql::{Identifiers, dialect, emit_query};

/// The statement, or the reasons why there is none.
fn sql(ir: &str, name: &str) -> Result<String, String> {
    let module = text::parse(&format!("flock 1\n\nquery q {{\n{ir}\n}}\n")).expect("parsed");
    let module = Verified::new(module).expect("verified");
    let naming = |function: &str, output: &str| format!("{function}_{output}");
    emit_query(&module, "q", dialect(name).expect("a dialect"), Identifiers::Fold, &naming)
        .map_err(|all| all.iter().map(|u| u.reason.clone()).collect::<Vec<_>>().join("\n"))
}

fn full_join(on: &str) -> String {
    let result = "r3 = project r2 (a@4: i64? = @0?)";
    format!(
        "r0 = scan l (a@0: i64, x@1: f64)\nr1 = scan r (b@2: i64, y@3: f64)\n{on}\nr2 = join[full] r0 r1 %9\n{result}\nreturn r3"
    )
}

#[test]
fn a_full_join_that_the_database_refuses_is_refused() {
    let by_key = full_join("%0: bool = eq @0 @2\n%1: bool = lt @1 @3\n%9: bool = and %0 %1");
    let by_order = full_join("%9: bool = lt @0 @2");
    let of_one_side = full_join("%0: i64? = add @0 @2\n%9: bool? = eq %0 i64[4]");
    for name in ["duckdb", "sqlite", "postgres", "datafusion"] {
        assert!(sql(&by_key, name).is_ok_and(|s| s.contains("FULL JOIN")), "{name}");
        for ir in [&by_order, &of_one_side] {
            assert_eq!(sql(ir, name).is_err_and(|why| why.contains("FULL JOIN")), name == "postgres", "{name}");
        }
    }
}

/// ORDER BY takes a name for a result column first.
#[test]
fn a_sort_key_is_not_taken_for_a_result_column() {
    let ir = "r0 = scan t (a@0: i64, b@1: i64)\nr1 = sort r0 (@1 asc nulls last, @0 asc nulls last)\n\
        r2 = project r1 (b@2: i64 = @0, c@3: i64 = @1)\nreturn r2";
    for name in ["duckdb", "sqlite", "postgres", "datafusion"] {
        let text = sql(ir, name).expect("emitted");
        assert!(text.contains("ORDER BY \"t\".\"b\" NULLS LAST, \"a\" NULLS LAST"), "{text}");
    }
}

/// NULL and NaN are apart in a test for membership, so that its negation is the test itself.
#[test]
fn not_in_a_set_of_floats() {
    let ir = "r0 = scan t (a@0: f64?)\n%0: bool? = in_set @0? f64[1, 2]\n%1: bool? = not %0\n\
        r1 = filter r0 %1\nreturn r1";
    for name in ["duckdb", "sqlite", "postgres", "datafusion"] {
        let text = sql(ir, name).expect("emitted");
        assert!(text.contains("WHERE NOT (CAST(\"a\" AS ") && text.contains(" IN (1.0"), "{text}");
    }
}
