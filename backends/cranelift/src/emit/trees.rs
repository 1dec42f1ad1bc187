//! An ensemble as code: what suits few nodes, where reading them as data costs more than the tests.
//!
//! ```text
//! trees_0(x, out, leaves, rows):
//!     for i in 0..rows:
//!         sum = base                       // a later function starts from out[i]
//!         at = x[3][i] <= 0.5 ? (x[1][i] < 2 ? leaf_0 : leaf_1) : leaf_2     // few nodes: chosen, no branch
//!         sum += leaves[at]
//!         node_0: branch x[7][i] <= 1 …    // more nodes: a block per node
//!         out[i] = sum
//! ```
//! The trees' order of addition is kept, and every addition is in the type of the sums. NaN goes where the node says:
//! that choice is part of the comparison's condition code.

use cranelift::module::{FuncId, Linkage, Module, ModuleError};
use cranelift::prelude::*;
use flock_ir_spec::{Child, Constant, DType, Test, Tree, TreeEnsemble, TreeNode};

use super::{FLAGS, Writer, counted, entry_block};
use crate::plan::{Plan, TreeCode};

/// Nodes up to which all of a tree is computed and one leaf chosen.
const CHOSEN: usize = 8;
/// Nodes of one function.
const PER_FUNCTION: usize = 512;

impl<M: Module> Writer<'_, M> {
    /// The functions of an ensemble, to be called in order.
    pub(super) fn ensemble(&mut self, plan: &Plan, code: &TreeCode) -> Result<Vec<FuncId>, ModuleError> {
        let Some(Constant::Trees(t)) = plan.flat.pool.get(code.ensemble).map(AsRef::as_ref) else {
            return Ok(Vec::new());
        };
        let sizes: Vec<usize> = t.trees.iter().map(|tree| reachable(t, tree).len()).collect();
        let mut functions = Vec::new();
        let mut first = 0;
        loop {
            let mut nodes = 0;
            let fits = |n: &&usize| {
                nodes += **n + 1;
                nodes <= PER_FUNCTION
            };
            let n = sizes[first..].iter().take_while(fits).count().max(1).min(t.trees.len() - first);
            functions.push(self.some_trees(plan, t, code, first..first + n)?);
            first += n;
            if first >= t.trees.len() {
                return Ok(functions);
            }
        }
    }

    fn some_trees(
        &mut self,
        plan: &Plan,
        t: &TreeEnsemble,
        code: &TreeCode,
        range: std::ops::Range<usize>,
    ) -> Result<FuncId, ModuleError> {
        let mut signature = self.module.make_signature();
        signature.params.extend([AbiParam::new(types::I64); 4]);
        let symbol = self.tree_symbol();
        let stride = plan.block_rows as i64;
        let x = if code.x.size == 4 { DType::F32 } else { DType::F64 };
        self.function(&symbol, Linkage::Local, signature, |_, b| {
            let [frame, out, leaves, rows] = *b.block_params(entry_block(b)) else { return Ok(()) };
            counted(b, rows, |b, i| {
                let mut row = Row { b, t, x, frame, leaves, out, stride, i };
                let sums = row.start(range.start == 0);
                range.for_each(|tree| row.add(&t.trees[tree], &sums));
                row.finish(&sums);
            });
            b.ins().return_(&[]);
            Ok(())
        })
    }
}

/// The nodes of a tree, ascending: children come after their parents, and a node has one parent.
pub(crate) fn reachable(t: &TreeEnsemble, tree: &Tree) -> Vec<usize> {
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

/// One row of a block.
struct Row<'r, 'f> {
    b: &'r mut FunctionBuilder<'f>,
    t: &'r TreeEnsemble,
    x: DType,
    frame: Value,
    leaves: Value,
    out: Value,
    stride: i64,
    i: Value,
}

impl Row<'_, '_> {
    fn sum_type(&self) -> (Type, i64) {
        if self.t.sum == DType::F32 { (types::F32, 4) } else { (types::F64, 8) }
    }

    /// The address of output o.
    fn output(&mut self, o: i64, size: i64) -> Value {
        let column = self.b.ins().iadd_imm_s(self.out, o * self.stride * size);
        super::loops::element_address(self.b, column, self.i, size as u8)
    }

    /// A variable per output, at its base or at what the trees before have left.
    fn start(&mut self, base: bool) -> Vec<Variable> {
        let (ty, size) = self.sum_type();
        (0..i64::from(self.t.outputs))
            .map(|o| {
                let value = if base {
                    let x = self.t.base.get(o as usize).copied().unwrap_or(0.0);
                    if size == 4 { self.b.ins().f32const(x as f32) } else { self.b.ins().f64const(x) }
                } else {
                    let at = self.output(o, size);
                    self.b.ins().load(ty, FLAGS, at, 0)
                };
                let sum = self.b.declare_var(ty);
                self.b.def_var(sum, value);
                sum
            })
            .collect()
    }

    fn finish(&mut self, sums: &[Variable]) {
        let (_, size) = self.sum_type();
        for (o, sum) in sums.iter().enumerate() {
            let (at, value) = (self.output(o as i64, size), self.b.use_var(*sum));
            self.b.ins().store(FLAGS, value, at, 0);
        }
    }

    /// Adds what a tree says.
    fn add(&mut self, tree: &Tree, sums: &[Variable]) {
        let nodes = reachable(self.t, tree);
        let start = if nodes.len() <= CHOSEN { self.chosen(tree, &nodes) } else { self.branched(tree, &nodes) };
        let (ty, size) = self.sum_type();
        let bytes = self.b.ins().ishl_imm_u(start, i64::from(size.trailing_zeros()));
        let at = self.b.ins().iadd(self.leaves, bytes);
        let targets = match tree.target {
            Some(o) => o as usize..o as usize + 1,
            None => 0..sums.len(),
        };
        for (k, o) in targets.enumerate() {
            let Some(variable) = sums.get(o) else { continue };
            let value = self.b.ins().load(ty, FLAGS.with_readonly(), at, (k as i64 * size) as i32);
            let sum = self.b.use_var(*variable);
            let sum = self.b.ins().fadd(sum, value);
            self.b.def_var(*variable, sum);
        }
    }

    /// Where a leaf's values start.
    fn leaf(&mut self, child: Child) -> Value {
        let start = child.as_leaf().and_then(|l| self.t.leaves.get(l)).copied().unwrap_or(0);
        self.b.ins().iconst(types::I64, i64::from(start))
    }

    /// All nodes, the last ones first; each chooses between what its children have chosen.
    fn chosen(&mut self, tree: &Tree, nodes: &[usize]) -> Value {
        let mut values = std::collections::HashMap::new();
        for n in nodes.iter().rev() {
            let node = self.t.nodes[*n];
            let [left, right] = [node.left, node.right].map(|c| match c.as_node().and_then(|n| values.get(&n)) {
                Some(v) => *v,
                None => self.leaf(c),
            });
            let goes_left = self.test(&node);
            let value = self.b.ins().select(goes_left, left, right);
            values.insert(*n, value);
        }
        match tree.root.as_node().and_then(|n| values.get(&n)) {
            Some(v) => *v,
            None => self.leaf(tree.root),
        }
    }

    /// A block per node; the leaf arrives as a parameter of the last block.
    fn branched(&mut self, tree: &Tree, nodes: &[usize]) -> Value {
        let arrived = self.b.create_block();
        let leaf = self.b.append_block_param(arrived, types::I64);
        let blocks: std::collections::HashMap<usize, Block> =
            nodes.iter().map(|n| (*n, self.b.create_block())).collect();
        let to = |child: Child| child.as_node().and_then(|n| blocks.get(&n)).copied();
        if let Some(root) = to(tree.root) {
            self.b.ins().jump(root, &[]);
        }
        for n in nodes {
            let node = self.t.nodes[*n];
            self.b.switch_to_block(blocks[n]);
            let goes_left = self.test(&node);
            let [left, right] = [node.left, node.right].map(|c| match to(c) {
                Some(block) => (block, None),
                None => (arrived, Some(self.leaf(c))),
            });
            let [left_args, right_args] = [left.1, right.1].map(|v| v.map(codegen::ir::BlockArg::from));
            self.b.ins().brif(goes_left, left.0, left_args.as_slice(), right.0, right_args.as_slice());
        }
        self.b.switch_to_block(arrived);
        leaf
    }

    /// Whether the row goes left. Features are compared in f64, which holds every f32; NaN is in the condition.
    fn test(&mut self, node: &TreeNode) -> Value {
        let size: i64 = if self.x == DType::F32 { 4 } else { 8 };
        let column = self.b.ins().iadd_imm_s(self.frame, i64::from(node.feature) * self.stride * size);
        let at = super::loops::element_address(self.b, column, self.i, size as u8);
        let x = match self.x {
            DType::F32 => {
                let x = self.b.ins().load(types::F32, FLAGS, at, 0);
                self.b.ins().fpromote(types::F64, x)
            }
            _ => self.b.ins().load(types::F64, FLAGS, at, 0),
        };
        let threshold = self.b.ins().f64const(node.threshold);
        let condition = match (node.test, node.missing_left) {
            (Test::Le, false) => FloatCC::LessThanOrEqual,
            (Test::Le, true) => FloatCC::UnorderedOrLessThanOrEqual,
            (Test::Lt, false) => FloatCC::LessThan,
            (Test::Lt, true) => FloatCC::UnorderedOrLessThan,
            (Test::Ge, false) => FloatCC::GreaterThanOrEqual,
            (Test::Ge, true) => FloatCC::UnorderedOrGreaterThanOrEqual,
            (Test::Gt, false) => FloatCC::GreaterThan,
            (Test::Gt, true) => FloatCC::UnorderedOrGreaterThan,
            (Test::Eq, false) => FloatCC::Equal,
            (Test::Eq, true) => FloatCC::UnorderedOrEqual,
            (Test::Ne, false) => FloatCC::OrderedNotEqual,
            (Test::Ne, true) => FloatCC::NotEqual,
        };
        self.b.ins().fcmp(condition, x, threshold)
    }
}
