//! Categories by position: `index_of`, with or without a position in place of null, as one thing.

use egg::Id;
use flock_ir_spec::{Attr, Frame, Op};

use crate::analysis::{add, add_constant, table};
use crate::language::Egraph;
use crate::tables::{columns_of, distinct};

/// A column and the categories whose positions it becomes.
pub struct Encoder {
    /// The column.
    pub x: Id,
    /// The categories, a constant row.
    pub categories: Id,
    /// The position of null; None where null stays null.
    pub null: Option<i64>,
}

impl Encoder {
    /// The encoder that gives a class of indices.
    pub fn of(g: &Egraph<'_>, index: Id) -> Option<Encoder> {
        let direct = |class: Id, null| {
            let c = g[class].nodes.iter().find_map(|n| n.is(Op::IndexOf))?;
            Some(Encoder { x: c[0], categories: c[1], null })
        };
        direct(index, None).or_else(|| {
            let c = g[index].nodes.iter().find_map(|n| n.is(Op::Coalesce))?;
            let null = *table(g, c[1]).filter(|t| t.len() == 1)?.as_i64()?.first()?;
            direct(c[0], Some(null))
        })
    }

    /// The same with position `wanted[p]` at p; what is not wanted becomes -1. Positions beyond the categories, which
    /// only null can have, must come last. None where that does not hold, or a category occurs twice.
    pub fn select(&self, g: &mut Egraph<'_>, wanted: &[usize]) -> Option<Id> {
        let categories = table(g, self.categories).filter(|t| distinct(t))?;
        let listed = wanted.iter().take_while(|p| **p < categories.len()).count();
        let beyond = wanted[listed..].iter().all(|p| *p >= categories.len());
        if listed == 0 || !beyond {
            return None;
        }
        let kept = columns_of(categories, &wanted[..listed]);
        let kept = add_constant(g, kept);
        let index = add(g, Op::IndexOf, Attr::None, &[self.x, kept])?;
        let Some(null) = self.null else { return Some(index) };
        let null = wanted.iter().position(|p| *p as i64 == null).map_or(-1, |p| p as i64);
        let null = add_constant(g, Frame::row_i64([null]));
        add(g, Op::Coalesce, Attr::None, &[index, null])
    }
}
