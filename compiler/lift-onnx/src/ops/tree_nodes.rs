//! Trees as ai.onnx.ml writes them in versions 1 to 3: lists of nodes with the ids of tree, node and children, and lists of
//! weights with the ids of the leaf and of the output.
//!
//! A row goes to the true child where `feature MODE value` holds, or where the feature is NaN and the node sends missing
//! values there. NaN differs from everything, so `BRANCH_NEQ` always sends it to the true child. The first node of a tree
//! is its root. Source: onnxruntime `ml/tree_ensemble_common.h`.

use std::collections::HashMap;

use flock_ir_spec::{Child, Test, TreeNode};

use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;

/// The attributes of the nodes.
pub const NODES: [Declared; 9] = [
    ("nodes_treeids", Form::Ints),
    ("nodes_nodeids", Form::Ints),
    ("nodes_modes", Form::Texts),
    ("nodes_featureids", Form::Ints),
    ("nodes_values", Form::Floats),
    ("nodes_values_as_tensor", Form::Tensor),
    ("nodes_truenodeids", Form::Ints),
    ("nodes_falsenodeids", Form::Ints),
    ("nodes_missing_value_tracks_true", Form::Ints),
];

/// Training statistics of the nodes, which no prediction reads.
pub const STATISTICS: &[&str] = &["nodes_hitrates", "nodes_hitrates_as_tensor"];

/// Trees with weighted leaves.
pub struct Forest {
    /// Per tree where a row starts.
    pub roots: Vec<Child>,
    /// Inner nodes; children after their parents, tree after tree.
    pub nodes: Vec<TreeNode>,
    /// Per leaf, in the order of the trees, its weights: output and value.
    pub leaves: Vec<Vec<(u32, f64)>>,
    /// Per tree the number of its leaves.
    pub leaves_of: Vec<usize>,
}

/// The lists of a node of the graph.
struct Lists<'m> {
    trees: &'m [i64],
    ids: &'m [i64],
    modes: &'m [Vec<u8>],
    features: &'m [i64],
    values: Vec<f64>,
    yes: &'m [i64],
    no: &'m [i64],
    missing: &'m [i64],
}

/// A branch, or a leaf.
fn test(mode: &[u8]) -> Option<Option<Test>> {
    Some(match mode {
        b"LEAF" => None,
        b"BRANCH_LEQ" => Some(Test::Le),
        b"BRANCH_LT" => Some(Test::Lt),
        b"BRANCH_GTE" => Some(Test::Ge),
        b"BRANCH_GT" => Some(Test::Gt),
        b"BRANCH_EQ" => Some(Test::Eq),
        b"BRANCH_NEQ" => Some(Test::Ne),
        _ => return None,
    })
}

impl<'m> Node<'_, 'm> {
    /// The trees of a classifier (`what` is `class`) or a regressor (`target`) over that many features.
    pub fn forest(&mut self, what: &str, outputs: usize, features: u32, elem: Elem) -> Res<Forest> {
        let lists = self.tree_lists(elem)?;
        let n = lists.trees.len();
        self.spend(4 * n as u64)?;
        let places = self.node_places(&lists)?;
        let weights = self.leaf_weights(what, outputs, elem, &places, n)?;
        Walk { lists, features, places, weights, seen: vec![false; n], forest: Forest::empty() }
            .run()
            .map_err(|message| self.bad_attribute(message))
    }

    fn tree_lists(&mut self, elem: Elem) -> Res<Lists<'m>> {
        let values = self.numbers_attribute("nodes_values", elem)?;
        let a = self.attributes();
        let lists = Lists {
            trees: a.ints("nodes_treeids"),
            ids: a.ints("nodes_nodeids"),
            modes: a.bytes("nodes_modes"),
            features: a.ints("nodes_featureids"),
            values,
            yes: a.ints("nodes_truenodeids"),
            no: a.ints("nodes_falsenodeids"),
            missing: a.ints("nodes_missing_value_tracks_true"),
        };
        let n = lists.trees.len();
        let lengths = [
            lists.ids.len(),
            lists.modes.len(),
            lists.features.len(),
            lists.values.len(),
            lists.yes.len(),
            lists.no.len(),
        ];
        if n == 0 || n >= 1 << 31 || lengths.iter().any(|l| *l != n) || lists.missing.len() > n {
            return Err(self.bad_attribute(format!("lists of {n} and {lengths:?} elements for the nodes of trees")));
        }
        Ok(lists)
    }

    /// Floats, or a tensor of the input's type.
    pub fn numbers_attribute(&mut self, name: &str, elem: Elem) -> Res<Vec<f64>> {
        let floats: Vec<f64> = self.attributes().floats(name).iter().map(|x| f64::from(*x)).collect();
        let tensor = format!("{name}_as_tensor");
        match self.tensor_attribute(&tensor)? {
            None => Ok(floats),
            Some(_) if !floats.is_empty() => Err(self.bad_attribute(format!("`{name}` and `{tensor}`"))),
            Some(t) if t.elem == elem => Ok(t.floats().unwrap_or_default()),
            Some(t) => {
                Err(self.bad_attribute(format!("`{tensor}` of {} for an input of {}", t.elem.name(), elem.name())))
            }
        }
    }

    fn node_places(&self, lists: &Lists<'_>) -> Res<HashMap<(i64, i64), u32>> {
        let mut places = HashMap::with_capacity(lists.trees.len());
        for (i, id) in lists.trees.iter().copied().zip(lists.ids.iter().copied()).enumerate() {
            if places.insert(id, i as u32).is_some() {
                return Err(self.bad_attribute(format!("tree {} has two nodes {}", id.0, id.1)));
            }
        }
        Ok(places)
    }

    /// Per node the weights of a leaf, in the order of the lists.
    fn leaf_weights(
        &mut self,
        what: &str,
        outputs: usize,
        elem: Elem,
        places: &HashMap<(i64, i64), u32>,
        n: usize,
    ) -> Res<Vec<Vec<(u32, f64)>>> {
        let values = self.numbers_attribute(&format!("{what}_weights"), elem)?;
        let a = self.attributes();
        let (trees, nodes) = (a.ints(&format!("{what}_treeids")), a.ints(&format!("{what}_nodeids")));
        let ids = a.ints(&format!("{what}_ids"));
        if [nodes.len(), ids.len(), values.len()].iter().any(|l| *l != trees.len()) {
            let found =
                format!("{} trees, {} nodes, {} outputs, {} values", trees.len(), nodes.len(), ids.len(), values.len());
            return Err(self.bad_attribute(format!("weights of {found}")));
        }
        let mut weights = vec![Vec::new(); n];
        for (i, value) in values.into_iter().enumerate() {
            let place = places.get(&(trees[i], nodes[i])).copied();
            let place = place.ok_or_else(|| {
                self.bad_attribute(format!("a weight of node {} of tree {}, which is none", nodes[i], trees[i]))
            })?;
            let output = usize::try_from(ids[i]).ok().filter(|o| *o < outputs);
            let output =
                output.ok_or_else(|| self.bad_attribute(format!("a weight for output {} of {outputs}", ids[i])))?;
            if !value.is_finite() {
                return Err(self.unsupported(format!("a leaf of tree {} has the weight {value}", trees[i])));
            }
            weights[place as usize].push((output as u32, value));
        }
        Ok(weights)
    }
}

impl Forest {
    /// No trees.
    pub fn empty() -> Forest {
        Forest { roots: Vec::new(), nodes: Vec::new(), leaves: Vec::new(), leaves_of: Vec::new() }
    }

    /// Writes a child where it belongs.
    pub fn put(&mut self, slot: Slot, child: Child) {
        match slot {
            Slot::Root => self.roots.push(child),
            Slot::Left(parent) => self.nodes[parent].left = child,
            Slot::Right(parent) => self.nodes[parent].right = child,
        }
    }

    /// A node whose children are still to be put; gives its number. Nothing compares with NaN: a test against one holds
    /// for no value, or with `!=` for every one. NaN differs from all; `tracked` sends it left in other tests too.
    pub fn split(&mut self, feature: u32, test: Test, threshold: f64, tracked: bool) -> usize {
        let (test, threshold, missing_left) = match (test, threshold.is_nan()) {
            (Test::Ne, true) => (Test::Ge, f64::NEG_INFINITY, true),
            (_, true) => (Test::Lt, f64::NEG_INFINITY, tracked),
            (test, false) => (test, threshold, tracked || test == Test::Ne),
        };
        let nowhere = Child::leaf(0);
        self.nodes.push(TreeNode { feature, test, missing_left, threshold, left: nowhere, right: nowhere });
        self.nodes.len() - 1
    }

    /// A leaf that adds those weights.
    pub fn leaf(&mut self, weights: Vec<(u32, f64)>) -> Child {
        self.leaves.push(weights);
        Child::leaf(self.leaves.len() as u32 - 1)
    }
}

/// Where a child belongs.
#[derive(Clone, Copy)]
pub enum Slot {
    /// A root.
    Root,
    /// The left of a node.
    Left(usize),
    /// The right of a node.
    Right(usize),
}

/// Walks the trees from their roots and numbers what it meets.
struct Walk<'m> {
    lists: Lists<'m>,
    features: u32,
    places: HashMap<(i64, i64), u32>,
    weights: Vec<Vec<(u32, f64)>>,
    seen: Vec<bool>,
    forest: Forest,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Forest, String> {
        let starts: Vec<usize> = (0..self.lists.trees.len())
            .filter(|i| *i == 0 || self.lists.trees[*i] != self.lists.trees[*i - 1])
            .collect();
        let mut trees: Vec<i64> = starts.iter().map(|i| self.lists.trees[*i]).collect();
        trees.sort_unstable();
        if let Some(twice) = trees.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("the nodes of tree {} are not in one run", twice[0]));
        }
        for start in starts {
            let before = self.forest.leaves.len();
            self.tree(start)?;
            self.forest.leaves_of.push(self.forest.leaves.len() - before);
        }
        Ok(self.forest)
    }

    fn tree(&mut self, root: usize) -> Result<(), String> {
        let mut stack = vec![(root, Slot::Root)];
        while let Some((at, slot)) = stack.pop() {
            if std::mem::replace(&mut self.seen[at], true) {
                return Err(format!("node {} of tree {} is reached twice", self.lists.ids[at], self.lists.trees[at]));
            }
            let child = match test(&self.lists.modes[at]) {
                Some(None) => self.leaf(at)?,
                Some(Some(test)) => {
                    let node = self.branch(at, test)?;
                    stack.push((self.child(at, self.lists.no[at])?, Slot::Right(node)));
                    stack.push((self.child(at, self.lists.yes[at])?, Slot::Left(node)));
                    Child::node(node as u32)
                }
                None => {
                    return Err(format!("the mode `{}` is unknown", String::from_utf8_lossy(&self.lists.modes[at])));
                }
            };
            self.forest.put(slot, child);
        }
        Ok(())
    }

    fn leaf(&mut self, at: usize) -> Result<Child, String> {
        let weights = std::mem::take(&mut self.weights[at]);
        if weights.is_empty() {
            return Err(format!("leaf {} of tree {} has no weight", self.lists.ids[at], self.lists.trees[at]));
        }
        Ok(self.forest.leaf(weights))
    }

    fn child(&self, at: usize, id: i64) -> Result<usize, String> {
        let tree = self.lists.trees[at];
        let place = self.places.get(&(tree, id));
        place
            .map(|p| *p as usize)
            .ok_or_else(|| format!("node {} of tree {tree} leads to node {id}, which is none", self.lists.ids[at]))
    }

    fn branch(&mut self, at: usize, test: Test) -> Result<usize, String> {
        let feature = u32::try_from(self.lists.features[at]).ok().filter(|f| *f < self.features);
        let feature = feature.ok_or_else(|| format!("feature {} of {}", self.lists.features[at], self.features))?;
        let tracked = self.lists.missing.get(at).is_some_and(|m| *m == 1);
        Ok(self.forest.split(feature, test, self.lists.values[at], tracked))
    }
}
