//! Categories and dictionaries.

use egg::Id;
use flock_ir_spec::{Attr, Op, Scalar};

use super::rules;
use crate::analysis::{add, add_constant, table};
use crate::language::Egraph;
use crate::tables::{columns_of, distinct, rows_of};

rules! {
    /// A category whose row is all zeros need not be listed: an unknown one gives the same row.
    Bits "lookup-zero-rows": "(lookup (index_of ?x ?c) ?t)" => { without_zero_rows(?x ?c ?t) };
    /// Whether a value has a position among categories is whether it is in the set of them; NaN is in no set.
    Bits "known-category":   "(ge (index_of ?x ?c) ?z)"     => { known(?x ?c ?z) };
}

fn without_zero_rows(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let [x, categories, rows] = *c else { return None };
    let (values, t) = (table(g, categories)?, table(g, rows)?);
    let zero = |i: usize| (0..t.width).all(|j| is_zero(&t.get(i, j)));
    let kept: Vec<usize> = (0..values.len()).filter(|i| *i < t.rows && !zero(*i)).collect();
    if kept.len() == values.len() || kept.is_empty() || !distinct(values) {
        return None;
    }
    let (values, t) = (columns_of(values, &kept), rows_of(t, &kept));
    let (values, t) = (add_constant(g, values), add_constant(g, t));
    let index = add(g, Op::IndexOf, Attr::None, &[x, values])?;
    add(g, Op::Lookup, Attr::None, &[index, t])
}

/// The bits that a lookup gives outside of its table.
fn is_zero(x: &Scalar) -> bool {
    match x {
        Scalar::Bool(x) => !x,
        Scalar::I64(x) => *x == 0,
        Scalar::F32(x) => x.to_bits() == 0,
        Scalar::F64(x) => x.to_bits() == 0,
        Scalar::Str(x) => x.is_empty(),
        Scalar::Null => false,
    }
}

fn known(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let [x, categories, least] = *c else { return None };
    let (values, least) = (table(g, categories)?, table(g, least)?);
    let floats = values.dtype().is_float();
    (least.as_i64() == Some(&[0]) && !floats).then_some(())?;
    add(g, Op::InSet, Attr::None, &[x, categories])
}
