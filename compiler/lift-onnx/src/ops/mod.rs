//! One file per operator or close family. Each has a list `LIFTERS`, and one word in the list below.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use crate::Res;
use crate::attributes::Declared;
use crate::node::Node;
use crate::value::Value;

/// How an operator is lifted.
pub struct Lifter {
    /// `""` for `ai.onnx`, or `ai.onnx.ml`.
    pub domain: &'static str,
    /// The operator's name.
    pub op: &'static str,
    /// The versions in which its definition changed, from the first one that is read. What came after the newest known
    /// operator set is refused for the whole model.
    pub versions: &'static [i64],
    /// Attributes that decide the answer, over all versions.
    pub attributes: &'static [Declared],
    /// Attributes that do not.
    pub ignores: &'static [&'static str],
    /// How many inputs it takes; optional ones count.
    pub inputs: RangeInclusive<usize>,
    /// How many outputs it gives.
    pub outputs: RangeInclusive<usize>,
    /// Lifts a node of it: a value per output.
    pub lift: fn(&mut Node<'_, '_>) -> Res<Vec<Value>>,
}

impl Lifter {
    /// A lifter of `ai.onnx` with that many inputs, one output and no attributes.
    pub const fn main(op: &'static str, versions: &'static [i64], inputs: RangeInclusive<usize>, lift: Lift) -> Lifter {
        Lifter {
            domain: crate::versions::MAIN,
            op,
            versions,
            attributes: &[],
            ignores: &[],
            inputs,
            outputs: 1..=1,
            lift,
        }
    }

    /// A lifter of `ai.onnx.ml` with one input and one output.
    pub const fn ml(op: &'static str, versions: &'static [i64], attributes: &'static [Declared], lift: Lift) -> Lifter {
        let domain = crate::versions::ML;
        Lifter { domain, op, versions, attributes, ignores: &[], inputs: 1..=1, outputs: 1..=1, lift }
    }
}

/// The function of a lifter.
pub type Lift = fn(&mut Node<'_, '_>) -> Res<Vec<Value>>;

macro_rules! ops {
    ($($module:ident)*) => {
        $(pub(crate) mod $module;)*
        static ALL: &[&[Lifter]] = &[$($module::LIFTERS),*];
    };
}

ops! {
    // ai.onnx.ml
    array_feature_extractor binarizer category_mapper feature_vectorizer imputer label_encoder linear_classifier
    linear_regressor maps normalizer one_hot_encoder scaler svm tree_classifier tree_ensemble tree_regressor zipmap
    // ai.onnx
    activation arg arithmetic attention bit_cast bits cast clip compare concat constant cumulate einsum fourier gather identity if_ known loops losses matmul
    move_
    normalization one_hot quantize reduce reshape scatter sequences sizes slice softmax split state text
    tf_idf top_k unary variadic where_
}

mod pairwise;
mod product;
mod tree_nodes;
mod tree_sums;

/// Two lists of attributes as one.
const fn joined<const A: usize, const B: usize, const C: usize>(a: [Declared; A], b: [Declared; B]) -> [Declared; C] {
    assert!(A + B == C);
    let mut all = [("", crate::attributes::Form::Int); C];
    let mut i = 0;
    while i < C {
        all[i] = if i < A { a[i] } else { b[i - A] };
        i += 1;
    }
    all
}

/// The lifter of an operator.
pub fn find(domain: &str, op: &str) -> Option<&'static Lifter> {
    static BY_NAME: LazyLock<HashMap<(&str, &str), &Lifter>> =
        LazyLock::new(|| all().map(|l| ((l.domain, l.op), l)).collect());
    BY_NAME.get(&(domain, op)).copied()
}

/// Every operator that is read.
pub fn all() -> impl Iterator<Item = &'static Lifter> {
    ALL.iter().flat_map(|family| family.iter())
}
