//! Predictions as table functions, which sqlparser reads in no dialect:
//!
//! ```sql
//! PREDICT(MODEL = m, DATA = t AS d) WITH (prediction FLOAT) AS p      -- SQL Server
//! ML.PREDICT(MODEL m, (SELECT …))    ML.PREDICT(MODEL m, TABLE t)     -- BigQuery
//! ```
//! They are found among the tokens; their parts are parsed one by one, and a name that stands for them takes their
//! place (with the place in the text of what it stands for).

use sqlparser::ast::{DataType, Ident, TableFactor};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use crate::grammar::Grammar;
use crate::parse;

/// A prediction over a table.
pub(crate) struct TableForm {
    /// The model as written, parts joined by dots.
    pub model: String,
    /// The rows.
    pub data: TableFactor,
    /// The outputs that a WITH clause lists.
    pub outputs: Outputs,
    /// Whether the data keeps its own alias (SQL Server); else input and output columns have the form's alias.
    pub own_alias: bool,
    /// Where it stands.
    pub span: Span,
}

/// What does not parse.
pub(crate) struct Misread {
    pub message: String,
    pub at: Location,
}

type Tokens = Vec<TokenWithSpan>;
/// The columns of a WITH clause.
type Outputs = Option<Vec<(Ident, DataType)>>;

/// Finds and reads forms.
pub(crate) struct Reader<'g> {
    pub marker: &'g str,
    pub grammar: &'g Grammar,
    /// The forms so far; forms within the data of forms come first.
    pub forms: Vec<TableForm>,
}

impl Reader<'_> {
    /// Puts `<marker>i` in the place of the i-th form.
    pub fn rewrite(&mut self, tokens: Tokens) -> Result<Tokens, Misread> {
        let mut out = Vec::with_capacity(tokens.len());
        let mut i = 0;
        while i < tokens.len() {
            match form_at(&tokens, i).and_then(|f| Some((f, closing(&tokens, f.open)?))) {
                Some((found, close)) => {
                    let inner = &tokens[found.open + 1..close];
                    let (outputs, next) = self.with_clause(&tokens, close + 1, found.bigquery)?;
                    let form = self.read(found, inner, outputs, tokens[i].span)?;
                    let name = format!("{}{}", self.marker, self.forms.len());
                    self.forms.push(form);
                    out.push(TokenWithSpan::new(Token::make_word(&name, None), tokens[i].span));
                    i = next;
                }
                None => {
                    out.push(tokens[i].clone());
                    i += 1;
                }
            }
        }
        Ok(out)
    }

    /// `WITH (name type, …)` behind SQL Server's form, and the index behind it.
    fn with_clause(&self, tokens: &[TokenWithSpan], at: usize, bigquery: bool) -> Result<(Outputs, usize), Misread> {
        let open = at + 1;
        if bigquery || !is_word(tokens.get(at), "with") || !is(tokens.get(open), &Token::LParen) {
            return Ok((None, at));
        }
        let Some(close) = closing(tokens, open) else { return Ok((None, at)) };
        let columns = split(&tokens[open + 1..close]).into_iter().map(|part| {
            let place = part.first().map_or(tokens[open].span.start, |t| t.span.start);
            let mut p = self.grammar.parser(part.to_vec());
            let column = p.parse_identifier().and_then(|name| Ok((name, p.parse_data_type()?)));
            match column {
                Ok(column) if p.peek_token().token == Token::EOF => Ok(column),
                Ok(_) => Err(Misread { message: "expected `name type` in WITH".into(), at: place }),
                Err(e) => Err(misread(e, place)),
            }
        });
        Ok((Some(columns.collect::<Result<_, _>>()?), close + 1))
    }

    fn read(
        &mut self,
        found: Found,
        inner: &[TokenWithSpan],
        outputs: Outputs,
        span: Span,
    ) -> Result<TableForm, Misread> {
        let parts = split(inner);
        let wrong = |message: String| Misread { message, at: span.start };
        let (model, data) = if found.bigquery { bigquery(&parts, &wrong)? } else { sql_server(&parts, &wrong)? };
        let start = data.first().map_or(span.start, |t| t.span.start);
        let data = self.rewrite(data.to_vec())?;
        let mut p = self.grammar.parser(data);
        let data = p.parse_table_factor().map_err(|e| misread(e, start))?;
        if p.peek_token().token != Token::EOF {
            return Err(Misread {
                message: format!("expected the end of the data, found: {}", p.peek_token()),
                at: start,
            });
        }
        Ok(TableForm {
            model: model_name(model).ok_or_else(|| wrong("expected the model's name".into()))?,
            data,
            outputs,
            own_alias: !found.bigquery,
            span,
        })
    }
}

#[derive(Clone, Copy)]
struct Found {
    /// The index of its parenthesis.
    open: usize,
    bigquery: bool,
}

fn is_word(token: Option<&TokenWithSpan>, word: &str) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn is(token: Option<&TokenWithSpan>, expected: &Token) -> bool {
    token.is_some_and(|t| t.token == *expected)
}

/// `PREDICT ( MODEL =` or `ML . PREDICT ( MODEL`.
fn form_at(tokens: &[TokenWithSpan], i: usize) -> Option<Found> {
    let t = |k: usize| tokens.get(i + k);
    let sql_server = is_word(t(0), "predict")
        && !is(i.checked_sub(1).and_then(|i| tokens.get(i)), &Token::Period)
        && is(t(1), &Token::LParen)
        && is_word(t(2), "model")
        && is(t(3), &Token::Eq);
    let bigquery = is_word(t(0), "ml")
        && is(t(1), &Token::Period)
        && is_word(t(2), "predict")
        && is(t(3), &Token::LParen)
        && is_word(t(4), "model");
    match (sql_server, bigquery) {
        (true, _) => Some(Found { open: i + 1, bigquery: false }),
        (_, true) => Some(Found { open: i + 3, bigquery: true }),
        _ => None,
    }
}

/// The index of the parenthesis that closes the one at `open`.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, t) in tokens.iter().enumerate().skip(open) {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// The parts between commas outside of parentheses.
fn split(tokens: &[TokenWithSpan]) -> Vec<&[TokenWithSpan]> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0isize, 0);
    for (i, t) in tokens.iter().enumerate() {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Comma if depth == 0 => {
                parts.push(&tokens[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

fn misread(error: sqlparser::parser::ParserError, fallback: Location) -> Misread {
    let (message, place) = parse::explain(error);
    let at = match place {
        Some((line, column)) if line > 0 => Location { line, column },
        _ => fallback,
    };
    Misread { message, at }
}

type Parts<'a> = (&'a [TokenWithSpan], &'a [TokenWithSpan]);

/// `MODEL = name, DATA = table [, RUNTIME = name]`. The runtime says how SQL Server computes, not what.
fn sql_server<'a>(parts: &[&'a [TokenWithSpan]], wrong: &dyn Fn(String) -> Misread) -> Result<Parts<'a>, Misread> {
    let (mut model, mut data) = (None, None);
    for part in parts {
        if !is(part.get(1), &Token::Eq) {
            return Err(wrong("expected `MODEL = name, DATA = table AS alias` in PREDICT".into()));
        }
        match part.first() {
            word if is_word(word, "model") => model = Some(&part[2..]),
            word if is_word(word, "data") => data = Some(&part[2..]),
            word if is_word(word, "runtime") => {}
            word => {
                let found = word.map(|t| t.token.to_string()).unwrap_or_default();
                return Err(wrong(format!("`{found}` in PREDICT, expected MODEL, DATA or RUNTIME")));
            }
        }
    }
    model.zip(data).ok_or_else(|| wrong("PREDICT without `DATA = table AS alias`".into()))
}

/// `MODEL name, (query)` or `MODEL name, TABLE name`.
fn bigquery<'a>(parts: &[&'a [TokenWithSpan]], wrong: &dyn Fn(String) -> Misread) -> Result<Parts<'a>, Misread> {
    match parts {
        [model, data] if is_word(data.first(), "table") => Ok((&model[1..], &data[1..])),
        [model, data] => Ok((&model[1..], data)),
        [_] => Err(wrong("ML.PREDICT without data: expected `, (query)` or `, TABLE name`".into())),
        _ => Err(wrong("ML.PREDICT with settings: they change what is predicted and are not supported".into())),
    }
}

/// `m`, `@m`, `'m'`, `a.b.m`.
fn model_name(tokens: &[TokenWithSpan]) -> Option<String> {
    let mut name = String::new();
    for (i, t) in tokens.iter().enumerate() {
        match &t.token {
            Token::Word(w) if i % 2 == 0 => name.push_str(w.value.strip_prefix('@').unwrap_or(&w.value)),
            Token::SingleQuotedString(s) if tokens.len() == 1 => name.push_str(s),
            Token::Period if i % 2 == 1 => name.push('.'),
            _ => return None,
        }
    }
    (!name.is_empty()).then_some(name)
}
