//! How documents become counts of terms: what a vectorizer of text has learnt.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flock_text::{Flavour, Pattern, PatternError, Splitter, Tokens, Unit, Work, column_of};

use crate::constant::Hasher;
use crate::types::MAX_WIDTH;

/// What a document is split into, and the column of each term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What terms are made of: tokens or characters.
    pub unit: Unit,
    /// Units of the shortest terms, at least 1.
    pub first: u32,
    /// Units of the longest terms.
    pub last: u32,
    /// The pattern of a token, of Python's `re`; empty where units are characters.
    pub pattern: Arc<str>,
    /// Tokens that are left out, sorted; none where units are characters.
    pub stop: Vec<Arc<str>>,
    /// Whether a column of some term holds 1, however often it is there.
    pub binary: bool,
    /// Which column counts which terms.
    pub features: Features,
}

/// Which column counts which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Features {
    /// One term each; other terms are not counted.
    Vocabulary(Vec<Arc<str>>),
    /// The remainder of each term's hash (MurmurHash3, seed 0).
    Hashed {
        /// Number of columns.
        columns: u32,
        /// Whether a term whose hash is negative counts -1.
        signed: bool,
    },
}

/// Most units of a term.
pub const MAX_UNITS: u32 = 1000;

impl Terms {
    /// Number of columns.
    pub fn columns(&self) -> u32 {
        match &self.features {
            Features::Vocabulary(terms) => terms.len() as u32,
            Features::Hashed { columns, .. } => *columns,
        }
    }

    /// The one form of equal constants.
    #[must_use]
    pub fn canonical(mut self) -> Terms {
        if self.unit != Unit::Word {
            self.pattern = Arc::from("");
            self.stop.clear();
        }
        self.stop.sort();
        self.stop.dedup();
        self
    }

    pub(crate) fn is_canonical(&self) -> bool {
        let words = self.unit == Unit::Word || (self.pattern.is_empty() && self.stop.is_empty());
        words && self.stop.is_sorted_by(|a, b| a < b)
    }

    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.first == 0 || self.first > self.last || self.last > MAX_UNITS {
            return Err(format!("terms of {} to {} units, expected 1 to {MAX_UNITS}", self.first, self.last));
        }
        if self.unit == Unit::Word {
            self.tokens()?;
        }
        if !self.is_canonical() {
            return Err("stop words that are not sorted, or of characters".into());
        }
        match &self.features {
            Features::Hashed { columns, .. } if *columns == 0 || *columns > MAX_WIDTH => {
                Err(format!("{columns} columns, expected 1 to {MAX_WIDTH}"))
            }
            Features::Vocabulary(terms) if terms.is_empty() || terms.len() > MAX_WIDTH as usize => {
                Err(format!("a vocabulary of {} terms", terms.len()))
            }
            Features::Vocabulary(terms) => {
                let mut seen = HashSet::with_capacity(terms.len());
                match terms.iter().find(|t| !seen.insert(&***t)) {
                    Some(twice) => Err(format!("the term {twice:?} is there twice")),
                    None => Ok(()),
                }
            }
            Features::Hashed { .. } => Ok(()),
        }
    }

    /// How tokens are found.
    ///
    /// # Errors
    /// Where the pattern has no exact meaning here.
    pub fn tokens(&self) -> Result<TokenPattern, String> {
        TokenPattern::new(&self.pattern).map_err(|e| format!("the token pattern {:?}: {e}", &*self.pattern))
    }

    /// Calls `f` with each column and what a term of the document adds to it, for each of the documents.
    pub(crate) fn each<'t>(
        &self,
        documents: impl Iterator<Item = Option<&'t str>>,
        mut f: impl FnMut(usize, u32, f64),
    ) {
        let Ok(tokens) = (if self.unit == Unit::Word { self.tokens() } else { Ok(TokenPattern::Runs(1)) }) else {
            return;
        };
        let splitter =
            Splitter { unit: self.unit, first: self.first as usize, last: self.last as usize, tokens: tokens.borrow() };
        let known: HashMap<&str, u32> = match &self.features {
            Features::Vocabulary(terms) => terms.iter().map(|t| &**t).zip(0..).collect(),
            Features::Hashed { .. } => HashMap::new(),
        };
        let is_stop = |token: &str| self.stop.binary_search_by(|s| (**s).cmp(token)).is_ok();
        let mut work = Work::default();
        for (row, document) in documents.enumerate() {
            splitter.each(document.unwrap_or(""), &mut work, is_stop, |term| match self.features {
                Features::Vocabulary(_) => {
                    if let Some(column) = known.get(term) {
                        f(row, *column, 1.0);
                    }
                }
                Features::Hashed { columns, signed } => {
                    let (column, negative) = column_of(term.as_bytes(), columns);
                    f(row, column, if signed && negative { -1.0 } else { 1.0 });
                }
            });
        }
    }

    pub(crate) fn hash_into(&self, h: &mut Hasher) {
        h.u32(self.unit as u32);
        h.u32(self.first);
        h.u32(self.last);
        h.bytes(self.pattern.as_bytes());
        h.u32(self.stop.len() as u32);
        self.stop.iter().for_each(|s| h.bytes(s.as_bytes()));
        h.u32(u32::from(self.binary));
        match &self.features {
            Features::Vocabulary(terms) => {
                h.u32(0);
                h.u32(terms.len() as u32);
                terms.iter().for_each(|s| h.bytes(s.as_bytes()));
            }
            Features::Hashed { columns, signed } => {
                h.u32(1 + u32::from(*signed));
                h.u32(*columns);
            }
        }
    }
}

/// A token pattern that was understood.
#[derive(Clone, Debug)]
pub enum TokenPattern {
    /// Runs of word characters, of at least so many.
    Runs(u32),
    /// Any other.
    Pattern(Pattern),
}

impl TokenPattern {
    /// Reads a pattern of Python's `re`.
    ///
    /// # Errors
    /// Where it has no exact meaning here, may match nothing, or has several groups, which the library refuses.
    pub fn new(text: &str) -> Result<TokenPattern, PatternError> {
        if let Some(least) = runs(text) {
            return Ok(TokenPattern::Runs(least));
        }
        let pattern = Pattern::new(text, Flavour::Python)?;
        if pattern.shortest == 0 {
            return Err(PatternError("it may match the empty text".into()));
        }
        if pattern.groups > 1 {
            return Err(PatternError("it has more than one group".into()));
        }
        Ok(TokenPattern::Pattern(pattern))
    }

    /// The same to run.
    pub fn borrow(&self) -> Tokens<'_> {
        match self {
            TokenPattern::Runs(least) => Tokens::Runs(*least as usize),
            TokenPattern::Pattern(pattern) => Tokens::Pattern(pattern.program()),
        }
    }
}

/// The shortest run of word characters that a pattern such as `(?u)\b\w\w+\b` finds. A run is found whole, so that
/// boundaries around it say nothing.
fn runs(text: &str) -> Option<u32> {
    let text = text.strip_prefix("(?u)").unwrap_or(text);
    let text = text.strip_prefix(r"\b").unwrap_or(text);
    let text = text.strip_suffix(r"\b").unwrap_or(text);
    let units = text.strip_suffix('+')?;
    let n = units.len() / 2;
    (n > 0 && n <= MAX_UNITS as usize && units == r"\w".repeat(n)).then_some(n as u32)
}
