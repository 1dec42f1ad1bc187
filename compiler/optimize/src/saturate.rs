//! The loop: rules in order, rebuilt after each, bounded by nodes and iterations and never by the clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use egg::{ENodeOrVar, Id, Language, Pattern, Searcher, Subst};

use flock_ir_spec::Op;

use crate::analysis::add_like;
use crate::choose::Cheapest;
use crate::language::{Egraph, Enode, Root};
use crate::rules::{self, Action, Rule};

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No rule has anything to add.
    Saturated,
    /// The limit of nodes.
    Nodes,
    /// The limit of iterations.
    Iterations,
}

/// What the loop did.
#[derive(Clone, Debug)]
pub struct Run {
    /// Per rule that fired how often.
    pub fired: BTreeMap<&'static str, usize>,
    /// Passes over the rules.
    pub iterations: usize,
    /// How it ended.
    pub stop: Stop,
}

/// A rule with its patterns read.
struct Ready {
    rule: &'static Rule,
    from: Option<Pattern<Enode>>,
    to: Option<Pattern<Enode>>,
    /// What it has been applied to: classes of variables and root, or a node.
    done: HashSet<(Vec<Id>, Option<Enode>)>,
}

impl Ready {
    fn new(rule: &'static Rule) -> Ready {
        let (from, to) = match &rule.action {
            Action::Rewrite { from, to, .. } => (rules::pattern(from), rules::pattern(to)),
            Action::Fold { from, .. } => (rules::pattern(from), None),
            _ => (None, None),
        };
        Ready { rule, from, to, done: HashSet::new() }
    }

    fn in_context(&self) -> bool {
        matches!(self.rule.action, Action::Context { .. })
    }
}

/// Runs the rules that are not disabled until nothing changes or a limit is reached.
pub fn saturate(g: &mut Egraph<'_>, disabled: &BTreeSet<String>) -> Run {
    let mut ready: Vec<Ready> = rules::all().filter(|r| !disabled.contains(r.name)).map(Ready::new).collect();
    let mut run = Run { fired: BTreeMap::new(), iterations: 0, stop: Stop::Iterations };
    while run.iterations < g.analysis.limits.iterations {
        run.iterations += 1;
        let plain = pass(g, &mut ready, &mut run, false);
        // Context rules prune a chosen representation: it should be the simplest that the others can find.
        if !plain && !pass(g, &mut ready, &mut run, true) {
            run.stop = Stop::Saturated;
            break;
        }
        if full(g) {
            run.stop = Stop::Nodes;
            break;
        }
    }
    run
}

fn full(g: &Egraph<'_>) -> bool {
    g.total_size() > g.analysis.size_before + g.analysis.limits.nodes
}

/// Inlines every call, those within what is inlined among them; false where that is too much.
pub fn inline(g: &mut Egraph<'_>) -> bool {
    loop {
        let mut fired = false;
        for rule in rules::inlining() {
            g.analysis.rule = rule.name;
            g.analysis.size_before = g.analysis.limits.inlined;
            fired |= apply(g, &mut Ready::new(rule)) > 0;
            g.rebuild();
        }
        g.analysis.size_before = g.total_size();
        if !fired || g.total_size() > g.analysis.limits.inlined {
            return !fired;
        }
    }
}

fn pass(g: &mut Egraph<'_>, ready: &mut [Ready], run: &mut Run, context: bool) -> bool {
    let mut changed = false;
    for r in ready.iter_mut().filter(|r| r.in_context() == context) {
        g.analysis.rule = r.rule.name;
        let fired = apply(g, r);
        if !g.clean {
            g.rebuild();
        }
        g.analysis.rule = "congruence";
        if fired > 0 {
            *run.fired.entry(r.rule.name).or_default() += fired;
            changed = true;
        }
    }
    changed
}

fn apply(g: &mut Egraph<'_>, r: &mut Ready) -> usize {
    match &r.rule.action {
        Action::Rewrite { .. } | Action::Fold { .. } => apply_pattern(g, r),
        Action::Node { on, with } => {
            let found = nodes(g, |root| on.matches(root));
            apply_nodes(g, r, found, |g, _, node| with(g, node))
        }
        Action::Context { on, with } => {
            let found = nodes(g, |root| on.matches(root));
            if found.is_empty() {
                return 0;
            }
            let best = Cheapest::of(g);
            apply_nodes(g, r, found, |g, class, node| with(g, &best, class, node))
        }
    }
}

fn nodes(g: &Egraph<'_>, wanted: impl Fn(Root) -> bool) -> Vec<(Id, Enode)> {
    let of = |c: &'_ egg::EClass<Enode, _>| -> Vec<(Id, Enode)> {
        c.nodes.iter().filter(|n| wanted(n.root())).map(|n| (c.id, n.clone())).collect()
    };
    g.classes().flat_map(of).collect()
}

/// Makes a class equal to what a rule found, if that is a new equality of things of one shape.
fn equate(g: &mut Egraph<'_>, class: Id, new: Id) -> bool {
    let shape = |id: Id| g[id].data.frame().map(|t| (t.dtype, t.width));
    let columns = |id: Id| g[id].data.columns.as_ref().map(|c| c.iter().map(|c| c.id).collect::<Vec<_>>());
    shape(class) == shape(new) && columns(class) == columns(new) && g.union(class, new)
}

fn apply_nodes(
    g: &mut Egraph<'_>,
    r: &mut Ready,
    found: Vec<(Id, Enode)>,
    with: impl Fn(&mut Egraph<'_>, Id, &Enode) -> Option<Id>,
) -> usize {
    let mut fired = 0;
    for (class, node) in found {
        let key = (vec![], Some(node.map_children(|c| g.find(c))));
        if full(g) || r.done.contains(&key) {
            continue;
        }
        let Some(node) = &key.1 else { continue };
        let found = with(g, class, node);
        if let Some(new) = found {
            fired += usize::from(equate(g, class, new));
        }
        if once(r.rule, node, found.is_some()) {
            r.done.insert(key);
        }
    }
    fired
}

/// Whether a rule need not look at a node again: it has found something, or looks at nothing that changes. What context
/// rules find depends on facts, which grow: those remember the facts themselves.
fn once(rule: &Rule, node: &Enode, found: bool) -> bool {
    match (&rule.action, node.root()) {
        (Action::Context { .. }, Root::Frame(Op::Trees | Op::Linear)) => true,
        (Action::Context { .. }, Root::Frame(_)) => false,
        (Action::Context { .. }, _) => found && rule.name != "relation-context",
        _ => found,
    }
}

fn apply_pattern(g: &mut Egraph<'_>, r: &mut Ready) -> usize {
    let Some(from) = &r.from else { return 0 };
    let matches: Vec<(Id, Vec<Subst>)> = from.search(g).into_iter().map(|m| (m.eclass, m.substs)).collect();
    let mut fired = 0;
    for (class, substs) in matches {
        for subst in substs {
            if full(g) {
                return fired;
            }
            fired += usize::from(apply_match(g, r, class, &subst).unwrap_or(false));
        }
    }
    fired
}

fn apply_match(g: &mut Egraph<'_>, r: &mut Ready, class: Id, subst: &Subst) -> Option<bool> {
    let new = match &r.rule.action {
        Action::Rewrite { when, .. } => {
            for c in *when {
                let vars = rules::bound(subst, c.vars)?;
                if !(c.holds)(g, &vars) {
                    return None;
                }
            }
            instantiate(g, r.to.as_ref()?, subst)?
        }
        Action::Fold { vars, with, .. } => {
            let vars = rules::bound(subst, vars)?;
            let mut key: Vec<Id> = vars.iter().map(|v| g.find(*v)).collect();
            key.push(g.find(class));
            if r.done.contains(&(key.clone(), None)) {
                return None;
            }
            let new = with(g, &vars)?;
            r.done.insert((key, None));
            new
        }
        _ => return None,
    };
    Some(equate(g, class, new))
}

/// The right side of a rewrite.
fn instantiate(g: &mut Egraph<'_>, to: &Pattern<Enode>, subst: &Subst) -> Option<Id> {
    let mut ids: HashMap<usize, Id> = HashMap::new();
    let ast = to.ast.as_ref();
    for (i, node) in ast.iter().enumerate() {
        let id = match node {
            ENodeOrVar::Var(v) => *subst.get(*v)?,
            ENodeOrVar::ENode(n) => {
                let args: Option<Vec<Id>> = n.children().iter().map(|c| ids.get(&usize::from(*c)).copied()).collect();
                add_like(g, n, &args?)?
            }
        };
        ids.insert(i, id);
    }
    ids.get(&ast.len().checked_sub(1)?).copied()
}
