use std::time::Instant;
fn main() {
    let m = flock_backend_tests::functions::random_function(1001, 1500);
    let cpu = flock_llvm::Cpu::host().unwrap();
    println!("{cpu:?}");
    let plan = flock_plan::plan(&m, "f", &Default::default()).ok().unwrap();
    let loops = plan.steps.iter().filter(|s| matches!(s, flock_plan::Step::Loop(_))).count();
    println!("{} steps, {loops} loops", plan.steps.len());
    let t = Instant::now();
    let [a, b] = flock_llvm::text(&m, "f", &Default::default(), &cpu).unwrap();
    println!("{:?} {} {}", t.elapsed(), a.len(), b.len());
    std::fs::write("/tmp/a.ll", a).unwrap();
    std::fs::write("/tmp/b.ll", b).unwrap();
}
