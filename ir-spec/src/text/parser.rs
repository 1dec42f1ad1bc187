//! From text to lines, and from lines, through [`super::lower`], to a module. A fault ends its line; the next is read.

use std::sync::Arc;

use super::lexer::{Lexer, Pos, Tok};
use super::lower::Lower;
use super::syntax::{At, AttrText, Line, NodeLine, Operand};
use crate::diagnostic::{Diagnostic, Faults};
use crate::frame::Frame;
use crate::module::{Module, Param};
use crate::ops::{Attr, AttrKind, Op, Word};
use crate::types::{DType, FrameType};

pub(super) fn parse(text: &str) -> Result<Module, Faults> {
    let mut lexer = Lexer::new(text);
    let (tok, pos) = lexer.next();
    let mut parser = Parser { text, lexer, tok, pos, faults: Vec::new() };
    let mut lower = Lower::default();
    if parser.version().is_some() {
        parser.module(&mut lower);
    }
    // Lines are read before names are resolved; a reader wants faults as they stand in the text.
    parser.faults.sort_by_key(|(at, _)| *at);
    if parser.faults.is_empty() { Ok(lower.module) } else { Err(parser.faults.into_iter().map(|(_, f)| f).collect()) }
}

/// Functions that read something give None where it is not there; the fault has been recorded.
pub(super) struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    tok: Tok<'t>,
    pos: Pos,
    /// With the byte that each is about.
    faults: Vec<(usize, Diagnostic)>,
}

impl<'t> Parser<'t> {
    pub fn fault(&mut self, code: &'static str, pos: Pos, message: impl Into<String>) {
        if self.faults.len() < super::MAX_FAULTS {
            self.faults.push((pos.at, Diagnostic::new(code, pos.show(self.text), message)));
        }
    }

    fn expected<T>(&mut self, what: &str) -> Option<T> {
        let message = format!("found {}, expected {what}", self.tok.show());
        self.fault("flock::text::syntax", self.pos, message);
        None
    }

    fn full(&self) -> bool {
        self.faults.len() >= super::MAX_FAULTS
    }

    fn next(&mut self) -> Tok<'t> {
        let (tok, pos) = self.lexer.next();
        self.pos = pos;
        std::mem::replace(&mut self.tok, tok)
    }

    /// To the start of the next line that does not continue the one that is broken.
    fn recover(&mut self) {
        self.lexer.skip_statement(self.pos);
        self.next();
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.tok, Tok::Sym(s) if s == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.tok, Tok::Word(w) if w == word)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.next();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Option<()> {
        if self.eat(symbol) { Some(()) } else { self.expected(&format!("`{symbol}`")) }
    }

    fn expect_word(&mut self, word: &str) -> Option<()> {
        if self.eat_word(word) { Some(()) } else { self.expected(&format!("`{word}`")) }
    }

    /// The line's end; a block's end may follow on the same line.
    fn line_end(&mut self) -> Option<()> {
        match self.tok {
            Tok::Line => {
                self.next();
                Some(())
            }
            Tok::End | Tok::Sym("}") => Some(()),
            _ => self.expected("the end of the line"),
        }
    }

    fn blank_lines(&mut self) {
        while self.tok == Tok::Line {
            self.next();
        }
    }

    /// A plain number: an index or a count.
    fn integer<T: std::str::FromStr>(&mut self, what: &str) -> Option<T> {
        if let Tok::Number(digits) = self.tok
            && let Ok(n) = digits.parse()
        {
            self.next();
            return Some(n);
        }
        self.expected(what)
    }

    /// A word or quoted text.
    fn name(&mut self, what: &str) -> Option<Arc<str>> {
        let name: Arc<str> = match &self.tok {
            Tok::Word(w) => Arc::from(*w),
            Tok::Quoted(q) => Arc::from(q.as_ref()),
            _ => return self.expected(what),
        };
        self.next();
        Some(name)
    }

    fn dotted(&mut self, what: &str) -> Option<Vec<Arc<str>>> {
        let mut parts = vec![self.name(what)?];
        while self.eat(".") {
            parts.push(self.name(what)?);
        }
        Some(parts)
    }

    fn quoted(&mut self, what: &str) -> Option<Arc<str>> {
        if let Tok::Quoted(q) = &self.tok {
            let text = Arc::from(q.as_ref());
            self.next();
            return Some(text);
        }
        self.expected(what)
    }

    /// Items between parentheses, with commas between them; one may follow the last.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.expect("(")?;
        let mut items = Vec::new();
        while !self.eat(")") {
            items.push(item(self)?);
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Some(items)
    }

    /// `flock 1`
    fn version(&mut self) -> Option<()> {
        self.blank_lines();
        let pos = self.pos;
        let version = if self.eat_word("flock") { self.integer("a version").unwrap_or(0) } else { 0 };
        if version != super::VERSION {
            let message = format!("the text does not start with `flock {}`", super::VERSION);
            self.fault("flock::text::version", pos, message);
            return None;
        }
        self.line_end()
    }

    fn module(&mut self, lower: &mut Lower<'t>) {
        loop {
            self.blank_lines();
            if self.tok == Tok::End || self.full() {
                return;
            }
            let item = match self.tok {
                Tok::Word("const") => self.constant(lower),
                Tok::Word("fn") => self.function(lower),
                Tok::Word("query") => self.query(lower),
                _ => self.expected("`const`, `fn` or `query`"),
            };
            if item.is_none() {
                // What follows belongs to the item that is broken.
                self.recover();
                while !matches!(self.tok, Tok::Word("const" | "fn" | "query") | Tok::End) {
                    self.recover();
                }
            }
        }
    }

    fn constant(&mut self, lower: &mut Lower<'t>) -> Option<()> {
        self.next();
        let (label, pos) = match self.tok {
            Tok::Hash(h) => (h, self.pos),
            _ => return self.expected("a hash"),
        };
        self.next();
        self.expect("=")?;
        let constant = match self.tok {
            Tok::Word("table") => self.table()?.into(),
            Tok::Word("trees") => self.trees()?.into(),
            Tok::Word("terms") => self.terms()?.into(),
            _ => return self.expected("`table`, `trees` or `terms`"),
        };
        lower.constant(self, label, pos, constant);
        self.line_end()
    }

    /// `f64?[28]`
    fn ty(&mut self) -> Option<FrameType> {
        let dtype = self.dtype()?;
        let nullable = self.eat("?");
        let mut width = 1;
        if self.eat("[") {
            width = self.integer("a width")?;
            self.expect("]")?;
        }
        Some(FrameType { dtype, nullable, width })
    }

    fn dtype(&mut self) -> Option<DType> {
        let found = if let Tok::Word(w) = self.tok { DType::parse(w) } else { None };
        match found {
            Some(dtype) => {
                self.next();
                Some(dtype)
            }
            None => self.expected("a dtype"),
        }
    }

    /// The index behind a letter: `n12`, `l3`, `x4`.
    fn lettered(&mut self, letter: char) -> Option<u32> {
        let index = if let Tok::Word(w) = self.tok { index(w, letter) } else { None };
        match index {
            Some(i) => {
                self.next();
                Some(i)
            }
            None => self.expected(&format!("`{letter}` with a number")),
        }
    }

    fn function(&mut self, lower: &mut Lower<'t>) -> Option<()> {
        self.next();
        let pos = self.pos;
        let name = self.name("the function's name")?;
        let params = self.list(|p| {
            let name = p.name("a parameter")?;
            p.expect(":")?;
            Some(Param { name, ty: p.ty()? })
        })?;
        let lines = self.block(|p| p.function_line())?;
        lower.function(self, name, pos, params, lines);
        Some(())
    }

    fn query(&mut self, lower: &mut Lower<'t>) -> Option<()> {
        self.next();
        let pos = self.pos;
        let name = self.name("the query's name")?;
        let lines = self.block(|p| p.query_line())?;
        lower.query(self, name, pos, lines);
        Some(())
    }

    /// `{`, lines, `}`. A line that is at fault is left out.
    fn block<T>(&mut self, mut line: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.expect("{")?;
        self.line_end()?;
        let mut lines = Vec::new();
        loop {
            self.blank_lines();
            if self.eat("}") {
                return Some(lines);
            }
            if self.tok == Tok::End || self.full() {
                return self.expected("`}`");
            }
            match line(self).and_then(|l| self.line_end().map(|()| l)) {
                Some(l) => lines.push(l),
                None => self.recover(),
            }
        }
    }

    fn function_line(&mut self) -> Option<Line<'t>> {
        if self.eat_word("return") {
            return self.outputs().map(Line::Outputs);
        }
        self.frame_line()
    }

    fn outputs(&mut self) -> Option<Vec<(Arc<str>, At<'t>)>> {
        self.list(|p| {
            let name = p.name("an output")?;
            p.expect("=")?;
            Some((name, p.operand()?))
        })
    }

    /// `step a.b` or a node.
    fn frame_line(&mut self) -> Option<Line<'t>> {
        match self.tok {
            Tok::Word("step") => {
                self.next();
                self.step().map(Line::Step)
            }
            Tok::Node(number) => self.node(number).map(Line::Node),
            _ => self.expected("`step`, `%` with a number, or `return`"),
        }
    }

    fn step(&mut self) -> Option<Option<String>> {
        if self.eat("-") {
            return Some(None);
        }
        if let Tok::Quoted(_) = self.tok {
            return self.quoted("a step").map(|s| Some(s.to_string()));
        }
        self.dotted("a step").map(|parts| Some(parts.join(".")))
    }

    fn node(&mut self, number: u32) -> Option<NodeLine<'t>> {
        let pos = self.pos;
        self.next();
        let ty = if self.eat(":") { Some(self.ty()?) } else { None };
        self.expect("=")?;
        let op = match self.tok {
            Tok::Word(w) => Op::parse(w).filter(|op| !matches!(op, Op::Input | Op::Const | Op::Column)),
            _ => None,
        };
        let Some(op) = op else { return self.expected("an operator") };
        self.next();
        let attr = self.attribute(op)?;
        let mut args = Vec::new();
        while !matches!(self.tok, Tok::Line | Tok::End | Tok::Sym("}")) {
            args.push(self.operand()?);
        }
        Some(NodeLine { pos, number, ty, op, attr, args })
    }

    fn attribute(&mut self, op: Op) -> Option<AttrText> {
        let kind = op.record().attr;
        match kind {
            AttrKind::None => return Some(AttrText::Known(Attr::None)),
            AttrKind::Type => return Some(AttrText::LineType),
            _ => self.expect("[")?,
        }
        let attr = match kind {
            AttrKind::Range => {
                let start: u32 = self.integer("the first column")?;
                self.expect("..")?;
                let pos = self.pos;
                let end: u32 = self.integer("the column behind the last")?;
                let Some(len) = end.checked_sub(start) else {
                    self.fault("flock::text::value", pos, format!("columns {start}..{end} run backwards"));
                    return None;
                };
                AttrText::Known(Attr::Range { start, len })
            }
            AttrKind::Word(words) => {
                let word = if let Tok::Word(w) = self.tok { word(w, words) } else { None };
                let names: Vec<&str> = words.iter().map(|w| w.name()).collect();
                let Some(word) = word else { return self.expected(&names.join(" or ")) };
                self.next();
                AttrText::Known(Attr::Word(word))
            }
            AttrKind::Call => {
                let function = self.name("a function")?;
                self.expect(".")?;
                AttrText::Call { function, output: self.name("an output")? }
            }
            _ => AttrText::Opaque { sql: self.quoted("SQL in quotes")? },
        };
        self.expect("]")?;
        Some(attr)
    }

    fn operand(&mut self) -> Option<At<'t>> {
        let pos = self.pos;
        let operand = match self.tok {
            Tok::Node(n) => Operand::Node(n),
            Tok::Hash(h) => Operand::Const(h),
            Tok::Column(c) => {
                self.next();
                return Some((Operand::Column(c, self.eat("?")), pos));
            }
            Tok::Word(w) => {
                self.next();
                return match DType::parse(w).filter(|_| self.is("[")) {
                    Some(dtype) => self.literal(dtype).map(|t| (Operand::Literal(t), pos)),
                    None => Some((Operand::Name(w.into()), pos)),
                };
            }
            Tok::Quoted(_) => return self.quoted("a parameter").map(|q| (Operand::Name(q), pos)),
            _ => return self.expected("an operand"),
        };
        self.next();
        Some((operand, pos))
    }

    fn literal(&mut self, dtype: DType) -> Option<Frame> {
        self.next();
        let mut data = values::empty(dtype);
        if !self.is("]") {
            self.values(&mut data)?;
        }
        self.expect("]")?;
        Frame::new(1, values::length(&data), data)
    }
}

mod ensemble;
mod relations;
mod terms;
mod values;

/// The index behind a letter, without leading zeros.
fn index(word: &str, letter: char) -> Option<u32> {
    let digits = word.strip_prefix(letter)?;
    (digits == "0" || !digits.starts_with('0')).then(|| digits.parse().ok()).flatten()
}

fn word(name: &str, words: &[Word]) -> Option<Word> {
    words.iter().copied().find(|w| w.name() == name)
}
