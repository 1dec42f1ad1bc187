//! Rules, one record each. Rules for rules:
//!
//! - A rule says what is equal on every row, NaN, ±0, infinities and nulls included: `Bits` in every bit, `Reals` up to
//!   rounding. A `Reals` rule is rooted at an operator whose own meaning is only up to rounding; else the difference
//!   would leak by congruence into what a tree reads.
//! - Both sides have the same type; where they do not, the rule does not fire.
//! - What holds in a context enters by `context` rules alone: on the relation, by `select` and by `guard`.
//! - No associativity, no commutativity: n-ary operators are written as n-ary.

use egg::{Id, Pattern, Subst, Var};
use flock_ir_spec::{Exactness, Op};

use crate::choose::Cheapest;
use crate::language::{Egraph, Enode, Root};

mod category;
mod context;
mod fold;
mod identity;
mod inline;
mod linear;
mod logic;
mod relation;
mod shape;
mod tree;

/// A side condition with the variables that it looks at.
pub struct Condition {
    /// The variables.
    pub vars: &'static [&'static str],
    /// Whether it holds of their classes.
    pub holds: fn(&Egraph<'_>, &[Id]) -> bool,
}

/// What a rule that looks at nodes is rooted at.
pub enum On {
    /// These.
    Roots(&'static [Root]),
    /// Every operator of that exactness.
    Every(Exactness),
}

impl On {
    /// Whether a node is one.
    pub fn matches(&self, root: Root) -> bool {
        match (self, root) {
            (On::Roots(roots), _) => roots.contains(&root),
            (On::Every(exact), Root::Frame(op)) => op.record().exact == *exact,
            (On::Every(_), _) => false,
        }
    }
}

/// What a rule does.
pub enum Action {
    /// A pattern equals another.
    Rewrite {
        /// What is looked for.
        from: &'static str,
        /// What it equals.
        to: &'static str,
        /// Side conditions.
        when: &'static [Condition],
    },
    /// A pattern equals what a function makes of its variables.
    Fold {
        /// What is looked for.
        from: &'static str,
        /// The variables that the function takes.
        vars: &'static [&'static str],
        /// The equal class.
        with: fn(&mut Egraph<'_>, &[Id]) -> Option<Id>,
    },
    /// A node equals what a function makes of it; for operators with any number of operands.
    Node {
        /// Which nodes.
        on: On,
        /// The equal class.
        with: fn(&mut Egraph<'_>, &Enode) -> Option<Id>,
    },
    /// The same for rules that need a representation of what is below: they run when the others have nothing to do.
    Context {
        /// Which nodes.
        on: On,
        /// The equal class; it sees the class of the node too.
        with: fn(&mut Egraph<'_>, &Cheapest, Id, &Enode) -> Option<Id>,
    },
}

/// One rule.
pub struct Rule {
    /// Its name, unique.
    pub name: &'static str,
    /// The law in words.
    pub law: &'static str,
    /// Whether every bit is kept.
    pub exact: Exactness,
    /// What it does.
    pub action: Action,
}

/// Writes rules: `Bits "name": "pattern" => "pattern" if condition(?x);`, `… => { function(?x ?y) };`,
/// `[Op Op] => { function };` for operators and `(Filter) => { function };` for relations, `context` before them.
macro_rules! rules {
    ($( $(#[doc = $law:literal])+ $exact:ident $name:literal: $from:tt => $to:tt
        $(if $($condition:ident($(? $var:ident)+)),+)?; )*) => {
        /// The rules of this theme.
        pub static RULES: &[$crate::rules::Rule] = &[$( $crate::rules::Rule {
            name: $name,
            law: concat!($($law),+),
            exact: flock_ir_spec::Exactness::$exact,
            action: $crate::rules::action!($exact $from => $to [$($($condition($($var)+))+)?]),
        } ),*];
    };
}
macro_rules! action {
    ($exact:ident $from:literal => $to:literal [$($condition:ident($($var:ident)+))*]) => {
        $crate::rules::Action::Rewrite {
            from: $from,
            to: $to,
            when: &[$( $crate::rules::Condition {
                vars: &[$(concat!("?", stringify!($var))),+],
                holds: $condition,
            } ),*],
        }
    };
    ($exact:ident $from:literal => { $with:ident($(? $var:ident)+) } []) => {
        $crate::rules::Action::Fold { from: $from, vars: &[$(concat!("?", stringify!($var))),+], with: $with }
    };
    ($exact:ident [every] => { $with:ident } []) => {
        $crate::rules::Action::Node { on: $crate::rules::On::Every(flock_ir_spec::Exactness::$exact), with: $with }
    };
    ($exact:ident [context $($op:ident)+] => { $with:ident } []) => {
        $crate::rules::Action::Context { on: $crate::rules::on!([$($op)+]), with: $with }
    };
    ($exact:ident (context $($rel:ident)+) => { $with:ident } []) => {
        $crate::rules::Action::Context { on: $crate::rules::on!(($($rel)+)), with: $with }
    };
    ($exact:ident $on:tt => { $with:ident } []) => {
        $crate::rules::Action::Node { on: $crate::rules::on!($on), with: $with }
    };
}
macro_rules! on {
    ([$($op:ident)+]) => {
        $crate::rules::On::Roots(&[$($crate::language::Root::Frame(flock_ir_spec::Op::$op)),+])
    };
    (($($rel:ident)+)) => {
        $crate::rules::On::Roots(&[$($crate::language::Root::$rel),+])
    };
}
pub(crate) use {action, on, rules};

/// Every rule, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        inline::RULES,
        fold::RULES,
        identity::RULES,
        logic::RULES,
        shape::RULES,
        category::RULES,
        linear::RULES,
        relation::RULES,
        tree::RULES,
        context::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rules that bring models into frames; they run first.
pub fn inlining() -> &'static [Rule] {
    inline::RULES
}

/// The class that a variable is bound to.
pub fn bound(subst: &Subst, vars: &[&str]) -> Option<Vec<Id>> {
    vars.iter().map(|v| v.parse::<Var>().ok().and_then(|v| subst.get(v).copied())).collect()
}

/// A pattern; the text is the rule's own, and a test parses every one.
pub fn pattern(text: &str) -> Option<Pattern<Enode>> {
    text.parse().ok()
}

/// Whether the operator works element by element, so that columns can be chosen before it.
pub fn elementwise(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        Add | Sub
            | Mul
            | Div
            | Neg
            | Abs
            | Min
            | Max
            | Sqrt
            | Floor
            | Ceil
            | Round
            | Exp
            | Ln
            | Log1p
            | Expm1
            | Pow
            | Tanh
            | Logistic
            | Sin
            | Cos
            | Atan
            | Rem
            | Bitwise
            | Interpolate
            | Eq
            | Ne
            | Lt
            | Le
            | Gt
            | Ge
            | And
            | Or
            | Not
            | IsNull
            | IsNan
            | InSet
            | Select
            | Coalesce
            | Guard
            | Cast
            | IndexOf
            | CityHash
            | Bucketize
            | Composite(_)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use egg::{ENodeOrVar, Language};

    use super::*;

    fn roots(rule: &Rule) -> Vec<Op> {
        let of_pattern = |text: &str| match pattern(text).expect(text).ast.as_ref().last() {
            Some(ENodeOrVar::ENode(n)) => vec![n.op().expect("a frame")],
            _ => vec![],
        };
        match &rule.action {
            Action::Rewrite { from, .. } | Action::Fold { from, .. } => of_pattern(from),
            Action::Node { on, .. } | Action::Context { on, .. } => {
                Op::all().filter(|op| on.matches(Root::Frame(*op))).collect()
            }
        }
    }

    #[test]
    fn names_are_unique_and_laws_are_written() {
        let names: BTreeSet<&str> = all().map(|r| r.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|r| r.law.trim().len() > 20));
    }

    #[test]
    fn rules_of_reals_are_rooted_at_operators_of_reals() {
        for rule in all().filter(|r| r.exact == Exactness::Reals) {
            let roots = roots(rule);
            assert!(!roots.is_empty() && roots.iter().all(|op| op.record().exact == Exactness::Reals), "{}", rule.name);
        }
    }

    #[test]
    fn both_sides_of_a_rewrite_parse_and_the_right_side_has_no_open_attribute() {
        for rule in all() {
            let Action::Rewrite { from, to, when } = &rule.action else { continue };
            let (from, to) = (pattern(from).expect(from), pattern(to).expect(to));
            assert!(to.vars().iter().all(|v| from.vars().contains(v)), "{}", rule.name);
            let vars: Vec<String> = from.vars().iter().map(ToString::to_string).collect();
            assert!(when.iter().flat_map(|c| c.vars).all(|v| vars.contains(&v.to_string())), "{}", rule.name);
            for node in to.ast.as_ref() {
                if let ENodeOrVar::ENode(n) = node {
                    assert!(matches!(n.head, crate::language::Head::Frame(_, Some(_))), "{}", rule.name);
                    assert!(n.op().expect("a frame").record().accepts_operands(n.len()), "{}", rule.name);
                }
            }
        }
    }
}
