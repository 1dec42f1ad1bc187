//! Flock as a library: read a pipeline, optimise it, score with it, compile it, check it. The binary `flockc` is a thin
//! layer over this.

pub mod artefact;
pub mod cli;
pub mod codegen;
pub mod compile;
pub mod embedded;
pub mod error;
pub mod explain;
pub mod frames;
pub mod inspect;
pub mod library;
pub mod optimize;
pub mod outline;
mod output;
pub mod query;
pub mod run;
pub mod score;
pub mod verify;

pub use error::{Error, Result};
