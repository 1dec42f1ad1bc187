//! A scorer whose compiled function is written by hand, and tables to score.
#![allow(dead_code)]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use flock_core::kernels::category::flock_index_column;
use flock_core::kernels::columns::*;
use flock_core::kernels::tables::flock_lookup_str;
use flock_core::*;
use flock_engine::{CompiledScorer, Faults, FileSink, Head, Options, Sink, Source, Summary, run};

const B: usize = 64;
pub const CARRIERS: [&str; 3] = ["AA", "UA", "007"];

/// prediction = 2 * delay + the carrier's index (-1 unknown or missing), null where the delay is;
/// label = "late" above 30, else "on time", null likewise.
unsafe extern "C" fn entry(call: *mut FlockCall) -> i32 {
    // SAFETY: called through `Program` with the parts below.
    unsafe {
        let c = &mut *call;
        let [x, index, y] = [0, 1, 2].map(|i| c.scratch.add(i * B * 8));
        let text = c.scratch.add(3 * B * 8).cast::<FlockStr>();
        let valid = c.scratch.add(5 * B * 8);
        let (x, index, y) = (x.cast::<f64>(), index.cast::<i64>(), y.cast::<f64>());
        let (a, b) = (c.inputs, c.inputs.add(1));
        let mut status = flock_load_f64(a, c.start, c.rows, x, valid);
        status |= flock_index_column(*c.constants, b, c.inputs.add(2), c.start, c.rows, index, std::ptr::null_mut());
        for i in 0..c.rows {
            *y.add(i) = 2.0 * *x.add(i) + *index.add(i) as f64;
            *index.add(i) = i64::from(*x.add(i) > 30.0);
        }
        flock_lookup_str(*c.constants.add(1), index, B, c.rows, text);
        status |= flock_store_f64(c.outputs, c.start, c.rows, y, valid);
        status | flock_store_str(c.outputs.add(1), c.start, c.rows, text, valid)
    }
}

pub fn field(name: &str, kind: FlockKind, nullable: bool) -> Field {
    Field { name: name.into(), kind, nullable }
}

pub fn scorer() -> CompiledScorer {
    let parts = ProgramParts {
        inputs: vec![field("delay", FlockKind::F64, true), field("carrier", FlockKind::Str, true)],
        outputs: vec![field("prediction", FlockKind::F64, true), field("label", FlockKind::Str, true)],
        memos: vec![Memo { input: 1, table: 0 }],
        entry,
        block_rows: B,
        scratch_bytes: 6 * B * 8,
        constants: vec![pack_index_str(&CARRIERS), pack_table_str(2, 1, &["on time", "late"]).unwrap()],
        owner: Arc::new(()),
    };
    // SAFETY: `entry` is written for these parts.
    CompiledScorer::new(unsafe { Program::new(parts) }.unwrap())
}

/// Columns id, delay (null every seventh), carrier (null every fifth; codes with leading zeros), flag.
pub fn table(rows: usize) -> RecordBatch {
    let carrier = |i: usize| (!i.is_multiple_of(5)).then(|| ["AA", "UA", "007", "XX"][i % 4]);
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef),
        ("delay", Arc::new((0..rows).map(|i| (i % 7 != 0).then_some(i as f64 / 4.0 - 10.0)).collect::<Float64Array>())),
        ("carrier", Arc::new((0..rows).map(carrier).collect::<StringArray>())),
        ("flag", Arc::new((0..rows).map(|i| Some(i % 3 == 0)).collect::<BooleanArray>())),
    ])
    .unwrap()
}

/// What the scorer gives for a row of the table, as text.
pub fn expected(i: usize) -> [Option<String>; 2] {
    let there = !i.is_multiple_of(7);
    let delay = i as f64 / 4.0 - 10.0;
    let index = if i.is_multiple_of(5) { -1.0 } else { [0.0, 1.0, 2.0, -1.0][i % 4] };
    let label = if delay > 30.0 { "late" } else { "on time" };
    [there.then(|| format!("{:?}", 2.0 * delay + index)), there.then(|| label.into())]
}

pub fn write(path: &Path, batch: &RecordBatch) {
    let mut sink = FileSink::new(path).unwrap();
    sink.start(&batch.schema()).unwrap();
    sink.write(batch).unwrap();
    sink.finish().unwrap();
}

pub fn run_to(source: &str, options: &Options, sink: &mut dyn Sink) -> Result<Summary, Faults> {
    run(&Source::open(source)?, &scorer(), options, sink, &mut |_| ControlFlow::Continue(()))
}

/// All rows of a run as text.
pub fn head(source: &str, options: &Options) -> Result<Head, Faults> {
    let mut head = Head::new(1_000_000);
    run_to(source, options, &mut head).map(|_| head)
}

pub fn codes(faults: &Faults) -> Vec<(&'static str, String)> {
    faults.0.iter().map(|f| (f.code(), f.place())).collect()
}
