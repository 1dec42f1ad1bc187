//! Reads ONNX graphs as data and lifts them to Flock IR.
//!
//! [`lift`] checks the bytes ([`wire`]), finds the order of the nodes ([`wiring`]) and calls one lifter per operator
//! ([`ops`]). An operator that ONNX defines by others writes them out ([`body`]); a function of the model stands in the
//! place of its call ([`functions`]). The answer is onnxruntime's: where it and the specification part ways, the operator's
//! file says so.
//! What a lifter does not know by name stops the lift with its place: `graph.node[12] "scaler" (Scaler)`.

mod attributes;
mod body;
mod broadcast;
mod columns;
mod describe;
mod elem;
mod extents;
mod external;
mod fold;
mod functions;
mod groups;
mod inputs;
mod labels;
mod lift;
mod literal;
mod made;
mod node;
mod numbers;
pub mod ops;
mod outputs;
mod report;
mod scores;
mod shape;
mod value;
mod versions;
mod wire;
mod wiring;

pub use describe::operators;
pub use lift::{Options, Reading, lift};
pub use wire::sniff;

/// A step of a lift: its result, or the fault that stops it.
pub(crate) type Res<T> = Result<T, flock_ir_spec::Diagnostic>;
