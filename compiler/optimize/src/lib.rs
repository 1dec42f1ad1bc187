//! Equality saturation over frames and relations; the only crate that sees egg.
