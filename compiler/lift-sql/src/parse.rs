//! From text to one query of sqlparser's tree. The text is hostile: its size and depth are bounded first.

use std::collections::BTreeSet;
use std::rc::Rc;

use flock_ir_spec::{Diagnostic, Faults};
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::forms::{Reader, TableForm};
use crate::grammar::Grammar;

/// The longest statement, in tokens. It bounds depth as well: `a + a + …` nests without parentheses.
pub(crate) const MAX_TOKENS: usize = 100_000;
/// The deepest nesting of parentheses, CASE and subqueries.
pub(crate) const MAX_NESTING: usize = 120;

/// A query, and what stands for the table functions that sqlparser does not read.
pub(crate) struct Parsed {
    pub query: Box<Query>,
    /// `FROM <marker>i` stands for form i.
    pub forms: Rc<[TableForm]>,
    /// A name that starts nothing else in the text.
    pub marker: Rc<str>,
}

/// One query.
pub(crate) fn parse(name: &str, sql: &str) -> Result<Parsed, Faults> {
    let fault = |code, place: Option<(u64, u64)>, message: String| {
        let place = place.map_or_else(|| name.to_owned(), |(line, column)| format!("{name}:{line}:{column}"));
        Diagnostic::new(code, place, message)
    };
    let tokens = Tokenizer::new(&GenericDialect, sql)
        .tokenize_with_location()
        .map_err(|e| vec![fault("flock::sql::parse", Some((e.location.line, e.location.column)), e.message)])?;
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    if tokens.len() > MAX_TOKENS {
        let message = format!("the statement has {} tokens, at most {MAX_TOKENS} are read", tokens.len());
        return Err(vec![fault("flock::sql::too_large", None, message)]);
    }
    nesting(&tokens).map_err(|at| {
        let message = format!("parentheses and CASE nest deeper than {MAX_NESTING}");
        vec![fault("flock::sql::too_large", Some(at), message)]
    })?;
    let marker = marker(sql);
    let grammar = Grammar::new(tokens.len());
    let mut reader = Reader { marker: &marker, grammar: &grammar, forms: Vec::new() };
    let first = tokens.first().map(|t| (t.token.to_string().to_uppercase(), t.span.start));
    let misread = |message: String, place: Option<(u64, u64)>| {
        if grammar.exhausted() {
            let message = "the statement is too ambiguous to be read in reasonable time";
            return vec![fault("flock::sql::too_large", place, message.into())];
        }
        vec![fault("flock::sql::parse", place, message)]
    };
    let tokens = reader.rewrite(tokens).map_err(|e| misread(e.message, Some((e.at.line, e.at.column))))?;
    let forms = reader.forms;
    let statements = grammar.parser(tokens).parse_statements().map_err(|e| {
        let (message, place) = explain(e);
        misread(message, place)
    })?;
    one_query(statements).map(|query| Parsed { query, forms: forms.into(), marker: marker.into() }).map_err(|found| {
        let word = first.as_ref().map_or("", |f| &f.0);
        let message = match found {
            0 => "there is no statement, expected one query".to_owned(),
            1 => format!("a {word} statement, expected a query"),
            n => format!("{n} statements, expected one query"),
        };
        vec![fault("flock::sql::statement", first.as_ref().map(|f| (f.1.line, f.1.column)), message)]
    })
}

/// The query of the only statement, or the number of statements.
fn one_query(mut statements: Vec<Statement>) -> Result<Box<Query>, usize> {
    let n = statements.len();
    match statements.pop() {
        Some(Statement::Query(query)) if n == 1 => Ok(query),
        _ => Err(n),
    }
}

/// The place where nesting passes the bound.
fn nesting(tokens: &[TokenWithSpan]) -> Result<(), (u64, u64)> {
    let mut depth = 0usize;
    for t in tokens {
        match &t.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case("case") => depth += 1,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case("end") => {
                depth = depth.saturating_sub(1);
            }
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err((t.span.start.line, t.span.start.column));
        }
    }
    Ok(())
}

/// The message without the place that sqlparser writes at its end, and the place.
pub(crate) fn explain(error: ParserError) -> (String, Option<(u64, u64)>) {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => return ("the statement nests too deeply".into(), None),
    };
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let place =
        place.split_once(", Column: ").and_then(|(l, c)| Some((l.trim().parse().ok()?, c.trim().parse().ok()?)));
    (message.trim_end_matches([',', ' ']).to_owned(), place)
}

/// A plain name such that no word of the text starts with it.
fn marker(sql: &str) -> String {
    const STEM: &str = "flock_form_";
    let lower = sql.to_lowercase();
    let taken: BTreeSet<usize> = lower
        .match_indices(STEM)
        .map(|(i, s)| lower[i + s.len()..].bytes().take_while(|b| *b == b'z').count())
        .collect();
    let free = (0..).find(|n| !taken.contains(n)).unwrap_or(0);
    format!("{STEM}{}_", "z".repeat(free))
}
