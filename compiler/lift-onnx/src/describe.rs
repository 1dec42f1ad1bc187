//! What a model holds, for people.

use std::collections::BTreeSet;

use onnx_protobuf::{Message, ModelProto, NodeProto};

use crate::wire;

/// The operators of a model, `ai.onnx.ml.Scaler`, those of graphs within its nodes and of its functions too; none of what
/// is no model.
pub fn operators(bytes: &[u8]) -> Vec<String> {
    let model = wire::check(bytes).ok().and_then(|()| ModelProto::parse_from_bytes(bytes).ok());
    let own = model.iter().filter_map(|m| m.graph.as_ref()).map(|g| &g.node);
    let mut lists: Vec<&Vec<NodeProto>> = own.chain(model.iter().flat_map(|m| &m.functions).map(|f| &f.node)).collect();
    let mut found = BTreeSet::new();
    while let Some(nodes) = lists.pop() {
        for node in nodes {
            let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
            found.insert(format!("{domain}.{}", node.op_type));
            let graphs = node.attribute.iter().flat_map(|a| a.g.as_ref().into_iter().chain(&a.graphs));
            lists.extend(graphs.map(|g| &g.node));
        }
    }
    found.into_iter().collect()
}
