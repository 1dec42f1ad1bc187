//! LLVM's assembly language, written instruction by instruction.
//!
//! A module is text that LLVM reads, verifies and optimises: what is emitted can be read as it is, and no handle of
//! LLVM's outlives the call that uses it. Registers are `%v0`, `%v1`, …, blocks `b0`, `b1`, ….
//! Source: LLVM Language Reference Manual, release 19.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display, Write};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    I1,
    I8,
    I32,
    I64,
    I128,
    F32,
    F64,
    Ptr,
}

impl Ty {
    pub fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    /// Bytes in memory. A truth value is never stored as such.
    pub fn size(self) -> u32 {
        match self {
            Ty::I1 | Ty::I8 => 1,
            Ty::I32 | Ty::F32 => 4,
            Ty::I64 | Ty::F64 | Ty::Ptr => 8,
            Ty::I128 => 16,
        }
    }

    /// As the names of intrinsics spell it.
    fn suffix(self) -> &'static str {
        match self {
            Ty::I1 => "i1",
            Ty::I8 => "i8",
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::I128 => "i128",
            Ty::F32 => "f32",
            Ty::F64 => "f64",
            Ty::Ptr => "p0",
        }
    }
}

impl Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::F32 => "float",
            Ty::F64 => "double",
            Ty::Ptr => "ptr",
            integer => integer.suffix(),
        })
    }
}

/// A register or a constant; shown without its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value {
    pub ty: Ty,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Register(u32),
    Integer(i64),
    /// The bits of the f64 of that value: LLVM writes constants of f32 so too.
    Float(u64),
}

/// An integer or a truth value.
pub(crate) fn integer(ty: Ty, value: i64) -> Value {
    Value { ty, what: What::Integer(value) }
}

/// A 64-bit integer.
pub(crate) fn word(value: i64) -> Value {
    integer(Ty::I64, value)
}

/// A truth value.
pub(crate) fn truth(value: bool) -> Value {
    integer(Ty::I1, i64::from(value))
}

/// A float of that type; of f32, one that f32 has.
pub(crate) fn float(ty: Ty, value: f64) -> Value {
    Value { ty, what: What::Float(value.to_bits()) }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.what, self.ty) {
            (What::Register(n), _) => write!(f, "%v{n}"),
            (What::Integer(n), Ty::I1) => write!(f, "{}", n != 0),
            (What::Integer(n), _) => write!(f, "{n}"),
            (What::Float(bits), _) => write!(f, "0x{bits:016X}"),
        }
    }
}

/// A block of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block(u32);

impl Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%b{}", self.0)
    }
}

/// A function's parameter with its attributes.
struct Param {
    value: Value,
    attributes: String,
}

/// A function while it is written. Parameters may be added until it is finished.
pub(crate) struct Function {
    params: Vec<Param>,
    body: String,
    registers: u32,
    blocks: u32,
    block: Block,
    intrinsics: BTreeSet<String>,
}

impl Function {
    /// A function that stands in its first block.
    pub fn new() -> Function {
        Function {
            params: Vec::new(),
            body: "b0:\n".into(),
            registers: 0,
            blocks: 1,
            block: Block(0),
            intrinsics: BTreeSet::new(),
        }
    }

    /// One more parameter.
    pub fn param(&mut self, ty: Ty, attributes: &str) -> Value {
        let value = self.register(ty);
        self.params.push(Param { value, attributes: attributes.into() });
        value
    }

    /// Adds attributes to a parameter.
    pub fn attribute(&mut self, param: Value, more: &str) {
        for p in self.params.iter_mut().filter(|p| p.value == param) {
            p.attributes = format!("{} {more}", p.attributes);
        }
    }

    fn text(&self, result: Option<Ty>) -> Unnamed {
        let param = |p: &Param| format!("{} {} {}", p.value.ty, p.attributes, p.value);
        let params = list(self.params.iter().map(param));
        Unnamed {
            result: result.map_or("void".to_owned(), |t| t.to_string()),
            rest: format!("({params}) noinline #0 {{\n{}}}\n", self.body),
        }
    }

    fn register(&mut self, ty: Ty) -> Value {
        self.registers += 1;
        Value { ty, what: What::Register(self.registers - 1) }
    }

    /// An instruction without a value.
    pub fn does(&mut self, instruction: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "  {instruction}");
    }

    /// An instruction with a value of that type.
    pub fn gives(&mut self, ty: Ty, instruction: fmt::Arguments<'_>) -> Value {
        let value = self.register(ty);
        self.does(format_args!("{value} = {instruction}"));
        value
    }

    /// `fadd`, `and`, …: two operands and a result of one type.
    pub fn binary(&mut self, op: &str, x: Value, y: Value) -> Value {
        self.gives(x.ty, format_args!("{op} {} {x}, {y}", x.ty))
    }

    /// `fcmp olt`, `icmp eq`, …
    pub fn compare(&mut self, op: &str, x: Value, y: Value) -> Value {
        self.gives(Ty::I1, format_args!("{op} {} {x}, {y}", x.ty))
    }

    /// `zext`, `fptrunc`, …
    pub fn convert(&mut self, op: &str, x: Value, to: Ty) -> Value {
        self.gives(to, format_args!("{op} {} {x} to {to}", x.ty))
    }

    /// One or the other, without a branch.
    pub fn select(&mut self, condition: Value, x: Value, y: Value) -> Value {
        self.gives(x.ty, format_args!("select i1 {condition}, {0} {x}, {0} {y}", x.ty))
    }

    /// The other truth value.
    pub fn not(&mut self, x: Value) -> Value {
        self.binary("xor", x, truth(true))
    }

    /// An intrinsic of operands of one type, overloaded by it.
    pub fn intrinsic(&mut self, name: &str, operands: &[Value]) -> Value {
        let ty = operands.first().map_or(Ty::F64, |x| x.ty);
        let name = format!("llvm.{name}.{}", ty.suffix());
        self.intrinsics.insert(format!("declare {ty} @{name}({})", list(operands.iter().map(|x| x.ty))));
        self.gives(ty, format_args!("call {ty} @{name}({})", list(operands.iter().map(typed))))
    }

    /// A float as the nearest integer towards zero, the ends of the range for what is beyond, 0 for NaN.
    pub fn truncated(&mut self, x: Value) -> Value {
        let name = format!("llvm.fptosi.sat.i64.{}", x.ty.suffix());
        self.intrinsics.insert(format!("declare i64 @{name}({})", x.ty));
        self.gives(Ty::I64, format_args!("call i64 @{name}({} {x})", x.ty))
    }

    /// The element of that type at an index.
    pub fn at(&mut self, base: Value, ty: Ty, index: Value) -> Value {
        self.gives(Ty::Ptr, format_args!("getelementptr inbounds {ty}, ptr {base}, i64 {index}"))
    }

    /// The address so many bytes further.
    pub fn skip(&mut self, base: Value, bytes: Value) -> Value {
        self.gives(Ty::Ptr, format_args!("getelementptr inbounds i8, ptr {base}, i64 {bytes}"))
    }

    /// From memory that is aligned for the type.
    pub fn load(&mut self, ty: Ty, from: Value) -> Value {
        self.gives(ty, format_args!("load {ty}, ptr {from}, align {}", ty.size()))
    }

    /// From memory that never changes.
    pub fn load_constant(&mut self, ty: Ty, from: Value) -> Value {
        self.gives(ty, format_args!("load {ty}, ptr {from}, align {}, !invariant.load !0", ty.size()))
    }

    /// To memory that is aligned for the type.
    pub fn store(&mut self, x: Value, to: Value) {
        self.does(format_args!("store {} {x}, ptr {to}, align {}", x.ty, x.ty.size()));
    }

    /// A block that is written later.
    pub fn block(&mut self) -> Block {
        self.blocks += 1;
        Block(self.blocks - 1)
    }

    /// Goes on in that block; the one before must have ended.
    pub fn enter(&mut self, block: Block) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "b{}:", block.0);
        self.block = block;
    }

    /// Ends a block.
    pub fn jump(&mut self, to: Block) {
        self.does(format_args!("br label {to}"));
    }

    /// Ends a block.
    pub fn branch(&mut self, condition: Value, yes: Block, no: Block) {
        self.does(format_args!("br i1 {condition}, label {yes}, label {no}"));
    }

    /// Begins `for i in 0..n`, for n of at least 1; [`Function::end`] ends it.
    pub fn begin(&mut self, n: Value) -> Loop {
        let (before, head, latch) = (self.block, self.block(), self.block());
        self.jump(head);
        self.enter(head);
        let next = self.register(Ty::I64);
        let i = self.gives(Ty::I64, format_args!("phi i64 [ 0, {before} ], [ {next}, {latch} ]"));
        Loop { i, next, n, head, latch }
    }

    /// Ends a loop.
    pub fn end(&mut self, l: Loop) {
        let exit = self.block();
        self.jump(l.latch);
        self.enter(l.latch);
        self.does(format_args!("{} = add nuw nsw i64 {}, 1", l.next, l.i));
        let more = self.compare("icmp ult", l.next, l.n);
        self.branch(more, l.head, exit);
        self.enter(exit);
    }
}

/// A loop that has begun.
pub(crate) struct Loop {
    /// Counts from 0.
    pub i: Value,
    next: Value,
    n: Value,
    head: Block,
    latch: Block,
}

/// Operands or types, as a call and a definition list them.
fn list(all: impl Iterator<Item = impl Display>) -> String {
    all.map(|x| x.to_string()).collect::<Vec<_>>().join(", ")
}

/// A value behind its type.
pub(crate) fn typed(x: &Value) -> String {
    format!("{} {x}", x.ty)
}

/// A function without its name: what stands before it, and what behind.
#[derive(PartialEq, Eq, Hash)]
struct Unnamed {
    result: String,
    rest: String,
}

/// A module while it is written.
#[derive(Default)]
pub(crate) struct Module {
    declared: BTreeSet<String>,
    defined: String,
    /// Internal functions by what they are, with their names.
    known: HashMap<Unnamed, String>,
}

impl Module {
    /// A function of another module: once, however often it is declared.
    pub fn declare(&mut self, name: &str, params: impl Iterator<Item = Ty>, result: Option<Ty>) {
        let result = result.map_or("void".to_owned(), |t| t.to_string());
        self.declared.insert(format!("declare {result} @{name}({}) nounwind", list(params)));
    }

    /// Takes the function that is called in the platform's convention.
    pub fn entry(&mut self, linkage: &str, name: &str, result: Option<Ty>, f: Function) {
        let text = f.text(result);
        self.add(format_args!("define {linkage} {} @{name}{}", text.result, text.rest));
        self.declared.extend(f.intrinsics);
    }

    /// Takes a function that only this module calls, and that stays a function; gives its name. Of functions that are the
    /// same there is one.
    pub fn define(&mut self, name: String, result: Option<Ty>, f: Function) -> String {
        let text = f.text(result);
        if let Some(known) = self.known.get(&text) {
            return known.clone();
        }
        self.add(format_args!("define internal fastcc {} @{name}{}", text.result, text.rest));
        self.declared.extend(f.intrinsics);
        self.known.insert(text, name.clone());
        name
    }

    /// Anything else that a module holds.
    pub fn add(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.defined, "{line}");
    }

    /// The text, for a machine of that triple and data layout.
    pub fn finish(self, triple: &str, layout: &str) -> String {
        let declared = self.declared.into_iter().collect::<Vec<_>>().join("\n");
        format!(
            "target datalayout = \"{layout}\"\ntarget triple = \"{triple}\"\n\n{declared}\n\n{}!0 = !{{}}\n",
            self.defined
        )
    }
}
