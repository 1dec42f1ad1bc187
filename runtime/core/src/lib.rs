//! The runtime library behind compiled code: batches, kernels, dictionaries, threads. Knows no IR.
