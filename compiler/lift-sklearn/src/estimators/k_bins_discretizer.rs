//! `KBinsDiscretizer`: the bin that a number falls into, as a number or one-hot.
//!
//! | `bin_edges_` | per column, ascending; the outer ones are not compared |   | `n_bins_` | per column |
//! | `encode` | `ordinal`, `onehot`, `onehot-dense` |   | `_encoder.categories_` | the bins, which name the columns |
//! | `dtype` | float32: the numbers are compared in it |
//!
//! An edge belongs to the bin above it. NaN and infinities are refused.
//! Source: scikit-learn `preprocessing/_discretization.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op, Word};

use crate::columns::{Columns, Facts};
use crate::labels::text;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.KBinsDiscretizer",
    reads: &["encode", "dtype", "bin_edges_", "n_bins_", "_encoder"],
    ignores: &["n_bins", "strategy", "quantile_method", "random_state", "subsample"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (width, names) = (input.width(), input.names.clone());
    let dtype = view.attr("dtype")?;
    let single = !dtype.is_none() && super::dtype_is_single(&dtype)?;
    let mut x = linear::finite(cx, view, &input)?;
    if single {
        cx.refuse_beyond_f32(&input, false, view)?;
        for dtype in [DType::F32, DType::F64] {
            x = cx.op_with(Op::Cast, Attr::Type(FrameType::new(dtype, width as u32)), &[x])?;
        }
    }
    let edges = super::per_column(&view.attr("bin_edges_")?, width)?;
    let encode = view.attr("encode")?;
    let encode = encode.str().ok_or_else(|| encode.expected("an encoding"))?;
    let categories = match encode {
        "ordinal" => None,
        "onehot" | "onehot-dense" => Some(super::per_column(&view.attr("_encoder")?.attr("categories_")?, width)?),
        _ => return Err(view.unsupported("an encoding that is not known")),
    };
    let facts = Facts { single, ..Facts::CODES };
    let mut out = Columns::none();
    for (i, edges) in edges.iter().enumerate() {
        let column = cx.pick(x, &[i])?;
        let bin = bin(cx, edges, column)?;
        let name = names.as_ref().map(|n| n[i].clone());
        let (node, names) = match &categories {
            None => (cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1)), &[bin])?, name.map(|n| vec![n])),
            Some(categories) => one_hot(cx, bin, &categories[i], name)?,
        };
        out.append(Columns::node(node, cx.width(node), facts, names));
    }
    out.sparse = encode == "onehot";
    Ok(Lifted::Columns(out))
}

/// How many inner edges are not above the number.
fn bin(cx: &mut Lift, edges: &View<'_>, column: NodeId) -> Result<NodeId, Diagnostic> {
    let values = edges.f64s()?;
    if !values.is_sorted() || values.len() < 2 {
        return Err(edges.expected("two or more ascending edges"));
    }
    let inner = &values[1..values.len() - 1];
    if inner.is_empty() {
        return Ok(cx.b.constant(Frame::row_i64([0])));
    }
    let inner = cx.b.constant(Frame::row_f64(inner.to_vec()));
    cx.op_with(Op::Bucketize, Attr::Word(Word::Right), &[column, inner])
}

type Named = (NodeId, Option<Vec<String>>);

fn one_hot(cx: &mut Lift, bin: NodeId, categories: &View<'_>, name: Option<String>) -> Result<Named, Diagnostic> {
    let bins = categories.plains()?;
    let ty = FrameType::new(DType::F64, bins.len() as u32);
    let node = cx.op_with(Op::OneHot, Attr::Type(ty), &[bin])?;
    Ok((node, name.map(|n| bins.iter().map(|b| format!("{n}_{}", text(b))).collect())))
}
