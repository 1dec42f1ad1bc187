//! Extents of tensors of which one is the number of rows: what exporters compute shapes with.
//!
//! `Shape` gives them, a few operators take them apart and put them together, and `Reshape`, `Expand` and
//! `ConstantOfShape` read them again. The number itself is not known here; whoever computes with it mixes rows.

use crate::Res;
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// A list of extents, or one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Extents {
    /// The extents; [`ROWS`] for the number of rows. What shapes are made with, -1 and 0, may be among them.
    pub dims: Vec<i64>,
    /// Whether it is one number and no list.
    pub scalar: bool,
}

/// Stands for the number of rows in a list of extents.
pub const ROWS: i64 = i64::MIN;

impl From<Extents> for Value {
    /// Known integers, if the rows are not among them.
    fn from(extents: Extents) -> Value {
        match extents.dims.contains(&ROWS) {
            true => Value::Extents(extents),
            false if extents.scalar => Literal { dims: Vec::new(), ..Literal::of_ints(extents.dims) }.into(),
            false => Literal::of_ints(extents.dims).into(),
        }
    }
}

impl From<&[Dim]> for Extents {
    fn from(dims: &[Dim]) -> Extents {
        let extent = |d: &Dim| if let Dim::Fixed(n) = d { i64::try_from(*n).unwrap_or(i64::MAX) } else { ROWS };
        Extents { dims: dims.iter().map(extent).collect(), scalar: false }
    }
}

/// Input i as a shape.
pub fn shape(node: &Node<'_, '_>, i: usize) -> Res<Shape> {
    let dim = |n: &i64| match *n {
        ROWS => Ok(Dim::Rows),
        n => u64::try_from(n).map(Dim::Fixed).map_err(|_| node.bad_shape(format!("an extent of {n}"))),
    };
    read(node, i)?.dims.iter().map(dim).collect::<Res<_>>().map(Shape)
}

/// Lifts a node that reads extents, if it takes them apart or puts them together; None for one that reads shapes.
pub fn lift(node: &Node<'_, '_>) -> Res<Option<Vec<Value>>> {
    let read = |i: usize| read(node, i);
    let extents = match node.proto.op_type.as_str() {
        "Identity" | "Cast" => read(0)?,
        "Squeeze" => Extents { scalar: true, dims: one(node)? },
        "Unsqueeze" => Extents { scalar: false, dims: one(node)? },
        "Concat" => {
            let parts = (0..node.inputs.len()).map(read).collect::<Res<Vec<_>>>()?;
            Extents { scalar: false, dims: parts.into_iter().flat_map(|p| p.dims).collect() }
        }
        "Gather" => gather(node, &read(0)?)?,
        "Slice" => slice(node, &read(0)?)?,
        "Reshape" | "Expand" | "ConstantOfShape" => return Ok(None),
        _ => return Err(node.mixes_rows("it computes with the number of rows")),
    };
    Ok(Some(vec![extents.into()]))
}

/// Input i as extents: known integers count.
pub fn read(node: &Node<'_, '_>, i: usize) -> Res<Extents> {
    match node.inputs.get(i) {
        Some(Some(Value::Extents(e))) => Ok(e.clone()),
        _ => {
            let literal = node.literal(i)?;
            Ok(Extents { dims: node.ints(i)?, scalar: literal.dims.is_empty() })
        }
    }
}

fn one(node: &Node<'_, '_>) -> Res<Vec<i64>> {
    let dims = read(node, 0)?.dims;
    if dims.len() == 1 { Ok(dims) } else { Err(node.unsupported(format!("{} extents as one", dims.len()))) }
}

fn gather(node: &Node<'_, '_>, from: &Extents) -> Res<Extents> {
    let (literal, indices) = (node.literal(1)?, node.ints(1)?);
    let n = from.dims.len() as i64;
    let dim = |i: &i64| {
        let place = if *i < 0 { i + n } else { *i };
        let dim = usize::try_from(place).ok().and_then(|p| from.dims.get(p));
        dim.copied().ok_or_else(|| node.bad_shape(format!("index {i} of {n} extents")))
    };
    if literal.dims.len() > 1 {
        return Err(node.unsupported("a table of extents"));
    }
    Ok(Extents { dims: indices.iter().map(dim).collect::<Res<_>>()?, scalar: literal.dims.is_empty() })
}

fn slice(node: &Node<'_, '_>, from: &Extents) -> Res<Extents> {
    let bound = |i: usize, name: &str| match node.version() {
        v if v < 10 => Ok(node.attributes().ints(name).first().copied()),
        _ if node.has(i) => Ok(node.ints(i)?.first().copied()),
        _ => Ok(None),
    };
    let (start, end) = (bound(1, "starts")?.unwrap_or(0), bound(2, "ends")?.unwrap_or(i64::MAX));
    if bound(4, "steps")?.unwrap_or(1) != 1 {
        return Err(node.unsupported("extents in steps"));
    }
    let n = from.dims.len() as i64;
    let place = |i: i64| (if i < 0 { i.saturating_add(n) } else { i }).clamp(0, n) as usize;
    let (start, end) = (place(start), place(end));
    Ok(Extents { dims: from.dims.get(start..end).unwrap_or_default().to_vec(), scalar: false })
}
