//! The language of Flock: types, operators, modules, text form, verifier and reference evaluator.
//!
//! A model is a [`Function`] of frames to frames; a SQL statement is a [`Query`] over relations whose expressions are
//! frames too. Both live in a [`Module`] with the constants that they share. `SPEC.md` is the prose, `ops.md` the list
//! of operators.

pub mod constant;
pub mod diagnostic;
pub mod eval;
pub mod expand;
pub mod frame;
pub mod graph;
pub mod module;
pub mod ops;
pub mod relation;
pub mod sets;
pub mod terms;
pub mod text;
pub mod trees;
pub mod types;
pub mod verify;

pub use flock_text::{Digest, Unit, city_hash};

pub use constant::{ConstId, Constant, Pool};
pub use diagnostic::{Diagnostic, Faults};
pub use frame::{Data, Frame, FrameBuilder, Scalar};
pub use graph::{Graph, Node, NodeId, TypeError};
pub use module::{Function, FunctionBuilder, Module, Output, Param};
pub use ops::{Attr, ColumnId, Composite, Exactness, Op, Record, Word, digest_of};
pub use relation::{Aggregate, AggregateKind, ColumnDef, JoinKind, Query, Rel, RelId, SortKey};
pub use sets::CategorySets;
pub use terms::{Features, Terms};
pub use trees::{Child, Test, Tree, TreeEnsemble, TreeNode};
pub use types::{DType, FrameType, Type};
pub use verify::Verified;
