//! `PolynomialFeatures`: the products of the columns up to a degree.
//!
//! | `_min_degree`, `_max_degree` | the degrees |   | `interaction_only` | each column at most once in a product |
//! | `include_bias` | a column of 1 in front |
//!
//! A product of degree d is its first column times the product of the others, as the library multiplies. NaN and
//! infinities are refused. Source: scikit-learn `preprocessing/_polynomial.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::features::ANY;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.PolynomialFeatures",
    reads: &["_min_degree", "_max_degree", "interaction_only", "include_bias"],
    ignores: &["degree", "order", "_n_out_full", "n_output_features_"],
    lift,
};

/// Columns that a table may have, and products on the way to them.
const MAX_TERMS: usize = 20_000;

/// A product: the columns in order, and where in the list of the degree below the product of all but the first stands.
struct Term {
    columns: Vec<usize>,
    rest: usize,
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (least, most) = (view.attr("_min_degree")?.size()?, view.attr("_max_degree")?.size()?);
    let once = view.attr("interaction_only")?.bool()?;
    let x = linear::finite(cx, view, &input)?;
    let (mut nodes, mut powers) = (Vec::new(), Vec::new());
    if view.attr("include_bias")?.bool()? {
        nodes.push(cx.b.constant(Frame::row_f64([1.0])));
        powers.push(Vec::new());
    }
    let mut degree: Vec<Term> = (0..input.width()).map(|c| Term { columns: vec![c], rest: 0 }).collect();
    let mut products = x;
    for d in 1..=most {
        if d > 1 {
            degree = next(&degree, input.width(), once, view)?;
            if degree.is_empty() {
                break;
            }
            products = multiplied(cx, x, products, &degree)?;
        }
        if d >= least {
            nodes.push(products);
            powers.extend(degree.iter().map(|t| t.columns.clone()));
        }
    }
    let node = cx.side_by_side(&nodes)?;
    let names = input.names.as_ref().map(|names| powers.iter().map(|p| name(names, p)).collect());
    let mut out = Columns::node(node, powers.len(), ANY, names);
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}

/// The products of one degree more: each column times those of the degree below that begin with it or behind it.
fn next(below: &[Term], width: usize, once: bool, view: &View<'_>) -> Result<Vec<Term>, Diagnostic> {
    let mut terms = Vec::new();
    for column in 0..width {
        for (rest, term) in below.iter().enumerate() {
            let first = term.columns[0];
            if first > column || first == column && !once {
                let columns = [&[column], &term.columns[..]].concat();
                terms.push(Term { columns, rest });
            }
        }
        if terms.len() > MAX_TERMS {
            return Err(view.unsupported(format!("more than {MAX_TERMS} products of columns")));
        }
    }
    Ok(terms)
}

fn multiplied(cx: &mut Lift, x: NodeId, below: NodeId, terms: &[Term]) -> Result<NodeId, Diagnostic> {
    let rest: Vec<usize> = terms.iter().map(|t| t.rest).collect();
    let first: Vec<usize> = terms.iter().map(|t| t.columns[0]).collect();
    let (rest, first) = (cx.pick(below, &rest)?, cx.pick(x, &first)?);
    cx.op(Op::Mul, &[rest, first])
}

/// `a b^2`.
fn name(names: &[String], columns: &[usize]) -> String {
    if columns.is_empty() {
        return "1".into();
    }
    let powers = columns.chunk_by(|a, b| a == b).map(|same| match same.len() {
        1 => names[same[0]].clone(),
        n => format!("{}^{n}", names[same[0]]),
    });
    powers.collect::<Vec<_>>().join(" ")
}
