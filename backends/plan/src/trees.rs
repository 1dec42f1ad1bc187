//! What ensembles as code share, whoever writes it.

use std::ops::Range;

use flock_ir_spec::{Child, Test, Tree, TreeEnsemble};

/// Nodes up to which all of a tree is computed and one leaf chosen: of more, the registers cannot hold what is open.
pub(crate) const CHOSEN: usize = 15;
/// Nodes of one function: the time to compile one grows faster than its length.
const PER_FUNCTION: usize = 512;

/// The functions of an ensemble as code, in order: the trees of each, and whether they are small enough to be computed whole. An
/// ensemble without any tree is one function too, of the base alone.
pub fn functions(t: &TreeEnsemble) -> Vec<(Range<usize>, bool)> {
    let sizes: Vec<usize> = t.trees.iter().map(|tree| reachable(t, tree).len()).collect();
    let mut functions: Vec<(Range<usize>, bool)> = Vec::new();
    let mut nodes = 0;
    for (i, n) in sizes.iter().enumerate() {
        let small = *n <= CHOSEN;
        nodes += n + 1;
        match functions.last_mut() {
            Some((range, kind)) if *kind == small && nodes <= PER_FUNCTION => range.end = i + 1,
            _ => {
                nodes = n + 1;
                functions.push((i..i + 1, small));
            }
        }
    }
    if functions.is_empty() {
        functions.push((0..0, true));
    }
    functions
}

/// The nodes of a tree, ascending: children come after their parents, and a node has one parent.
pub fn reachable(t: &TreeEnsemble, tree: &Tree) -> Vec<usize> {
    let mut all: Vec<usize> = tree.root.as_node().into_iter().collect();
    let mut next = 0;
    while let Some(n) = all.get(next) {
        next += 1;
        let node = &t.nodes[*n];
        all.extend([node.left, node.right].into_iter().filter_map(Child::as_node));
    }
    all.sort_unstable();
    all
}

/// The test of an f32 that says the same as the test in f64: against the greatest f32 that is not above the threshold.
/// A threshold that is no f32 is equal to none; NaN says so.
pub fn narrow(test: Test, threshold: f64) -> (Test, f32) {
    let near = threshold as f32;
    if f64::from(near) == threshold {
        return (test, near);
    }
    let below = if f64::from(near) > threshold { near.next_down() } else { near };
    match test {
        Test::Le | Test::Lt => (Test::Le, below),
        Test::Gt | Test::Ge => (Test::Gt, below),
        Test::Eq | Test::Ne | Test::In => (test, f32::NAN),
    }
}
