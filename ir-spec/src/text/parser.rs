//! From text to lines, and from lines, through [`super::lower`], to a module. A fault ends its line; the next is read.

use std::sync::Arc;

use super::lexer::{Lexer, Pos, Tok};
use super::lower::Lower;
use super::syntax::{AggregateText, At, AttrText, Column, Line, NodeLine, Operand, RelText};
use crate::diagnostic::{Diagnostic, Faults};
use crate::frame::{Data, Frame, map_data};
use crate::module::{Module, Param};
use crate::ops::{Attr, AttrKind, Op, Word};
use crate::relation::{AggregateKind, JoinKind};
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
            _ => return self.expected("`table` or `trees`"),
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

    /// `table f64[2] [1, 2; 3, 4]`
    fn table(&mut self) -> Option<Frame> {
        self.next();
        let ty = self.ty()?;
        let pos = self.pos;
        self.expect("[")?;
        let (data, rows) = self.rows(ty.dtype, ty.width as usize)?;
        // Without rows the width alone would be looped over, and the text may say any.
        let width = if rows == 0 { 0 } else { ty.width as usize };
        // From row by row to column by column.
        let by_column = map_data!(&data, v => {
            (0..width).flat_map(|j| (0..rows).map(move |i| v[i * width + j].clone())).collect()
        });
        if ty.nullable {
            self.fault("flock::text::value", pos, "a constant has no nulls");
            return None;
        }
        Frame::new(rows, ty.width as usize, by_column)
    }

    /// Rows of `width` values up to the closing bracket, row by row.
    fn rows(&mut self, dtype: DType, width: usize) -> Option<(Data, usize)> {
        let mut data = empty(dtype);
        let mut rows = 0;
        while !self.eat("]") {
            let pos = self.pos;
            let before = length(&data);
            self.values(&mut data)?;
            rows += 1;
            if length(&data) - before != width {
                let message = format!("row {rows} has {} values, expected {width}", length(&data) - before);
                self.fault("flock::text::value", pos, message);
                return None;
            }
            if !self.eat(";") {
                self.expect("]")?;
                break;
            }
        }
        Some((data, rows))
    }

    /// One or more values with commas between them.
    fn values(&mut self, data: &mut Data) -> Option<()> {
        loop {
            self.value(data)?;
            if !self.eat(",") {
                return Some(());
            }
        }
    }

    fn value(&mut self, data: &mut Data) -> Option<()> {
        let read = match (&mut *data, &self.tok) {
            (Data::Bool(v), Tok::Word(w @ ("true" | "false"))) => Some(v.push(*w == "true")),
            (Data::I64(v), Tok::Number(n)) => n.parse().ok().map(|x| v.push(x)),
            (Data::F32(v), t) => float(t, f32::NAN, f32::INFINITY, |x| x.is_finite()).map(|x| v.push(x)),
            (Data::F64(v), t) => float(t, f64::NAN, f64::INFINITY, |x| x.is_finite()).map(|x| v.push(x)),
            (Data::Str(v), Tok::Quoted(q)) => Some(v.push(Arc::from(q.as_ref()))),
            _ => None,
        };
        if read.is_none() {
            let message = format!("{} is no {}", self.tok.show(), dtype(data));
            self.fault("flock::text::value", self.pos, message);
            return None;
        }
        self.next();
        Some(())
    }

    /// `[1, 2]` or `[]` of floats that are exact in `dtype`.
    pub fn float_list(&mut self, dtype: DType) -> Option<Vec<f64>> {
        self.expect("[")?;
        let mut data = empty(dtype);
        if !self.is("]") {
            self.values(&mut data)?;
        }
        self.expect("]")?;
        match data {
            Data::F32(v) => Some(v.into_iter().map(f64::from).collect()),
            Data::F64(v) => Some(v),
            _ => self.expected("floats"),
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
        let mut data = empty(dtype);
        if !self.is("]") {
            self.values(&mut data)?;
        }
        self.expect("]")?;
        Frame::new(1, length(&data), data)
    }

    fn query_line(&mut self) -> Option<Line<'t>> {
        let pos = self.pos;
        if self.eat_word("return") {
            let pos = self.pos;
            return self.lettered('r').map(|r| Line::Root(r, pos));
        }
        match self.tok {
            Tok::Word(w) if index(w, 'r').is_some() => {
                let number = self.lettered('r')?;
                self.expect("=")?;
                self.relation().map(|rel| Line::Rel { pos, number, rel })
            }
            _ => self.frame_line(),
        }
    }

    fn relation(&mut self) -> Option<RelText<'t>> {
        let Tok::Word(kind) = self.tok else { return self.expected("a relation") };
        if !matches!(
            kind,
            "scan" | "filter" | "project" | "join" | "aggregate" | "sort" | "limit" | "distinct" | "union" | "opaque"
        ) {
            return self.expected("a relation");
        }
        self.next();
        Some(match kind {
            "scan" => RelText::Scan { table: self.dotted("a table")?, columns: self.columns()? },
            "filter" => RelText::Filter { input: self.lettered('r')?, predicate: self.operand()? },
            "project" => RelText::Project { input: self.lettered('r')?, items: self.items()? },
            "join" => self.join()?,
            "aggregate" => {
                let input = self.lettered('r')?;
                self.expect_word("by")?;
                let keys = self.items()?;
                self.expect_word("give")?;
                RelText::Aggregate { input, keys, aggregates: self.list(Self::aggregate)? }
            }
            "sort" => RelText::Sort { input: self.lettered('r')?, keys: self.list(Self::sort_key)? },
            "limit" => {
                let input = self.lettered('r')?;
                let count = if self.eat_word("all") { None } else { Some(self.integer("a number of rows or `all`")?) };
                let offset = if self.eat_word("offset") { self.integer("a number of rows")? } else { 0 };
                RelText::Limit { input, count, offset }
            }
            "distinct" => RelText::Distinct { input: self.lettered('r')? },
            "union" => RelText::Union { inputs: self.inputs()?, columns: self.columns()? },
            _ => {
                self.expect("[")?;
                let sql = self.quoted("SQL in quotes")?;
                self.expect("]")?;
                RelText::Opaque { sql, inputs: self.inputs()?, columns: self.columns()? }
            }
        })
    }

    fn join(&mut self) -> Option<RelText<'t>> {
        self.expect("[")?;
        let kind = if let Tok::Word(w) = self.tok { JoinKind::parse(w) } else { None };
        let Some(kind) = kind else { return self.expected("a kind of join") };
        self.next();
        self.expect("]")?;
        let (left, right) = (self.lettered('r')?, self.lettered('r')?);
        let ends = matches!(self.tok, Tok::Line | Tok::End | Tok::Sym("}"));
        Some(RelText::Join { kind, left, right, on: if ends { None } else { Some(self.operand()?) } })
    }

    fn inputs(&mut self) -> Option<Vec<u32>> {
        let mut inputs = Vec::new();
        while !self.is("(") {
            inputs.push(self.lettered('r')?);
        }
        Some(inputs)
    }

    fn column(&mut self) -> Option<Column> {
        let name = self.name("a column")?;
        let Tok::Column(id) = self.tok else { return self.expected("`@` with a number") };
        self.next();
        self.expect(":")?;
        Some(Column { name, id, ty: self.ty()? })
    }

    fn columns(&mut self) -> Option<Vec<Column>> {
        self.list(Self::column)
    }

    fn items(&mut self) -> Option<Vec<(Column, At<'t>)>> {
        self.list(|p| {
            let column = p.column()?;
            p.expect("=")?;
            Some((column, p.operand()?))
        })
    }

    fn aggregate(&mut self) -> Option<AggregateText<'t>> {
        let column = self.column()?;
        self.expect("=")?;
        let kind = if let Tok::Word(w) = self.tok { AggregateKind::parse(w) } else { None };
        let Some(kind) = kind else { return self.expected("an aggregate") };
        self.next();
        let distinct = self.eat_word("distinct");
        let arg = if self.is(",") || self.is(")") { None } else { Some(self.operand()?) };
        Some(AggregateText { column, kind, distinct, arg })
    }

    fn sort_key(&mut self) -> Option<(At<'t>, bool, bool)> {
        let key = self.operand()?;
        let descending = self.eat_word("desc");
        if !descending {
            self.expect_word("asc")?;
        }
        self.expect_word("nulls")?;
        let first = self.eat_word("first");
        if !first {
            self.expect_word("last")?;
        }
        Some((key, descending, first))
    }
}

mod ensemble;

/// The index behind a letter, without leading zeros.
fn index(word: &str, letter: char) -> Option<u32> {
    let digits = word.strip_prefix(letter)?;
    (digits == "0" || !digits.starts_with('0')).then(|| digits.parse().ok()).flatten()
}

fn word(name: &str, words: &[Word]) -> Option<Word> {
    words.iter().copied().find(|w| w.name() == name)
}

fn empty(dtype: DType) -> Data {
    match dtype {
        DType::Bool => Data::Bool(Vec::new()),
        DType::I64 => Data::I64(Vec::new()),
        DType::F32 => Data::F32(Vec::new()),
        DType::F64 => Data::F64(Vec::new()),
        DType::Str => Data::Str(Vec::new()),
    }
}

fn length(data: &Data) -> usize {
    crate::with_data!(data, v => v.len())
}

fn dtype(data: &Data) -> DType {
    match data {
        Data::Bool(_) => DType::Bool,
        Data::I64(_) => DType::I64,
        Data::F32(_) => DType::F32,
        Data::F64(_) => DType::F64,
        Data::Str(_) => DType::Str,
    }
}

/// A float as written; a number too large for the type is refused, since it would become infinite.
fn float<T: std::str::FromStr + std::ops::Neg<Output = T>>(
    tok: &Tok<'_>,
    nan: T,
    infinite: T,
    finite: impl Fn(&T) -> bool,
) -> Option<T> {
    match tok {
        Tok::Word("nan") => Some(nan),
        Tok::Word("inf") => Some(infinite),
        Tok::Number("-inf") => Some(-infinite),
        Tok::Number(n) => n.parse().ok().filter(finite),
        _ => None,
    }
}
