//! A plan as text of LLVM.
//!
//! ```text
//! entry(call):  part_0(call) or return; part_1(call) or return; … return 0
//! part_i(call): the steps of a stretch of the plan: calls of kernels and of loops
//! loop_i(rows, to, x, …): one step's pass over the rows of its columns
//! trees_i(rows, x, out, leaves): some trees of an ensemble, over the rows of a block
//! ```
//! A loop is a function of its own, never inlined: where its pointers lie and that nothing else lies there is said in
//! its parameters (`noalias`, `align 64`), the time to compile grows with the number of loops alone, and loops that do
//! the same are one.
//!
//! **Rows.** A loop runs over a multiple of what its vectors hold, so that it needs no scalar rest. Columns are a
//! multiple of 64 rows long; what lies behind the rows of a block is computed and read by nobody.

mod element;
mod loops;
mod trees;

use flock_core::abi::layout;
use flock_core::{Abi, Kernel};
use flock_plan::{Arg, BlobId, Plan, Step, View};

use crate::text::{Function, Module, Ty, Value, typed, word};

/// Writes the entry of a plan and all that it calls; `name` is its symbol, of that linkage. `vector_bytes` is what a
/// register holds.
pub(crate) fn write(plan: &Plan, name: &str, linkage: &str, vector_bytes: u32) -> Module {
    let mut writer = Writer { module: Module::default(), plan, name, vector_bytes, functions: 0 };
    writer.entry(linkage);
    writer.module
}

/// Writes functions into a module.
struct Writer<'a> {
    module: Module,
    plan: &'a Plan,
    name: &'a str,
    vector_bytes: u32,
    functions: usize,
}

impl Writer<'_> {
    fn entry(&mut self, linkage: &str) {
        let parts: Vec<String> = self.plan.parts(step_weight).into_iter().map(|steps| self.part(steps)).collect();
        let mut f = Function::new();
        let call = f.param(Ty::Ptr, "noundef");
        for part in parts {
            let status = f.gives(Ty::I32, format_args!("call fastcc i32 @{part}(ptr {call})"));
            return_unless_zero(&mut f, status);
        }
        f.does(format_args!("ret i32 0"));
        self.module.entry(linkage, self.name, Some(Ty::I32), f);
    }

    fn part(&mut self, steps: &[Step]) -> String {
        let mut part = Part::new(self);
        steps.iter().for_each(|s| part.step(s));
        let mut f = part.f;
        f.does(format_args!("ret i32 0"));
        let name = self.symbol("part");
        self.module.define(name, Some(Ty::I32), f)
    }

    /// A symbol for what only this module calls.
    fn symbol(&mut self, what: &str) -> String {
        self.functions += 1;
        format!("{}_{what}_{}", self.name, self.functions - 1)
    }

    /// Defines a pass over rows; it gives nothing.
    fn pass(&mut self, what: &str, mut f: Function) -> String {
        f.does(format_args!("ret void"));
        let name = self.symbol(what);
        self.module.define(name, None, f)
    }

    /// The parameter that is the number of rows of the block, rounded up to what four registers of elements of so many
    /// bytes hold: a pass over rows then has no rest that is scalar.
    fn rows(&self, f: &mut Function, size: u32) -> Value {
        let rows = f.param(Ty::I64, &format!("range(i64 1, {})", self.plan.block_rows + 1));
        match (4 * self.vector_bytes / size.max(1)).min(64) {
            0 | 1 => rows,
            multiple => {
                let up = f.binary("add nuw nsw", rows, word(i64::from(multiple) - 1));
                f.binary("and", up, word(-i64::from(multiple)))
            }
        }
    }
}

/// About how many instructions a step becomes in its part.
fn step_weight(step: &Step) -> usize {
    match step {
        Step::Call { args, .. } => 8 + 2 * args.len(),
        _ => 20,
    }
}

fn return_unless_zero(f: &mut Function, status: Value) {
    let (failed, next) = (f.block(), f.block());
    let is = f.compare("icmp ne", status, crate::text::integer(Ty::I32, 0));
    f.branch(is, failed, next);
    f.enter(failed);
    f.does(format_args!("ret i32 {status}"));
    f.enter(next);
}

/// What a pass reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operand {
    /// Columns of scratch.
    View(View),
    /// A constant.
    Blob(BlobId),
}

/// Writes the steps of one function. Addresses are integers here.
struct Part<'w, 'a> {
    w: &'w mut Writer<'a>,
    f: Function,
    call: Value,
    constants: Value,
    scratch: Value,
    rows: Value,
}

impl<'w, 'a> Part<'w, 'a> {
    fn new(w: &'w mut Writer<'a>) -> Self {
        let mut f = Function::new();
        let call = f.param(Ty::Ptr, "noundef");
        let [constants, scratch, rows] =
            [(layout::CALL_CONSTANTS, Ty::Ptr), (layout::CALL_SCRATCH, Ty::I64), (layout::CALL_ROWS, Ty::I64)]
                .map(|(offset, ty)| field(&mut f, call, offset, ty));
        Part { w, f, call, constants, scratch, rows }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Call { kernel, args, columns } => self.call(kernel, args, *columns),
            Step::Trees(code) => {
                let (x, out) = (self.address(code.x), self.address(code.out));
                let leaves = self.blob(code.leaves);
                for symbol in self.w.ensemble(code) {
                    self.pass(&symbol, &[x, out, leaves]);
                }
            }
            Step::Loop(l) => self.over_rows(|w| loops::fused(w, l)),
            Step::Ones { to, columns } => self.over_rows(|w| loops::ones(w, *to, *columns)),
            Step::Both { a, b, to, columns } => self.over_rows(|w| loops::both(w, *a, *b, *to, *columns)),
            Step::Test { from, to, columns, sign } => {
                self.over_rows(|w| loops::test(w, *from, *to, *columns, *sign));
            }
            Step::Text { spans, bytes, to, columns } => {
                self.over_rows(|w| loops::text(w, *spans, *bytes, *to, *columns));
            }
        }
    }

    /// A pass that says itself what it wants to be given.
    fn over_rows(&mut self, write: impl FnOnce(&mut Writer<'a>) -> (String, Vec<Operand>)) {
        let (symbol, operands) = write(self.w);
        let address = |o: &Operand| match o {
            Operand::View(view) => self.address(*view),
            Operand::Blob(blob) => self.blob(*blob),
        };
        let addresses: Vec<Value> = operands.iter().map(address).collect();
        self.pass(&symbol, &addresses);
    }

    fn pass(&mut self, symbol: &str, addresses: &[Value]) {
        let pointers: Vec<Value> = addresses.iter().map(|a| self.f.convert("inttoptr", *a, Ty::Ptr)).collect();
        let list: Vec<String> = [&self.rows].into_iter().chain(&pointers).map(typed).collect();
        self.f.does(format_args!("call fastcc void @{symbol}({})", list.join(", ")));
    }

    fn call(&mut self, kernel: &Kernel, args: &[Arg], columns: u32) {
        let ty = |abi: &Abi| match abi {
            Abi::Word => Ty::I64,
            Abi::I32 => Ty::I32,
            Abi::F32 => Ty::F32,
            Abi::F64 => Ty::F64,
        };
        self.w.module.declare(kernel.name, kernel.params.iter().map(ty), kernel.result.as_ref().map(ty));
        if columns == 1 {
            return self.call_column(kernel, args, None);
        }
        let all = self.f.begin(word(i64::from(columns)));
        self.call_column(kernel, args, Some(all.i));
        self.f.end(all);
    }

    fn call_column(&mut self, kernel: &Kernel, args: &[Arg], k: Option<Value>) {
        let values: Vec<String> = args.iter().map(|a| typed(&self.arg(*a, k))).collect();
        let list = values.join(", ");
        match kernel.result {
            Some(Abi::I32) => {
                let status = self.f.gives(Ty::I32, format_args!("call i32 @{}({list})", kernel.name));
                return_unless_zero(&mut self.f, status);
            }
            Some(abi) => {
                let ty = match abi {
                    Abi::F32 => Ty::F32,
                    Abi::F64 => Ty::F64,
                    Abi::Word | Abi::I32 => Ty::I64,
                };
                self.f.gives(ty, format_args!("call {ty} @{}({list})", kernel.name));
            }
            None => self.f.does(format_args!("call void @{}({list})", kernel.name)),
        }
    }

    fn arg(&mut self, arg: Arg, k: Option<Value>) -> Value {
        match arg {
            Arg::Null => word(0),
            Arg::Word(n) => word(n),
            Arg::Stride => word(self.w.plan.block_rows as i64),
            Arg::Rows => self.rows,
            Arg::RowBytes(size) => self.f.binary("mul", self.rows, word(i64::from(size))),
            Arg::Start => field(&mut self.f, self.call, layout::CALL_START, Ty::I64),
            Arg::Arena => field(&mut self.f, self.call, layout::CALL_ARENA, Ty::I64),
            Arg::Table(table) => self.blob(table),
            Arg::Element(table, size, steps) => {
                let start = self.blob(table);
                self.stepped(start, k.filter(|_| steps), i64::from(size))
            }
            Arg::Column(view, steps) => {
                let start = self.address(view);
                self.stepped(start, k.filter(|_| steps), self.w.plan.block_rows as i64 * i64::from(view.size))
            }
            Arg::Input(i) => self.batch_column(layout::CALL_INPUTS, layout::COLUMN_SIZE, i, k),
            Arg::Output(i) => self.batch_column(layout::CALL_OUTPUTS, layout::OUTPUT_SIZE, i, k),
        }
    }

    fn batch_column(&mut self, offset: usize, size: usize, i: u32, k: Option<Value>) -> Value {
        let all = field(&mut self.f, self.call, offset, Ty::I64);
        let first = self.f.binary("add", all, word(i64::from(i) * size as i64));
        self.stepped(first, k, size as i64)
    }

    fn stepped(&mut self, start: Value, k: Option<Value>, bytes: i64) -> Value {
        let Some(k) = k else { return start };
        let step = self.f.binary("mul", k, word(bytes));
        self.f.binary("add", start, step)
    }

    /// Where a view starts.
    fn address(&mut self, view: View) -> Value {
        self.f.binary("add", self.scratch, word(offset(self.w.plan, view)))
    }

    /// Where a constant starts.
    fn blob(&mut self, id: BlobId) -> Value {
        let at = self.f.at(self.constants, Ty::Ptr, word(i64::from(id.0)));
        self.f.load_constant(Ty::I64, at)
    }
}

/// A field of the call.
fn field(f: &mut Function, call: Value, offset: usize, ty: Ty) -> Value {
    let at = f.skip(call, word(offset as i64));
    f.load(ty, at)
}

/// Bytes from the start of scratch to a view.
fn offset(plan: &Plan, view: View) -> i64 {
    let per_row = plan.buffers[view.buffer as usize].at + u64::from(view.column) * u64::from(view.size);
    (per_row * plan.block_rows as u64) as i64
}
