//! A program whose entry is written by hand: columns in, columns out, and what is refused.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use flock_core::kernels::category::flock_index_column;
use flock_core::kernels::columns::*;
use flock_core::kernels::text::flock_text_of_i64;
use flock_core::*;

const B: usize = 64;

/// f64 and bool pass through; text gives its index and comes back; integers become text.
/// Scratch: four frames of 8 × B bytes, one of 16 × B, then validity.
unsafe extern "C" fn entry(call: *mut FlockCall) -> i32 {
    unsafe {
        let c = &mut *call;
        let at = |n: usize| c.scratch.add(n * B * 8);
        let (input, output) = (|i| c.inputs.add(i), |i| c.outputs.add(i));
        let valid = at(7);
        let text = at(3).cast::<FlockStr>();
        let index = at(2).cast::<i64>();
        let status = [
            flock_load_f64(input(0), c.start, c.rows, at(0).cast(), valid),
            flock_store_f64(output(0), c.start, c.rows, at(0).cast(), valid),
            flock_load_bool(input(1), c.start, c.rows, at(1), valid),
            flock_store_bool(output(1), c.start, c.rows, at(1), valid),
            flock_index_column(*c.constants, input(2), input(4), c.start, c.rows, index, valid),
            flock_store_i64(output(2), c.start, c.rows, index, valid),
            flock_load_str(input(2), c.start, c.rows, text, valid),
            flock_store_str(output(3), c.start, c.rows, text, valid),
            flock_load_i64(input(3), c.start, c.rows, index, std::ptr::null_mut()),
            flock_text_of_i64(c.arena, index, c.rows, text),
            flock_store_str(output(4), c.start, c.rows, text, std::ptr::null()),
        ];
        status.into_iter().find(|s| *s != 0).unwrap_or(0)
    }
}

fn field(name: &str, kind: FlockKind, nullable: bool) -> Field {
    Field { name: name.into(), kind, nullable }
}

fn program() -> Program {
    let parts = ProgramParts {
        inputs: vec![
            field("x", FlockKind::F64, true),
            field("flag", FlockKind::Bool, true),
            field("carrier", FlockKind::Str, true),
            field("n", FlockKind::I64, false),
        ],
        outputs: vec![
            field("x", FlockKind::F64, true),
            field("flag", FlockKind::Bool, true),
            field("index", FlockKind::I64, true),
            field("carrier", FlockKind::Str, true),
            field("text", FlockKind::Str, false),
        ],
        memos: vec![Memo { input: 2, table: 0 }],
        entry,
        block_rows: B,
        scratch_bytes: 8 * B * 8,
        constants: vec![pack_index_str(&["AA", "a carrier with a long name"])],
        owner: Arc::new(()),
    };
    unsafe { Program::new(parts) }.unwrap()
}

fn is_set(bits: &[u8], i: usize) -> bool {
    bits[i / 8] >> (i % 8) & 1 != 0
}

const NAMES: [&str; 3] = ["AA", "UA", "a carrier with a long name"];

/// Row i: x = i (missing every third), flag = i odd, carrier = NAMES[i % 3] (missing every fifth), n = -i.
struct Rows {
    n: usize,
    x: Vec<f64>,
    third: Vec<u8>,
    fifth: Vec<u8>,
    odd: Vec<u8>,
    ints: Vec<i32>,
}

impl Rows {
    fn new(n: usize) -> Rows {
        let bits = |f: &dyn Fn(usize) -> bool| {
            let mut b = vec![0u8; (n + 3) / 8 + 1];
            (0..n).filter(|i| f(*i)).for_each(|i| b[(i + 3) / 8] |= 1 << ((i + 3) % 8));
            b
        };
        Rows {
            n,
            x: (0..n).map(|i| i as f64).collect(),
            third: bits(&|i| i % 3 != 0),
            fifth: bits(&|i| i % 5 != 0),
            odd: bits(&|i| i % 2 == 1),
            ints: (0..n as i32).map(|i| -i).collect(),
        }
    }

    fn score(&self, carrier: Column<'_>) -> Result<Vec<OutputColumn>, CoreError> {
        let columns = [
            Column::numbers(&self.x).validity(&self.third, 3)?,
            Column::bits(&self.odd, 3, self.n)?,
            carrier.validity(&self.fifth, 3)?,
            Column::numbers(&self.ints),
        ];
        let p = program();
        p.score(&columns, self.n, &mut p.scratch())
    }

    fn expect(&self, out: &[OutputColumn]) {
        let there = |c: usize, i: usize| out[c].validity.as_ref().is_none_or(|v| is_set(v, i));
        let text = |c: usize, i: usize| match &out[c].values {
            Values::Str { offsets, bytes } => &bytes[offsets[i] as usize..offsets[i + 1] as usize],
            other => panic!("{other:?}"),
        };
        let (Values::F64(x), Values::Bool(flag), Values::I64(index)) = (&out[0].values, &out[1].values, &out[2].values)
        else {
            panic!("{out:?}")
        };
        for i in 0..self.n {
            assert_eq!(there(0, i).then_some(x[i]), (i % 3 != 0).then_some(i as f64));
            assert_eq!(there(1, i).then_some(is_set(flag, i)), Some(i % 2 == 1));
            assert_eq!(there(2, i).then_some(index[i]), (i % 5 != 0).then_some([0, -1, 1][i % 3]));
            assert_eq!(there(3, i).then_some(text(3, i)), (i % 5 != 0).then_some(NAMES[i % 3].as_bytes()));
            assert_eq!(text(4, i), (-(i as i64)).to_string().as_bytes());
        }
        assert_eq!(out[0].null_count(self.n), self.n.div_ceil(3));
    }
}

#[test]
fn every_layout_of_text_gives_the_same() {
    for n in [0, 1, 63, 64, 65, 1000] {
        let rows = Rows::new(n);
        let all: String = (0..n).map(|i| NAMES[i % 3]).collect();
        let mut offsets = vec![0i32];
        (0..n).for_each(|i| offsets.push(offsets[i] + NAMES[i % 3].len() as i32));
        rows.expect(&rows.score(Column::str32(&offsets, all.as_bytes()).unwrap()).unwrap());
        let wide: Vec<i64> = offsets.iter().map(|o| i64::from(*o)).collect();
        rows.expect(&rows.score(Column::str64(&wide, all.as_bytes()).unwrap()).unwrap());

        let buffer = NAMES[2].as_bytes();
        let view = |i: usize| {
            let s = NAMES[i % 3].as_bytes();
            let mut v = [0u8; 16];
            v[..4].copy_from_slice(&(s.len() as u32).to_le_bytes());
            if s.len() <= 12 {
                v[4..4 + s.len()].copy_from_slice(s)
            }
            u128::from_le_bytes(v)
        };
        let views: Vec<u128> = (0..n).map(view).collect();
        rows.expect(&rows.score(Column::views(&views, &[buffer]).unwrap()).unwrap());

        let names: String = NAMES.concat();
        let starts = [0, 2, 4, names.len() as i32];
        let codes: Vec<u8> = (0..n).map(|i| if i % 5 == 0 { 255 } else { (i % 3) as u8 }).collect();
        let values = Column::str32(&starts, names.as_bytes()).unwrap();
        rows.expect(&rows.score(Column::dictionary(&codes, values)).unwrap());
        // A code outside, and a null in the dictionary, are missing elements, whatever the bitmap says.
        let codes: Vec<i64> = (0..n)
            .map(|i| {
                if i % 10 == 0 {
                    -1
                } else if i % 5 == 0 {
                    3
                } else {
                    (i % 3) as i64
                }
            })
            .collect();
        let starts = [0, 2, 4, names.len() as i32, names.len() as i32];
        let values = || Column::str32(&starts, names.as_bytes()).unwrap().validity(&[0b0111], 0).unwrap();
        let mut all_there = Rows::new(n);
        all_there.fifth.fill(0xff);
        rows.expect(&all_there.score(Column::dictionary(&codes, values())).unwrap());
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let rows = Rows::new(10);
    let carrier = || Column::null(10);
    let p = program();
    let score = |columns: &[Column<'_>]| {
        let e = p.score(columns, 10, &mut p.scratch()).unwrap_err();
        (e.status, e.place)
    };
    let x = || Column::numbers(&rows.x);
    let flag = || Column::bits(&rows.odd, 3, 10).unwrap();
    let n = || Column::numbers(&rows.ints);
    let big = [u64::MAX; 10];
    assert_eq!(score(&[x(), flag(), carrier()]), (FlockStatus::Schema, "batch".into()));
    assert_eq!(score(&[x(), x(), carrier(), n()]), (FlockStatus::Schema, "flag".into()));
    assert_eq!(score(&[x(), flag(), n(), n()]), (FlockStatus::Schema, "carrier".into()));
    assert_eq!(score(&[Column::numbers(&rows.x[1..]), flag(), carrier(), n()]), (FlockStatus::Length, "x".into()));
    assert_eq!(
        score(&[x(), flag(), carrier(), n().validity(&rows.third, 3).unwrap()]),
        (FlockStatus::Null, "n".into())
    );
    assert_eq!(score(&[x(), flag(), carrier(), Column::null(10)]), (FlockStatus::Null, "n".into()));
    assert_eq!(score(&[x(), flag(), carrier(), Column::numbers(&big)]), (FlockStatus::Length, "n".into()));
    assert!(
        Column::str32(&[0, 5], b"four").is_err()
            && Column::str32(&[3, 1], b"four").is_err()
            && Column::str32(&[], b"").is_err()
    );
    assert!(
        Column::views(&[13 | 7 << 64], &[&[0; 20]]).is_err() && Column::views(&[13 | 8 << 96], &[&[0; 20]]).is_err()
    );
    assert!(Column::bits(&[0], 1, 8).is_err() && Column::bits(&[0], usize::MAX, 8).is_err());
}

#[test]
fn every_number_layout_becomes_f64() {
    fn check<T: Number>(values: &[T], want: &[f64]) {
        let mut out = vec![9.0; want.len() - 1];
        let mut valid = vec![9; want.len() - 1];
        let column = Column::numbers(values);
        assert_eq!(unsafe { flock_load_f64(column.as_raw(), 1, out.len(), out.as_mut_ptr(), valid.as_mut_ptr()) }, 0);
        assert_eq!((&out[..], valid), (&want[1..], vec![1; want.len() - 1]));
    }
    check(&[0i8, -128, 127], &[0.0, -128.0, 127.0]);
    check(&[0i16, -5], &[0.0, -5.0]);
    check(&[0u8, 255], &[0.0, 255.0]);
    check(&[0u16, 65535], &[0.0, 65535.0]);
    check(&[0u32, u32::MAX], &[0.0, 4294967295.0]);
    check(&[0i64, i64::MIN, (1 << 53) + 1], &[0.0, -9223372036854775808.0, 9007199254740992.0]);
    check(&[0u64, u64::MAX], &[0.0, 18446744073709551615.0]);
    check(&[0f32, 0.1], &[0.0, 0.10000000149011612]);
    let mut out = [0f32; 2];
    let column = Column::numbers(&[1e300, 0.1]);
    assert_eq!(unsafe { flock_load_f32(column.as_raw(), 0, 2, out.as_mut_ptr(), std::ptr::null_mut()) }, 0);
    assert_eq!(out, [f32::INFINITY, 0.1]);
}

/// One column that passes through.
unsafe extern "C" fn pass(call: *mut FlockCall) -> i32 {
    unsafe {
        let c = &*call;
        let (x, none) = (c.scratch.cast(), std::ptr::null_mut());
        let status = flock_load_f64(c.inputs, c.start, c.rows, x, none);
        if status == 0 { flock_store_f64(c.outputs, c.start, c.rows, x, none) } else { status }
    }
}

/// A batch has as many blocks as are asked for where it has the rows, none larger than the program's, and each row is scored once.
#[test]
fn batches_are_divided() {
    for block_rows in [64, 192, 512, 1280, 16_384] {
        let x = || vec![field("x", FlockKind::F64, false)];
        let parts = ProgramParts {
            inputs: x(),
            outputs: x(),
            memos: vec![],
            entry: pass,
            block_rows,
            scratch_bytes: 8 * block_rows,
            constants: vec![],
            owner: Arc::new(()),
        };
        let p = unsafe { Program::new(parts) }.unwrap();
        for rows in [0, 1, 64, 513, 2100, 40_000] {
            let x: Vec<f64> = (0..rows).map(|i| i as f64).collect();
            let columns = [Column::numbers(&x)];
            for blocks in [0, 1, 2, 7, u32::MAX as usize, usize::MAX] {
                let batch = p.batch(&columns, rows).unwrap().divided(blocks);
                let least = rows.div_ceil(block_rows);
                assert!(batch.blocks() >= least && batch.blocks() <= rows.div_ceil(64), "{block_rows} {rows} {blocks}");
                let enough = block_rows > 512 && rows >= blocks.saturating_mul(8 * 64);
                assert!(!enough || batch.blocks() + 1 >= blocks, "{block_rows} {rows} {blocks}: {}", batch.blocks());
                let mut scratch = p.scratch();
                let parts: Vec<_> = std::iter::from_fn(|| batch.next(3, &mut scratch).map(Result::unwrap)).collect();
                assert_eq!(batch.finish(parts).unwrap()[0].values, Values::F64(x.clone()));
            }
        }
    }
}

/// What a table looks like is said by the sources of the kernels, so all of them are in the version.
#[test]
fn every_kernel_is_in_the_version() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let abi = std::fs::read_to_string(sources.join("abi.rs")).unwrap();
    let mut open = vec![sources.join("kernels")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(&sources).unwrap().display().to_string();
        assert!(abi.contains(&format!("include_bytes!(\"{name}\")")), "{name} is not among the sources of FLOCK_ABI");
    }
}
