//! Categories and dictionaries.

use egg::Id;
use flock_ir_spec::{Attr, Frame, Op, Scalar};

use super::rules;
use crate::analysis::{add, add_constant, table};
use crate::encoder::Encoder;
use crate::language::{Egraph, Enode};
use crate::tables::rows_of;

rules! {
    /// A category whose row is all zeros need not be listed: an unknown one gives the same row.
    Bits "lookup-zero-rows": [Lookup] => { without_zero_rows };
    /// Whether a value has a position among categories is whether it is in the set of them; floats apart, as NaN is in
    /// no set.
    Bits "known-category":   [Ge]     => { known };
}

fn without_zero_rows(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let [index, rows] = *node.children else { return None };
    let encoder = Encoder::of(g, index)?;
    let t = table(g, rows)?;
    let zero = |i: usize| (0..t.width).all(|j| is_zero(&t.get(i, j)));
    let kept: Vec<usize> = (0..t.rows).filter(|i| !zero(*i)).collect();
    if kept.len() == t.rows {
        return None;
    }
    let t = rows_of(t, &kept);
    let index = encoder.select(g, &kept)?;
    let t = add_constant(g, t);
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

fn known(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let [index, least] = *node.children else { return None };
    let encoder = Encoder::of(g, index)?;
    let floats = table(g, encoder.categories)?.dtype().is_float();
    (table(g, least)?.as_i64() == Some(&[0]) && !floats).then_some(())?;
    let known = add(g, Op::InSet, Attr::None, &[encoder.x, encoder.categories])?;
    let Some(null) = encoder.null else { return Some(known) };
    let null = add_constant(g, Frame::row_bool([null >= 0]));
    add(g, Op::Coalesce, Attr::None, &[known, null])
}
