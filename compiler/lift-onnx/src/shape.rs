//! Shapes of tensors with one axis of rows.

use std::fmt;

/// The extent of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// The rows of the data: as many as there are, unknown here.
    Rows,
    /// A known extent.
    Fixed(u64),
}

/// The shape of a tensor: at most one axis is the rows'. A row's elements lie in the frame in row-major order of the
/// other axes. Without an axis of rows the tensor is the same on every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// A shape without rows.
    pub fn fixed(dims: &[u64]) -> Shape {
        Shape(dims.iter().map(|d| Dim::Fixed(*d)).collect())
    }

    /// `[rows, dims…]`.
    pub fn rows_by(dims: &[u64]) -> Shape {
        Shape(std::iter::once(Dim::Rows).chain(dims.iter().map(|d| Dim::Fixed(*d))).collect())
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The axis of the rows.
    pub fn rows_axis(&self) -> Option<usize> {
        self.0.iter().position(|d| *d == Dim::Rows)
    }

    /// The extents of the other axes, in order.
    pub fn row_dims(&self) -> Vec<u64> {
        self.0.iter().filter_map(|d| if let Dim::Fixed(n) = d { Some(*n) } else { None }).collect()
    }

    /// Elements per row; None beyond 2^64.
    pub fn width(&self) -> Option<u64> {
        self.row_dims().iter().try_fold(1u64, |a, d| a.checked_mul(*d))
    }

    /// An axis that may count from behind.
    pub fn axis(&self, axis: i64) -> Option<usize> {
        let rank = self.rank() as i64;
        let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
        (0..rank).contains(&axis).then_some(axis as usize)
    }

    /// The steps in the frame from one index to the next, per axis; 0 for the rows.
    pub fn strides(&self) -> Vec<i64> {
        let mut step = 1i64;
        let mut strides = vec![0; self.rank()];
        for (axis, dim) in self.0.iter().enumerate().rev() {
            if let Dim::Fixed(n) = dim {
                strides[axis] = step;
                step = step.saturating_mul(i64::try_from(*n).unwrap_or(i64::MAX));
            }
        }
        strides
    }

    /// Per axis the positions of its indices in the frame; one 0 for the rows. With [`sums`] this is every element.
    pub fn offsets(&self) -> Vec<Vec<i64>> {
        let strides = self.strides();
        let of = |(dim, stride): (&Dim, &i64)| match dim {
            Dim::Rows => vec![0],
            Dim::Fixed(n) => (0..*n as i64).map(|i| i * stride).collect(),
        };
        self.0.iter().zip(&strides).map(of).collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dim = |d: &Dim| match d {
            Dim::Rows => "rows".to_owned(),
            Dim::Fixed(n) => n.to_string(),
        };
        write!(f, "[{}]", self.0.iter().map(dim).collect::<Vec<_>>().join(", "))
    }
}

/// Every sum of one element of each list, the last list fastest: positions of a box within a frame.
pub fn sums(offsets: &[Vec<i64>]) -> Vec<i64> {
    offsets.iter().fold(vec![0], |sums, list| sums.iter().flat_map(|s| list.iter().map(move |o| s + o)).collect())
}

/// Number of [`sums`]; None beyond 2^64.
pub fn count(offsets: &[Vec<i64>]) -> Option<u64> {
    offsets.iter().try_fold(1u64, |n, list| n.checked_mul(list.len() as u64))
}
