//! What a model holds, for people.

use std::collections::BTreeSet;

use onnx_protobuf::{GraphProto, Message, ModelProto};

use crate::wire;

/// The operators of a model, `ai.onnx.ml.Scaler`, those of graphs within its nodes too; none of what is no model.
pub fn operators(bytes: &[u8]) -> Vec<String> {
    let model = wire::check(bytes).ok().and_then(|()| ModelProto::parse_from_bytes(bytes).ok());
    let mut graphs: Vec<&GraphProto> = model.iter().filter_map(|m| m.graph.as_ref()).collect();
    let mut found = BTreeSet::new();
    while let Some(graph) = graphs.pop() {
        for node in &graph.node {
            let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
            found.insert(format!("{domain}.{}", node.op_type));
            graphs.extend(node.attribute.iter().flat_map(|a| a.g.as_ref().into_iter().chain(&a.graphs)));
        }
    }
    found.into_iter().collect()
}
