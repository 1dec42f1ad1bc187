//! The rows that `verify` makes reach every split of real models and stand there on both sides of the threshold.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use flock::artefact::{LoadOptions, load};
use flock::verify::hard;
use flock_ir_spec::{Constant, Op, Scalar, eval};

/// (splits, splits that rows reach on both sides of the threshold, one step of the column apart, rows).
fn reached(model: &str) -> (usize, usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/data/flights").join(model);
    let pipeline = load(&path, &LoadOptions::default()).unwrap();
    let f = pipeline.function();
    let rows = hard::rows(&pipeline.module, f).unwrap();
    let (mut splits, mut both) = (0, 0);
    for (_, node) in f.graph.iter().filter(|(_, n)| n.op == Op::Trees) {
        let Some(Constant::Trees(t)) = f.graph.constant(&pipeline.module.constants, node.args[1]) else { continue };
        let leaves = eval::Leaves { params: &rows.params, columns: None };
        let x = eval::frames(&pipeline.module, &f.graph, &[node.args[0]], rows.rows, &leaves).unwrap().swap_remove(0);
        // Per split, the values next to the threshold of rows that reach it.
        let mut nearest = vec![(f64::INFINITY, f64::INFINITY); t.nodes.len()];
        for row in 0..rows.rows {
            for tree in &t.trees {
                let mut at = tree.root;
                while let Some(i) = at.as_node() {
                    let n = &t.nodes[i];
                    let value = match x.get(row, n.feature as usize) {
                        Scalar::F64(v) => v,
                        Scalar::F32(v) => f64::from(v),
                        _ => f64::NAN,
                    };
                    let left = t.goes_left(n, value);
                    at = if left { n.left } else { n.right };
                    let side = if left { &mut nearest[i].0 } else { &mut nearest[i].1 };
                    if (value - n.threshold).abs() < (*side - n.threshold).abs() {
                        *side = value;
                    }
                }
            }
        }
        splits += nearest.len();
        // One step of a 32-bit float; of a category's column, from 0 to 1.
        let near =
            |(l, r): &&(f64, f64)| (l - r).abs() <= 1e-6 * l.abs().max(1.0) || (l.min(*r), l.max(*r)) == (0.0, 1.0);
        both += nearest.iter().filter(near).count();
    }
    (splits, both, rows.rows)
}

#[test]
fn every_split_is_reached_on_both_sides_of_its_threshold() {
    for model in ["late.joblib", "late_forest.joblib"] {
        let (splits, both, rows) = reached(model);
        assert!(splits > 500, "{model}");
        assert_eq!(splits, both, "{model}: {rows} rows");
        // Splits of different trees share rows.
        assert!(rows < 4000 + 3 * splits, "{model}: {rows} rows for {splits} splits");
    }
}
