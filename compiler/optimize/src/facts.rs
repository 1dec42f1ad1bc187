//! What is known about leaves where something holds.

use std::collections::BTreeMap;

use crate::domain::Domain;
use crate::language::Leaf;

/// Domains of leaves of width 1; a leaf that is not named may be anything. None where nothing can hold at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts(Option<BTreeMap<Leaf, Domain>>);

impl Facts {
    /// Nothing is known.
    pub fn none() -> Facts {
        Facts(Some(BTreeMap::new()))
    }

    /// It cannot happen.
    pub fn impossible() -> Facts {
        Facts(None)
    }

    /// One leaf is in that domain.
    pub fn of(leaf: Leaf, domain: Domain) -> Facts {
        Facts::none().and(leaf, domain)
    }

    /// And one leaf is in that domain.
    #[must_use]
    pub fn and(self, leaf: Leaf, domain: Domain) -> Facts {
        let Some(mut map) = self.0 else { return self };
        let domain = map.get(&leaf).map_or(domain.clone(), |d| d.meet(&domain));
        if domain.is_empty() {
            return Facts::impossible();
        }
        map.insert(leaf, domain);
        Facts(Some(map))
    }

    /// Whether it cannot happen.
    pub fn is_impossible(&self) -> bool {
        self.0.is_none()
    }

    /// Whether nothing is known.
    pub fn is_none(&self) -> bool {
        self.0.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// What is known of a leaf.
    pub fn get(&self, leaf: Leaf) -> Option<&Domain> {
        self.0.as_ref()?.get(&leaf)
    }

    /// The leaves of which something is known.
    pub fn iter(&self) -> impl Iterator<Item = (Leaf, &Domain)> {
        self.0.iter().flatten().map(|(l, d)| (*l, d))
    }

    /// Where both hold.
    #[must_use]
    pub fn meet(&self, other: &Facts) -> Facts {
        match (&self.0, &other.0) {
            (Some(a), Some(_)) if a.is_empty() => other.clone(),
            (Some(_), Some(_)) => other.iter().fold(self.clone(), |f, (leaf, d)| f.and(leaf, d.clone())),
            _ => Facts::impossible(),
        }
    }

    /// Where either holds.
    #[must_use]
    pub fn join(&self, other: &Facts) -> Facts {
        match (&self.0, &other.0) {
            (None, _) => other.clone(),
            (_, None) => self.clone(),
            (Some(a), Some(b)) => Facts(Some(a.iter().filter_map(|(l, d)| Some((*l, d.join(b.get(l)?)))).collect())),
        }
    }

    /// What is known of these leaves alone.
    #[must_use]
    pub fn about(&self, keep: impl Fn(Leaf) -> bool) -> Facts {
        Facts(self.0.as_ref().map(|m| m.iter().filter(|(l, _)| keep(**l)).map(|(l, d)| (*l, d.clone())).collect()))
    }
}

/// What is known of leaves under each outcome of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Where it is true.
    pub yes: Facts,
    /// Where it is false.
    pub no: Facts,
    /// Where it is null.
    pub null: Facts,
}

impl Truth {
    /// Nothing is known.
    pub fn unknown() -> Truth {
        Truth { yes: Facts::none(), no: Facts::none(), null: Facts::none() }
    }

    /// Where it is not true: SQL keeps no such row, and takes the other branch.
    pub fn not_true(&self) -> Facts {
        self.no.join(&self.null)
    }

    /// Where it is not false.
    pub fn not_false(&self) -> Facts {
        self.yes.join(&self.null)
    }

    /// Both descriptions hold.
    #[must_use]
    pub fn meet(&self, other: &Truth) -> Truth {
        Truth { yes: self.yes.meet(&other.yes), no: self.no.meet(&other.no), null: self.null.meet(&other.null) }
    }

    /// The opposite condition.
    #[must_use]
    pub fn not(&self) -> Truth {
        Truth { yes: self.no.clone(), no: self.yes.clone(), null: self.null.clone() }
    }

    /// True where all are.
    pub fn all<'t>(of: impl Iterator<Item = &'t Truth> + Clone) -> Truth {
        let join = |f: fn(&Truth) -> Facts| of.clone().fold(Facts::impossible(), |a, t| a.join(&f(t)));
        let meet = |f: fn(&Truth) -> Facts| of.clone().fold(Facts::none(), |a, t| a.meet(&f(t)));
        Truth {
            yes: meet(|t| t.yes.clone()),
            no: join(|t| t.no.clone()),
            null: meet(Truth::not_false).meet(&join(|t| t.null.clone())),
        }
    }

    /// True where any is.
    pub fn any(of: &[Truth]) -> Truth {
        let swapped: Vec<Truth> = of.iter().map(Truth::not).collect();
        Truth::all(swapped.iter()).not()
    }

    /// What is known where the outcome is one of those in the domain.
    pub fn within(&self, outcomes: &Domain) -> Facts {
        let r = outcomes.ranges();
        let mut facts = Facts::impossible();
        for (is, f) in [(r.contains(1), &self.yes), (r.contains(0), &self.no), (outcomes.null, &self.null)] {
            if is {
                facts = facts.join(f);
            }
        }
        facts
    }
}
