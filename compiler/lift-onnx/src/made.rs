//! Graphs that a lift makes: bodies of functions, and of operators that are written out in others.

use std::cell::OnceCell;

use onnx_protobuf::GraphProto;

/// Keeps graphs for as long as the lift lasts: a list of cells, each filled once.
#[derive(Default)]
pub struct Made {
    next: OnceCell<Box<(GraphProto, Made)>>,
}

impl Made {
    /// Keeps a graph here; gives it, and where the next one goes. A cell that is full already passes it on.
    pub fn keep(&self, graph: GraphProto) -> (&GraphProto, &Made) {
        let mut graph = Some(graph);
        let mut cell = self;
        loop {
            let link = cell.next.get_or_init(|| Box::new((graph.take().unwrap_or_default(), Made::default())));
            if graph.is_none() {
                return (&link.0, &link.1);
            }
            cell = &link.1;
        }
    }
}

impl Drop for Made {
    /// Not cell within cell: there may be many.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut link) = next {
            next = link.1.next.take();
        }
    }
}
