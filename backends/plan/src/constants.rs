//! The program's constants: tables of the module in the forms that code and kernels read, each once.

use std::collections::HashMap;

use flock_core::{
    Blob, TermsSpec, TreeNodeSpec, TreeSpec, TreesSpec, WeighSpec, pack_curve, pack_edges, pack_index_f64,
    pack_index_i64, pack_index_str, pack_linear_f32, pack_linear_f64, pack_pattern, pack_points_f32, pack_points_f64,
    pack_table_bool, pack_table_f32, pack_table_f64, pack_table_i64, pack_table_str, pack_terms, pack_trees,
    pack_weighing,
};
use flock_ir_spec::terms::TokenPattern;
use flock_ir_spec::{ConstId, Data, Features, Frame, Terms, TreeEnsemble, TreeNode, Unit};
use flock_text::{Flavour, Pattern};

use crate::trees::narrow;

/// The position of a blob in the program's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobId(pub u32);

/// What a constant is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// The elements of a row, one behind the other; of text, `[offset, length]` into its `Bytes`.
    Row,
    /// The bytes of a row of text.
    Bytes,
    /// Values to positions.
    Index,
    /// The same without NaN, which equals nothing.
    Set,
    /// Positions to rows.
    Table,
    /// Sorted edges; whether an equal edge counts.
    Edges(bool),
    /// Weights, with that bias.
    Linear(ConstId),
    /// The points of a function, with their ys.
    Curve(ConstId),
    /// Points to measure distances to.
    Points,
    /// A pattern of RE2.
    Pattern,
    /// Terms of documents.
    Terms,
    /// An ensemble for the kernel, over f64 features or f32 ones.
    Trees(bool),
    /// The leaf values of an ensemble in the type of its sums.
    Leaves,
    /// Where the values of an ensemble's leaves start, as integers as wide as its features, f64 or f32.
    Starts(bool),
    /// The thresholds of an ensemble's nodes in the type of its features, f64 or f32.
    Thresholds(bool),
}

/// The blobs of a program.
#[derive(Default)]
pub(crate) struct Constants {
    pub blobs: Vec<Blob>,
    known: HashMap<(ConstId, Form), BlobId>,
    /// Bytes of work, and rows of a block, that the packed ensembles ask for.
    work: HashMap<BlobId, (usize, usize)>,
}

type Packed = Result<Blob, String>;

impl Constants {
    fn get(&mut self, id: ConstId, form: Form, make: impl FnOnce() -> Packed) -> Result<BlobId, String> {
        if let Some(known) = self.known.get(&(id, form)) {
            return Ok(*known);
        }
        let blob = BlobId(u32::try_from(self.blobs.len()).map_err(|_| "too many constants".to_owned())?);
        self.blobs.push(make()?);
        self.known.insert((id, form), blob);
        Ok(blob)
    }

    /// The elements of a row as they lie in scratch; of text, the spans of its [`Constants::bytes`].
    pub fn row(&mut self, id: ConstId, t: &Frame) -> Result<BlobId, String> {
        self.get(id, Form::Row, || {
            Ok(match &t.data {
                Data::Bool(v) => Blob::of(&v.iter().map(|x| u8::from(*x)).collect::<Vec<_>>()),
                Data::I64(v) => Blob::of(v),
                Data::F32(v) => Blob::of(v),
                Data::F64(v) => Blob::of(v),
                Data::Str(v) => {
                    let mut at = 0;
                    let span = |s: &std::sync::Arc<str>| {
                        at += s.len() as u64;
                        [at - s.len() as u64, s.len() as u64]
                    };
                    Blob::of(&v.iter().map(span).collect::<Vec<[u64; 2]>>())
                }
            })
        })
    }

    /// The bytes of a row of text.
    pub fn bytes(&mut self, id: ConstId, t: &Frame) -> Result<BlobId, String> {
        let text = t.as_str().unwrap_or_default();
        self.get(id, Form::Bytes, || Ok(Blob::of(&text.iter().flat_map(|s| s.bytes()).collect::<Vec<u8>>())))
    }

    /// Values to positions; as a set, NaN is left out.
    pub fn index(&mut self, id: ConstId, t: &Frame, set: bool) -> Result<BlobId, String> {
        let floats =
            |v: &mut dyn Iterator<Item = f64>| pack_index_f64(&v.filter(|x| !(set && x.is_nan())).collect::<Vec<_>>());
        self.get(id, if set { Form::Set } else { Form::Index }, || {
            Ok(match &t.data {
                Data::Bool(v) => pack_index_i64(&v.iter().map(|x| i64::from(*x)).collect::<Vec<_>>()),
                Data::I64(v) => pack_index_i64(v),
                Data::F32(v) => floats(&mut v.iter().map(|x| f64::from(*x))),
                Data::F64(v) => floats(&mut v.iter().copied()),
                Data::Str(v) => pack_index_str(v),
            })
        })
    }

    /// Positions to rows of a table.
    pub fn table(&mut self, id: ConstId, t: &Frame) -> Result<BlobId, String> {
        self.get(id, Form::Table, || {
            let packed = match &t.data {
                Data::Bool(v) => pack_table_bool(t.rows, t.width, v),
                Data::I64(v) => pack_table_i64(t.rows, t.width, v),
                Data::F32(v) => pack_table_f32(t.rows, t.width, v),
                Data::F64(v) => pack_table_f64(t.rows, t.width, v),
                Data::Str(v) => pack_table_str(t.rows, t.width, v),
            };
            packed.map_err(|e| e.to_string())
        })
    }

    /// Sorted edges; `right` counts an edge that is equal.
    pub fn edges(&mut self, id: ConstId, t: &Frame, right: bool) -> Result<BlobId, String> {
        self.get(id, Form::Edges(right), || {
            let edges: Vec<f64> = match &t.data {
                Data::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
                Data::F64(v) => v.clone(),
                Data::Bool(_) | Data::I64(_) | Data::Str(_) => return Err("edges are no floats".into()),
            };
            pack_edges(&edges, right).map_err(|e| e.to_string())
        })
    }

    /// Weights and bias.
    pub fn linear(&mut self, w: (ConstId, &Frame), b: (ConstId, &Frame)) -> Result<BlobId, String> {
        self.get(w.0, Form::Linear(b.0), || {
            let packed = match (&w.1.data, &b.1.data) {
                (Data::F64(x), Data::F64(y)) => pack_linear_f64(w.1.rows, x, y),
                (Data::F32(x), Data::F32(y)) => pack_linear_f32(w.1.rows, x, y),
                _ => return Err("weights and bias are not of one float type".into()),
            };
            packed.map_err(|e| e.to_string())
        })
    }

    /// The weights of some inputs, with the bias or with none; each is one of its own.
    pub fn linear_part(
        &mut self,
        w: (ConstId, &Frame),
        b: (ConstId, &Frame),
        first: u32,
        width: u32,
        biased: bool,
    ) -> Result<BlobId, String> {
        let (first, width) = (first as usize, width as usize);
        if width == w.1.rows {
            return self.linear(w, b);
        }
        let (Some(x), Some(y)) = (w.1.as_f64(), b.1.as_f64()) else { return Err("weights that are no f64".into()) };
        let weights: Vec<f64> = x.chunks(w.1.rows).flat_map(|c| &c[first..first + width]).copied().collect();
        let bias = if biased { y.to_vec() } else { vec![0.0; y.len()] };
        let table = pack_linear_f64(width, &weights, &bias).map_err(|e| e.to_string())?;
        let blob = BlobId(u32::try_from(self.blobs.len()).map_err(|_| "too many constants".to_owned())?);
        self.blobs.push(table);
        Ok(blob)
    }

    /// The points of a function: xs and ys.
    pub fn curve(&mut self, xs: (ConstId, &Frame), ys: (ConstId, &Frame)) -> Result<BlobId, String> {
        self.get(xs.0, Form::Curve(ys.0), || match (xs.1.as_f64(), ys.1.as_f64()) {
            (Some(x), Some(y)) => pack_curve(x, y).map_err(|e| e.to_string()),
            _ => Err("points are not of f64".into()),
        })
    }

    /// Points to measure distances to.
    pub fn points(&mut self, id: ConstId, t: &Frame) -> Result<BlobId, String> {
        self.get(id, Form::Points, || {
            let packed = match &t.data {
                Data::F64(v) => pack_points_f64(t.rows, t.width, v),
                Data::F32(v) => pack_points_f32(t.rows, t.width, v),
                Data::Bool(_) | Data::I64(_) | Data::Str(_) => return Err("points are no floats".into()),
            };
            packed.map_err(|e| e.to_string())
        })
    }

    /// A pattern of RE2.
    pub fn pattern(&mut self, id: ConstId, t: &Frame) -> Result<BlobId, String> {
        self.get(id, Form::Pattern, || {
            let text = t.as_str().and_then(|p| p.first()).ok_or("no pattern")?;
            Pattern::new(text, Flavour::Re2).map(|p| pack_pattern(&p)).map_err(|e| e.to_string())
        })
    }

    /// Terms of documents.
    pub fn terms(&mut self, id: ConstId, t: &Terms) -> Result<BlobId, String> {
        self.get(id, Form::Terms, || {
            let tokens = if t.unit == Unit::Word { t.tokens()? } else { TokenPattern::Runs(1) };
            let stop: Vec<&str> = t.stop.iter().map(|s| &**s).collect();
            let (vocabulary, hashed): (Vec<&str>, _) = match &t.features {
                Features::Vocabulary(terms) => (terms.iter().map(|s| &**s).collect(), None),
                Features::Hashed { columns, signed } => (Vec::new(), Some((*columns, *signed))),
            };
            Ok(pack_terms(&TermsSpec {
                unit: t.unit,
                first: t.first,
                last: t.last,
                tokens: match &tokens {
                    TokenPattern::Runs(least) => Err(*least),
                    TokenPattern::Pattern(pattern) => Ok(pattern),
                },
                stop: &stop,
                binary: t.binary,
                features: hashed.map_or(Ok(&vocabulary), Err),
            }))
        })
    }

    /// What is done to counts; each is one of its own.
    pub fn weighing(&mut self, steps: &[WeighSpec<'_>]) -> Result<BlobId, String> {
        let blob = BlobId(u32::try_from(self.blobs.len()).map_err(|_| "too many constants".to_owned())?);
        self.blobs.push(pack_weighing(steps));
        Ok(blob)
    }

    /// An ensemble for the kernel, with the bytes of work and the rows of a block that it asks for.
    pub fn trees(
        &mut self,
        id: ConstId,
        t: &TreeEnsemble,
        f64_features: bool,
    ) -> Result<(BlobId, (usize, usize)), String> {
        let mut work = (0, 0);
        let blob = self.get(id, Form::Trees(f64_features), || {
            let packed = pack_ensemble(t, f64_features)?;
            work = (packed.work, packed.block_rows);
            Ok(packed.table)
        })?;
        Ok((blob, *self.work.entry(blob).or_insert(work)))
    }

    /// The leaf values of an ensemble in the type of its sums.
    pub fn leaves(&mut self, id: ConstId, t: &TreeEnsemble) -> Result<BlobId, String> {
        self.get(id, Form::Leaves, || {
            let narrow = || t.values.iter().map(|v| *v as f32).collect::<Vec<_>>();
            Ok(if t.sum == flock_ir_spec::DType::F32 { Blob::of(&narrow()) } else { Blob::of(&t.values) })
        })
    }

    /// Where the values of an ensemble's leaves start, as integers as wide as its features.
    pub fn starts(&mut self, id: ConstId, t: &TreeEnsemble, f64_features: bool) -> Result<BlobId, String> {
        self.get(id, Form::Starts(f64_features), || {
            Ok(match f64_features {
                true => Blob::of(&t.leaves.iter().map(|l| u64::from(*l)).collect::<Vec<_>>()),
                false => Blob::of(&t.leaves),
            })
        })
    }

    /// The thresholds of an ensemble's nodes in the type of its features.
    pub fn thresholds(&mut self, id: ConstId, t: &TreeEnsemble, f64_features: bool) -> Result<BlobId, String> {
        self.get(id, Form::Thresholds(f64_features), || {
            let narrow = |n: &TreeNode| narrow(n.test, n.threshold).1;
            Ok(match f64_features {
                true => Blob::of(&t.nodes.iter().map(|n| n.threshold).collect::<Vec<_>>()),
                false => Blob::of(&t.nodes.iter().map(narrow).collect::<Vec<_>>()),
            })
        })
    }
}

fn pack_ensemble(t: &TreeEnsemble, f64_features: bool) -> Result<flock_core::PackedTrees, String> {
    let node = |n: &TreeNode| TreeNodeSpec {
        feature: n.feature,
        test: n.test as u8,
        missing_left: n.missing_left,
        threshold: n.threshold,
        left: n.left.bits(),
        right: n.right.bits(),
    };
    let nodes: Vec<TreeNodeSpec> = t.nodes.iter().map(node).collect();
    let sets: Vec<&[[u32; 2]]> = (0..t.sets.len()).map(|s| t.sets.runs(s)).collect();
    let trees: Vec<TreeSpec> = t.trees.iter().map(|t| TreeSpec { root: t.root.bits(), target: t.target }).collect();
    let spec = TreesSpec {
        features: t.features,
        outputs: t.outputs,
        input_f64: f64_features,
        sum_f64: t.sum == flock_ir_spec::DType::F64,
        base: &t.base,
        trees: &trees,
        nodes: &nodes,
        leaves: &t.leaves,
        values: &t.values,
        sets: &sets,
    };
    pack_trees(&spec).map_err(|e| e.to_string())
}
