//! What we emit: the text form of every case's module, and the sections `ir`, `optimized` and `sql:<dialect>` of cases
//! that show it. `FLOCK_BLESS=1` writes these sections again.

use flock::compile::{self, SqlOptions};
use flock_ir_spec::{Verified, text};
use flock_testsuite::case::all_cases;

use super::cases::all;

/// Print → parse → print is the identity, before and after optimising, and what is parsed verifies.
#[test]
fn the_text_form_is_the_identity() {
    for s in all().iter().filter(|s| s.refused.is_none()) {
        let lifted = s.load().unwrap_or_else(|e| panic!("{}: {e}", s.name));
        let optimized =
            flock::optimize::function(&lifted).unwrap_or_else(|e| panic!("{}: {}", s.name, e.report(false)));
        for module in [&lifted.module, &optimized.pipeline.module] {
            let printed = module.to_string();
            let parsed = text::parse(&printed).unwrap_or_else(|e| panic!("{}: {e:?}\n{printed}", s.name));
            assert_eq!(parsed.to_string(), printed, "{}", s.name);
            Verified::new(parsed).unwrap_or_else(|e| panic!("{}: {e:?}", s.name));
        }
    }
}

#[test]
fn cases_show_what_is_emitted() {
    let bless = std::env::var_os("FLOCK_BLESS").is_some();
    let (mut shown, mut stale) = (0, Vec::new());
    for case in all_cases().unwrap() {
        let Some(subject) = all().iter().find(|s| s.case.path == case.path) else { continue };
        let mut fresh = case.clone();
        for (name, body) in &case.sections {
            if !["ir", "optimized"].contains(&name.as_str()) && !name.starts_with("sql:") {
                continue;
            }
            let emit = || -> flock::Result<String> {
                let pipeline = subject.load().map_err(flock::query::fault)?;
                let Some(dialect) = name.strip_prefix("sql:") else { return compile::ir(&pipeline, name == "ir") };
                let options = SqlOptions { dialect: dialect.into(), table: "data".into(), ..SqlOptions::default() };
                compile::sql(&pipeline, &options)
            };
            match emit() {
                Ok(text) => {
                    shown += 1;
                    if text.trim_end() != body {
                        stale.push(format!("{}: {name}: emitted\n{text}", case.name()));
                    }
                    fresh.put(name, &text);
                }
                Err(e) => stale.push(format!("{}: {name}: {}", case.name(), e.report(false))),
            }
        }
        if bless {
            fresh.write().unwrap();
        }
    }
    assert!(shown >= 12, "only {shown} sections show what is emitted");
    assert!(bless || stale.is_empty(), "{}\nFLOCK_BLESS=1 writes the sections again", stale.join("\n"));
}
