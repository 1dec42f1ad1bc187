//! `Einsum`: sums of products over named axes; `Det`: of small matrices.
//!
//! The rows' axis keeps its letter: a sum over it, or the same letter on an axis of fixed extent, mixes rows.
//! Source: ai.onnx Einsum-12, -28, numpy.einsum; Det-11, -22.

use std::collections::HashMap;

use flock_ir_spec::{NodeId, Op};

use super::Lifter;
use super::product::Term;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter { attributes: &[("equation", Form::Text)], ..Lifter::main("Einsum", &[12, 28], 1..=usize::MAX, lift) },
    Lifter::main("Det", &[11, 22], 1..=1, determinant),
];

/// A letter of the equation, or an axis that `...` stands for, counted from behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Letter {
    Behind(std::cmp::Reverse<usize>),
    Named(char),
}

/// The letters of one operand's axes.
fn letters(text: &str, rank: usize) -> Option<Vec<Letter>> {
    let (before, behind) = match text.split_once("...") {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    };
    let named = |t: &str| t.chars().map(|c| c.is_ascii_alphabetic().then_some(Letter::Named(c))).collect::<Option<Vec<_>>>();
    let mut all = named(before)?;
    if let Some(behind) = behind {
        let behind = named(behind)?;
        let hidden = rank.checked_sub(all.len() + behind.len())?;
        all.extend((0..hidden).rev().map(|i| Letter::Behind(std::cmp::Reverse(i))));
        all.extend(behind);
    }
    (all.len() == rank).then_some(all)
}

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let equation: String = node.attributes().text("equation").unwrap_or("").chars().filter(|c| *c != ' ').collect();
    let (from, to) = match equation.split_once("->") {
        Some((from, to)) => (from.to_owned(), Some(to.to_owned())),
        None => (equation.clone(), None),
    };
    let wrong = |node: &Node<'_, '_>| node.bad_attribute(format!("equation `{equation}`"));
    let parts: Vec<&str> = from.split(',').collect();
    if parts.len() != tensors.len() {
        return Err(wrong(node));
    }
    let axes: Option<Vec<Vec<Letter>>> =
        parts.iter().zip(&tensors).map(|(text, t)| letters(text, t.shape.rank())).collect();
    let axes = axes.ok_or_else(|| wrong(node))?;
    let extents = extents(node, &tensors, &axes)?;
    let mut hidden: Vec<Letter> = extents.keys().copied().filter(|l| matches!(l, Letter::Behind(_))).collect();
    hidden.sort_unstable();
    let kept = match to {
        Some(to) => letters(&to, hidden.len() + to.replace("...", "").chars().count()).ok_or_else(|| wrong(node))?,
        None => {
            // Without a result, the letters that occur once, in the order of the alphabet.
            let all: Vec<Letter> = axes.iter().flatten().copied().collect();
            let once = |l: &&Letter| all.iter().filter(|o| o == l).count() == 1 && matches!(l, Letter::Named(_));
            let mut named: Vec<Letter> = all.iter().filter(once).copied().collect();
            named.sort_unstable();
            hidden.into_iter().chain(named).collect()
        }
    };
    if kept.iter().any(|l| !extents.contains_key(l)) {
        return Err(wrong(node));
    }
    let mut summed: Vec<Letter> = extents.keys().copied().filter(|l| !kept.contains(l)).collect();
    summed.sort_unstable();
    if summed.iter().any(|l| extents[l] == Dim::Rows) {
        return Err(node.mixes_rows("it sums over rows"));
    }
    let terms = tensors.iter().zip(&axes).map(|(t, axes)| term(t, axes, &kept, &summed, &extents)).collect();
    let k = Shape(summed.iter().map(|l| extents[l]).collect()).width();
    let shape = Shape(kept.iter().map(|l| extents[l]).collect());
    let value = node.sums_of_products(terms, &shape, k.unwrap_or(u64::MAX))?;
    let value = node.fitted(value, elem)?;
    node.give(elem, shape, value)
}

/// The extent of each letter; 1 stretches.
fn extents(node: &Node<'_, '_>, tensors: &[Tensor], axes: &[Vec<Letter>]) -> Res<HashMap<Letter, Dim>> {
    let mut extents: HashMap<Letter, Dim> = HashMap::new();
    for (t, letters) in tensors.iter().zip(axes) {
        for (dim, letter) in t.shape.0.iter().zip(letters) {
            let known = extents.entry(*letter).or_insert(*dim);
            match (*known, *dim) {
                (a, b) if a == b => {}
                (Dim::Fixed(1), other) => *known = other,
                (_, Dim::Fixed(1)) => {}
                (Dim::Rows, _) | (_, Dim::Rows) => return Err(node.mixes_rows("the rows meet an axis of fixed extent")),
                _ => return Err(node.bad_shape(format!("one letter for different extents of {}", t.shape))),
            }
        }
    }
    Ok(extents)
}

/// Where an operand's elements are, letter by letter: a letter on several axes walks along all of them.
fn term(t: &Tensor, axes: &[Letter], kept: &[Letter], summed: &[Letter], extents: &HashMap<Letter, Dim>) -> Term {
    let strides = t.shape.strides();
    let step = |letter: &Letter| -> i64 {
        let own = axes.iter().zip(&strides).zip(&t.shape.0).filter(|((l, _), d)| *l == letter && **d != Dim::Fixed(1));
        own.map(|((_, s), _)| s).sum()
    };
    let offsets = |letter: &Letter| match extents[letter] {
        Dim::Rows => vec![0],
        Dim::Fixed(n) => (0..n as i64).map(|i| i * step(letter)).collect(),
    };
    Term { node: t.node, kept: kept.iter().map(offsets).collect(), summed: summed.iter().map(offsets).collect() }
}

/// By the first row: each element times the determinant of what is neither in its row nor in its column.
fn determinant(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let rank = x.shape.rank();
    if rank < 2 {
        return Err(node.bad_shape(format!("the determinant of {}", x.shape)));
    }
    let n = node.extent(&x.shape, rank - 1)?;
    if node.extent(&x.shape, rank - 2)? != n || !(1..=4).contains(&n) {
        return Err(node.unsupported(format!("the determinant of {}; up to 4 x 4 are supported", x.shape)));
    }
    let axes = [rank as i64 - 2, rank as i64 - 1];
    let groups = node.groups(&x.shape, &axes)?;
    let n = n as u32;
    let all: Vec<u32> = (0..n).collect();
    let value = node.each_group(&x, &groups, |node, group| minor(node, group, n, 0, &all))?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, groups.reduced(&x.shape, false), value)
}

/// The determinant of the rows from `row` on, of these columns; at most four levels deep.
fn minor(node: &mut Node<'_, '_>, matrix: NodeId, n: u32, row: u32, columns: &[u32]) -> Res<NodeId> {
    let mut total: Option<NodeId> = None;
    for (i, column) in columns.iter().enumerate() {
        let element = node.column(matrix, row * n + column)?;
        let rest: Vec<u32> = columns.iter().copied().filter(|c| c != column).collect();
        let product = if rest.is_empty() {
            element
        } else {
            let below = minor(node, matrix, n, row + 1, &rest)?;
            node.op(Op::Mul, &[element, below])?
        };
        total = Some(match total {
            None => product,
            Some(before) => node.op(if i % 2 == 1 { Op::Sub } else { Op::Add }, &[before, product])?,
        });
    }
    total.ok_or_else(|| node.bad_shape("a matrix without columns"))
}
