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

fn carried(text: &str, name: &str) -> Result<String, String> {
    let text = text.replace('"', "\\\"");
    sql(
        &format!(
            "r0 = scan t (a@0: str?)\n%0: str? = opaque[\"{text}\"] @0?\nr1 = project r0 (b@1: str? = %0)\nreturn r1"
        ),
        name,
    )
}

/// Carried SQL is said in the dialect's own types and collation; what it lacks or takes otherwise is refused by name.
#[test]
fn carried_sql_is_adapted_or_refused() {
    let has = |text: &str, name: &str, part: &str| {
        let found = carried(text, name).expect(text);
        assert!(found.contains(part), "{found}");
    };
    has("CAST({0} AS VARCHAR)", "postgres", " AS text)");
    has("CAST({0} AS DOUBLE)", "postgres", " AS float8)");
    has("CAST({0} AS DATE)", "duckdb", " AS DATE)");
    has("{0} COLLATE \"C\"", "sqlite", "COLLATE BINARY");
    has("{0} COLLATE \"C\"", "postgres", "COLLATE \"C\"");
    has("replace({0}, 'LIKE lower(', '')", "sqlite", "replace(");
    has("upper({0})", "duckdb", "upper(");
    for (text, name, word) in [
        ("CAST({0} AS DATE)", "sqlite", "DATE"),
        ("CAST({0} AS VARCHAR(3))", "duckdb", "VARCHAR(3)"),
        ("{0} COLLATE \"de_DE\"", "duckdb", "COLLATE"),
        ("{0} LIKE 'A%'", "sqlite", "LIKE"),
        ("upper({0})", "sqlite", "upper"),
        ("strftime({0}, '%Y')", "postgres", "strftime"),
        ("to_char({0})", "duckdb", "to_char"),
        ("TRY_CAST({0} AS BIGINT)", "postgres", "try_cast"),
    ] {
        assert!(carried(text, name).is_err_and(|why| why.contains(word)), "{text} in {name}");
    }
}
