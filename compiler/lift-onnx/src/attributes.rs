//! Attributes of nodes, behind a closed door: each is declared by its operator, of one form, and given once.

use std::sync::Arc;

use onnx_protobuf::{AttributeProto, GraphProto, NodeProto, TensorProto, attribute_proto::AttributeType};

/// The form of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `i`
    Int,
    /// `f`
    Float,
    /// `s`
    Text,
    /// `t`
    Tensor,
    /// `ints`
    Ints,
    /// `floats`
    Floats,
    /// `strings`
    Texts,
    /// `g`
    Graph,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Int => "an integer",
            Form::Float => "a float",
            Form::Text => "a string",
            Form::Tensor => "a tensor",
            Form::Ints => "integers",
            Form::Floats => "floats",
            Form::Texts => "strings",
            Form::Graph => "a graph",
        }
    }

    fn ty(self) -> AttributeType {
        match self {
            Form::Int => AttributeType::INT,
            Form::Float => AttributeType::FLOAT,
            Form::Text => AttributeType::STRING,
            Form::Tensor => AttributeType::TENSOR,
            Form::Ints => AttributeType::INTS,
            Form::Floats => AttributeType::FLOATS,
            Form::Texts => AttributeType::STRINGS,
            Form::Graph => AttributeType::GRAPH,
        }
    }
}

/// An attribute that an operator reads: name and form.
pub type Declared = (&'static str, Form);

/// Everything that is wrong with a node's attributes: the code of the fault and what it is.
pub fn faults(node: &NodeProto, reads: &[Declared], ignores: &[&str]) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for a in &node.attribute {
        let name = a.name.as_str();
        let declared = reads.iter().find(|(n, _)| *n == name);
        if seen.contains(&name) {
            faults.push(("flock::lift::attribute", format!("attribute `{name}` is given twice")));
            break;
        } else if !a.ref_attr_name.is_empty() {
            faults.push(("flock::lift::attribute", format!("attribute `{name}` refers to one of a function")));
        } else if let Some((_, form)) = declared {
            if let Err(found) = check(a, *form) {
                faults.push((
                    "flock::lift::attribute",
                    format!("attribute `{name}` is {found}, expected {}", form.name()),
                ));
            }
        } else if !ignores.contains(&name) {
            let message = format!("`{}` has an attribute `{name}` that its lifter does not read", node.op_type);
            faults.push(("flock::lift::unread_attribute", message));
        }
        seen.push(name);
        if faults.len() > 8 {
            break;
        }
    }
    faults
}

/// Whether an attribute is of that form. Old writers leave the type out.
fn check(a: &AttributeProto, form: Form) -> Result<(), String> {
    let ty = a.type_.enum_value().map_err(|n| format!("of the unknown form {n}"))?;
    if ty != form.ty() && ty != AttributeType::UNDEFINED {
        return Err(format!("of the form {ty:?}"));
    }
    match form {
        Form::Tensor if a.t.is_none() => Err("no tensor".into()),
        Form::Graph if a.g.is_none() => Err("no graph".into()),
        Form::Text => utf8(&a.s).map(|_| ()),
        Form::Texts => a.strings.iter().try_for_each(|s| utf8(s).map(|_| ())),
        _ => Ok(()),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "no UTF-8 text".into())
}

/// The attributes of a node whose door has been checked.
#[derive(Clone, Copy)]
pub struct Attributes<'m>(pub &'m NodeProto);

impl<'m> Attributes<'m> {
    fn get(self, name: &str) -> Option<&'m AttributeProto> {
        self.0.attribute.iter().find(|a| a.name == name)
    }

    /// Whether it is given.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An integer.
    pub fn int(self, name: &str) -> Option<i64> {
        self.get(name).map(|a| a.i)
    }

    /// A float.
    pub fn float(self, name: &str) -> Option<f32> {
        self.get(name).map(|a| a.f)
    }

    /// Text.
    pub fn text(self, name: &str) -> Option<&'m str> {
        self.get(name).and_then(|a| utf8(&a.s).ok())
    }

    /// A tensor.
    pub fn tensor(self, name: &str) -> Option<&'m TensorProto> {
        self.get(name).and_then(|a| a.t.as_ref())
    }

    /// A graph.
    pub fn graph(self, name: &str) -> Option<&'m GraphProto> {
        self.get(name).and_then(|a| a.g.as_ref())
    }

    /// Whether an integer is given and is not 0.
    pub fn flag(self, name: &str) -> bool {
        self.int(name).unwrap_or(0) != 0
    }

    /// Integers; none where it is not given.
    pub fn ints(self, name: &str) -> &'m [i64] {
        self.get(name).map_or(&[], |a| &a.ints)
    }

    /// Floats; none where it is not given.
    pub fn floats(self, name: &str) -> &'m [f32] {
        self.get(name).map_or(&[], |a| &a.floats)
    }

    /// Strings; none where it is not given.
    pub fn texts(self, name: &str) -> Vec<Arc<str>> {
        let all = self.get(name).map_or(&[][..], |a| &a.strings);
        all.iter().map(|s| Arc::from(utf8(s).unwrap_or_default())).collect()
    }

    /// Strings as they are written in the file.
    pub fn bytes(self, name: &str) -> &'m [Vec<u8>] {
        self.get(name).map_or(&[], |a| &a.strings)
    }
}
