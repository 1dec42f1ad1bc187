//! Lifts SQL queries with predictions to Flock IR.
