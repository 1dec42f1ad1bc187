//! `Tile`, `Pad`, `CenterCropPad`, `Trilu`, `DepthToSpace`, `SpaceToDepth`, `Compress`, `ReverseSequence`: elements of a row
//! moved about, some of them filled in.
//! Source: ai.onnx Tile-6, -13, Pad-2 … -25, CenterCropPad-18, Trilu-14, DepthToSpace-1 … -28, SpaceToDepth-1, -13,
//! Compress-9 … -28, ReverseSequence-10.

use flock_ir_spec::NodeId;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("Tile", &[6, 13], 2..=2, tile),
    Lifter {
        attributes: &[("mode", Form::Text), ("pads", Form::Ints), ("value", Form::Float)],
        ..Lifter::main("Pad", &[2, 11, 13, 18, 19, 21, 23, 24, 25], 1..=4, pad)
    },
    Lifter { attributes: &[("axes", Form::Ints)], ..Lifter::main("CenterCropPad", &[18], 2..=2, center) },
    Lifter { attributes: &[("upper", Form::Int)], ..Lifter::main("Trilu", &[14], 1..=2, triangle) },
    Lifter {
        attributes: &[("blocksize", Form::Int), ("mode", Form::Text)],
        ..Lifter::main("DepthToSpace", &[1, 11, 13, 28], 1..=1, depth_to_space)
    },
    Lifter {
        attributes: &[("blocksize", Form::Int), ("mode", Form::Text)],
        ..Lifter::main("SpaceToDepth", &[1, 13, 28], 1..=1, space_to_depth)
    },
    Lifter { attributes: &[("axis", Form::Int)], ..Lifter::main("Compress", &[9, 11, 28], 2..=2, compress) },
    Lifter {
        attributes: &[("batch_axis", Form::Int), ("time_axis", Form::Int)],
        ..Lifter::main("ReverseSequence", &[10], 2..=2, reverse)
    },
];

/// Per axis, which index of the tensor each index of the result reads; None is filled in.
type Maps = Vec<Vec<Option<i64>>>;

impl Node<'_, '_> {
    /// The maps of a tensor onto itself; the rows' is one entry.
    fn same(&self, shape: &Shape) -> Maps {
        let of = |d: &Dim| match d {
            Dim::Rows => vec![Some(0)],
            Dim::Fixed(n) => (0..*n as i64).map(Some).collect(),
        };
        shape.0.iter().map(of).collect()
    }

    /// A tensor by maps of its axes.
    fn moved(&mut self, x: &Tensor, maps: &Maps, fill: Option<NodeId>) -> Res<Vec<Value>> {
        let dims = x.shape.0.iter().zip(maps).map(|(d, m)| if *d == Dim::Rows { Dim::Rows } else { Dim::Fixed(m.len() as u64) });
        let shape = Shape(dims.collect());
        self.spend(2 * u64::from(self.frame_width(&shape)?))?;
        let strides = x.shape.strides();
        let mut places: Vec<Option<i64>> = vec![Some(0)];
        for (map, stride) in maps.iter().zip(strides) {
            let next = |p: &Option<i64>| map.iter().map(|i| Some((*p)? + (*i)? * stride)).collect::<Vec<_>>();
            places = places.iter().flat_map(next).collect();
        }
        let value = self.filled(x.node, places, fill, x.elem)?;
        self.give(x.elem, shape, value)
    }

    /// Elements by position; None is the fill, 0 where that is not given.
    pub fn filled(&mut self, x: NodeId, places: Vec<Option<i64>>, fill: Option<NodeId>, elem: Elem) -> Res<NodeId> {
        if places.iter().all(Option::is_some) {
            return self.take(x, places.into_iter().flatten().collect());
        }
        let fill = match fill {
            Some(fill) => fill,
            None => self.constant(crate::node::zero(elem.dtype()))?,
        };
        let last = i64::from(self.width(x));
        let both = self.concat(&[x, fill])?;
        self.take(both, places.into_iter().map(|p| p.unwrap_or(last)).collect())
    }
}

fn tile(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, repeats) = (node.tensor(0)?, node.ints(1)?);
    if repeats.len() != x.shape.rank() || repeats.iter().any(|r| *r < 0) {
        return Err(node.bad_shape(format!("{repeats:?} repeats of a tensor {}", x.shape)));
    }
    let mut maps = node.same(&x.shape);
    for (axis, times) in repeats.iter().enumerate() {
        if x.shape.0[axis] == Dim::Rows {
            if *times != 1 {
                return Err(node.mixes_rows(format!("it repeats the rows of a tensor {}", x.shape)));
            }
            continue;
        }
        node.spend((maps[axis].len() as u64).saturating_mul(*times as u64))?;
        maps[axis] = maps[axis].repeat(*times as usize);
    }
    node.moved(&x, &maps, None)
}

fn pad(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let rank = x.shape.rank();
    let first = node.version() < 11;
    let pads = if first { node.attributes().ints("pads").to_vec() } else { node.ints(1)? };
    let axes = if node.has(3) { node.ints(3)? } else { (0..rank as i64).collect() };
    if pads.len() != 2 * axes.len() {
        return Err(node.bad_attribute(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let fill = match (first, node.has(2)) {
        (true, _) => {
            let value = node.attributes().float("value").unwrap_or(0.0);
            Some(node.number(x.elem, f64::from(value))?)
        }
        (false, true) => Some(node.tensor(2)?.node),
        (false, false) => None,
    };
    if fill.is_some_and(|f| node.width(f) != 1) {
        return Err(node.bad_shape("one value to pad with is expected"));
    }
    let mode = node.attributes().text("mode").unwrap_or("constant");
    let mut maps = node.same(&x.shape);
    for (i, a) in axes.iter().enumerate() {
        let axis = node.axis_of(&x.shape, *a)?;
        let (before, behind) = (pads[i], pads[i + axes.len()]);
        if (before, behind) == (0, 0) {
            continue;
        }
        let n = node.extent(&x.shape, axis)? as i64;
        node.spend((before.max(0) as u64).saturating_add(behind.max(0) as u64))?;
        let source = |i: i64| match mode {
            _ if (0..n).contains(&i) => Ok(Some(i)),
            "constant" => Ok(None),
            "edge" if n > 0 => Ok(Some(i.clamp(0, n - 1))),
            "wrap" if n > 0 => Ok(Some(i.rem_euclid(n))),
            "reflect" if n > 1 => {
                let i = i.rem_euclid(2 * (n - 1));
                Ok(Some(if i < n { i } else { 2 * (n - 1) - i }))
            }
            other => Err(node.unsupported(format!("padding of {n} by `{other}`"))),
        };
        let end = n.saturating_add(behind);
        maps[axis] = (-before..end.max(-before)).map(source).collect::<Res<_>>()?;
    }
    node.moved(&x, &maps, fill)
}

fn center(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, target) = (node.tensor(0)?, node.ints(1)?);
    let axes = match node.attributes().ints("axes") {
        [] => (0..x.shape.rank() as i64).collect(),
        axes => axes.to_vec(),
    };
    if axes.len() != target.len() {
        return Err(node.bad_shape(format!("{target:?} for {} axes", axes.len())));
    }
    let mut maps = node.same(&x.shape);
    for (a, to) in axes.iter().zip(&target) {
        let axis = node.axis_of(&x.shape, *a)?;
        let n = node.extent(&x.shape, axis)? as i64;
        node.spend(to.unsigned_abs())?;
        // What is cut or filled in before the first index: half of the difference, rounded down.
        let start = if *to <= n { (n - to) / 2 } else { -((to - n) / 2) };
        maps[axis] = (start..start + to.max(&0)).map(|i| (0..n).contains(&i).then_some(i)).collect();
    }
    node.moved(&x, &maps, None)
}

/// The upper or the lower triangle of the last two axes, the rest 0.
fn triangle(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let diagonal = if node.has(1) { node.ints(1)?.first().copied().unwrap_or(0) } else { 0 };
    let upper = node.attributes().int("upper").unwrap_or(1) != 0;
    let rank = x.shape.rank();
    if rank < 2 || x.shape.0[rank - 2..].contains(&Dim::Rows) {
        return Err(node.mixes_rows(format!("a triangle of a tensor {}", x.shape)));
    }
    let width = i64::from(node.frame_width(&x.shape)?);
    node.spend(2 * width as u64)?;
    let (h, w) = (node.extent(&x.shape, rank - 2)? as i64, node.extent(&x.shape, rank - 1)? as i64);
    let kept = |p: i64| {
        let (i, j) = (p / w % h, p % w);
        let above = i128::from(j) - i128::from(i);
        let inside = if upper { above >= i128::from(diagonal) } else { above <= i128::from(diagonal) };
        inside.then_some(p)
    };
    let value = node.filled(x.node, (0..width).map(kept).collect(), None, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// The axes of `[batch, channels, height, width]` and the block size.
fn blocks(node: &Node<'_, '_>, shape: &Shape) -> Res<([u64; 3], u64)> {
    let block = node.attributes().int("blocksize").and_then(|b| u64::try_from(b).ok()).filter(|b| (1..1 << 16).contains(b));
    let (Some(block), 4) = (block, shape.rank()) else { return Err(node.bad_shape(format!("blocks of a tensor {shape}"))) };
    Ok(([node.extent(shape, 1)?, node.extent(shape, 2)?, node.extent(shape, 3)?], block))
}

/// The tensor as other axes, these in another order, and the shape of the result.
fn permuted(node: &mut Node<'_, '_>, x: &Tensor, axes: [u64; 5], order: [usize; 5], to: [u64; 3]) -> Res<Vec<Value>> {
    let with = |dims: &[u64]| Shape(std::iter::once(x.shape.0[0]).chain(dims.iter().map(|d| Dim::Fixed(*d))).collect());
    if with(&axes).width() != x.shape.width() || with(&to).width() != x.shape.width() {
        return Err(node.bad_shape(format!("a tensor {} in blocks", x.shape)));
    }
    let offsets = with(&axes).offsets();
    let turned: Vec<Vec<i64>> =
        std::iter::once(offsets[0].clone()).chain(order.iter().map(|a| offsets[a + 1].clone())).collect();
    let value = node.pick(x.node, &turned)?;
    node.give(x.elem, with(&to), value)
}

fn depth_to_space(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let ([c, h, w], b) = blocks(node, &x.shape)?;
    let depth = c / (b * b);
    let to = [depth, h * b, w * b];
    match node.attributes().text("mode").unwrap_or("DCR") {
        "DCR" => permuted(node, &x, [b, b, depth, h, w], [2, 3, 0, 4, 1], to),
        "CRD" => permuted(node, &x, [depth, b, b, h, w], [0, 3, 1, 4, 2], to),
        other => Err(node.bad_attribute(format!("mode `{other}` is unknown"))),
    }
}

fn space_to_depth(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let ([c, h, w], b) = blocks(node, &x.shape)?;
    let order = match node.attributes().text("mode").unwrap_or("DCR") {
        "DCR" => [2, 4, 0, 1, 3],
        "CRD" => [0, 2, 4, 1, 3],
        other => return Err(node.bad_attribute(format!("mode `{other}` is unknown"))),
    };
    permuted(node, &x, [c, h / b, b, w / b, b], order, [c * b * b, h / b, w / b])
}

/// The indices for which a known condition holds; without an axis, those of all elements in one list.
fn compress(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, condition) = (node.tensor(0)?, node.literal(1)?);
    let flock_ir_spec::Data::Bool(holds) = &condition.frame.data else {
        return Err(node.wrong_type(1, condition.elem, "bool"));
    };
    let kept: Vec<Option<i64>> = (0i64..).zip(holds).filter(|(_, h)| **h).map(|(i, _)| Some(i)).collect();
    let Some(axis) = node.attributes().int("axis") else {
        if x.shape.rows_axis().is_some() {
            return Err(node.mixes_rows("it chooses among the elements of all rows"));
        }
        let flat = Tensor { shape: Shape::fixed(&[x.shape.width().unwrap_or(0)]), ..x };
        return node.moved(&flat, &vec![kept], None);
    };
    let axis = node.axis_of(&x.shape, axis)?;
    node.extent(&x.shape, axis)?;
    let mut maps = node.same(&x.shape);
    maps[axis] = kept;
    node.moved(&x, &maps, None)
}

/// The first elements along one axis backwards, as many as the known lengths say for each index of the other.
fn reverse(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, lengths) = (node.tensor(0)?, node.ints(1)?);
    let (batch, time) = (node.attributes().int("batch_axis").unwrap_or(1), node.attributes().int("time_axis").unwrap_or(0));
    let (batch, time) = (node.axis_of(&x.shape, batch)?, node.axis_of(&x.shape, time)?);
    let (n, steps) = (node.extent(&x.shape, batch)? as usize, node.extent(&x.shape, time)? as i64);
    if lengths.len() != n || batch == time || lengths.iter().any(|l| !(0..=steps).contains(l)) {
        return Err(node.bad_shape(format!("lengths {lengths:?} for a tensor {}", x.shape)));
    }
    let width = i64::from(node.frame_width(&x.shape)?);
    node.spend(2 * width as u64)?;
    let strides = x.shape.strides();
    let source = |p: i64| {
        let t = p / strides[time] % steps;
        let length = lengths[(p / strides[batch] % n as i64) as usize];
        let from = if t < length { length - 1 - t } else { t };
        Some(p + (from - t) * strides[time])
    };
    let value = node.filled(x.node, (0..width).map(source).collect(), None, x.elem)?;
    node.give(x.elem, x.shape, value)
}
