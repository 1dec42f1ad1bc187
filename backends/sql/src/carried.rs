//! SQL that is carried unread, for a dialect: types and the byte-wise collation are written as the dialect has them; what
//! it lacks or takes in another meaning is refused by name. What is left is the database's own.

use std::borrow::Cow;

use crate::dialect::Dialect;

/// What of carried SQL a dialect does not take as it stands.
#[derive(Debug)]
pub struct Carried {
    /// The functions that it has, where these are few enough to say so; else every one that is not in `refused`.
    pub functions: Option<&'static [&'static str]>,
    /// Functions (`round(`) and words (`EXCEPT ALL`) that it lacks or that mean something else, and why.
    pub refused: &'static [(&'static str, &'static str)],
    /// Types that values keep under their own name.
    pub types: &'static [&'static str],
}

/// Why a function or a word is refused that the dialect does not have.
pub(crate) const LACKS: &str = "it is not there";

/// Words that may stand before a parenthesis and are no functions.
const KEYWORDS: &[&str] = &[
    "all", "and", "any", "as", "between", "by", "else", "end", "exists", "filter", "from", "in", "is", "like", "not",
    "on", "or", "over", "select", "then", "union", "values", "when", "where",
];
/// Functions that every dialect has: aggregates over windows, and what windows alone have.
const WINDOWS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "ntile",
    "count",
    "percent_rank",
    "cume_dist",
    "sum",
    "avg",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "min",
    "max",
    "abs",
    "cast",
    "coalesce",
    "nullif",
];

/// A word, lower-cased, or a quoted name.
struct Token<'t> {
    text: &'t str,
    start: usize,
    end: usize,
    quoted: bool,
    /// A parenthesis follows.
    called: bool,
}

/// The text as the dialect takes it. Errors: why it does not.
pub fn adapted<'t>(dialect: &Dialect, text: &'t str) -> Result<Cow<'t, str>, String> {
    let text = cast(dialect, text)?;
    let found = tokens(&text);
    if let Some(fault) = fault(dialect, &found) {
        return Err(fault);
    }
    let collations: Vec<(usize, usize)> = found
        .windows(2)
        .filter(|w| is(&w[0], "collate") && dialect.bytewise != " COLLATE \"C\"")
        .map(|w| (w[0].start, w[1].end))
        .collect();
    if collations.is_empty() {
        return Ok(text);
    }
    let mut out = text.to_string();
    for (start, end) in collations.into_iter().rev() {
        out.replace_range(start..end, dialect.bytewise.trim_start());
    }
    Ok(out.into())
}

fn fault(dialect: &Dialect, found: &[Token<'_>]) -> Option<String> {
    let own = dialect.carried;
    let because = |what: &str, why: &str| Some(format!("`{what}` is carried as it is written, and {why}"));
    for (i, t) in found.iter().enumerate().filter(|(_, t)| !t.quoted) {
        let name = t.text.to_ascii_lowercase();
        let pair = found.get(i + 1).map(|next| format!("{} {}", t.text, next.text).to_ascii_uppercase());
        let called = format!("{name}(");
        let refused = |(what, _): &&(&str, &str)| match what.strip_suffix('(') {
            Some(_) => t.called && called == *what,
            None => what.eq_ignore_ascii_case(&name) || pair.as_deref() == Some(what),
        };
        if let Some((what, why)) = own.refused.iter().find(refused) {
            return because(what.trim_end_matches('('), why);
        }
        let byte_wise = found.get(i + 1).is_some_and(|c| c.text.eq_ignore_ascii_case("c"));
        if name == "collate" && !byte_wise && dialect.name != "postgres" {
            return because("COLLATE", &format!("{} has other collations", dialect.name));
        }
        let keyword = KEYWORDS.contains(&&*name);
        let unknown = own.functions.is_some_and(|f| !f.contains(&&*name) && !WINDOWS.contains(&&*name));
        if t.called && !keyword && unknown {
            return because(&name, &format!("{} has no such function, or another of that name", dialect.name));
        }
    }
    None
}

fn is(token: &Token<'_>, word: &str) -> bool {
    !token.quoted && token.text.eq_ignore_ascii_case(word)
}

/// `CAST(… AS type)` with the type as the dialect calls it.
fn cast<'t>(dialect: &Dialect, text: &'t str) -> Result<Cow<'t, str>, String> {
    let head = ["CAST(", "TRY_CAST(", "SAFE_CAST("].into_iter().find(|h| text.starts_with(h));
    let parts = text.strip_suffix(')').filter(|_| head.is_some()).and_then(|t| t.rsplit_once(" AS "));
    let Some((value, ty)) = parts else { return Ok(text.into()) };
    let upper = ty.to_ascii_uppercase();
    let own = match &*upper {
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" | "FLOAT64" => Some(dialect.double),
        "REAL" | "FLOAT4" | "FLOAT32" => dialect.real,
        "BIGINT" | "INT8" | "INT64" | "INTEGER" | "INT" | "INT4" | "INT32" | "SMALLINT" | "INT2" | "TINYINT" => {
            Some(dialect.bigint)
        }
        "TEXT" | "VARCHAR" | "CHARACTER VARYING" | "STRING" => Some(dialect.text),
        "BOOL" | "BOOLEAN" => dialect.boolean,
        _ if dialect.carried.types.contains(&&*upper) => return Ok(text.into()),
        _ if dialect.carried.types.iter().any(|t| upper.starts_with(&format!("{t}("))) => return Ok(text.into()),
        _ => None,
    };
    match own {
        Some(own) if own == ty => Ok(text.into()),
        Some(own) => Ok(format!("{value} AS {own})").into()),
        None => Err(format!("the cast to {ty} is carried, and {} has no such type, or another", dialect.name)),
    }
}

/// The words and quoted names of a text; what stands in quotes is not looked into.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    let mut found = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            quote @ (b'\'' | b'"') => {
                i += 1;
                while i < bytes.len() && bytes[i] != quote {
                    i += 1;
                }
                let quoted = Token { text: &text[start + 1..i], start, end: i + 1, quoted: true, called: false };
                if quote == b'"' && i < bytes.len() {
                    found.push(quoted);
                }
                i += 1;
            }
            b'{' => i += text[i..].find('}').unwrap_or(0) + 1,
            b if word(b) => {
                while i < bytes.len() && word(bytes[i]) {
                    i += 1;
                }
                let called = text[i..].trim_start().starts_with('(');
                if !b.is_ascii_digit() {
                    found.push(Token { text: &text[start..i], start, end: i, quoted: false, called });
                }
            }
            _ => i += 1,
        }
    }
    found
}
