//! Operators along axes: the elements of a row in groups that are reduced, normalised or ranked by themselves.

use flock_ir_spec::NodeId;

use crate::Res;
use crate::node::Node;
use crate::shape::{self, Dim, Shape};
use crate::value::Tensor;

/// The elements of a row in groups.
pub struct Groups {
    /// Per group the positions of its elements in the frame.
    pub groups: Vec<Vec<i64>>,
    /// The axes that a group runs along.
    pub axes: Vec<usize>,
}

impl Node<'_, '_> {
    /// The groups along the axes, which must not be the rows'; all of them for none.
    pub fn groups(&mut self, shape: &Shape, axes: &[i64]) -> Res<Groups> {
        let axes: Vec<i64> = if axes.is_empty() { (0..shape.rank() as i64).collect() } else { axes.to_vec() };
        let axes = axes
            .iter()
            .map(|a| shape.axis(*a).ok_or_else(|| self.bad_attribute(format!("axis {a} of a tensor {shape}"))))
            .collect::<Res<Vec<_>>>()?;
        if shape.rows_axis().is_some_and(|rows| axes.contains(&rows)) {
            return Err(self.mixes_rows(format!("it runs along the rows of a tensor {shape}")));
        }
        self.spend(u64::from(self.frame_width(shape)?))?;
        let offsets = shape.offsets();
        let side = |inner: bool| -> Vec<Vec<i64>> {
            offsets.iter().enumerate().filter(|(a, _)| axes.contains(a) == inner).map(|(_, o)| o.clone()).collect()
        };
        let inner = shape::sums(&side(true));
        let groups = shape::sums(&side(false)).into_iter().map(|o| inner.iter().map(|i| o + i).collect()).collect();
        Ok(Groups { groups, axes })
    }

    /// Applies `f` to each group; the results side by side.
    pub fn each_group(
        &mut self,
        tensor: &Tensor,
        groups: &Groups,
        mut f: impl FnMut(&mut Self, NodeId) -> Res<NodeId>,
    ) -> Res<NodeId> {
        let parts = groups
            .groups
            .iter()
            .map(|group| {
                let elements = self.take(tensor.node, group.clone())?;
                f(self, elements)
            })
            .collect::<Res<Vec<_>>>()?;
        self.concat(&parts)
    }

    /// Applies `f`, which keeps the width, to each group; the results in the places of the elements.
    pub fn within_groups(
        &mut self,
        tensor: &Tensor,
        groups: &Groups,
        f: impl FnMut(&mut Self, NodeId) -> Res<NodeId>,
    ) -> Res<NodeId> {
        let results = self.each_group(tensor, groups, f)?;
        let mut places = vec![0; groups.groups.iter().map(Vec::len).sum()];
        groups.groups.iter().flatten().enumerate().for_each(|(from, to)| places[*to as usize] = from as i64);
        self.take(results, places)
    }
}

impl Groups {
    /// The shape of one result per group.
    pub fn reduced(&self, shape: &Shape, keep: bool) -> Shape {
        let of = |(axis, dim): (usize, &Dim)| match self.axes.contains(&axis) {
            true if keep => Some(Dim::Fixed(1)),
            true => None,
            false => Some(*dim),
        };
        Shape(shape.0.iter().enumerate().filter_map(of).collect())
    }
}
