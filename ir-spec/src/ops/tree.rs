//! Tree ensembles.

use super::{Apply, Arg, Attr, frame, ops, require};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, FrameType, Type};

ops! {
    /// The outputs of the ensemble: its base plus the leaves' values in the order of the trees.
    TREES = "trees"("x", "ensemble") { shape "floats [n,features], ensemble -> [n,outputs] of the ensemble's dtype", nulls Strict, exact Bits, source "scikit-learn tree/_tree.pyx; ONNX TreeEnsemble-5", infer trees_type, eval trees }
    /// Which leaf of each tree the row reaches, by the leaf's index in the ensemble.
    LEAVES = "leaves"("x", "ensemble") { shape "floats [n,features], ensemble -> i64 [n,trees]", nulls Strict, exact Bits, source "scikit-learn BaseDecisionTree.apply", infer leaves_type, eval leaves }
}

fn operand(args: &[Type]) -> Result<(FrameType, u32, u32, DType), String> {
    let x = frame(args, 0)?;
    let x = require(x, x.dtype.is_float(), "a float")?;
    match args.get(1) {
        Some(&Type::Trees { features, outputs, trees, sum, .. }) if features == x.width => Ok((x, outputs, trees, sum)),
        Some(ty) => Err(format!("{x} into {ty}")),
        None => Err("no ensemble".into()),
    }
}

fn trees_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (x, outputs, _, sum) = operand(args)?;
    Ok(Type::Frame(x.with_dtype(sum).with_width(outputs)))
}

fn leaves_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (x, _, trees, _) = operand(args)?;
    Ok(Type::Frame(x.with_dtype(DType::I64).with_width(trees)))
}

/// Calls `f` with the row's values, or gives None where one of them is null.
fn with_row<R>(c: &Apply<'_>, r: usize, f: impl FnOnce(&[f64]) -> R) -> Option<R> {
    let xs: Option<Vec<f64>> = (0..c.frame(0).width)
        .map(|k| match c.at(0, r, k) {
            Scalar::F32(x) => Some(f64::from(x)),
            Scalar::F64(x) => Some(x),
            _ => None,
        })
        .collect();
    xs.map(|xs| f(&xs))
}

fn trees(c: &Apply<'_>) -> Frame {
    let Arg::Trees(t) = c.args[1] else { panic!("operand 1 is a frame") };
    let mut out = vec![0.0; t.outputs as usize];
    let rows: Vec<Option<Vec<f64>>> = (0..c.rows)
        .map(|r| {
            with_row(c, r, |xs| {
                t.score(|i| xs[i], &mut out);
                out.clone()
            })
        })
        .collect();
    c.each(|r, k| match (&rows[r], c.out.dtype) {
        (None, _) => Scalar::Null,
        (Some(v), DType::F32) => Scalar::F32(v[k] as f32),
        (Some(v), _) => Scalar::F64(v[k]),
    })
}

fn leaves(c: &Apply<'_>) -> Frame {
    let Arg::Trees(t) = c.args[1] else { panic!("operand 1 is a frame") };
    let rows: Vec<Option<Vec<i64>>> = (0..c.rows)
        .map(|r| with_row(c, r, |xs| t.trees.iter().map(|tree| t.leaf(tree.root, |i| xs[i]) as i64).collect()))
        .collect();
    c.each(|r, k| rows[r].as_ref().map_or(Scalar::Null, |v| Scalar::I64(v[k])))
}
