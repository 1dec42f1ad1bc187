//! Outputs of the graph: the columns that they become.
//!
//! A graph of two outputs, labels and then a number per label (ZipMap's, or a tensor as wide as a classifier of the graph
//! has labels), follows the classifier form: `prediction`, `probability_<label>`. Any other graph gives columns under the
//! outputs' own names.

use std::collections::HashSet;
use std::sync::Arc;

use flock_ir_spec::{Attr, Diagnostic, NodeId, Op};

use crate::labels::Labels;
use crate::lift::Lift;
use crate::shape::Dim;
use crate::value::{Tensor, Value};

/// Names the outputs' columns.
pub fn name(lift: &mut Lift<'_>) {
    let graph = lift.graph;
    if graph.output.is_empty() {
        lift.fault(Diagnostic::new("flock::lift::output", "graph.output", "a graph without outputs"));
    }
    let values: Vec<Option<Value>> = graph.output.iter().map(|o| lift.value(&o.name)).collect();
    let columns = match values.as_slice() {
        [Some(Value::Tensor(labels)), Some(numbers)] if is_labels(labels) => match numbers_by_label(lift, numbers) {
            Some((names, numbers)) => classifier(lift, labels, &names, &numbers),
            None => plain(lift, &values),
        },
        _ => plain(lift, &values),
    };
    let mut names = HashSet::new();
    for (name, node) in columns {
        if names.insert(name.clone()) {
            lift.b.output(&name, node);
        } else {
            let message = format!("two columns are named `{name}`");
            lift.fault(Diagnostic::new("flock::lift::output", "graph.output", message));
        }
    }
}

fn is_labels(tensor: &Tensor) -> bool {
    tensor.shape.0 == [Dim::Rows] && !tensor.elem.is_float()
}

fn numbers_by_label(lift: &Lift<'_>, value: &Value) -> Option<(Arc<Labels>, Tensor)> {
    match value {
        Value::Map(map) => Some((map.labels.clone(), map.numbers.clone())),
        Value::Tensor(t) if t.elem.is_float() => match t.shape.0.as_slice() {
            [Dim::Rows, Dim::Fixed(k)] => {
                let labels = lift.labels.iter().find(|l| l.len() as u64 == *k)?;
                Some((labels.clone(), t.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

type Columns = Vec<(String, NodeId)>;

fn classifier(lift: &mut Lift<'_>, label: &Tensor, labels: &Labels, numbers: &Tensor) -> Columns {
    let names = labels.names().into_iter().map(|l| format!("probability_{l}")).collect();
    let mut columns = vec![("prediction".to_owned(), label.node)];
    columns.extend(each_column(lift, numbers, names));
    columns
}

fn plain(lift: &mut Lift<'_>, values: &[Option<Value>]) -> Columns {
    let graph = lift.graph;
    let mut columns = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let name = &graph.output[i].name;
        let of_rows = |t: &Tensor| t.shape.0.first() == Some(&Dim::Rows);
        match value {
            Some(Value::Tensor(t)) if of_rows(t) => {
                let width = t.shape.width().unwrap_or(0);
                let names =
                    if width == 1 { vec![name.clone()] } else { (0..width).map(|j| format!("{name}_{j}")).collect() };
                columns.extend(each_column(lift, t, names));
            }
            Some(Value::Map(map)) => {
                let names = map.labels.names().into_iter().map(|l| format!("{name}_{l}")).collect();
                columns.extend(each_column(lift, &map.numbers.clone(), names));
            }
            other => {
                let found = other.as_ref().map_or_else(|| "nothing".to_owned(), Value::describe);
                let message = format!("the output is {found}, which has no value per row");
                lift.fault(Diagnostic::new("flock::lift::output", format!("graph.output[{i}] {name:?}"), message));
            }
        }
    }
    columns
}

fn each_column(lift: &mut Lift<'_>, tensor: &Tensor, names: Vec<String>) -> Columns {
    let mut columns = Vec::new();
    let only = names.len() == 1;
    for (start, name) in names.into_iter().enumerate() {
        let slice = Attr::Range { start: start as u32, len: 1 };
        let node = if only { Ok(tensor.node) } else { lift.b.op_with(Op::Slice, slice, &[tensor.node]) };
        match node {
            Ok(node) => columns.push((name, node)),
            Err(e) => lift.fault(Diagnostic::new("flock::lift::type", "graph.output", e.to_string())),
        }
    }
    columns
}
