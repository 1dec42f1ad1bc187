//! The CPU time of a batch in memory, for `testsuite/bench/native.py`.
//!
//! ```text
//! cargo run --release -p flockc --example score -- MODEL DATA ROWS OUTPUT [cranelift|llvm]
//! ```
//! `DATA` is raw f64 or f32, column by column, `ROWS` of each; its size says which. Compiles the model as `flockc run`
//! does, writes the outputs of all rows as raw f64 to `OUTPUT`, prints the milliseconds of compiling, then reads lines
//! `BATCHES FIRST ROWS` and prints for each the CPU nanoseconds of one row when so many batches of rows are scored.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;
use flock::codegen::Codegen;
use flock_core::{Column, FlockKind, Program, Values};

type Failed = Box<dyn std::error::Error>;

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

/// The columns of a file.
enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Data {
    fn read(path: &Path, values: usize) -> Result<Data, Failed> {
        let bytes = std::fs::read(path)?;
        let (singles, doubles) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match bytes.len() / values.max(1) {
            4 => Ok(Data::F32(singles.iter().map(|b| f32::from_le_bytes(*b)).collect())),
            8 => Ok(Data::F64(doubles.iter().map(|b| f64::from_le_bytes(*b)).collect())),
            n => Err(format!("{n} bytes for each of {values} values").into()),
        }
    }

    fn columns(&self, all: usize, first: usize, rows: usize) -> Vec<Column<'_>> {
        match self {
            Data::F32(v) => v.chunks(all).map(|c| Column::numbers(&c[first..first + rows])).collect(),
            Data::F64(v) => v.chunks(all).map(|c| Column::numbers(&c[first..first + rows])).collect(),
        }
    }
}

fn compiled(model: &Path, codegen: Codegen) -> Result<(Program, f64), Failed> {
    let pipeline = flock::artefact::load(model, &Default::default()).map_err(|e| format!("{e:?}"))?;
    let pipeline = flock::optimize::function(&pipeline).map_err(|e| format!("{e:?}"))?.pipeline;
    let backend = codegen.backend().map_err(|e| e.report(false))?;
    let start = Instant::now();
    let program = backend.emit(&pipeline.module, &pipeline.name).map_err(|e| format!("{e:?}"))?;
    Ok((program, start.elapsed().as_secs_f64() * 1e3))
}

fn write(program: &Program, columns: &[Column<'_>], rows: usize, path: &Path) -> Result<(), Failed> {
    let outputs = program.score(columns, rows, &mut program.scratch())?;
    let mut bytes = Vec::new();
    for (o, f) in outputs.iter().zip(program.outputs()).filter(|(_, f)| f.kind != FlockKind::Str) {
        let floats: Vec<f64> = match &o.values {
            Values::F64(v) => v.clone(),
            Values::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Values::I64(v) => v.iter().map(|x| *x as f64).collect(),
            Values::Bool(_) | Values::Str { .. } => return Err(format!("{} is no number", f.name).into()),
        };
        bytes.extend(floats.iter().flat_map(|x| x.to_le_bytes()));
    }
    Ok(std::fs::write(path, bytes)?)
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, rows, output, rest @ ..] = &arguments[..] else { return Err("MODEL DATA ROWS OUTPUT".into()) };
    let codegen = rest.first().map_or(Ok(Codegen::default()), |name| Codegen::from_str(name, false))?;
    let (program, milliseconds) = compiled(Path::new(model), codegen)?;
    let all: usize = rows.parse()?;
    let data = Data::read(Path::new(data), program.inputs().len() * all)?;
    write(&program, &data.columns(all, 0, all), all, Path::new(output))?;
    let outputs: Vec<&str> = program.outputs().iter().map(|f| f.name.as_str()).collect();
    println!("{milliseconds:.3} {} {program:?}", outputs.join(","));
    let mut scratch = program.scratch();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let numbers: Vec<usize> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [batches, first, rows] = numbers[..] else { return Err("BATCHES FIRST ROWS".into()) };
        let columns = data.columns(all, first, rows);
        let start = cpu();
        for _ in 0..batches {
            std::hint::black_box(program.score(&columns, rows, &mut scratch)?);
        }
        println!("{}", (cpu() - start) / (batches * rows) as f64);
    }
    Ok(())
}
