//! Ensembles where something is known of their features.

use flock_ir_spec::{CategorySets, Child, DType, Test, Tree, TreeEnsemble, TreeNode};

use crate::domain::{Domain, Ranges, key};

/// Members of a set that are looked at one by one.
const MOST_MEMBERS: u64 = 128;

/// What a feature may be at a place of a tree. One range is the rule and needs no memory of its own.
#[derive(Clone)]
struct Known {
    range: Range,
    nan: bool,
}

#[derive(Clone)]
enum Range {
    One(i64, i64),
    Many(Ranges),
}

/// The keys up to the number are on one side of a node, the left one if so, the others on the other; None where the test does not
/// go by order.
fn cut(node: &TreeNode) -> Option<(i64, bool)> {
    let k = key(node.threshold);
    match node.test {
        Test::Le => Some((k, true)),
        Test::Lt => Some((k - 1, true)),
        Test::Gt => Some((k, false)),
        Test::Ge => Some((k - 1, false)),
        Test::Eq | Test::Ne | Test::In => None,
    }
}

impl Known {
    fn of(d: &Domain) -> Known {
        let ranges = d.ranges();
        let range = if let [(lo, hi)] = *ranges.pieces() { Range::One(lo, hi) } else { Range::Many(ranges) };
        Known { range, nan: d.nan }
    }

    fn is_empty(&self) -> bool {
        !self.nan
            && match &self.range {
                Range::One(lo, hi) => lo > hi,
                Range::Many(r) => r.is_empty(),
            }
    }

    /// To the left and to the right of a node.
    fn split(&self, node: &TreeNode, sets: &CategorySets) -> (Known, Known) {
        let Some((cut, left_below)) = cut(node) else {
            return match node.test {
                Test::In => self.split_by_set(node, sets, node.threshold as usize),
                _ => self.split_off(node, key(node.threshold)),
            };
        };
        let (below, above) = match &self.range {
            Range::One(lo, hi) => (Range::One(*lo, cut.min(*hi)), Range::One((cut + 1).max(*lo), *hi)),
            Range::Many(r) => {
                let (below, above) = (Ranges::one(i64::MIN, cut), Ranges::one(cut + 1, i64::MAX));
                (Range::Many(r.meet(&below)), Range::Many(r.meet(&above)))
            }
        };
        let (left, right) = if left_below { (below, above) } else { (above, below) };
        self.sides(node, left, right)
    }

    fn ranges(&self) -> Ranges {
        match &self.range {
            Range::One(lo, hi) => Ranges::one(*lo, *hi),
            Range::Many(r) => r.clone(),
        }
    }

    /// Members are points among the floats. Where they are too many to tell apart, the left side lies within the runs, and
    /// of the right side nothing new is known.
    fn split_by_set(&self, node: &TreeNode, sets: &CategorySets, set: usize) -> (Known, Known) {
        let (all, point) = (self.ranges(), |m: u32| key(f64::from(m)));
        if sets.size(set) > MOST_MEMBERS {
            let runs = sets.runs(set).iter().map(|[first, last]| (point(*first), point(*last))).collect();
            return self.sides(node, Range::Many(all.meet(&Ranges::new(runs))), Range::Many(all));
        }
        let points = Ranges::new(sets.members(set).map(|m| (point(m), point(m))).collect());
        self.sides(node, Range::Many(all.meet(&points)), Range::Many(all.minus(&points)))
    }

    fn split_off(&self, node: &TreeNode, k: i64) -> (Known, Known) {
        let all = self.ranges();
        let point = Ranges::one(k, k);
        let (inside, outside) = (Range::Many(all.meet(&point)), Range::Many(all.minus(&point)));
        if node.test == Test::Eq { self.sides(node, inside, outside) } else { self.sides(node, outside, inside) }
    }

    fn sides(&self, node: &TreeNode, left: Range, right: Range) -> (Known, Known) {
        let side = |range, missing: bool| Known { range, nan: self.nan && missing };
        (side(left, node.missing_left), side(right, !node.missing_left))
    }
}

/// Copies what can be reached into a new ensemble.
struct Pruner<'t> {
    old: &'t TreeEnsemble,
    new: TreeEnsemble,
    known: Vec<Known>,
    visits: usize,
}

/// A place in the walk: look at a child and put the result there, or leave a narrowed feature.
enum Work {
    Visit(Child, Slot, usize),
    Restore(u32, Known),
}

/// Where a child is written.
#[derive(Clone, Copy)]
enum Slot {
    Root(usize),
    Left(usize),
    Right(usize),
}

impl Pruner<'_> {
    /// A copy of a leaf.
    fn leaf(&mut self, leaf: usize, len: usize) -> Child {
        let (old, new) = (self.old, &mut self.new);
        let start = old.leaves[leaf] as usize;
        new.leaves.push(new.values.len() as u32);
        new.values.extend_from_slice(&old.values[start..start + len]);
        Child::leaf(new.leaves.len() as u32 - 1)
    }

    fn put(&mut self, slot: Slot, child: Child) {
        match slot {
            Slot::Root(t) => self.new.trees[t].root = child,
            Slot::Left(n) => self.new.nodes[n].left = child,
            Slot::Right(n) => self.new.nodes[n].right = child,
        }
    }

    /// Walks one tree. None where it visits more nodes than there are: subtrees are shared, and copies could explode.
    fn tree(&mut self, index: usize, tree: &Tree) -> Option<()> {
        let len = if tree.target.is_some() { 1 } else { self.old.outputs as usize };
        self.new.trees.push(*tree);
        let mut work = vec![Work::Visit(tree.root, Slot::Root(index), len)];
        while let Some(next) = work.pop() {
            let (child, slot, len) = match next {
                Work::Restore(feature, known) => {
                    self.known[feature as usize] = known;
                    continue;
                }
                Work::Visit(child, slot, len) => (child, slot, len),
            };
            let Some(n) = child.as_node() else {
                let leaf = self.leaf(child.as_leaf()?, len);
                self.put(slot, leaf);
                continue;
            };
            self.visits += 1;
            if self.visits > self.old.nodes.len() {
                return None;
            }
            let node = self.old.nodes[n];
            let before = self.known[node.feature as usize].clone();
            let (left, right) = before.split(&node, &self.old.sets);
            let go = |work: &mut Vec<Work>, child: Child, known: Known, slot: Slot| {
                work.push(Work::Restore(node.feature, before.clone()));
                work.push(Work::Visit(child, slot, len));
                work.push(Work::Restore(node.feature, known));
            };
            match (left.is_empty(), right.is_empty()) {
                (false, true) => go(&mut work, node.left, left, slot),
                (true, false) => go(&mut work, node.right, right, slot),
                // Nothing reaches a node that nothing can leave: either side will do.
                (true, true) => work.push(Work::Visit(node.left, slot, len)),
                (false, false) => {
                    let here = self.new.nodes.len();
                    self.new.nodes.push(node);
                    self.put(slot, Child::node(here as u32));
                    go(&mut work, node.right, right, Slot::Right(here));
                    go(&mut work, node.left, left, Slot::Left(here));
                }
            }
        }
        Some(())
    }
}

/// One range, or that and NaN.
#[derive(Clone, Copy)]
struct Span {
    lo: i64,
    hi: i64,
    nan: bool,
}

impl Span {
    fn is_empty(self) -> bool {
        self.lo > self.hi && !self.nan
    }
}

/// Whether it is plain that [`prune`] finds nothing: each node is met once with something on either side and no two
/// equal leaves below, and no tree is a leaf. Looks at comparisons of features of one range alone, and copies nothing.
fn is_all_reached(t: &TreeEnsemble, features: &[Domain]) -> bool {
    let span = |d: &Domain| match *d.ranges().pieces() {
        [(lo, hi)] => Some(Span { lo, hi, nan: d.nan }),
        _ => None,
    };
    let Some(mut known) = features.iter().map(span).collect::<Option<Vec<Span>>>() else { return false };
    let leaf = |c: Child, len: usize| {
        let start = t.leaves[c.as_leaf()?] as usize;
        Some(t.values[start..start + len].iter().map(|v| v.to_bits()))
    };
    let mut met = 0;
    // What a feature becomes, and what is looked at then.
    let mut open: Vec<(u32, Span, Option<Child>)> = Vec::new();
    for tree in &t.trees {
        let len = if tree.target.is_some() { 1 } else { t.outputs as usize };
        let mut at = tree.root.as_node();
        if at.is_none() {
            return false;
        }
        loop {
            let Some(n) = at else {
                let Some((feature, span, next)) = open.pop() else { break };
                known[feature as usize] = span;
                at = next.and_then(Child::as_node);
                continue;
            };
            let node = &t.nodes[n];
            met += 1;
            let before = known[node.feature as usize];
            let Some((cut, left_below)) = cut(node) else { return false };
            let below = (before.lo, cut.min(before.hi));
            let above = ((cut + 1).max(before.lo), before.hi);
            let (left, right) = if left_below { (below, above) } else { (above, below) };
            let side = |(lo, hi), missing: bool| Span { lo, hi, nan: before.nan && missing };
            let (left, right) = (side(left, node.missing_left), side(right, !node.missing_left));
            let equal = || match (leaf(node.left, len), leaf(node.right, len)) {
                (Some(a), Some(b)) => a.eq(b),
                _ => false,
            };
            if met > t.nodes.len() || left.is_empty() || right.is_empty() || equal() {
                return false;
            }
            open.push((node.feature, before, None));
            if node.right.as_node().is_some() {
                open.push((node.feature, right, Some(node.right)));
            }
            known[node.feature as usize] = left;
            at = node.left.as_node();
        }
    }
    met == t.nodes.len()
}

/// The ensemble without what rows of these features (after rounding) cannot reach; None where all can be reached.
pub fn prune(t: &TreeEnsemble, features: &[Domain]) -> Option<TreeEnsemble> {
    if is_all_reached(t, features) {
        return None;
    }
    let new = TreeEnsemble {
        features: t.features,
        outputs: t.outputs,
        input: t.input,
        sum: t.sum,
        base: t.base.clone(),
        trees: Vec::with_capacity(t.trees.len()),
        nodes: Vec::new(),
        leaves: Vec::new(),
        values: Vec::new(),
        sets: t.sets.clone(),
    };
    let mut pruner = Pruner { old: t, new, known: features.iter().map(Known::of).collect(), visits: 0 };
    for (i, tree) in t.trees.iter().enumerate() {
        pruner.tree(i, tree)?;
    }
    let mut new = pruner.new;
    merge_equal_leaves(&mut new);
    fold_leading_leaves(&mut new);
    (new.nodes.len() < t.nodes.len() || new.trees.len() < t.trees.len()).then_some(new)
}

/// A node both sides of which give the same bits is not needed.
fn merge_equal_leaves(t: &mut TreeEnsemble) {
    let mut wide = vec![false; t.nodes.len()];
    t.trees.iter().filter(|t| t.target.is_none()).filter_map(|t| t.root.as_node()).for_each(|n| wide[n] = true);
    for i in 0..t.nodes.len() {
        let children = [t.nodes[i].left, t.nodes[i].right];
        children.into_iter().filter_map(Child::as_node).for_each(|c| wide[c] |= wide[i]);
    }
    let mut becomes: Vec<Child> = (0..t.nodes.len() as u32).map(Child::node).collect();
    let resolve = |becomes: &[Child], c: Child| c.as_node().map_or(c, |n| becomes[n]);
    for i in (0..t.nodes.len()).rev() {
        let (left, right) = (resolve(&becomes, t.nodes[i].left), resolve(&becomes, t.nodes[i].right));
        (t.nodes[i].left, t.nodes[i].right) = (left, right);
        let len = if wide[i] { t.outputs as usize } else { 1 };
        let bits = |leaf: usize| t.values[t.leaves[leaf] as usize..][..len].iter().map(|v| v.to_bits());
        if let (Some(a), Some(b)) = (left.as_leaf(), right.as_leaf())
            && bits(a).eq(bits(b))
        {
            becomes[i] = left;
        }
    }
    let mut index = vec![0u32; t.nodes.len()];
    let mut nodes = Vec::with_capacity(t.nodes.len());
    // A node is kept where it stands for itself and its parent is kept; parents come first.
    let mut kept = vec![false; t.nodes.len()];
    for tree in &mut t.trees {
        tree.root = resolve(&becomes, tree.root);
        tree.root.as_node().into_iter().for_each(|n| kept[n] = true);
    }
    for i in 0..t.nodes.len() {
        if kept[i] {
            index[i] = nodes.len() as u32;
            nodes.push(t.nodes[i]);
            [t.nodes[i].left, t.nodes[i].right].into_iter().filter_map(Child::as_node).for_each(|c| kept[c] = true);
        }
    }
    let renumber = |c: Child| c.as_node().map_or(c, |n| Child::node(index[n]));
    nodes.iter_mut().for_each(|n| (n.left, n.right) = (renumber(n.left), renumber(n.right)));
    t.trees.iter_mut().for_each(|tree| tree.root = renumber(tree.root));
    t.nodes = nodes;
}

/// Trees that are leaves before any other tree of their outputs are part of the base: the sums keep their order.
fn fold_leading_leaves(t: &mut TreeEnsemble) {
    let mut open = vec![true; t.outputs as usize];
    let mut kept = Vec::with_capacity(t.trees.len());
    let single = t.sum == DType::F32;
    let add = |a: f64, b: f64| if single { f64::from(a as f32 + b as f32) } else { a + b };
    for tree in std::mem::take(&mut t.trees) {
        let outputs = tree.target.map_or(0..t.outputs as usize, |o| o as usize..o as usize + 1);
        match tree.root.as_leaf() {
            Some(leaf) if outputs.clone().all(|o| open[o]) => {
                let values = t.values(&tree, leaf).to_vec();
                outputs.zip(values).for_each(|(o, v)| t.base[o] = add(t.base[o], v));
            }
            _ => {
                outputs.for_each(|o| open[o] = false);
                kept.push(tree);
            }
        }
    }
    t.trees = kept;
}

/// The features that some node tests, sorted.
pub fn used_features(t: &TreeEnsemble) -> Vec<u32> {
    let mut used = vec![false; t.features as usize];
    t.nodes.iter().for_each(|n| used[n.feature as usize] = true);
    (0..t.features).zip(used).filter_map(|(f, used)| used.then_some(f)).collect()
}

/// The same over a frame of these features only.
pub fn narrowed(t: &TreeEnsemble, used: &[u32]) -> TreeEnsemble {
    let mut new = t.clone();
    new.features = used.len() as u32;
    let mut places = vec![0; t.features as usize];
    used.iter().zip(0..).for_each(|(f, place)| places[*f as usize] = place);
    for node in &mut new.nodes {
        node.feature = places[node.feature as usize];
    }
    new
}

/// Some outputs of an ensemble, each once; None where trees of one output stand beside trees of all.
pub fn outputs(t: &TreeEnsemble, columns: &[u32]) -> Option<TreeEnsemble> {
    let place = |o: u32| columns.iter().position(|c| *c == o).map(|p| p as u32);
    let mut new = t.clone();
    new.outputs = columns.len() as u32;
    new.base = columns.iter().map(|c| t.base[*c as usize]).collect();
    if t.trees.iter().all(|tree| tree.target.is_some()) {
        new.trees.retain_mut(|tree| {
            tree.target = tree.target.and_then(place);
            tree.target.is_some()
        });
        return Some(new);
    }
    if t.trees.iter().any(|tree| tree.target.is_some()) {
        return None;
    }
    let kept = |start: &u32| columns.iter().map(|c| t.values[(*start + *c) as usize]).collect::<Vec<_>>();
    new.values = t.leaves.iter().flat_map(kept).collect();
    new.leaves = (0..t.leaves.len() as u32).map(|i| i * new.outputs).collect();
    Some(new)
}
