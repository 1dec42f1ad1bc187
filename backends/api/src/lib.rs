//! What a backend is. A backend sees verified modules only; it knows no estimator and no file format.

use flock_ir_spec::{Diagnostic, Function, Module, Op, Verified};

/// Whether a backend can emit an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// By itself.
    Native,
    /// Through the composite's definition in core operators.
    Expanded,
    /// Not at all, and why.
    No(&'static str),
}

/// Something in a function that a backend cannot emit exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The pipeline step, or the function where there is none.
    pub place: String,
    /// The operator or the property.
    pub what: String,
    /// Why not.
    pub reason: String,
}

impl Unsupported {
    /// The same as a diagnostic of the backend of that name.
    pub fn diagnostic(&self, backend: &str) -> Diagnostic {
        Diagnostic::new(
            "flock::emit::unsupported",
            self.place.clone(),
            format!("`{}` cannot be emitted for {backend}: {}", self.what, self.reason),
        )
    }
}

/// A target.
pub trait Backend {
    /// What it gives.
    type Artifact;

    /// The name, as users write it.
    fn name(&self) -> &'static str;

    /// Whether the operator can be emitted.
    fn supports(&self, op: Op) -> Support;

    /// The estimated time of one row in nanoseconds, one thread, large batches.
    fn cost(&self, module: &Module, function: &Function) -> f64;

    /// The function of that name as an artefact, or everything that stands in the way.
    fn emit(&self, module: &Verified, function: &str) -> Result<Self::Artifact, Vec<Unsupported>>;

    /// The operators of a function that cannot be emitted, each step's once.
    fn unsupported(&self, function: &Function) -> Vec<Unsupported> {
        let mut all = Vec::new();
        for (id, node) in function.graph.iter() {
            if let Support::No(reason) = self.supports(node.op) {
                let place = function.graph.step_of(id).unwrap_or(&function.name).to_owned();
                let one = Unsupported { place, what: node.op.name().to_owned(), reason: reason.to_owned() };
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        all
    }
}
