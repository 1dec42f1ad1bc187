//! What the leaves of trees add up to.
//!
//! onnxruntime adds the leaves of an output in the order of the trees, from 0, and the base value at the end. A leaf need
//! not have a weight for every output; an output that no reached leaf has a weight for *has no score*, which is not the
//! same as a score of 0. Source: onnxruntime `ml/tree_ensemble_aggregator.h`.

use flock_ir_spec::{Child, DType, NodeId, Op, Tree, TreeEnsemble};

use super::tree_nodes::Forest;
use crate::Res;
use crate::elem::Elem;
use crate::node::Node;

/// In which rows an output has a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scored {
    /// In none.
    Never,
    /// It depends on the leaves that are reached.
    Sometimes,
    /// In all.
    Always,
}

impl Forest {
    /// In which rows each output has a score.
    pub fn scored(&self, outputs: usize) -> Vec<Scored> {
        let mut scored = vec![Scored::Never; outputs];
        let mut first = 0;
        for leaves in &self.leaves_of {
            let mut count = vec![0usize; if outputs > 64 { 0 } else { outputs }];
            let mut wide = std::collections::HashMap::new();
            for leaf in &self.leaves[first..first + leaves] {
                let mut ids: Vec<u32> = leaf.iter().map(|w| w.0).collect();
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    match count.get_mut(id as usize) {
                        Some(n) => *n += 1,
                        None => *wide.entry(id).or_insert(0usize) += 1,
                    }
                }
            }
            let counts = count.into_iter().enumerate().chain(wide.into_iter().map(|(o, n)| (o as usize, n)));
            for (output, n) in counts.filter(|(_, n)| *n > 0) {
                if n == *leaves {
                    scored[output] = Scored::Always;
                } else if scored[output] == Scored::Never {
                    scored[output] = Scored::Sometimes;
                }
            }
            first += leaves;
        }
        scored
    }

    /// The output that every leaf of a tree has its only weight for, if there is one.
    fn target(&self, leaves: std::ops::Range<usize>) -> Option<u32> {
        let mut targets = self.leaves[leaves].iter().map(|l| if let [(o, _)] = l.as_slice() { Some(*o) } else { None });
        let first = targets.next()??;
        targets.all(|t| t == Some(first)).then_some(first)
    }

    /// The leaves' values, one per output where a tree has several; `value` gives each weight's.
    fn ensemble(&self, outputs: usize, features: u32, elem: Elem, value: impl Fn(f64) -> f64) -> TreeEnsemble {
        let mut e = self.bare(outputs, features, elem);
        let mut first = 0;
        for (root, leaves) in self.roots.iter().zip(&self.leaves_of) {
            let range = first..first + leaves;
            let target = self.target(range.clone());
            e.trees.push(Tree { root: *root, target });
            for leaf in &self.leaves[range] {
                e.leaves.push(e.values.len() as u32);
                let start = e.values.len();
                e.values.resize(start + if target.is_some() { 1 } else { outputs }, 0.0);
                for (output, weight) in leaf {
                    let place = start + target.map_or(*output as usize, |_| 0);
                    e.values[place] = round(elem, e.values[place] + value(*weight));
                }
            }
            first += leaves;
        }
        e
    }

    /// An ensemble without values.
    pub fn bare(&self, outputs: usize, features: u32, elem: Elem) -> TreeEnsemble {
        TreeEnsemble {
            features,
            outputs: outputs as u32,
            input: elem.dtype(),
            sum: elem.dtype(),
            base: vec![0.0; outputs],
            trees: Vec::with_capacity(self.roots.len()),
            nodes: self.nodes.clone(),
            leaves: Vec::with_capacity(self.leaves.len()),
            values: Vec::new(),
            sets: Default::default(),
        }
    }

    /// Copies of all trees for each of `outputs`: copy o of tree t gives the leaf's weight for o in column o · trees + t,
    /// and `missing` where it has none.
    pub fn one_column_per_tree(&self, outputs: usize, features: u32, elem: Elem, missing: f64) -> TreeEnsemble {
        let trees = self.roots.len();
        let mut e = TreeEnsemble { nodes: Vec::new(), ..self.bare(trees * outputs, features, elem) };
        for output in 0..outputs {
            let (nodes, leaves) = (e.nodes.len() as u32, e.leaves.len() as u32);
            let moved = |c: Child| match (c.as_node(), c.as_leaf()) {
                (Some(n), _) => Child::node(n as u32 + nodes),
                (None, leaf) => Child::leaf(leaf.unwrap_or(0) as u32 + leaves),
            };
            e.nodes.extend(self.nodes.iter().map(|n| flock_ir_spec::TreeNode {
                left: moved(n.left),
                right: moved(n.right),
                ..*n
            }));
            for leaf in &self.leaves {
                e.leaves.push(e.values.len() as u32);
                let weight = leaf.iter().find(|w| w.0 as usize == output);
                e.values.push(weight.map_or(missing, |w| w.1));
            }
            let column = |t: usize| (output * trees + t) as u32;
            e.trees.extend(
                self.roots.iter().enumerate().map(|(t, root)| Tree { root: moved(*root), target: Some(column(t)) }),
            );
        }
        e
    }
}

fn round(elem: Elem, x: f64) -> f64 {
    if elem == Elem::F32 { f64::from(x as f32) } else { x }
}

/// Values of leaves that one model may take in memory.
const MAX_VALUES: u64 = 1 << 25;

impl Node<'_, '_> {
    /// Refuses trees whose leaves take one value per output beyond what is worth it.
    fn check_values(&mut self, forest: &Forest, outputs: usize) -> Res<()> {
        let mut first = 0;
        let mut values = 0u64;
        for leaves in &forest.leaves_of {
            let each = if forest.target(first..first + leaves).is_some() { 1 } else { outputs as u64 };
            values = values.saturating_add(each.saturating_mul(*leaves as u64));
            first += leaves;
        }
        if values > MAX_VALUES {
            return Err(self.unsupported(format!("{values} values in the leaves; {MAX_VALUES} are supported")));
        }
        self.spend(values)
    }

    /// The sum of the reached leaves per output.
    pub fn tree_sums(&mut self, x: NodeId, forest: &Forest, outputs: usize, elem: Elem) -> Res<NodeId> {
        self.check_values(forest, outputs)?;
        let ensemble = forest.ensemble(outputs, self.width(x), elem, |w| w);
        self.trees(x, ensemble)
    }

    /// Whether each output has a score (bool): a sum of ones is above 0.
    pub fn tree_scored(&mut self, x: NodeId, forest: &Forest, outputs: usize, elem: Elem) -> Res<NodeId> {
        self.check_values(forest, outputs)?;
        let ensemble = forest.ensemble(outputs, self.width(x), elem, |_| 1.0);
        let count = self.trees(x, ensemble)?;
        let zero = self.number(elem, 0.0)?;
        self.op(Op::Gt, &[count, zero])
    }

    /// The least or the greatest of the reached leaves per output, 0 where there is none.
    pub fn tree_extremes(&mut self, x: NodeId, forest: &Forest, outputs: usize, elem: Elem, reduce: Op) -> Res<NodeId> {
        let (trees, leaves) = (forest.roots.len() as u64, forest.leaves.len() as u64);
        let (columns, values) = (trees.saturating_mul(outputs as u64), leaves.saturating_mul(outputs as u64));
        if columns > u64::from(flock_ir_spec::types::MAX_WIDTH) || values > MAX_VALUES {
            return Err(self.unsupported(format!("{columns} trees, one per output, with {values} leaves")));
        }
        self.spend(values.saturating_mul(4))?;
        let missing = if reduce == Op::RowMin { f64::INFINITY } else { f64::NEG_INFINITY };
        let ensemble = forest.one_column_per_tree(outputs, self.width(x), elem, missing);
        let all = self.trees(x, ensemble)?;
        let parts = (0..outputs as u32)
            .map(|o| {
                let own = self.slice(all, o * trees as u32, trees as u32)?;
                self.op(reduce, &[own])
            })
            .collect::<Res<Vec<_>>>()?;
        self.concat(&parts)
    }

    fn trees(&mut self, x: NodeId, ensemble: TreeEnsemble) -> Res<NodeId> {
        let ensemble = self.lift.b.constant(ensemble);
        self.op(Op::Trees, &[x, ensemble])
    }

    /// The features as trees compare them: double stays, everything else is float32.
    pub fn tree_features(&mut self) -> Res<(NodeId, Elem)> {
        let (x, _) = self.features(0)?;
        match x.elem {
            Elem::F64 => Ok((x.node, Elem::F64)),
            _ => Ok((self.as_f32(&x, 0)?, Elem::F32)),
        }
    }

    /// As float32: what the models of ai.onnx.ml give, also for double inputs.
    pub fn narrowed(&mut self, node: NodeId) -> Res<NodeId> {
        self.cast(node, DType::F32)
    }
}
