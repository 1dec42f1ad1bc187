//! Rows made to be hard: every tree threshold as the input column sees it, with its neighbours in float64 and float32,
//! missing values, infinities, and categories that are known, unknown, empty and missing.

use std::collections::{BTreeMap, BTreeSet};

use flock_ir_spec::{
    Attr, DType, Diagnostic, Frame, Function, Module, NodeId, Op, Scalar, TreeEnsemble, TreeNode, eval,
};

use super::paths::{self, Border, Subject};

/// Thresholds that rows are made for at most; a larger ensemble contributes an evenly spread part.
const MOST_THRESHOLDS: usize = 1_000_000;
/// Members of sets that rows are made for at most.
const MOST_MEMBERS: usize = 1000;
/// Elements of the features that are held at once while thresholds are looked for.
pub(super) const MOST_ELEMENTS: usize = 1 << 22;
/// Rows for thresholds of several columns at once, whether their splits are reached or not.
const MOST_MIXED: usize = 16_384;
/// Values around one threshold, see [`around`].
const NEIGHBOURS: usize = 9;

/// The hard rows of a function: one frame per parameter, and how many thresholds they cover of how many.
pub struct HardRows {
    /// One frame per parameter, in order.
    pub params: Vec<Frame>,
    /// Rows.
    pub rows: usize,
    /// Distinct thresholds of a single input column whose splits rows reach, and on which they stand.
    pub thresholds: usize,
    /// Distinct (feature, threshold) pairs of all ensembles.
    pub thresholds_in_all: usize,
}

/// Makes the rows. The same function gives the same rows.
pub fn rows(module: &Module, function: &Function) -> Result<HardRows, Diagnostic> {
    let mut candidates: Vec<Vec<Scalar>> = function.params.iter().map(|p| always(p.ty.dtype, p.ty.nullable)).collect();
    let reach = Reach::new(module, function);
    for (id, node) in function.graph.iter() {
        if matches!(node.op, Op::IndexOf | Op::InSet | Op::Eq | Op::Ne) {
            known_values(module, function, &reach, id, &mut candidates);
        }
        if let (Op::Trees | Op::Leaves, [x, ensemble]) = (node.op, &*node.args)
            && let Some(flock_ir_spec::Constant::Trees(trees)) = function.graph.constant(&module.constants, *ensemble)
        {
            members(function, &reach, *x, trees, &mut candidates);
        }
    }
    let base = base_row(function, &candidates);
    let subject = Subject { module, function, reach: &reach, candidates: &candidates, base: &base };
    let mut reached: Vec<Vec<Scalar>> = vec![Vec::new(); function.params.len()];
    let mut covered = 0;
    let mut crossings = Crossings::default();
    for (_, node) in function.graph.iter().filter(|(_, n)| matches!(n.op, Op::Trees | Op::Leaves)) {
        if let Some(flock_ir_spec::Constant::Trees(trees)) = function.graph.constant(&module.constants, node.args[1]) {
            let borders = crossings.find(&subject, node.args[0], trees)?;
            let found = paths::rows(&subject, node.args[0], trees, &borders)?;
            reached.iter_mut().zip(found.columns).for_each(|(all, column)| all.extend(column));
            covered += found.thresholds;
        }
    }
    let on = |(param, values): (&usize, &BTreeSet<u64>)| {
        let dtype = function.params[*param].ty.dtype;
        let values = values.iter().flat_map(|v| around(f64::from_bits(*v)));
        (*param, values.map(|v| float(dtype, v)).collect())
    };
    let thresholds: BTreeMap<usize, Vec<Scalar>> = crossings.values.iter().map(on).collect();
    let params = combine(function, &candidates, &thresholds, &base, &reached);
    let rows = params.first().map_or(0, |f| f.rows);
    Ok(HardRows { params, rows, thresholds: covered, thresholds_in_all: crossings.asked })
}

pub(super) fn float(dtype: DType, x: f64) -> Scalar {
    match dtype {
        DType::F32 => Scalar::F32(x as f32),
        DType::I64 => Scalar::I64(x as i64),
        _ => Scalar::F64(x),
    }
}

/// Values that are hard for any function.
fn always(dtype: DType, nullable: bool) -> Vec<Scalar> {
    let mut values: Vec<Scalar> = match dtype {
        DType::Bool => vec![Scalar::Bool(false), Scalar::Bool(true)],
        DType::I64 => [0, 1, -1, 2, 1 << 24, (1 << 24) + 1, i64::MAX, i64::MIN].map(Scalar::I64).to_vec(),
        DType::F32 | DType::F64 => [
            0.0,
            1.0,
            -0.0,
            -1.0,
            0.5,
            3.0,
            30.0,
            100.0,
            f64::from(f32::MAX),
            -f64::from(f32::MAX),
            f64::from(f32::MAX) * 1.0000001,
            f64::from(f32::MIN_POSITIVE),
            1e-45,
            f64::MIN_POSITIVE,
            5e-324,
            1e300,
            -1e300,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ]
        .map(|x| float(dtype, x))
        .to_vec(),
        DType::Str => ["", " ", "\u{0}", "unseen", "NULL", "nan", "'", "\"", "é", "\u{1F600}"]
            .map(|s| Scalar::Str(s.into()))
            .to_vec(),
    };
    if nullable {
        values.push(Scalar::Null);
    }
    values
}

/// A threshold as a column's value, with its neighbours.
pub(super) fn around(v: f64) -> [f64; NEIGHBOURS] {
    let f = v as f32;
    let midpoint = (f64::from(f) + f64::from(f.next_up())) / 2.0;
    [
        v,
        v.next_up(),
        v.next_down(),
        f64::from(f),
        f64::from(f.next_up()),
        f64::from(f.next_down()),
        midpoint,
        midpoint.next_up(),
        midpoint.next_down(),
    ]
}

/// The categories that an operator compares a single parameter with, and near misses of them.
fn known_values(module: &Module, function: &Function, reach: &Reach, id: NodeId, candidates: &mut [Vec<Scalar>]) {
    let node = function.graph.node(id);
    let Some(flock_ir_spec::Constant::Table(known)) = function.graph.constant(&module.constants, node.args[1]) else {
        return;
    };
    let Some(param) = reach.single(node.args[0], 0) else { return };
    if known.dtype() != function.params[param].ty.dtype {
        return;
    }
    for i in 0..known.len() {
        let value = known.get_flat(i);
        if let Scalar::Str(s) = &value {
            candidates[param].extend([format!("{s} "), s.to_lowercase()].map(|s| Scalar::Str(s.into())));
        }
        if let Scalar::F64(x) = value {
            candidates[param].extend([Scalar::F64(x.next_up()), Scalar::F64(x.next_down())]);
        }
        candidates[param].push(value);
    }
}

/// The ends of the runs of the sets that an ensemble asks a single parameter for, and near misses of them.
fn members(function: &Function, reach: &Reach, x: NodeId, trees: &TreeEnsemble, candidates: &mut [Vec<Scalar>]) {
    let mut seen = BTreeSet::new();
    for node in &trees.nodes {
        let (Some(set), Some(param)) = (node.set(), reach.single(x, node.feature)) else { continue };
        let dtype = function.params[param].ty.dtype;
        if !dtype.is_number() || seen.len() >= MOST_MEMBERS {
            continue;
        }
        for m in trees.sets.runs(set).iter().flatten().map(|m| f64::from(*m)) {
            if seen.len() < MOST_MEMBERS && seen.insert((param, m.to_bits())) {
                candidates[param].extend([m + 1.0, m - 1.0, m + 0.5, m].map(|x| float(dtype, x)));
            }
        }
    }
}

/// A row that the pipeline most likely accepts: 0.5 for numbers, the last known category for text.
fn base_row(function: &Function, candidates: &[Vec<Scalar>]) -> Vec<Scalar> {
    let value = |(p, values): (&flock_ir_spec::Param, &Vec<Scalar>)| match p.ty.dtype {
        DType::Str | DType::Bool => values.iter().rfind(|v| **v != Scalar::Null).cloned().unwrap_or(Scalar::Null),
        DType::I64 => Scalar::I64(1),
        // A known category where there are some, else a plain number: what `always` gives ends in null or NaN.
        d => match values.last() {
            Some(Scalar::F64(x)) if x.is_finite() => Scalar::F64(*x),
            _ => float(d, 0.5),
        },
    };
    function.params.iter().zip(candidates).map(value).collect()
}

/// What a column of a node depends on.
#[derive(Clone, Copy, PartialEq)]
enum Depends {
    Nothing,
    On(usize),
    Several,
}

impl Depends {
    fn join(self, other: Depends) -> Depends {
        match (self, other) {
            (Depends::Nothing, x) | (x, Depends::Nothing) => x,
            (a, b) if a == b => a,
            _ => Depends::Several,
        }
    }
}

/// For every column of every node, which parameter it depends on.
pub(super) struct Reach(Vec<Vec<Depends>>);

impl Reach {
    fn new(module: &Module, function: &Function) -> Reach {
        let mut columns: Vec<Vec<Depends>> = Vec::with_capacity(function.graph.nodes().len());
        for (id, node) in function.graph.iter() {
            let width = function.graph.frame_type(id).map_or(0, |t| t.width as usize);
            let arg = |i: usize| &columns[node.args[i].index()];
            let own = match (&node.op, &node.attr) {
                (Op::Input, Attr::Param(p)) => vec![Depends::On(*p as usize); width],
                (Op::Slice, Attr::Range { start, len }) => arg(0)[*start as usize..(start + len) as usize].to_vec(),
                (Op::Concat, _) => (0..node.args.len()).flat_map(|i| arg(i).clone()).collect(),
                (Op::Take, _) => match function.graph.constant(&module.constants, node.args[1]) {
                    Some(flock_ir_spec::Constant::Table(t)) => {
                        t.as_i64().unwrap_or_default().iter().map(|j| arg(0)[*j as usize]).collect()
                    }
                    _ => vec![Depends::Several; width],
                },
                _ if mixes_columns(node.op) => {
                    let all = (0..node.args.len()).flat_map(|i| arg(i).iter().copied());
                    vec![all.fold(Depends::Nothing, Depends::join); width]
                }
                _ => {
                    let column = |j: usize| {
                        let args = (0..node.args.len()).map(arg);
                        let read = args.filter_map(|a| if a.len() == 1 { a.first() } else { a.get(j) });
                        read.copied().fold(Depends::Nothing, Depends::join)
                    };
                    (0..width).map(column).collect()
                }
            };
            columns.push(own);
        }
        Reach(columns)
    }

    /// The only parameter that a column depends on, if there is one.
    pub(super) fn single(&self, node: NodeId, column: u32) -> Option<usize> {
        match self.0[node.index()].get(column as usize) {
            Some(Depends::On(p)) => Some(*p),
            _ => None,
        }
    }
}

/// Whether a column of the result may read any column of the operands.
fn mixes_columns(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        Linear
            | Trees
            | Leaves
            | Softmax
            | Normalize
            | OneHot
            | Lookup
            | Sum
            | Prod
            | RowMin
            | RowMax
            | All
            | Any
            | ArgMax
            | Distances
            | Order
            | Gather
            | Call
            | Opaque
    )
}

/// The values of input columns at which a tree's test changes its answer.
#[derive(Default)]
struct Crossings {
    /// Per parameter, the bits of the last value on the lower side.
    values: BTreeMap<usize, BTreeSet<u64>>,
    asked: usize,
}

impl Crossings {
    /// Looks for every threshold's place by bisection over the order of doubles, all thresholds at once. This asks
    /// only that a feature is monotone in its column, whatever steps lie between. Gives the border of every inner node
    /// that has one.
    fn find(
        &mut self,
        subject: &Subject<'_>,
        x: NodeId,
        trees: &TreeEnsemble,
    ) -> Result<Vec<Option<Border>>, Diagnostic> {
        let function = subject.function;
        let key = |n: &TreeNode| (n.feature, n.threshold.to_bits(), n.test);
        // A set has members and no threshold.
        let compared = || trees.nodes.iter().enumerate().filter(|(_, n)| n.set().is_none());
        let tests: BTreeMap<_, usize> = compared().map(|(i, n)| (key(n), i)).collect();
        self.asked += compared().map(|(_, n)| (n.feature, n.threshold.to_bits())).collect::<BTreeSet<_>>().len();
        let mut tests: Vec<(usize, usize)> = tests
            .into_iter()
            .filter_map(|((feature, ..), node)| Some((node, subject.reach.single(x, feature)?)))
            .filter(|(_, param)| function.params[*param].ty.dtype.is_number())
            .collect();
        if tests.len() > MOST_THRESHOLDS {
            let step = tests.len().div_ceil(MOST_THRESHOLDS);
            tests = tests.into_iter().step_by(step).collect();
        }
        let width = function.graph.frame_type(x).map_or(1, |t| t.width.max(1) as usize);
        let mut borders = BTreeMap::new();
        for part in tests.chunks((MOST_ELEMENTS / width).max(64)) {
            for (i, border) in bisect(subject, x, trees, part)? {
                self.values.entry(border.param).or_default().insert(ordered(border.low).to_bits());
                borders.insert(key(&trees.nodes[i]), border);
            }
        }
        Ok(trees.nodes.iter().map(|n| borders.get(&key(n)).copied()).collect())
    }
}

/// Finds the places of some tests: (node, parameter).
fn bisect(
    subject: &Subject<'_>,
    x: NodeId,
    trees: &TreeEnsemble,
    tests: &[(usize, usize)],
) -> Result<Vec<(usize, Border)>, Diagnostic> {
    let Subject { module, function, base, .. } = subject;
    let holds = |at: &[u64]| -> Result<Vec<bool>, Diagnostic> {
        let rows = at.len();
        let value = |p: usize, i: usize| {
            let own = tests[i].1 == p;
            if own { float(function.params[p].ty.dtype, ordered(at[i])) } else { base[p].clone() }
        };
        let params: Vec<Frame> = (0..function.params.len())
            .map(|p| Frame::from_fn(rows, function.params[p].ty.nullable(), |i, _| value(p, i)))
            .collect();
        let leaves = eval::Leaves { params: &params, columns: None };
        let features = eval::frames(module, &function.graph, &[x], rows, &leaves)?;
        Ok((0..rows)
            .map(|i| {
                let n = &trees.nodes[tests[i].0];
                let v = match features[0].get(i, n.feature as usize) {
                    Scalar::F64(v) => v,
                    Scalar::F32(v) => f64::from(v),
                    _ => f64::NAN,
                };
                trees.goes_left(n, v)
            })
            .collect())
    };
    let mut low = vec![rank(-f64::MAX); tests.len()];
    let mut high = vec![rank(f64::MAX); tests.len()];
    let (at_low, at_high) = (holds(&low)?, holds(&high)?);
    for _ in 0..64 {
        let middle: Vec<u64> = low.iter().zip(&high).map(|(l, h)| l + (h - l) / 2).collect();
        let now = holds(&middle)?;
        for i in 0..tests.len() {
            if now[i] == at_low[i] { low[i] = middle[i] } else { high[i] = middle[i] }
        }
    }
    let changed = (0..tests.len()).filter(|i| at_low[*i] != at_high[*i]);
    Ok(changed.map(|i| (tests[i].0, Border { param: tests[i].1, low: low[i], low_left: at_low[i] })).collect())
}

/// Doubles without NaN, in order, as integers.
pub(super) fn rank(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The double of that rank.
pub(super) fn ordered(rank: u64) -> f64 {
    f64::from_bits(if rank >> 63 == 1 { rank & !(1 << 63) } else { !rank })
}

/// Every special value of every parameter once with the others as in the base row, and once with the others mixed; then
/// rows that stand on a threshold's neighbourhood in every column that has thresholds; then those that reach splits.
fn combine(
    function: &Function,
    special: &[Vec<Scalar>],
    thresholds: &BTreeMap<usize, Vec<Scalar>>,
    base: &[Scalar],
    reached: &[Vec<Scalar>],
) -> Vec<Frame> {
    let all: Vec<(usize, usize)> =
        special.iter().enumerate().flat_map(|(p, values)| (0..values.len()).map(move |v| (p, v))).collect();
    let on_thresholds = thresholds.values().map(Vec::len).max().unwrap_or(0).min(MOST_MIXED);
    let before = 2 * all.len() + on_thresholds;
    let pick = |p: usize, row: usize| {
        if row >= before {
            return reached[p][row - before].clone();
        }
        if row >= 2 * all.len() {
            let i = row - 2 * all.len();
            return match thresholds.get(&p) {
                // A step that is no divisor of the length spreads how thresholds of several columns meet.
                Some(values) => values[(i + i / values.len() * (p + 1)) % values.len()].clone(),
                None => mixed(&special[p], row, p).filter(|s| !is_special(s)).unwrap_or_else(|| base[p].clone()),
            };
        }
        let (own, value) = all[row / 2];
        if own == p {
            special[p][value].clone()
        } else if row.is_multiple_of(2) {
            base[p].clone()
        } else {
            mixed(&special[p], row, p).unwrap_or_else(|| base[p].clone())
        }
    };
    let rows = before + reached.first().map_or(0, Vec::len);
    (0..function.params.len())
        .map(|p| Frame::from_fn(rows, function.params[p].ty.nullable(), |i, _| pick(p, i)))
        .collect()
}

/// One of the values, by a fixed multiplicative hash: the same on every run.
fn mixed(values: &[Scalar], row: usize, param: usize) -> Option<Scalar> {
    let h = ((row as u64) << 8 | param as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    values.get(h as usize % values.len().max(1)).cloned()
}

/// Whether a library may refuse a row for the value, which would hide what the other columns do.
pub(super) fn is_special(s: &Scalar) -> bool {
    match s {
        Scalar::Null => true,
        Scalar::F32(x) => !x.is_finite(),
        Scalar::F64(x) => x.is_nan() || x.abs() > f64::from(f32::MAX),
        _ => false,
    }
}
