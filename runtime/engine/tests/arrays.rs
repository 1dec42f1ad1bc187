//! Arrow arrays of every accepted type, sliced, dictionary-encoded, empty.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int8Type, Int32Type, UInt16Type};
use common::*;
use flock_engine::{CompiledScorer, FlockKind, Scorer, accepts, canonical};

/// The outputs for those two columns as text.
fn score(s: &CompiledScorer, delay: ArrayRef, carrier: ArrayRef) -> Vec<[Option<String>; 2]> {
    let batch = RecordBatch::try_from_iter_with_nullable([("a", delay, true), ("b", carrier, true)]).unwrap();
    let out = s.score(&batch).unwrap();
    let (p, l) = (out[0].as_primitive::<arrow::datatypes::Float64Type>(), out[1].as_string::<i32>());
    (0..batch.num_rows())
        .map(|i| [p.is_valid(i).then(|| format!("{:?}", p.value(i))), l.is_valid(i).then(|| l.value(i).to_string())])
        .collect()
}

#[test]
fn text_of_every_layout_scores_the_same_sliced_or_not() {
    let (s, t) = (scorer(), table(1000));
    let dictionary = |k: DataType| DataType::Dictionary(Box::new(k), Box::new(DataType::Utf8));
    let layouts = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::Int8),
        dictionary(DataType::UInt16),
        dictionary(DataType::Int64),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8)),
    ];
    for layout in layouts {
        assert!(accepts(FlockKind::Str, &layout));
        let carrier = cast(t.column(2), &layout).unwrap();
        for (from, n) in [(0, 1000), (3, 700), (64, 64), (999, 1), (13, 0)] {
            let out = score(&s, t.column(1).slice(from, n), carrier.slice(from, n));
            let want: Vec<_> = (from..from + n).map(expected).collect();
            assert_eq!(out, want, "{layout} from {from}");
        }
    }
}

#[test]
fn a_dictionary_with_nulls_and_strange_codes_is_read_by_its_entries() {
    let s = scorer();
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("UA"), None, Some("AA"), Some("AA")]));
    let keys = PrimitiveArray::<Int8Type>::from(vec![Some(0), Some(1), None, Some(3), Some(2)]);
    let carrier = Arc::new(DictionaryArray::new(keys, values)) as ArrayRef;
    let delay = Arc::new(Float64Array::from(vec![0.0; 5])) as ArrayRef;
    let p: Vec<_> = score(&s, delay, carrier).into_iter().map(|[p, _]| p.unwrap()).collect();
    assert_eq!(p, ["1.0", "-1.0", "-1.0", "0.0", "0.0"]);
}

#[test]
fn numbers_of_every_width_score_the_same_sliced_or_not() {
    let s = scorer();
    let carrier = || Arc::new(NullArray::new(3)) as ArrayRef;
    let delays: ArrayRef = Arc::new(Int8Array::from(vec![None, Some(7), Some(40), None, Some(1)]));
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(10, 2),
        DataType::Decimal256(10, 2),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int32)),
    ];
    for t in types {
        assert!(accepts(FlockKind::F64, &t), "{t}");
        let out = score(&s, cast(&delays, &t).unwrap().slice(1, 3), carrier());
        let some = |p: &str, l: &str| [Some(p.to_string()), Some(l.to_string())];
        assert_eq!(out, [some("13.0", "on time"), some("79.0", "late"), [None, None]], "{t}");
    }
    let flags = BooleanArray::from(vec![Some(true); 20]).slice(9, 3);
    assert_eq!(score(&s, Arc::new(flags), carrier())[0][0].as_deref(), Some("1.0"));
    assert_eq!(score(&s, Arc::new(NullArray::new(3)), carrier()), [[None, None], [None, None], [None, None]]);
    for t in [DataType::Utf8, DataType::Date32, DataType::Binary, DataType::Time32(arrow::datatypes::TimeUnit::Second)]
    {
        assert!(!accepts(FlockKind::F64, &t) && !accepts(FlockKind::I64, &t));
    }
    assert!(!accepts(FlockKind::I64, &DataType::Float64) && !accepts(FlockKind::Bool, &DataType::Int64));
    assert!(!accepts(FlockKind::Str, &DataType::Int64));
}

#[test]
fn canonical_arrays_hold_what_compiled_code_reads() {
    let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]));
    let floats = canonical(&unsigned, FlockKind::F32).unwrap();
    assert_eq!(floats.as_ref(), &Float32Array::from(vec![Some(7.0), None, Some(18446744073709551615.0)]) as &dyn Array);
    assert!(canonical(&unsigned, FlockKind::I64).unwrap_err().message().contains("row 2"));
    let ints = canonical(&unsigned.slice(0, 2), FlockKind::I64).unwrap();
    assert_eq!(ints.as_ref(), &Int64Array::from(vec![Some(7), None]) as &dyn Array);
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    assert_eq!(canonical(&flags.slice(1, 2), FlockKind::Bool).unwrap().as_ref(), &flags.slice(1, 2));
    let text: ArrayRef =
        Arc::new([Some("a"), None, Some("long enough for a view")].into_iter().collect::<StringViewArray>());
    let plain = canonical(&text.slice(1, 2), FlockKind::Str).unwrap();
    assert_eq!(plain.as_ref(), &StringArray::from(vec![None, Some("long enough for a view")]) as &dyn Array);
    let dictionary: ArrayRef =
        Arc::new([Some("x"), None, Some("x")].into_iter().collect::<DictionaryArray<Int32Type>>());
    assert_eq!(
        canonical(&dictionary, FlockKind::Str).unwrap().as_ref(),
        &StringArray::from(vec![Some("x"), None, Some("x")]) as &dyn Array
    );
    assert!(canonical(&dictionary, FlockKind::F64).is_err());
    let codes: ArrayRef = Arc::new(DictionaryArray::<UInt16Type>::new(
        UInt16Array::from(vec![1, 0]),
        Arc::new(Int64Array::from(vec![5, 6])),
    ));
    assert_eq!(canonical(&codes, FlockKind::F64).unwrap().as_ref(), &Float64Array::from(vec![6.0, 5.0]) as &dyn Array);
}

#[test]
fn a_batch_that_does_not_fit_is_refused() {
    let s = scorer();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let one = RecordBatch::try_from_iter([("a", text.clone())]).unwrap();
    assert_eq!(s.score(&one).unwrap_err().code(), "flock::run::refused_batch");
    let swapped = RecordBatch::try_from_iter([("a", text.clone()), ("b", text)]).unwrap();
    let e = s.score(&swapped).unwrap_err();
    assert_eq!(e.place(), "delay");
}
