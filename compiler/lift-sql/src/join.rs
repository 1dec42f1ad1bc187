//! Joins: conditions, USING, NATURAL, and what an outer join makes null.

use std::sync::Arc;

use flock_ir_spec::{Frame, JoinKind, NodeId, Op, Rel};
use sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, Spanned};

use crate::expr::Value;
use crate::from::Source;
use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::scope::{Scope, ScopeColumn};

impl Lifter<'_> {
    /// Both sides of a JOIN.
    pub fn joined_with(&mut self, left: Source, right: Source, join: &Join) -> Lifted<Source> {
        use JoinOperator as O;
        let (kind, constraint) = match &join.join_operator {
            O::Join(c) | O::Inner(c) => (JoinKind::Inner, c),
            O::Left(c) | O::LeftOuter(c) => (JoinKind::Left, c),
            O::Right(c) | O::RightOuter(c) => (JoinKind::Right, c),
            O::FullOuter(c) => (JoinKind::Full, c),
            O::CrossJoin(c @ JoinConstraint::None) => (JoinKind::Cross, c),
            O::Semi(c) | O::LeftSemi(c) => (JoinKind::Semi, c),
            O::Anti(c) | O::LeftAnti(c) => (JoinKind::Anti, c),
            _ => return Err(self.unsupported(join, "this kind of join")),
        };
        if join.global {
            return Err(self.unsupported(join, "GLOBAL JOIN"));
        }
        match (kind, constraint) {
            (JoinKind::Inner, JoinConstraint::None) => self.join(left, right, JoinKind::Cross, constraint, join),
            (JoinKind::Cross, _) => self.join(left, right, kind, constraint, join),
            (_, JoinConstraint::None) => {
                let message = format!("a {} join without ON or USING", kind.name());
                Err(self.fault("flock::sql::parse", join, message))
            }
            _ => self.join(left, right, kind, constraint, join),
        }
    }

    /// Both sides under a condition.
    pub fn join(
        &mut self,
        left: Source,
        right: Source,
        kind: JoinKind,
        constraint: &JoinConstraint,
        at: &impl Spanned,
    ) -> Lifted<Source> {
        self.two_names(&left.1, &right.1, at)?;
        let null_left = matches!(kind, JoinKind::Right | JoinKind::Full);
        let null_right = matches!(kind, JoinKind::Left | JoinKind::Full);
        let (left_rel, mut left_scope) = if null_left { self.fixed(left)? } else { left };
        let (right_rel, mut right_scope) = if null_right { self.fixed(right)? } else { right };
        let names = self.merged_names(constraint, &left_scope, &right_scope, at)?;
        let on = match constraint {
            JoinConstraint::On(e) => {
                let mut both = left_scope.clone();
                both.append(right_scope.clone());
                Some(self.condition(e, &both)?)
            }
            _ => self.equal_names(&names, &left_scope, &right_scope, at)?,
        };
        // NATURAL without a common name, or no condition at all: every pair, and the rows without one.
        let (kind, on) = match (kind, on) {
            (JoinKind::Inner | JoinKind::Cross, None) => (JoinKind::Cross, None),
            (kind, None) => (kind, Some(self.constant(Frame::row_bool([true])))),
            (kind, on) => (kind, on),
        };
        let rel = self.push(Rel::Join { kind, left: left_rel, right: right_rel, on })?;
        if null_left {
            left_scope.columns.iter_mut().for_each(|c| c.node = self.as_nullable(c.node));
        }
        if null_right {
            right_scope.columns.iter_mut().for_each(|c| c.node = self.as_nullable(c.node));
        }
        if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            return Ok((rel, left_scope));
        }
        let scope = self.merged_scope(kind, &names, left_scope, right_scope)?;
        Ok((rel, scope))
    }

    /// Refuses two tables under one name.
    fn two_names(&mut self, left: &Scope<'_>, right: &Scope<'_>, at: &impl Spanned) -> Lifted<()> {
        let twice = right.tables.iter().find(|t| !t.broken && left.tables.iter().any(|l| l.name == t.name));
        match twice {
            Some(t) => {
                let message = format!("two tables are called `{}`", t.name.join("."));
                Err(self.fault_help(
                    "flock::sql::ambiguous_table",
                    at,
                    message,
                    "give one of them another name with AS",
                ))
            }
            None => Ok(()),
        }
    }

    /// The rows with their columns in a relation, so that an outer join can make them null.
    fn fixed(&mut self, source: Source) -> Lifted<Source> {
        let (rel, mut scope) = source;
        if scope.columns.iter().all(|c| self.column_of(c.node).is_some()) {
            return Ok((rel, scope));
        }
        let values: Vec<(Arc<str>, NodeId)> = scope.columns.iter().map(|c| (c.name.clone(), c.node)).collect();
        let (rel, leaves) = self.project(rel, values)?;
        scope.columns.iter_mut().zip(leaves).for_each(|(c, (_, leaf))| c.node = leaf);
        Ok((rel, scope))
    }

    // USING and NATURAL.

    fn merged_names(
        &mut self,
        constraint: &JoinConstraint,
        left: &Scope<'_>,
        right: &Scope<'_>,
        at: &impl Spanned,
    ) -> Lifted<Vec<Ident>> {
        match constraint {
            JoinConstraint::Using(list) => {
                let names: Option<Vec<Ident>> =
                    list.iter().map(|n| names::parts(n).and_then(|mut p| p.pop().filter(|_| p.is_empty()))).collect();
                names.ok_or_else(|| self.unsupported(at, "a qualified name in USING"))
            }
            JoinConstraint::Natural => {
                if left.tables.iter().chain(&right.tables).any(|t| t.open.is_some()) {
                    return Err(self.unsupported(at, "NATURAL JOIN with a table whose columns are not known"));
                }
                let plain =
                    |s: &Scope<'_>| s.columns.iter().filter(|c| c.plain).map(|c| c.name.clone()).collect::<Vec<_>>();
                let other = plain(right);
                let common = plain(left).into_iter().filter(|n| other.contains(n));
                Ok(common.map(|n| Ident::with_quote('"', &*n)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn equal_names(
        &mut self,
        names: &[Ident],
        left: &Scope<'_>,
        right: &Scope<'_>,
        at: &impl Spanned,
    ) -> Lifted<Option<NodeId>> {
        let mut tests = Vec::new();
        for name in names {
            let parts = std::slice::from_ref(name);
            let (a, b) = (self.named(parts, left), self.named(parts, right));
            let (a, b) = (Value::Node(a?), Value::Node(b?));
            self.visit(at.span());
            let e = sqlparser::ast::Expr::Identifier(name.clone());
            let test = self.compare(&e, Op::Eq, a, b)?;
            tests.push(self.settle(test)?);
        }
        self.conjunction(&tests)
    }

    /// Both scopes; the sides of a merged column count only with their table's name.
    fn merged_scope(
        &mut self,
        kind: JoinKind,
        names: &[Ident],
        mut left: Scope<'static>,
        mut right: Scope<'static>,
    ) -> Lifted<Scope<'static>> {
        let mut first = Vec::new();
        for name in names {
            let node = self.merged_value(kind, name, &left, &right)?;
            let at = left.columns.iter().position(|c| c.plain && names::same(name, &c.name));
            let shown = at.map_or_else(|| names::given(name), |i| left.columns[i].name.clone());
            let merged = ScopeColumn { table: None, name: shown, node, plain: true };
            left.columns
                .iter_mut()
                .chain(&mut right.columns)
                .filter(|c| names::same(name, &c.name))
                .for_each(|c| c.plain = false);
            match at {
                Some(i) if !self.dialect.merged_first() => left.columns.insert(i, merged),
                _ => first.push(merged),
            }
        }
        first.append(&mut left.columns);
        // What an earlier USING merged is no table's column, and is gone once it is merged again.
        first.retain(|c| c.plain || c.table.is_some());
        left.columns = first;
        left.append(right);
        Ok(left)
    }

    /// The value of a merged column: that of the side which is never null for it.
    fn merged_value(&mut self, kind: JoinKind, name: &Ident, left: &Scope<'_>, right: &Scope<'_>) -> Lifted<NodeId> {
        let parts = std::slice::from_ref(name);
        let (a, b) = (self.named(parts, left)?, self.named(parts, right)?);
        match kind {
            JoinKind::Right => Ok(b),
            JoinKind::Full => {
                let at = sqlparser::ast::Expr::Identifier(name.clone());
                let either = self.coalesce(&at, "COALESCE", &[Value::Node(a), Value::Node(b)])?;
                self.settle(either)
            }
            _ => Ok(a),
        }
    }
}
