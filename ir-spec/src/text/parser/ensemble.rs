//! Ensembles: trees, nodes and leaves, a line each.

use super::{Parser, Tok, index};
use crate::sets::CategorySets;
use crate::trees::{Child, Test, Tree, TreeEnsemble, TreeNode};
use crate::types::{DType, FrameType};

enum EnsembleLine {
    Tree(Tree),
    Node(u32, TreeNode, Option<Vec<[u32; 2]>>),
    Leaf(u32, Vec<f64>),
}

impl<'t> Parser<'t> {
    /// `trees f32[28] -> f64[2] base [0, 0] {`, lines, `}`
    pub(super) fn trees(&mut self) -> Option<TreeEnsemble> {
        self.next();
        let input = self.float_type()?;
        self.expect("->")?;
        let sum = self.float_type()?;
        self.expect_word("base")?;
        let base = self.float_list(sum.dtype)?;
        let mut t = TreeEnsemble {
            features: input.width,
            outputs: sum.width,
            input: input.dtype,
            sum: sum.dtype,
            base,
            trees: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
            values: Vec::new(),
            sets: CategorySets::default(),
        };
        let lines = self.block(|p| p.ensemble_line(sum.dtype).map(|line| (line, p.pos)))?;
        for (line, pos) in lines {
            let (number, expected) = match line {
                EnsembleLine::Tree(tree) => {
                    t.trees.push(tree);
                    continue;
                }
                EnsembleLine::Node(number, mut node, set) => {
                    if let Some(set) = set.and_then(|runs| t.sets.add_runs(runs)) {
                        node.threshold = f64::from(set);
                    }
                    t.nodes.push(node);
                    (number, t.nodes.len() - 1)
                }
                EnsembleLine::Leaf(number, values) => {
                    // More than 2^32 values do not come from a text; an offset that is cut short fails the check.
                    t.leaves.push(t.values.len() as u32);
                    t.values.extend(values);
                    (number, t.leaves.len() - 1)
                }
            };
            if number as usize != expected {
                self.fault("flock::text::name", pos, format!("number {number}, expected {expected}: they are counted"));
                return None;
            }
        }
        Some(t)
    }

    /// `f32[28]`
    fn float_type(&mut self) -> Option<FrameType> {
        let pos = self.pos;
        let ty = self.ty()?;
        if ty.nullable || !matches!(ty.dtype, DType::F32 | DType::F64) {
            self.fault("flock::text::type", pos, format!("trees read and give f32 or f64, not {ty}"));
            return None;
        }
        Some(ty)
    }

    fn ensemble_line(&mut self, sum: DType) -> Option<EnsembleLine> {
        let Tok::Word(word) = self.tok else { return self.expected("`tree`, a node or a leaf") };
        if word == "tree" {
            self.next();
            let root = self.child()?;
            let target = if self.eat("->") { Some(self.integer("an output")?) } else { None };
            return Some(EnsembleLine::Tree(Tree { root, target }));
        }
        if let Some(number) = index(word, 'l') {
            self.next();
            self.expect(":")?;
            return Some(EnsembleLine::Leaf(number, self.float_list(sum)?));
        }
        let number = self.lettered('n')?;
        self.expect(":")?;
        self.tree_node().map(|(node, set)| EnsembleLine::Node(number, node, set))
    }

    /// `x3 <= 0.5 ? n1 : l0 missing left`, `x3 in [0, 4..7] ? n1 : l0`
    fn tree_node(&mut self) -> Option<(TreeNode, Option<Vec<[u32; 2]>>)> {
        let feature = self.lettered('x')?;
        let (test, threshold, set) = if self.eat_word("in") {
            (Test::In, 0.0, Some(self.category_set()?))
        } else {
            let (test, threshold) = self.comparison()?;
            (test, threshold, None)
        };
        self.expect("?")?;
        let left = self.child()?;
        self.expect(":")?;
        let right = self.child()?;
        let missing_left = self.eat_word("missing");
        if missing_left {
            self.expect_word("left")?;
        }
        Some((TreeNode { feature, test, missing_left, threshold, left, right }, set))
    }

    /// `<= 0.5`
    fn comparison(&mut self) -> Option<(Test, f64)> {
        let test = Test::COMPARISONS.into_iter().find(|t| self.is(t.symbol()));
        let Some(test) = test else { return self.expected("a comparison or `in`") };
        self.next();
        let mut threshold = super::values::empty(DType::F64);
        self.value(&mut threshold)?;
        let crate::Data::F64(threshold) = threshold else { return None };
        Some((test, threshold[0]))
    }

    /// `[0, 4..7]`: members and runs of members, the end of a run behind its last.
    fn category_set(&mut self) -> Option<Vec<[u32; 2]>> {
        self.expect("[")?;
        let mut runs = Vec::new();
        while !self.is("]") {
            if !runs.is_empty() {
                self.expect(",")?;
            }
            let pos = self.pos;
            let first: u32 = self.integer("a category")?;
            let end = if self.eat("..") { self.integer("the category behind the last")? } else { u64::from(first) + 1 };
            let Some(last) = end.checked_sub(1).and_then(|l| u32::try_from(l).ok()).filter(|l| first <= *l) else {
                let message = format!("categories {first}..{end} are none, or not below 2^32");
                self.fault("flock::text::value", pos, message);
                return None;
            };
            runs.push([first, last]);
        }
        self.next();
        Some(runs)
    }

    fn child(&mut self) -> Option<Child> {
        if let Tok::Word(w) = self.tok {
            // Bit 31 says leaf.
            let fits = |i: &u32| *i < 1 << 31;
            let child = index(w, 'n').filter(fits).map(Child::node).or(index(w, 'l').filter(fits).map(Child::leaf));
            if let Some(child) = child {
                self.next();
                return Some(child);
            }
        }
        self.expected("a node or a leaf")
    }
}
