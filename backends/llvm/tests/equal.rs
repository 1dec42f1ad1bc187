//! What every backend must pass.

flock_backend_tests::backend_tests!(|options| Box::new(flock_llvm::Llvm(options)));
