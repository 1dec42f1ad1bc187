//! Passes over the rows of columns: where elements are read and written.
//!
//! ```text
//! loop_3(rows, noalias to, x, c):
//!     for k in 0..width:               // absent for one column
//!         for i in 0..rows up to a multiple of what four registers hold:
//!             x = x[k * stride + i]    // operands of width 1 stay at their only column
//!             …                        // what depends on k alone LLVM takes out of the loop
//!             to[k * stride + i] = value
//! ```

use std::collections::HashMap;

use flock_ir_spec::{Constant, DType, FrameType, NodeId, Op};
use flock_plan::{BlobId, Loop, Place, Plan, Sign, Valid, View};

use super::element::{self, Element, register};
use super::{Operand, Writer, offset};
use crate::text::{Function, Ty, Value, integer, truth, word};

/// A pass while it is written: its parameters are the rows, then a pointer for each operand.
struct Pass<'a> {
    plan: &'a Plan,
    f: Function,
    rows: Value,
    pointers: Vec<(Operand, Value)>,
    /// The column; None where there is one.
    k: Option<Value>,
}

/// Writes `for k in 0..columns { for i in 0..rows { body } }`; `size` is that of the widest elements.
fn pass<'a>(
    w: &mut Writer<'a>,
    (columns, size): (u32, u8),
    body: impl FnOnce(&mut Pass<'a>, Value),
) -> (String, Vec<Operand>) {
    let mut f = Function::new();
    let rows = w.rows(&mut f, u32::from(size));
    let mut p = Pass { plan: w.plan, f, rows, pointers: Vec::new(), k: None };
    let all = (columns > 1).then(|| p.f.begin(word(i64::from(columns))));
    p.k = all.as_ref().map(|l| l.i);
    let rows = p.f.begin(p.rows);
    let i = rows.i;
    body(&mut p, i);
    p.f.end(rows);
    all.into_iter().for_each(|l| p.f.end(l));
    let operands = p.pointers.iter().map(|(o, _)| *o).collect();
    (w.pass("loop", p.f), operands)
}

/// A chain of elementwise operators.
pub(super) fn fused(w: &mut Writer<'_>, l: &Loop) -> (String, Vec<Operand>) {
    let graph = &w.plan.flat.graph;
    let operands = || l.members.iter().flat_map(|m| flock_plan::frame_operands(graph, *m)).copied();
    let is_leaf = |id: &NodeId| matches!(graph.node(*id).op, Op::Const | Op::Null);
    let mut read: Vec<(NodeId, Place, FrameType)> = Vec::new();
    for id in operands().filter(|id| !is_leaf(id) && !l.members.contains(id)) {
        if let (Some(place), Some(ty)) = (w.plan.places[id.index()], graph.frame_type(id))
            && read.iter().all(|(other, ..)| *other != id)
        {
            read.push((id, place, ty));
        }
    }
    let Some(root) = l.members.last().copied() else { return (String::new(), Vec::new()) };
    let to = graph.frame_type(root).map_or(FrameType::new(DType::F64, l.width), |t| t.with_width(l.width));
    let size = read.iter().map(|(_, p, _)| p.data.size).chain([l.to.data.size]).max().unwrap_or(8);
    pass(w, (l.width, size), |p, i| {
        let mut known: HashMap<NodeId, Element> = HashMap::new();
        for id in operands().chain(l.members.iter().copied()).filter(is_leaf) {
            known.entry(id).or_insert_with(|| p.leaf(id));
        }
        for (id, place, ty) in &read {
            known.insert(*id, p.load(place, *ty, i));
        }
        for m in &l.members {
            if !known.contains_key(m) {
                let element = element::value(&mut p.f, &p.plan.flat, *m, &known);
                known.insert(*m, element);
            }
        }
        let sources: Vec<(View, u32)> = read.iter().flat_map(|(_, place, ty)| ranges(place, ty.width)).collect();
        p.writes(&ranges(&l.to, l.width), &sources);
        if let Some(value) = known.get(&root) {
            p.store(&l.to, to, i, value);
        }
    })
}

/// The columns of a place.
fn ranges(place: &Place, width: u32) -> Vec<(View, u32)> {
    let valid = place.valid.map(|v| (v.view, if v.wide { width } else { 1 }));
    [(place.data, width)].into_iter().chain(valid).collect()
}

/// Sets validity to 1: all columns as one range of bytes, what lies behind the rows too.
pub(super) fn ones(w: &mut Writer<'_>, to: View, columns: u32) -> (String, Vec<Operand>) {
    let mut f = Function::new();
    w.rows(&mut f, 1);
    let start = f.param(Ty::Ptr, "align 64");
    let bytes = f.begin(word(i64::from(columns) * w.plan.block_rows as i64));
    let at = f.skip(start, bytes.i);
    f.store(integer(Ty::I8, 1), at);
    f.end(bytes);
    (w.pass("loop", f), vec![Operand::View(to)])
}

/// The validity of what needs both.
pub(super) fn both(w: &mut Writer<'_>, a: Valid, b: Valid, to: View, columns: u32) -> (String, Vec<Operand>) {
    pass(w, (columns, 1), |p, i| {
        let [x, y] = [a, b].map(|v| p.element(v.view, v.wide, Ty::I8, i));
        let there = p.f.binary("and", x, y);
        p.writes(&[(to, columns)], &[a, b].map(|v| (v.view, if v.wide { columns } else { 1 })));
        p.put(to, true, there, i);
    })
}

/// The sign of integers as truth values.
pub(super) fn test(w: &mut Writer<'_>, from: View, to: View, columns: u32, sign: Sign) -> (String, Vec<Operand>) {
    let how = match sign {
        Sign::Zero => "icmp eq",
        Sign::NotZero => "icmp ne",
        Sign::Negative => "icmp slt",
        Sign::NotPositive => "icmp sle",
        Sign::Positive => "icmp sgt",
        Sign::NotNegative => "icmp sge",
    };
    let ty = if from.size == 1 { Ty::I8 } else { Ty::I64 };
    pass(w, (columns, from.size), |p, i| {
        let x = p.element(from, true, ty, i);
        let holds = p.f.compare(how, x, integer(ty, 0));
        let holds = p.f.convert("zext", holds, Ty::I8);
        p.writes(&[(to, columns)], &[(from, columns)]);
        p.put(to, true, holds, i);
    })
}

/// The texts of a constant row as elements, in the first row of each column.
pub(super) fn text(w: &mut Writer<'_>, spans: BlobId, bytes: BlobId, to: View, columns: u32) -> (String, Vec<Operand>) {
    let mut f = Function::new();
    let rows = w.rows(&mut f, 1);
    let mut p = Pass { plan: w.plan, f, rows, pointers: Vec::new(), k: None };
    let all = p.f.begin(word(i64::from(columns)));
    p.k = Some(all.i);
    let (address, length) = p.text(spans, bytes, all.i);
    let x = Element { value: address, length: Some(length), valid: None };
    p.store(&Place { data: to, valid: None }, FrameType::new(DType::Str, columns), word(0), &x);
    p.f.end(all);
    let operands = p.pointers.iter().map(|(o, _)| *o).collect();
    (w.pass("loop", p.f), operands)
}

impl Pass<'_> {
    /// The pointer to an operand.
    fn pointer(&mut self, operand: Operand) -> Value {
        if let Some((_, known)) = self.pointers.iter().find(|(o, _)| *o == operand) {
            return *known;
        }
        // Scratch, columns of a multiple of 64 rows, and constants all start at such addresses.
        let value = self.f.param(Ty::Ptr, "align 64");
        self.pointers.push((operand, value));
        value
    }

    /// Says what is written: where nothing that is read, and nothing else that is written, lies there.
    fn writes(&mut self, to: &[(View, u32)], from: &[(View, u32)]) {
        let range = |(view, columns): &(View, u32)| {
            let at = offset(self.plan, *view);
            (at, at + i64::from(*columns) * self.plan.block_rows as i64 * i64::from(view.size))
        };
        let ranges: Vec<(i64, i64)> = to.iter().chain(from).map(range).collect();
        let apart = |a: (i64, i64), b: (i64, i64)| a.1 <= b.0 || b.1 <= a.0;
        for (n, (view, _)) in to.iter().enumerate() {
            let mut others = ranges.iter().enumerate().filter(|(m, _)| *m != n);
            if others.all(|(_, r)| apart(*r, ranges[n])) {
                let pointer = self.pointer(Operand::View(*view));
                self.f.attribute(pointer, "noalias");
            }
        }
    }

    /// The address of an element of a view's column k, or of its only one.
    fn address(&mut self, view: View, steps: bool, i: Value) -> Value {
        let mut start = self.pointer(Operand::View(view));
        if let Some(k) = self.k.filter(|_| steps) {
            let bytes = self.plan.block_rows as i64 * i64::from(view.size);
            let bytes = self.f.binary("mul nuw nsw", k, word(bytes));
            start = self.f.skip(start, bytes);
        }
        let bytes = self.f.binary("mul nuw nsw", i, word(i64::from(view.size)));
        self.f.skip(start, bytes)
    }

    fn element(&mut self, view: View, steps: bool, ty: Ty, i: Value) -> Value {
        let at = self.address(view, steps, i);
        self.f.load(ty, at)
    }

    fn put(&mut self, view: View, steps: bool, x: Value, i: Value) {
        let at = self.address(view, steps, i);
        self.f.store(x, at);
    }

    /// A truth value from its byte.
    fn truth(&mut self, view: View, steps: bool, i: Value) -> Value {
        let byte = self.element(view, steps, Ty::I8, i);
        self.f.compare("icmp ne", byte, integer(Ty::I8, 0))
    }

    fn load(&mut self, place: &Place, ty: FrameType, i: Value) -> Element {
        let steps = ty.width > 1;
        let valid = place.valid.map(|v| self.truth(v.view, v.wide && steps, i));
        if ty.dtype == DType::Bool {
            return Element { value: self.truth(place.data, steps, i), length: None, valid };
        }
        let at = self.address(place.data, steps, i);
        let value = self.f.load(register(ty.dtype), at);
        let length = (ty.dtype == DType::Str).then(|| {
            let behind = self.f.skip(at, word(8));
            self.f.load(Ty::I64, behind)
        });
        Element { value, length, valid }
    }

    fn store(&mut self, place: &Place, ty: FrameType, i: Value, x: &Element) {
        let steps = ty.width > 1;
        let at = self.address(place.data, steps, i);
        let value = self.byte(x.value);
        self.f.store(value, at);
        if let Some(length) = x.length {
            let behind = self.f.skip(at, word(8));
            self.f.store(length, behind);
        }
        if let Some(v) = place.valid {
            let valid = self.byte(x.valid.unwrap_or(truth(true)));
            self.put(v.view, steps, valid, i);
        }
    }

    /// A truth value as it lies in memory; others as they are.
    fn byte(&mut self, x: Value) -> Value {
        if x.ty == Ty::I1 { self.f.convert("zext", x, Ty::I8) } else { x }
    }

    /// A constant in column k, or a null.
    fn leaf(&mut self, id: NodeId) -> Element {
        let (graph, pool) = (&self.plan.flat.graph, &self.plan.flat.pool);
        let ty = graph.frame_type(id).unwrap_or(FrameType::new(DType::F64, 1));
        if graph.node(id).op == Op::Null {
            return Element { valid: Some(truth(false)), ..element::zero(ty.dtype) };
        }
        let k = self.k.filter(|_| ty.width > 1).unwrap_or(word(0));
        match (self.plan.rows[id.index()], graph.constant(pool, id)) {
            (Some((spans, Some(bytes))), _) => {
                let (address, length) = self.text(spans, bytes, k);
                Element { value: address, length: Some(length), valid: None }
            }
            (Some((row, None)), _) => Element { value: self.constant(row, ty.dtype, k), length: None, valid: None },
            (None, Some(Constant::Table(t))) => element::immediate(&t.get_flat(0), ty.dtype),
            (None, _) => element::zero(ty.dtype),
        }
    }

    /// Element k of a constant row.
    fn constant(&mut self, row: BlobId, dtype: DType, k: Value) -> Value {
        let start = self.pointer(Operand::Blob(row));
        if dtype == DType::Bool {
            let at = self.f.at(start, Ty::I8, k);
            let byte = self.f.load_constant(Ty::I8, at);
            return self.f.compare("icmp ne", byte, integer(Ty::I8, 0));
        }
        let at = self.f.at(start, register(dtype), k);
        self.f.load_constant(register(dtype), at)
    }

    /// Address and length of text k of a constant row.
    fn text(&mut self, spans: BlobId, bytes: BlobId, k: Value) -> (Value, Value) {
        let (spans, bytes) = (self.pointer(Operand::Blob(spans)), self.pointer(Operand::Blob(bytes)));
        let span = self.f.at(spans, Ty::I128, k);
        let behind = self.f.skip(span, word(8));
        let (at, length) = (self.f.load_constant(Ty::I64, span), self.f.load_constant(Ty::I64, behind));
        let address = self.f.skip(bytes, at);
        (self.f.convert("ptrtoint", address, Ty::I64), length)
    }
}
