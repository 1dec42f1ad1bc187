//! The protobuf wire format: is this an ONNX model, is it whole, and what will it take to hold?
//!
//! The walk runs before the bytes are parsed. It allocates nothing but its stack, so that a file cannot ask for more
//! memory than it is worth, and it can name the place of a fault, which the generated parser cannot.
//! Source: protobuf.dev/programming-guides/encoding; field numbers from onnx.proto3 of onnx 1.23.

use flock_ir_spec::Diagnostic;

/// A message of onnx.proto3.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Segment,
    SparseTensor,
    ValueInfo,
    Type,
    TensorType,
    ElementType,
    MapType,
    Shape,
    Dimension,
    Entry,
    OpsetId,
    Annotation,
    Training,
    Function,
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Field {
    Nested(Message),
    Text,
    Bytes,
    /// One varint or many, packed or not.
    Varint,
    Fixed32,
    Fixed64,
}

use Field::{Bytes, Fixed32, Fixed64, Nested, Text, Varint};

/// Number, name and content of a message's fields.
fn fields(message: Message) -> &'static [(u32, &'static str, Field)] {
    match message {
        Message::Model => &[
            (1, "ir_version", Varint),
            (2, "producer_name", Text),
            (3, "producer_version", Text),
            (4, "domain", Text),
            (5, "model_version", Varint),
            (6, "doc_string", Text),
            (7, "graph", Nested(Message::Graph)),
            (8, "opset_import", Nested(Message::OpsetId)),
            (14, "metadata_props", Nested(Message::Entry)),
            (20, "training_info", Nested(Message::Training)),
            (25, "functions", Nested(Message::Function)),
        ],
        Message::Graph => &[
            (1, "node", Nested(Message::Node)),
            (2, "name", Text),
            (5, "initializer", Nested(Message::Tensor)),
            (10, "doc_string", Text),
            (11, "input", Nested(Message::ValueInfo)),
            (12, "output", Nested(Message::ValueInfo)),
            (13, "value_info", Nested(Message::ValueInfo)),
            (14, "quantization_annotation", Nested(Message::Annotation)),
            (15, "sparse_initializer", Nested(Message::SparseTensor)),
            (16, "metadata_props", Nested(Message::Entry)),
        ],
        Message::Node => &[
            (1, "input", Text),
            (2, "output", Text),
            (3, "name", Text),
            (4, "op_type", Text),
            (5, "attribute", Nested(Message::Attribute)),
            (6, "doc_string", Text),
            (7, "domain", Text),
            (8, "overload", Text),
            (9, "metadata_props", Nested(Message::Entry)),
        ],
        Message::Attribute => &[
            (1, "name", Text),
            (2, "f", Fixed32),
            (3, "i", Varint),
            (4, "s", Bytes),
            (5, "t", Nested(Message::Tensor)),
            (6, "g", Nested(Message::Graph)),
            (7, "floats", Fixed32),
            (8, "ints", Varint),
            (9, "strings", Bytes),
            (10, "tensors", Nested(Message::Tensor)),
            (11, "graphs", Nested(Message::Graph)),
            (13, "doc_string", Text),
            (14, "tp", Nested(Message::Type)),
            (15, "type_protos", Nested(Message::Type)),
            (20, "type", Varint),
            (21, "ref_attr_name", Text),
            (22, "sparse_tensor", Nested(Message::SparseTensor)),
            (23, "sparse_tensors", Nested(Message::SparseTensor)),
        ],
        Message::Tensor => &[
            (1, "dims", Varint),
            (2, "data_type", Varint),
            (3, "segment", Nested(Message::Segment)),
            (4, "float_data", Fixed32),
            (5, "int32_data", Varint),
            (6, "string_data", Bytes),
            (7, "int64_data", Varint),
            (8, "name", Text),
            (9, "raw_data", Bytes),
            (10, "double_data", Fixed64),
            (11, "uint64_data", Varint),
            (12, "doc_string", Text),
            (13, "external_data", Nested(Message::Entry)),
            (14, "data_location", Varint),
            (16, "metadata_props", Nested(Message::Entry)),
        ],
        Message::Segment => &[(1, "begin", Varint), (2, "end", Varint)],
        Message::SparseTensor => {
            &[(1, "values", Nested(Message::Tensor)), (2, "indices", Nested(Message::Tensor)), (3, "dims", Varint)]
        }
        Message::ValueInfo => &[
            (1, "name", Text),
            (2, "type", Nested(Message::Type)),
            (3, "doc_string", Text),
            (4, "metadata_props", Nested(Message::Entry)),
        ],
        Message::Type => &[
            (1, "tensor_type", Nested(Message::TensorType)),
            (4, "sequence_type", Nested(Message::ElementType)),
            (5, "map_type", Nested(Message::MapType)),
            (6, "denotation", Text),
            (8, "sparse_tensor_type", Nested(Message::TensorType)),
            (9, "optional_type", Nested(Message::ElementType)),
        ],
        Message::TensorType => &[(1, "elem_type", Varint), (2, "shape", Nested(Message::Shape))],
        Message::ElementType => &[(1, "elem_type", Nested(Message::Type))],
        Message::MapType => &[(1, "key_type", Varint), (2, "value_type", Nested(Message::Type))],
        Message::Shape => &[(1, "dim", Nested(Message::Dimension))],
        Message::Dimension => &[(1, "dim_value", Varint), (2, "dim_param", Text), (3, "denotation", Text)],
        Message::Entry => &[(1, "key", Text), (2, "value", Text)],
        Message::OpsetId => &[(1, "domain", Text), (2, "version", Varint)],
        Message::Annotation => &[(1, "tensor_name", Text), (2, "quant_parameter_tensor_names", Nested(Message::Entry))],
        Message::Training => &[
            (1, "initialization", Nested(Message::Graph)),
            (2, "algorithm", Nested(Message::Graph)),
            (3, "initialization_binding", Nested(Message::Entry)),
            (4, "update_binding", Nested(Message::Entry)),
        ],
        Message::Function => &[
            (1, "name", Text),
            (4, "input", Text),
            (5, "output", Text),
            (6, "attribute", Text),
            (7, "node", Nested(Message::Node)),
            (8, "doc_string", Text),
            (9, "opset_import", Nested(Message::OpsetId)),
            (10, "domain", Text),
            (11, "attribute_proto", Nested(Message::Attribute)),
            (12, "value_info", Nested(Message::ValueInfo)),
            (13, "overload", Text),
            (14, "metadata_props", Nested(Message::Entry)),
        ],
    }
}

/// Bytes that a parsed message takes at most, without what its fields point to.
const MESSAGE_COST: u64 = 400;
/// Bytes that a string takes beside its text: the vector and the allocator.
const TEXT_COST: u64 = 48;
/// Messages within messages: an attribute's subgraph is three levels.
const MAX_DEPTH: usize = 64;
/// Numbers of fields up to which repeated fields are counted for places.
const COUNTED: usize = 32;

struct Level {
    message: Message,
    /// Name of the field and which one of them, within the message around it.
    step: (&'static str, u32),
    end: usize,
    seen: [u32; COUNTED],
}

/// Walks over the bytes of a model.
struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    stack: Vec<Level>,
    cost: u64,
}

/// Checks that the bytes are one whole ONNX model: fields are of their declared form, lengths fit, text is UTF-8,
/// nesting is bounded, and the parsed model takes no more than 8 times the file and 256 MiB.
///
/// # Errors
/// The first damage, with the path of the message and the position in the file.
pub fn check(bytes: &[u8]) -> Result<(), Diagnostic> {
    let mut walk = Walk { bytes, at: 0, stack: Vec::new(), cost: 0 };
    walk.stack.push(Level { message: Message::Model, step: ("model", 0), end: bytes.len(), seen: [0; COUNTED] });
    let limit = 8 * bytes.len() as u64 + (256 << 20);
    while let Some(level) = walk.stack.last() {
        if walk.at == level.end {
            walk.stack.pop();
        } else if let Err(message) = walk.field() {
            return Err(Diagnostic::new("flock::lift::damaged", walk.place(), message)
                .help("the file is cut short, altered, or no ONNX model"));
        }
        if walk.cost > limit {
            let message =
                format!("the model takes more than {} MiB in memory, its file {} bytes", limit >> 20, bytes.len());
            return Err(Diagnostic::new("flock::lift::too_large", walk.place(), message));
        }
    }
    Ok(())
}

impl Walk<'_> {
    fn place(&self) -> String {
        let step = |l: &Level| match l.step {
            (name, 0) => name.to_owned(),
            (name, n) => format!("{name}[{}]", n - 1),
        };
        let path: Vec<String> = self.stack.iter().skip(1).map(step).collect();
        let path = if path.is_empty() { "model".to_owned() } else { path.join(".") };
        format!("{path} at byte {}", self.at)
    }

    fn end(&self) -> usize {
        self.stack.last().map_or(self.bytes.len(), |l| l.end)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).filter(|_| self.at < self.end()).ok_or("a number is cut short")?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than ten bytes".into())
    }

    fn skip(&mut self, len: u64) -> Result<std::ops::Range<usize>, String> {
        let room = (self.end() - self.at) as u64;
        if len > room {
            return Err(format!("{len} bytes are announced, {room} are left"));
        }
        let from = self.at;
        self.at += len as usize;
        Ok(from..self.at)
    }

    fn field(&mut self) -> Result<(), String> {
        let tag = self.varint()?;
        let (number, form) = ((tag >> 3) as u32, tag & 7);
        if tag > u64::from(u32::MAX) || number == 0 {
            return Err(format!("no field has the number {}", tag >> 3));
        }
        let message = self.stack.last().map_or(Message::Model, |l| l.message);
        let known = fields(message).iter().find(|f| f.0 == number);
        match (form, known) {
            (0, Some((_, _, Varint)) | None) => {
                self.cost += 16;
                self.varint().map(|_| ())
            }
            (1, Some((_, _, Fixed64)) | None) => {
                self.cost += 16;
                self.skip(8).map(|_| ())
            }
            (5, Some((_, _, Fixed32)) | None) => {
                self.cost += 16;
                self.skip(4).map(|_| ())
            }
            (2, known) => self.delimited(number, known),
            (_, Some((_, name, _))) => Err(format!("`{name}` has the wire type {form}")),
            (_, None) => Err(format!("field {number} has the wire type {form}")),
        }
    }

    fn delimited(&mut self, number: u32, known: Option<&(u32, &'static str, Field)>) -> Result<(), String> {
        let len = self.varint()?;
        match known {
            Some((_, name, Nested(message))) => return self.enter(number, name, *message, len),
            Some((_, name, Text)) => {
                let text = self.skip(len)?;
                std::str::from_utf8(&self.bytes[text]).map_err(|_| format!("`{name}` is no UTF-8 text"))?;
                self.cost += TEXT_COST + len;
            }
            // A packed number takes a byte in the file and eight in memory.
            Some((_, _, Varint)) => self.packed(len)?,
            Some((_, name, Fixed32)) if len % 4 != 0 => return Err(format!("`{name}` holds {len} bytes of floats")),
            Some((_, name, Fixed64)) if len % 8 != 0 => return Err(format!("`{name}` holds {len} bytes of doubles")),
            _ => {
                self.skip(len)?;
                self.cost += TEXT_COST + len;
            }
        }
        Ok(())
    }

    fn packed(&mut self, len: u64) -> Result<(), String> {
        let range = self.skip(len)?;
        let numbers = self.bytes[range.clone()].iter().filter(|b| *b & 0x80 == 0).count() as u64;
        if self.bytes[range].last().is_some_and(|b| b & 0x80 != 0) {
            return Err("a number is cut short".into());
        }
        self.cost += 8 * numbers.max(len / 8);
        Ok(())
    }

    fn enter(&mut self, number: u32, name: &'static str, message: Message, len: u64) -> Result<(), String> {
        let room = (self.end() - self.at) as u64;
        if len > room {
            return Err(format!("`{name}` announces {len} bytes, {room} are left"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("messages are nested deeper than {MAX_DEPTH}"));
        }
        let repeated = !matches!(name, "graph" | "type" | "shape" | "t" | "g");
        let count = match self.stack.last_mut() {
            Some(level) if repeated && (number as usize) < COUNTED => {
                level.seen[number as usize] += 1;
                level.seen[number as usize]
            }
            _ => 0,
        };
        self.cost += MESSAGE_COST;
        let end = self.at + len as usize;
        self.stack.push(Level { message, step: (name, count), end, seen: [0; COUNTED] });
        Ok(())
    }
}

/// Whether the bytes look like an ONNX `ModelProto`, whole or cut short: its fields and no others at the top, with the
/// version of the format and a graph or an opset among them. Looks at a few dozen bytes.
pub fn sniff(bytes: &[u8]) -> bool {
    let mut walk = Walk { bytes, at: 0, stack: Vec::new(), cost: 0 };
    let (mut version, mut content) = (false, false);
    for _ in 0..64 {
        if walk.at >= bytes.len() {
            break;
        }
        let Ok(tag) = walk.varint() else { return false };
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        let known = fields(Message::Model).iter().find(|f| f.0 == number);
        match (tag & 7, known) {
            (0, Some((1, ..))) => match walk.varint() {
                Ok(1..=1000) => version = true,
                _ => return false,
            },
            (0, Some((_, _, Varint))) if walk.varint().is_ok() => {}
            (2, Some((_, _, Nested(_) | Text))) => {
                let Ok(len) = walk.varint() else { return version && content };
                content |= matches!(number, 7 | 8);
                if walk.skip(len).is_err() {
                    break;
                }
            }
            _ => return false,
        }
    }
    version && content
}
