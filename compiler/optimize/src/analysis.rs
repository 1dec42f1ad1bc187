//! What is known of a class: its type, whether it is a constant, what it depends on; of a condition what holds under
//! each outcome; of a relation its columns and what holds of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use egg::{Analysis, DidMerge, Id};
use flock_ir_spec::{
    Attr, ColumnDef, ConstId, Constant, DType, Exactness, Frame, FrameType, Function, JoinKind, Op, Pool, Type,
};

use crate::backward;
use crate::cost::CostModel;
use crate::domain::Domain;
use crate::facts::{Facts, Truth};
use crate::language::{Egraph, Enode, Head, Leaf};
use crate::{Limits, Placement};

/// What the whole e-graph shares.
pub struct Ir<'a> {
    /// The constants, those that rules made among them.
    pub pool: Pool,
    /// The functions that calls may name.
    pub functions: &'a [Function],
    /// What a node costs.
    pub cost: &'a dyn CostModel,
    /// Where it will run.
    pub placement: Placement,
    /// The bounds.
    pub limits: Limits,
    /// The size when every call was inlined: what rules add is bounded.
    pub size_before: usize,
    /// The types of parameters and columns.
    pub leaves: HashMap<Leaf, FrameType>,
    /// What rules did wrong, by rule.
    pub faults: Vec<String>,
    /// The rule that runs.
    pub rule: &'static str,
    /// What context rules have tried: rule, class, facts.
    pub tried: HashSet<(&'static str, Id, Facts)>,
}

/// What is known of a class.
#[derive(Clone, Debug)]
pub struct Data {
    /// The type, of a frame; a constant's where it is one.
    pub ty: Option<Type>,
    /// The constant that it is.
    pub constant: Option<ConstId>,
    /// The leaves that it needs, sorted.
    pub free: Arc<[Leaf]>,
    /// Of a condition of width 1: what holds under each outcome.
    pub truth: Option<Arc<Truth>>,
    /// Of a relation: what it gives.
    pub columns: Option<Arc<[ColumnDef]>>,
    /// Of a relation: what holds of its columns.
    pub facts: Option<Arc<Facts>>,
    /// Whether SQL that is not read is in it: such a frame is not moved.
    pub carried: bool,
    /// Whether a representation of it is only equal up to rounding: what a condition says of its value holds of none
    /// of them in particular, so that no facts are drawn from it.
    pub rounded: bool,
    /// The pipeline step that it belongs to.
    pub step: Option<Arc<str>>,
}

impl Data {
    /// The type as an operand.
    pub fn frame(&self) -> Option<FrameType> {
        self.ty.as_ref().and_then(Type::frame)
    }

    /// The number of columns as an operand; 0 where it is no frame.
    pub fn width(&self) -> u32 {
        self.frame().map_or(0, |t| t.width)
    }
}

/// The constant that a class is.
pub fn constant<'g>(g: &'g Egraph<'_>, class: Id) -> Option<&'g Constant> {
    g.analysis.pool.get(g[class].data.constant?).map(AsRef::as_ref)
}

/// The table that a class is.
pub fn table<'g>(g: &'g Egraph<'_>, class: Id) -> Option<&'g Frame> {
    match constant(g, class)? {
        Constant::Table(t) => Some(t),
        Constant::Trees(_) | Constant::Terms(_) => None,
    }
}

/// The class of a constant.
pub fn add_constant(g: &mut Egraph<'_>, constant: impl Into<Constant>) -> Id {
    let id = g.analysis.pool.insert(constant.into());
    g.add(Enode::frame(Op::Const, Attr::Const(id), &[]))
}

/// The type that an operator gives. A cast and a one-hot encoding are held without saying whether they may be null:
/// that follows from the operand, whose class may turn out never to be.
pub fn infer(op: Op, attr: &Attr, args: &[Type]) -> Result<Type, String> {
    match (op, attr, args.first().and_then(Type::frame)) {
        (Op::Cast | Op::OneHot, Attr::Type(t), Some(from)) => {
            let partial = op == Op::Cast && from.dtype.is_float() && t.dtype == DType::I64;
            op.infer(&Attr::Type(t.with_nulls(from.nullable || partial)), args)
        }
        _ => op.infer(attr, args),
    }
}

/// The class of an operator's application; None where the record does not accept the operands.
pub fn add(g: &mut Egraph<'_>, op: Op, attr: Attr, args: &[Id]) -> Option<Id> {
    let attr = match (op, attr) {
        (Op::Cast | Op::OneHot, Attr::Type(t)) => {
            let width = if op == Op::Cast { g[*args.first()?].data.width() } else { t.width };
            Attr::Type(t.with_nulls(false).with_width(width))
        }
        (_, attr) => attr,
    };
    let types: Option<Vec<Type>> = args.iter().map(|a| g[*a].data.ty).collect();
    infer(op, &attr, &types?).ok()?;
    Some(g.add(Enode::frame(op, attr, args)))
}

/// Labels a new class by the step of what it stands for.
pub fn inherit_step(g: &mut Egraph<'_>, new: Id, from: Id) {
    if g[new].data.step.is_none() {
        g[new].data.step = g[from].data.step.clone();
    }
}

/// The same operator on other operands.
pub fn add_like(g: &mut Egraph<'_>, node: &Enode, args: &[Id]) -> Option<Id> {
    match &node.head {
        Head::Frame(op @ (Op::Const | Op::Input | Op::Column), Some(attr)) => {
            Some(g.add(Enode::frame(*op, attr.clone(), &[])))
        }
        Head::Frame(op, Some(attr)) => add(g, *op, attr.clone(), args),
        head => Some(g.add(Enode::new(head.clone(), args))),
    }
}

fn frame_type(g: &mut Egraph<'_>, op: Op, node: &Enode) -> Option<Type> {
    match (op, node.attr()) {
        (Op::Const, Attr::Const(c)) => g.analysis.pool.get(*c).map(|c| c.ty()),
        (Op::Input | Op::Column, _) => g.analysis.leaves.get(&node.leaf()?).map(|t| Type::Frame(*t)),
        (_, attr) => {
            let types: Option<Vec<Type>> = node.children.iter().map(|c| g[*c].data.ty).collect();
            match infer(op, attr, &types?) {
                Ok(ty) => Some(ty),
                Err(why) => {
                    let fault = format!("{}: {op}: {why}", g.analysis.rule);
                    g.analysis.faults.push(fault);
                    None
                }
            }
        }
    }
}

/// What is known of two types of one class: a constant is one, and never null where either is never null.
fn both_types(a: Option<Type>, b: Option<Type>) -> Option<Option<Type>> {
    let (Some(x), Some(y)) = (a, b) else { return (a == b).then_some(a) };
    match (x, y, x.frame(), y.frame()) {
        (Type::Frame(_), Type::Frame(_), Some(s), Some(t)) if (s.dtype, s.width) == (t.dtype, t.width) => {
            Some(Some(Type::Frame(s.with_nulls(s.nullable && t.nullable))))
        }
        (c @ Type::Const { .. }, Type::Frame(_), Some(s), Some(t))
        | (Type::Frame(_), c @ Type::Const { .. }, Some(s), Some(t))
            if (s.dtype, s.width) == (t.dtype, t.width) =>
        {
            Some(Some(c))
        }
        _ => (x == y).then_some(a),
    }
}

/// The union of sorted lists; shares where one holds all.
fn union(lists: &[&Arc<[Leaf]>]) -> Arc<[Leaf]> {
    let Some(longest) = lists.iter().max_by_key(|l| l.len()) else { return Arc::from([]) };
    let extra = lists.iter().flat_map(|l| l.iter()).filter(|l| longest.binary_search(l).is_err());
    let mut extra: Vec<Leaf> = extra.copied().collect();
    if extra.is_empty() {
        return Arc::clone(longest);
    }
    extra.extend(longest.iter());
    extra.sort_unstable();
    extra.dedup();
    extra.into()
}

impl<'a> Analysis<Enode> for Ir<'a> {
    type Data = Data;

    fn make(g: &mut Egraph<'a>, node: &Enode, _: Id) -> Data {
        let Head::Frame(op, _) = node.head else { return relation(g, node) };
        let ty = frame_type(g, op, node);
        let children: Vec<&Arc<[Leaf]>> = node.children.iter().map(|c| &g[*c].data.free).collect();
        let free = node.leaf().map_or_else(|| union(&children), |l| Arc::from([l]));
        let condition = ty.and_then(|t| t.frame()).is_some_and(|t| t.dtype == DType::Bool && t.width == 1);
        let truth = condition.then(|| Arc::new(backward::truth_of(g, node)));
        let constant = if let (Op::Const, Attr::Const(c)) = (op, node.attr()) { Some(*c) } else { None };
        let carried = op == Op::Opaque || node.children.iter().any(|c| g[*c].data.carried);
        let rounded = op.record().exact == Exactness::Reals;
        Data { ty, constant, free, truth, columns: None, facts: None, carried, rounded, step: None }
    }

    fn merge(&mut self, a: &mut Data, b: Data) -> DidMerge {
        let (mut a_changed, mut b_changed) = (false, false);
        let mut note = |a: bool, b: bool| (a_changed, b_changed) = (a_changed || a, b_changed || b);
        let ids = |d: &Data| d.columns.as_ref().map(|c| c.iter().map(|c| c.id).collect::<Vec<_>>());
        let ty = if ids(a) == ids(&b) { both_types(a.ty, b.ty) } else { None };
        if ty.is_none() {
            self.faults.push(format!("{}: equated {:?} with {:?}", self.rule, a.ty, b.ty));
        }
        let ty = ty.unwrap_or(a.ty);
        note(ty != a.ty, ty != b.ty);
        a.ty = ty;
        let constant = a.constant.or(b.constant);
        note(constant != a.constant, constant != b.constant);
        a.constant = constant;
        if a.free != b.free {
            let both: Arc<[Leaf]> = a.free.iter().filter(|l| b.free.contains(l)).copied().collect();
            note(both != a.free, both != b.free);
            a.free = both;
        }
        if let (Some(x), Some(y)) = (&a.truth, &b.truth) {
            let both = Arc::new(x.meet(y));
            note(both != *x, both != *y);
            a.truth = Some(both);
        }
        if let (Some(x), Some(y)) = (&a.facts, &b.facts) {
            let both = Arc::new(x.meet(y));
            note(both != *x, both != *y);
            a.facts = Some(both);
        }
        let carried = a.carried && b.carried;
        note(carried != a.carried, carried != b.carried);
        a.carried = carried;
        let rounded = a.rounded || b.rounded;
        note(rounded != a.rounded, rounded != b.rounded);
        a.rounded = rounded;
        if a.step.is_none() {
            a.step = b.step;
        }
        DidMerge(a_changed, b_changed)
    }
}

/// What is known of a relation.
fn relation(g: &Egraph<'_>, node: &Enode) -> Data {
    let data = |i: usize| &g[node.children[i]].data;
    let columns_of = |i: usize| data(i).columns.clone().unwrap_or_else(|| Arc::from([]));
    let facts_of = |i: usize| data(i).facts.as_deref().cloned().unwrap_or_else(Facts::none);
    let yes = |i: usize| data(i).truth.as_ref().map_or_else(Facts::none, |t| t.yes.clone());
    let (columns, facts) = match &node.head {
        Head::Scan(_, columns) | Head::Opaque(_, columns) => (columns.clone(), Facts::none()),
        Head::Union(columns) => (columns.clone(), union_facts(g, node, columns)),
        Head::Filter => (columns_of(0), facts_of(0).meet(&yes(1))),
        Head::Project(columns) => (columns.clone(), item_facts(g, &facts_of(0), columns, &node.children[1..])),
        Head::Aggregate(keys, aggregates) => {
            let all = keys.iter().cloned().chain(aggregates.iter().map(|a| a.column.clone())).collect();
            let input = facts_of(0);
            (all, if input.is_impossible() { Facts::none() } else { item_facts(g, &input, keys, &node.children[1..]) })
        }
        Head::Join(kind) => {
            let on = if node.children.len() > 2 { yes(2) } else { Facts::none() };
            let (left, right) = (columns_of(0), columns_of(1));
            (join_columns(*kind, &left, &right), join_facts(*kind, (&left, facts_of(0)), (&right, facts_of(1)), &on))
        }
        _ => (columns_of(0), facts_of(0)),
    };
    Data {
        ty: None,
        constant: None,
        free: Arc::from([]),
        truth: None,
        columns: Some(columns),
        facts: Some(Arc::new(facts)),
        carried: false,
        rounded: false,
        step: None,
    }
}

fn join_columns(kind: JoinKind, left: &[ColumnDef], right: &[ColumnDef]) -> Arc<[ColumnDef]> {
    let nulls = |side: &[ColumnDef], yes: bool| -> Vec<ColumnDef> {
        side.iter().map(|c| ColumnDef { ty: c.ty.with_nulls(c.ty.nullable || yes), ..c.clone() }).collect()
    };
    let mut columns = nulls(left, matches!(kind, JoinKind::Right | JoinKind::Full));
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        columns.extend(nulls(right, matches!(kind, JoinKind::Left | JoinKind::Full)));
    }
    columns.into()
}

/// An outer join's null side may be null whatever was known of it.
fn join_facts(kind: JoinKind, left: (&[ColumnDef], Facts), right: (&[ColumnDef], Facts), on: &Facts) -> Facts {
    let within = |side: &[ColumnDef], leaf: Leaf| side.iter().any(|c| Leaf::Column(c.id) == leaf);
    let or_null = |f: &Facts| f.iter().fold(Facts::none(), |all, (l, d)| all.and(l, d.clone().with_null(true)));
    let (l, r) = (left.1, right.1);
    match kind {
        JoinKind::Inner | JoinKind::Cross => l.meet(&r).meet(on),
        JoinKind::Semi => l.meet(&on.about(|x| within(left.0, x))),
        JoinKind::Anti => l,
        JoinKind::Left => l.meet(&or_null(&r.meet(&on.about(|x| within(right.0, x))))),
        JoinKind::Right => r.meet(&or_null(&l.meet(&on.about(|x| within(left.0, x))))),
        JoinKind::Full => or_null(&l).meet(&or_null(&r)),
    }
}

/// What holds of computed columns that are columns of the input or constants.
fn item_facts(g: &Egraph<'_>, input: &Facts, columns: &[ColumnDef], items: &[Id]) -> Facts {
    if input.is_impossible() {
        return Facts::impossible();
    }
    columns.iter().zip(items).fold(Facts::none(), |all, (column, item)| {
        let bare = g[*item].nodes.iter().find_map(Enode::leaf).and_then(|l| input.get(l).cloned());
        let fixed = || table(g, *item).map(|t| Domain::point(&t.get(0, 0), t.dtype()));
        match bare.or_else(fixed) {
            Some(domain) => all.and(Leaf::Column(column.id), domain),
            None => all,
        }
    })
}

/// What holds of a column of every input.
fn union_facts(g: &Egraph<'_>, node: &Enode, columns: &[ColumnDef]) -> Facts {
    let renamed = |input: &Id| -> Option<Facts> {
        let data = &g[*input].data;
        let facts = data.facts.as_ref()?;
        if facts.is_impossible() {
            return Some(Facts::impossible());
        }
        let pairs = columns.iter().zip(data.columns.iter().flat_map(|c| c.iter()));
        Some(pairs.fold(Facts::none(), |all, (to, from)| match facts.get(Leaf::Column(from.id)) {
            Some(d) => all.and(Leaf::Column(to.id), d.clone()),
            None => all,
        }))
    };
    node.children.iter().fold(Facts::impossible(), |all, i| all.join(&renamed(i).unwrap_or_else(Facts::none)))
}
