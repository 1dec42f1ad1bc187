//! The `flockc` binary.
fn main() {}
