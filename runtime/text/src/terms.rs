//! The terms of a document: tokens or characters, and runs of them. Source: scikit-learn
//! `feature_extraction/text.py`, `_VectorizerMixin`.

use crate::classes::{is_space, is_word};
use crate::search::{Machine, Program};

/// What terms are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Tokens that a pattern finds, joined by a space.
    Word,
    /// Characters.
    Char,
    /// Characters of a word with a space before and behind it.
    CharWb,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 3] = [Unit::Word, Unit::Char, Unit::CharWb];

    /// The library's name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Word => "word",
            Unit::Char => "char",
            Unit::CharWb => "char_wb",
        }
    }
}

/// How tokens are found.
#[derive(Clone, Copy)]
pub enum Tokens<'a> {
    /// Runs of word characters, of at least so many: `\b\w\w+\b` for 2.
    Runs(usize),
    /// What a pattern finds.
    Pattern(Program<'a>),
}

/// How a document becomes terms.
#[derive(Clone, Copy)]
pub struct Splitter<'a> {
    /// What terms are made of.
    pub unit: Unit,
    /// Units of the shortest terms, at least 1.
    pub first: usize,
    /// Units of the longest terms.
    pub last: usize,
    /// How tokens are found.
    pub tokens: Tokens<'a>,
}

/// Memory that is used again from document to document.
#[derive(Default)]
pub struct Work {
    spans: Vec<(usize, usize)>,
    term: String,
    text: String,
    machine: Machine,
}

impl Splitter<'_> {
    /// Calls `f` with each term of the document, in no order that means anything. Tokens for which `is_stop` holds are
    /// left out before terms are made of several.
    pub fn each(&self, text: &str, work: &mut Work, is_stop: impl Fn(&str) -> bool, mut f: impl FnMut(&str)) {
        match self.unit {
            Unit::Word => self.words(text, work, is_stop, &mut f),
            Unit::Char => {
                let mut spaced = std::mem::take(&mut work.text);
                single_spaces(text, &mut spaced);
                self.runs(&spaced, &mut work.spans, &mut f);
                work.text = spaced;
            }
            Unit::CharWb => {
                let mut padded = std::mem::take(&mut work.text);
                for word in text.split(is_space).filter(|w| !w.is_empty()) {
                    padded.clear();
                    padded.extend([" ", word, " "]);
                    self.runs_of_word(&padded, &mut work.spans, &mut f);
                }
                work.text = padded;
            }
        }
    }

    fn words(&self, text: &str, work: &mut Work, is_stop: impl Fn(&str) -> bool, f: &mut impl FnMut(&str)) {
        let Work { spans, term, machine, .. } = work;
        spans.clear();
        let mut keep = |start: usize, end: usize| {
            if !is_stop(&text[start..end]) {
                spans.push((start, end));
            }
        };
        match self.tokens {
            Tokens::Runs(least) => word_runs(text, least, &mut keep),
            Tokens::Pattern(program) => program.each(text, machine, &mut keep),
        }
        for n in self.first..=self.last.min(spans.len()) {
            for run in spans.windows(n) {
                if let [(start, end)] = run {
                    f(&text[*start..*end]);
                    continue;
                }
                term.clear();
                for (i, (start, end)) in run.iter().enumerate() {
                    term.push_str(if i > 0 { " " } else { "" });
                    term.push_str(&text[*start..*end]);
                }
                f(term);
            }
        }
    }

    /// Every run of `first` to `last` characters.
    fn runs(&self, text: &str, spans: &mut Vec<(usize, usize)>, f: &mut impl FnMut(&str)) {
        bounds(text, spans);
        for n in self.first..=self.last.min(spans.len()) {
            spans.windows(n).for_each(|run| f(&text[run[0].0..run[n - 1].1]));
        }
    }

    /// The same, and what is shorter than a run once as a whole.
    fn runs_of_word(&self, text: &str, spans: &mut Vec<(usize, usize)>, f: &mut impl FnMut(&str)) {
        bounds(text, spans);
        for n in self.first..=self.last {
            if n >= spans.len() {
                f(text);
                break;
            }
            spans.windows(n).for_each(|run| f(&text[run[0].0..run[n - 1].1]));
        }
    }
}

/// Where each character starts and ends.
fn bounds(text: &str, spans: &mut Vec<(usize, usize)>) {
    spans.clear();
    spans.extend(text.char_indices().map(|(at, c)| (at, at + c.len_utf8())));
}

/// Two spaces and more become one blank; one stays what it is.
fn single_spaces(text: &str, out: &mut String) {
    out.clear();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let more = is_space(c) && rest.peek().is_some_and(|next| is_space(*next));
        while more && rest.peek().is_some_and(|next| is_space(*next)) {
            rest.next();
        }
        out.push(if more { ' ' } else { c });
    }
}

fn word_runs(text: &str, least: usize, keep: &mut impl FnMut(usize, usize)) {
    let (mut start, mut count) = (0, 0);
    for (at, c) in text.char_indices() {
        if is_word(c) {
            start = if count == 0 { at } else { start };
            count += 1;
        } else {
            if count >= least {
                keep(start, at);
            }
            count = 0;
        }
    }
    if count >= least {
        keep(start, text.len());
    }
}
