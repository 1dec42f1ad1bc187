//! numpy's broadcasting, row by row.
//!
//! Shapes are aligned from behind; an axis of extent 1 stretches. The axis of rows meets itself, an axis of extent 1, or
//! nothing; anything else would mix rows.

use crate::shape::{Dim, Shape};

/// The common shape, or what is wrong.
pub fn common(shapes: &[&Shape]) -> Result<Shape, String> {
    let rank = shapes.iter().map(|s| s.rank()).max().unwrap_or(0);
    let axis = |from_behind: usize| {
        let dims = shapes.iter().filter_map(|s| s.0.get(s.rank().checked_sub(from_behind + 1)?));
        dims.copied().try_fold(Dim::Fixed(1), meet).map_err(|(a, b)| mismatch(shapes, a, b))
    };
    let dims = (0..rank).rev().map(axis).collect::<Result<Vec<_>, _>>()?;
    match dims.iter().filter(|d| **d == Dim::Rows).count() {
        0 | 1 => Ok(Shape(dims)),
        _ => Err(format!("{} would pair every row with every other", list(shapes))),
    }
}

fn meet(a: Dim, b: Dim) -> Result<Dim, (Dim, Dim)> {
    match (a, b) {
        (a, b) if a == b => Ok(a),
        (Dim::Fixed(1), other) | (other, Dim::Fixed(1)) => Ok(other),
        (a, b) => Err((a, b)),
    }
}

fn list(shapes: &[&Shape]) -> String {
    shapes.iter().map(|s| s.to_string()).collect::<Vec<_>>().join(" and ")
}

fn mismatch(shapes: &[&Shape], a: Dim, b: Dim) -> String {
    match (a, b) {
        (Dim::Fixed(a), Dim::Fixed(b)) => format!("{} do not broadcast: {a} meets {b}", list(shapes)),
        _ => format!("{} do not broadcast row by row: the rows meet an axis of fixed extent", list(shapes)),
    }
}

/// Per axis of `to` the positions in the frame of `from`, which broadcasts to it: the stretched axes stay in place.
pub fn stretch(from: &Shape, to: &Shape) -> Vec<Vec<i64>> {
    let strides = from.strides();
    let missing = to.rank() - from.rank();
    let of = |(axis, dim): (usize, &Dim)| {
        let own = axis.checked_sub(missing).map(|a| (from.0[a], strides[a]));
        match (dim, own) {
            (Dim::Rows, _) => vec![0],
            (Dim::Fixed(n), Some((Dim::Fixed(own), stride))) if own == *n => {
                (0..*n as i64).map(|i| i * stride).collect()
            }
            (Dim::Fixed(n), _) => vec![0; *n as usize],
        }
    };
    to.0.iter().enumerate().map(of).collect()
}
