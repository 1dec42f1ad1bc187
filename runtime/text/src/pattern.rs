//! Regular expressions of Python's `re` and of RE2, as programs of a backtracking machine.
//!
//! What neither says exactly is refused: flags other than `u`, `s` and `m`, references to groups, possessive and atomic
//! parts, and repeats of what may be empty.

use std::fmt;

use crate::search::op;

/// Whose language the pattern is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `re` of Python on `str`: classes are those of its Unicode.
    Python,
    /// RE2: classes are those of ASCII.
    Re2,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(pub String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

/// An instruction of the machine; see [`crate::search`]. Plain numbers, so that a table of compiled code can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u32,
    /// First operand.
    pub a: u32,
    /// Second operand.
    pub b: u32,
    /// Third operand.
    pub c: u32,
}

/// A pattern that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The program.
    pub code: Vec<Instruction>,
    /// Runs of characters that its sets name.
    pub ranges: Vec<[u32; 2]>,
    /// Number of places where it can go two ways.
    pub splits: u32,
    /// Number of groups that capture.
    pub groups: u32,
    /// Characters of the shortest match.
    pub shortest: u32,
}

/// Groups within groups.
const MAX_DEPTH: usize = 50;
/// Instructions of a program, repeats spelled out.
const MAX_CODE: usize = 20_000;
/// Bounds of a repeat.
const MAX_REPEAT: u32 = 1000;

type Res<T> = Result<T, PatternError>;

fn refused<T>(why: impl Into<String>) -> Res<T> {
    Err(PatternError(why.into()))
}

#[derive(Clone, Debug, Default)]
struct Set {
    ranges: Vec<[u32; 2]>,
    classes: u32,
    negate: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Set(Set),
    Cat(Vec<Node>),
    Alt(Vec<Node>),
    Repeat { node: Box<Node>, least: u32, most: Option<u32>, greedy: bool },
    Group(Box<Node>),
    Assert(u32),
    Look { node: Box<Node>, negate: bool, behind: bool },
}

impl Node {
    /// Characters of the shortest and of the longest match.
    fn width(&self) -> (u32, Option<u32>) {
        match self {
            Node::Set(_) => (1, Some(1)),
            Node::Cat(parts) => parts.iter().map(Node::width).fold((0, Some(0)), |(a, b), (least, most)| {
                (a.saturating_add(least), b.zip(most).map(|(b, m)| b.saturating_add(m)))
            }),
            Node::Alt(parts) => parts
                .iter()
                .map(Node::width)
                .reduce(|(a, b), (least, most)| (a.min(least), b.zip(most).map(|(b, m)| b.max(m))))
                .unwrap_or((0, Some(0))),
            Node::Repeat { node, least, most, .. } => {
                let (a, b) = node.width();
                (a.saturating_mul(*least), b.zip(*most).map(|(b, m)| b.saturating_mul(m)))
            }
            Node::Group(node) => node.width(),
            Node::Assert(_) | Node::Look { .. } => (0, Some(0)),
        }
    }

    fn captures(&self) -> bool {
        match self {
            Node::Group(_) => true,
            Node::Cat(parts) | Node::Alt(parts) => parts.iter().any(Node::captures),
            Node::Repeat { node, .. } | Node::Look { node, .. } => node.captures(),
            Node::Set(_) | Node::Assert(_) => false,
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What of it is not understood, or has no exact meaning here.
    pub fn new(text: &str, flavour: Flavour) -> Res<Pattern> {
        let mut p = Parser { rest: text, flavour, dot_all: false, lines: false, groups: 0, depth: 0 };
        p.flags()?;
        let node = p.alternatives()?;
        if !p.rest.is_empty() {
            return refused("a `)` that closes nothing");
        }
        let mut code = Code::default();
        code.emit(&node)?;
        code.push(op::ACCEPT, 0, 0, 0)?;
        let (shortest, _) = node.width();
        Ok(Pattern { code: code.code, ranges: code.ranges, splits: code.splits, groups: p.groups, shortest })
    }
}

struct Parser<'t> {
    rest: &'t str,
    flavour: Flavour,
    dot_all: bool,
    lines: bool,
    groups: u32,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, what: &str) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// `(?usm)` at the beginning.
    fn flags(&mut self) -> Res<()> {
        while let Some(rest) = self.rest.strip_prefix("(?") {
            let Some((flags, after)) = rest.split_once(')') else { return Ok(()) };
            if flags.is_empty() || !flags.chars().all(|c| c.is_ascii_alphabetic()) {
                return Ok(());
            }
            for flag in flags.chars() {
                match (flag, self.flavour) {
                    ('u', Flavour::Python) => {}
                    ('s', _) => self.dot_all = true,
                    ('m', _) => self.lines = true,
                    _ => return refused(format!("the flag `{flag}`")),
                }
            }
            self.rest = after;
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Res<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return refused(format!("groups within groups, more than {MAX_DEPTH}"));
        }
        let mut all = vec![self.sequence()?];
        while self.eat("|") {
            all.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 { all.remove(0) } else { Node::Alt(all) })
    }

    fn sequence(&mut self) -> Res<Node> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Node::Cat(parts))
    }

    fn atom(&mut self) -> Res<Node> {
        match self.next() {
            Some('.') if self.dot_all => Ok(Node::Set(Set { negate: true, ..Set::default() })),
            Some('.') => Ok(Node::Set(Set { ranges: vec![[10, 10]], negate: true, ..Set::default() })),
            Some('^') => Ok(Node::Assert(if self.lines { op::LINE_START } else { op::START })),
            Some('$') => Ok(Node::Assert(match (self.lines, self.flavour) {
                (true, _) => op::LINE_END,
                (false, Flavour::Python) => op::END_OR_LAST_LINE,
                (false, Flavour::Re2) => op::END,
            })),
            Some('[') => self.set().map(Node::Set),
            Some('(') => self.group(),
            Some('\\') => self.escape(),
            Some(c @ ('*' | '+' | '?')) => refused(format!("`{c}` that repeats nothing")),
            Some(c) => Ok(Node::Set(one(c))),
            None => refused("an end where something is expected"),
        }
    }

    fn group(&mut self) -> Res<Node> {
        let look = |negate, behind| Some((negate, behind));
        let kind = if self.eat("?=") {
            look(false, false)
        } else if self.eat("?!") {
            look(true, false)
        } else if self.eat("?<=") {
            look(false, true)
        } else if self.eat("?<!") {
            look(true, true)
        } else {
            None
        };
        if kind.is_some() && self.flavour == Flavour::Re2 {
            return refused("RE2 has no look-around");
        }
        let captures = kind.is_none() && !self.eat("?:");
        if captures && self.peek() == Some('?') {
            if !self.eat("?P<") {
                return refused("a group of a sort that is not supported");
            }
            while self.next().is_some_and(|c| c != '>') {}
        }
        self.groups += u32::from(captures);
        let inner = Box::new(self.alternatives()?);
        if !self.eat(")") {
            return refused("a `(` that is not closed");
        }
        match kind {
            Some(_) if inner.captures() => refused("a group that captures within a look-around"),
            Some((_, true)) if inner.width().1 != Some(inner.width().0) => {
                refused("a look-behind of more than one width")
            }
            Some((negate, behind)) => Ok(Node::Look { node: inner, negate, behind }),
            None if captures => Ok(Node::Group(inner)),
            None => Ok(*inner),
        }
    }

    fn repeated(&mut self, atom: Node) -> Res<Node> {
        let before = self.rest;
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.bounds()? {
                Some(bounds) => bounds,
                // A brace that says no bounds is a brace.
                None => {
                    self.rest = before;
                    return Ok(atom);
                }
            },
            _ => return Ok(atom),
        };
        if self.rest == before {
            self.next();
        }
        let greedy = !self.eat("?");
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return refused("a repeat of a repeat");
        }
        if matches!(atom, Node::Assert(_) | Node::Look { .. }) || (atom.width().0 == 0 && most != Some(1)) {
            return refused("a repeat of what may be empty");
        }
        Ok(Node::Repeat { node: Box::new(atom), least, most, greedy })
    }

    /// `{2}`, `{2,}`, `{,3}`, `{2,3}`.
    fn bounds(&mut self) -> Res<Option<(u32, Option<u32>)>> {
        let Some((inside, after)) = self.rest[1..].split_once('}') else { return Ok(None) };
        let number = |s: &str| s.parse::<u32>().ok().filter(|_| s.bytes().all(|b| b.is_ascii_digit()));
        let bounds = match inside.split_once(',') {
            None => number(inside).map(|n| (n, Some(n))),
            Some(("", "")) => return Ok(None),
            Some((least, "")) => number(least).map(|n| (n, None)),
            Some(("", most)) if self.flavour == Flavour::Python => number(most).map(|n| (0, Some(n))),
            Some((least, most)) => number(least).zip(number(most)).map(|(a, b)| (a, Some(b))),
        };
        let Some((least, most)) = bounds else { return Ok(None) };
        if most.is_some_and(|m| m < least) || least.max(most.unwrap_or(0)) > MAX_REPEAT {
            return refused(format!("the bounds `{{{inside}}}`"));
        }
        self.rest = after;
        Ok(Some((least, most)))
    }

    fn escape(&mut self) -> Res<Node> {
        let re2 = self.flavour == Flavour::Re2;
        let node = match self.peek() {
            Some('b') => Node::Assert(if re2 { op::ASCII_BOUNDARY } else { op::BOUNDARY }),
            Some('B') => Node::Assert(if re2 { op::NOT_ASCII_BOUNDARY } else { op::NOT_BOUNDARY }),
            Some('A') => Node::Assert(op::START),
            Some('Z') if !re2 => Node::Assert(op::END),
            Some('z') if re2 => Node::Assert(op::END),
            _ => {
                let mut set = Set::default();
                if let Some(c) = self.escaped(&mut set)? {
                    set = one(c);
                }
                return Ok(Node::Set(set));
            }
        };
        self.next();
        Ok(node)
    }

    /// What stands behind a backslash in a set as out of it: a character, or a class that joins the set.
    fn escaped(&mut self, set: &mut Set) -> Res<Option<char>> {
        let Some(c) = self.next() else { return refused("a backslash at the end") };
        if let Some(i) = "wWdDsS".find(c) {
            match self.flavour {
                Flavour::Python => set.classes |= 1 << i,
                Flavour::Re2 => set.ranges.extend(ascii_class(c)),
            }
            return Ok(None);
        }
        let digits = match c {
            'n' => return Ok(Some('\n')),
            'r' => return Ok(Some('\r')),
            't' => return Ok(Some('\t')),
            'f' => return Ok(Some('\x0c')),
            'v' => return Ok(Some('\x0b')),
            'a' => return Ok(Some('\x07')),
            'x' => 2,
            'u' if self.flavour == Flavour::Python => 4,
            'U' if self.flavour == Flavour::Python => 8,
            c if c.is_ascii_alphanumeric() => return refused(format!("`\\{c}`")),
            c => return Ok(Some(c)),
        };
        let number = self.rest.get(..digits).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let c = number.and_then(|d| char::from_u32(u32::from_str_radix(d, 16).ok()?));
        let Some(c) = c else { return refused(format!("an escape without {digits} digits of a character")) };
        self.rest = &self.rest[digits..];
        Ok(Some(c))
    }

    /// Behind `[`.
    fn set(&mut self) -> Res<Set> {
        let mut set = Set { negate: self.eat("^"), ..Set::default() };
        let mut first = true;
        loop {
            let from = match self.next() {
                None => return refused("a `[` that is not closed"),
                Some(']') if !first => return Ok(set),
                Some('[') if self.flavour == Flavour::Re2 && self.peek() == Some(':') => {
                    set.ranges.extend(self.named_class()?);
                    first = false;
                    continue;
                }
                // Python warns that these will come to mean operations on sets.
                Some('[') if self.flavour == Flavour::Python && first => '[',
                Some('\\') if self.peek() == Some('b') => {
                    self.next();
                    '\x08'
                }
                Some('\\') => match self.escaped(&mut set)? {
                    Some(c) => c,
                    None => {
                        first = false;
                        continue;
                    }
                },
                Some(c) => c,
            };
            first = false;
            let mut ahead = self.rest.chars();
            if ahead.next() != Some('-') || matches!(ahead.next(), Some(']') | None) {
                set.ranges.push([from as u32; 2]);
                continue;
            }
            self.next();
            let to = match self.next() {
                Some('\\') => self.escaped(&mut Set::default())?,
                c => c,
            };
            match to {
                Some(to) if from <= to => set.ranges.push([from as u32, to as u32]),
                _ => return refused("a range of characters that is none"),
            }
        }
    }

    /// `[:alpha:]` behind its first bracket.
    fn named_class(&mut self) -> Res<Vec<[u32; 2]>> {
        let Some((name, after)) = self.rest[1..].split_once(":]") else { return refused("a class that is not closed") };
        let runs: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\x7f')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => &[('0', '9')],
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return refused(format!("the class `[:{name}:]`")),
        };
        self.rest = after;
        Ok(runs.iter().map(|(a, b)| [*a as u32, *b as u32]).collect())
    }
}

fn one(c: char) -> Set {
    Set { ranges: vec![[c as u32; 2]], ..Set::default() }
}

/// RE2's classes; those in capitals are the rest of Unicode.
fn ascii_class(c: char) -> Vec<[u32; 2]> {
    let runs: &[[u32; 2]] = match c.to_ascii_lowercase() {
        'w' => &[[48, 57], [65, 90], [95, 95], [97, 122]],
        'd' => &[[48, 57]],
        // No vertical tab.
        _ => &[[9, 10], [12, 13], [32, 32]],
    };
    if c.is_ascii_lowercase() {
        return runs.to_vec();
    }
    let starts = [0].into_iter().chain(runs.iter().map(|r| r[1] + 1));
    let ends = runs.iter().map(|r| r[0]).chain([0x11_0000]);
    starts.zip(ends).filter(|(a, b)| a < b).map(|(a, b)| [a, b - 1]).collect()
}

#[derive(Default)]
struct Code {
    code: Vec<Instruction>,
    ranges: Vec<[u32; 2]>,
    splits: u32,
}

impl Code {
    fn at(&self) -> u32 {
        self.code.len() as u32
    }

    fn push(&mut self, code: u32, a: u32, b: u32, c: u32) -> Res<u32> {
        if self.code.len() >= MAX_CODE {
            return refused(format!("a pattern of more than {MAX_CODE} instructions"));
        }
        self.code.push(Instruction { code, a, b, c });
        Ok(self.at() - 1)
    }

    fn split(&mut self, first: u32, second: u32) -> Res<u32> {
        self.splits += 1;
        self.push(op::SPLIT, first, second, self.splits - 1)
    }

    fn emit(&mut self, node: &Node) -> Res<()> {
        match node {
            Node::Set(set) => self.set(set)?,
            Node::Cat(parts) => parts.iter().try_for_each(|p| self.emit(p))?,
            Node::Alt(parts) => self.alternatives(parts)?,
            Node::Repeat { node, least, most, greedy } => self.repeat(node, *least, *most, *greedy)?,
            Node::Group(inner) => {
                self.push(op::SAVE, 0, 0, 0)?;
                self.emit(inner)?;
                self.push(op::SAVE, 1, 0, 0)?;
            }
            Node::Assert(kind) => drop(self.push(op::ASSERT, *kind, 0, 0)?),
            Node::Look { node, negate, behind } => {
                let back = if *behind { node.width().0 } else { 0 };
                let at = self.push(op::LOOK, u32::from(*negate), 0, back)?;
                self.emit(node)?;
                self.push(op::ACCEPT, 0, 0, 0)?;
                self.code[at as usize].b = self.at();
            }
        }
        Ok(())
    }

    fn set(&mut self, set: &Set) -> Res<()> {
        let start = self.ranges.len() as u32;
        let mut runs = set.ranges.clone();
        runs.sort_unstable();
        for run in runs {
            match self.ranges[start as usize..].last_mut() {
                Some(last) if run[0] <= last[1].saturating_add(1) => last[1] = last[1].max(run[1]),
                _ => self.ranges.push(run),
            }
        }
        if self.ranges.len() > MAX_CODE {
            return refused(format!("sets of more than {MAX_CODE} runs"));
        }
        let classes = set.classes | if set.negate { op::NEGATE } else { 0 };
        self.push(op::SET, start, self.ranges.len() as u32, classes).map(drop)
    }

    fn alternatives(&mut self, parts: &[Node]) -> Res<()> {
        let mut ends = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            let split = if last { None } else { Some(self.split(self.at() + 1, 0)?) };
            self.emit(part)?;
            if let Some(split) = split {
                ends.push(self.push(op::JUMP, 0, 0, 0)?);
                self.code[split as usize].b = self.at();
            }
        }
        for end in ends {
            self.code[end as usize].a = self.at();
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>, greedy: bool) -> Res<()> {
        for _ in 0..least {
            self.emit(node)?;
        }
        let mut open = Vec::new();
        for _ in least..most.unwrap_or(least + 1) {
            open.push(self.split(0, 0)?);
            self.emit(node)?;
        }
        if let (None, Some(split)) = (most, open.first()) {
            self.push(op::JUMP, *split, 0, 0)?;
        }
        for split in open {
            let (inside, behind) = (split + 1, self.at());
            let at = &mut self.code[split as usize];
            (at.a, at.b) = if greedy { (inside, behind) } else { (behind, inside) };
        }
        Ok(())
    }
}
