//! Which expressions become columns of which stage (a CTE), and what these are called.
//!
//! An expression that is used more than once, or that the arena forced, is computed once in a stage and named there. Its
//! stage is the first one whose source has everything that it reads, so the number of stages is the longest chain of
//! named expressions. A stage is called after the pipeline steps that it computes.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::dialect::Dialect;
use crate::expr::{Arena, Id, Origin, X};
use crate::literal;

/// A stage.
pub struct Stage {
    /// Its name, quoted.
    pub name: String,
    /// What it computes, by step.
    pub computes: Vec<Id>,
    /// What it passes on from before.
    pub passes: Vec<Id>,
    /// The filters that hold from here on.
    pub filters: Vec<Id>,
    /// Whether its expressions must not be copied into their uses.
    pub fenced: bool,
}

/// The stages of a block, and the name of everything in them.
pub struct Plan {
    pub stages: Vec<Stage>,
    /// The filters of the last SELECT.
    pub filters: Vec<Id>,
    /// The quoted name of each expression that is a column of a stage, by id.
    pub names: Vec<Option<Rc<str>>>,
    /// The same with the columns of the source, as the stages after the first know them.
    pub inner: Vec<Option<Rc<str>>>,
}

/// What passes beside the columns that the stages ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// Every column of the source under its own name.
    Star,
    /// The source's row, or its key; the source's own names come back in the last SELECT.
    Row,
}

/// Stands before the names of columns beside `*`, whose names are not known.
pub const BESIDE_STAR: &str = "flock.";

/// Names that are taken, in the dialect's own sense of equal.
pub struct Names {
    dialect: &'static Dialect,
    taken: HashSet<String>,
}

impl Names {
    pub fn new(dialect: &'static Dialect) -> Names {
        Names { dialect, taken: HashSet::new() }
    }

    /// Marks a name as taken.
    pub fn take(&mut self, name: &str) {
        self.taken.insert(self.dialect.key(name));
    }

    /// A free name like one of these, the first that is free; else the first with a number.
    pub fn free(&mut self, wanted: &[&str]) -> String {
        let most = self.dialect.identifier_bytes.unwrap_or(255).saturating_sub(8);
        let cut: Vec<String> = wanted.iter().map(|w| shortened(w, most)).filter(|w| !w.is_empty()).collect();
        let first = cut.first().cloned().unwrap_or_else(|| "value".into());
        let numbered = (2..).map(|i| format!("{first}_{i}"));
        let mut all = cut.into_iter().chain(std::iter::once(first.clone())).chain(numbered);
        // The chain is endless, so there is a free one.
        let name = all.find(|n| !self.taken.contains(&self.dialect.key(n))).unwrap_or(first);
        self.take(&name);
        name
    }
}

fn shortened(name: &str, most: usize) -> String {
    let mut end = name.len().min(most);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].replace('\0', "")
}

/// Plans the stages that compute `roots` and `filters`. `tables` are the names of stages so far.
pub fn plan(arena: &Arena<'_>, roots: &[Id], filters: &[Id], tables: &mut Names, beside: Beside) -> Plan {
    let n = arena.len();
    let all: Vec<Id> = roots.iter().chain(filters).copied().collect();
    let named = named(arena, &all);
    let (level, reached) = levels(arena, &all, &named);
    let after = |id: Id| level[id.index()] + u32::from(named[id.index()]);
    // A filter is applied as soon as it can be.
    let last = roots.iter().map(|r| after(*r)).chain(filters.iter().map(|f| after(*f))).max().unwrap_or(0);
    let until = needed_until(arena, roots, filters, &named, &level, last);
    let mut stages: Vec<Vec<Id>> = vec![Vec::new(); last as usize];
    for i in (0..n).filter(|i| reached[*i] && named[*i]) {
        stages[level[i] as usize].push(Id(i as u32));
    }
    let mut names: Vec<Option<Rc<str>>> = vec![None; n];
    let mut columns = Names::new(arena.dialect);
    let passed = |id: &Id, stage: u32| {
        until[id.index()] > stage
            && (matches!(arena.x(*id), X::Column(_)) || (named[id.index()] && level[id.index()] < stage))
    };
    let mut inner = names.clone();
    for i in (0..n).filter(|i| reached[*i] && until[*i] > 0) {
        if let X::Column(c) = arena.x(Id(i as u32)) {
            let name = &arena.columns[*c as usize].name;
            let name = match beside {
                Beside::Row => columns.free(&[&format!("{BESIDE_STAR}{name}")]),
                _ => columns.free(&[name]),
            };
            inner[i] = Some(literal::identifier(&name).into());
        }
    }
    let prefix = if beside == Beside::Nothing { "" } else { BESIDE_STAR };
    let mut out = Vec::new();
    for (s, mut computes) in stages.into_iter().enumerate() {
        computes.sort_by_key(|id| (arena.info(*id).step, *id));
        for id in &computes {
            let name = columns.free(&wanted(arena, *id, prefix).iter().map(String::as_str).collect::<Vec<_>>());
            names[id.index()] = Some(literal::identifier(&name).into());
        }
        let passes = (0..n as u32).map(Id).filter(|id| reached[id.index()] && passed(id, s as u32)).collect();
        let here = filters.iter().copied().filter(|f| after(*f) as usize == s).collect();
        let name = literal::identifier(&tables.free(&[&stage_name(arena, &computes), &format!("stage_{}", s + 1)]));
        let fenced = computes.iter().any(|id| costly(arena, *id));
        out.push(Stage { name, computes, passes, filters: here, fenced });
    }
    let filters = filters.iter().copied().filter(|f| after(*f) == last).collect();
    names.iter().zip(&mut inner).filter(|(n, _)| n.is_some()).for_each(|(n, i)| i.clone_from(n));
    Plan { stages: out, filters, names, inner }
}

/// Whether copying the expression into every use would cost.
fn costly(arena: &Arena<'_>, id: Id) -> bool {
    arena.info(id).size > 2 || arena.info(id).forced
}

/// What is cheaper to write again than to name.
fn repeatable(arena: &Arena<'_>, id: Id) -> bool {
    match arena.x(id) {
        X::Column(_) | X::Lit(_) | X::Refused(_) => true,
        X::Cast(_, a) => matches!(arena.x(*a), X::Column(_)),
        X::Bytewise(a) => arena.info(*a).size == 2,
        X::Call("abs", args) => args.iter().all(|a| arena.info(*a).size == 1),
        X::IsNull(a) | X::IsNotNull(a) | X::Neg(a) => arena.info(*a).size == 1,
        _ => false,
    }
}

/// Which expressions are columns of a stage.
fn named(arena: &Arena<'_>, roots: &[Id]) -> Vec<bool> {
    let n = arena.len();
    let mut uses = vec![0u32; n];
    let mut named = vec![false; n];
    roots.iter().for_each(|r| uses[r.index()] += 1);
    let always = unconditional(arena, roots);
    for i in (0..n).rev().filter(|i| !matches!(arena.x(Id(*i as u32)), X::Column(_))) {
        let (id, used) = (Id(i as u32), uses[i]);
        if used == 0 {
            continue;
        }
        // `x = 'AA'` is written again wherever it is asked: it reads better than a column of its own.
        let test = match arena.x(id) {
            X::Op2(op, _, b) => op.compares() && matches!(arena.x(*b), X::Lit(_)),
            X::IsNull(_) | X::IsNotNull(_) => true,
            _ => false,
        };
        let again = test
            || arena.info(id).inline
            || (repeatable(arena, id) && used <= 3)
            || matches!(arena.x(id), X::Lit(_) | X::Refused(_));
        let guarded = arena.info(id).partial && !always[i];
        named[i] = arena.info(id).forced || (used > 1 && !again && !guarded);
        let each = if named[i] { 1 } else { used };
        arena.operands(id, |a, count| uses[a.index()] = uses[a.index()].saturating_add(count.saturating_mul(each)));
    }
    named
}

/// What is computed on every row: not in a CASE alone behind its first condition.
fn unconditional(arena: &Arena<'_>, roots: &[Id]) -> Vec<bool> {
    let mut always = vec![false; arena.len()];
    roots.iter().for_each(|r| always[r.index()] = true);
    for i in (0..arena.len()).rev().filter(|i| arena.info(Id(*i as u32)).forced) {
        always[i] = true;
    }
    for i in (0..arena.len()).rev() {
        if always[i] {
            match arena.x(Id(i as u32)) {
                X::Case(arms, _) => arms.iter().take(1).for_each(|(c, _)| always[c.index()] = true),
                _ => arena.operands(Id(i as u32), |a, _| always[a.index()] = true),
            }
        }
    }
    always
}

/// The stage in which each reached expression is written.
fn levels(arena: &Arena<'_>, roots: &[Id], named: &[bool]) -> (Vec<u32>, Vec<bool>) {
    let n = arena.len();
    let mut reached = vec![false; n];
    roots.iter().for_each(|r| reached[r.index()] = true);
    for i in (0..n).rev() {
        if reached[i] {
            arena.operands(Id(i as u32), |a, _| reached[a.index()] = true);
        }
    }
    let mut level = vec![0u32; n];
    for i in (0..n).filter(|i| reached[*i]) {
        let mut own = 0;
        arena.operands(Id(i as u32), |a, _| own = own.max(level[a.index()] + u32::from(named[a.index()])));
        level[i] = own;
    }
    (level, reached)
}

/// The last stage whose text names each expression.
fn needed_until(arena: &Arena<'_>, roots: &[Id], filters: &[Id], named: &[bool], level: &[u32], last: u32) -> Vec<u32> {
    let mut until = vec![0u32; arena.len()];
    let mut reached = vec![false; arena.len()];
    for r in roots {
        (until[r.index()], reached[r.index()]) = (last, true);
    }
    for f in filters {
        let at = level[f.index()] + u32::from(named[f.index()]);
        until[f.index()] = until[f.index()].max(at);
        reached[f.index()] = true;
    }
    for i in (0..arena.len()).rev() {
        let at = if named[i] { level[i] } else { until[i] };
        if reached[i] {
            arena.operands(Id(i as u32), |a, _| {
                until[a.index()] = until[a.index()].max(at);
                reached[a.index()] = true;
            });
        }
    }
    until
}

/// Names that would suit a column, best first.
fn wanted(arena: &Arena<'_>, id: Id, prefix: &str) -> Vec<String> {
    let info = arena.info(id);
    let step = last_part(&arena.steps[info.step as usize]);
    let base = match (&info.hint, info.origin) {
        (Some(hint), _) => hint.to_string(),
        (None, Origin::Column(c)) => match arena.x(id) {
            // What is no longer the column must not be called like it.
            X::Call(f @ ("abs" | "exp" | "ln" | "sqrt"), _) => format!("{f}_{}", arena.columns[c as usize].name),
            _ => arena.columns[c as usize].name.to_string(),
        },
        (None, _) if !step.is_empty() => step.to_owned(),
        (None, _) => "value".to_owned(),
    };
    let base = format!("{prefix}{base}");
    if step.is_empty() { vec![base] } else { vec![base.clone(), format!("{base}_{step}")] }
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The path that the steps of a stage have in common; else the one that computes most.
fn stage_name(arena: &Arena<'_>, computes: &[Id]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in computes {
        let step: &str = &arena.steps[arena.info(*id).step as usize];
        if !step.is_empty() {
            *counts.entry(step).or_default() += 1;
        }
    }
    let mut common: Option<Vec<&str>> = None;
    for step in counts.keys() {
        let parts: Vec<&str> = step.split('.').collect();
        common = Some(match common {
            None => parts,
            Some(c) => c.iter().zip(&parts).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect(),
        });
    }
    match common {
        Some(parts) if !parts.is_empty() => parts.join("_"),
        Some(_) => counts.iter().max_by_key(|(_, n)| **n).map_or(String::new(), |(s, _)| s.replace('.', "_")),
        None => "input".into(),
    }
}
