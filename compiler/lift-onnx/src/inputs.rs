//! Inputs of the graph: which columns they bind, and what a null is.
//!
//! A column arrives as the widest dtype of its kind and is rounded to the tensor's element type here, so that every
//! engine rounds alike: float64 to float32 to nearest even, beyond its range to an infinity, as `astype` does. A null
//! number is NaN; a null text or integer fits no tensor, and its row is refused.

use std::sync::Arc;

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension::Value as Extent};
use onnx_protobuf::{GraphProto, TypeProto, type_proto};

use crate::elem::{Elem, name_of};
use crate::labels::Labels;
use crate::lift::{Lift, NOT_ROW_LOCAL, Options, Reading};
use crate::literal::{Literal, MAX_ELEMENTS};
use crate::numbers;
use crate::ops::maps;
use crate::shape::Shape;
use crate::value::{Map, Tensor, Value};
use crate::wiring::{self, Source};

/// What a graph says of an input.
struct Declared {
    elem: Elem,
    /// Extents, those of a row: behind the rows, or all where a row is a call. None for one that is not said.
    dims: Vec<Option<u64>>,
    /// The keys of a map that the graph reads.
    keys: Option<Labels>,
}

/// Whether the extents of every input are known.
pub fn all_fixed(graph: &GraphProto) -> bool {
    let known = |d: &Dimension| matches!(d.value, Some(Extent::DimValue(n)) if n >= 0);
    let fixed = |ty: &TypeProto| match &ty.value {
        Some(type_proto::Value::TensorType(t)) => t.shape.as_ref().is_some_and(|s| s.dim.iter().all(known)),
        Some(type_proto::Value::MapType(_)) => true,
        _ => false,
    };
    graph.input.iter().all(|i| i.type_.as_ref().is_some_and(fixed))
}

/// Gives every input that a node in `order` or an output reads its value.
pub fn bind<'m>(lift: &mut Lift<'m>, graph: &'m GraphProto, order: &[usize], options: &Options) {
    let is_input = |lift: &Lift<'_>, i: usize| lift.source(&graph.input[i].name) == Some(Source::Input(i));
    let inputs: Vec<usize> = (0..graph.input.len()).filter(|i| is_input(lift, *i)).collect();
    let mut read = vec![false; graph.input.len()];
    let names = order.iter().flat_map(|n| wiring::reads(&graph.node[*n]));
    for name in names.chain(graph.output.iter().map(|o| o.name.as_str())) {
        if let Some(Source::Input(i)) = lift.source(name) {
            read[i] = true;
        }
    }
    let declared: Vec<Option<Declared>> = inputs.iter().map(|i| declared(lift, graph, *i)).collect();
    let Some(columns) = columns(lift, graph, &inputs, &declared, options) else { return };
    for ((i, declared), names) in inputs.iter().zip(&declared).zip(columns) {
        let value = declared.as_ref().filter(|_| read[*i]).and_then(|d| value(lift, graph, *i, d, &names));
        lift.set(&graph.input[*i].name, value);
    }
}

fn place(graph: &GraphProto, i: usize) -> String {
    format!("graph.input[{i}] {:?}", graph.input[i].name)
}

fn declared(lift: &mut Lift<'_>, graph: &GraphProto, i: usize) -> Option<Declared> {
    let ty = graph.input[i].type_.as_ref();
    let result = match ty.and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::MapType(_)) if lift.reading == Reading::Rows => {
            Err((NOT_ROW_LOCAL, "a map; a call of the graph reads one".into()))
        }
        Some(type_proto::Value::MapType(map)) => of_map(graph, i, map).map_err(|e| (INPUT, e)),
        _ => of_type(ty, lift.reading),
    };
    result.map_err(|(code, e)| lift.fault(Diagnostic::new(code, place(graph, i), e))).ok()
}

const INPUT: &str = "flock::lift::input";

fn of_type(ty: Option<&TypeProto>, reading: Reading) -> Result<Declared, (&'static str, String)> {
    let fault = |message: String| (INPUT, message);
    let tensor = match ty.and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor,
        _ => return Err(fault("an input that is no tensor".into())),
    };
    let data_type = i64::from(tensor.elem_type);
    let elem = Elem::of(data_type).ok_or_else(|| fault(format!("an input of {}", name_of(data_type))))?;
    let Some(shape) = tensor.shape.as_ref() else {
        return Ok(Declared { elem, dims: vec![None], keys: None });
    };
    let least = if reading == Reading::Calls { 0 } else { 1 };
    let extent = |d: &Dimension| match d.value {
        Some(Extent::DimValue(n)) if n < least => Err(fault(format!("an extent of {n}"))),
        Some(Extent::DimValue(n)) => Ok(Some(n as u64)),
        _ => Ok(None),
    };
    let of_row = match (reading, shape.dim.split_first()) {
        (Reading::Calls, _) => &shape.dim[..],
        (Reading::Rows, Some((_, behind))) => behind,
        (Reading::Rows, None) => {
            return Err((NOT_ROW_LOCAL, "a scalar; the first axis of an input is its rows".into()));
        }
    };
    Ok(Declared { elem, dims: of_row.iter().map(extent).collect::<Result<_, _>>()?, keys: None })
}

/// A map: what its keys can be, the operators say that read it.
fn of_map(graph: &GraphProto, i: usize, map: &type_proto::Map) -> Result<Declared, String> {
    let value = map.value_type.as_ref().and_then(|t| t.value.as_ref());
    let Some(type_proto::Value::TensorType(value)) = value else { return Err("a map of what is no number".into()) };
    let data_type = i64::from(value.elem_type);
    let elem = Elem::of(data_type).ok_or_else(|| format!("a map to {}", name_of(data_type)))?;
    let keys = maps::keys(graph, &graph.input[i].name, map.key_type == 8)?;
    Ok(Declared { elem, dims: vec![Some(1), Some(keys.len() as u64)], keys: Some(keys) })
}

/// The names of each input's columns.
fn columns(
    lift: &mut Lift<'_>,
    graph: &GraphProto,
    inputs: &[usize],
    declared: &[Option<Declared>],
    options: &Options,
) -> Option<Vec<Vec<String>>> {
    let given = options.columns.as_deref();
    let only = inputs.len() == 1;
    let mut widths = Vec::new();
    for (i, declared) in inputs.iter().zip(declared) {
        let dims = declared.as_ref().map_or(&[][..], |d| &d.dims);
        let width = match dims {
            [None] if only && given.is_some() => given.map(|g| g.len() as u64),
            _ => dims.iter().try_fold(1u64, |a, d| a.checked_mul((*d)?)),
        };
        // Of no elements where a row is a call: nothing is bound.
        match width.filter(|w| *w <= MAX_ELEMENTS) {
            Some(w) => widths.push(w as usize),
            None => {
                let fault = Diagnostic::new(INPUT, place(graph, *i), "the number of columns is not said")
                    .help("name them with `--columns`, or export the model with a fixed number of features");
                lift.fault(fault);
                return None;
            }
        }
    }
    let total: usize = widths.iter().sum();
    let fault = |lift: &mut Lift<'_>, message: String| {
        lift.fault(Diagnostic::new("flock::lift::columns", "graph.input", message));
        None
    };
    let names: Vec<String> = match given {
        Some(names) if names.len() == total => names.to_vec(),
        Some(names) => return fault(lift, format!("the graph reads {total} columns, {} are named", names.len())),
        None if total as u64 > MAX_ELEMENTS => return fault(lift, format!("the graph reads {total} columns")),
        None => {
            let own = |((i, w), d): ((&usize, &usize), &Option<Declared>)| {
                own_names(&graph.input[*i].name, *w, d.as_ref().and_then(|d| d.keys.as_ref()))
            };
            inputs.iter().zip(&widths).zip(declared).flat_map(own).collect()
        }
    };
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
        return fault(lift, format!("two columns are named `{}`", twice[0]));
    }
    let mut rest = names.into_iter();
    Some(widths.iter().map(|w| rest.by_ref().take(*w).collect()).collect())
}

/// An input of one column binds its own name, a wider one `X_0 … X_{k-1}`; a map the names that are its keys, or `X_<key>`.
fn own_names(name: &str, width: usize, keys: Option<&Labels>) -> Vec<String> {
    match keys {
        Some(keys @ Labels::Texts(_)) => keys.names(),
        Some(keys @ Labels::Ints(_)) => keys.names().into_iter().map(|k| format!("{name}_{k}")).collect(),
        None if width == 1 => vec![name.to_owned()],
        None => (0..width).map(|i| format!("{name}_{i}")).collect(),
    }
}

fn value(lift: &mut Lift<'_>, graph: &GraphProto, i: usize, declared: &Declared, names: &[String]) -> Option<Value> {
    let elem = declared.elem;
    let dims = match declared.dims.as_slice() {
        [None] => vec![names.len() as u64],
        dims => dims.iter().map(|d| d.unwrap_or(1)).collect(),
    };
    if names.is_empty() {
        let data = crate::node::zero(elem.dtype()).gather(&[]).data;
        return Literal::new(elem, dims, data).map(Value::from);
    }
    let shape = if lift.reading == Reading::Calls { Shape::fixed(&dims) } else { Shape::rows_by(&dims) };
    let built = lift.spend(64 * names.len() as u64).and_then(|()| frame(lift, elem, names, declared.keys.is_some()));
    match (built, &declared.keys) {
        (Ok(node), None) => Some(Tensor { elem, shape, node }.into()),
        (Ok(node), Some(keys)) => {
            Some(Value::Map(Map { labels: Arc::new(keys.clone()), numbers: Tensor { elem, shape, node } }))
        }
        (Err(message), _) => {
            lift.fault(Diagnostic::new(INPUT, place(graph, i), message));
            None
        }
    }
}

/// The columns as one frame of the tensor's element type, without nulls. A number that the type does not hold is rounded
/// where it is a float, and its row is refused where it is an integer. What is null is not in a map, and counts as 0.
fn frame(lift: &mut Lift<'_>, elem: Elem, names: &[String], map: bool) -> Result<NodeId, String> {
    let dtype = if elem.is_any_float() { DType::F64 } else { elem.dtype() };
    let ty = FrameType::new(dtype, 1).nullable();
    let b = &mut lift.b;
    let columns = names
        .iter()
        .map(|n| b.input(n, ty).map_err(|other| format!("column `{n}` is {other} as well")))
        .collect::<Result<Vec<_>, _>>()?;
    let mut op = |op: Op, attr: Attr, args: &[NodeId]| b.op_with(op, attr, args).map_err(|e| e.to_string());
    let frame = if columns.len() == 1 { columns[0] } else { op(Op::Concat, Attr::None, &columns)? };
    if elem.is_any_float() {
        let instead = lift.b.constant(Frame::row_f64([if map { 0.0 } else { f64::NAN }]));
        let frame = lift.b.op(Op::Coalesce, &[frame, instead]).map_err(|e| e.to_string())?;
        return match elem {
            Elem::F64 => Ok(frame),
            Elem::Small(format) => numbers::rounded(&mut lift.b, frame, format, false),
            _ => {
                let ty = FrameType::new(DType::F32, names.len() as u32);
                lift.b.op_with(Op::Cast, Attr::Type(ty), &[frame]).map_err(|e| e.to_string())
            }
        };
    }
    let zero = lift.b.constant(crate::node::zero(dtype));
    if !map {
        let mut op = |op: Op, args: &[NodeId]| lift.b.op(op, args).map_err(|e| e.to_string());
        let null = op(Op::IsNull, &[frame])?;
        let valid = op(Op::Not, &[null])?;
        let all = if names.len() == 1 { valid } else { op(Op::All, &[valid])? };
        lift.b.refuse_unless(all);
    }
    let frame = lift.b.op(Op::Coalesce, &[frame, zero]).map_err(|e| e.to_string())?;
    if let Elem::Int(int) = elem {
        numbers::refuse_beyond(&mut lift.b, frame, int)?;
    }
    Ok(frame)
}
