//! Tree ensembles.

use super::{Apply, Arg, Attr, frame, ops, require};
use crate::frame::Frame;
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

fn trees(c: &Apply<'_>) -> Frame {
    let Arg::Trees(t) = c.args[1] else { panic!("operand 1 is a frame") };
    c.rows_to_rows(|xs, out| {
        round(t.input, xs);
        t.score(|i| xs[i], out);
    })
}

fn leaves(c: &Apply<'_>) -> Frame {
    let Arg::Trees(t) = c.args[1] else { panic!("operand 1 is a frame") };
    c.rows_to_rows(|xs, out| {
        round(t.input, xs);
        // A leaf's index is below 2^31, exact as a double.
        out.iter_mut().zip(&t.trees).for_each(|(o, tree)| *o = t.leaf(tree.root, |i| xs[i]) as f64);
    })
}

/// Once per row in place of once per test.
fn round(input: DType, xs: &mut [f64]) {
    if input == DType::F32 {
        xs.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    }
}
