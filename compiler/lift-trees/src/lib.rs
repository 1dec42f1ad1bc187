//! Reads gradient boosting files as data and lifts them to Flock IR.
//!
//! LightGBM writes text, XGBoost JSON and UBJSON, CatBoost JSON and a binary `cbm`; the content says which. A model's
//! trees become one ensemble that compares and adds as the library does: in its width, with its order of additions. What
//! is not known by name stops the lift with its place.

mod answer;
mod build;
mod catboost;
mod derived;
mod forest;
mod inputs;
mod json;
mod lift;
mod lightgbm;
mod ubjson;
mod value;
mod xgboost;

pub use lift::{Embedded, Embedding, Library, Options, embedded, lift, sniff};

/// A step of a lift: its result, or the fault that stops it.
pub(crate) type Res<T> = Result<T, flock_ir_spec::Diagnostic>;

/// A fault of a file that is not what its library writes.
pub(crate) fn damaged(place: impl Into<String>, message: impl Into<String>) -> flock_ir_spec::Diagnostic {
    flock_ir_spec::Diagnostic::new("flock::lift::model_file", place, message)
}

/// Something that the library writes and that cannot be lifted.
pub(crate) fn unsupported(place: impl Into<String>, message: impl Into<String>) -> flock_ir_spec::Diagnostic {
    flock_ir_spec::Diagnostic::new("flock::lift::unsupported", place, message)
}
