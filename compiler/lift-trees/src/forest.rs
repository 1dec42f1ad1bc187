//! The trees of a model as one ensemble, whatever the order in which a library numbers its nodes.

use flock_ir_spec::{CategorySets, Child, DType, Test, Tree, TreeEnsemble, TreeNode};

use crate::derived::Placed;

/// What stands at a place of a library's tree that is no leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    /// Column of the frame that is tested.
    pub feature: u32,
    /// The test; rows for which it holds go left.
    pub test: Test,
    /// What the column is compared with; the index of its set for [`Test::In`].
    pub threshold: f64,
    /// Where NaN goes.
    pub missing_left: bool,
    /// The place of the left child.
    pub left: usize,
    /// The place of the right child.
    pub right: usize,
}

/// Collects trees.
pub(crate) struct Forest {
    ensemble: TreeEnsemble,
}

/// Where a child is noted once it is known: the root, or a side of a node.
enum Slot {
    Root,
    Left(usize),
    Right(usize),
}

impl Forest {
    /// No trees yet. `base` has the number that each output starts from; `input` is what features are rounded to before
    /// they are compared, `sum` what additions round to.
    pub fn new(base: Vec<f64>, input: DType, sum: DType) -> Forest {
        let ensemble = TreeEnsemble {
            features: 0,
            outputs: base.len() as u32,
            input,
            sum,
            base,
            trees: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
            values: Vec::new(),
            sets: CategorySets::default(),
        };
        Forest { ensemble }
    }

    /// Adds the tree that is reached from `root`. `at` says what stands at a place below `places`: a split, or a leaf, for
    /// which it appends the values (one for a target, one per output without); a split may add a set. A place is asked for once; one that is
    /// reached twice is a fault. Nodes and leaves are numbered from left to right as they are met from above.
    pub fn tree(
        &mut self,
        root: usize,
        places: usize,
        target: Option<u32>,
        mut at: impl FnMut(usize, &mut Vec<f64>, &mut CategorySets) -> Result<Option<Split>, String>,
    ) -> Result<(), String> {
        const MAX: usize = 1 << 31;
        let e = &mut self.ensemble;
        if e.nodes.len() + places >= MAX || e.leaves.len() + places >= MAX {
            return Err("more than 2^31 nodes".into());
        }
        let mut seen = vec![false; places];
        let mut open = vec![(root, Slot::Root)];
        let mut first = Child::leaf(0);
        while let Some((place, slot)) = open.pop() {
            match seen.get_mut(place) {
                None => return Err(format!("node {place} of {places} is pointed to")),
                Some(true) => return Err(format!("node {place} is reached twice")),
                Some(seen) => *seen = true,
            }
            let start = u32::try_from(e.values.len()).map_err(|_| "more than 2^32 leaf values")?;
            let child = match at(place, &mut e.values, &mut e.sets)? {
                None => {
                    e.leaves.push(start);
                    Child::leaf(e.leaves.len() as u32 - 1)
                }
                Some(split) => {
                    let index = e.nodes.len();
                    let Split { feature, test, threshold, missing_left, left, right } = split;
                    let (unknown, none) = (Child::leaf(0), Child::leaf(0));
                    e.nodes.push(TreeNode { feature, test, missing_left, threshold, left: unknown, right: none });
                    open.push((right, Slot::Right(index)));
                    open.push((left, Slot::Left(index)));
                    Child::node(index as u32)
                }
            };
            match slot {
                Slot::Root => first = child,
                Slot::Left(parent) => e.nodes[parent].left = child,
                Slot::Right(parent) => e.nodes[parent].right = child,
            }
        }
        e.trees.push(Tree { root: first, target });
        Ok(())
    }

    /// The ensemble over the placed columns.
    pub fn finish(mut self, columns: &Placed) -> Result<TreeEnsemble, String> {
        self.ensemble.features = columns.width;
        self.ensemble.nodes.iter_mut().for_each(|n| n.feature = columns.column(n.feature));
        self.ensemble.check()?;
        Ok(self.ensemble)
    }
}
