//! A pickle machine that builds data and calls nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use flock_ir_spec::Diagnostic;

use crate::read::opcodes::Op;
use crate::read::text;
use crate::read::value::{Heap, Id, Object, Span, Symbol, Value};

/// The longest module or class name that is taken for one.
const MAX_NAME: usize = 512;

/// Reads pickle streams into a heap.
pub struct Machine<'a> {
    pub(super) heap: Heap<'a>,
    /// The next byte.
    pub(super) at: usize,
    /// Where the current opcode started, for messages.
    op_at: usize,
    op: &'static str,
    /// The highest protocol that a stream declared.
    pub(super) protocol: u8,
    /// Whether an array of joblib was met.
    pub(super) joblib: bool,
    /// Fields of all structured dtypes, which are copied when one is built.
    pub(super) fields: usize,
}

/// What one stream works on; a stream within a stream has its own.
pub(super) struct Stream {
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Memo,
    /// Whether arrays may stand between the opcodes, as joblib writes them.
    pub(super) arrays: bool,
}

/// MEMOIZE fills indices in order; PUT may leave gaps, which must cost nothing.
#[derive(Default)]
struct Memo {
    dense: Vec<Id>,
    sparse: HashMap<u64, Id>,
}

impl Memo {
    fn put(&mut self, index: u64, id: Id) {
        let n = self.dense.len() as u64;
        if index == n {
            self.dense.push(id);
        } else if index < n {
            self.dense[index as usize] = id;
        } else {
            self.sparse.insert(index, id);
        }
    }

    fn get(&self, index: u64) -> Option<Id> {
        self.dense.get(index as usize).or_else(|| self.sparse.get(&index)).copied()
    }

    fn len(&self) -> u64 {
        (self.dense.len() + self.sparse.len()) as u64
    }
}

pub(super) type Step<T> = Result<T, Diagnostic>;

impl<'a> Machine<'a> {
    /// A machine at the start of a file.
    pub fn new(data: Cow<'a, [u8]>) -> Machine<'a> {
        Machine { heap: Heap::new(data), at: 0, op_at: 0, op: "start", protocol: 0, joblib: false, fields: 0 }
    }

    /// Runs one stream up to its STOP and gives its value.
    pub(super) fn run(&mut self, arrays: bool) -> Step<Id> {
        let mut s = Stream { stack: Vec::new(), marks: Vec::new(), memo: Memo::default(), arrays };
        loop {
            self.op_at = self.at;
            let byte = self.byte()?;
            let Some(op) = Op::of(byte) else {
                self.op = "opcode";
                return Err(self.fault(format!("byte {byte:#04x} is no opcode of pickle")));
            };
            self.op = op.name();
            if op == Op::STOP {
                return s.pop().ok_or_else(|| self.underflow());
            }
            self.step(op, &mut s)?;
        }
    }

    fn step(&mut self, op: Op, s: &mut Stream) -> Step<()> {
        match op {
            Op::STOP => {}
            Op::PROTO => self.proto()?,
            Op::FRAME => _ = self.take(8)?,
            Op::MARK => s.marks.push(s.stack.len()),
            Op::POP => {
                if s.pop().is_none() {
                    self.mark(s)?;
                }
            }
            Op::POP_MARK => _ = self.mark(s)?,
            Op::DUP => {
                let top = self.top(s)?;
                s.stack.push(top);
            }
            Op::PUT | Op::BINPUT | Op::LONG_BINPUT | Op::MEMOIZE => self.put(op, s)?,
            Op::GET | Op::BINGET | Op::LONG_BINGET => self.get(op, s)?,
            Op::APPEND | Op::APPENDS | Op::ADDITEMS => self.extend(op, s)?,
            Op::SETITEM | Op::SETITEMS => self.set_items(op, s)?,
            Op::BUILD => {
                let state = self.pop(s)?;
                let top = self.pop(s)?;
                let built = self.build(top, state, s.arrays)?;
                s.stack.push(built);
            }
            Op::PERSID | Op::BINPERSID => return Err(self.refuse("a reference to an object outside of the file")),
            Op::EXT1 | Op::EXT2 | Op::EXT4 => return Err(self.refuse("a class of the extension registry")),
            Op::NEXT_BUFFER | Op::READONLY_BUFFER => return Err(self.refuse("a buffer outside of the file")),
            _ => {
                let id = match op {
                    Op::NONE => Id::NONE,
                    Op::NEWTRUE => Id::TRUE,
                    Op::NEWFALSE => Id::FALSE,
                    Op::EMPTY_TUPLE => Id::UNIT,
                    Op::REDUCE => self.reduce_op(s)?,
                    _ => {
                        let value = self.make(op, s)?;
                        self.add(value)?
                    }
                };
                s.stack.push(id);
            }
        }
        Ok(())
    }

    /// The values that an opcode makes anew.
    fn make(&mut self, op: Op, s: &mut Stream) -> Step<Value> {
        Ok(match op {
            Op::BININT => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            Op::BININT1 => Value::Int(i64::from(self.byte()?)),
            Op::BININT2 => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            Op::LONG1 => {
                let n = usize::from(self.byte()?);
                self.long(n)?
            }
            Op::LONG4 => {
                let n = i32::from_le_bytes(self.array()?);
                self.long(usize::try_from(n).map_err(|_| self.fault(format!("an int of {n} bytes")))?)?
            }
            Op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            Op::INT | Op::LONG | Op::FLOAT | Op::STRING | Op::UNICODE => self.text_literal(op)?,
            Op::BINBYTES | Op::SHORT_BINBYTES | Op::BINBYTES8 | Op::BYTEARRAY8 => Value::Bytes(self.counted(op)?),
            Op::BINUNICODE | Op::SHORT_BINUNICODE | Op::BINUNICODE8 => {
                let span = self.counted(op)?;
                self.utf8(span)?
            }
            Op::BINSTRING | Op::SHORT_BINSTRING => {
                let span = self.counted(op)?;
                self.python2_string(span)
            }
            Op::EMPTY_LIST => Value::List(Vec::new()),
            Op::EMPTY_DICT => Value::Dict(Vec::new()),
            Op::EMPTY_SET => Value::Set(Vec::new()),
            Op::LIST => Value::List(self.mark(s)?),
            Op::TUPLE => Value::Tuple(self.mark(s)?),
            Op::FROZENSET => Value::Set(self.mark(s)?),
            Op::DICT => {
                let items = self.mark(s)?;
                Value::Dict(self.paired(&items)?)
            }
            Op::TUPLE1 => Value::Tuple(self.last(s, 1)?),
            Op::TUPLE2 => Value::Tuple(self.last(s, 2)?),
            Op::TUPLE3 => Value::Tuple(self.last(s, 3)?),
            Op::GLOBAL => self.global_line()?,
            Op::STACK_GLOBAL => self.stack_global(s)?,
            Op::INST | Op::OBJ | Op::NEWOBJ | Op::NEWOBJ_EX => self.new_object(op, s)?,
            _ => return Err(self.refuse("an opcode that is not handled")),
        })
    }

    fn proto(&mut self) -> Step<()> {
        let protocol = self.byte()?;
        if protocol > 5 {
            return Err(self.fault(format!("pickle protocol {protocol}; 0 to 5 are known")));
        }
        self.protocol = self.protocol.max(protocol);
        Ok(())
    }

    fn reduce_op(&mut self, s: &mut Stream) -> Step<Id> {
        let args = self.pop(s)?;
        let callable = self.pop(s)?;
        self.reduce(callable, args)
    }

    fn new_object(&mut self, op: Op, s: &mut Stream) -> Step<Value> {
        let mut kwargs = Id::NONE;
        let (class, args) = match op {
            Op::INST => {
                let class = self.global_line()?;
                let items = self.mark(s)?;
                (self.add(class)?, self.add(Value::Tuple(items))?)
            }
            Op::OBJ => {
                let mut items = self.mark(s)?;
                if items.is_empty() {
                    return Err(self.underflow());
                }
                (items.remove(0), self.add(Value::Tuple(items))?)
            }
            _ => {
                if op == Op::NEWOBJ_EX {
                    kwargs = self.pop(s)?;
                }
                let args = self.pop(s)?;
                (self.pop(s)?, args)
            }
        };
        Ok(object(class, args, kwargs))
    }

    fn put(&mut self, op: Op, s: &mut Stream) -> Step<()> {
        let index = match op {
            Op::MEMOIZE => s.memo.len(),
            Op::PUT => self.decimal()?,
            _ => self.index(op)?,
        };
        s.memo.put(index, self.top(s)?);
        Ok(())
    }

    fn get(&mut self, op: Op, s: &mut Stream) -> Step<()> {
        let index = if op == Op::GET { self.decimal()? } else { self.index(op)? };
        let id = s.memo.get(index).ok_or_else(|| self.fault(format!("memo {index} was never stored")))?;
        s.stack.push(id);
        Ok(())
    }

    fn index(&mut self, op: Op) -> Step<u64> {
        Ok(match op {
            Op::BINPUT | Op::BINGET => u64::from(self.byte()?),
            _ => u64::from(u32::from_le_bytes(self.array()?)),
        })
    }

    fn decimal(&mut self) -> Step<u64> {
        let line = self.line()?;
        let text = self.heap.text(line).trim();
        text.parse().map_err(|_| self.fault("a memo index that is not a number"))
    }

    fn extend(&mut self, op: Op, s: &mut Stream) -> Step<()> {
        let items = if op == Op::APPEND { vec![self.pop(s)?] } else { self.mark(s)? };
        let target = self.top(s)?;
        match (op, self.heap.get_mut(target)) {
            (Op::APPEND | Op::APPENDS, Value::List(v)) | (Op::ADDITEMS, Value::Set(v)) => v.extend(items),
            (_, Value::Object(o)) => o.items.extend(items),
            _ => return Err(self.misplaced(target)),
        }
        Ok(())
    }

    fn set_items(&mut self, op: Op, s: &mut Stream) -> Step<()> {
        let items = if op == Op::SETITEM { self.last(s, 2)? } else { self.mark(s)? };
        let new = self.paired(&items)?;
        let target = self.top(s)?;
        match self.heap.get_mut(target) {
            Value::Dict(pairs) => pairs.extend(new),
            Value::Object(o) => o.pairs.extend(new),
            _ => return Err(self.misplaced(target)),
        }
        Ok(())
    }

    fn paired(&self, items: &[Id]) -> Step<Vec<(Id, Id)>> {
        let (pairs, rest) = items.as_chunks::<2>();
        if rest.is_empty() { Ok(pairs.iter().map(|p| (p[0], p[1])).collect()) } else { Err(self.underflow()) }
    }

    fn global_line(&mut self) -> Step<Value> {
        let (module, name) = (self.line()?, self.line()?);
        self.global(module, name)
    }

    fn stack_global(&mut self, s: &mut Stream) -> Step<Value> {
        let (name, module) = (self.pop(s)?, self.pop(s)?);
        match (self.heap.get(module), self.heap.get(name)) {
            (Value::Str(module), Value::Str(name)) => self.global(*module, *name),
            _ => Err(self.fault("a class whose module and name are not text")),
        }
    }

    fn global(&self, module: Span, name: Span) -> Step<Value> {
        for span in [module, name] {
            if span.len > MAX_NAME || std::str::from_utf8(self.heap.bytes(span)).is_err() {
                return Err(self.fault(format!("a class name of {} bytes, or one that is not UTF-8", span.len)));
            }
        }
        Ok(Value::Global(Box::new(Symbol { module, name })))
    }

    fn long(&mut self, n: usize) -> Step<Value> {
        let span = self.take(n)?;
        let bytes = self.heap.bytes(span);
        if n > 8 {
            return Ok(Value::BigInt(span));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut le = if negative { [0xff; 8] } else { [0; 8] };
        le[..n].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(le)))
    }

    fn text_literal(&mut self, op: Op) -> Step<Value> {
        let line = self.line()?;
        if op == Op::UNICODE {
            let text = text::raw_unicode_escape(self.heap.bytes(line));
            let text = text.ok_or_else(|| self.fault("an escape that is no character"))?;
            return Ok(Value::Str(self.keep(text.as_bytes())?));
        }
        if op == Op::STRING {
            let bytes = text::quoted(self.heap.bytes(line)).ok_or_else(|| self.fault("a string without its quotes"))?;
            let span = self.keep(&bytes)?;
            return Ok(self.python2_string(span));
        }
        let text = self.heap.text(line).trim();
        let integer = |text: &str| text.parse().ok().map(Value::Int);
        let value = match (op, text) {
            (Op::INT, "00") => Some(Value::Bool(false)),
            (Op::INT, "01") => Some(Value::Bool(true)),
            (Op::FLOAT, _) => text.parse().ok().map(Value::Float),
            _ => integer(text.strip_suffix('L').unwrap_or(text)),
        };
        let digits = || text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'L')) && op != Op::FLOAT;
        match value {
            Some(value) => Ok(value),
            None if !text.is_empty() && digits() => Ok(Value::BigInt(line)),
            None => Err(self.fault("a number that cannot be read")),
        }
    }

    fn utf8(&self, span: Span) -> Step<Value> {
        match std::str::from_utf8(self.heap.bytes(span)) {
            Ok(_) => Ok(Value::Str(span)),
            Err(_) => Err(self.fault("text that is not UTF-8")),
        }
    }

    /// Python 3 reads a `str` of Python 2 as ASCII; other bytes stay bytes.
    fn python2_string(&self, span: Span) -> Value {
        if self.heap.bytes(span).is_ascii() { Value::Str(span) } else { Value::Bytes(span) }
    }

    /// The bytes behind a count of 1, 4 or 8 bytes.
    fn counted(&mut self, op: Op) -> Step<Span> {
        let n = match op {
            Op::SHORT_BINBYTES | Op::SHORT_BINUNICODE | Op::SHORT_BINSTRING => u64::from(self.byte()?),
            Op::BINBYTES8 | Op::BINUNICODE8 | Op::BYTEARRAY8 => u64::from_le_bytes(self.array()?),
            _ => u64::from(u32::from_le_bytes(self.array()?)),
        };
        self.take(usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let rest = self.heap.data().get(self.at..);
        let bytes = rest.and_then(|r| r.first_chunk::<N>()).copied().ok_or_else(|| self.truncated(N))?;
        self.at += N;
        Ok(bytes)
    }

    pub(super) fn take(&mut self, n: usize) -> Step<Span> {
        if n > self.heap.data().len() - self.at {
            return Err(self.truncated(n));
        }
        let span = Span { start: self.at, len: n };
        self.at += n;
        Ok(span)
    }

    fn line(&mut self) -> Step<Span> {
        let rest = &self.heap.data()[self.at..];
        let n = rest.iter().position(|b| *b == b'\n').ok_or_else(|| self.truncated(rest.len() + 1))?;
        let span = Span { start: self.at, len: n };
        self.at += n + 1;
        Ok(span)
    }

    /// Keeps bytes that are made and not in the file. They may be asked for again and again, so they have a bound.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Step<Span> {
        let span = self.heap.keep(bytes);
        let made = span.start + span.len - self.heap.data().len();
        if made > 4 * self.heap.data().len() {
            return Err(self.fault("more text than the file has room for"));
        }
        Ok(span)
    }

    pub(super) fn add(&mut self, value: Value) -> Step<Id> {
        let id = self.heap.push(value);
        id.ok_or_else(|| self.coded("flock::lift::too_large", format!("more than {} values", self.heap.count())))
    }

    fn pop(&self, s: &mut Stream) -> Step<Id> {
        s.pop().ok_or_else(|| self.underflow())
    }

    fn top(&self, s: &Stream) -> Step<Id> {
        let floor = s.marks.last().copied().unwrap_or(0);
        s.stack.get(floor..).and_then(<[_]>::last).copied().ok_or_else(|| self.underflow())
    }

    fn last(&self, s: &mut Stream, n: usize) -> Step<Vec<Id>> {
        let floor = s.marks.last().copied().unwrap_or(0);
        let from = s.stack.len().checked_sub(n).filter(|from| *from >= floor).ok_or_else(|| self.underflow())?;
        Ok(s.stack.split_off(from))
    }

    fn mark(&self, s: &mut Stream) -> Step<Vec<Id>> {
        let from = s.marks.pop().ok_or_else(|| self.fault("no mark to go back to"))?;
        Ok(s.stack.split_off(from))
    }

    fn underflow(&self) -> Diagnostic {
        self.fault("nothing on the stack to work on")
    }

    fn misplaced(&self, target: Id) -> Diagnostic {
        self.fault(format!("cannot be applied to {}", self.heap.get(target).kind()))
    }

    fn truncated(&self, wanted: usize) -> Diagnostic {
        let left = self.heap.data().len().saturating_sub(self.at);
        self.fault(format!("{wanted} bytes wanted, {left} left: the file is truncated or damaged"))
    }

    fn refuse(&self, what: &str) -> Diagnostic {
        self.coded("flock::lift::pickle_opcode", format!("{what} is not supported"))
    }

    pub(super) fn fault(&self, message: impl AsRef<str>) -> Diagnostic {
        self.coded("flock::lift::pickle", message)
    }

    fn coded(&self, code: &'static str, message: impl AsRef<str>) -> Diagnostic {
        Diagnostic::new(code, format!("byte {}", self.op_at), format!("{}: {}", self.op, message.as_ref()))
    }
}

impl Stream {
    fn pop(&mut self) -> Option<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop() } else { None }
    }
}

/// An instance that nothing was said about yet.
pub(super) fn object(class: Id, args: Id, kwargs: Id) -> Value {
    Value::Object(Box::new(Object { class, args, kwargs, state: None, items: Vec::new(), pairs: Vec::new() }))
}
