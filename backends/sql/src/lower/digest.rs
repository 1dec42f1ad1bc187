//! Digests of text, which dialects give in hexadecimal digits.

use std::rc::Rc;

use flock_ir_spec::{DType, Node, digest_of};

use super::{Cell, Lower, Val};
use crate::backend::NO_DIGEST;
use crate::expr::X;

/// Hexadecimal digits of a word.
const DIGITS: usize = 8;

impl Lower<'_> {
    /// The words, a column each.
    pub(super) fn digest(&mut self, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let digest = digest_of(&node.attr);
        let known = self.dialect().digests.iter().find(|(d, _)| Some(*d) == digest);
        let (Some((digest, text)), Some(cell)) = (known, args.first().and_then(|a| a.first())) else {
            return self.refused(node, NO_DIGEST);
        };
        let nullable = node.ty.frame().is_some_and(|t| t.nullable);
        let of = self.raw(cell).id;
        let digits = self.arena.add(X::Template(text.replace("{}", "{0}").into(), [of].into()));
        self.arena.force(digits);
        self.arena.hint(digits, "digest");
        let word = |at: usize| format!("substr({{0}}, {}, {DIGITS})", 1 + at * DIGITS);
        (0..digest.words())
            .map(|at| {
                let text = self.dialect().hexadecimal.replace("{}", &word(at));
                let id = self.arena.add(X::Template(text.into(), [digits].into()));
                Cell::Val(Val { null: nullable, ..self.plain(id, DType::I64) })
            })
            .collect()
    }
}
