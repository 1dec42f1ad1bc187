//! Tree ensembles: a CASE per tree, added in the order of the trees.

use std::rc::Rc;

use flock_ir_spec::{Attr, Child, Constant, DType, Graph, Node, Op, TreeEnsemble};

use super::{Cell, Lower, Range, Val, number};
use crate::encodings::nested_case::{Ensemble, Feature};
use crate::expr::{Cast, Id, Op2, X};

impl<'m> Lower<'m> {
    pub(super) fn trees(&mut self, graph: &'m Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let module = self.module;
        let ensemble = match &graph.node(node.args[1]).attr {
            Attr::Const(c) => module.constants.get(*c).map(AsRef::as_ref),
            _ => None,
        };
        let Some(Constant::Trees(trees)) = ensemble else { return self.refused(node, "its trees are no constant") };
        if node.op == Op::Leaves {
            return self.refused(node, "the leaves that a row reaches are not emitted as SQL");
        }
        let mut used = vec![false; trees.features as usize];
        trees.nodes.iter().for_each(|n| used[n.feature as usize] = true);
        let mut nulls: Vec<Id> = Vec::new();
        let features: Vec<Feature> =
            (args[0].iter().zip(&used)).map(|(cell, used)| self.feature(cell, *used, trees, &mut nulls)).collect();
        if let Some(size) = large_rounded_set(trees, &features) {
            let why = format!("a set of {size} categories of a feature that is rounded to float32");
            return self.refused(node, &why);
        }
        let index = self.arena.ensembles.len() as u32;
        self.arena.ensembles.push(Ensemble::new(trees, features));
        let leaf = leaf_range(trees);
        (0..trees.outputs)
            .map(|o| {
                let sum = self.tree_sum(trees, index, o, leaf);
                if nulls.is_empty() {
                    return Cell::Val(sum);
                }
                let known = self.arena.and(&nulls);
                let id = self.arena.case(&[(known, sum.id)], None);
                Cell::Val(Val { id, null: true, ..sum })
            })
            .collect()
    }

    fn feature(&mut self, cell: &Cell, used: bool, trees: &TreeEnsemble, nulls: &mut Vec<Id>) -> Feature {
        let narrow = |x: f64| if cell.dtype() == DType::F32 { f64::from(x as f32) } else { x };
        let known = match cell {
            Cell::Const(x, _) => number(x).map(|x| Feature::Constant(narrow(x))),
            Cell::Pick(p) => match (number(&p.yes), number(&p.no)) {
                (Some(yes), Some(no)) => {
                    Some(Feature::Pick { condition: p.condition, yes: narrow(yes), no: narrow(no) })
                }
                _ => None,
            },
            Cell::Dict(_) | Cell::Val(_) => None,
        };
        if let Some(feature) = known {
            return feature;
        }
        let v = self.val(cell);
        if v.null && v.miss {
            let id = self.arena.refuse("trees", "they have to tell null from NaN, and NULL stands for both here");
            return Feature::Value { id, missing: true, rounded: false };
        }
        if v.null {
            nulls.push(self.arena.add(X::IsNotNull(v.id)));
        }
        if !used {
            return Feature::Constant(f64::NAN);
        }
        let v = self.clean(v);
        let rounded = v.wide || (trees.input == DType::F32 && v.dtype == DType::F64);
        Feature::Value { id: v.id, missing: v.miss, rounded }
    }

    /// `base + tree + tree …` for one output.
    fn tree_sum(&mut self, trees: &TreeEnsemble, index: u32, output: u32, leaf: Range) -> Val {
        let base = trees.base[output as usize];
        let own: Vec<(Child, u32)> = trees
            .trees
            .iter()
            .filter(|t| t.target.is_none_or(|o| o == output))
            .map(|t| (t.root, if t.target.is_some() { 0 } else { output }))
            .collect();
        let range = sum_range(leaf, own.len(), base);
        let narrow = trees.sum == DType::F32;
        let rounds = narrow && own.len() + usize::from(base != 0.0) > 1;
        let bounded = range.top < if narrow { f64::from(f32::MAX) / 2.0 } else { f64::MAX / 2.0 };
        let real = self.dialect().real.is_some() && rounds && bounded;
        if rounds && self.dialect().real.is_none() && own.len() > MANY_ROUNDINGS {
            let why = format!("the sum of {} trees in float32, a type that the dialect lacks", own.len());
            let id = self.arena.refuse("trees", why);
            return self.plain(id, trees.sum);
        }
        let id = self.arena.f64(base);
        let base = Val { range: Range::point(base), ..self.plain(id, DType::F64) };
        let mut sum = (base.range.lo != 0.0 || own.is_empty()).then(|| if real { self.real(base) } else { base });
        for (root, offset) in own {
            let id = self.arena.tree(index, root, offset);
            let term = Val { range: leaf, ..self.plain(id, DType::F64) };
            let term = if real { self.real(term) } else { term };
            let added = match sum {
                None => term,
                Some(s) if real || (bounded && !rounds) => Val { id: self.arena.op2(Op2::Add, s.id, term.id), ..s },
                Some(s) => {
                    let added = self.float_op(Op::Add, s, term);
                    let added = Val { range: if bounded { range } else { added.range }, ..added };
                    let added = if rounds { self.narrow(Val { wide: true, ..added }) } else { added };
                    Val { dtype: DType::F64, ..added }
                }
            };
            self.arena.hint(added.id, if trees.outputs == 1 { "score".into() } else { format!("score_{output}") });
            sum = Some(added);
        }
        let sum = sum.unwrap_or(base);
        let id = if real { self.arena.add(X::Cast(Cast::Double, sum.id)) } else { sum.id };
        Val { id, dtype: trees.sum, range, ..sum }
    }

    /// A double that holds a float32, in the dialect's 32-bit type.
    fn real(&mut self, v: Val) -> Val {
        Val { id: self.arena.add(X::Cast(Cast::Real, v.id)), ..v }
    }
}

/// Members of a set that are tested for one by one, each by the doubles that round to it.
const MANY_ROUNDED: u64 = 64;

/// The size of a set that is too large for that.
fn large_rounded_set(trees: &TreeEnsemble, features: &[Feature]) -> Option<u64> {
    let rounded = |f: &Feature| matches!(f, Feature::Value { rounded: true, .. });
    let sets = trees.nodes.iter().filter(|n| rounded(&features[n.feature as usize])).filter_map(|n| n.set());
    sets.map(|set| trees.sets.size(set)).find(|size| *size > MANY_ROUNDED)
}

/// Trees whose sum is rounded to float32 by hand, one stage or more each.
const MANY_ROUNDINGS: usize = 200;

fn leaf_range(trees: &TreeEnsemble) -> Range {
    trees.values.iter().map(|v| Range::point(*v)).reduce(Range::union).unwrap_or(Range::point(0.0))
}

/// Where the sum lies: the extremes of all leaves, as often as there are trees.
fn sum_range(leaf: Range, trees: usize, base: f64) -> Range {
    let n = trees as f64;
    let (lo, hi) = (base + n * leaf.lo, base + n * leaf.hi);
    let lo = if lo.is_nan() { f64::NEG_INFINITY } else { lo };
    let hi = if hi.is_nan() { f64::INFINITY } else { hi };
    Range { lo, hi, top: base.abs() + n * leaf.top, tiny: super::range::LEAST }
}
