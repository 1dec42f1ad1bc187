//! A plan as machine code: generic over where the code goes, a JIT or an object file.
//!
//! ```text
//! entry(call):  part_0(call) or return; part_1(call) or return; … return 0
//! part_i(call): the steps of a stretch of the plan, one after the other
//! trees_i(x, out, leaves, starts, thresholds, rows): some trees of an ensemble, over the rows of a block
//! ```
//! Functions are kept short, because the time to compile one grows faster than its length.

mod element;
mod loops;
mod trees;

use std::collections::HashMap;

use cranelift::codegen::Context;
use cranelift::codegen::ir::{FuncRef, Signature};
use cranelift::module::{FuncId, Linkage, Module, ModuleError};
use cranelift::prelude::*;
use flock_core::abi::layout;
use flock_core::{Abi, Kernel};

use flock_plan::{Arg, BlobId, Plan, Sign, Step, Valid, View};

/// Every access is to memory that the plan has laid out or the caller has vouched for.
pub(crate) const FLAGS: MemFlagsData = MemFlagsData::trusted();

/// What a module says when it refuses a function.
pub(crate) type Done<T> = Result<T, Box<ModuleError>>;

/// Defines the entry and all that it calls; `name` is its symbol.
pub(crate) fn define<M: Module>(module: &mut M, plan: &Plan, name: &str, linkage: Linkage) -> Done<FuncId> {
    let mut writer = Writer { module, context: FunctionBuilderContext::new(), name, trees: 0 };
    writer.entry(plan, linkage)
}

/// Writes functions into a module.
pub(crate) struct Writer<'m, M> {
    pub module: &'m mut M,
    context: FunctionBuilderContext,
    name: &'m str,
    trees: usize,
}

impl<M: Module> Writer<'_, M> {
    fn entry(&mut self, plan: &Plan, linkage: Linkage) -> Done<FuncId> {
        let parts = plan.parts(step_weight).into_iter().enumerate();
        let parts = parts.map(|(number, steps)| self.part(plan, steps, number)).collect::<Done<Vec<FuncId>>>()?;
        let mut signature = self.module.make_signature();
        signature.params.push(AbiParam::new(types::I64));
        signature.returns.push(AbiParam::new(types::I32));
        let symbol = self.name.to_owned();
        self.function(&symbol, linkage, signature, |module, b| {
            let call = b.block_params(entry_block(b))[0];
            for part in &parts {
                let f = module.declare_func_in_func(*part, b.func);
                let status = b.ins().call(f, &[call]);
                let status = b.inst_results(status)[0];
                return_unless_zero(b, status);
            }
            let ok = b.ins().iconst(types::I32, 0);
            b.ins().return_(&[ok]);
            Ok(())
        })
    }

    fn part(&mut self, plan: &Plan, steps: &[Step], number: usize) -> Done<FuncId> {
        // Ensembles as code are functions of their own, which must be there first.
        let mut codes = Vec::new();
        for step in steps {
            codes.push(match step {
                Step::Trees(code) => self.ensemble(plan, code)?,
                _ => Vec::new(),
            });
        }
        let mut signature = self.module.make_signature();
        signature.params.push(AbiParam::new(types::I64));
        signature.returns.push(AbiParam::new(types::I32));
        let symbol = format!("{}_part_{number}", self.name);
        self.function(&symbol, Linkage::Local, signature, |module, b| {
            let mut part = Part::new(module, b, plan);
            for (step, codes) in steps.iter().zip(&codes) {
                part.step(step, codes)?;
            }
            let ok = part.b.ins().iconst(types::I32, 0);
            part.b.ins().return_(&[ok]);
            Ok(())
        })
    }

    /// Defines a function with that body; the builder stands in its first block.
    pub fn function(
        &mut self,
        symbol: &str,
        linkage: Linkage,
        signature: Signature,
        body: impl FnOnce(&mut M, &mut FunctionBuilder<'_>) -> Done<()>,
    ) -> Done<FuncId> {
        let id = self.module.declare_function(symbol, linkage, &signature)?;
        let mut context: Context = self.module.make_context();
        context.func.signature = signature;
        let mut b = FunctionBuilder::new(&mut context.func, &mut self.context);
        let first = b.create_block();
        b.append_block_params_for_function_params(first);
        b.switch_to_block(first);
        body(self.module, &mut b)?;
        b.seal_all_blocks();
        b.finalize(self.module.target_config());
        self.module.define_function(id, &mut context)?;
        Ok(id)
    }

    /// A symbol for trees as code, and the number to tell them apart by.
    pub fn tree_symbol(&mut self) -> String {
        self.trees += 1;
        format!("{}_trees_{}", self.name, self.trees - 1)
    }
}

/// About how many instructions a step becomes.
fn step_weight(step: &Step) -> usize {
    match step {
        Step::Loop(l) => 20 + 6 * l.members.len(),
        Step::Call { args, .. } => 8 + 2 * args.len(),
        Step::Ones { .. } | Step::Both { .. } | Step::Test { .. } | Step::Text { .. } => 20,
        Step::Trees(_) => 10,
    }
}

/// The first block of the function that is being built.
pub(crate) fn entry_block(b: &FunctionBuilder<'_>) -> Block {
    b.func.layout.entry_block().unwrap_or(Block::from_u32(0))
}

fn return_unless_zero(b: &mut FunctionBuilder<'_>, status: Value) {
    let (failed, next) = (b.create_block(), b.create_block());
    b.set_cold_block(failed);
    b.ins().brif(status, failed, &[], next, &[]);
    b.switch_to_block(failed);
    b.ins().return_(&[status]);
    b.switch_to_block(next);
}

/// `for i in 0..n { body(i) }` for n of at least 1.
pub(crate) fn counted(b: &mut FunctionBuilder<'_>, n: Value, body: impl FnOnce(&mut FunctionBuilder<'_>, Value)) {
    let (head, exit) = (b.create_block(), b.create_block());
    let zero = b.ins().iconst(types::I64, 0);
    b.ins().jump(head, &[zero.into()]);
    b.switch_to_block(head);
    let i = b.append_block_param(head, types::I64);
    body(b, i);
    let next = b.ins().iadd_imm_s(i, 1);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, next, n);
    b.ins().brif(more, head, &[next.into()], exit, &[]);
    b.switch_to_block(exit);
}

/// The fields of the call, in registers.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    pub constants: Value,
    pub scratch: Value,
    pub rows: Value,
    call: Value,
}

/// Writes the steps of one function.
struct Part<'a, 'f, M> {
    module: &'a mut M,
    b: &'a mut FunctionBuilder<'f>,
    plan: &'a Plan,
    fields: Fields,
    kernels: HashMap<&'static str, FuncRef>,
}

impl<'a, 'f, M: Module> Part<'a, 'f, M> {
    fn new(module: &'a mut M, b: &'a mut FunctionBuilder<'f>, plan: &'a Plan) -> Self {
        let call = b.block_params(entry_block(b))[0];
        let mut field = |offset: usize| b.ins().load(types::I64, FLAGS, call, offset as i32);
        let fields = Fields {
            constants: field(layout::CALL_CONSTANTS),
            scratch: field(layout::CALL_SCRATCH),
            rows: field(layout::CALL_ROWS),
            call,
        };
        Part { module, b, plan, fields, kernels: HashMap::new() }
    }

    fn step(&mut self, step: &Step, codes: &[FuncId]) -> Done<()> {
        match step {
            Step::Loop(l) => loops::emit(self.b, self.plan, self.fields, l),
            Step::Call { kernel, args, columns } => self.call(kernel, args, *columns)?,
            Step::Ones { to, columns } => self.ones(*to, *columns),
            Step::Both { a, b, to, columns } => self.both(*a, *b, *to, *columns),
            Step::Test { from, to, columns, sign } => self.test(*from, *to, *columns, *sign),
            Step::Text { spans, bytes, to, columns } => self.text(*spans, *bytes, *to, *columns),
            Step::Trees(code) => {
                let (x, out) = (self.address(code.x), self.address(code.out));
                let [leaves, starts, thresholds] =
                    [code.leaves, code.starts, code.thresholds].map(|id| blob(self.b, self.fields, id));
                for id in codes {
                    let f = self.module.declare_func_in_func(*id, self.b.func);
                    self.b.ins().call(f, &[x, out, leaves, starts, thresholds, self.fields.rows]);
                }
            }
        }
        Ok(())
    }

    /// Where a view starts.
    fn address(&mut self, view: View) -> Value {
        let offset = offset(self.plan, view);
        self.b.ins().iadd_imm_s(self.fields.scratch, offset)
    }

    /// Column k of a view.
    fn column(&mut self, view: View, k: Option<Value>, steps: bool) -> Value {
        let start = self.address(view);
        let bytes = self.plan.block_rows as i64 * i64::from(view.size);
        self.stepped(start, k.filter(|_| steps), bytes)
    }

    fn stepped(&mut self, start: Value, k: Option<Value>, bytes: i64) -> Value {
        let Some(k) = k else { return start };
        let step = self.b.ins().imul_imm_s(k, bytes);
        self.b.ins().iadd(start, step)
    }

    fn call(&mut self, kernel: &'static Kernel, args: &[Arg], columns: u32) -> Done<()> {
        let f = self.kernel(kernel)?;
        if columns == 1 {
            self.call_column(f, kernel, args, None);
            return Ok(());
        }
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let zero = self.b.ins().iconst(types::I64, 0);
        self.b.ins().jump(head, &[zero.into()]);
        self.b.switch_to_block(head);
        let k = self.b.append_block_param(head, types::I64);
        self.call_column(f, kernel, args, Some(k));
        let next = self.b.ins().iadd_imm_s(k, 1);
        let more = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, next, i64::from(columns));
        self.b.ins().brif(more, head, &[next.into()], exit, &[]);
        self.b.switch_to_block(exit);
        Ok(())
    }

    fn call_column(&mut self, f: FuncRef, kernel: &Kernel, args: &[Arg], k: Option<Value>) {
        let values: Vec<Value> = args.iter().map(|a| self.arg(*a, k)).collect();
        let call = self.b.ins().call(f, &values);
        if kernel.result == Some(Abi::I32) {
            let status = self.b.inst_results(call)[0];
            return_unless_zero(self.b, status);
        }
    }

    fn arg(&mut self, arg: Arg, k: Option<Value>) -> Value {
        let call = self.fields.call;
        let mut word = |n: i64| self.b.ins().iconst(types::I64, n);
        match arg {
            Arg::Null => word(0),
            Arg::Word(n) => word(n),
            Arg::Stride => word(self.plan.block_rows as i64),
            Arg::Rows => self.fields.rows,
            Arg::RowBytes(size) => self.b.ins().imul_imm_s(self.fields.rows, i64::from(size)),
            Arg::Start => self.b.ins().load(types::I64, FLAGS, call, layout::CALL_START as i32),
            Arg::Arena => self.b.ins().load(types::I64, FLAGS, call, layout::CALL_ARENA as i32),
            Arg::Table(table) => blob(self.b, self.fields, table),
            Arg::Element(table, size, steps) => {
                let start = blob(self.b, self.fields, table);
                self.stepped(start, k.filter(|_| steps), i64::from(size))
            }
            Arg::Column(view, steps) => self.column(view, k, steps),
            Arg::Input(i) => self.batch_column(layout::CALL_INPUTS, layout::COLUMN_SIZE, i, k),
            Arg::Output(i) => self.batch_column(layout::CALL_OUTPUTS, layout::OUTPUT_SIZE, i, k),
        }
    }

    fn batch_column(&mut self, field: usize, size: usize, i: u32, k: Option<Value>) -> Value {
        let all = self.b.ins().load(types::I64, FLAGS, self.fields.call, field as i32);
        let first = self.b.ins().iadd_imm_s(all, i64::from(i) * size as i64);
        self.stepped(first, k, size as i64)
    }

    fn kernel(&mut self, kernel: &'static Kernel) -> Done<FuncRef> {
        if let Some(f) = self.kernels.get(kernel.name) {
            return Ok(*f);
        }
        let mut signature = self.module.make_signature();
        let param = |abi: &Abi| {
            AbiParam::new(match abi {
                Abi::Word => types::I64,
                Abi::I32 => types::I32,
                Abi::F32 => types::F32,
                Abi::F64 => types::F64,
            })
        };
        signature.params.extend(kernel.params.iter().map(param));
        signature.returns.extend(kernel.result.iter().map(param));
        let id = self.module.declare_function(kernel.name, Linkage::Import, &signature)?;
        let f = self.module.declare_func_in_func(id, self.b.func);
        self.kernels.insert(kernel.name, f);
        Ok(f)
    }

    /// All columns as one range of bytes; what lies behind the rows may be written too.
    fn ones(&mut self, to: View, columns: u32) {
        let words = i64::from(columns) * self.plan.block_rows as i64 / 8;
        let (start, n) = (self.address(to), self.b.ins().iconst(types::I64, words));
        counted(self.b, n, |b, i| {
            let at = b.ins().ishl_imm_u(i, 3);
            let at = b.ins().iadd(start, at);
            let ones = b.ins().iconst(types::I64, 0x0101_0101_0101_0101);
            b.ins().store(FLAGS, ones, at, 0);
        });
    }

    fn both(&mut self, a: Valid, b: Valid, to: View, columns: u32) {
        let n = self.b.ins().iconst(types::I64, i64::from(columns));
        let (plan, fields) = (self.plan, self.fields);
        counted(self.b, n, |builder, k| {
            let [a, b, to] = [(a.view, a.wide), (b.view, b.wide), (to, true)]
                .map(|(view, wide)| loops::column(builder, plan, fields, view, wide.then_some(k)));
            counted(builder, fields.rows, |builder, i| {
                let [x, y] = [a, b].map(|at| {
                    let at = builder.ins().iadd(at, i);
                    builder.ins().load(types::I8, FLAGS, at, 0)
                });
                let there = builder.ins().band(x, y);
                let at = builder.ins().iadd(to, i);
                builder.ins().store(FLAGS, there, at, 0);
            });
        });
    }

    fn test(&mut self, from: View, to: View, columns: u32, sign: Sign) {
        let n = self.b.ins().iconst(types::I64, i64::from(columns));
        let (plan, fields) = (self.plan, self.fields);
        let condition = match sign {
            Sign::Zero => IntCC::Equal,
            Sign::NotZero => IntCC::NotEqual,
            Sign::Negative => IntCC::SignedLessThan,
            Sign::NotPositive => IntCC::SignedLessThanOrEqual,
            Sign::Positive => IntCC::SignedGreaterThan,
            Sign::NotNegative => IntCC::SignedGreaterThanOrEqual,
        };
        let ty = if from.size == 1 { types::I8 } else { types::I64 };
        counted(self.b, n, |b, k| {
            let [source, target] = [from, to].map(|view| loops::column(b, plan, fields, view, Some(k)));
            counted(b, fields.rows, |b, i| {
                let at = loops::element_address(b, source, i, from.size);
                let x = b.ins().load(ty, FLAGS, at, 0);
                let holds = b.ins().icmp_imm_s(condition, x, 0);
                let at = b.ins().iadd(target, i);
                b.ins().store(FLAGS, holds, at, 0);
            });
        });
    }

    fn text(&mut self, spans: BlobId, bytes: BlobId, to: View, columns: u32) {
        let n = self.b.ins().iconst(types::I64, i64::from(columns));
        let (plan, fields) = (self.plan, self.fields);
        counted(self.b, n, |b, k| {
            let (ptr, len) = loops::text_constant(b, fields, spans, bytes, k);
            let at = loops::column(b, plan, fields, to, Some(k));
            b.ins().store(FLAGS, ptr, at, 0);
            b.ins().store(FLAGS, len, at, 8);
        });
    }
}

/// Bytes from the start of scratch to a view.
pub(crate) fn offset(plan: &Plan, view: View) -> i64 {
    let per_row = plan.buffers[view.buffer as usize].at + u64::from(view.column) * u64::from(view.size);
    (per_row * plan.block_rows as u64) as i64
}

/// The start of a constant.
pub(crate) fn blob(b: &mut FunctionBuilder<'_>, fields: Fields, id: BlobId) -> Value {
    b.ins().load(types::I64, FLAGS.with_readonly().with_can_move(), fields.constants, id.0 as i32 * 8)
}
