//! Composites that have no shorter way here: their definitions, element by element.

use std::rc::Rc;

use flock_ir_spec::{Attr, Composite, FrameType, Graph, Node, NodeId, Op, Pool, Scalar};

use super::{Cell, Lower};

impl Lower<'_> {
    /// The definition's cells. It is elementwise throughout, and its constants are single numbers.
    pub(super) fn definition(
        &mut self,
        graph: &Graph,
        node: &Node,
        composite: Composite,
        args: &[Rc<[Cell]>],
    ) -> Vec<Cell> {
        let (mut definition, mut pool) = (Graph::default(), Pool::default());
        let types = node.args.iter().filter_map(|a| graph.frame_type(*a));
        let inputs: Vec<NodeId> = types
            .enumerate()
            .map(|(i, ty)| definition.add_leaf(Op::Input, Attr::Param(i as u32), flock_ir_spec::Type::Frame(ty)))
            .collect();
        let Ok(root) = definition.add_expanded(&mut pool, composite, &inputs) else {
            return self.refused(node, "its definition does not fit its operands");
        };
        let width = node.ty.frame().map_or(1, |t| t.width) as usize;
        (0..width).map(|k| self.defined(&definition, &pool, root, args, k)).collect()
    }

    fn defined(&mut self, graph: &Graph, pool: &Pool, root: NodeId, args: &[Rc<[Cell]>], column: usize) -> Cell {
        let nothing = || Cell::Const(Scalar::Null, flock_ir_spec::DType::F64);
        let live = graph.reachable([root]);
        let mut cells: Vec<Cell> = vec![nothing(); live.len()];
        for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
            let operands: Vec<Cell> = node.args.iter().map(|a| cells[a.index()].clone()).collect();
            let out = node.ty.frame().unwrap_or(FrameType::new(flock_ir_spec::DType::F64, 1)).with_width(1);
            cells[id.index()] = match node.attr {
                Attr::Param(i) => {
                    let cell = args.get(i as usize).and_then(|a| a.get(if a.len() == 1 { 0 } else { column }));
                    cell.cloned().unwrap_or_else(nothing)
                }
                Attr::Const(c) => pool.table(c).map_or_else(nothing, |t| Cell::Const(t.get(0, 0), t.dtype())),
                _ => self.element(node, &operands, out),
            };
        }
        cells[root.index()].clone()
    }
}
