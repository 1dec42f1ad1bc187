//! Compiles Flock IR to machine code with Cranelift.
