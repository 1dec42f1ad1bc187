//! Outputs of the graph: the columns that they become.
//!
//! A graph of two outputs, labels and then a number per label (ZipMap's, or a tensor as wide as a classifier of the graph
//! has labels), follows the classifier form: `prediction`, `probability_<label>`. Any other graph gives columns under the
//! outputs' own names.

use std::collections::HashSet;
use std::sync::Arc;

use flock_ir_spec::{Attr, Diagnostic, NodeId, Op};
use onnx_protobuf::GraphProto;

use crate::labels::Labels;
use crate::lift::{Lift, Reading};
use crate::shape::Dim;
use crate::value::{Tensor, Value};

/// Names the outputs' columns.
pub fn name<'m>(lift: &mut Lift<'m>, graph: &'m GraphProto) {
    if graph.output.is_empty() {
        lift.fault(Diagnostic::new("flock::lift::output", "graph.output", "a graph without outputs"));
    }
    let values: Vec<Option<Value>> = graph.output.iter().map(|o| lift.value(&o.name)).collect();
    let columns = match values.as_slice() {
        [Some(Value::Tensor(labels)), Some(numbers)] if is_labels(labels) => match numbers_by_label(lift, numbers) {
            Some((names, numbers)) => classifier(lift, labels, &names, &numbers),
            None => plain(lift, graph, &values),
        },
        _ => plain(lift, graph, &values),
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
    matches!(tensor.shape.0.as_slice(), [Dim::Rows | Dim::Fixed(1)]) && !tensor.elem.is_any_float()
}

fn numbers_by_label(lift: &Lift<'_>, value: &Value) -> Option<(Arc<Labels>, Tensor)> {
    match value {
        Value::Map(map) => Some((map.labels.clone(), map.numbers.clone())),
        Value::Tensor(t) if t.elem.is_float() => match t.shape.0.as_slice() {
            [Dim::Rows | Dim::Fixed(1), Dim::Fixed(k)] => {
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

fn plain(lift: &mut Lift<'_>, graph: &GraphProto, values: &[Option<Value>]) -> Columns {
    let mut columns = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let name = &graph.output[i].name;
        match value.as_ref().and_then(|v| tensor_of_rows(lift, v)) {
            Some(t) => {
                let width = t.shape.width().unwrap_or(0);
                let names =
                    if width == 1 { vec![name.clone()] } else { (0..width).map(|j| format!("{name}_{j}")).collect() };
                columns.extend(each_column(lift, &t, names));
            }
            None if matches!(value, Some(Value::Map(_))) => {
                let Some(Value::Map(map)) = value else { continue };
                let names = map.labels.names().into_iter().map(|l| format!("{name}_{l}")).collect();
                columns.extend(each_column(lift, &map.numbers, names));
            }
            None if matches!(value, Some(Value::Absent)) => {}
            None if matches!(value, Some(Value::Literal(l)) if l.len() == 0) && lift.reading == Reading::Calls => {}
            None if matches!(value, Some(Value::Sequence(_))) => {
                let Some(Value::Sequence(parts)) = value else { continue };
                columns.extend(listed(lift, name, parts));
            }
            None => {
                let found = value.as_ref().map_or_else(|| "nothing".to_owned(), Value::describe);
                let message = format!("the output is {found}, which has no value per row");
                lift.fault(Diagnostic::new("flock::lift::output", format!("graph.output[{i}] {name:?}"), message));
            }
        }
    }
    columns
}

/// The columns of a list's tensors, one behind the other.
fn listed(lift: &mut Lift<'_>, name: &str, parts: &[Value]) -> Columns {
    let mut columns = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        match tensor_of_rows(lift, part) {
            Some(t) if t.shape.width() == Some(1) => columns.extend(each_column(lift, &t, vec![format!("{name}_{i}")])),
            Some(t) => {
                let names = (0..t.shape.width().unwrap_or(0)).map(|j| format!("{name}_{i}_{j}")).collect();
                columns.extend(each_column(lift, &t, names));
            }
            None => {
                let message = format!("element {i} of the output is {}, which has no value per row", part.describe());
                lift.fault(Diagnostic::new("flock::lift::output", format!("output {name:?}"), message));
            }
        }
    }
    columns
}

/// A tensor with rows; where a row is a call, any tensor, a known one included.
fn tensor_of_rows(lift: &mut Lift<'_>, value: &Value) -> Option<Tensor> {
    let calls = lift.reading == Reading::Calls;
    match value {
        Value::Tensor(t) if calls || t.shape.rows_axis().is_some() => Some(t.clone()),
        Value::Literal(l) if calls && l.len() > 0 => {
            Some(Tensor { elem: l.elem, shape: l.shape(), node: lift.b.constant(l.frame.clone()) })
        }
        _ => None,
    }
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
