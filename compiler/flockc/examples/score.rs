//! The CPU time of a batch in memory, for `testsuite/bench/native.py`.
//!
//! ```text
//! cargo run --release -p flockc --example score -- MODEL DATA ROWS OUTPUT [cranelift|llvm]
//! ```
//! `DATA` is a Parquet or Arrow file that `MODEL` binds to by name, or raw f64 or f32, column by column, `ROWS` of each; its size says
//! which. Compiles the model as `flockc run` does, writes the outputs of all rows as raw f64 to `OUTPUT`, prints the CPU milliseconds
//! of reading, optimising and compiling, then what was compiled; then reads lines `BATCHES FIRST ROWS THREADS` and prints for
//! each the CPU and the wall nanoseconds of one row when every thread scores so many batches of rows.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch};
use clap::ValueEnum;
use flock::codegen::Codegen;
use flock_core::{Column, FlockKind, OutputColumn, Program, Values};
use flock_engine::{Keep, Source};

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

/// What is scored.
enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// The inputs of all rows, in order.
    Table(RecordBatch),
}

impl Data {
    fn read(path: &Path, program: &Program, rows: usize) -> Result<Data, Failed> {
        if path.extension().is_some_and(|e| e == "parquet" || e == "arrow") {
            return table(path, program);
        }
        let values = program.inputs().len() * rows;
        let bytes = std::fs::read(path)?;
        let (singles, doubles) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match bytes.len() / values.max(1) {
            4 => Ok(Data::F32(singles.iter().map(|b| f32::from_le_bytes(*b)).collect())),
            8 => Ok(Data::F64(doubles.iter().map(|b| f64::from_le_bytes(*b)).collect())),
            n => Err(format!("{n} bytes for each of {values} values").into()),
        }
    }

    /// Some rows as the input of a call.
    fn rows(&self, all: usize, first: usize, rows: usize) -> Vec<ArrayRef> {
        match self {
            Data::Table(t) => t.slice(first, rows).columns().to_vec(),
            Data::F32(v) => v.chunks(all).map(|c| floats32(&c[first..first + rows])).collect(),
            Data::F64(v) => v.chunks(all).map(|c| floats64(&c[first..first + rows])).collect(),
        }
    }
}

fn floats32(x: &[f32]) -> ArrayRef {
    std::sync::Arc::new(arrow::array::Float32Array::from(x.to_vec()))
}

fn floats64(x: &[f64]) -> ArrayRef {
    std::sync::Arc::new(arrow::array::Float64Array::from(x.to_vec()))
}

/// The inputs of a file's rows.
fn table(path: &Path, program: &Program) -> Result<Data, Failed> {
    let source = Source::open(&path.to_string_lossy()).map_err(|f| format!("{f:?}"))?;
    let bound = source.bind(program.inputs(), &Keep::Nothing).map_err(|f| format!("{f:?}"))?;
    let batches = bound.rows(usize::MAX >> 1).map(|r| r.map(|r| r.inputs)).collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|f| format!("{f:?}"))?;
    let schema = batches.first().ok_or("no rows")?.schema();
    Ok(Data::Table(arrow::compute::concat_batches(&schema, &batches)?))
}

fn compiled(model: &Path, codegen: Codegen) -> Result<(Program, [f64; 3]), Failed> {
    let begin = cpu();
    let pipeline = flock::artefact::load(model, &Default::default()).map_err(|e| format!("{e:?}"))?;
    let loaded = cpu();
    let pipeline = flock::optimize::function(&pipeline).map_err(|e| format!("{e:?}"))?.pipeline;
    let backend = codegen.backend().map_err(|e| e.report(false))?;
    let optimised = cpu();
    let program = backend.emit(&pipeline.module, &pipeline.name).map_err(|e| format!("{e:?}"))?;
    Ok((program, [loaded - begin, optimised - loaded, cpu() - optimised].map(|ns| ns / 1e6)))
}

fn columns(arrays: &[ArrayRef]) -> Result<Vec<Column<'_>>, Failed> {
    arrays.iter().map(|a| flock_engine::column(a).map_err(|e| format!("{e:?}").into())).collect()
}

fn write(program: &Program, outputs: &[OutputColumn], path: &Path) -> Result<(), Failed> {
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

/// Nanoseconds of a row: CPU and wall.
fn time(
    program: &Program,
    columns: &[Column<'_>],
    batches: usize,
    rows: usize,
    threads: usize,
) -> Result<[f64; 2], Failed> {
    let work = || {
        let mut scratch = program.scratch();
        (0..batches).try_for_each(|_| program.score(columns, rows, &mut scratch).map(|o| _ = std::hint::black_box(o)))
    };
    let (cpu_before, before) = (cpu(), Instant::now());
    if threads <= 1 {
        work()?;
    } else {
        let done = std::thread::scope(|s| {
            let all: Vec<_> = (0..threads).map(|_| s.spawn(work)).collect();
            all.into_iter().map(|t| t.join().map_err(|_| "a thread has panicked")).collect::<Vec<_>>()
        });
        for d in done {
            d??;
        }
    }
    let scored = (batches * rows * threads.max(1)) as f64;
    Ok([(cpu() - cpu_before) / scored, before.elapsed().as_nanos() as f64 / scored])
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, rows, output, rest @ ..] = &arguments[..] else { return Err("MODEL DATA ROWS OUTPUT".into()) };
    let codegen = rest.first().map_or(Ok(Codegen::default()), |name| Codegen::from_str(name, false))?;
    let (program, [read, optimised, compiled]) = compiled(Path::new(model), codegen)?;
    let all: usize = rows.parse()?;
    let data = Data::read(Path::new(data), &program, all)?;
    let arrays = data.rows(all, 0, all);
    write(&program, &program.score(&columns(&arrays)?, all, &mut program.scratch())?, Path::new(output))?;
    let outputs: Vec<&str> = program.outputs().iter().map(|f| f.name.as_str()).collect();
    println!("{read:.3} {optimised:.3} {compiled:.3} {} {program:?}", outputs.join(","));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let numbers: Vec<usize> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [batches, first, rows, threads] = numbers[..] else { return Err("BATCHES FIRST ROWS THREADS".into()) };
        let arrays = data.rows(all, first, rows);
        let [cpu, wall] = time(&program, &columns(&arrays)?, batches, rows, threads)?;
        println!("{cpu} {wall}");
    }
    Ok(())
}
