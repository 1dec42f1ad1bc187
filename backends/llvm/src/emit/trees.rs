//! An ensemble as code: what suits few nodes, where walking over data costs more than the tests.
//!
//! ```text
//! trees_0(rows, x, noalias out, leaves):    // small trees: no branch, so that the loop becomes vectors
//!     for i in 0..rows:
//!         sum = base                        // a later function starts from out[i]
//!         a = x[1][i] < 2 ? 0.25 : -1.5     // every node is computed, the leaves' values chosen from below
//!         sum += x[3][i] <= 0.5 ? a : 0.75
//!         …
//!         out[i] = sum
//! trees_1(…):                               // larger ones: a block per node
//!         node_0: branch x[7][i] <= 1 to node_1 or leaf_5 …
//! ```
//! A leaf of several values is chosen by where they start, and they are read from there. The trees' order of addition
//! is kept, and every addition is in the type of the sums. NaN goes where the node says: that choice is part of the
//! comparison's condition.

use std::collections::HashMap;
use std::ops::Range;

use flock_ir_spec::{Child, Constant, DType, Test, Tree, TreeEnsemble, TreeNode};
use flock_plan::{TreeCode, functions, narrow, reachable};

use super::Writer;
use crate::text::{Block, Function, Ty, Value, float, integer, truth, word};

impl Writer<'_> {
    /// The functions of an ensemble, to be called in order.
    pub(super) fn ensemble(&mut self, code: &TreeCode) -> Vec<String> {
        let Some(Constant::Trees(t)) = self.plan.flat.pool.get(code.ensemble).map(AsRef::as_ref) else {
            return Vec::new();
        };
        functions(t).into_iter().map(|(trees, small)| self.some_trees(t, code, trees, small)).collect()
    }

    fn some_trees(&mut self, t: &TreeEnsemble, code: &TreeCode, range: Range<usize>, small: bool) -> String {
        let x = if code.x.size == 4 { Ty::F32 } else { Ty::F64 };
        let sum = if t.sum == DType::F32 { Ty::F32 } else { Ty::F64 };
        let mut f = Function::new();
        let widest = if small { x.size().max(sum.size()) } else { u32::MAX };
        let rows = self.rows(&mut f, widest);
        let [frame, out, leaves] = ["align 64", "noalias align 64", "align 64"].map(|a| f.param(Ty::Ptr, a));
        let all = f.begin(rows);
        let i = all.i;
        let stride = self.plan.block_rows as i64;
        let mut row = Row { f: &mut f, t, x, sum, frame, leaves, stride, i };
        let mut sums = row.start(range.start == 0, out);
        range.for_each(|tree| row.add(&t.trees[tree], small, &mut sums));
        for (o, sum) in sums.iter().enumerate() {
            let at = row.element(out, row.sum, o as i64);
            row.f.store(*sum, at);
        }
        f.end(all);
        self.pass("trees", f)
    }
}

/// A row of a block.
struct Row<'r> {
    f: &'r mut Function,
    t: &'r TreeEnsemble,
    /// The type of a feature.
    x: Ty,
    /// The type of a sum.
    sum: Ty,
    frame: Value,
    leaves: Value,
    /// Rows from one column to the next.
    stride: i64,
    i: Value,
}

impl Row<'_> {
    /// Where this row's element of a column is.
    fn element(&mut self, frame: Value, ty: Ty, column: i64) -> Value {
        let start = self.f.at(frame, ty, word(column * self.stride));
        self.f.at(start, ty, self.i)
    }

    /// Per output the base, or what the trees before have left.
    fn start(&mut self, base: bool, out: Value) -> Vec<Value> {
        let outputs = 0..i64::from(self.t.outputs);
        if base {
            return outputs.map(|o| self.value(self.t.base.get(o as usize).copied())).collect();
        }
        let left = |o| {
            let at = self.element(out, self.sum, o);
            self.f.load(self.sum, at)
        };
        outputs.map(left).collect()
    }

    /// A constant in the type of the sums.
    fn value(&self, x: Option<f64>) -> Value {
        let x = x.unwrap_or(0.0);
        float(self.sum, if self.sum == Ty::F32 { f64::from(x as f32) } else { x })
    }

    /// Adds what a tree says.
    fn add(&mut self, tree: &Tree, small: bool, sums: &mut [Value]) {
        let targets = match tree.target {
            Some(o) => o as usize..o as usize + 1,
            None => 0..sums.len(),
        };
        if let (true, [sum]) = (small, &mut sums[targets.clone()]) {
            let value = self.choose(tree.root, &|row, child| row.value(row.leaf_value(child)));
            *sum = self.f.binary("fadd", *sum, value);
            return;
        }
        let start = match small {
            true => self.choose(tree.root, &|row, child| row.leaf_start(child)),
            false => self.branched(tree),
        };
        let start = self.f.convert("zext", start, Ty::I64);
        let at = self.f.at(self.leaves, self.sum, start);
        for (k, sum) in sums[targets].iter_mut().enumerate() {
            let at = self.f.at(at, self.sum, word(k as i64));
            let value = self.f.load(self.sum, at);
            *sum = self.f.binary("fadd", *sum, value);
        }
    }

    /// Where a leaf's values start.
    fn leaf_start(&self, child: Child) -> Value {
        let start = child.as_leaf().and_then(|l| self.t.leaves.get(l)).copied().unwrap_or(0);
        integer(Ty::I32, i64::from(start))
    }

    fn leaf_value(&self, child: Child) -> Option<f64> {
        let start = child.as_leaf().and_then(|l| self.t.leaves.get(l))?;
        self.t.values.get(*start as usize).copied()
    }

    /// All nodes below; each chooses between what its children have chosen. No deeper than a small tree has nodes.
    fn choose(&mut self, child: Child, leaf: &dyn Fn(&Self, Child) -> Value) -> Value {
        let Some(n) = child.as_node() else { return leaf(self, child) };
        let node = self.t.nodes[n];
        let (left, right) = (self.choose(node.left, leaf), self.choose(node.right, leaf));
        let goes_left = self.test(&node);
        self.f.select(goes_left, left, right)
    }

    /// A block per node and one per leaf, which all go on to the last.
    fn branched(&mut self, tree: &Tree) -> Value {
        let nodes = reachable(self.t, tree);
        let arrived = self.f.block();
        let blocks: HashMap<usize, Block> = nodes.iter().map(|n| (*n, self.f.block())).collect();
        let mut leaves: Vec<(Block, Value)> = Vec::new();
        let mut to = |row: &mut Self, child: Child| match child.as_node().and_then(|n| blocks.get(&n)) {
            Some(block) => *block,
            None => {
                let block = row.f.block();
                leaves.push((block, row.leaf_start(child)));
                block
            }
        };
        let root = to(self, tree.root);
        self.f.jump(root);
        for n in &nodes {
            let node = self.t.nodes[*n];
            self.f.enter(blocks[n]);
            let goes_left = self.test(&node);
            let [left, right] = [node.left, node.right].map(|c| to(self, c));
            self.f.branch(goes_left, left, right);
        }
        for (block, _) in &leaves {
            self.f.enter(*block);
            self.f.jump(arrived);
        }
        self.f.enter(arrived);
        let from: Vec<String> = leaves.iter().map(|(block, start)| format!("[ {start}, {block} ]")).collect();
        self.f.gives(Ty::I32, format_args!("phi i32 {}", from.join(", ")))
    }

    /// Whether the row goes left. Where NaN goes is in the condition.
    fn test(&mut self, node: &TreeNode) -> Value {
        let at = self.element(self.frame, self.x, i64::from(node.feature));
        let x = self.f.load(self.x, at);
        let (test, threshold) = match self.x {
            Ty::F32 => {
                let (test, near) = narrow(node.test, node.threshold);
                (test, f64::from(near))
            }
            _ => (node.test, node.threshold),
        };
        if threshold.is_nan() {
            return self.test_nothing(x, test, node.missing_left);
        }
        let how = match (test, node.missing_left) {
            (Test::Le, false) => "fcmp ole",
            (Test::Le, true) => "fcmp ule",
            (Test::Lt, false) => "fcmp olt",
            (Test::Lt, true) => "fcmp ult",
            (Test::Ge, false) => "fcmp oge",
            (Test::Ge, true) => "fcmp uge",
            (Test::Gt, false) => "fcmp ogt",
            (Test::Gt, true) => "fcmp ugt",
            (Test::Eq, false) => "fcmp oeq",
            (Test::Eq, true) => "fcmp ueq",
            (Test::Ne, false) => "fcmp one",
            // An ensemble with sets does not become code.
            (Test::Ne | Test::In, true) => "fcmp une",
            (Test::In, false) => "fcmp oeq",
        };
        self.f.compare(how, x, float(self.x, threshold))
    }

    /// The test for being equal to what no f32 is equal to: every number fails it, NaN goes its own way.
    fn test_nothing(&mut self, x: Value, test: Test, missing_left: bool) -> Value {
        let numbers_left = test == Test::Ne;
        match missing_left {
            left if left == numbers_left => truth(left),
            true => self.f.compare("fcmp uno", x, x),
            false => self.f.compare("fcmp ord", x, x),
        }
    }
}
