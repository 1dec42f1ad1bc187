//! How long compiling takes, and a row: ensembles as data and as code, a scaler, one-hot into logistic regression.
//! `cargo run --release -p flock-cranelift --example speed`

use std::time::Instant;

use flock_core::{Column, Program};
use flock_cranelift::{Options, Trees, compile_with};
use flock_ir_spec::{
    Attr, Child, DType, Frame, FrameType, FunctionBuilder, Module, NodeId, Op, Test, Tree, TreeEnsemble, TreeNode,
    Verified,
};

const ROWS: usize = 10_000;
const FEATURES: usize = 28;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    fn unit(&mut self) -> f64 {
        (self.next() & 0xffff_ffff) as f64 / 4_294_967_296.0
    }
}

/// Complete trees of that depth over uniform features.
fn ensemble(trees: usize, depth: u32) -> TreeEnsemble {
    let mut random = Random(42);
    let inner = (1usize << depth) - 1;
    let mut t = TreeEnsemble {
        features: FEATURES as u32,
        outputs: 1,
        input: DType::F32,
        sum: DType::F64,
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
            let feature = (random.next() % FEATURES as u64) as u32;
            let (left, right) = (child(2 * i + 1), child(2 * i + 2));
            let threshold = random.unit();
            t.nodes.push(TreeNode { feature, test: Test::Le, missing_left: false, threshold, left, right });
        }
        for _ in 0..=inner {
            t.leaves.push(t.values.len() as u32);
            t.values.push(random.unit() - 0.5);
        }
        t.trees.push(Tree { root: Child::node(first as u32), target: Some(0) });
    }
    t
}

fn features(f: &mut FunctionBuilder) -> Result<NodeId, Box<dyn std::error::Error>> {
    let columns = (0..FEATURES).map(|j| f.input(&format!("x{j}"), FrameType::new(DType::F64, 1)));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|t| format!("another type: {t}"))?;
    Ok(f.op(Op::Concat, &columns)?)
}

fn verified(f: FunctionBuilder) -> Result<Verified, Box<dyn std::error::Error>> {
    let module: Module = f.finish().map_err(|e| format!("{e:?}"))?;
    Verified::new(module).map_err(|e| format!("{e:?}").into())
}

fn time(program: &Program, columns: &[Column<'_>]) -> Result<f64, flock_core::CoreError> {
    let mut scratch = program.scratch();
    let mut best = f64::INFINITY;
    for _ in 0..15 {
        let start = Instant::now();
        program.score(columns, ROWS, &mut scratch)?;
        best = best.min(start.elapsed().as_nanos() as f64 / ROWS as f64);
    }
    Ok(best)
}

fn report(
    what: &str,
    module: &Verified,
    trees: Trees,
    columns: &[Column<'_>],
) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let program = compile_with(module, "f", &Options { trees }).map_err(|e| format!("{e:?}"))?;
    let compiled = start.elapsed().as_secs_f64() * 1e3;
    let row = time(&program, columns)?;
    println!("{what:<40} {:>5} rows a block  {compiled:>8.2} ms to compile  {row:>9.1} ns a row", program.block_rows());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Random(7);
    let values: Vec<Vec<f64>> = (0..FEATURES).map(|_| (0..ROWS).map(|_| random.unit()).collect()).collect();
    let columns: Vec<Column<'_>> = values.iter().map(|v| Column::numbers(v)).collect();
    for (trees, depth) in [
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (1, 8),
        (10, 1),
        (10, 2),
        (10, 3),
        (10, 4),
        (100, 1),
        (100, 2),
        (100, 3),
        (100, 4),
        (60, 5),
        (100, 6),
        (500, 6),
        (1000, 6),
        (100, 8),
    ] {
        let mut f = FunctionBuilder::new("f");
        let x = features(&mut f)?;
        let t = f.constant(ensemble(trees, depth));
        let y = f.op(Op::Trees, &[x, t])?;
        f.output("y", y);
        let module = verified(f)?;
        report(&format!("{trees} trees of depth {depth}, data"), &module, Trees::Data, &columns)?;
        if trees << depth <= 8192 {
            report(&format!("{trees} trees of depth {depth}, code"), &module, Trees::Code, &columns)?;
        }
    }
    let mut f = FunctionBuilder::new("f");
    let x = features(&mut f)?;
    let row = |x: f64| Frame::row_f64(vec![x; FEATURES]);
    let (mean, scale) = (f.constant(row(0.5)), f.constant(row(0.3)));
    let centred = f.op(Op::Sub, &[x, mean])?;
    let scaled = f.op(Op::Div, &[centred, scale])?;
    let total = f.op(Op::Sum, &[scaled])?;
    f.output("y", total);
    report("scaler of 28 columns, sum", &verified(f)?, Trees::Auto, &columns)?;

    let mut f = FunctionBuilder::new("f");
    let x = features(&mut f)?;
    let weights: Vec<f64> = (0..FEATURES).map(|j| j as f64 / 9.0).collect();
    let (w, b) = (Frame::table_f64(FEATURES, 1, &weights).ok_or("weights")?, Frame::row_f64(vec![0.25]));
    let (w, b) = (f.constant(w), f.constant(b));
    let z = f.op(Op::Linear, &[x, w, b])?;
    let p = f.op(Op::Logistic, &[z])?;
    f.output("p", p);
    report("logistic regression of 28 columns", &verified(f)?, Trees::Auto, &columns)?;

    let mut f = FunctionBuilder::new("f");
    let ty = FrameType::new(DType::F64, 1).nullable();
    let fill = f.constant(Frame::row_f64(vec![0.5]));
    let mut filled = Vec::new();
    for j in 0..FEATURES {
        let x = f.input(&format!("x{j}"), ty).map_err(|t| format!("another type: {t}"))?;
        let nan = f.op(Op::IsNan, &[x])?;
        let known = f.op(Op::Coalesce, &[x, fill])?;
        let no = f.op_with(Op::Null, Attr::Type(FrameType::new(DType::Bool, 1).nullable()), &[])?;
        let missing = f.op(Op::Or, &[nan, no])?;
        filled.push(f.op(Op::Select, &[missing, fill, known])?);
    }
    let x = f.op(Op::Concat, &filled)?;
    let t = f.constant(ensemble(100, 3));
    let y = f.op(Op::Trees, &[x, t])?;
    f.output("y", y);
    report("28 imputed columns, 100 trees of depth 3", &verified(f)?, Trees::Auto, &columns)?;
    Ok(())
}
