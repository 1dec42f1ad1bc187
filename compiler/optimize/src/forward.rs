//! From what is known of leaves forward to what the columns of a frame may be.

use std::sync::Arc;

use egg::Id;
use flock_ir_spec::ops::NullRule;
use flock_ir_spec::{Attr, Composite, DType, FrameType, Op, Scalar};

use crate::analysis::{constant, table};
use crate::backward::source;
use crate::domain::{Domain, Ranges, Texts, Values, key, unkey};
use crate::facts::Facts;
use crate::language::{Egraph, Enode};

/// A frame wider than this is not looked into.
pub const WIDEST: u32 = 1 << 16;
/// Pairs of pieces that are combined one by one.
const MOST_PAIRS: usize = 64;

/// Per column what it may be.
pub type Domains = Arc<[Domain]>;

/// Everything of a type.
pub fn full(ty: FrameType) -> Domains {
    vec![Domain::full(ty.with_width(1)); ty.width.min(WIDEST) as usize].into()
}

/// What the columns of a node may be, from those of its operands.
pub fn domains(g: &Egraph<'_>, node: &Enode, ty: FrameType, args: &[Domains], facts: &Facts) -> Domains {
    if ty.width > WIDEST {
        return full(ty);
    }
    let Some(op) = node.op() else { return full(ty) };
    if let Some(leaf) = node.leaf() {
        return match facts.get(leaf) {
            Some(d) if ty.width == 1 => vec![d.clone()].into(),
            _ => full(ty),
        };
    }
    match op {
        Op::Const => constant_domains(g, node).unwrap_or_else(|| full(ty)),
        Op::Null => vec![Domain::none(ty.dtype).with_null(true); ty.width as usize].into(),
        Op::Concat => args.iter().flat_map(|a| a.iter().cloned()).collect(),
        Op::Slice | Op::Take => (0..ty.width)
            .map(|k| match source(g, node, k) {
                Some((_, from)) => args[0].get(from as usize).cloned().unwrap_or_else(|| Domain::full(ty)),
                None => Domain::full(ty),
            })
            .collect(),
        Op::OneHot => (0..ty.width).map(|k| one_hot(&args[0][0], k, ty.dtype)).collect(),
        Op::Lookup => lookup(g, node, ty, &args[0][0]),
        Op::All | Op::Any => vec![quantified(op, args[0].iter())].into(),
        _ => (0..ty.width as usize)
            .map(|k| {
                let operand = |i: usize| args.get(i).and_then(|a| a.get(if a.len() == 1 { 0 } else { k }));
                element(g, op, node, ty, &operand).unwrap_or_else(|| unread(op, ty, args))
            })
            .collect(),
    }
}

/// Anything; of a strict operator null only where an operand may be, or where an integer may not exist.
fn unread(op: Op, ty: FrameType, args: &[Domains]) -> Domain {
    let strict = op.record().nulls == NullRule::Strict && ty.dtype != DType::I64;
    let null = ty.nullable && (!strict || args.iter().flat_map(|a| a.iter()).any(|d| d.null));
    Domain::full(ty.with_width(1)).with_null(null)
}

fn constant_domains(g: &Egraph<'_>, node: &Enode) -> Option<Domains> {
    let Attr::Const(id) = node.attr() else { return None };
    let t = g.analysis.pool.table(*id).filter(|t| t.rows == 1)?;
    Some((0..t.width).map(|k| Domain::point(&t.get(0, k), t.dtype())).collect())
}

fn one_hot(index: &Domain, column: u32, dtype: DType) -> Domain {
    let r = index.ranges();
    let (k, one) = (i64::from(column), key(1.0));
    let others = !r.is_empty() && r.pieces() != [(k, k)];
    let pieces = [(r.contains(k), one), (others, 0)].into_iter().filter(|(is, _)| *is).map(|(_, v)| (v, v)).collect();
    Domain::numbers(dtype, Ranges::new(pieces)).with_null(index.null)
}

fn lookup(g: &Egraph<'_>, node: &Enode, ty: FrameType, index: &Domain) -> Domains {
    let Some(t) = table(g, node.children[1]) else { return full(ty) };
    let r = index.ranges();
    let rows: Vec<usize> = (0..t.rows).filter(|i| r.contains(*i as i64)).collect();
    let outside = !r.minus(&Ranges::one(0, t.rows as i64 - 1)).is_empty();
    let zero = match t.dtype() {
        DType::Str => Domain::texts(Texts::Only(Arc::new([Arc::from("")].into()))),
        dtype => Domain::numbers(dtype, Ranges::one(0, 0)),
    };
    (0..t.width)
        .map(|k| {
            let start = if outside { zero.clone() } else { Domain::none(t.dtype()) };
            let points: Vec<Domain> = rows.iter().map(|i| Domain::point(&t.get(*i, k), t.dtype())).collect();
            join_all(start, &points).with_null(index.null)
        })
        .collect()
}

/// The join of many, at once.
fn join_all(start: Domain, points: &[Domain]) -> Domain {
    if matches!(start.values, Values::Texts(_)) {
        return points.iter().fold(start, |a, p| a.join(p));
    }
    let pieces = points.iter().chain([&start]).flat_map(|p| p.ranges().pieces().to_vec()).collect();
    Domain { nan: points.iter().any(|p| p.nan), values: Values::Numbers(Ranges::new(pieces)), ..start }
}

fn outcomes(d: &Domain) -> (bool, bool, bool) {
    let r = d.ranges();
    (r.contains(1), r.contains(0), d.null)
}

fn quantified<'d>(op: Op, of: impl Iterator<Item = &'d Domain> + Clone) -> Domain {
    let of = of.map(outcomes);
    if matches!(op, Op::All | Op::And) {
        let (mut yes, mut no, mut null) = (true, false, false);
        for (t, f, n) in of.clone() {
            (yes, no, null) = (yes && t, no || f, null || n);
        }
        Domain::outcomes(yes, no, null && of.clone().all(|(t, _, n)| t || n))
    } else {
        let (mut yes, mut no, mut null) = (false, true, false);
        for (t, f, n) in of.clone() {
            (yes, no, null) = (yes || t, no && f, null || n);
        }
        Domain::outcomes(yes, no, null && of.clone().all(|(_, f, n)| f || n))
    }
}

/// One element of an elementwise operator.
fn element<'d>(
    g: &Egraph<'_>,
    op: Op,
    node: &Enode,
    ty: FrameType,
    operand: &dyn Fn(usize) -> Option<&'d Domain>,
) -> Option<Domain> {
    let (a, b) = (operand(0)?, operand(1));
    Some(match op {
        Op::And | Op::Or => {
            quantified(op, (0..node.children.len()).filter_map(operand).collect::<Vec<_>>().into_iter())
        }
        Op::Not => {
            let (t, f, n) = outcomes(a);
            Domain::outcomes(f, t, n)
        }
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => compared(op, a, b?),
        Op::IsNull => Domain::outcomes(a.null, a.nan || !a.has_no_value(), false),
        Op::IsNan => Domain::outcomes(a.nan, !a.has_no_value(), a.null),
        Op::Composite(Composite::IS_MISSING) => Domain::outcomes(a.nan || a.null, !a.has_no_value(), false),
        Op::InSet => in_set(g, node, a)?,
        Op::Select => {
            let (t, f, n) = outcomes(a);
            let branch = |taken: bool, i: usize| if taken { operand(i).cloned() } else { Some(Domain::none(ty.dtype)) };
            branch(t, 1)?.join(&branch(f || n, 2)?)
        }
        Op::Coalesce => {
            if a.null {
                a.clone().with_null(false).join(b?)
            } else {
                a.clone()
            }
        }
        Op::Guard => {
            let (t, f, n) = outcomes(a);
            let x = if t { b?.clone() } else { Domain::none(ty.dtype) };
            let null = x.null || f || n;
            x.with_null(null)
        }
        Op::IndexOf => index_of(g, node, a)?,
        Op::Bucketize => {
            let edges = table(g, node.children[1])?.len() as i64;
            Domain::numbers(DType::I64, Ranges::one(0, edges)).with_null(a.null)
        }
        Op::Cast => cast(a, ty)?,
        Op::Floor => image(a, ty, f64::floor),
        Op::Ceil => image(a, ty, f64::ceil),
        Op::Round => image(a, ty, f64::round_ties_even),
        Op::Neg if ty.dtype.is_float() => image(a, ty, |x| -x),
        Op::Abs if ty.dtype.is_float() => {
            let negative = a.meet(&Domain::numbers(a.dtype, Ranges::one(i64::MIN, 0)));
            let positive = a.meet(&Domain::numbers(a.dtype, Ranges::one(0, i64::MAX)));
            image(&negative, ty, |x| -x).join(&positive).with_null(a.null).with_nan(a.nan)
        }
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Min | Op::Max if ty.dtype.is_float() => arithmetic(op, a, b?, ty),
        _ => return None,
    })
}

fn compared(op: Op, a: &Domain, b: &Domain) -> Domain {
    let null = a.null || b.null;
    let nan = a.nan || b.nan;
    let (yes, no) = match (&a.values, &b.values) {
        (Values::Texts(Texts::Only(x)), Values::Texts(y)) | (Values::Texts(y), Values::Texts(Texts::Only(x)))
            if matches!(op, Op::Eq | Op::Ne) =>
        {
            let meet = x.iter().any(|s| y.contains(s));
            let same = x.len() == 1 && matches!(y, Texts::Only(y) if y == x);
            if op == Op::Eq { (meet, !same) } else { (!same, meet) }
        }
        (Values::Numbers(x), Values::Numbers(y)) => match (x.bounds(), y.bounds()) {
            (Some((al, ah)), Some((bl, bh))) => match op {
                Op::Lt => (al < bh, ah >= bl || nan),
                Op::Le => (al <= bh, ah > bl || nan),
                Op::Gt => (ah > bl, al <= bh || nan),
                Op::Ge => (ah >= bl, al < bh || nan),
                _ => {
                    let (meet, same) = (!x.meet(y).is_empty(), al == ah && (al, ah) == (bl, bh));
                    if op == Op::Eq { (meet, !same || nan) } else { (!same || nan, meet) }
                }
            },
            _ => (nan && op == Op::Ne, nan && op != Op::Ne),
        },
        _ => (true, true),
    };
    Domain::outcomes(yes, no, null)
}

fn in_set(g: &Egraph<'_>, node: &Enode, a: &Domain) -> Option<Domain> {
    let set = table(g, node.children[1])?;
    let point = |i: usize| Domain::point(&set.get_flat(i), set.dtype());
    let yes = (0..set.len()).any(|i| !point(i).with_nan(false).meet(a).with_null(false).is_empty());
    // A value outside is known to be absent only where the domain's values can be listed.
    let no = match &a.values {
        Values::Texts(Texts::Only(x)) => x.iter().any(|s| set.as_str().is_none_or(|v| !v.contains(s))),
        Values::Numbers(r) if r.pieces().iter().all(|(lo, hi)| lo == hi) => {
            r.pieces().iter().any(|(k, _)| !(0..set.len()).any(|i| point(i).ranges().contains(*k)))
        }
        _ => true,
    };
    Some(Domain::outcomes(yes, no || a.nan, a.null))
}

fn index_of(g: &Egraph<'_>, node: &Enode, a: &Domain) -> Option<Domain> {
    let categories = table(g, node.children[1])?;
    let dtype = categories.dtype();
    let found: Vec<i64> =
        (0..categories.len()).filter(|i| a.contains(&categories.get_flat(*i))).map(|i| i as i64).collect();
    let has = |x: &Scalar| {
        (0..categories.len()).any(|i| Domain::point(&categories.get_flat(i), dtype) == Domain::point(x, dtype))
    };
    let unknown = match &a.values {
        Values::Texts(Texts::Only(x)) => x.iter().any(|s| !categories.as_str().is_some_and(|v| v.contains(s))),
        Values::Texts(_) => true,
        Values::Numbers(r) if categories.len() <= 64 => {
            let points = (0..categories.len())
                .flat_map(|i| Domain::point(&categories.get_flat(i), dtype).ranges().pieces().to_vec());
            !r.minus(&Ranges::new(points.collect())).is_empty()
        }
        Values::Numbers(_) => true,
    };
    let unknown = unknown || (a.nan && !has(&Scalar::F64(f64::NAN)));
    let mut pieces: Vec<(i64, i64)> = found.into_iter().map(|i| (i, i)).collect();
    pieces.extend(unknown.then_some((-1, -1)));
    Some(Domain::numbers(DType::I64, Ranges::new(pieces)).with_null(a.null))
}

fn round(dtype: DType, x: f64) -> f64 {
    if dtype == DType::F32 { f64::from(x as f32) } else { x }
}

/// Under a monotone function without NaN.
fn image(a: &Domain, ty: FrameType, f: impl Fn(f64) -> f64) -> Domain {
    let end = |k: i64| key(round(ty.dtype, f(unkey(k))));
    let ranges = a.ranges();
    let pieces = ranges.pieces().iter().map(|(lo, hi)| {
        let (x, y) = (end(*lo), end(*hi));
        (x.min(y), x.max(y))
    });
    Domain::numbers(ty.dtype, Ranges::new(pieces.collect())).with_null(a.null).with_nan(a.nan)
}

fn cast(a: &Domain, ty: FrameType) -> Option<Domain> {
    if a.dtype == ty.dtype {
        return Some(a.clone());
    }
    match (a.dtype, ty.dtype) {
        (DType::F32 | DType::F64, DType::F32 | DType::F64) => Some(image(a, ty, |x| x)),
        (DType::I64 | DType::Bool, DType::F64) | (DType::Bool, DType::F32) => {
            let number = |k: i64| key(k as f64);
            let pieces = a.ranges().pieces().iter().map(|(lo, hi)| (number(*lo), number(*hi))).collect();
            Some(Domain::numbers(ty.dtype, Ranges::new(pieces)).with_null(a.null))
        }
        (DType::I64, DType::F32) => Some(Domain::full(ty.with_width(1)).with_nan(false).with_null(a.null)),
        (DType::Bool, DType::I64) => Some(Domain { dtype: DType::I64, ..a.clone() }),
        _ => None,
    }
}

/// Interval arithmetic on the rounded operation, which is monotone in each operand.
fn arithmetic(op: Op, a: &Domain, b: &Domain, ty: FrameType) -> Domain {
    let f = |x: f64, y: f64| {
        round(
            ty.dtype,
            match op {
                Op::Add => x + y,
                Op::Sub => x - y,
                Op::Mul => x * y,
                Op::Div => x / y,
                Op::Min => {
                    if x <= y {
                        x
                    } else {
                        y
                    }
                }
                _ => {
                    if x >= y {
                        x
                    } else {
                        y
                    }
                }
            },
        )
    };
    let (x, y) = (a.ranges(), b.ranges());
    let infinite = |r: &Ranges| r.contains(key(f64::INFINITY)) || r.contains(key(f64::NEG_INFINITY));
    let nan = match op {
        Op::Add | Op::Sub => infinite(&x) && infinite(&y),
        Op::Mul => (x.contains(0) && infinite(&y)) || (infinite(&x) && y.contains(0)),
        Op::Div => (x.contains(0) && y.contains(0)) || (infinite(&x) && infinite(&y)),
        _ => false,
    };
    let hull = |r: &Ranges| r.bounds().map_or(Vec::new(), |b| vec![b]);
    let few = x.pieces().len() * y.pieces().len() <= MOST_PAIRS;
    let (xs, ys) = if few { (x.pieces().to_vec(), y.pieces().to_vec()) } else { (hull(&x), hull(&y)) };
    let mut pieces = Vec::new();
    for (xl, xh) in &xs {
        for (yl, yh) in &ys {
            if op == Op::Div && *yl <= 0 && *yh >= 0 {
                pieces.extend(Ranges::all(ty.dtype).pieces());
                continue;
            }
            let ends = [(xl, yl), (xl, yh), (xh, yl), (xh, yh)].map(|(x, y)| f(unkey(*x), unkey(*y)));
            let keys: Vec<i64> = ends.into_iter().filter(|v| !v.is_nan()).map(key).collect();
            pieces.extend(keys.iter().min().copied().zip(keys.iter().max().copied()));
        }
    }
    let null = a.null || b.null;
    Domain::numbers(ty.dtype, Ranges::new(pieces)).with_null(null).with_nan(nan || a.nan || b.nan)
}

/// Per feature the values that an ensemble compares, after it has rounded them.
pub fn features(g: &Egraph<'_>, ensemble: Id, columns: &[Domain]) -> Option<Vec<Domain>> {
    let flock_ir_spec::Constant::Trees(t) = constant(g, ensemble)? else { return None };
    let ty = FrameType::new(t.input, 1);
    (columns.len() == t.features as usize)
        .then(|| columns.iter().map(|d| if d.dtype == t.input { d.clone() } else { image(d, ty, |x| x) }).collect())
}
