//! From what a condition says of a value back to what it says of the columns behind it. Monotone steps invert by
//! bisection over the order of their operand, which is exact whatever they round.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use egg::Id;
use flock_ir_spec::{Attr, Composite, DType, Op, Scalar};

use crate::analysis::table;
use crate::domain::{Domain, Ranges, Texts, key, unkey};
use crate::facts::{Facts, Truth};
use crate::language::{Egraph, Enode};

/// Steps that are followed from a condition to a leaf.
const DEPTH: usize = 24;
/// Nodes that are looked at for one condition: representations multiply along a path, and classes may go in circles.
const VISITS: u32 = 4096;
/// Representations of a class that are looked at.
const NODES: usize = 8;
/// Columns of a quantifier, categories of an encoder and elements of a set that are looked at.
const WIDTH: usize = 1 << 16;

/// A walk from a condition to the leaves. Where it stops, nothing is known.
struct Walk {
    visits: Cell<u32>,
    path: RefCell<Vec<(Id, u32)>>,
}

impl Walk {
    /// Walks on from a column of a class, unless the way is too long, has been there, or the visits are used up.
    fn into<T>(&self, class: Id, column: u32, on: impl FnOnce() -> T) -> Option<T> {
        let here = (class, column);
        if self.visits.get() == 0 || self.path.borrow().len() == DEPTH || self.path.borrow().contains(&here) {
            return None;
        }
        self.visits.set(self.visits.get() - 1);
        self.path.borrow_mut().push(here);
        let found = on();
        self.path.borrow_mut().pop();
        Some(found)
    }
}

/// What holds under each outcome of a condition of width 1.
pub fn truth_of(g: &Egraph<'_>, node: &Enode) -> Truth {
    truth_of_node(g, node, 0, &Walk { visits: Cell::new(VISITS), path: RefCell::default() })
}

/// The column of an operand that gives column `column` of an elementwise result.
fn at(g: &Egraph<'_>, operand: Id, column: u32) -> u32 {
    if g[operand].data.width() == 1 { 0 } else { column }
}

/// Where a column of a concat, slice or take comes from.
pub fn source(g: &Egraph<'_>, node: &Enode, column: u32) -> Option<(Id, u32)> {
    match (node.op()?, node.attr()) {
        (Op::Slice, Attr::Range { start, .. }) => Some((node.children[0], start + column)),
        (Op::Take, _) => match table(g, node.children[1])?.get_flat(column as usize) {
            Scalar::I64(c) => Some((node.children[0], c as u32)),
            _ => None,
        },
        (Op::Concat, _) => {
            let mut column = column;
            for c in &node.children {
                let width = g[*c].data.width();
                if column < width {
                    return Some((*c, column));
                }
                column -= width;
            }
            None
        }
        _ => None,
    }
}

fn scalar(g: &Egraph<'_>, class: Id, column: u32) -> Option<Scalar> {
    let t = table(g, class)?;
    (t.rows == 1).then(|| t.get(0, at(g, class, column) as usize))
}

fn truth_at(g: &Egraph<'_>, class: Id, column: u32, w: &Walk) -> Truth {
    let data = &g[class].data;
    if let Some(t) = &data.truth {
        return (**t).clone();
    }
    let nodes = g[class].nodes.iter().take(NODES);
    let all = || nodes.fold(Truth::unknown(), |t, n| t.meet(&truth_of_node(g, n, column, w)));
    w.into(g.find(class), column, all).unwrap_or_else(Truth::unknown)
}

fn truth_of_node(g: &Egraph<'_>, node: &Enode, column: u32, w: &Walk) -> Truth {
    let Some(op) = node.op() else { return Truth::unknown() };
    let c = &node.children;
    let operand = |i: usize| truth_at(g, c[i], at(g, c[i], column), w);
    let holds = |i: usize, d: Domain| constrain(g, c[i], at(g, c[i], column), &d, w);
    let any = |i: usize| g[c[i]].data.frame().map_or(Domain::any(DType::F64), |t| Domain::any(t.dtype));
    match op {
        Op::And => Truth::all((0..c.len()).map(operand).collect::<Vec<_>>().iter()),
        Op::Or => Truth::any(&(0..c.len()).map(operand).collect::<Vec<_>>()),
        Op::Not => operand(0).not(),
        Op::All | Op::Any if (g[c[0]].data.width() as usize) < WIDTH => {
            let each: Vec<Truth> = (0..g[c[0]].data.width()).map(|k| truth_at(g, c[0], k, w)).collect();
            if op == Op::All { Truth::all(each.iter()) } else { Truth::any(&each) }
        }
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => compare(g, op, c, column, w),
        Op::InSet => in_set(g, c, column, w),
        Op::IsNull => {
            let (null, value) = (Domain::none(any(0).dtype).with_null(true), any(0).with_null(false));
            Truth { yes: holds(0, null), no: holds(0, value), null: Facts::impossible() }
        }
        Op::IsNan => Truth {
            yes: holds(0, Domain::none(any(0).dtype).with_nan(true)),
            no: holds(0, any(0).with_null(false).with_nan(false)),
            null: holds(0, Domain::none(any(0).dtype).with_null(true)),
        },
        Op::Composite(Composite::IS_MISSING) => Truth {
            yes: holds(0, Domain::none(any(0).dtype).with_null(true).with_nan(true)),
            no: holds(0, any(0).with_null(false).with_nan(false)),
            null: Facts::impossible(),
        },
        Op::Select => {
            let (p, a, b) = (operand(0), operand(1), operand(2));
            let pick = |f: fn(&Truth) -> &Facts| p.yes.meet(f(&a)).join(&p.not_true().meet(f(&b)));
            Truth { yes: pick(|t| &t.yes), no: pick(|t| &t.no), null: pick(|t| &t.null) }
        }
        Op::Coalesce => {
            let (a, b) = (operand(0), operand(1));
            Truth {
                yes: a.yes.join(&a.null.meet(&b.yes)),
                no: a.no.join(&a.null.meet(&b.no)),
                null: a.null.meet(&b.null),
            }
        }
        Op::Guard => {
            let (p, x) = (operand(0), operand(1));
            Truth { yes: p.yes.meet(&x.yes), no: p.yes.meet(&x.no), null: p.not_true().join(&p.yes.meet(&x.null)) }
        }
        Op::Const => match node_constant(g, node, column) {
            Some(Scalar::Bool(x)) => {
                let when = |is: bool| if is { Facts::none() } else { Facts::impossible() };
                Truth { yes: when(x), no: when(!x), null: Facts::impossible() }
            }
            _ => Truth::unknown(),
        },
        Op::Concat | Op::Slice | Op::Take => {
            source(g, node, column).map_or_else(Truth::unknown, |(from, k)| truth_at(g, from, k, w))
        }
        Op::Input | Op::Column => {
            match node.leaf().filter(|l| g.analysis.leaves.get(l).is_some_and(|t| t.width == 1)) {
                Some(leaf) => {
                    let of = |t, f, n| Facts::of(leaf, Domain::outcomes(t, f, n));
                    Truth { yes: of(true, false, false), no: of(false, true, false), null: of(false, false, true) }
                }
                None => Truth::unknown(),
            }
        }
        _ => Truth::unknown(),
    }
}

/// The element of a constant node, whose class may not exist yet.
fn node_constant(g: &Egraph<'_>, node: &Enode, column: u32) -> Option<Scalar> {
    let Attr::Const(id) = node.attr() else { return None };
    let t = g.analysis.pool.table(*id)?;
    (t.rows == 1 && !t.is_empty()).then(|| t.get(0, if t.width == 1 { 0 } else { column as usize }))
}

/// The elements for which `x OP v` is true; NaN and null apart.
fn satisfying(op: Op, v: &Scalar, dtype: DType) -> Option<Domain> {
    let point = Domain::point(v, dtype);
    if dtype == DType::Str {
        return match op {
            Op::Eq => Some(point),
            Op::Ne => Some(point.complement()),
            _ => None,
        };
    }
    let all = Ranges::all(dtype);
    let Some((k, _)) = point.ranges().bounds() else {
        // NaN: only `ne` holds.
        return Some(Domain::numbers(dtype, if op == Op::Ne { all } else { Ranges::new(Vec::new()) }));
    };
    let below = |k: Option<i64>| k.map_or(Ranges::new(Vec::new()), |k| all.meet(&Ranges::one(i64::MIN, k)));
    let ranges = match op {
        Op::Eq => Ranges::one(k, k),
        Op::Ne => all.minus(&Ranges::one(k, k)),
        Op::Lt => below(k.checked_sub(1)),
        Op::Le => below(Some(k)),
        Op::Gt => all.minus(&below(Some(k))),
        _ => all.minus(&below(k.checked_sub(1))),
    };
    Some(Domain::numbers(dtype, ranges))
}

fn mirrored(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        other => other,
    }
}

fn compare(g: &Egraph<'_>, op: Op, c: &[Id], column: u32, w: &Walk) -> Truth {
    let Some(dtype) = g[c[0]].data.frame().map(|t| t.dtype) else { return Truth::unknown() };
    let one_sided = |x: Id, op: Op, v: &Scalar| {
        let yes = satisfying(op, v, dtype)?;
        let nan = dtype.is_float();
        let holds = |d: Domain| constrain(g, x, at(g, x, column), &d, w);
        let no = yes.clone().with_nan(nan).complement().with_nan(nan && op != Op::Ne);
        Some(Truth {
            yes: holds(yes.with_nan(nan && op == Op::Ne)),
            no: holds(no),
            null: holds(Domain::none(dtype).with_null(true)),
        })
    };
    let found = match (scalar(g, c[0], column), scalar(g, c[1], column)) {
        (_, Some(v)) => one_sided(c[0], op, &v),
        (Some(v), None) => one_sided(c[1], mirrored(op), &v),
        (None, None) => None,
    };
    found.unwrap_or_else(|| {
        let not_null = |nan: bool| {
            let d = Domain::any(dtype).with_null(false).with_nan(nan && dtype.is_float());
            let side = |x: Id| constrain(g, x, at(g, x, column), &d, w);
            side(c[0]).meet(&side(c[1]))
        };
        Truth { yes: not_null(op == Op::Ne), no: not_null(op != Op::Ne || dtype == DType::Str), null: Facts::none() }
    })
}

fn in_set(g: &Egraph<'_>, c: &[Id], column: u32, w: &Walk) -> Truth {
    let Some(set) = table(g, c[1]).filter(|t| t.len() < WIDTH) else { return Truth::unknown() };
    let dtype = set.dtype();
    let points = (0..set.len()).map(|i| Domain::point(&set.get_flat(i), dtype));
    let inside = match dtype {
        DType::Str => Domain::texts(Texts::Only(Arc::new(texts(set.as_str().unwrap_or(&[]))))),
        _ => Domain::numbers(dtype, Ranges::new(points.flat_map(|p| p.ranges().pieces().to_vec()).collect())),
    };
    let holds = |d: Domain| constrain(g, c[0], at(g, c[0], column), &d, w);
    // Many points are held as the range around them, whose outside is not the outside of the set.
    let outside = if dtype == DType::Str || inside.ranges().pieces().len() > 1 || set.len() == 1 {
        inside.complement()
    } else {
        Domain::any(dtype).with_null(false)
    };
    Truth {
        yes: holds(inside),
        no: holds(outside.with_nan(dtype.is_float())),
        null: holds(Domain::none(dtype).with_null(true)),
    }
}

fn texts(of: &[Arc<str>]) -> BTreeSet<Arc<str>> {
    of.iter().cloned().collect()
}

/// What holds of leaves where column `column` of a class is in a domain.
fn constrain(g: &Egraph<'_>, class: Id, column: u32, domain: &Domain, w: &Walk) -> Facts {
    let Some(ty) = g[class].data.frame() else { return Facts::none() };
    let full = Domain::full(ty);
    let domain = domain.meet(&full);
    if domain.is_empty() {
        return Facts::impossible();
    }
    if domain == full || g[class].data.rounded {
        return Facts::none();
    }
    let nodes = g[class].nodes.iter().take(NODES);
    let all = || nodes.fold(Facts::none(), |f, n| f.meet(&constrain_node(g, n, column, &domain, w)));
    w.into(g.find(class), column, all).unwrap_or_else(Facts::none)
}

fn constrain_node(g: &Egraph<'_>, node: &Enode, column: u32, domain: &Domain, w: &Walk) -> Facts {
    let Some(op) = node.op() else { return Facts::none() };
    let c = &node.children;
    let back = |i: usize, d: &Domain| constrain(g, c[i], at(g, c[i], column), d, w);
    if let Some(leaf) = node.leaf() {
        return if g.analysis.leaves.get(&leaf).is_some_and(|t| t.width == 1) {
            Facts::of(leaf, domain.clone())
        } else {
            Facts::none()
        };
    }
    match op {
        Op::Const => match node_constant(g, node, column) {
            Some(v) if !domain.contains(&v) => Facts::impossible(),
            _ => Facts::none(),
        },
        Op::Concat | Op::Slice | Op::Take => {
            source(g, node, column).map_or_else(Facts::none, |(from, k)| constrain(g, from, k, domain, w))
        }
        Op::Coalesce => match scalar(g, c[1], column) {
            Some(v) => back(0, &domain.clone().with_null(domain.contains(&v))),
            None => back(0, &domain.clone().with_null(true)),
        },
        Op::Select => {
            let p = truth_at(g, c[0], at(g, c[0], column), w);
            p.yes.meet(&back(1, domain)).join(&p.not_true().meet(&back(2, domain)))
        }
        Op::Guard => {
            let p = truth_at(g, c[0], at(g, c[0], column), w);
            let inside = p.yes.meet(&back(1, domain));
            if domain.null { inside.join(&p.not_true()) } else { inside }
        }
        _ if is_condition(op) => truth_of_node(g, node, column, w).within(domain),
        Op::IndexOf => encoded(g, c, domain).map_or_else(Facts::none, |d| back(0, &d)),
        Op::OneHot => {
            let one = domain.ranges().contains(key(1.0));
            let zero = domain.ranges().contains(key(0.0));
            let point = Ranges::one(i64::from(column), i64::from(column));
            let ranges = match (one, zero) {
                (true, true) => Ranges::all(DType::I64),
                (true, false) => point,
                (false, true) => Ranges::all(DType::I64).minus(&point),
                (false, false) => Ranges::new(Vec::new()),
            };
            constrain(g, c[0], 0, &Domain::numbers(DType::I64, ranges).with_null(domain.null), w)
        }
        _ => match step(g, node, column) {
            Some((i, f)) => back(i, &f.preimage(domain)),
            None => Facts::none(),
        },
    }
}

fn is_condition(op: Op) -> bool {
    matches!(
        op,
        Op::And
            | Op::Or
            | Op::Not
            | Op::All
            | Op::Any
            | Op::InSet
            | Op::IsNull
            | Op::IsNan
            | Op::Eq
            | Op::Ne
            | Op::Lt
            | Op::Le
            | Op::Gt
            | Op::Ge
            | Op::Composite(Composite::IS_MISSING)
    )
}

/// The values that an encoder maps into a domain of indices.
fn encoded(g: &Egraph<'_>, c: &[Id], indices: &Domain) -> Option<Domain> {
    let categories = table(g, c[1]).filter(|t| t.len() < WIDTH)?;
    let (dtype, wanted) = (categories.dtype(), indices.ranges());
    let unknown = wanted.contains(-1);
    // The values that are not wanted are excluded where the unknown are wanted; else the wanted are all there is.
    // Of equal categories the first counts.
    let mut seen = std::collections::HashSet::new();
    let mut first = |i: &usize| categories.as_str().is_none_or(|s| seen.insert(&s[*i]));
    let chosen = (0..categories.len()).filter(|i| first(i) && wanted.contains(*i as i64) != unknown);
    let values: Vec<Scalar> = chosen.map(|i| categories.get_flat(i)).collect();
    let domain = match dtype {
        DType::Str => {
            let set = Arc::new(
                values.iter().filter_map(|v| if let Scalar::Str(s) = v { Some(s.clone()) } else { None }).collect(),
            );
            Domain::texts(if unknown { Texts::Except(set) } else { Texts::Only(set) })
        }
        _ if unknown => return None,
        _ => {
            let nan = values.iter().any(|v| Domain::point(v, dtype).nan);
            let pieces = values.iter().flat_map(|v| Domain::point(v, dtype).ranges().pieces().to_vec()).collect();
            Domain::numbers(dtype, Ranges::new(pieces)).with_nan(nan)
        }
    };
    Some(domain.with_null(indices.null))
}

/// A monotone function of one operand.
pub struct Step {
    /// The operand's dtype: a number.
    from: DType,
    /// On numbers; may give NaN at the infinities alone.
    f: Box<dyn Fn(f64) -> f64>,
    /// Whether it falls.
    falls: bool,
}

/// The step from an operand to the result, and which operand, where it is monotone in it and the rest is constant.
fn step(g: &Egraph<'_>, node: &Enode, column: u32) -> Option<(usize, Step)> {
    let op = node.op()?;
    let dtype = g[*node.children.first()?].data.frame()?.dtype;
    let round = move |x: f64| if dtype == DType::F32 { f64::from(x as f32) } else { x };
    let constant = |i: usize| -> Option<f64> {
        match scalar(g, *node.children.get(i)?, column)? {
            Scalar::F64(x) => Some(x),
            Scalar::F32(x) => Some(f64::from(x)),
            _ => None,
        }
        .filter(|x| x.is_finite())
    };
    let step = |falls: bool, f: Box<dyn Fn(f64) -> f64>| Some(Step { from: dtype, f, falls });
    if op == Op::Cast {
        return match (dtype, g_type(node)?) {
            (DType::F64 | DType::F32 | DType::I64 | DType::Bool, DType::F64) => step(false, Box::new(|x| x)),
            (DType::F64 | DType::Bool, DType::F32) => step(false, Box::new(|x| f64::from(x as f32))),
            _ => None,
        }
        .map(|s| (0, s));
    }
    if !dtype.is_float() {
        return None;
    }
    match (op, constant(0), constant(1)) {
        (Op::Add, None, Some(k)) => step(false, Box::new(move |x| round(round(x) + k))).map(|s| (0, s)),
        (Op::Add, Some(k), None) => step(false, Box::new(move |x| round(k + round(x)))).map(|s| (1, s)),
        (Op::Sub, None, Some(k)) => step(false, Box::new(move |x| round(round(x) - k))).map(|s| (0, s)),
        (Op::Sub, Some(k), None) => step(true, Box::new(move |x| round(k - round(x)))).map(|s| (1, s)),
        (Op::Mul, None, Some(k)) => step(k < 0.0, Box::new(move |x| round(round(x) * k))).map(|s| (0, s)),
        (Op::Mul, Some(k), None) => step(k < 0.0, Box::new(move |x| round(k * round(x)))).map(|s| (1, s)),
        (Op::Div, None, Some(k)) if k != 0.0 => step(k < 0.0, Box::new(move |x| round(round(x) / k))).map(|s| (0, s)),
        (Op::Min, None, Some(k)) => step(false, Box::new(move |x| round(x).min(k))).map(|s| (0, s)),
        (Op::Max, None, Some(k)) => step(false, Box::new(move |x| round(x).max(k))).map(|s| (0, s)),
        (Op::Neg, _, _) => step(true, Box::new(|x| -x)).map(|s| (0, s)),
        (Op::Floor, _, _) => step(false, Box::new(f64::floor)).map(|s| (0, s)),
        (Op::Ceil, _, _) => step(false, Box::new(f64::ceil)).map(|s| (0, s)),
        (Op::Round, _, _) => step(false, Box::new(f64::round_ties_even)).map(|s| (0, s)),
        _ => None,
    }
}

fn g_type(node: &Enode) -> Option<DType> {
    if let Attr::Type(t) = node.attr() { Some(t.dtype) } else { None }
}

impl Step {
    /// The operands that give a value of the domain.
    fn preimage(&self, domain: &Domain) -> Domain {
        let integer = matches!(self.from, DType::I64 | DType::Bool);
        let value = |k: i64| if integer { k as f64 } else { unkey(k) };
        let sign = if self.falls { -1 } else { 1 };
        let result = |k: i64| {
            let y = (self.f)(value(k));
            if y.is_nan() { None } else { Some(sign * key(y)) }
        };
        let all = Ranges::all(self.from);
        let Some((mut lo, mut hi)) = all.bounds() else { return Domain::any(self.from) };
        let mut pieces = Vec::new();
        if !integer {
            let inside = |k: i64| result(k).map_or(domain.nan, |y| domain.ranges().contains(sign * y));
            pieces.extend([lo, hi].into_iter().filter(|k| inside(*k)).map(|k| (k, k)));
            (lo, hi) = (lo + 1, hi - 1);
        }
        for (a, b) in domain.ranges().pieces() {
            let (a, b) = if self.falls { (-*b, -*a) } else { (*a, *b) };
            let first = partition(lo, hi, |k| result(k).is_some_and(|y| y < a));
            let end = partition(lo, hi, |k| result(k).is_some_and(|y| y <= b));
            if let (Some(first), Some(last)) = (first, end.map_or(Some(hi), |e| e.checked_sub(1))) {
                pieces.push((first, last));
            }
        }
        Domain::numbers(self.from, Ranges::new(pieces))
            .with_null(domain.null)
            .with_nan(domain.nan && self.from.is_float())
    }
}

/// The first key of `lo..=hi` for which `before` is false; None where it is true of all.
fn partition(lo: i64, hi: i64, before: impl Fn(i64) -> bool) -> Option<i64> {
    let (mut lo, mut hi) = (i128::from(lo), i128::from(hi) + 1);
    let end = hi;
    while lo < hi {
        let mid = lo + (hi - lo) / 2;
        if before(mid as i64) { lo = mid + 1 } else { hi = mid }
    }
    (lo < end).then_some(lo as i64)
}
