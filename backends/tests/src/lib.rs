//! What every backend that makes a [`Program`] must pass: each operator, whole functions and ensembles, on hard values,
//! bit for bit against the reference evaluator. A backend's own tests are one line, [`backend_tests!`].
#![allow(missing_docs, clippy::unwrap_used)]

pub mod functions;
pub mod ops;
pub mod trees;

use flock_api::Backend;
use flock_core::{Column, OutputColumn, Program, Scratch, Values};
use flock_ir_spec::{DType, Data, Frame, FrameType, Function, Scalar, Verified, eval};
use flock_plan::{Options, Trees};

/// A backend with those options.
pub type Make = fn(Options) -> Box<dyn Backend<Artifact = Program>>;

/// The tests of a backend, each a test of its own.
#[macro_export]
macro_rules! backend_tests {
    ($make:expr) => {
        $crate::backend_tests! { $make =>
            ops every_operator_on_hard_values,
            ops parameters_and_constants_as_outputs,
            ops a_set_finds_no_nan_and_both_zeros,
            ops nothing_is_contracted,
            functions random_graphs,
            functions large_graphs_are_cut_into_parts,
            functions every_number_of_rows,
            functions calls_are_inlined,
            functions text,
            functions what_cannot_be_compiled_is_named,
            functions frames_beyond_any_memory_are_refused,
            functions one_program_on_many_threads,
            functions filled_parameters_and_bounded_rows,
            functions rounded_parameters_and_floors,
            trees random_ensembles,
            trees many_outputs_take_fewer_rows,
            trees features_from_everywhere,
            trees five_thousand_categories,
        }
    };
    ($make:expr => $($family:ident $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::$family::$name($make);
            }
        )*
    };
}

/// A function as the backend compiles it with its default options.
pub fn compile(make: Make, module: &Verified, name: &str) -> Program {
    make(Options::default()).emit(module, name).unwrap()
}

/// Numbers without end, the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Values that go wrong easily: signs of zero, infinities, NaN, ties, the ends of each type, halves of f32 steps.
pub fn hard_f64() -> Vec<f64> {
    let mut all = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        3.0,
        0.1,
        1e-3,
        7.25,
        100.0,
        37.5,
        -37.5,
        709.9,
        -745.3,
        1e300,
        -1e300,
        1e-300,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        9_007_199_254_740_993.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        9_223_372_036_854_774_784.0,
        f64::from(f32::MAX),
        f64::from(f32::MAX) * (1.0 + 1e-8),
        1e-46,
        0.100_000_001_490_116_12,
        0.100_000_005_215_406_4,
        0.100_000_005_215_406_42,
        -1.0 - 1e-16,
        4.0,
        10.0,
        2.0,
    ];
    all.extend((0..8).map(f64::from));
    all
}

pub fn hard(dtype: DType, random: &mut Random) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(random.below(2) == 1),
        DType::I64 => Scalar::I64(*random.pick(&[
            0,
            1,
            -1,
            2,
            3,
            4,
            5,
            7,
            -7,
            100,
            i64::MAX,
            i64::MIN,
            i64::MAX - 1,
            i64::MIN + 1,
            9_007_199_254_740_993,
            3_037_000_500,
            -3_037_000_500,
        ])),
        DType::F32 => Scalar::F32(*random.pick(&hard_f64()) as f32),
        DType::F64 => Scalar::F64(*random.pick(&hard_f64())),
        DType::Str => {
            let text =
                ["", "a", "b", "AA", "Aa", "é", "ab", "a text that is longer than twelve bytes", "True", "3", "b\0"];
            Scalar::Str((*random.pick(&text)).into())
        }
    }
}

/// A frame of hard values, a fifth of them null where the type allows it.
pub fn hard_frame(rows: usize, ty: FrameType, random: &mut Random) -> Frame {
    Frame::from_fn(rows, ty, |_, _| match random.below(5) {
        0 if ty.nullable => Scalar::Null,
        _ => hard(ty.dtype, random),
    })
}

/// A column of a batch with its memory.
enum Memory {
    Bits(Vec<u8>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<i32>, Vec<u8>),
    Dictionary(Vec<i16>, Vec<i32>, Vec<u8>),
}

struct Stored {
    memory: Memory,
    validity: Vec<u8>,
    nulls: bool,
    rows: usize,
}

fn bits(values: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, v) in values.enumerate() {
        if i % 8 == 0 {
            out.push(0);
        }
        out[i / 8] |= u8::from(v) << (i % 8);
    }
    out
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> (Vec<i32>, Vec<u8>) {
    let (mut offsets, mut bytes) = (vec![0], Vec::new());
    for v in values {
        bytes.extend_from_slice(v.as_bytes());
        offsets.push(bytes.len() as i32);
    }
    (offsets, bytes)
}

impl Stored {
    fn new(frame: &Frame, column: usize, dictionary: bool) -> Stored {
        let range = column * frame.rows..(column + 1) * frame.rows;
        let memory = match &frame.data {
            Data::Bool(v) => Memory::Bits(bits(v[range.clone()].iter().copied())),
            Data::I64(v) => Memory::I64(v[range.clone()].to_vec()),
            Data::F32(v) => Memory::F32(v[range.clone()].to_vec()),
            Data::F64(v) => Memory::F64(v[range.clone()].to_vec()),
            Data::Str(v) if dictionary => {
                let mut distinct: Vec<&str> = Vec::new();
                let codes = v[range.clone()].iter().map(|s| match distinct.iter().position(|d| *d == &**s) {
                    Some(i) => i as i16,
                    None => {
                        distinct.push(s);
                        distinct.len() as i16 - 1
                    }
                });
                let codes = codes.collect();
                let (offsets, bytes) = text(distinct.into_iter());
                Memory::Dictionary(codes, offsets, bytes)
            }
            Data::Str(v) => {
                let (offsets, bytes) = text(v[range.clone()].iter().map(|s| &**s));
                Memory::Text(offsets, bytes)
            }
        };
        let nulls = range.clone().any(|i| frame.is_null_flat(i));
        let validity = bits(range.map(|i| !frame.is_null_flat(i)));
        Stored { memory, validity, nulls, rows: frame.rows }
    }

    fn column(&self) -> Column<'_> {
        let column = match &self.memory {
            Memory::Bits(v) => Column::bits(v, 0, self.rows).unwrap(),
            Memory::I64(v) => Column::numbers(v),
            Memory::F32(v) => Column::numbers(v),
            Memory::F64(v) => Column::numbers(v),
            Memory::Text(offsets, bytes) => Column::str32(offsets, bytes).unwrap(),
            Memory::Dictionary(codes, offsets, bytes) => {
                Column::dictionary(codes, Column::str32(offsets, bytes).unwrap())
            }
        };
        if self.nulls { column.validity(&self.validity, 0).unwrap() } else { column }
    }
}

fn element(c: &OutputColumn, row: usize) -> Scalar {
    let bit = |v: &[u8]| v[row / 8] >> (row % 8) & 1 != 0;
    if c.validity.as_ref().is_some_and(|v| !bit(v)) {
        return Scalar::Null;
    }
    match &c.values {
        Values::Bool(v) => Scalar::Bool(bit(v)),
        Values::I64(v) => Scalar::I64(v[row]),
        Values::F32(v) => Scalar::F32(v[row]),
        Values::F64(v) => Scalar::F64(v[row]),
        Values::Str { offsets, bytes } => {
            let range = offsets[row] as usize..offsets[row + 1] as usize;
            Scalar::Str(std::str::from_utf8(&bytes[range]).unwrap().into())
        }
    }
}

/// The same bits; the payload of a NaN is not part of any operator's meaning.
fn same(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::F64(a), Scalar::F64(b)) if a.is_nan() && b.is_nan() => true,
        (Scalar::F32(a), Scalar::F32(b)) if a.is_nan() && b.is_nan() => true,
        _ => a == b,
    }
}

/// Scores frames with a program; gives a frame per output column.
pub fn score(
    program: &Program,
    params: &[Frame],
    rows: usize,
    dictionary: bool,
    scratch: &mut Scratch,
) -> Vec<OutputColumn> {
    let stored: Vec<Stored> =
        params.iter().flat_map(|p| (0..p.width).map(move |j| Stored::new(p, j, dictionary))).collect();
    let columns: Vec<Column<'_>> = stored.iter().map(Stored::column).collect();
    program.score(&columns, rows, scratch).unwrap()
}

/// Compares a program with the reference evaluator on these parameters.
pub fn compare(program: &Program, module: &Verified, function: &Function, params: &[Frame], rows: usize) {
    compare_in(program, module, function, params, rows, &mut program.scratch());
}

/// The same in memory that holds what earlier batches have left there.
fn compare_in(
    program: &Program,
    module: &Verified,
    function: &Function,
    params: &[Frame],
    rows: usize,
    scratch: &mut Scratch,
) {
    let expected = eval::call(module, function, rows, params).unwrap();
    for dictionary in [false, true] {
        let found = score(program, params, rows, dictionary, scratch);
        let mut columns = found.iter();
        for (o, e) in function.outputs.iter().zip(&expected) {
            for j in 0..e.width {
                let c = columns.next().unwrap();
                for i in 0..rows {
                    let (want, got) = (e.get(i, j), element(c, i));
                    assert!(
                        same(&want, &got),
                        "{}: output {} column {j} row {i} of {rows}: {got:?}, reference {want:?}\n{}",
                        function.name,
                        o.name,
                        explain(function, params, i)
                    );
                }
            }
        }
        assert!(columns.next().is_none());
    }
}

fn explain(function: &Function, params: &[Frame], row: usize) -> String {
    let inputs = function.params.iter().zip(params);
    let shown = inputs.map(|(p, f)| {
        let values: Vec<Scalar> = (0..f.width).map(|j| f.get(row, j)).collect();
        format!("{} {} = {values:?}", p.name, p.ty)
    });
    shown.collect::<Vec<_>>().join("\n")
}

pub const BOTH: [Options; 2] = [Options { trees: Trees::Data }, Options { trees: Trees::Code }];

/// Compiles a function and compares it on hard values for numbers of rows around a block's ends.
pub fn check(make: Make, module: &Verified, name: &str, options: &[Options], rows: &[usize], seed: u64) {
    let function = module.function(name).unwrap();
    for o in options {
        let program = make(*o).emit(module, name).unwrap();
        let (mut random, mut scratch) = (Random::new(seed), program.scratch());
        for rows in rows {
            let params: Vec<Frame> = function.params.iter().map(|p| hard_frame(*rows, p.ty, &mut random)).collect();
            compare_in(&program, module, function, &params, *rows, &mut scratch);
        }
    }
}
