//! What a backend is: the trait, artifacts, unsupported lists, cost questions.
