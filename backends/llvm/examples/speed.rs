//! What compiling and a row cost with code by Cranelift and by LLVM, interleaved, medians.
//! `cargo run --release -p flock-llvm --example speed`
//!
//! Times are those of the CPU. The last column is from how many rows on LLVM's longer compiling is won back.

use std::error::Error;
use std::hint::black_box;

use flock_api::Backend;
use flock_core::{Column, Program};
use flock_cranelift::Cranelift;
use flock_ir_spec::{
    Attr, Child, DType, Frame, FrameType, FunctionBuilder, NodeId, Op, Test, Tree, TreeEnsemble, TreeNode, Verified,
};
use flock_llvm::Llvm;

const ROWS: usize = 10_000;
const FEATURES: usize = 28;
const ROUNDS: usize = 11;

type Failed = Box<dyn Error>;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// CPU nanoseconds of this process so far.
fn cpu() -> f64 {
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the C library's own function, with a structure of its layout on 64-bit Linux.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.seconds as f64 * 1e9 + time.nanoseconds as f64
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) & 0xffff_ffff) as f64 / 4_294_967_296.0
    }
}

/// Complete trees of that depth over uniform features.
fn ensemble(trees: usize, depth: u32, sum: DType) -> TreeEnsemble {
    let mut random = Random(42);
    let inner = (1usize << depth) - 1;
    let mut t = TreeEnsemble {
        features: FEATURES as u32,
        outputs: 1,
        input: DType::F32,
        sum,
        base: vec![0.5],
        trees: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        values: Vec::new(),
        sets: Default::default(),
    };
    for _ in 0..trees {
        let (first, leaf) = (t.nodes.len(), t.leaves.len());
        let child = |i: usize| match i < inner {
            true => Child::node((first + i) as u32),
            false => Child::leaf((leaf + i - inner) as u32),
        };
        for i in 0..inner {
            let feature = (random.unit() * FEATURES as f64) as u32;
            let (left, right) = (child(2 * i + 1), child(2 * i + 2));
            let threshold = random.unit();
            t.nodes.push(TreeNode { feature, test: Test::Le, missing_left: false, threshold, left, right });
        }
        for _ in 0..=inner {
            t.leaves.push(t.values.len() as u32);
            // What f32 has too.
            t.values.push(f64::from((random.unit() - 0.5) as f32));
        }
        t.trees.push(Tree { root: Child::node(first as u32), target: Some(0) });
    }
    t
}

/// A pipeline while it is built.
struct Build {
    f: FunctionBuilder,
    x: NodeId,
}

type Made = Result<NodeId, Failed>;

impl Build {
    fn op(&mut self, op: Op, args: &[NodeId]) -> Made {
        Ok(self.f.op(op, args)?)
    }

    fn row(&mut self, mut value: impl FnMut(usize) -> f64) -> NodeId {
        self.f.constant(Frame::row_f64((0..FEATURES).map(&mut value).collect::<Vec<_>>()))
    }

    fn number(&mut self, x: f64) -> NodeId {
        self.f.constant(Frame::row_f64(vec![x]))
    }

    /// `(x - mean) / scale`, each column by its own.
    fn scaled(&mut self, x: NodeId) -> Made {
        let (mean, scale) = (self.row(|j| j as f64 / 50.0), self.row(|j| 0.3 + j as f64 / 90.0));
        let centred = self.op(Op::Sub, &[x, mean])?;
        self.op(Op::Div, &[centred, scale])
    }

    /// NaN by the fill of its column, then within bounds.
    fn imputed(&mut self, x: NodeId) -> Made {
        let (fill, low, high) = (self.row(|j| j as f64 / 30.0), self.number(0.05), self.number(0.95));
        let missing = self.op(Op::IsNan, &[x])?;
        let filled = self.op(Op::Select, &[missing, fill, x])?;
        let raised = self.op(Op::Max, &[filled, low])?;
        self.op(Op::Min, &[raised, high])
    }

    /// A linear map of so many outputs.
    fn linear(&mut self, x: NodeId, from: usize, to: usize) -> Made {
        let mut random = Random(7 + to as u64);
        let weights: Vec<f64> = (0..from * to).map(|_| random.unit() - 0.5).collect();
        let w = self.f.constant(Frame::table_f64(from, to, &weights).ok_or("weights")?);
        let b = self.f.constant(Frame::row_f64((0..to).map(|_| random.unit()).collect::<Vec<_>>()));
        self.op(Op::Linear, &[x, w, b])
    }

    fn trees(&mut self, x: NodeId, trees: usize, depth: u32, sum: DType) -> Made {
        let t = self.f.constant(ensemble(trees, depth, sum));
        self.op(Op::Trees, &[x, t])
    }
}

/// A pipeline of the features, all f64.
fn pipeline(build: impl FnOnce(&mut Build) -> Made) -> Result<Verified, Failed> {
    let mut f = FunctionBuilder::new("f");
    let ty = FrameType::new(DType::F64, 1);
    let columns = (0..FEATURES).map(|j| f.input(&format!("x{j}"), ty));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|t| format!("another type: {t}"))?;
    let x = f.op(Op::Concat, &columns)?;
    let mut b = Build { f, x };
    let y = build(&mut b)?;
    b.f.output("y", y);
    let module = b.f.finish().map_err(|e| format!("{e:?}"))?;
    Verified::new(module).map_err(|e| format!("{e:?}").into())
}

type Pipeline = (&'static str, Result<Verified, Failed>);

fn pipelines() -> Vec<Pipeline> {
    let single = |b: &mut Build, x: NodeId| {
        let ty = FrameType::new(DType::F32, FEATURES as u32);
        b.f.op_with(Op::Cast, Attr::Type(ty), &[x]).map_err(Failed::from)
    };
    let total = |b: &mut Build, x: NodeId| b.op(Op::Sum, &[x]);
    vec![
        ("sum of the columns: loading and a kernel alone", pipeline(|b| total(b, b.x))),
        (
            "scaled, sum",
            pipeline(|b| {
                let x = b.scaled(b.x)?;
                total(b, x)
            }),
        ),
        (
            "imputed, clipped, scaled, sum",
            pipeline(|b| {
                let x = b.imputed(b.x)?;
                let x = b.scaled(x)?;
                total(b, x)
            }),
        ),
        (
            "clipped, scaled, a polynomial of each, sum",
            pipeline(|b| {
                let x = b.imputed(b.x)?;
                let x = b.scaled(x)?;
                let mut y = b.number(0.25);
                for k in 0..8 {
                    let c = b.number(f64::from(k) - 3.5);
                    y = b.op(Op::Mul, &[x, y])?;
                    y = b.op(Op::Add, &[y, c])?;
                }
                total(b, y)
            }),
        ),
        (
            "imputed, scaled, logistic regression",
            pipeline(|b| {
                let x = b.imputed(b.x)?;
                let x = b.scaled(x)?;
                let z = b.linear(x, FEATURES, 1)?;
                b.op(Op::Logistic, &[z])
            }),
        ),
        (
            "scaled, MLP 64 x 64, ReLU",
            pipeline(|b| {
                let (mut x, zero) = (b.scaled(b.x)?, b.number(0.0));
                for (from, to) in [(FEATURES, 64), (64, 64)] {
                    x = b.linear(x, from, to)?;
                    x = b.op(Op::Max, &[x, zero])?;
                }
                b.linear(x, 64, 1)
            }),
        ),
        (
            "20 trees of depth 3, f32",
            pipeline(|b| {
                let x = single(b, b.x)?;
                b.trees(x, 20, 3, DType::F32)
            }),
        ),
        (
            "100 trees of depth 3, sums in f64",
            pipeline(|b| {
                let x = single(b, b.x)?;
                b.trees(x, 100, 3, DType::F64)
            }),
        ),
        (
            "100 trees of depth 5, a kernel",
            pipeline(|b| {
                let x = single(b, b.x)?;
                b.trees(x, 100, 5, DType::F64)
            }),
        ),
    ]
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// CPU nanoseconds of so many batches.
fn time(program: &Program, columns: &[Column<'_>], rows: usize, batches: usize) -> Result<f64, Failed> {
    let mut scratch = program.scratch();
    let start = cpu();
    for _ in 0..batches {
        black_box(program.score(columns, rows, &mut scratch)?);
    }
    Ok((cpu() - start) / batches as f64)
}

fn report(what: &str, module: &Verified, data: &[Vec<f64>]) -> Result<(), Failed> {
    let backends: [&dyn Backend<Artifact = Program>; 2] = [&Cranelift::default(), &Llvm::default()];
    let mut compiling = [Vec::new(), Vec::new()];
    let mut programs = Vec::new();
    for round in 0..5 {
        for (b, times) in backends.iter().zip(&mut compiling) {
            let start = cpu();
            let program = b.emit(module, "f").map_err(|e| format!("{what}: {e:?}"))?;
            times.push(cpu() - start);
            if round == 0 {
                programs.push(program);
            }
        }
    }
    let columns: Vec<Column<'_>> = data.iter().map(|v| Column::numbers(v)).collect();
    let firsts: Vec<Column<'_>> = data.iter().map(|v| Column::numbers(&v[..1])).collect();
    let (mut batch, mut single) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        for (n, program) in programs.iter().enumerate() {
            batch[n].push(time(program, &columns, ROWS, 10)? / ROWS as f64);
            single[n].push(time(program, &firsts, 1, 2000)?);
        }
    }
    let ([a, b], [c, d], [e, f]) = (compiling.map(median), batch.map(median), single.map(median));
    let won = if c > d { format!("{:.0}", (b - a) / (c - d)) } else { "never".to_owned() };
    let estimates: Vec<String> =
        backends.iter().map(|b| format!("{:.0}", b.cost(module, &module.functions[0]))).collect();
    println!(
        "| {what} | {:.2} | {:.1} | {c:.1} | {d:.1} | {:.2} | {} | {e:.0} | {f:.0} | {won} |",
        a / 1e6,
        b / 1e6,
        d / c,
        estimates.join(", ")
    );
    Ok(())
}

fn main() -> Result<(), Failed> {
    let mut random = Random(3);
    let data: Vec<Vec<f64>> = (0..FEATURES).map(|_| (0..ROWS).map(|_| random.unit()).collect()).collect();
    println!(
        "| pipeline of {FEATURES} f64 columns | Cranelift ms | LLVM ms | ns a row | LLVM | ratio | estimates | one row ns | LLVM | rows |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (what, module) in pipelines() {
        report(what, &module?, &data)?;
    }
    Ok(())
}
