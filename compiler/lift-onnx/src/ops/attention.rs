//! `Attention`, `FlexAttention`, `RotaryEmbedding`: each row looks at itself alone, along an axis of its own.
//!
//! Queries times keys, over the root of their length, plus a bias that is -inf where a query must not look; the softmax of
//! it times the values. A query that may look nowhere gives 0. A mask ends where it ends: behind it nothing is looked at.
//! Source: ai.onnx Attention-23 … -25, RotaryEmbedding-23, ai.onnx.preview FlexAttention-1; the package's reference.

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::body::{Body, Given, input};
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::Shape;
use crate::value::Value;

const SCALE: Declared = ("scale", Form::Float);
const PRECISION: Declared = ("softmax_precision", Form::Int);

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[
            SCALE,
            PRECISION,
            ("is_causal", Form::Int),
            ("q_num_heads", Form::Int),
            ("kv_num_heads", Form::Int),
            ("softcap", Form::Float),
            ("qk_matmul_output_mode", Form::Int),
            ("left_window_size", Form::Int),
            ("right_window_size", Form::Int),
        ],
        outputs: 1..=4,
        ..Lifter::main("Attention", &[23, 24, 25], 3..=7, attention)
    },
    Lifter {
        domain: crate::versions::PREVIEW,
        attributes: &[SCALE, PRECISION, ("score_mod", Form::Graph), ("prob_mod", Form::Graph)],
        ..Lifter::main("FlexAttention", &[1], 3..=3, flexible)
    },
    Lifter {
        attributes: &[("interleaved", Form::Int), ("num_heads", Form::Int), ("rotary_embedding_dim", Form::Int)],
        ..Lifter::main("RotaryEmbedding", &[23], 3..=4, rotary)
    },
];

/// Queries, keys and values, `[batch, heads, places, features]`, and the extents of a row.
struct Heads {
    q: String,
    k: String,
    v: String,
    /// Heads, places and features of the queries.
    queries: [i64; 3],
    /// Heads and places of the keys, those that are kept from before included.
    keys: [i64; 2],
}

impl Node<'_, '_> {
    /// The shape of input i.
    pub fn shape_of(&self, i: usize) -> Res<Shape> {
        match self.inputs.get(i) {
            Some(Some(Value::Tensor(t))) => Ok(t.shape.clone()),
            Some(Some(Value::Literal(l))) => Ok(l.shape()),
            _ => Err(self.fault("flock::lift::type", format!("input {i} is no tensor"))),
        }
    }

    /// The element type of input i.
    pub fn elem_of(&self, i: usize) -> Elem {
        match self.inputs.get(i) {
            Some(Some(Value::Tensor(t))) => t.elem,
            Some(Some(Value::Literal(l))) => l.elem,
            _ => Elem::F32,
        }
    }

    /// The extents of a shape behind its first axis.
    fn extents_behind(&self, shape: &Shape) -> Res<Vec<i64>> {
        (1..shape.rank()).map(|a| self.extent(shape, a).map(|n| n as i64)).collect()
    }

    /// The heads of input i: a tensor of rank 3 has them in its last axis. Gives its name and their extents.
    fn heads(&self, body: &mut Body, i: usize, count: &str) -> Res<(String, [i64; 3])> {
        let shape = self.shape_of(i)?;
        match self.extents_behind(&shape)?[..] {
            [heads, places, features] => Ok((input(i), [heads, places, features])),
            [places, hidden] => {
                let heads = self.attributes().int(count).filter(|h| *h > 0 && hidden % h == 0);
                let heads = heads.ok_or_else(|| self.bad_attribute(format!("`{count}` for {hidden} features")))?;
                let split = body.reshape(&input(i), &[0, 0, heads, hidden / heads]);
                Ok((body.transpose(&split, &[0, 2, 1, 3]), [heads, places, hidden / heads]))
            }
            _ => Err(self.bad_shape(format!("input {i} is {shape}"))),
        }
    }
}

fn attention(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(7);
    let b = &mut body;
    let (q, queries) = node.heads(b, 0, "q_num_heads")?;
    let (k, [heads, new, _]) = node.heads(b, 1, "kv_num_heads")?;
    let (v, _) = node.heads(b, 2, "kv_num_heads")?;
    let past = if node.has(4) { node.extents_behind(&node.shape_of(4)?)?.get(1).copied().unwrap_or(0) } else { 0 };
    let k = if node.has(4) { b.concat(&[&input(4), &k], 2) } else { k };
    let v = if node.has(5) { b.concat(&[&input(5), &v], 2) } else { v };
    let keys = [heads, past + new];
    let heads = Heads { q, k: k.clone(), v: v.clone(), queries, keys };
    let bias = bias(node, b, &heads, past)?;
    let scores = scores(node, b, &heads)?;
    let cap = node.attributes().float("softcap").unwrap_or(0.0);
    let scores = if cap > 0.0 {
        let cap = b.number(cap, &scores);
        let share = b.op("Div", &[&scores, &cap]);
        let bent = b.op("Tanh", &[&share]);
        b.op("Mul", &[&bent, &cap])
    } else {
        scores
    };
    let biased = if let Some(bias) = &bias { b.op("Add", &[&scores, bias]) } else { scores.clone() };
    let shares = shares(node, b, &biased, bias.as_deref());
    let result = summed(node, b, &shares, &heads)?;
    let shown = match node.attributes().int("qk_matmul_output_mode").unwrap_or(0) {
        0 | 1 => scores,
        2 => biased,
        _ => shares,
    };
    let outputs = [result, k, v, shown];
    let inputs = node.inputs.clone();
    node.written_out(body, inputs, &outputs[..node.proto.output.len()])
}

/// What is added to the scores: 0 where a query may look, -inf where not, the mask's numbers.
fn bias(node: &mut Node<'_, '_>, b: &mut Body, heads: &Heads, past: i64) -> Res<Option<String>> {
    let ([_, places, _], [_, all]) = (heads.queries, heads.keys);
    let (zero, never) = (b.number(0.0, "x0"), b.number(f32::NEG_INFINITY, "x0"));
    let mut parts = Vec::new();
    if node.has(3) {
        let shape = node.shape_of(3)?;
        let reach = node.extent(&shape, shape.rank().saturating_sub(1))? as i64;
        let mask = if node.elem_of(3) == Elem::Bool { b.op("Where", &[&input(3), &zero, &never]) } else { input(3) };
        let (pads, last) = (b.ints(&[0, (all - reach).max(0)]), b.ints(&[-1]));
        parts.push(if reach < all { b.op("Pad", &[&mask, &pads, &never, &last]) } else { mask });
    }
    node.spend(places.saturating_mul(all).unsigned_abs())?;
    // Where a query is among the keys, less the key's place.
    let distance: Vec<i64> = (0..places).flat_map(|i| (0..all).map(move |j| i + past - j)).collect();
    let distance = b.ints(&distance);
    let distance = b.reshape(&distance, &[places, all]);
    let held = if node.has(6) && !node.has(4) { Some(b.unsqueeze(&input(6), &[1, 2, 3])) } else { None };
    let distance = match &held {
        // The keys that count end with the last query.
        Some(held) => {
            let last = b.int(places);
            let offset = b.op("Sub", &[held, &last]);
            b.op("Add", &[&distance, &offset])
        }
        None => distance,
    };
    let mut at_most = |b: &mut Body, distance: &str, most: i64| {
        let most = b.int(most);
        let allowed = b.op("LessOrEqual", &[distance, &most]);
        parts.push(b.op("Where", &[&allowed, &zero, &never]));
    };
    let negative = b.op("Neg", &[&distance]);
    let window = |name: &str| node.attributes().int(name).filter(|n| *n >= 0);
    if node.attributes().flag("is_causal") {
        at_most(b, &negative, 0);
    }
    if let Some(left) = window("left_window_size") {
        at_most(b, &distance, left);
    }
    if let Some(right) = window("right_window_size") {
        at_most(b, &negative, right);
    }
    if let Some(held) = held {
        let places: Vec<i64> = (1..=all).collect();
        let places = b.ints(&places);
        let behind = b.op("Sub", &[&places, &held]);
        at_most(b, &behind, 0);
    }
    Ok(parts.into_iter().reduce(|sum, part| b.op("Add", &[&sum, &part])))
}

/// Queries times keys, each by the root of the scale.
fn scores(node: &Node<'_, '_>, b: &mut Body, heads: &Heads) -> Res<String> {
    let features = heads.queries[2];
    let scale = node.attributes().float("scale").map_or(1.0 / (features as f64).sqrt(), f64::from);
    // Two factors: what float32 has of the root, and what is missing of it.
    let root = scale.sqrt();
    let most = root as f32;
    let factor = b.number(most, "x0");
    let rest = b.number((root - f64::from(most)) as f32, "x0");
    let factor = if node.elem_of(0) == Elem::F64 { b.op("Add", &[&factor, &rest]) } else { factor };
    let q = b.op("Mul", &[&heads.q, &factor]);
    let k = repeated(node, b, &heads.k, heads)?;
    let k = b.op("Mul", &[&k, &factor]);
    let turned = b.transpose(&k, &[0, 1, 3, 2]);
    Ok(b.op("MatMul", &[&q, &turned]))
}

/// Heads of keys or values, each as often as there are queries for it.
fn repeated(node: &Node<'_, '_>, b: &mut Body, x: &str, heads: &Heads) -> Res<String> {
    let ([many, ..], [few, places]) = (heads.queries, heads.keys);
    if many == few {
        return Ok(x.to_owned());
    }
    if few < 1 || many % few != 0 {
        return Err(node.bad_shape(format!("{many} heads of queries for {few} of keys")));
    }
    let apart = b.unsqueeze(x, &[2]);
    let shape = b.ints(&[1, 1, many / few, 1, 1]);
    let spread = b.op("Expand", &[&apart, &shape]);
    Ok(b.reshape(&spread, &[0, many, places, -1]))
}

/// The softmax of the scores; 0 where the bias lets a query look nowhere.
fn shares(node: &Node<'_, '_>, b: &mut Body, scores: &str, bias: Option<&str>) -> String {
    let precision = node.attributes().int("softmax_precision");
    let precise = match precision {
        Some(to) => b.op_with("Cast", &[scores], &[("to", Given::Int(to))]),
        None => scores.to_owned(),
    };
    let shares = b.op_with("Softmax", &[&precise], &[("axis", Given::Int(-1))]);
    let shares = b.op("CastLike", &[&shares, "x0"]);
    let Some(bias) = bias else { return shares };
    let (last, never, zero) = (b.ints(&[-1]), b.number(f32::NEG_INFINITY, "x0"), b.number(0.0, "x0"));
    let most = b.op("ReduceMax", &[bias, &last]);
    let nowhere = b.op("Equal", &[&most, &never]);
    b.op("Where", &[&nowhere, &zero, &shares])
}

/// The values by their shares, in the form of the queries.
fn summed(node: &Node<'_, '_>, b: &mut Body, shares: &str, heads: &Heads) -> Res<String> {
    let v = repeated(node, b, &heads.v, heads)?;
    let result = b.op("MatMul", &[shares, &v]);
    if node.shape_of(0)?.rank() == 4 {
        return Ok(result);
    }
    let turned = b.transpose(&result, &[0, 2, 1, 3]);
    Ok(b.reshape(&turned, &[0, 0, -1]))
}

/// Attention whose scores and shares go through graphs of the node.
fn flexible(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(3);
    let (q, queries) = node.heads(&mut body, 0, "")?;
    let (k, [few, places, _]) = node.heads(&mut body, 1, "")?;
    let heads = Heads { q, k, v: input(2), queries, keys: [few, places] };
    let scores = scores(node, &mut body, &heads)?;
    let scores = node.written_out(body, node.inputs.clone(), &[scores])?;
    let scores = modified(node, "score_mod", scores)?;
    let mut body = Body::new(4);
    let shares = shares(node, &mut body, "x3", None);
    let of = |node: &Node<'_, '_>, x: Vec<Value>| node.inputs.iter().cloned().chain(x.into_iter().map(Some)).collect();
    let shares = node.written_out(body, of(node, scores), &[shares])?;
    let shares = modified(node, "prob_mod", shares)?;
    let mut body = Body::new(4);
    let result = summed(node, &mut body, "x3", &heads)?;
    node.written_out(body, of(node, shares), &[result])
}

fn modified(node: &mut Node<'_, '_>, name: &str, values: Vec<Value>) -> Res<Vec<Value>> {
    match node.attributes().graph(name) {
        Some(graph) => node.inner(graph, name, values.into_iter().map(Some).collect()),
        None => Ok(values),
    }
}

/// Pairs of features as points that are turned, by an angle for each place: the sines and cosines are inputs.
fn rotary(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(4);
    let b = &mut body;
    let shape = node.shape_of(0)?;
    let extents = node.extents_behind(&shape)?;
    let (x, features) = match extents[..] {
        [_, _, features] => (input(0), features),
        [_, hidden] => {
            let heads = node.attributes().int("num_heads").filter(|h| *h > 0 && hidden % h == 0);
            let heads = heads.ok_or_else(|| node.bad_attribute(format!("`num_heads` for {hidden} features")))?;
            (b.reshape(&input(0), &[0, 0, heads, hidden / heads]), hidden / heads)
        }
        _ => return Err(node.bad_shape(format!("input 0 is {shape}"))),
    };
    let turned = node.attributes().int("rotary_embedding_dim").filter(|n| *n != 0).unwrap_or(features);
    if turned < 2 || turned % 2 != 0 || turned > features {
        return Err(node.bad_attribute(format!("{turned} of {features} features")));
    }
    // The heads are behind the places where the input had them in one axis, else before them.
    let heads_axis = if extents.len() == 2 { 2 } else { 1 };
    let [cos, sin] = [1, 2].map(|i| {
        let cache = if node.has(3) { b.op("Gather", &[&input(i), &input(3)]) } else { input(i) };
        b.unsqueeze(&cache, &[heads_axis])
    });
    let apart = node.attributes().flag("interleaved");
    let (first, second) = if apart {
        (b.slice(&x, 3, 0..turned, 2), b.slice(&x, 3, 1..turned, 2))
    } else {
        (b.slice(&x, 3, 0..turned / 2, 1), b.slice(&x, 3, turned / 2..turned, 1))
    };
    let product = |b: &mut Body, op: &str, [x, y]: [&str; 2]| {
        let (one, other) = (b.op("Mul", &[&cos, x]), b.op("Mul", &[&sin, y]));
        b.op(op, &[&one, &other])
    };
    let real = product(b, "Sub", [&first, &second]);
    let imaginary = product(b, "Add", [&second, &first]);
    let points = if apart {
        let (real, imaginary) = (b.unsqueeze(&real, &[4]), b.unsqueeze(&imaginary, &[4]));
        let pairs = b.concat(&[&real, &imaginary], 4);
        b.reshape(&pairs, &[0, extents[0].max(0), if heads_axis == 2 { -1 } else { extents[1] }, turned])
    } else {
        b.concat(&[&real, &imaginary], 3)
    };
    let whole = if turned < features {
        let rest = b.slice(&x, 3, turned..features, 1);
        b.concat(&[&points, &rest], 3)
    } else {
        points
    };
    let result = if heads_axis == 2 { b.reshape(&whole, &[0, 0, -1]) } else { whole };
    let inputs = node.inputs.clone();
    node.written_out(body, inputs, &[result])
}
