//! `TensorScatter`, `CausalConvWithState`, `LinearAttention`: what goes along a sequence of known length, with a state from
//! before it. Within a row every step is there once.
//! Source: ai.onnx TensorScatter-24, CausalConvWithState-27, LinearAttention-27; the package's reference.

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::body::{Body, Given, input};
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("mode", Form::Text), ("axis", Form::Int)],
        ..Lifter::main("TensorScatter", &[24], 2..=3, scatter)
    },
    Lifter {
        attributes: &[("activation", Form::Text)],
        outputs: 1..=2,
        ..Lifter::main("CausalConvWithState", &[27], 2..=4, convolution)
    },
    Lifter {
        attributes: &[
            ("update_rule", Form::Text),
            ("q_num_heads", Form::Int),
            ("kv_num_heads", Form::Int),
            ("scale", Form::Float),
        ],
        ignores: &["chunk_size"],
        outputs: 1..=2,
        ..Lifter::main("LinearAttention", &[27], 3..=6, linear)
    },
];

const FLOAT: i64 = 1;

/// What the nodes of one step take of the budget.
const NODES_COST: u64 = 64 * 32;

/// A range of a cache is written over, from a place of the row's own; `circular` goes on at the start.
fn scatter(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(3);
    let b = &mut body;
    let (cache, update) = (node.shape_of(0)?, node.shape_of(1)?);
    let axis = node.axis_attribute(&cache, -2)?;
    let (all, new) = (node.extent(&cache, axis)? as i64, node.extent(&update, axis)? as i64);
    let places: Vec<i64> = (0..all).collect();
    let behind: Vec<i64> = (1..cache.rank() as i64).collect();
    let shape: Vec<i64> = (0..cache.rank()).map(|a| if a == axis { -1 } else { 1 }).collect();
    let places = b.ints(&places);
    let places = b.reshape(&places, &shape);
    let from_start = if node.has(2) {
        let start = b.unsqueeze("x2", &behind);
        b.op("Sub", &[&places, &start])
    } else {
        places
    };
    let from_start = match node.attributes().text("mode").unwrap_or("linear") {
        "linear" => from_start,
        "circular" => {
            let all = b.int(all);
            b.op("Mod", &[&from_start, &all])
        }
        other => return Err(node.bad_attribute(format!("mode `{other}` is unknown"))),
    };
    let (first, last) = (b.int(0), b.int(new - 1));
    let within = b.op("Clip", &[&from_start, &first, &last]);
    let inside = b.op("Equal", &[&within, &from_start]);
    let extents = b.op("Shape", &["x0"]);
    let index = b.op("Expand", &[&within, &extents]);
    let written = b.op_with("GatherElements", &["x1", &index], &[("axis", Given::Int(axis as i64))]);
    let result = b.op("Where", &[&inside, &written, "x0"]);
    node.written_out(body, node.inputs.clone(), &[result])
}

/// Each channel along the sequence by its own weights, which see what was before and nothing behind.
fn convolution(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(4);
    let b = &mut body;
    let len = node.extent(&node.shape_of(0)?, 2)? as i64;
    let size = node.extent(&node.shape_of(1)?, 2)? as i64;
    node.spend(NODES_COST.saturating_mul(size.unsigned_abs()))?;
    let padded = if node.has(3) {
        b.concat(&["x3", "x0"], 2)
    } else {
        let (pads, axis, zero) = (b.ints(&[size - 1, 0]), b.ints(&[2]), b.number(0.0, "x0"));
        b.op("Pad", &["x0", &pads, &zero, &axis])
    };
    // What has fewer bits is summed in float32.
    let small = matches!(node.elem_of(0), Elem::Small(_));
    let wide = |b: &mut Body, x: &str| match small {
        true => b.op_with("Cast", &[x], &[("to", Given::Int(FLOAT))]),
        false => x.to_owned(),
    };
    let (whole, weights) = (wide(b, &padded), wide(b, "x1"));
    let mut total: Option<String> = None;
    for place in 0..size {
        let seen = b.slice(&whole, 2, place..place + len, 1);
        let weight = b.slice(&weights, 2, place..place + 1, 1);
        let weight = b.reshape(&weight, &[1, -1, 1]);
        let term = b.op("Mul", &[&seen, &weight]);
        total = Some(match total {
            Some(before) => b.op("Add", &[&before, &term]),
            None => term,
        });
    }
    let total = total.ok_or_else(|| node.bad_shape("no weights"))?;
    let total = if node.has(2) {
        let bias = b.reshape("x2", &[1, -1, 1]);
        let bias = wide(b, &bias);
        b.op("Add", &[&total, &bias])
    } else {
        total
    };
    let result = match node.attributes().text("activation").unwrap_or("none") {
        "none" => total,
        "silu" | "swish" => {
            let rounded = b.op("CastLike", &[&total, "x0"]);
            let total = wide(b, &rounded);
            let gate = b.op("Sigmoid", &[&total]);
            b.op("Mul", &[&total, &gate])
        }
        other => return Err(node.bad_attribute(format!("activation `{other}` is unknown"))),
    };
    let result = b.op("CastLike", &[&result, "x0"]);
    let state = b.slice(&padded, 2, len..len + size - 1, 1);
    let outputs = [result, state];
    node.written_out(body, node.inputs.clone(), &outputs[..node.proto.output.len()])
}

/// A matrix per head goes along the sequence: it fades, is corrected, takes in key times value, and is asked by the query.
fn linear(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(6);
    let b = &mut body;
    let a = node.attributes();
    let heads = |name: &str| a.int(name).filter(|h| *h > 0).ok_or_else(|| node.bad_attribute(format!("no `{name}`")));
    let (many, few) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    let (queries, values) = (node.shape_of(0)?, node.shape_of(2)?);
    let (steps, features) = (node.extent(&queries, 1)? as i64, node.extent(&queries, 2)? as i64 / many);
    let width = node.extent(&values, 2)? as i64 / few;
    if many % few != 0 || steps < 1 || features < 1 {
        return Err(node.bad_shape(format!("{many} heads of queries, {few} of keys, {steps} steps")));
    }
    node.spend(NODES_COST.saturating_mul(steps.unsigned_abs()))?;
    let unpacked = |b: &mut Body, i: usize, heads: i64| {
        let split = b.reshape(&input(i), &[0, 0, heads, -1]);
        let turned = b.transpose(&split, &[0, 2, 1, 3]);
        b.op_with("Cast", &[&turned], &[("to", Given::Int(FLOAT))])
    };
    let (q, k, v) = (unpacked(b, 0, many), unpacked(b, 1, few), unpacked(b, 2, few));
    let decay = if node.has(4) { Some(unpacked(b, 4, few)) } else { None };
    let decay = decay.map(|d| b.op("Exp", &[&d]));
    let beta = match node.has(5) {
        true => {
            let own = node.extent(&node.shape_of(5)?, 2)? as i64;
            Some(unpacked(b, 5, own))
        }
        false => None,
    };
    let scale = a.float("scale").filter(|s| *s != 0.0).unwrap_or((1.0 / (features as f64).sqrt()) as f32);
    let scale = b.number(scale, &q);
    let mut state = if node.has(3) { Some(b.op_with("Cast", &["x3"], &[("to", Given::Int(FLOAT))])) } else { None };
    let features_axis = b.ints(&[2]);
    let mut results = Vec::new();
    for step in 0..steps {
        let at = b.int(step);
        let own = |b: &mut Body, x: &str| b.op_with("Gather", &[x, &at], &[("axis", Given::Int(2))]);
        let asked = |b: &mut Body, column: &str, state: &str| {
            let products = b.op("Mul", &[column, state]);
            b.op_with("ReduceSum", &[&products, &features_axis], &[("keepdims", Given::Int(0))])
        };
        let key = own(b, &k);
        let key = b.unsqueeze(&key, &[3]);
        let mut value = own(b, &v);
        if let (Some(before), Some(decay)) = (&state, &decay) {
            let fade = own(b, decay);
            let fade = b.unsqueeze(&fade, &[3]);
            state = Some(b.op("Mul", &[before, &fade]));
        }
        if let Some(beta) = &beta {
            if let Some(state) = &state {
                let known = asked(b, &key, state);
                value = b.op("Sub", &[&value, &known]);
            }
            let rate = own(b, beta);
            value = b.op("Mul", &[&rate, &value]);
        }
        let row = b.unsqueeze(&value, &[2]);
        let new = b.op("Mul", &[&key, &row]);
        let now = if let Some(state) = &state { b.op("Add", &[state, &new]) } else { new };
        let apart = b.unsqueeze(&now, &[2]);
        let times = b.ints(&[1, 1, many / few, 1, 1]);
        let spread = b.op("Expand", &[&apart, &times]);
        let read = b.reshape(&spread, &[0, many, features, width]);
        let query = own(b, &q);
        let query = b.unsqueeze(&query, &[3]);
        let found = asked(b, &query, &read);
        let found = b.op("Mul", &[&scale, &found]);
        results.push(b.unsqueeze(&found, &[1]));
        state = Some(now);
    }
    let all = b.concat(&results.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let all = b.reshape(&all, &[0, 0, many * width]);
    let result = b.op("CastLike", &[&all, "x0"]);
    let state = state.ok_or_else(|| node.bad_shape("no steps"))?;
    let outputs = [result, b.op("CastLike", &[&state, if node.has(3) { "x3" } else { "x0" }])];
    node.written_out(body, node.inputs.clone(), &outputs[..node.proto.output.len()])
}
