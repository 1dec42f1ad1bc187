//! Trees as nested CASE: `CASE WHEN "a" <= 1.5 THEN … ELSE … END`.
//!
//! A missing value is NULL, a test on NULL is not true, so it takes ELSE: where a node sends missing values left, its
//! test is turned round. Subtrees whose leaves are equal are one leaf.
//!
//! A tree deeper than the dialect nests is written as `CASE WHEN … THEN … WHEN … THEN … ELSE … END`, each node of the
//! longer way one WHEN, so that it nests no deeper than the logarithm of its leaves; what is still too deep (more than
//! 2^limit leaves) becomes columns of an earlier stage.

use std::collections::HashMap;

use flock_ir_spec::{Child, TreeEnsemble, TreeNode};

use crate::dialect::Dialect;
use crate::expr::Id;
use crate::literal::{self, Typed};
use crate::print::{Printer, line};
use crate::threshold::{self, Rule};

/// What a feature of an ensemble is in SQL.
#[derive(Clone, Copy, Debug)]
pub enum Feature {
    /// A double, NULL where it is missing; whether it may be, and whether it is rounded to float32 before a test.
    Value { id: Id, missing: bool, rounded: bool },
    /// One of two values, by a condition; not true means the second.
    Pick { condition: Id, yes: f64, no: f64 },
    /// The same on every row.
    Constant(f64),
}

/// A run of so many members and one more is tested for by its ends.
const LONG_RUN: u32 = 16;

/// What one output makes of the nodes.
#[derive(Default)]
struct Summary {
    /// The bits of the value that all leaves below have, if they have one.
    same: Vec<Option<u64>>,
    /// Tests on the longest way down.
    height: Vec<u32>,
    /// Nesting of the flattened form.
    flat: Vec<u32>,
}

struct Piece {
    operands: Box<[(Id, u32)]>,
    nest: u32,
    /// Tests in it.
    size: u32,
    flat: bool,
}

/// An ensemble over features.
pub struct Ensemble<'m> {
    pub trees: &'m TreeEnsemble,
    pub features: Vec<Feature>,
    /// Where each node sends rows.
    ways: Vec<Way>,
    summaries: HashMap<u32, Summary>,
    pieces: HashMap<(u32, u32), Piece>,
    cut: HashMap<(u32, u32), Id>,
    /// Nesting of the flattened form where cuts have lessened it.
    lessened: HashMap<(usize, u32), u32>,
}

/// Where a node sends its rows.
#[derive(Clone, Copy)]
enum Way {
    Left,
    Right,
    Test,
}

impl<'m> Ensemble<'m> {
    pub fn new(trees: &'m TreeEnsemble, features: Vec<Feature>) -> Ensemble<'m> {
        let mut ensemble = Ensemble {
            trees,
            features,
            ways: Vec::new(),
            summaries: HashMap::new(),
            pieces: HashMap::new(),
            cut: HashMap::new(),
            lessened: HashMap::new(),
        };
        ensemble.ways = trees.nodes.iter().map(|n| ensemble.way(n)).collect();
        ensemble
    }

    /// The expressions that a piece reads, with how often.
    pub fn operands(&self, root: u32, output: u32) -> &[(Id, u32)] {
        self.pieces.get(&(root, output)).map_or(&[], |p| &p.operands)
    }

    /// How deep a piece nests.
    pub fn nest(&self, root: u32, output: u32) -> u32 {
        self.pieces.get(&(root, output)).map_or(0, |p| p.nest)
    }

    /// How many tests a piece has.
    pub fn size(&self, root: u32, output: u32) -> u32 {
        self.pieces.get(&(root, output)).map_or(0, |p| p.size)
    }

    /// A subtree is the column of that expression.
    pub fn cut(&mut self, subtree: Child, output: u32, id: Id) {
        self.cut.insert((subtree.bits(), output), id);
    }

    fn rule(&self, node: &TreeNode, rounded: bool) -> Rule {
        if rounded {
            threshold::rounded(node.test, node.threshold)
        } else {
            threshold::exact(node.test, node.threshold)
        }
    }

    /// Whether a known value goes left.
    fn goes_left(&self, node: &TreeNode, value: f64) -> bool {
        let value = if self.trees.input == flock_ir_spec::DType::F32 { f64::from(value as f32) } else { value };
        if value.is_nan() { node.missing_left } else { self.trees.holds(node, value) }
    }

    fn way(&self, node: &TreeNode) -> Way {
        let left = match self.features[node.feature as usize] {
            Feature::Constant(x) => Some(self.goes_left(node, x)),
            Feature::Pick { yes, no, .. } => {
                let (yes, no) = (self.goes_left(node, yes), self.goes_left(node, no));
                (yes == no).then_some(yes)
            }
            // A set without members holds for no row.
            Feature::Value { missing, .. } if node.set().is_some_and(|set| self.trees.sets.runs(set).is_empty()) => {
                (!missing || !node.missing_left).then_some(false)
            }
            Feature::Value { .. } if node.set().is_some() => None,
            Feature::Value { missing, rounded, .. } => match self.rule(node, rounded) {
                Rule::Always if !missing || node.missing_left => Some(true),
                Rule::Never if !missing || !node.missing_left => Some(false),
                _ => None,
            },
        };
        match left {
            Some(true) => Way::Left,
            Some(false) => Way::Right,
            None => Way::Test,
        }
    }

    /// The node or leaf that a child is, past nodes that send every row one way.
    fn resolved(&self, mut child: Child) -> Child {
        while let Some(n) = child.as_node() {
            let node = &self.trees.nodes[n];
            child = match self.ways[n] {
                Way::Left => node.left,
                Way::Right => node.right,
                Way::Test => return child,
            };
        }
        child
    }

    fn leaf_value(&self, leaf: usize, output: u32) -> Option<f64> {
        self.trees.values.get(self.trees.leaves[leaf] as usize + output as usize).copied()
    }

    fn summarise(&mut self, output: u32) {
        if self.summaries.contains_key(&output) {
            return;
        }
        let n = self.trees.nodes.len();
        let mut s = Summary { same: vec![None; n], height: vec![0; n], flat: vec![0; n] };
        for i in (0..n).rev() {
            let node = &self.trees.nodes[i];
            let of = |s: &Summary, child: Child| match (child.as_node(), child.as_leaf()) {
                (Some(c), _) => (s.same[c], s.height[c], s.flat[c]),
                (None, Some(l)) => (self.leaf_value(l, output).map(f64::to_bits), 0, 0),
                (None, None) => (None, 0, 0),
            };
            let (left, right) = (of(&s, node.left), of(&s, node.right));
            (s.same[i], s.height[i], s.flat[i]) = match self.ways[i] {
                Way::Left => left,
                Way::Right => right,
                Way::Test if left.0.is_some() && left.0 == right.0 => left,
                Way::Test => {
                    let flat = if left.2 == right.2 { left.2 + 1 } else { left.2.max(right.2).max(1) };
                    (None, 1 + left.1.max(right.1), flat)
                }
            };
        }
        self.summaries.insert(output, s);
    }

    /// The subtrees that must become columns so that what is left nests at most `limit` deep; inner ones first.
    pub fn cuts(&mut self, root: Child, output: u32, limit: u32) -> Vec<Child> {
        self.summarise(output);
        let summary = &self.summaries[&output];
        if root.as_node().is_none_or(|n| summary.flat[n] <= limit) {
            return Vec::new();
        }
        let mut below = Vec::new();
        let mut stack = vec![root];
        while let Some(n) = stack.pop().and_then(|c| self.resolved(c).as_node()) {
            below.push(n);
            stack.extend(
                [self.trees.nodes[n].left, self.trees.nodes[n].right]
                    .into_iter()
                    .filter(|c| self.resolved(*c).as_node().is_some()),
            );
        }
        below.sort_unstable();
        // Bottom up: a subtree that reaches the limit is cut off and counts as a leaf above.
        let mut nest: HashMap<usize, u32> = HashMap::new();
        let mut cuts = Vec::new();
        for n in below.iter().rev() {
            let of = |c: Child| self.resolved(c).as_node().and_then(|c| nest.get(&c)).copied().unwrap_or(0);
            let (l, r) = (of(self.trees.nodes[*n].left), of(self.trees.nodes[*n].right));
            let own = if l == r { l + 1 } else { l.max(r) };
            let is_root = self.resolved(root).as_node() == Some(*n);
            if own >= limit && !is_root {
                cuts.push(Child::node(*n as u32));
            }
            nest.insert(*n, if own >= limit { 0 } else { own });
        }
        self.lessened.extend(nest.into_iter().map(|(n, nest)| ((n, output), nest)));
        cuts
    }

    /// Notes what a piece reads and how deep it nests.
    pub fn register(&mut self, root: Child, output: u32, limit: u32) {
        if self.pieces.contains_key(&(root.bits(), output)) {
            return;
        }
        self.summarise(output);
        let summary = &self.summaries[&output];
        let (height, flat) = root.as_node().map_or((0, 0), |n| (summary.height[n], summary.flat[n]));
        let mut counts: HashMap<Id, u32> = HashMap::new();
        let mut stack = vec![root];
        let mut first = true;
        let mut size = 0u32;
        while let Some(child) = stack.pop() {
            let child = self.resolved(child);
            if let Some(id) = self.cut.get(&(child.bits(), output)).filter(|_| !first) {
                *counts.entry(*id).or_default() += 1;
                continue;
            }
            first = false;
            let Some(n) = child.as_node().filter(|n| summary.same[*n].is_none()) else { continue };
            size = size.saturating_add(1);
            let node = &self.trees.nodes[n];
            let id = match self.features[node.feature as usize] {
                Feature::Value { id, .. } | Feature::Pick { condition: id, .. } => Some(id),
                Feature::Constant(_) => None,
            };
            id.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
            stack.extend([node.left, node.right]);
        }
        let mut operands: Vec<(Id, u32)> = counts.into_iter().collect();
        operands.sort_unstable();
        let deep = height > limit;
        let nest = if deep { flat.min(limit) } else { height };
        self.pieces.insert((root.bits(), output), Piece { operands: operands.into(), nest, size, flat: deep });
    }
}

/// Writes a piece.
pub fn write(p: &Printer<'_, '_>, out: &mut String, ensemble: u32, root: u32, output: u32, indent: usize) {
    let e = &p.arena.ensembles[ensemble as usize];
    let (Some(summary), Some(piece)) = (e.summaries.get(&output), e.pieces.get(&(root, output))) else { return };
    let w = Writer { p, e, summary, output, root, dialect: p.arena.dialect };
    let Some(child) = w.child(root) else { return };
    if piece.flat { w.flat(out, child, indent) } else { w.nested(out, child, indent) }
}

struct Writer<'a, 'p, 'm> {
    p: &'a Printer<'p, 'm>,
    e: &'a Ensemble<'m>,
    summary: &'a Summary,
    output: u32,
    root: u32,
    dialect: &'static Dialect,
}

impl Writer<'_, '_, '_> {
    fn child(&self, bits: u32) -> Option<Child> {
        let (node, leaf) = (Child::node(bits), Child::leaf(bits));
        [node, leaf].into_iter().find(|c| c.bits() == bits)
    }

    /// The inner node that has to be written, or None after writing what needs no test.
    fn inner(&self, out: &mut String, child: Child) -> Option<usize> {
        let child = self.e.resolved(child);
        if child.bits() != self.root
            && let Some(id) = self.e.cut.get(&(child.bits(), self.output))
        {
            self.p.expr(out, *id, 0, 0);
            return None;
        }
        let value = match (child.as_node(), child.as_leaf()) {
            (Some(n), _) => match self.summary.same[n] {
                Some(bits) => f64::from_bits(bits),
                None => return Some(n),
            },
            (None, Some(l)) => self.e.leaf_value(l, self.output).unwrap_or(f64::NAN),
            (None, None) => f64::NAN,
        };
        literal::float(out, self.dialect, value, Typed::Yes);
        None
    }

    fn is_leaf(&self, child: Child) -> bool {
        let child = self.e.resolved(child);
        self.e.cut.contains_key(&(child.bits(), self.output))
            || child.as_node().is_none_or(|n| self.summary.same[n].is_some())
    }

    fn nested(&self, out: &mut String, child: Child, indent: usize) {
        let Some(n) = self.inner(out, child) else { return };
        let node = &self.e.trees.nodes[n];
        out.push_str("CASE WHEN ");
        let left_first = self.prefers_left(node);
        self.condition(out, node, left_first);
        let (first, second) = if left_first { (node.left, node.right) } else { (node.right, node.left) };
        if self.is_leaf(first) && self.is_leaf(second) {
            out.push_str(" THEN ");
            self.nested(out, first, indent);
            out.push_str(" ELSE ");
            self.nested(out, second, indent);
            out.push_str(" END");
            return;
        }
        line(out, indent + 1);
        out.push_str("THEN ");
        self.nested(out, first, indent + 1);
        line(out, indent + 1);
        out.push_str("ELSE ");
        self.nested(out, second, indent + 1);
        line(out, indent);
        out.push_str("END");
    }

    /// `CASE WHEN … THEN … WHEN … THEN … ELSE … END` along the way that nests deeper.
    fn flat(&self, out: &mut String, child: Child, indent: usize) {
        let Some(mut n) = self.inner(out, child) else { return };
        out.push_str("CASE");
        loop {
            let node = &self.e.trees.nodes[n];
            let nest = |c: Child| {
                let node = self.e.resolved(c).as_node().filter(|_| !self.is_leaf(c));
                node.map_or(0, |n| *self.e.lessened.get(&(n, self.output)).unwrap_or(&self.summary.flat[n]))
            };
            let (l, r) = (nest(node.left), nest(node.right));
            let left_first = l < r || (l == r && self.prefers_left(node));
            let (first, second) = if left_first { (node.left, node.right) } else { (node.right, node.left) };
            line(out, indent + 1);
            out.push_str("WHEN ");
            self.condition(out, node, left_first);
            out.push_str(" THEN ");
            self.flat(out, first, indent + 1);
            let mut leaf = String::new();
            match self.inner(&mut leaf, second) {
                Some(next) => n = next,
                None => {
                    line(out, indent + 1);
                    out.push_str("ELSE ");
                    out.push_str(&leaf);
                    break;
                }
            }
        }
        line(out, indent);
        out.push_str("END");
    }

    /// Which side can be tested for without naming NULL.
    fn prefers_left(&self, node: &TreeNode) -> bool {
        match self.e.features[node.feature as usize] {
            Feature::Pick { yes, .. } => self.e.goes_left(node, yes),
            Feature::Value { missing, .. } => !(missing && node.missing_left),
            Feature::Constant(_) => true,
        }
    }

    /// A condition that is true exactly where the row goes to that side.
    fn condition(&self, out: &mut String, node: &TreeNode, left: bool) {
        match self.e.features[node.feature as usize] {
            Feature::Constant(_) => out.push_str("TRUE"),
            Feature::Pick { condition, yes, .. } if self.e.goes_left(node, yes) == left => {
                self.p.expr(out, condition, 0, 0);
            }
            Feature::Pick { condition, .. } => {
                self.p.expr(out, condition, 9, 0);
                out.push_str(" IS NOT TRUE");
            }
            Feature::Value { id, missing, rounded } if node.set().is_some() => {
                self.member(out, id, node.set().unwrap_or(0), rounded, left);
                if missing && node.missing_left == left {
                    out.push_str(" OR ");
                    self.p.expr(out, id, 9, 0);
                    out.push_str(" IS NULL");
                }
            }
            Feature::Value { id, missing, rounded } => {
                let rule = self.e.rule(node, rounded);
                let rule = if left { rule } else { rule.negated() };
                self.rule(out, id, rule, missing && node.missing_left == left);
            }
        }
    }

    /// Whether a value is in a set, or is not; not true for NULL.
    fn member(&self, out: &mut String, id: Id, set: usize, rounded: bool, inside: bool) {
        let x = |out: &mut String| self.p.expr(out, id, 5, 0);
        let bound = |out: &mut String, symbol: &str, value: f64| {
            x(out);
            out.push_str(symbol);
            literal::float(out, self.dialect, value, Typed::No);
        };
        let runs = self.e.trees.sets.runs(set);
        if runs.is_empty() {
            // Boosting over histograms parts NaN from all categories by a set without members.
            if inside {
                out.push_str("0 = 1");
            } else {
                x(out);
                out.push_str(" IS NOT NULL");
            }
            return;
        }
        let (long, short): (Vec<[u32; 2]>, Vec<[u32; 2]>) =
            runs.iter().partition(|[first, last]| !rounded && last - first > LONG_RUN);
        let members = || short.iter().flat_map(|[first, last]| *first..=*last).map(f64::from);
        if !inside {
            out.push_str("NOT (");
        }
        let mut or = "";
        let mut next = |out: &mut String| out.push_str(std::mem::replace(&mut or, " OR "));
        if rounded {
            for m in members() {
                next(out);
                match threshold::rounded(flock_ir_spec::Test::Eq, m) {
                    Rule::Within(low, high) => {
                        bound(out, " > ", low);
                        out.push_str(" AND ");
                        bound(out, " <= ", high);
                    }
                    // An integer that is no float32 equals none.
                    _ => {
                        bound(out, " > ", m);
                        out.push_str(" AND ");
                        bound(out, " < ", m);
                    }
                }
            }
        } else if !short.is_empty() {
            next(out);
            x(out);
            for (i, m) in members().enumerate() {
                out.push_str(if i == 0 { " IN (" } else { ", " });
                literal::float(out, self.dialect, m, Typed::No);
            }
            out.push(')');
            if self.dialect.zeros_differ && members().next() == Some(0.0) {
                next(out);
                bound(out, " = ", 0.0);
            }
        }
        for [first, last] in long {
            next(out);
            bound(out, " >= ", f64::from(first));
            out.push_str(" AND ");
            bound(out, " <= ", f64::from(last));
            out.push_str(" AND ");
            x(out);
            out.push_str(" = floor(");
            self.p.expr(out, id, 0, 0);
            out.push(')');
        }
        if !inside {
            out.push(')');
        }
    }

    fn rule(&self, out: &mut String, id: Id, rule: Rule, or_missing: bool) {
        let bound = |out: &mut String, symbol: &str, x: f64| {
            self.p.expr(out, id, 5, 0);
            out.push_str(symbol);
            literal::float(out, self.dialect, x, Typed::No);
        };
        let symbol = |t: flock_ir_spec::Test| match t {
            flock_ir_spec::Test::Le => " <= ",
            flock_ir_spec::Test::Lt => " < ",
            flock_ir_spec::Test::Ge => " >= ",
            flock_ir_spec::Test::Gt => " > ",
            flock_ir_spec::Test::Eq => " = ",
            flock_ir_spec::Test::Ne => " <> ",
            // Written by its set.
            flock_ir_spec::Test::In => " = ",
        };
        match rule {
            Rule::Always => {
                self.p.expr(out, id, 9, 0);
                out.push_str(" IS NOT NULL");
            }
            // Never: only what is missing, which is added below.
            Rule::Never => {}
            Rule::Cmp(test, x) => bound(out, symbol(test), x),
            Rule::Within(low, high) => {
                bound(out, " > ", low);
                out.push_str(" AND ");
                bound(out, " <= ", high);
            }
            Rule::Outside(low, high) => {
                bound(out, " <= ", low);
                out.push_str(" OR ");
                bound(out, " > ", high);
            }
        }
        if or_missing {
            if rule != Rule::Never {
                out.push_str(" OR ");
            }
            self.p.expr(out, id, 9, 0);
            out.push_str(" IS NULL");
        }
    }
}

/// The estimated time of an ensemble in nanoseconds per row: measured per tree for 8, 31 and 64 leaves, between and
/// beyond them in proportion to the logarithm of the leaves.
pub fn nanoseconds(trees: &TreeEnsemble, dialect: &Dialect) -> f64 {
    let count = trees.trees.len().max(1) as f64;
    let leaves = (trees.nodes.len() as f64 + count) / count;
    let [at8, at31, at64] = dialect.case_ns;
    let between =
        |x: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)| y0 + (y1 - y0) * (x.ln() - x0.ln()) / (x1.ln() - x0.ln());
    let one = match leaves {
        l if l <= 8.0 => at8 * l.log2().max(0.5) / 3.0,
        l if l <= 31.0 => between(l, (8.0, at8), (31.0, at31)),
        l => between(l, (31.0, at31), (64.0, at64)),
    };
    let outputs = if trees.trees.iter().all(|t| t.target.is_some()) { 1.0 } else { f64::from(trees.outputs) };
    one * count * outputs
}
