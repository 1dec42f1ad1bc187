//! What support vector machines have in common: weighted sums of kernel values.
//!
//! | `kernel`, `degree`, `coef0`, `_gamma` | the kernel; a function of Python is refused |
//! | `support_vectors_`, `support_` | [l, k], and which rows of the training data they are, for `precomputed` |
//! | `_dual_coef_` | [classes - 1, l] |   | `_intercept_` | [pairs] |   | `_sparse` | whether these are sparse |
//!
//! Source: scikit-learn `svm/_base.py`; libsvm `svm.cpp`.

use flock_ir_spec::Diagnostic;
use flock_ir_spec::NodeId;

use crate::columns::Columns;
use crate::kernels::Kernel;
use crate::lift::Lift;
use crate::linear;
use crate::read::view::{Matrix, View};

/// Attributes that every machine has.
pub(crate) const READS: &[&str] =
    &["kernel", "degree", "coef0", "_gamma", "_sparse", "support_", "support_vectors_", "_dual_coef_", "_intercept_"];

type Res<T> = Result<T, Diagnostic>;

/// The sum of absolute terms over the absolute sum: each doubling costs a bit, and of 53 these leave 37.
const MOST_CANCELLED: f64 = 65_536.0;

/// The support vectors of a machine and their weights.
pub(crate) struct SupportVectors {
    /// None where kernel values are the input.
    kernel: Option<Kernel>,
    vectors: Matrix,
    support: Vec<usize>,
    /// A row of weights for each other class.
    pub dual: Matrix,
    intercepts: Vec<f64>,
}

impl SupportVectors {
    /// Those of an estimator that was fitted on `width` columns.
    pub fn of(view: &View<'_>, width: usize) -> Res<SupportVectors> {
        let name = view.attr("kernel")?;
        let parameter = |of: &str| view.attr(if of == "gamma" { "_gamma" } else { of })?.f64();
        let kernel = match name.str() {
            Some("precomputed") => None,
            Some("linear" | "poly" | "rbf" | "sigmoid") | None => Some(Kernel::named(&name, parameter)?),
            Some(other) => return Err(name.unsupported(format!("the kernel `{other}`"))),
        };
        let (vectors, dual) = (view.attr("support_vectors_")?, view.attr("_dual_coef_")?);
        let support = view.attr("support_")?;
        let machine = SupportVectors {
            support: support.sizes()?,
            intercepts: view.attr("_intercept_")?.f64s()?,
            vectors: linear::dense(&vectors)?,
            dual: linear::dense(&dual)?,
            kernel,
        };
        let count = machine.count();
        if machine.dual.columns != count || machine.dual.values.len() != machine.dual.rows * count {
            return Err(dual.expected(&format!("weights of {count} support vectors")));
        }
        let full = machine.vectors.rows == count && machine.vectors.columns == width;
        if machine.kernel.is_some() && !full {
            return Err(vectors.expected(&format!("{count} support vectors of {width} columns")));
        }
        if machine.kernel.is_none() && machine.support.iter().any(|row| *row >= width) {
            return Err(support.expected(&format!("rows below {width}")));
        }
        Ok(machine)
    }

    /// Number of support vectors.
    pub fn count(&self) -> usize {
        self.support.len()
    }

    /// For each list of support vectors and weights the weighted sum of kernel values and an intercept: a column each.
    pub fn sums(&self, cx: &mut Lift, view: &View<'_>, input: &Columns, lists: &[Vec<(usize, f64)>]) -> Res<NodeId> {
        if self.intercepts.len() != lists.len() {
            return Err(view.attr("_intercept_")?.expected(&format!("{} intercepts", lists.len())));
        }
        let x = linear::finite(cx, view, input)?;
        let values = match &self.kernel {
            Some(Kernel::Linear) if self.cancels(lists, cx.width(x)) => {
                Kernel::Linear.values(cx, view, x, self.vectors.clone())?
            }
            Some(Kernel::Linear) | None => return self.folded(cx, x, lists),
            Some(_) if self.count() == 0 => return self.folded(cx, x, lists),
            Some(kernel) => kernel.values(cx, view, x, self.vectors.clone())?,
        };
        let mut sums = Vec::with_capacity(lists.len());
        for (list, intercept) in lists.iter().zip(&self.intercepts) {
            // Values that are not asked for stay out of the sum: they may be infinite.
            let (positions, weights): (Vec<usize>, Vec<f64>) = list.iter().copied().unzip();
            let own = if positions.is_empty() { values } else { cx.pick(values, &positions)? };
            let weights = if weights.is_empty() { vec![0.0; self.count()] } else { weights };
            let weights = Matrix { rows: 1, columns: weights.len(), values: weights };
            sums.push(linear::map(cx, own, weights, vec![*intercept])?);
        }
        cx.side_by_side(&sums)
    }

    /// Whether the terms of some weight cancel so far that their sum is known to less than the tolerance of a result: then
    /// they are summed with the row, as libsvm does, and not before.
    fn cancels(&self, lists: &[Vec<(usize, f64)>], width: usize) -> bool {
        lists.iter().any(|list| {
            let (mut sums, mut sizes) = (vec![0.0; width], vec![0.0; width]);
            for (s, weight) in list {
                for (at, x) in self.vectors.values[s * width..(s + 1) * width].iter().enumerate() {
                    sums[at] += weight * x;
                    sizes[at] += (weight * x).abs();
                }
            }
            let greatest = |of: &[f64]| of.iter().fold(0.0f64, |a, x| a.max(x.abs()));
            greatest(&sizes) > MOST_CANCELLED * greatest(&sums)
        })
    }

    /// A sum of products with x is one product with x: of the linear kernel, and where x holds kernel values.
    fn folded(&self, cx: &mut Lift, x: NodeId, lists: &[Vec<(usize, f64)>]) -> Res<NodeId> {
        let width = cx.width(x);
        let mut weights = Matrix { rows: lists.len(), columns: width, values: vec![0.0; lists.len() * width] };
        for (row, list) in weights.values.chunks_mut(width.max(1)).zip(lists) {
            for (s, weight) in list {
                match &self.kernel {
                    None => row[self.support[*s]] += weight,
                    Some(_) => {
                        let vector = &self.vectors.values[s * width..(s + 1) * width];
                        row.iter_mut().zip(vector).for_each(|(w, x)| *w += weight * x);
                    }
                }
            }
        }
        linear::map(cx, x, weights, self.intercepts.clone())
    }
}
