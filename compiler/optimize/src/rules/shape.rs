//! Columns put together, cut and permuted: the choice of columns moves towards the leaves.

use egg::Id;
use flock_ir_spec::{Attr, Constant, Features, Frame, FrameType, Op, Terms};

use super::{elementwise, rules};
use crate::analysis::{add, add_constant, add_like, constant, inherit_step, table};
use crate::encoder::Encoder;
use crate::language::{Egraph, Enode};
use crate::tables::columns_of;
use crate::trees;

rules! {
    /// All columns in order are the frame.
    Bits "columns-all":         [Slice Take] => { columns_all };
    /// A choice of columns of a choice of columns is one choice.
    Bits "columns-columns":     [Slice Take] => { columns_columns };
    /// Columns of frames side by side are columns of each.
    Bits "columns-concat":      [Slice Take] => { columns_concat };
    /// An operator that works element by element works on the chosen columns alone.
    Bits "columns-elementwise": [Slice Take] => { columns_elementwise };
    /// Columns of a one-hot encoding encode the categories of these columns; the others become unknown, which is all 0.
    Bits "columns-one-hot":     [Slice Take] => { columns_one_hot };
    /// Columns of a dictionary's rows are rows of a narrower dictionary.
    Bits "columns-lookup":      [Slice Take] => { columns_lookup };
    /// Outputs of a linear map are those of a map with these columns of weights.
    Bits "columns-linear":      [Slice Take] => { columns_linear };
    /// Outputs of an ensemble are those of its trees for these outputs.
    Bits "columns-trees":       [Slice Take] => { columns_trees };
    /// Columns of the counts of a vocabulary are counts of these terms.
    Bits "columns-terms":       [Slice Take] => { columns_terms };
    /// Frames side by side within frames side by side are one row of frames.
    Bits "concat-flat":         [Concat]     => { concat_flat };
    /// Neighbouring columns of one frame, and neighbouring constants, are one operand; one operand alone is itself.
    Bits "concat-joined":       [Concat]     => { concat_joined };
}

/// Pieces that a choice of columns may fall into.
const MOST_PIECES: usize = 256;

/// Which columns of which class a slice or take chooses.
fn chosen(g: &Egraph<'_>, node: &Enode) -> Option<(Id, Vec<u32>)> {
    let x = *node.children.first()?;
    match (node.op()?, node.attr()) {
        (Op::Slice, Attr::Range { start, len }) => Some((x, (*start..start + len).collect())),
        (Op::Take, _) => {
            let columns = table(g, node.children[1])?.as_i64()?;
            Some((x, columns.iter().map(|c| *c as u32).collect()))
        }
        _ => None,
    }
}

/// These columns of a frame, in the simplest form.
pub fn columns(g: &mut Egraph<'_>, x: Id, wanted: &[u32]) -> Option<Id> {
    let chosen = choose(g, x, wanted)?;
    inherit_step(g, chosen, x);
    Some(chosen)
}

fn choose(g: &mut Egraph<'_>, x: Id, wanted: &[u32]) -> Option<Id> {
    let width = g[x].data.width();
    let (first, len) = (*wanted.first()?, wanted.len() as u32);
    if let Some(t) = table(g, x).filter(|t| t.rows == 1) {
        let t = columns_of(t, &wanted.iter().map(|c| *c as usize).collect::<Vec<_>>());
        return Some(add_constant(g, t));
    }
    if wanted.iter().copied().eq(first..first + len) {
        let whole = first == 0 && len == width;
        return if whole { Some(x) } else { add(g, Op::Slice, Attr::Range { start: first, len }, &[x]) };
    }
    let columns = add_constant(g, Frame::row_i64(wanted.iter().map(|c| i64::from(*c)).collect::<Vec<_>>()));
    add(g, Op::Take, Attr::None, &[x, columns])
}

fn columns_all(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    wanted.into_iter().eq(0..g[x].data.width()).then_some(x)
}

fn columns_columns(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let (source, inner) = g[x].nodes.iter().find_map(|n| chosen(g, n).filter(|(s, _)| g.find(*s) != g.find(x)))?;
    let both: Vec<u32> = wanted.iter().map(|c| inner[*c as usize]).collect();
    columns(g, source, &both)
}

fn columns_concat(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let parts = g[x].nodes.iter().find_map(|n| n.is(Op::Concat))?.to_vec();
    let ends: Vec<u32> = parts
        .iter()
        .scan(0, |end, p| {
            *end += g[*p].data.width();
            Some(*end)
        })
        .collect();
    let mut runs: Vec<(usize, Vec<u32>)> = Vec::new();
    for column in wanted {
        let part = ends.partition_point(|end| *end <= column);
        let local = column - if part == 0 { 0 } else { ends[part - 1] };
        match runs.last_mut() {
            Some((p, run)) if *p == part => run.push(local),
            _ => runs.push((part, vec![local])),
        }
    }
    if runs.len() > MOST_PIECES {
        return None;
    }
    let pieces: Option<Vec<Id>> = runs.iter().map(|(part, run)| columns(g, parts[*part], run)).collect();
    match pieces?.as_slice() {
        [one] => Some(*one),
        many => add(g, Op::Concat, Attr::None, many),
    }
}

fn columns_elementwise(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    if g[x].data.width() == 1 {
        return None;
    }
    let inner = g[x].nodes.iter().find(|n| n.op().is_some_and(elementwise))?.clone();
    let op = inner.op()?;
    let mut args = inner.children.to_vec();
    let values = if matches!(op, Op::InSet | Op::IndexOf | Op::Bucketize | Op::Interpolate) { 1 } else { args.len() };
    for arg in &mut args[..values] {
        if g[*arg].data.width() > 1 {
            *arg = columns(g, *arg, &wanted)?;
        }
    }
    // Where every operand repeats one column there is nothing to choose before the operator.
    if args[..values].iter().all(|a| g[*a].data.width() != wanted.len() as u32) {
        return None;
    }
    add_like(g, &inner, &args)
}

fn columns_one_hot(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let (index, attr) = g[x].nodes.iter().find_map(|n| Some((n.is(Op::OneHot)?[0], n.attr().clone())))?;
    let mut once = wanted.clone();
    once.sort_unstable();
    once.dedup();
    let Attr::Type(ty) = attr else { return None };
    if once.len() != wanted.len() {
        return None;
    }
    let wanted: Vec<usize> = wanted.iter().map(|c| *c as usize).collect();
    let index = Encoder::of(g, index)?.select(g, &wanted)?;
    add(g, Op::OneHot, Attr::Type(ty.with_width(wanted.len() as u32)), &[index])
}

/// The columns of a constant operand.
fn constant_columns(g: &mut Egraph<'_>, class: Id, wanted: &[u32]) -> Option<Id> {
    let t = columns_of(table(g, class)?, &wanted.iter().map(|c| *c as usize).collect::<Vec<_>>());
    Some(add_constant(g, t))
}

fn columns_lookup(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let inner = g[x].nodes.iter().find_map(|n| n.is(Op::Lookup))?.to_vec();
    let narrow = constant_columns(g, inner[1], &wanted)?;
    add(g, Op::Lookup, Attr::None, &[inner[0], narrow])
}

fn columns_linear(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let inner = g[x].nodes.iter().find_map(|n| n.is(Op::Linear))?.to_vec();
    let (w, b) = (constant_columns(g, inner[1], &wanted)?, constant_columns(g, inner[2], &wanted)?);
    add(g, Op::Linear, Attr::None, &[inner[0], w, b])
}

fn columns_terms(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let inner = g[x].nodes.iter().find_map(|n| n.is(Op::TermCounts))?.to_vec();
    let Some(Constant::Terms(terms)) = constant(g, inner[1]) else { return None };
    let Features::Vocabulary(all) = &terms.features else { return None };
    let mut once = wanted.clone();
    once.sort_unstable();
    if once.windows(2).any(|w| w[0] == w[1]) {
        return None;
    }
    let features = Features::Vocabulary(wanted.iter().map(|c| all[*c as usize].clone()).collect());
    let narrow = Terms { features, ..terms.clone() };
    let narrow = add_constant(g, narrow);
    add(g, Op::TermCounts, Attr::None, &[inner[0], narrow])
}

fn columns_trees(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (x, wanted) = chosen(g, node)?;
    let mut once = wanted.clone();
    once.sort_unstable();
    once.dedup();
    if once.len() != wanted.len() {
        return None;
    }
    let inner = g[x].nodes.iter().find_map(|n| n.is(Op::Trees))?.to_vec();
    let Some(Constant::Trees(t)) = constant(g, inner[1]) else { return None };
    let narrow = trees::outputs(t, &wanted)?;
    let narrow = add_constant(g, narrow);
    add(g, Op::Trees, Attr::None, &[inner[0], narrow])
}

fn concat_flat(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let mut flat = Vec::new();
    for c in &node.children {
        match g[*c].nodes.iter().find_map(|n| n.is(Op::Concat)) {
            Some(inner) if !inner.contains(c) => flat.extend_from_slice(inner),
            _ => flat.push(*c),
        }
    }
    (flat.len() > node.children.len()).then_some(())?;
    add(g, Op::Concat, Attr::None, &flat)
}

/// Neighbouring operands of a concat that may be one.
enum Run {
    /// Constants of one row.
    Constants(Vec<Id>),
    /// Columns of one frame, in every way in which the operands so far are such: frame and columns.
    Columns(Id, usize, Vec<(Id, Vec<u32>)>),
}

impl Run {
    fn start(g: &Egraph<'_>, operand: Id) -> Run {
        if table(g, operand).is_some_and(|t| t.rows == 1) {
            return Run::Constants(vec![operand]);
        }
        Run::Columns(operand, 1, g[operand].nodes.iter().filter_map(|n| chosen(g, n)).collect())
    }

    /// Takes the next operand in, or gives it back.
    fn take(&mut self, g: &Egraph<'_>, operand: Id) -> Result<(), Run> {
        match (self, Run::start(g, operand)) {
            (Run::Constants(all), Run::Constants(_)) => all.push(operand),
            (Run::Columns(_, count, ways), Run::Columns(_, _, next)) => {
                // A frame may be there in several ways: its columns may be equal among themselves.
                let longer = ways.iter().filter_map(|(x, columns)| {
                    let follows = |(y, more): &&(Id, Vec<u32>)| {
                        g.find(*y) == g.find(*x) && columns.last().map(|l| l + 1) == more.first().copied()
                    };
                    next.iter().find(follows).map(|(_, more)| (*x, [&columns[..], more].concat()))
                });
                let longer: Vec<(Id, Vec<u32>)> = longer.collect();
                if longer.is_empty() {
                    return Err(Run::Columns(operand, 1, next));
                }
                *ways = longer;
                *count += 1;
            }
            (_, other) => return Err(other),
        }
        Ok(())
    }

    fn joined(self, g: &mut Egraph<'_>) -> Option<Id> {
        match self {
            Run::Constants(all) if all.len() > 1 => {
                let tables: Option<Vec<&Frame>> = all.iter().map(|c| table(g, *c)).collect();
                let cells: Vec<(&Frame, usize)> = tables?.iter().flat_map(|t| (0..t.width).map(|j| (*t, j))).collect();
                let ty = FrameType::new(cells.first()?.0.dtype(), cells.len() as u32);
                let all = Frame::from_fn(1, ty, |_, j| cells[j].0.get(0, cells[j].1));
                Some(add_constant(g, all))
            }
            Run::Constants(all) => all.first().copied(),
            Run::Columns(operand, 1, _) => Some(operand),
            Run::Columns(_, _, ways) => {
                let (x, all) = ways.first()?;
                columns(g, *x, all)
            }
        }
    }
}

fn concat_joined(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let mut runs: Vec<Run> = Vec::new();
    for operand in &node.children {
        let next = match runs.last_mut() {
            Some(run) => run.take(g, *operand),
            None => Err(Run::start(g, *operand)),
        };
        runs.extend(next.err());
    }
    if runs.len() == node.children.len() && runs.len() > 1 {
        return None;
    }
    let joined: Option<Vec<Id>> = runs.into_iter().map(|r| r.joined(g)).collect();
    match joined?.as_slice() {
        [one] => Some(*one),
        many => add(g, Op::Concat, Attr::None, many),
    }
}
