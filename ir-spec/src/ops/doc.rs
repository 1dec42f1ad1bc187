//! `ops.md`, written from the records.

use std::fmt::{self, Write};

use super::{AttrKind, Exactness, Meaning, NullRule, Op, Record};

/// The page: every operator, primitives first.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Operators\n\nWritten from the records in `src/ops` by `FLOCK_BLESS=1 cargo test --release -p flock-ir-spec`; \
         do not edit.\nTypes, null rules and exactness are explained in `SPEC.md`.\n",
    );
    // Writing into a string does not fail.
    let _ = sections(&mut out);
    out
}

fn sections(out: &mut String) -> fmt::Result {
    writeln!(out, "\n## Primitives")?;
    Op::CORE.iter().try_for_each(|op| section(op.record(), out))?;
    writeln!(out, "\n## Composites\n\nEach stands for its definition; a backend may know a shorter way.")?;
    super::Composite::all().try_for_each(|c| section(c.record(), out))
}

fn section(record: &Record, out: &mut String) -> fmt::Result {
    write!(out, "\n### `{}{}", record.name, attribute(record.attr))?;
    record.operands.iter().try_for_each(|o| write!(out, " {o}"))?;
    writeln!(out, "`\n")?;
    record.doc.lines().try_for_each(|line| writeln!(out, "{}", line.trim()))?;
    writeln!(out, "\n| | |\n|---|---|")?;
    writeln!(out, "| shape | {} |", record.shape.replace('|', "\\|"))?;
    writeln!(out, "| nulls | {} |", nulls(record.nulls))?;
    writeln!(out, "| exact | {} |", exact(record.exact))?;
    writeln!(out, "| source | {} |", record.source)?;
    match record.meaning {
        Meaning::Expands(definition) => {
            let words: Vec<&str> = definition.split_whitespace().collect();
            writeln!(out, "| definition | `{}` |", words.join(" "))
        }
        Meaning::Leaf | Meaning::Eval(_) => Ok(()),
    }
}

fn attribute(kind: AttrKind) -> String {
    match kind {
        AttrKind::None | AttrKind::Type | AttrKind::Param | AttrKind::Const | AttrKind::Column => String::new(),
        AttrKind::Range => "[start..end]".into(),
        AttrKind::Word(words) => format!("[{}]", words.iter().map(|w| w.name()).collect::<Vec<_>>().join("/")),
        AttrKind::Call => "[function.output]".into(),
        AttrKind::Opaque => "[\"sql\"]".into(),
    }
}

fn nulls(rule: NullRule) -> &'static str {
    match rule {
        NullRule::Strict => "null where any element that the result reads is null",
        NullRule::Kleene => "three-valued logic",
        NullRule::Never => "never null",
        NullRule::Own => "as described",
    }
}

fn exact(exact: Exactness) -> &'static str {
    match exact {
        Exactness::Bits => "the same bits on every engine",
        Exactness::Reals => "up to rounding",
    }
}
