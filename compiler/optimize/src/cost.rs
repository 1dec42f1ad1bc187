//! What the optimizer asks of whoever knows the targets: nanoseconds per row.

use std::sync::Arc;

use flock_ir_spec::{Attr, Composite, Constant, Function, Op, Pool, TreeEnsemble, Type};

use crate::Placement;

/// One application of an operator.
pub struct Ask<'a> {
    /// The operator.
    pub op: Op,
    /// Its attribute.
    pub attr: &'a Attr,
    /// The type of its result.
    pub out: Type,
    /// The types of its operands.
    pub args: &'a [Type],
    /// The ensemble among its operands.
    pub trees: Option<&'a TreeEnsemble>,
    /// Where it would run.
    pub placement: Placement,
}

/// Estimates of cost. Every answer must be finite and at least 0, and the same for the same question.
pub trait CostModel {
    /// Nanoseconds per row of one application, its operands at hand.
    fn op(&self, ask: &Ask<'_>) -> f64;

    /// The rows of a table.
    fn rows(&self, _table: &[Arc<str>]) -> f64 {
        1e6
    }

    /// Nanoseconds per row for a relational step itself (a filter's or join's handling of a row).
    fn relation(&self, _name: &str) -> f64 {
        2.0
    }

    /// Nanoseconds per row of a call that stays a call.
    fn call(&self, function: &Function, pool: &Pool) -> f64 {
        20.0 + function_cost(self, function, pool, Placement::Native)
    }
}

/// The sum of a function's operators.
pub fn function_cost<C: CostModel + ?Sized>(cost: &C, f: &Function, pool: &Pool, placement: Placement) -> f64 {
    let live = f.graph.reachable(f.outputs.iter().map(|o| o.node));
    f.graph
        .iter()
        .filter(|(id, n)| live[id.index()] && !matches!(n.op, Op::Input | Op::Const | Op::Column | Op::Call))
        .map(|(_, n)| {
            let args: Vec<Type> = n.args.iter().map(|a| f.graph.ty(*a)).collect();
            let trees = n.args.iter().find_map(|a| match f.graph.constant(pool, *a) {
                Some(Constant::Trees(t)) => Some(t),
                _ => None,
            });
            cost.op(&Ask { op: n.op, attr: &n.attr, out: n.ty, args: &args, trees, placement })
        })
        .sum()
}

/// The default: what was measured of SQL engines and of native code on one core of a server, in round numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate;

impl Estimate {
    /// A nested CASE costs about 6 ns per level and 0.9 ns per leaf; native code about 2 ns per level.
    fn trees(t: &TreeEnsemble, sql: bool) -> f64 {
        let trees = t.trees.len().max(1) as f64;
        let leaves = t.nodes.len() as f64 / trees + 1.0;
        let levels = leaves.log2();
        trees * if sql { 0.5 + 6.0 * levels + 0.9 * leaves } else { 0.5 + 2.0 * levels + 0.002 * leaves }
    }
}

impl CostModel for Estimate {
    fn op(&self, ask: &Ask<'_>) -> f64 {
        let sql = ask.placement == Placement::Sql;
        let pick = |in_sql: f64, native: f64| if sql { in_sql } else { native };
        let width = |t: &Type| t.frame().map_or(1.0, |t| f64::from(t.width));
        let out = width(&ask.out);
        let arg = |i: usize| ask.args.get(i).map_or(1.0, width);
        let size = |i: usize| match ask.args.get(i) {
            Some(Type::Const { rows, width, .. }) => f64::from(*rows) * f64::from(*width),
            _ => 1.0,
        };
        // A dictionary is a CASE while it is short, then a join.
        let dictionary = |n: f64| pick((25.0 + 1.5 * n).min(45.0), 8.0);
        match ask.op {
            Op::Input | Op::Const | Op::Column => 0.0,
            Op::Concat | Op::Slice | Op::Take => pick(0.01 + 0.001 * out, 0.1 + 0.2 * out),
            Op::Trees | Op::Leaves => ask.trees.map_or(1e3, |t| Estimate::trees(t, sql)),
            Op::Linear => pick(0.5, 0.15) * size(1) + out,
            Op::IndexOf => dictionary(size(1)) * out,
            Op::Lookup => dictionary(size(1) / out.max(1.0)) + out,
            Op::OneHot => pick(5.0, 0.3) * out,
            Op::InSet => (2.0 + size(1)).min(20.0) * out,
            Op::Bucketize | Op::Interpolate => (2.0 + size(1).log2().max(1.0) * pick(5.0, 1.0)) * out,
            Op::Exp | Op::Ln | Op::Log1p | Op::Expm1 | Op::Pow | Op::Tanh | Op::Logistic => 10.0 * out,
            Op::Sin | Op::Cos | Op::Atan | Op::Rem => 10.0 * out,
            Op::Distances => pick(2.0, 0.4) * size(1),
            Op::Order => pick(20.0, 10.0) * arg(0),
            Op::Gather => pick(5.0, 1.0) * out,
            Op::CityHash => 12.0 * out,
            Op::Digest => pick(500.0, 150.0),
            // A document of some hundred characters; no database counts its terms.
            Op::TermCounts => pick(1e9, 2000.0) + out,
            Op::Lower | Op::Upper | Op::WithoutAccents | Op::Append | Op::Matches | Op::Parse | Op::Digits => {
                pick(1e9, 100.0) * out
            }
            Op::Softmax | Op::Normalize => 12.0 * out,
            Op::Sum | Op::Prod | Op::RowMin | Op::RowMax | Op::All | Op::Any | Op::ArgMax => arg(0),
            Op::And | Op::Or => 0.3 * ask.args.len() as f64 * out,
            Op::Null => 0.05 * out,
            // A little less than its definition: it says more to a reader.
            Op::Composite(Composite::RELU) => 0.5 * out,
            Op::Composite(_) => 1.1 * out,
            Op::Opaque => 10.0,
            _ => 0.6 * out,
        }
    }
}
