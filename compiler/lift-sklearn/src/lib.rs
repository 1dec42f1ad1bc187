//! Reads fitted scikit-learn pipelines as data and lifts them to Flock IR.

pub mod read;
