//! `SVMClassifier`, `SVMRegressor`: kernels of the row and the support vectors, weighted and summed, all in float32.
//!
//! A classifier with `vectors_per_class` has a score per pair of classes, i before j: above 0 it is a vote for i. The class
//! of most votes wins, the first of equals; the scores of the pairs are the answer, or the classes' probabilities where
//! `prob_a` is given (see [`super::pairwise`]). With two classes and no probabilities the one score becomes two columns:
//! `[-s, s]`, the logistic function of these, or `[1 - s, s]` with the other transforms.
//!
//! Without `vectors_per_class` the model is linear, a score per class plus `rho[0]`, whatever `kernel_type` says. Of two
//! classes the second wins where the greater score is above 0 (at least 0.5 where no coefficient is below 0).
//! A regressor without support vectors is linear as well; no transform is applied to it. With `one_class` it gives 1 where
//! the sum is above 0, else -1.
//! Source: ai.onnx.ml SVMClassifier-1, SVMRegressor-1; onnxruntime 1.32 `ml/svmclassifier.cc`, `ml/svmregressor.cc`.

use std::sync::Arc;

use flock_ir_spec::{Attr, Data, Frame, NodeId, Op, Word};

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::labels::Labels;
use crate::node::Node;
use crate::scores::PostTransform;
use crate::shape::{Dim, Shape};
use crate::value::Value;

const KERNEL: [Declared; 6] = [
    ("kernel_type", Form::Text),
    ("kernel_params", Form::Floats),
    ("support_vectors", Form::Floats),
    ("coefficients", Form::Floats),
    ("rho", Form::Floats),
    ("post_transform", Form::Text),
];

const CLASSES: [Declared; 5] = [
    ("vectors_per_class", Form::Ints),
    ("prob_a", Form::Floats),
    ("prob_b", Form::Floats),
    ("classlabels_ints", Form::Ints),
    ("classlabels_strings", Form::Texts),
];

const CLASSIFIER: [Declared; 11] = super::joined::<6, 5, 11>(KERNEL, CLASSES);

const REGRESSOR: [Declared; 8] =
    super::joined::<6, 2, 8>(KERNEL, [("n_supports", Form::Int), ("one_class", Form::Int)]);

pub static LIFTERS: &[Lifter] = &[
    Lifter { outputs: 2..=2, ..Lifter::ml("SVMClassifier", &[1], &CLASSIFIER, classifier) },
    Lifter::ml("SVMRegressor", &[1], &REGRESSOR, regressor),
];

impl Node<'_, '_> {
    /// Float32 constants as a table of so many rows, given row by row.
    fn table(&mut self, rows: usize, by_row: &[f32]) -> Res<NodeId> {
        let width = by_row.len() / rows.max(1);
        let data = (0..width).flat_map(|j| (0..rows).map(move |i| by_row[i * width + j])).collect();
        self.constant(Frame { rows, width, data: Data::F32(data), valid: None })
    }

    /// x times weights, a row of them per feature, plus a bias.
    pub fn weighted(&mut self, x: NodeId, weights: &[f32], bias: &[f32]) -> Res<NodeId> {
        let weights = self.table(self.width(x) as usize, weights)?;
        let bias = self.constant(Frame::row_f32(bias))?;
        self.op(Op::Linear, &[x, weights, bias])
    }

    /// The kernel of the row and each of n support vectors.
    fn kernels(&mut self, x: NodeId, n: usize) -> Res<NodeId> {
        let a = self.attributes();
        let (vectors, params) = (a.floats("support_vectors"), a.floats("kernel_params"));
        let features = self.width(x) as usize;
        if n == 0 || vectors.len() != n * features {
            return Err(self.bad_attribute(format!("{} numbers for {n} support vectors of {features}", vectors.len())));
        }
        let param = |i: usize| f64::from(params.get(i).copied().unwrap_or(0.0));
        let kind = a.text("kernel_type").unwrap_or("LINEAR");
        if kind == "RBF" {
            let points = self.table(n, vectors)?;
            let distances = self.op_with(Op::Distances, Attr::Word(Word::SqEuclidean), &[x, points])?;
            let gamma = self.number(Elem::F32, -param(0))?;
            let powers = self.op(Op::Mul, &[distances, gamma])?;
            return self.op(Op::Exp, &[powers]);
        }
        let turned: Vec<f32> = (0..features).flat_map(|f| (0..n).map(move |v| vectors[v * features + f])).collect();
        let products = self.weighted(x, &turned, &vec![0.0; n])?;
        if kind == "LINEAR" {
            return Ok(products);
        }
        let (gamma, zero_power) = (self.number(Elem::F32, param(0))?, self.number(Elem::F32, param(1))?);
        let scaled = self.op(Op::Mul, &[products, gamma])?;
        let moved = self.op(Op::Add, &[scaled, zero_power])?;
        match kind {
            "POLY" => {
                let degree = self.number(Elem::F32, param(2))?;
                self.op(Op::Pow, &[moved, degree])
            }
            "SIGMOID" => self.op(Op::Tanh, &[moved]),
            other => Err(self.bad_attribute(format!("kernel_type `{other}` is unknown"))),
        }
    }
}

/// The classes that pair p compares.
pub fn pairs(classes: usize) -> Vec<(usize, usize)> {
    (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect()
}

fn classifier(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let a = node.attributes();
    let labels = Arc::new(node.labels("classlabels_ints", "classlabels_strings")?);
    let transform = node.post_transform()?;
    let (features, _) = node.features(0)?;
    let rows = features.shape.0[0];
    let x = node.as_f32(&features, 0)?;
    let (label, scores) = if a.ints("vectors_per_class").is_empty() {
        linear(node, x, &labels, transform)?
    } else {
        by_pairs(node, x, &labels, transform)?
    };
    let elem = node.label_elem(&labels);
    let width = u64::from(node.width(scores));
    if width == labels.len() as u64 {
        node.lift.labels.push(labels);
    }
    let label = node.gives(elem, Shape(vec![rows]), label)?;
    Ok(vec![label.into(), node.gives(Elem::F32, Shape(vec![rows, Dim::Fixed(width)]), scores)?.into()])
}

fn by_pairs(node: &mut Node<'_, '_>, x: NodeId, labels: &Labels, transform: PostTransform) -> Res<(NodeId, NodeId)> {
    let (a, k) = (node.attributes(), labels.len());
    let (counts, rho) = (a.ints("vectors_per_class"), a.floats("rho"));
    let pairs = pairs(k);
    let counts: Option<Vec<usize>> = counts.iter().map(|c| usize::try_from(*c).ok().filter(|c| *c < 1 << 31)).collect();
    let counts = counts.filter(|c| c.len() == k && k > 1 && rho.len() == pairs.len());
    let counts = counts.ok_or_else(|| node.bad_attribute(format!("{} rho for {k} classes", rho.len())))?;
    let n: usize = counts.iter().sum();
    let kernels = node.kernels(x, n)?;
    let coefficients = a.floats("coefficients");
    if coefficients.len() != (k - 1) * n {
        return Err(node.bad_attribute(format!("{} coefficients for {n} vectors of {k} classes", coefficients.len())));
    }
    node.spend((n as u64).saturating_mul(pairs.len() as u64))?;
    // A vector of class i has one coefficient per other class: that of class j in row j - 1 behind its own, j before it.
    let class_of: Vec<usize> = counts.iter().enumerate().flat_map(|(c, n)| vec![c; *n]).collect();
    let weight = |(v, (i, j)): (usize, &(usize, usize))| match class_of[v] {
        c if c == *i => coefficients[(j - 1) * n + v],
        c if c == *j => coefficients[i * n + v],
        _ => 0.0,
    };
    let weights: Vec<f32> = (0..n).flat_map(|v| pairs.iter().map(move |p| (v, p))).map(weight).collect();
    let scores = node.weighted(kernels, &weights, rho)?;
    let zero = node.number(Elem::F32, 0.0)?;
    let first = node.op(Op::Gt, &[scores, zero])?;
    let index = most_votes(node, first, &pairs, k)?;
    let label = node.look_up(index, labels.table())?;
    let given = (a.floats("prob_a"), a.floats("prob_b"));
    if !given.0.is_empty() {
        if given.0.len() != pairs.len() || given.1.len() != pairs.len() {
            return Err(node.bad_attribute(format!("{} and {} probability coefficients", given.0.len(), given.1.len())));
        }
        let probabilities = node.coupled(scores, given.0, given.1, k)?;
        return Ok((label, node.transformed(probabilities, transform)?));
    }
    let scores = match k {
        2 => node.two_classes(scores, transform, transform != PostTransform::None)?,
        _ => node.transformed(scores, transform)?,
    };
    Ok((label, scores))
}

/// The class of most votes, the first of equals.
fn most_votes(node: &mut Node<'_, '_>, first: NodeId, pairs: &[(usize, usize)], k: usize) -> Res<NodeId> {
    let (one, zero) = (node.number(Elem::F32, 1.0)?, node.number(Elem::F32, 0.0)?);
    let first = node.op(Op::Select, &[first, one, zero])?;
    let mut bias = vec![0.0f32; k];
    let mut weights = Vec::with_capacity(pairs.len() * k);
    for (i, j) in pairs {
        bias[*j] += 1.0;
        weights.extend((0..k).map(|c| f32::from(u8::from(c == *i)) - f32::from(u8::from(c == *j))));
    }
    let votes = node.weighted(first, &weights, &bias)?;
    node.op(Op::ArgMax, &[votes])
}

fn linear(node: &mut Node<'_, '_>, x: NodeId, labels: &Labels, transform: PostTransform) -> Res<(NodeId, NodeId)> {
    let (coefficients, k) = (node.attributes().floats("coefficients"), labels.len());
    let features = node.width(x) as usize;
    let rho = node.attributes().floats("rho").first().copied();
    let rho = rho.filter(|_| coefficients.len() == k * features);
    let rho = rho.ok_or_else(|| node.bad_attribute(format!("{} coefficients for {k} classes", coefficients.len())))?;
    let turned: Vec<f32> = (0..features).flat_map(|f| (0..k).map(move |c| coefficients[c * features + f])).collect();
    let scores = node.weighted(x, &turned, &vec![rho; k])?;
    let transformed = if k == 1 && transform != PostTransform::Probit { scores } else { node.transformed(scores, transform)? };
    let mut index = node.index_of_greatest(scores, Elem::F32)?;
    if k == 2 && node.attributes().floats("rho").len() == 1 {
        let positive = coefficients.iter().all(|c| *c >= 0.0);
        let threshold = node.number(Elem::F32, if positive { 0.5 } else { 0.0 })?;
        let top = node.op(Op::RowMax, &[scores])?;
        let second = node.op(if positive { Op::Ge } else { Op::Gt }, &[top, threshold])?;
        let one = node.int(1)?;
        index = node.op(Op::Select, &[second, one, index])?;
    }
    Ok((node.look_up(index, labels.table())?, transformed))
}

fn regressor(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let a = node.attributes();
    node.post_transform()?;
    let (coefficients, rho) = (a.floats("coefficients"), a.floats("rho"));
    let (features, width) = node.features(0)?;
    let x = node.as_f32(&features, 0)?;
    let supports = a.int("n_supports").unwrap_or(0);
    let supports = usize::try_from(supports).map_err(|_| node.bad_attribute(format!("{supports} support vectors")))?;
    let terms = if supports == 0 { x } else { node.kernels(x, supports)? };
    let expected = if supports == 0 { width as usize } else { supports };
    let [rho] = rho else { return Err(node.bad_attribute(format!("{} rho, expected one", rho.len()))) };
    if coefficients.len() != expected {
        return Err(node.bad_attribute(format!("{} coefficients, expected {expected}", coefficients.len())));
    }
    let mut value = node.weighted(terms, coefficients, &[*rho])?;
    if a.flag("one_class") {
        let (zero, one, minus) = (node.number(Elem::F32, 0.0)?, node.number(Elem::F32, 1.0)?, node.number(Elem::F32, -1.0)?);
        let above = node.op(Op::Gt, &[value, zero])?;
        value = node.op(Op::Select, &[above, one, minus])?;
    }
    node.give(Elem::F32, Shape(vec![features.shape.0[0], Dim::Fixed(1)]), value)
}
