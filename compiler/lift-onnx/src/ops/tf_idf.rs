//! `TfIdfVectorizer`: how often each n-gram of the pool occurs among a row's tokens, with up to so many tokens skipped
//! between its own; as it is (TF), whether it does at all times its weight (IDF), or the one times the other (TFIDF).
//! Source: ai.onnx TfIdfVectorizer-9; onnxruntime `nn/tfidfvectorizer.cc`.

use flock_ir_spec::{DType, Data, Frame, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[
        ("max_gram_length", Form::Int),
        ("max_skip_count", Form::Int),
        ("min_gram_length", Form::Int),
        ("mode", Form::Text),
        ("ngram_counts", Form::Ints),
        ("ngram_indexes", Form::Ints),
        ("pool_int64s", Form::Ints),
        ("pool_strings", Form::Texts),
        ("weights", Form::Floats),
    ],
    ..Lifter::main("TfIdfVectorizer", &[9], 1..=1, lift)
}];

/// An n-gram: its place among the pool's tokens, its length, the column that it counts in.
struct Gram {
    start: usize,
    len: usize,
    column: usize,
}

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let (Some(Dim::Fixed(tokens)), 1..=2) = (x.shape.0.last().copied(), x.shape.rank()) else {
        return Err(node.mixes_rows(format!("the tokens of one document are its rows, {}", x.shape)));
    };
    if x.shape.row_dims().len() > 1 && x.shape.row_dims()[0] != 1 {
        return Err(node.unsupported(format!("documents {} that are no rows", x.shape)));
    }
    let grams = grams(node)?;
    let pool = pool(node, x.elem)?;
    if grams.iter().any(|g| g.start + g.len > pool.width) {
        return Err(node.bad_attribute(format!("n-grams beyond a pool of {} tokens", pool.width)));
    }
    let skips = node.attributes().int("max_skip_count").filter(|s| (0..1 << 16).contains(s));
    let skips = skips.ok_or_else(|| node.bad_attribute("no max_skip_count"))? as u64;
    let columns = grams.iter().map(|g| g.column + 1).max().unwrap_or(0);
    let zero = node.number(Elem::F32, 0.0)?;
    let mut counts: Vec<Option<NodeId>> = vec![None; columns];
    for gram in &grams {
        let count = occurrences(node, x.node, tokens, &pool, gram, skips)?;
        let slot = &mut counts[gram.column];
        *slot = Some(match (*slot, count) {
            (Some(before), Some(count)) => node.op(Op::Add, &[before, count])?,
            (before, count) => before.or(count).unwrap_or(zero),
        });
    }
    let counts: Vec<NodeId> = counts.into_iter().map(|c| c.unwrap_or(zero)).collect();
    let counts = node.concat(&counts)?;
    let value = weighted(node, counts, columns)?;
    let mut shape = x.shape;
    if let Some(last) = shape.0.last_mut() {
        *last = Dim::Fixed(columns as u64);
    }
    node.give(Elem::F32, shape, value)
}

fn pool(node: &Node<'_, '_>, elem: Elem) -> Res<Frame> {
    let (ints, texts) = (node.attributes().ints("pool_int64s"), node.attributes().texts("pool_strings"));
    match elem {
        Elem::Int(_) if !ints.is_empty() => Ok(Frame::row_i64(ints)),
        Elem::Str if !texts.is_empty() => Ok(Frame::row_str(texts)),
        _ => Err(node.bad_attribute(format!("no pool of tokens for an input of {}", elem.name()))),
    }
}

/// The n-grams of lengths that are asked for; those of length i + 1 begin at `ngram_counts[i]`.
fn grams(node: &Node<'_, '_>) -> Res<Vec<Gram>> {
    let a = node.attributes();
    let (starts, columns) = (a.ints("ngram_counts"), a.ints("ngram_indexes"));
    let (least, most) = (a.int("min_gram_length").unwrap_or(1), a.int("max_gram_length").unwrap_or(1));
    let end = if a.ints("pool_int64s").is_empty() { a.texts("pool_strings").len() } else { a.ints("pool_int64s").len() };
    let mut grams = Vec::new();
    let mut next = 0;
    for (i, start) in starts.iter().enumerate() {
        let (len, stop) = (i + 1, starts.get(i + 1).map_or(end, |s| *s as usize));
        let range = usize::try_from(*start).ok().filter(|s| *s <= stop && stop <= end && (stop - s) % len == 0);
        let start = range.ok_or_else(|| node.bad_attribute(format!("ngram_counts {starts:?} of {end} tokens")))?;
        for at in (start..stop).step_by(len) {
            let column = columns.get(next).and_then(|c| usize::try_from(*c).ok()).filter(|c| *c < 1 << 24);
            let column = column.ok_or_else(|| node.bad_attribute(format!("n-gram {next} has no column")))?;
            next += 1;
            if (least..=most).contains(&(len as i64)) {
                grams.push(Gram { start: at, len, column });
            } else {
                grams.push(Gram { start: at, len: 0, column });
            }
        }
    }
    Ok(grams)
}

/// How often the n-gram occurs; None where it never does.
fn occurrences(node: &mut Node<'_, '_>, x: NodeId, tokens: u64, pool: &Frame, gram: &Gram, skips: u64) -> Res<Option<NodeId>> {
    let mut total: Option<NodeId> = None;
    // One token has nothing between, so that skips make no further ones.
    let strides = if gram.len > 1 { skips + 1 } else { 1 };
    for stride in 1..=strides {
        let reach = (gram.len.max(1) as u64 - 1) * stride;
        if gram.len == 0 || reach >= tokens {
            break;
        }
        let places = tokens - reach;
        node.spend(places * gram.len as u64)?;
        let mut all: Option<NodeId> = None;
        for i in 0..gram.len {
            let token = node.constant(token(pool, gram.start + i))?;
            let there = node.slice(x, (i as u64 * stride) as u32, places as u32)?;
            let equal = node.op(Op::Eq, &[there, token])?;
            all = Some(match all {
                None => equal,
                Some(before) => node.op(Op::And, &[before, equal])?,
            });
        }
        let Some(all) = all else { break };
        let ones = node.cast(all, DType::F32)?;
        let count = node.op(Op::Sum, &[ones])?;
        total = Some(match total {
            None => count,
            Some(before) => node.op(Op::Add, &[before, count])?,
        });
    }
    Ok(total)
}

fn token(pool: &Frame, i: usize) -> Frame {
    match &pool.data {
        Data::Str(v) => Frame::row_str([v[i].clone()]),
        Data::I64(v) => Frame::row_i64([v[i]]),
        _ => pool.clone(),
    }
}

fn weighted(node: &mut Node<'_, '_>, counts: NodeId, columns: usize) -> Res<NodeId> {
    let mode = node.attributes().text("mode").unwrap_or("TF");
    if mode == "TF" {
        return Ok(counts);
    }
    let given = node.attributes().floats("weights");
    // Weights lie in the order of the n-grams; each belongs to its column.
    let indexes = node.attributes().ints("ngram_indexes");
    if !given.is_empty() && given.len() != indexes.len() {
        return Err(node.bad_attribute(format!("{} weights for {} n-grams", given.len(), indexes.len())));
    }
    let mut weights = vec![1.0; columns];
    for (column, weight) in indexes.iter().zip(given) {
        if let Some(slot) = usize::try_from(*column).ok().and_then(|c| weights.get_mut(c)) {
            *slot = f64::from(*weight);
        }
    }
    let weights = node.numbers(Elem::F32, weights)?;
    match mode {
        "IDF" => {
            let zero = node.number(Elem::F32, 0.0)?;
            let there = node.op(Op::Gt, &[counts, zero])?;
            node.op(Op::Select, &[there, weights, zero])
        }
        "TFIDF" => node.op(Op::Mul, &[counts, weights]),
        other => Err(node.bad_attribute(format!("mode `{other}` is unknown"))),
    }
}
