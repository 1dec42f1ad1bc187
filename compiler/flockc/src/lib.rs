//! The Flock compiler driver: library flock, binary flockc.
