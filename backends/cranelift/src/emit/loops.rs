//! Loops over rows: where elements are read and written.
//!
//! ```text
//! for k in 0..width:               // absent for one column
//!     c = constants of column k
//!     for i in 0..rows:
//!         x = scratch[x_at + k * stride + i]      // operands of width 1 stay at their only column
//!         …
//!         scratch[to + k * stride + i] = value
//! ```

use std::collections::HashMap;

use cranelift::prelude::*;
use flock_ir_spec::{Constant, DType, FrameType, NodeId, Op, Scalar};

use super::element::{self, Element, Elements, scalar_type};
use super::{FLAGS, Fields, blob, counted, offset};
use flock_plan::{BlobId, Loop, Place, Plan, View};

/// Writes a loop.
pub(crate) fn emit(b: &mut FunctionBuilder<'_>, plan: &Plan, fields: Fields, l: &Loop) {
    if l.width == 1 {
        return rows(b, plan, fields, l, None);
    }
    let n = b.ins().iconst(types::I64, i64::from(l.width));
    counted(b, n, |b, k| rows(b, plan, fields, l, Some(k)));
}

fn rows(b: &mut FunctionBuilder<'_>, plan: &Plan, fields: Fields, l: &Loop, k: Option<Value>) {
    let graph = &plan.flat.graph;
    let mut known: HashMap<NodeId, Element> = HashMap::new();
    let operands = l.members.iter().flat_map(|m| flock_plan::frame_operands(graph, *m)).chain(&l.members);
    for id in operands {
        if matches!(graph.node(*id).op, Op::Const | Op::Null) && !known.contains_key(id) {
            let element = leaf(b, plan, fields, *id, k);
            known.insert(*id, element);
        }
    }
    let mut at = Columns { plan, fields, k, starts: HashMap::new() };
    let operands = l.members.iter().flat_map(|m| flock_plan::frame_operands(graph, *m));
    let places: Vec<(NodeId, Place, FrameType)> = operands
        .filter(|a| !known.contains_key(*a) && !l.members.contains(a))
        .filter_map(|a| Some((*a, plan.places[a.index()]?, graph.frame_type(*a)?)))
        .collect();
    places.iter().for_each(|(_, p, t)| at.prepare(b, p, *t));
    let Some(root) = l.members.last().copied() else { return };
    let to = graph.frame_type(root).map_or(FrameType::new(DType::F64, l.width), |t| t.with_width(l.width));
    at.prepare(b, &l.to, to);
    counted(b, fields.rows, |b, i| {
        for (id, place, ty) in places {
            known.entry(id).or_insert_with(|| at.load(b, &place, ty, i));
        }
        for m in &l.members {
            if !known.contains_key(m) {
                let element = element::value(b, &plan.flat, *m, &Elements(&known));
                known.insert(*m, element);
            }
        }
        if let Some(value) = known.get(&root) {
            at.store(b, &l.to, to, i, value);
        }
    });
}

/// Column k of a view; its first where there is no k.
pub(crate) fn column(b: &mut FunctionBuilder<'_>, plan: &Plan, fields: Fields, view: View, k: Option<Value>) -> Value {
    let start = b.ins().iadd_imm_s(fields.scratch, offset(plan, view));
    let Some(k) = k else { return start };
    let step = b.ins().imul_imm_s(k, plan.block_rows as i64 * i64::from(view.size));
    b.ins().iadd(start, step)
}

/// The address of element i of a column.
pub(crate) fn element_address(b: &mut FunctionBuilder<'_>, start: Value, i: Value, size: u8) -> Value {
    let bytes = b.ins().ishl_imm_u(i, i64::from(size.trailing_zeros()));
    b.ins().iadd(start, bytes)
}

/// Addresses of the columns that a loop touches: where none steps, scratch itself with an offset.
struct Columns<'a> {
    plan: &'a Plan,
    fields: Fields,
    k: Option<Value>,
    /// By element size: scratch plus k columns.
    starts: HashMap<u8, Value>,
}

impl Columns<'_> {
    /// Computes, before the loop over rows, what the accesses to a place need.
    fn prepare(&mut self, b: &mut FunctionBuilder<'_>, place: &Place, ty: FrameType) {
        let views = [Some((place.data, ty.width > 1)), place.valid.map(|v| (v.view, v.wide && ty.width > 1))];
        for (view, steps) in views.into_iter().flatten() {
            if let Some(k) = self.k.filter(|_| steps) {
                let bytes = self.plan.block_rows as i64 * i64::from(view.size);
                let scratch = self.fields.scratch;
                self.starts.entry(view.size).or_insert_with(|| {
                    let step = b.ins().imul_imm_s(k, bytes);
                    b.ins().iadd(scratch, step)
                });
            }
        }
    }

    fn at(&self, b: &mut FunctionBuilder<'_>, view: View, steps: bool, i: Value) -> (Value, i32) {
        let start = self.starts.get(&view.size).filter(|_| steps && self.k.is_some());
        let start = start.copied().unwrap_or(self.fields.scratch);
        // The layout keeps scratch below 2 GiB.
        (element_address(b, start, i, view.size), offset(self.plan, view) as i32)
    }

    fn load(&self, b: &mut FunctionBuilder<'_>, place: &Place, ty: FrameType, i: Value) -> Element {
        let (at, offset) = self.at(b, place.data, ty.width > 1, i);
        let value = b.ins().load(scalar_type(ty.dtype), FLAGS, at, offset);
        let length = (ty.dtype == DType::Str).then(|| b.ins().load(types::I64, FLAGS, at, offset + 8));
        let valid = place.valid.map(|v| {
            let (at, offset) = self.at(b, v.view, v.wide && ty.width > 1, i);
            b.ins().load(types::I8, FLAGS, at, offset)
        });
        Element { value, length, valid }
    }

    fn store(&self, b: &mut FunctionBuilder<'_>, place: &Place, ty: FrameType, i: Value, x: &Element) {
        let (at, offset) = self.at(b, place.data, ty.width > 1, i);
        b.ins().store(FLAGS, x.value, at, offset);
        if let Some(length) = x.length {
            b.ins().store(FLAGS, length, at, offset + 8);
        }
        if let Some(v) = place.valid {
            let valid = x.valid.unwrap_or_else(|| b.ins().iconst(types::I8, 1));
            let (at, offset) = self.at(b, v.view, ty.width > 1, i);
            b.ins().store(FLAGS, valid, at, offset);
        }
    }
}

/// A constant in column k, or a null.
fn leaf(b: &mut FunctionBuilder<'_>, plan: &Plan, fields: Fields, id: NodeId, k: Option<Value>) -> Element {
    let graph = &plan.flat.graph;
    let dtype = graph.frame_type(id).map_or(DType::F64, |t| t.dtype);
    if graph.node(id).op == Op::Null {
        let element = element::zero(b, dtype);
        return Element { valid: Some(b.ins().iconst(types::I8, 0)), ..element };
    }
    let wide = graph.frame_type(id).is_some_and(|t| t.width > 1);
    match (plan.rows[id.index()], graph.constant(&plan.flat.pool, id)) {
        (Some((spans, Some(bytes))), _) => {
            let k = k.filter(|_| wide).unwrap_or_else(|| b.ins().iconst(types::I64, 0));
            let (ptr, len) = text_constant(b, fields, spans, bytes, k);
            Element { value: ptr, length: Some(len), valid: None }
        }
        (Some((row, None)), _) => {
            let k = k.unwrap_or_else(|| b.ins().iconst(types::I64, 0));
            let start = blob(b, fields, row);
            let size = flock_plan::size(dtype);
            let at = element_address(b, start, k, size);
            Element { value: b.ins().load(scalar_type(dtype), FLAGS.with_readonly(), at, 0), length: None, valid: None }
        }
        (None, Some(Constant::Table(t))) => element::immediate(b, &t.get_flat(0), dtype),
        (None, _) => element::immediate(b, &Scalar::Null, dtype),
    }
}

/// Pointer and length of text k of a constant row.
pub(crate) fn text_constant(
    b: &mut FunctionBuilder<'_>,
    fields: Fields,
    spans: BlobId,
    bytes: BlobId,
    k: Value,
) -> (Value, Value) {
    let (spans, bytes) = (blob(b, fields, spans), blob(b, fields, bytes));
    let span = element_address(b, spans, k, 16);
    let at = b.ins().load(types::I64, FLAGS.with_readonly(), span, 0);
    let len = b.ins().load(types::I64, FLAGS.with_readonly(), span, 8);
    (b.ins().iadd(bytes, at), len)
}
