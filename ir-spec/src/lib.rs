//! The language: types, operators, module, text form, verifier, reference evaluator.
