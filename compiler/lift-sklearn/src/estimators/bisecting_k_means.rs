//! `BisectingKMeans`: down a tree of halves, at each inner node to the nearer of two centres.
//!
//! | `_bisecting_tree` | `left`, `right`: the halves, None of a leaf; `center`; `label` of a leaf |
//! | `_X_mean` | [k] f64, added to the centres, where it is there |
//! | `cluster_centers_` | [clusters, k] f64, read by `transform` |
//!
//! A row goes right where |c|² − 2 x · c is less there. NaN and infinities are refused.
//! Source: scikit-learn `cluster/_bisect_k_means.py`.

use flock_ir_spec::{Attr, Child, DType, Diagnostic, Frame, FrameType, NodeId, Op, Test, Tree, TreeEnsemble, TreeNode};

use super::k_means::closeness;
use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::prediction::Prediction;
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.cluster.BisectingKMeans",
    reads: &["_bisecting_tree", "_X_mean", "cluster_centers_"],
    ignores: &[
        "algorithm", "bisecting_strategy", "copy_x", "init", "max_iter", "n_clusters", "n_init", "random_state", "tol",
        "verbose", "_kmeans_single", "_n_features_out", "_n_init", "_n_threads", "_random_state", "_tol", "inertia_",
        "labels_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let centres = nearest::double_table(view, "cluster_centers_", input.width())?;
    let halves = Halves::of(view, centres.rows, input.width())?;
    let x = linear::finite(cx, view, &input)?;
    let label = halves.label(cx, x, input.width())?;
    let columns = nearest::columns(cx, view, x, centres)?;
    Ok(Lifted::Both(Prediction::Numbers(label), columns))
}

/// The inner nodes as a tree, and the centres left and right of each.
struct Halves {
    /// Tests feature i, whether to go right at inner node i; leaf j has label j.
    nodes: Vec<TreeNode>,
    left: Vec<f64>,
    right: Vec<f64>,
    leaves: usize,
}

impl Halves {
    fn of(view: &View<'_>, clusters: usize, width: usize) -> Result<Halves, Diagnostic> {
        let mean = match view.get("_X_mean") {
            Some(mean) => mean.f64s_of(width)?,
            None => vec![0.0; width],
        };
        let root = view.attr("_bisecting_tree")?;
        let mut halves = Halves { nodes: Vec::new(), left: Vec::new(), right: Vec::new(), leaves: clusters };
        let mut seen = vec![false; clusters];
        // Inner nodes that wait for their halves, parents before children.
        let mut open = Vec::new();
        halves.child(&root, &mut open, &mut seen)?;
        let mut next = 0;
        while next < open.len() {
            let node: View<'_> = open[next].clone();
            let (left, right) = (node.attr("left")?, node.attr("right")?);
            for (half, centres) in [(&left, &mut halves.left), (&right, &mut halves.right)] {
                let centre = half.attr("center")?;
                nearest::refuse_float32(&centre)?;
                centres.extend(centre.f64s_of(width)?.iter().zip(&mean).map(|(c, m)| c + m));
            }
            let left = halves.child(&left, &mut open, &mut seen)?;
            let right = halves.child(&right, &mut open, &mut seen)?;
            let feature = next as u32;
            let (test, threshold) = (Test::Le, 0.5);
            halves.nodes.push(TreeNode { feature, test, missing_left: true, threshold, left, right });
            next += 1;
        }
        if seen.contains(&false) {
            return Err(root.expected(&format!("a tree of {clusters} leaves")));
        }
        Ok(halves)
    }

    /// The next inner node, or the leaf of a label.
    fn child<'a>(
        &self,
        half: &View<'a>,
        open: &mut Vec<View<'a>>,
        seen: &mut [bool],
    ) -> Result<Child, Diagnostic> {
        if half.attr("left")?.is_none() {
            let label = half.attr("label")?;
            let leaf = label.size()?;
            if seen.get(leaf) != Some(&false) {
                return Err(label.expected("a label of its own"));
            }
            seen[leaf] = true;
            return Ok(Child::leaf(leaf as u32));
        }
        if open.len() >= self.leaves {
            return Err(half.expected(&format!("a tree of {} leaves", self.leaves)));
        }
        open.push(half.clone());
        Ok(Child::node(open.len() as u32 - 1))
    }

    fn label(self, cx: &mut Lift, x: NodeId, width: usize) -> Result<NodeId, Diagnostic> {
        let n = self.nodes.len();
        if n == 0 {
            return Ok(cx.b.constant(Frame::row_i64([0])));
        }
        let table = |values| Matrix { rows: n, columns: width, values };
        let left = closeness(cx, x, &table(self.left))?;
        let right = closeness(cx, x, &table(self.right))?;
        let nearer = cx.op(Op::Gt, &[right, left])?;
        let ty = cx.frame_type(nearer).with_dtype(DType::F64);
        let features = cx.op_with(Op::Cast, Attr::Type(ty), &[nearer])?;
        let ensemble = TreeEnsemble {
            features: n as u32,
            outputs: 1,
            input: DType::F64,
            sum: DType::F64,
            base: vec![0.0],
            trees: vec![Tree { root: Child::node(0), target: Some(0) }],
            nodes: self.nodes,
            leaves: (0..self.leaves as u32).collect(),
            values: (0..self.leaves).map(|label| label as f64).collect(),
            sets: Default::default(),
        };
        let ensemble = cx.b.constant(ensemble);
        let label = cx.op(Op::Trees, &[features, ensemble])?;
        let label = cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::I64, 1).nullable()), &[label])?;
        cx.or_else(label, Frame::row_i64([0]))
    }
}
