//! Lifts ONNX graphs to Flock IR.
