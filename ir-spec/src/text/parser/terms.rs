//! Terms of documents.

use std::sync::Arc;

use flock_text::Unit;

use super::{Parser, Tok, values};
use crate::frame::Data;
use crate::terms::{Features, Terms};
use crate::types::DType;

impl Parser<'_> {
    /// `terms word 1..3 pattern "\\w+" stop ["a"] binary of ["b", "c"]`
    pub(super) fn terms(&mut self) -> Option<Terms> {
        self.next();
        let unit = Unit::ALL.into_iter().find(|u| self.is_word(u.name()));
        let Some(unit) = unit else { return self.expected("`word`, `char` or `char_wb`") };
        self.next();
        let first = self.integer("the shortest terms")?;
        self.expect("..")?;
        let pos = self.pos;
        let Some(last) = self.integer::<u32>("what is longer than the longest terms")?.checked_sub(1) else {
            self.fault("flock::text::value", pos, "terms of no units");
            return None;
        };
        let pattern = if self.eat_word("pattern") { self.quoted("a pattern")? } else { Arc::from("") };
        let stop = if self.eat_word("stop") { self.texts()? } else { Vec::new() };
        let binary = self.eat_word("binary");
        let features = if self.eat_word("hashed") {
            Features::Hashed { columns: self.integer("a number of columns")?, signed: self.eat_word("signed") }
        } else {
            self.expect_word("of")?;
            Features::Vocabulary(self.texts()?)
        };
        Some(Terms { unit, first, last, pattern, stop, binary, features })
    }

    /// `["a", "b"]`
    fn texts(&mut self) -> Option<Vec<Arc<str>>> {
        self.expect("[")?;
        let mut data = values::empty(DType::Str);
        if !matches!(self.tok, Tok::Sym("]")) {
            self.values(&mut data)?;
        }
        self.expect("]")?;
        if let Data::Str(texts) = data { Some(texts) } else { None }
    }
}
