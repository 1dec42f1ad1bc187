//! Lines of a query: relations, and the columns that they mint.

use super::{Parser, Tok, index};
use crate::relation::{AggregateKind, JoinKind};
use crate::text::syntax::{AggregateText, At, Column, Line, RelText};

impl<'t> Parser<'t> {
    pub(super) fn query_line(&mut self) -> Option<Line<'t>> {
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
