//! Names as a query writes them against names as tables have them.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

/// Whether what is written names `name`: a quoted name exactly, a plain one in any case.
pub(crate) fn same(written: &Ident, name: &str) -> bool {
    let ascii = || written.value.is_ascii() && name.is_ascii();
    let folded = || match ascii() {
        true => written.value.eq_ignore_ascii_case(name),
        false => written.value.to_lowercase() == name.to_lowercase(),
    };
    written.value == name || (written.quote_style.is_none() && folded())
}

/// The name that an identifier gives to something new: a plain one folds to lower case only for a column that no
/// schema lists, so this keeps what was written.
pub(crate) fn given(ident: &Ident) -> std::sync::Arc<str> {
    ident.value.as_str().into()
}

/// The parts of a qualified name; None where a part is computed.
pub(crate) fn parts(name: &ObjectName) -> Option<Vec<Ident>> {
    name.0
        .iter()
        .map(|p| match p {
            ObjectNamePart::Identifier(i) => Some(i.clone()),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}

/// The name of a function of one part, in lower case.
pub(crate) fn function(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(i)] => Some(i.value.to_lowercase()),
        _ => None,
    }
}

/// An identifier as standard SQL quotes it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Help that names the nearest of the candidates, or lists a few of them.
pub(crate) fn help<'a>(what: &str, found: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    match nearest(found, &all) {
        Some(name) => format!("did you mean `{name}`?"),
        None if all.is_empty() => format!("there are no {what}"),
        None => {
            let more = if all.len() > 8 { format!(", … ({} in all)", all.len()) } else { String::new() };
            format!("{what}: {}{more}", all[..all.len().min(8)].join(", "))
        }
    }
}

/// The only candidate that starts so, else the one at the least edit distance, where that is at most a third of the name.
fn nearest<'a>(found: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = found.to_lowercase();
    let mut longer = candidates.iter().filter(|c| found.len() > 2 && c.to_lowercase().starts_with(&lower));
    if let (Some(only), None) = (longer.next(), longer.next()) {
        return Some(only);
    }
    let bound = found.chars().count() / 3;
    candidates
        .iter()
        .filter(|c| c.chars().count().abs_diff(lower.chars().count()) <= bound)
        .take(10_000)
        .map(|c| (distance(&lower, &c.to_lowercase()), *c))
        .filter(|(d, _)| *d <= bound)
        .min()
        .map(|(_, c)| c)
}

/// Levenshtein's distance over the first 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The place of an identifier, which has a span but is not `Spanned`.
pub(crate) struct At(sqlparser::tokenizer::Span);

impl sqlparser::ast::Spanned for At {
    fn span(&self) -> sqlparser::tokenizer::Span {
        self.0
    }
}

/// The place of an identifier.
pub(crate) fn at(ident: &Ident) -> At {
    At(ident.span)
}
