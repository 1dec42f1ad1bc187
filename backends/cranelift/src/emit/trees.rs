//! An ensemble as code: what suits few nodes, where walking over data costs more than the tests.
//!
//! ```text
//! trees_0(x, out, leaves, starts, thresholds, rows):    // small trees: 4 rows side by side (2 of f64), no branch
//!     for i in 0..rows by 4:
//!         sum = base                                    // a later function starts from out[i]
//!         a = x[1][i] < 2 ? leaf_0 : leaf_1             // every node is computed, the leaves first
//!         at = x[3][i] <= 0.5 ? a : leaf_2
//!         sum += leaves[at]
//!         …
//!         out[i] = sum
//! trees_1(…):                                           // larger ones: a row at a time, a block per node
//!         node_0: branch x[7][i] <= 1 to node_1 or leaf_5 …
//! ```
//! The trees' order of addition is kept, and every addition is in the type of the sums. NaN goes where the node says:
//! that choice is part of the comparison's condition code.

use std::collections::HashMap;
use std::ops::Range;

use cranelift::module::{FuncId, Linkage, Module};
use cranelift::prelude::*;
use flock_ir_spec::{Child, Constant, DType, Test, Tree, TreeEnsemble, TreeNode};

use super::loops::element_address;
use super::{Done, FLAGS, Writer, counted, entry_block};
use flock_plan::{Plan, TreeCode, functions, narrow, reachable};

impl<M: Module> Writer<'_, M> {
    /// The functions of an ensemble, to be called in order.
    pub(super) fn ensemble(&mut self, plan: &Plan, code: &TreeCode) -> Done<Vec<FuncId>> {
        let Some(Constant::Trees(t)) = plan.flat.pool.get(code.ensemble).map(AsRef::as_ref) else {
            return Ok(Vec::new());
        };
        functions(t).into_iter().map(|(trees, small)| self.some_trees(plan, t, code, trees, small)).collect()
    }

    fn some_trees(
        &mut self,
        plan: &Plan,
        t: &TreeEnsemble,
        code: &TreeCode,
        range: Range<usize>,
        small: bool,
    ) -> Done<FuncId> {
        let mut signature = self.module.make_signature();
        signature.params.extend([AbiParam::new(types::I64); 6]);
        let symbol = self.tree_symbol();
        let stride = plan.block_rows as i64;
        let x = if code.x.size == 4 { types::F32 } else { types::F64 };
        let lanes = if small { 16 / i64::from(code.x.size) } else { 1 };
        self.function(&symbol, Linkage::Local, signature, |_, b| {
            let [frame, out, leaves, starts, thresholds, rows] = *b.block_params(entry_block(b)) else { return Ok(()) };
            // A last group that is not full computes rows that nobody reads: a column is a multiple of 64 rows long.
            let groups = b.ins().iadd_imm_s(rows, lanes - 1);
            let groups = b.ins().udiv_imm_u(groups, lanes);
            counted(b, groups, |b, group| {
                let i = b.ins().imul_imm_s(group, lanes);
                let mut rows = Rows { b, t, x, lanes, frame, leaves, starts, thresholds, out, stride, i };
                let mut sums = rows.start(range.start == 0);
                range.for_each(|tree| rows.add(&t.trees[tree], &mut sums));
                rows.finish(&sums);
            });
            b.ins().return_(&[]);
            Ok(())
        })
    }
}

/// Some rows of a block, side by side.
struct Rows<'r, 'f> {
    b: &'r mut FunctionBuilder<'f>,
    t: &'r TreeEnsemble,
    /// The type of a feature.
    x: Type,
    /// Number of rows.
    lanes: i64,
    frame: Value,
    leaves: Value,
    starts: Value,
    thresholds: Value,
    out: Value,
    /// Rows from one column to the next.
    stride: i64,
    /// The first row.
    i: Value,
}

/// Per output, the sum of each row.
type Sums = Vec<Vec<Value>>;

impl Rows<'_, '_> {
    fn sum_type(&self) -> (Type, i64) {
        if self.t.sum == DType::F32 { (types::F32, 4) } else { (types::F64, 8) }
    }

    /// The address of the first row of output o.
    fn output(&mut self, o: i64, size: i64) -> Value {
        let column = self.b.ins().iadd_imm_s(self.out, o * self.stride * size);
        element_address(self.b, column, self.i, size as u8)
    }

    /// The base, or what the trees before have left.
    fn start(&mut self, base: bool) -> Sums {
        let (ty, size) = self.sum_type();
        let mut sums = Vec::new();
        for o in 0..i64::from(self.t.outputs) {
            let x = self.t.base.get(o as usize).copied().unwrap_or(0.0);
            let at = self.output(o, size);
            let lane = |lane: i64| match (base, size) {
                (true, 4) => self.b.ins().f32const(x as f32),
                (true, _) => self.b.ins().f64const(x),
                (false, _) => self.b.ins().load(ty, FLAGS, at, (lane * size) as i32),
            };
            sums.push((0..self.lanes).map(lane).collect());
        }
        sums
    }

    fn finish(&mut self, sums: &Sums) {
        let (_, size) = self.sum_type();
        for (o, lanes) in sums.iter().enumerate() {
            let at = self.output(o as i64, size);
            for (lane, sum) in lanes.iter().enumerate() {
                self.b.ins().store(FLAGS, *sum, at, lane as i32 * size as i32);
            }
        }
    }

    /// Adds what a tree says.
    fn add(&mut self, tree: &Tree, sums: &mut Sums) {
        let starts = if self.lanes == 1 { vec![self.branched(tree)] } else { self.chosen(tree) };
        let (ty, size) = self.sum_type();
        let targets = match tree.target {
            Some(o) => o as usize..o as usize + 1,
            None => 0..sums.len(),
        };
        for (lane, start) in starts.into_iter().enumerate() {
            let at = element_address(self.b, self.leaves, start, size as u8);
            for (k, o) in targets.clone().enumerate() {
                let value = self.b.ins().load(ty, FLAGS, at, k as i32 * size as i32);
                sums[o][lane] = self.b.ins().fadd(sums[o][lane], value);
            }
        }
    }

    /// Where the values of each row's leaf start.
    fn chosen(&mut self, tree: &Tree) -> Vec<Value> {
        let starts = self.choose(tree.root);
        (0..self.lanes as u8)
            .map(|lane| {
                let start = self.b.ins().extractlane(starts, lane);
                if self.x == types::F32 { self.b.ins().uextend(types::I64, start) } else { start }
            })
            .collect()
    }

    /// All nodes below; each chooses between what its children have chosen. No deeper than a small tree has nodes.
    fn choose(&mut self, child: Child) -> Value {
        let index = self.x.as_int();
        let Some(n) = child.as_node() else {
            // From memory, so that it needs no register for long.
            let leaf = child.as_leaf().unwrap_or(0) as i64;
            let start = self.b.ins().load(index, FLAGS, self.starts, (leaf * i64::from(index.bytes())) as i32);
            let vector = self.vector(index);
            return self.b.ins().splat(vector, start);
        };
        let node = self.t.nodes[n];
        let (left, right) = (self.choose(node.left), self.choose(node.right));
        let goes_left = self.test(n, &node);
        self.b.ins().bitselect(goes_left, left, right)
    }

    /// A block per node; the leaf arrives as a parameter of the last block.
    fn branched(&mut self, tree: &Tree) -> Value {
        let nodes = reachable(self.t, tree);
        let arrived = self.b.create_block();
        let leaf = self.b.append_block_param(arrived, types::I64);
        let blocks: HashMap<usize, Block> = nodes.iter().map(|n| (*n, self.b.create_block())).collect();
        let to = |child: Child| child.as_node().and_then(|n| blocks.get(&n)).copied();
        match to(tree.root) {
            Some(root) => self.b.ins().jump(root, &[]),
            None => {
                let start = self.leaf(tree.root);
                self.b.ins().jump(arrived, &[start.into()])
            }
        };
        for n in &nodes {
            let node = self.t.nodes[*n];
            self.b.switch_to_block(blocks[n]);
            let goes_left = self.test(*n, &node);
            let [left, right] = [node.left, node.right].map(|c| match to(c) {
                Some(block) => (block, None),
                None => (arrived, Some(codegen::ir::BlockArg::from(self.leaf(c)))),
            });
            self.b.ins().brif(goes_left, left.0, left.1.as_slice(), right.0, right.1.as_slice());
        }
        self.b.switch_to_block(arrived);
        leaf
    }

    /// Where a leaf's values start.
    fn leaf(&mut self, child: Child) -> Value {
        let start = child.as_leaf().and_then(|l| self.t.leaves.get(l)).copied().unwrap_or(0);
        self.b.ins().iconst(types::I64, i64::from(start))
    }

    /// A type for all rows.
    fn vector(&self, lane: Type) -> Type {
        lane.by(self.lanes as u32).unwrap_or(lane)
    }

    /// For each row, whether it goes left: 0 or 1 for one, all bits for several. Where NaN goes is in the condition.
    fn test(&mut self, n: usize, node: &TreeNode) -> Value {
        let size = i64::from(self.x.bytes());
        let ty = if self.lanes == 1 { self.x } else { self.vector(self.x) };
        let column = self.b.ins().iadd_imm_s(self.frame, i64::from(node.feature) * self.stride * size);
        let at = element_address(self.b, column, self.i, size as u8);
        let x = self.b.ins().load(ty, FLAGS, at, 0);
        let (test, narrowed) = match self.x {
            types::F32 => narrow(node.test, node.threshold),
            _ => (node.test, 0.0),
        };
        if narrowed.is_nan() {
            return self.test_nothing(x, test, node.missing_left);
        }
        // Ensembles that become code have far fewer nodes than this offset can hold.
        let threshold = self.b.ins().load(self.x, FLAGS, self.thresholds, n as i32 * size as i32);
        let threshold = if self.lanes == 1 { threshold } else { self.b.ins().splat(ty, threshold) };
        let condition = match (test, node.missing_left) {
            (Test::Le, false) => FloatCC::LessThanOrEqual,
            (Test::Le, true) => FloatCC::UnorderedOrLessThanOrEqual,
            (Test::Lt, false) => FloatCC::LessThan,
            (Test::Lt, true) => FloatCC::UnorderedOrLessThan,
            (Test::Ge, false) => FloatCC::GreaterThanOrEqual,
            (Test::Ge, true) => FloatCC::UnorderedOrGreaterThanOrEqual,
            (Test::Gt, false) => FloatCC::GreaterThan,
            (Test::Gt, true) => FloatCC::UnorderedOrGreaterThan,
            (Test::Eq, false) => FloatCC::Equal,
            // Vectors have no condition for these two.
            (Test::Eq, true) => {
                let (equal, nan) = (self.compare(FloatCC::Equal, x, threshold), self.compare(FloatCC::Unordered, x, x));
                return self.b.ins().bor(equal, nan);
            }
            (Test::Ne, false) => {
                let differs = self.compare(FloatCC::NotEqual, x, threshold);
                let number = self.compare(FloatCC::Ordered, x, x);
                return self.b.ins().band(differs, number);
            }
            // An ensemble with sets does not become code.
            (Test::Ne | Test::In, true) => FloatCC::NotEqual,
            (Test::In, false) => FloatCC::Equal,
        };
        self.compare(condition, x, threshold)
    }

    fn compare(&mut self, condition: FloatCC, x: Value, y: Value) -> Value {
        self.b.ins().fcmp(condition, x, y)
    }

    /// The test for being equal to what no f32 is equal to: every number fails it, NaN goes its own way.
    fn test_nothing(&mut self, x: Value, test: Test, missing_left: bool) -> Value {
        let numbers_left = test == Test::Ne;
        if numbers_left != missing_left {
            return self.compare(if missing_left { FloatCC::Unordered } else { FloatCC::Ordered }, x, x);
        }
        if self.lanes == 1 {
            return self.b.ins().iconst(types::I8, i64::from(missing_left));
        }
        let lane = self.b.ins().iconst(self.x.as_int(), -i64::from(missing_left));
        let vector = self.vector(self.x.as_int());
        self.b.ins().splat(vector, lane)
    }
}
