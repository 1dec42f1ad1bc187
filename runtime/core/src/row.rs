//! One row at a time, in and out of plain C structures, without an allocation.

use std::cell::Cell;
use std::sync::Arc;

use crate::abi::{FlockCall, FlockColumn, FlockKind, FlockLayout, FlockOutput, FlockStatus, FlockStr};
use crate::batch::Scratch;
use crate::column::Column;
use crate::error::CoreError;
use crate::program::{Field, Program};

/// Where the fields of a row lie in a C structure: first the values in order, each aligned to itself, then a byte for
/// each field that can be missing and has no value that says so. A structure of no fields is one byte.
///
/// | kind | C type | missing, in an input | missing, in an output |
/// |---|---|---|---|
/// | f64, f32 | `double`, `float` | NaN | NaN, and its byte is 1 |
/// | i64 | `int64_t` | its byte is not 0 | 0, and its byte is 1 |
/// | bool | `uint8_t`, 0 or not | its byte is not 0 | 0, and its byte is 1 |
/// | str | [`FlockStr`] | a null pointer | a null pointer, and its byte is 1 |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLayout {
    /// Per field, the offset of its value, and of its byte if it has one.
    pub fields: Vec<(usize, Option<usize>)>,
    /// Bytes of the structure.
    pub size: usize,
    /// Its alignment.
    pub align: usize,
}

impl RowLayout {
    /// Of the inputs.
    pub fn inputs(fields: &[Field]) -> RowLayout {
        RowLayout::of(fields, |f| f.nullable && matches!(f.kind, FlockKind::I64 | FlockKind::Bool))
    }

    /// Of the outputs.
    pub fn outputs(fields: &[Field]) -> RowLayout {
        RowLayout::of(fields, |f| f.nullable)
    }

    fn of(fields: &[Field], has_byte: impl Fn(&Field) -> bool) -> RowLayout {
        let (mut at, mut align) = (0usize, 1);
        let mut values = Vec::new();
        for f in fields {
            let unit = f.kind.size().min(8);
            values.push(at.next_multiple_of(unit));
            at = at.next_multiple_of(unit) + f.kind.size();
            align = align.max(unit);
        }
        let mut byte = || {
            at += 1;
            at - 1
        };
        let fields = fields.iter().zip(values).map(|(f, value)| (value, has_byte(f).then(&mut byte))).collect();
        RowLayout { fields, size: at.max(1).next_multiple_of(align), align }
    }
}

/// A program with what it takes to score one row after the other. For one thread at a time.
pub struct Row {
    program: Arc<Program>,
    input: RowLayout,
    output: RowLayout,
    scratch: Scratch,
    /// The inputs, then the memos, which a single row has none of.
    columns: Vec<FlockColumn>,
    outputs: Vec<FlockOutput>,
    /// Per input, then per output: its bit of validity.
    there: Vec<Cell<u8>>,
    /// The same for truth values.
    bits: Vec<Cell<u8>>,
    /// Per input of text, where it starts and ends.
    spans: Vec<Cell<[i64; 2]>>,
}

// SAFETY: it points to memory of its own, and to that of a caller only within a call.
unsafe impl Send for Row {}

const EMPTY: FlockStr = FlockStr { ptr: std::ptr::null(), len: 0 };

impl Row {
    /// Rows of that program.
    pub fn new(program: Arc<Program>) -> Row {
        let column = |f: &Field| {
            let layout = match f.kind {
                FlockKind::Bool => FlockLayout::Bool,
                FlockKind::I64 => FlockLayout::I64,
                FlockKind::F32 => FlockLayout::F32,
                FlockKind::F64 => FlockLayout::F64,
                FlockKind::Str => FlockLayout::Str64,
            };
            FlockColumn { layout: layout as u32, ..*Column::null(1).as_raw() }
        };
        let output = |f: &Field| FlockOutput {
            kind: f.kind as u32,
            reserved: 0,
            data: std::ptr::null_mut(),
            validity: std::ptr::null_mut(),
            base: 0,
        };
        let fields = program.inputs.len() + program.outputs.len();
        let memos = program.memos.iter().map(|_| *Column::null(0).as_raw());
        Row {
            input: RowLayout::inputs(&program.inputs),
            output: RowLayout::outputs(&program.outputs),
            scratch: program.scratch(),
            columns: program.inputs.iter().map(column).chain(memos).collect(),
            outputs: program.outputs.iter().map(output).collect(),
            there: vec![Cell::new(1); fields],
            bits: vec![Cell::new(0); fields],
            spans: vec![Cell::new([0; 2]); program.inputs.len()],
            program,
        }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Scores a row. Text of the outputs is valid until the next call.
    ///
    /// # Errors
    /// `Null` where an input is missing that must not be, `Alignment`, `Length` where a text is too long, and what the
    /// compiled function gives. What the output holds then is not defined.
    /// # Safety
    /// `input` and `output` are structures as [`RowLayout`] says; texts of the input are alive.
    pub unsafe fn score(&mut self, input: *const u8, output: *mut u8) -> Result<(), CoreError> {
        if !input.addr().is_multiple_of(self.input.align) || !output.addr().is_multiple_of(self.output.align) {
            return Err(CoreError::new(FlockStatus::Alignment, "row", "a structure is not aligned"));
        }
        self.scratch.arena.clear();
        // SAFETY: the caller's promise, and that of whoever made the program.
        unsafe {
            self.read(input)?;
            self.aim(output);
            let mut call = FlockCall {
                constants: self.program.constants.as_ptr(),
                inputs: self.columns.as_ptr(),
                outputs: self.outputs.as_ptr(),
                scratch: self.scratch.memory.as_mut_ptr(),
                arena: &raw mut self.scratch.arena,
                start: 0,
                rows: 1,
            };
            let status = (self.program.entry)(&raw mut call);
            if status != FlockStatus::Ok as i32 {
                return Err(Program::fault(status, "row"));
            }
            self.write(output);
        }
        Ok(())
    }

    /// Points the columns at the row.
    unsafe fn read(&mut self, input: *const u8) -> Result<(), CoreError> {
        let places = self.program.inputs.iter().zip(&self.input.fields);
        for (k, ((f, (at, byte)), c)) in places.zip(&mut self.columns).enumerate() {
            // SAFETY: the caller's structure has these fields at these places.
            let missing = unsafe {
                let value = input.add(*at);
                let mut missing = byte.is_some_and(|b| *input.add(b) != 0);
                match f.kind {
                    FlockKind::Bool => {
                        self.bits[k].set(u8::from(*value != 0));
                        c.data = self.bits.as_ptr().add(k).cast();
                    }
                    FlockKind::Str => {
                        let text = value.cast::<FlockStr>().read();
                        missing |= text.ptr.is_null();
                        let len = if missing { 0 } else { text.len };
                        let end = i64::try_from(len);
                        let too_long = |_| CoreError::new(FlockStatus::Length, &*f.name, "its length is beyond i64");
                        self.spans[k].set([0, end.map_err(too_long)?]);
                        c.offsets = self.spans.as_ptr().add(k).cast();
                        c.data = if missing { FlockStr::new(b"").ptr } else { text.ptr };
                    }
                    _ => c.data = value,
                }
                missing
            };
            if missing && !f.nullable {
                return Err(CoreError::new(FlockStatus::Null, &*f.name, "a null where none is allowed"));
            }
            c.validity = std::ptr::null();
            if missing {
                self.there[k].set(0);
                c.validity = self.there[k].as_ptr();
            }
        }
        Ok(())
    }

    /// Points the outputs at the row.
    fn aim(&mut self, output: *mut u8) {
        let places = self.program.outputs.iter().zip(&self.output.fields);
        let before = self.program.inputs.len();
        for (k, ((f, (at, _)), o)) in places.zip(&mut self.outputs).enumerate() {
            o.data = match f.kind {
                FlockKind::Bool => self.bits[before + k].as_ptr(),
                _ => output.wrapping_add(*at),
            };
            o.validity = if f.nullable { self.there[before + k].as_ptr() } else { std::ptr::null_mut() };
        }
    }

    /// What the entry has not written to the row by itself.
    unsafe fn write(&self, output: *mut u8) {
        let before = self.program.inputs.len();
        for (k, (f, (at, byte))) in self.program.outputs.iter().zip(&self.output.fields).enumerate() {
            let missing = f.nullable && self.there[before + k].get() & 1 == 0;
            // SAFETY: the caller's structure has these fields at these places, aligned.
            unsafe {
                let value = output.add(*at);
                if let Some(b) = byte {
                    output.add(*b).write(u8::from(missing));
                }
                match f.kind {
                    FlockKind::Bool => value.write(self.bits[before + k].get() & u8::from(!missing)),
                    _ if !missing => {}
                    FlockKind::I64 => value.cast::<i64>().write(0),
                    FlockKind::F32 => value.cast::<f32>().write(f32::NAN),
                    FlockKind::F64 => value.cast::<f64>().write(f64::NAN),
                    FlockKind::Str => value.cast::<FlockStr>().write(EMPTY),
                }
            }
        }
    }
}
