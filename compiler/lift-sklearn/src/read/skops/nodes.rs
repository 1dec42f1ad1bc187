//! What each node of the schema stands for, by its loader.

use std::sync::Arc;

use crate::read::machine::object;
use crate::read::numpy::{Array, DType, Elements};
use crate::read::skops::json::{self, Fields, Json};
use crate::read::skops::{PROTOCOL, Reader, npy, zip};
use crate::read::value::{Heap, Id, Object, Span, Symbol, Value};

type Step<T> = Result<T, String>;

/// What a node says of itself beside its content.
struct Node {
    class: Span,
    module: Span,
    fields: Fields,
}

impl Node {
    fn take(&mut self, heap: &Heap<'_>, name: &str) -> Option<Json> {
        taken(heap, &mut self.fields, name)
    }
}

fn taken(heap: &Heap<'_>, fields: &mut Fields, name: &str) -> Option<Json> {
    let at = fields.iter().position(|(key, _)| heap.bytes(*key) == name.as_bytes())?;
    Some(fields.swap_remove(at).1)
}

impl Reader<'_> {
    /// An object of the text: a node where it names a loader.
    pub(super) fn object(&mut self, mut fields: Fields) -> Step<Json> {
        let loader = fields.iter().find_map(|(key, value)| match value {
            Json::Text(loader) if self.heap.bytes(*key) == b"__loader__" => Some(*loader),
            _ => None,
        });
        let Some(loader) = loader else { return Ok(Json::Map(fields)) };
        let mut take = |name: &str| taken(&self.heap, &mut fields, name);
        let (class, module, id, protocol) = (take("__class__"), take("__module__"), take("__id__"), take("protocol"));
        if let Some(Json::Plain(Value::Int(protocol))) = protocol
            && !(0..=PROTOCOL).contains(&protocol)
        {
            return Err(format!("written with protocol {protocol} of skops; 0 to {PROTOCOL} are known"));
        }
        let id = match id {
            Some(Json::Plain(Value::Int(id))) => Some(id),
            _ => None,
        };
        if let Some(known) = id.and_then(|id| self.known.get(&id)) {
            return Ok(Json::Node(*known));
        }
        let text = |json: Option<Json>| match json {
            Some(Json::Text(span)) => span,
            _ => Span { start: self.start, len: 0 },
        };
        let node = Node { class: text(class), module: text(module), fields };
        let loader = self.heap.text(loader).to_owned();
        let value = self.node(&loader, node)?;
        if let Some(id) = id {
            self.known.insert(id, value);
        }
        Ok(Json::Node(value))
    }

    fn node(&mut self, loader: &str, mut node: Node) -> Step<Id> {
        match loader {
            "JsonNode" => self.plain_value(node),
            "TypeNode" | "FunctionNode" => self.global(node.module, node.class),
            "ListNode" => {
                let items = self.list(&mut node)?;
                if self.is(&node, "builtins", "list") {
                    return self.add(Value::List(items));
                }
                self.instance(&node, Id::UNIT, |made| made.items = items)
            }
            "SetNode" => {
                let items = self.list(&mut node)?;
                self.add(Value::Set(items))
            }
            "TupleNode" => {
                let items = self.list(&mut node)?;
                let tuple = if items.is_empty() { Id::UNIT } else { self.add(Value::Tuple(items))? };
                if self.is(&node, "builtins", "tuple") { Ok(tuple) } else { self.called(&node, tuple, None) }
            }
            "DictNode" => self.dict(node),
            "DefaultDictNode" => self.default_dict(node),
            "SliceNode" => self.slice(node),
            "BytesNode" | "BytearrayNode" => {
                let span = self.file(&mut node)?;
                self.add(Value::Bytes(span))
            }
            "NdArrayNode" => self.array(node),
            "DTypeNode" => self.dtype(node),
            "SparseMatrixNode" => self.sparse(node),
            "ObjectNode" => {
                let state = self.content(&mut node)?.filter(|state| *state != Id::NONE);
                self.called(&node, Id::UNIT, state)
            }
            "ConstructorFromReduceNode" => {
                let args = self.content(&mut node)?.ok_or_else(|| self.wrong("a call without arguments"))?;
                self.called(&node, args, None)
            }
            "TreeNode" | "LossNode" => self.reduced(node),
            "PartialNode"
            | "MethodNode"
            | "MaskedArrayNode"
            | "RandomStateNode"
            | "RandomGeneratorNode"
            | "OperatorFuncNode" => self.opaque(node),
            "CachedNode" => Err(self.wrong("a reference to a node that was not there before")),
            _ => Err(format!("{}: the loader `{loader}` is not known", self.wrong("a node"))),
        }
    }

    pub(super) fn add(&mut self, value: Value) -> Step<Id> {
        self.heap.push(value).ok_or_else(|| "more values than any model holds".to_owned())
    }

    /// Notes that so many ids are copied.
    fn copy(&mut self, ids: usize) -> Step<()> {
        self.copied += ids;
        if self.copied > self.heap.count() { Err(self.wrong("values that are there over and over")) } else { Ok(()) }
    }

    fn global(&mut self, module: Span, name: Span) -> Step<Id> {
        self.add(Value::Global(Box::new(Symbol { module, name })))
    }

    fn is(&self, node: &Node, module: &str, class: &str) -> bool {
        self.heap.text(node.module) == module && self.heap.text(node.class) == class
    }

    /// An instance of the node's class, which `fill` completes.
    fn instance(&mut self, node: &Node, args: Id, fill: impl FnOnce(&mut Object)) -> Step<Id> {
        let class = self.global(node.module, node.class)?;
        let mut value = object(class, args, Id::NONE);
        if let Value::Object(made) = &mut value {
            fill(made);
        }
        self.add(value)
    }

    fn called(&mut self, node: &Node, args: Id, state: Option<Id>) -> Step<Id> {
        self.instance(node, args, |made| made.state = state)
    }

    fn content(&mut self, node: &mut Node) -> Step<Option<Id>> {
        match node.take(&self.heap, "content") {
            Some(Json::Node(id)) => Ok(Some(id)),
            None => Ok(None),
            Some(_) => Err(self.wrong("a content that is no node")),
        }
    }

    fn list(&mut self, node: &mut Node) -> Step<Vec<Id>> {
        match node.take(&self.heap, "content") {
            Some(Json::List(items)) => Ok(items),
            _ => Err(self.wrong("a content that is no list")),
        }
    }

    fn map(&mut self, node: &mut Node) -> Step<Fields> {
        match node.take(&self.heap, "content") {
            Some(Json::Map(fields)) => Ok(fields),
            _ => Err(self.wrong("a content that is no object")),
        }
    }

    /// Text that is JSON itself: a number, text, a truth value or null.
    fn plain_value(&mut self, mut node: Node) -> Step<Id> {
        let Some(Json::Text(span)) = node.take(&self.heap, "content") else {
            return Err(self.wrong("a plain value that is no text"));
        };
        let text = self.heap.text(span);
        if let Some(quoted) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            let inner = Span { start: span.start + 1, len: quoted.len() };
            if !quoted.contains('\\') {
                return self.add(Value::Str(inner));
            }
            let meant = json::unescaped(quoted).ok_or_else(|| self.wrong("an escape that is no character"))?;
            let kept = self.heap.keep(meant.as_bytes());
            return self.add(Value::Str(kept));
        }
        match json::scalar(text, span).ok_or_else(|| self.wrong("a plain value that is none"))? {
            Value::None => Ok(Id::NONE),
            Value::Bool(true) => Ok(Id::TRUE),
            Value::Bool(false) => Ok(Id::FALSE),
            value => self.add(value),
        }
    }

    /// A dict; its keys are text in the schema, and their types stand beside them.
    fn dict(&mut self, mut node: Node) -> Step<Id> {
        let types = match node.take(&self.heap, "key_types") {
            Some(Json::Node(types)) => self.heap.sequence(types).map(<[Id]>::to_vec),
            _ => None,
        };
        let fields = self.map(&mut node)?;
        let types =
            types.filter(|t| t.len() == fields.len()).ok_or_else(|| self.wrong("a dict without types of its keys"))?;
        let mut pairs = Vec::with_capacity(fields.len());
        for ((key, value), ty) in fields.into_iter().zip(types) {
            let Json::Node(value) = value else { return Err(self.wrong("a dict's value that is no node")) };
            pairs.push((self.dict_key(key, ty)?, value));
        }
        if self.is(&node, "builtins", "dict") {
            return self.add(Value::Dict(pairs));
        }
        self.instance(&node, Id::UNIT, |made| made.pairs = pairs)
    }

    fn dict_key(&mut self, key: Span, ty: Id) -> Step<Id> {
        let name = self.heap.symbol(ty).map_or("", |(_, name)| name);
        if matches!(name, "str" | "str_") {
            return self.add(Value::Str(key));
        }
        match json::scalar(self.heap.text(key), key).ok_or_else(|| self.wrong("a key that is not of its type"))? {
            Value::None => Ok(Id::NONE),
            Value::Bool(b) => Ok(if b { Id::TRUE } else { Id::FALSE }),
            value => self.add(value),
        }
    }

    fn default_dict(&mut self, mut node: Node) -> Step<Id> {
        let fields = self.map(&mut node)?;
        let part = |name: &str| fields.iter().find(|(key, _)| self.heap.text(*key) == name).map(|(_, v)| v);
        let (Some(Json::Node(main)), Some(Json::Node(default))) = (part("main"), part("default_factory")) else {
            return Err(self.wrong("a defaultdict without its parts"));
        };
        let (main, default) = (*main, *default);
        let Value::Dict(pairs) = self.heap.get(main) else { return Err(self.wrong("a defaultdict over no dict")) };
        let pairs = pairs.clone();
        self.copy(pairs.len())?;
        let args = self.add(Value::Tuple(vec![default]))?;
        self.instance(&node, args, |made| made.pairs = pairs)
    }

    /// `slice(start, stop, step)`.
    fn slice(&mut self, mut node: Node) -> Step<Id> {
        let mut fields = self.map(&mut node)?;
        let mut args = Vec::with_capacity(3);
        for name in ["start", "stop", "step"] {
            args.push(match taken(&self.heap, &mut fields, name) {
                Some(Json::Plain(Value::None)) => Id::NONE,
                Some(Json::Plain(value @ Value::Int(_))) => self.add(value)?,
                Some(Json::Text(span)) => self.add(Value::Str(span))?,
                _ => return Err(self.wrong("a slice without its ends")),
            });
        }
        let args = self.add(Value::Tuple(args))?;
        self.called(&node, args, None)
    }

    /// An object with the arguments that made it, and its state.
    fn reduced(&mut self, mut node: Node) -> Step<Id> {
        let args = match node.take(&self.heap, "__reduce__") {
            Some(Json::Map(fields)) => fields.into_iter().find(|(key, _)| self.heap.text(*key) == "args"),
            _ => None,
        };
        let Some((_, Json::Node(args))) = args else { return Err(self.wrong("an object without its arguments")) };
        let state = self.content(&mut node)?.filter(|state| *state != Id::NONE);
        self.called(&node, args, state)
    }

    /// An object that no lifter reads beyond its class; what it is made of is left out.
    fn opaque(&mut self, node: Node) -> Step<Id> {
        self.called(&node, Id::UNIT, None)
    }

    /// The bytes of the entry that the node names.
    fn file(&mut self, node: &mut Node) -> Step<Span> {
        let name = self.file_name(node)?;
        self.files.get(&name).map(|file| file.span).ok_or_else(|| format!("the archive has no entry `{name}`"))
    }

    fn file_name(&mut self, node: &mut Node) -> Step<String> {
        match node.take(&self.heap, "file") {
            Some(Json::Text(name)) => Ok(self.heap.text(name).to_owned()),
            _ => Err(self.wrong("a node without its file")),
        }
    }

    /// An array; a numpy scalar, where the class is that of one; an array of another class as an object that holds it.
    fn array(&mut self, mut node: Node) -> Step<Id> {
        let json = match node.take(&self.heap, "type") {
            Some(Json::Text(kind)) => self.heap.text(kind) == "json",
            _ => return Err(self.wrong("an array that does not say how it is kept")),
        };
        let array = if json { self.objects(&mut node)? } else { self.stored_array(&mut node)? };
        if self.is(&node, "numpy", "ndarray") || self.is(&node, "numpy", "memmap") {
            return Ok(array);
        }
        if let Value::Array(a) = self.heap.get(array)
            && let Array { dtype: Some(dtype), elements: Elements::Raw(span), shape, .. } = &**a
            && shape.is_empty()
            && self.heap.text(node.module) == "numpy"
        {
            let scalar = Value::Scalar(dtype.clone(), *span);
            return self.add(scalar);
        }
        let args = self.add(Value::Tuple(vec![array]))?;
        self.called(&node, args, None)
    }

    fn stored_array(&mut self, node: &mut Node) -> Step<Id> {
        let name = self.file_name(node)?;
        let file = self.files.get(&name).ok_or_else(|| format!("the archive has no entry `{name}`"))?;
        if let Some(array) = file.content {
            return Ok(array);
        }
        let array = npy::array(&mut self.heap, file.span).map_err(|e| format!("`{name}`: {e}"))?;
        let id = self.add(Value::Array(Box::new(array)))?;
        if let Some(file) = self.files.get_mut(&name) {
            file.content = Some(id);
        }
        Ok(id)
    }

    /// An array of objects: lists in lists, as deep as the shape is long.
    fn objects(&mut self, node: &mut Node) -> Step<Id> {
        let shape = match node.take(&self.heap, "shape") {
            Some(Json::Node(shape)) => crate::read::numpy::shape(&self.heap, shape)?,
            _ => return Err(self.wrong("an array without its shape")),
        };
        let mut items = self.list(node)?;
        for _ in 1..shape.len() {
            let mut inner = Vec::new();
            for id in items {
                let Value::List(part) = self.heap.get(id) else { return Err(self.wrong("an array that is no table")) };
                inner.extend_from_slice(part);
                let ids = part.len();
                self.copy(ids)?;
            }
            items = inner;
        }
        let list = self.add(Value::List(items))?;
        let dtype = DType::parse("O").ok_or("no dtype of objects")?;
        let array = Array::objects(&self.heap, Arc::new(dtype), shape, list)?;
        self.add(Value::Array(Box::new(array)))
    }

    /// The dtype of an empty array that stands for it.
    fn dtype(&mut self, mut node: Node) -> Step<Id> {
        let array = self.content(&mut node)?.ok_or_else(|| self.wrong("a dtype without its array"))?;
        match self.heap.get(array) {
            Value::Array(a) => match a.dtype.clone() {
                Some(dtype) => self.add(Value::DType(dtype)),
                None => Err(self.wrong("a dtype without its array")),
            },
            _ => Err(self.wrong("a dtype without its array")),
        }
    }

    /// A sparse matrix: an archive of arrays within the archive. Its state is what scipy pickles.
    fn sparse(&mut self, mut node: Node) -> Step<Id> {
        let name = self.file_name(&mut node)?;
        let file = self.files.get(&name).ok_or_else(|| format!("the archive has no entry `{name}`"))?;
        if let Some(state) = file.content {
            return self.called(&node, Id::UNIT, Some(state));
        }
        let archive = self.heap.bytes(file.span).to_vec();
        let mut state = Vec::new();
        for entry in zip::entries(&archive)? {
            self.unpack =
                self.unpack.checked_sub(entry.size() as u64).ok_or("sparse matrices larger than any model's")?;
            let content = entry.content(&archive)?;
            let bytes = self.heap.keep(&content);
            let array = npy::array(&mut self.heap, bytes).map_err(|e| format!("`{}`: {e}", entry.name))?;
            let attribute = match entry.name.trim_end_matches(".npy") {
                "shape" => "_shape",
                attribute => attribute,
            };
            let attribute = self.heap.keep(attribute.as_bytes());
            let value = Value::Array(Box::new(array));
            state.push((self.add(Value::Str(attribute))?, self.add(value)?));
        }
        let state = self.add(Value::Dict(state))?;
        if let Some(file) = self.files.get_mut(&name) {
            file.content = Some(state);
        }
        self.called(&node, Id::UNIT, Some(state))
    }
}
