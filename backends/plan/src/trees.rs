//! What ensembles as code share, whoever writes it.

use flock_ir_spec::{Child, Test, Tree, TreeEnsemble};

/// Nodes up to which all of a tree is computed and one leaf chosen: of more, the registers cannot hold what is open.
pub const CHOSEN: usize = 15;
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
