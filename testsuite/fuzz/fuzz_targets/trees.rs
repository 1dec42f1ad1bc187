#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

#[global_allocator]
static ALLOCATOR: targets::Counting = targets::Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::run(targets::trees, input));
