//! Emits SQL text from Flock IR.
