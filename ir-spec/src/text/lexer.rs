//! Tokens of the text form. Line ends are tokens outside of parentheses and brackets, `//` starts a comment.

use std::borrow::Cow;

/// Where a token starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pos {
    /// From 0.
    line: u32,
    /// Byte at which the line starts.
    line_start: usize,
    /// Byte at which the token starts.
    pub at: usize,
}

impl Pos {
    /// `line:column`, both from 1, columns in characters.
    pub fn show(self, text: &str) -> String {
        let column = text.get(self.line_start..self.at).map_or(0, |s| s.chars().count());
        format!("{}:{}", self.line + 1, column + 1)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tok<'t> {
    /// A name or keyword: letters, digits and `_`, no digit first.
    Word(&'t str),
    /// Text between double quotes, escapes resolved.
    Quoted(Cow<'t, str>),
    /// A number as written, sign included; `-inf` too.
    Number(&'t str),
    /// The hexadecimal digits after `#`.
    Hash(&'t str),
    /// `%7`
    Node(u32),
    /// `@7`
    Column(u32),
    /// Punctuation.
    Sym(&'static str),
    /// The end of a line.
    Line,
    /// The end of the text.
    End,
    /// No token, and why.
    Bad(&'static str),
}

impl Tok<'_> {
    /// As a message names it.
    pub fn show(&self) -> String {
        match self {
            Tok::Word(w) => format!("`{w}`"),
            Tok::Quoted(_) => "a quoted text".into(),
            Tok::Number(n) => format!("`{n}`"),
            Tok::Hash(h) => format!("`#{h}`"),
            Tok::Node(n) => format!("`%{n}`"),
            Tok::Column(n) => format!("`@{n}`"),
            Tok::Sym(s) => format!("`{s}`"),
            Tok::Line => "the end of the line".into(),
            Tok::End => "the end of the text".into(),
            Tok::Bad(why) => (*why).into(),
        }
    }
}

/// Longer ones first.
const SYMBOLS: [&str; 22] = [
    "->", "..", "<=", ">=", "==", "!=", "(", ")", "[", "]", "{", "}", ",", ":", ";", "=", "?", ".", "<", ">", "-", "*",
];

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    line_start: usize,
    /// Open parentheses and brackets.
    depth: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0, line: 0, line_start: 0, depth: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn pos(&self) -> Pos {
        Pos { line: self.line, line_start: self.line_start, at: self.at }
    }

    /// Goes to the end of the line of that token. Where parentheses or brackets were open, the lines that go on with
    /// what stood in them are skipped too: up to one that starts like a line of a block, or closes it.
    pub fn skip_statement(&mut self, from: Pos) {
        let inside = std::mem::take(&mut self.depth) > 0;
        if from.line == self.line {
            self.take_to_line_end();
        } else {
            // The token was the end of a line: the lexer is behind it already.
            return;
        }
        while inside && self.rest().starts_with('\n') {
            let next = self.rest()[1..].trim_start_matches([' ', '\t', '\r']);
            let starts = ["%", "r", "step", "return", "}", "fn ", "query ", "const "];
            if next.is_empty() || starts.iter().any(|s| next.starts_with(s)) {
                return;
            }
            self.new_line();
            self.take_to_line_end();
        }
    }

    fn take_while(&mut self, f: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        // Only ASCII is taken, so the cut is at a character's end.
        let len = rest.bytes().position(|b| !b.is_ascii() || !f(b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    pub fn next(&mut self) -> (Tok<'t>, Pos) {
        loop {
            self.take_while(|b| matches!(b, b' ' | b'\t' | b'\r'));
            if self.rest().starts_with("//") {
                self.take_to_line_end();
            } else if self.depth > 0 && self.rest().starts_with('\n') {
                self.new_line();
            } else {
                break;
            }
        }
        let pos = self.pos();
        (self.token(), pos)
    }

    fn take_to_line_end(&mut self) {
        self.at = self.rest().find('\n').map_or(self.text.len(), |n| self.at + n);
    }

    fn new_line(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    fn token(&mut self) -> Tok<'t> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Tok::End };
        let second = rest.as_bytes().get(1).copied().unwrap_or(b' ');
        match first {
            '\n' => {
                self.new_line();
                Tok::Line
            }
            'a'..='z' | 'A'..='Z' | '_' => Tok::Word(self.take_while(|b| b.is_ascii_alphanumeric() || b == b'_')),
            '0'..='9' => self.number(),
            '-' if second.is_ascii_digit() || rest.starts_with("-inf") => self.number(),
            '"' => self.quoted(),
            '#' => {
                self.at += 1;
                Tok::Hash(self.take_while(|b| b.is_ascii_hexdigit()))
            }
            '%' => self.id().map_or(Tok::Bad("`%` without a number"), Tok::Node),
            '@' => self.id().map_or(Tok::Bad("`@` without a number"), Tok::Column),
            _ => match SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
                Some(symbol) => self.symbol(symbol),
                None => {
                    self.at += first.len_utf8();
                    Tok::Bad("a character that means nothing here")
                }
            },
        }
    }

    fn symbol(&mut self, symbol: &'static str) -> Tok<'t> {
        self.at += symbol.len();
        match symbol {
            "(" | "[" => self.depth += 1,
            ")" | "]" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Tok::Sym(symbol)
    }

    fn id(&mut self) -> Option<u32> {
        self.at += 1;
        self.take_while(|b| b.is_ascii_digit()).parse().ok()
    }

    fn number(&mut self) -> Tok<'t> {
        let start = self.at;
        if self.rest().starts_with('-') {
            self.at += 1;
        }
        if self.rest().starts_with("inf") {
            self.at += 3;
            return Tok::Number(&self.text[start..self.at]);
        }
        self.take_while(|b| b.is_ascii_digit());
        let digit_at = |text: &str, i: usize| text.as_bytes().get(i).is_some_and(u8::is_ascii_digit);
        if self.rest().starts_with('.') && digit_at(self.rest(), 1) {
            self.at += 1;
            self.take_while(|b| b.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            let sign = usize::from(self.rest()[1..].starts_with(['+', '-']));
            if digit_at(self.rest(), 1 + sign) {
                self.at += 1 + sign;
                self.take_while(|b| b.is_ascii_digit());
            }
        }
        Tok::Number(&self.text[start..self.at])
    }

    fn quoted(&mut self) -> Tok<'t> {
        self.at += 1;
        let start = self.at;
        let mut resolved: Option<String> = None;
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\', '\n']).unwrap_or(rest.len());
            if let Some(text) = &mut resolved {
                text.push_str(&rest[..plain]);
            }
            self.at += plain;
            match rest[plain..].chars().next() {
                Some('"') => {
                    let whole = &self.text[start..self.at];
                    self.at += 1;
                    return Tok::Quoted(resolved.map_or(Cow::Borrowed(whole), Cow::Owned));
                }
                Some('\\') => {
                    let text = resolved.get_or_insert_with(|| self.text[start..self.at].to_owned());
                    let Some((c, len)) = escape(&self.text[self.at..]) else {
                        self.at += 1;
                        return Tok::Bad("an escape that is none of \\\" \\\\ \\n \\r \\t \\u{…}");
                    };
                    text.push(c);
                    self.at += len;
                }
                _ => return Tok::Bad("a quoted text that does not end on its line"),
            }
        }
    }
}

/// The character that an escape at the start of the text stands for, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => {
            // Six hexadecimal digits at most, so that the search for the brace is short.
            let digits = text.strip_prefix("\\u{")?;
            let len = digits.bytes().take(7).position(|b| b == b'}')?;
            let c = char::from_u32(u32::from_str_radix(digits.get(..len)?, 16).ok()?)?;
            return digits[..len].bytes().all(|b| b.is_ascii_hexdigit()).then_some((c, len + 4));
        }
    };
    Some((simple, 2))
}

/// Whether a name stands without quotes.
pub(super) fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Text between quotes. What cannot be seen, or turns the writing around, is escaped; the list is closed, so that the
/// form does not change with the Unicode tables.
pub(super) fn quote(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
