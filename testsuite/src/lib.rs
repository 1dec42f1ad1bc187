//! Cases, figures and the tests that hold the whole together.
