//! The machine that runs patterns: alternatives in order, the first way that succeeds counts, as in Perl, Python and
//! RE2. A place in the pattern is tried once at each place of the text, so that time is bounded by their product.

use crate::classes::{is_digit, is_space, is_word, within};
use crate::pattern::{Instruction, Pattern};

/// Codes of instructions, and their operands.
pub(crate) mod op {
    /// A character of the runs a..b, or of the classes c.
    pub const SET: u32 = 0;
    /// First a, else b; the c-th of all.
    pub const SPLIT: u32 = 1;
    /// On at a.
    pub const JUMP: u32 = 2;
    /// The group starts (a = 0) or ends (a = 1) here.
    pub const SAVE: u32 = 3;
    /// What holds between two characters: a.
    pub const ASSERT: u32 = 4;
    /// Whether what follows matches, c characters before: if so (a = 0) or if not (a = 1) on at b.
    pub const LOOK: u32 = 5;
    /// A match.
    pub const ACCEPT: u32 = 6;

    /// With the bits of `wWdDsS` below it: all but these.
    pub const NEGATE: u32 = 1 << 31;

    pub const START: u32 = 0;
    pub const END: u32 = 1;
    pub const END_OR_LAST_LINE: u32 = 2;
    pub const LINE_START: u32 = 3;
    pub const LINE_END: u32 = 4;
    pub const BOUNDARY: u32 = 5;
    pub const NOT_BOUNDARY: u32 = 6;
    pub const ASCII_BOUNDARY: u32 = 7;
    pub const NOT_ASCII_BOUNDARY: u32 = 8;
}

/// A pattern to run, wherever it lies.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// [`Pattern::code`]
    pub code: &'a [Instruction],
    /// [`Pattern::ranges`]
    pub ranges: &'a [[u32; 2]],
    /// [`Pattern::splits`]
    pub splits: u32,
}

/// What is left to try.
enum Job {
    Go(u32, usize),
    /// A group's place as it was.
    Restore(usize, Option<usize>),
}

/// Memory of a search.
#[derive(Default)]
pub struct Machine {
    jobs: Vec<Job>,
    /// A bit for each split at each place of the text.
    visited: Vec<u64>,
    touched: Vec<usize>,
    group: [Option<usize>; 2],
}

impl Machine {
    fn reset(&mut self) {
        for word in self.touched.drain(..) {
            self.visited[word] = 0;
        }
    }

    /// Whether a split was there already.
    fn visit(&mut self, bit: usize) -> bool {
        let (word, bit) = (bit / 64, 1 << (bit % 64));
        if self.visited[word] & bit != 0 {
            return true;
        }
        if self.visited[word] == 0 {
            self.touched.push(word);
        }
        self.visited[word] |= bit;
        false
    }
}

impl Pattern {
    /// The pattern to run.
    pub fn program(&self) -> Program<'_> {
        Program { code: &self.code, ranges: &self.ranges, splits: self.splits }
    }
}

impl Program<'_> {
    /// Calls `f` with where each match starts and ends, from left to right: the group's place where the pattern has a
    /// group (nothing of the text where it took no part), else the match's. As `re.findall` for a pattern that matches
    /// no empty text.
    pub fn each(&self, text: &str, machine: &mut Machine, f: &mut impl FnMut(usize, usize)) {
        let grouped = self.code.iter().any(|i| i.code == op::SAVE);
        self.prepare(text, machine);
        let mut at = 0;
        while at < text.len() {
            match self.run(text, 0, at, machine) {
                Some(end) if end > at => {
                    match machine.group {
                        [Some(start), Some(end)] if grouped => f(start, end),
                        _ if grouped => f(0, 0),
                        _ => f(at, end),
                    }
                    machine.reset();
                    at = end;
                }
                _ => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        machine.reset();
    }

    /// Whether the pattern matches all of the text.
    pub fn matches_all(&self, text: &str, machine: &mut Machine) -> bool {
        self.prepare(text, machine);
        let found = self.search(text, 0, 0, machine, true).is_some();
        machine.reset();
        found
    }

    fn prepare(&self, text: &str, machine: &mut Machine) {
        let words = (self.splits as usize * (text.len() + 1)).div_ceil(64);
        if machine.visited.len() < words {
            machine.visited.resize(words, 0);
        }
    }

    fn run(&self, text: &str, pc: u32, at: usize, machine: &mut Machine) -> Option<usize> {
        self.search(text, pc, at, machine, false)
    }

    /// Where a match that starts there ends; `whole` only where it ends with the text.
    fn search(&self, text: &str, pc: u32, at: usize, machine: &mut Machine, whole: bool) -> Option<usize> {
        machine.group = [None; 2];
        machine.jobs.clear();
        machine.jobs.push(Job::Go(pc, at));
        while let Some(job) = machine.jobs.pop() {
            match job {
                Job::Restore(slot, place) => machine.group[slot] = place,
                Job::Go(pc, at) => {
                    if let Some(end) = self.walk(text, pc, at, machine, whole) {
                        return Some(end);
                    }
                }
            }
        }
        None
    }

    /// One way, as far as it goes; the other ways are left as jobs.
    fn walk(&self, text: &str, mut pc: u32, mut at: usize, machine: &mut Machine, whole: bool) -> Option<usize> {
        loop {
            let i = self.code[pc as usize];
            match i.code {
                op::SET => {
                    let c = text[at..].chars().next().filter(|c| self.contains(i, *c))?;
                    at += c.len_utf8();
                    pc += 1;
                }
                op::SPLIT => {
                    if machine.visit(i.c as usize * (text.len() + 1) + at) {
                        return None;
                    }
                    machine.jobs.push(Job::Go(i.b, at));
                    pc = i.a;
                }
                op::JUMP => pc = i.a,
                op::SAVE => {
                    let slot = i.a as usize & 1;
                    machine.jobs.push(Job::Restore(slot, machine.group[slot]));
                    machine.group[slot] = Some(at);
                    pc += 1;
                }
                op::ASSERT => {
                    if !holds(i.a, text, at) {
                        return None;
                    }
                    pc += 1;
                }
                op::LOOK => {
                    if self.looks(i, text, pc + 1, at) == (i.a == 1) {
                        return None;
                    }
                    pc = i.b;
                }
                _ if whole && at != text.len() => return None,
                _ => return Some(at),
            }
        }
    }

    /// What is looked for is found. It has a memory of its own: success there is no failure here.
    fn looks(&self, i: Instruction, text: &str, pc: u32, at: usize) -> bool {
        let back = i.c as usize;
        let start =
            if back == 0 { Some(at) } else { text[..at].char_indices().rev().nth(back - 1).map(|(start, _)| start) };
        let mut machine = Machine::default();
        self.prepare(text, &mut machine);
        start.is_some_and(|start| self.run(text, pc, start, &mut machine).is_some())
    }

    fn contains(&self, i: Instruction, c: char) -> bool {
        let class = |bit: u32, holds: fn(char) -> bool| {
            (i.c >> bit & 1 == 1 && holds(c)) || (i.c >> (bit + 1) & 1 == 1 && !holds(c))
        };
        let found = within(&self.ranges[i.a as usize..i.b as usize], c as u32)
            || (i.c & !op::NEGATE != 0 && (class(0, is_word) || class(2, is_digit) || class(4, is_space)));
        found != (i.c & op::NEGATE != 0)
    }
}

fn holds(what: u32, text: &str, at: usize) -> bool {
    let boundary = |is: fn(char) -> bool| {
        text[..at].chars().next_back().is_some_and(is) != text[at..].chars().next().is_some_and(is)
    };
    let ascii = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match what {
        op::START => at == 0,
        op::END => at == text.len(),
        op::END_OR_LAST_LINE => at == text.len() || &text[at..] == "\n",
        op::LINE_START => at == 0 || text[..at].ends_with('\n'),
        op::LINE_END => at == text.len() || text[at..].starts_with('\n'),
        op::BOUNDARY => boundary(is_word),
        op::NOT_BOUNDARY => !boundary(is_word),
        op::ASCII_BOUNDARY => boundary(ascii),
        _ => !boundary(ascii),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Flavour;

    fn found(pattern: &str, text: &str) -> Vec<String> {
        let pattern = Pattern::new(pattern, Flavour::Python).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        let mut all = Vec::new();
        pattern.program().each(text, &mut Machine::default(), &mut |a, b| all.push(text[a..b].to_owned()));
        all
    }

    /// The answers are those of `re.findall`.
    #[test]
    fn finds_what_python_finds() {
        let text = "Ab-cd ef_1, ²³ don't e\u{301}tude 10.5 x";
        for (pattern, expected) in [
            (r"(?u)\b\w\w+\b", "Ab|cd|ef_1|²³|don|tude|10"),
            (r"\b[^\W\d_]+\b", "Ab|cd|²³|don|t|e|tude|x"),
            (r"[a-zA-Z]+", "Ab|cd|ef|don|t|e|tude|x"),
            (r"[A-Za-z0-9]+(?=\s+)", "cd|t|tude|5"),
            (r"(?<=\s)\S+", "ef_1,|²³|don't|e\u{301}tude|10.5|x"),
            (r"(?<!\w)[a-z]\w*", "cd|ef_1|don|t|e|tude|x"),
            (r"(\w)\w*", "A|c|e|²|d|t|e|t|1|5|x"),
            (r"a|[Aa]b|\d+?", "Ab|1|1|0|5"),
            (r"\w{2,3}", "Ab|cd|ef_|²³|don|tud|10"),
            (r"\d+(?:\.\d+)?|\w+'\w", "1|don't|10.5"),
            (r"x$", "x"),
        ] {
            assert_eq!(found(pattern, text).join("|"), expected, "{pattern}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_say() {
        for pattern in [r"(a)\1", "(?i)a", "a++", "(a*)*", "(?>a)", r"\p{L}", "a{2", "[a", "(a", "a)", "*", "(?<=a+)b"]
        {
            let understood = Pattern::new(pattern, Flavour::Python);
            // A brace without bounds is a brace.
            assert_eq!(understood.is_ok(), pattern == "a{2", "{pattern}");
        }
    }

    #[test]
    fn time_is_bounded() {
        assert!(found("(?:a|aa)+b", &"a".repeat(20_000)).is_empty());
    }
}
