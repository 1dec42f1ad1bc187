//! `libflock_runtime.a`: what compiled pipelines need at run time, behind a C ABI. `include/flock.h` is this page for C.
//!
//! | | |
//! |---|---|
//! | [`flock_batch`] | a batch through the Arrow C Data Interface, its blocks scored by as many threads as asked |
//! | [`flock_row_new`], [`flock_row`], [`flock_row_free`] | one row in plain C structures, without an allocation |
//! | [`flock_message`] | what was wrong, in words |
//!
//! A compiled pipeline is read-only data, `NAME_program`. Its columns, types and kernels come with it; nothing is opened or
//! initialised, and any number of threads may call any function at any time, with a [`FlockRow`] of its own each.
//! Nothing unwinds to the caller: a fault of this library is a status too.

pub mod arrow;
mod export;
mod model;
mod pool;

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::{ArrowArray, ArrowSchema};
use flock_core::{CoreError, FlockProgram, FlockStatus, Row};

/// `include/flock.h`: this crate for C.
pub const HEADER: &str = include_str!("../include/flock.h");

/// What other files may name of the library beside the kernels, which compiled code calls.
pub const SYMBOLS: &[&str] = &["flock_batch", "flock_message", "flock_row", "flock_row_free", "flock_row_new"];

/// Read by who links this library, not by what runs.
#[used]
static MARK: [u8; flock_core::FLOCK_MARK.len()] = flock_core::FLOCK_MARK;

/// One or several faults of a call; the first one's status is that of the call.
pub(crate) type Faults = Vec<CoreError>;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// What the last call on this thread that gave a status other than 0 found, one fault a line: the place (a column's name,
/// or `batch`), and what was found against what was expected. UTF-8, never null; valid until the next call on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn flock_message() -> *const c_char {
    // Without a message there is none only while the thread ends.
    MESSAGE.try_with(|m| m.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Runs what a C function does; the status is the first fault's, and the message tells all.
pub(crate) fn guarded(work: impl FnOnce() -> Result<(), Faults>) -> i32 {
    let internal =
        |_| Err(vec![CoreError::new(FlockStatus::Internal, "flock", "a fault of this library; please report it")]);
    let Err(faults) = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(internal) else {
        return FlockStatus::Ok as i32;
    };
    let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
    // A zero would end the message.
    let text = CString::new(text.join("\n").replace('\0', " ")).unwrap_or_default();
    let _ = MESSAGE.try_with(|m| *m.borrow_mut() = text);
    faults.first().map_or(FlockStatus::Internal, |f| f.status) as i32
}

pub(crate) fn missing(what: &str) -> Faults {
    vec![CoreError::new(FlockStatus::Argument, what, "a null pointer")]
}

/// Scores a batch: a record batch as a struct array, its columns bound to the inputs by name; others are ignored.
///
/// The batch stays the caller's: it is read where it lies, and not released. `out` and `out_schema` become a struct array of
/// as many rows with a column per output, which the caller releases; with a status other than 0 they are not touched.
/// `threads` is how many threads may score at once, this one included; 0 is as many as there are processors. The result does
/// not depend on it.
///
/// Columns may be: all integers (`c C s S i I l L`), floats (`f g`) and truth values (`b`) where a number is expected, integers and
/// truth values for i64, truth values for bool; text (`u U vu`), also by a dictionary with any integers as indices; nulls (`n`).
///
/// # Errors
/// A [`FlockStatus`], and all faults of the batch in [`flock_message`].
/// # Safety
/// Pointers are null or to what their types say; the program is one that flockc compiled, and stays as it is for as long as the
/// process lives; buffers of the batch are as long as the Arrow format says for its lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flock_batch(
    program: *const FlockProgram,
    batch: *const ArrowArray,
    schema: *const ArrowSchema,
    threads: u32,
    out: *mut ArrowArray,
    out_schema: *mut ArrowSchema,
) -> i32 {
    guarded(|| {
        if out.is_null() || out_schema.is_null() {
            return Err(missing("out, out_schema"));
        }
        // SAFETY: the caller's promise.
        let model = unsafe { model::get(program) }?;
        // SAFETY: as above.
        let imported = unsafe { arrow::import(model.program.inputs(), batch, schema) }?;
        let columns = model.score(&imported.columns, imported.rows, threads as usize).map_err(|e| vec![e])?;
        let (array, fields) = export::batch(model.program.outputs(), columns, imported.rows);
        // SAFETY: not null, and the caller's to be written.
        unsafe {
            out.write(array);
            out_schema.write(fields);
        }
        Ok(())
    })
}

/// A program with the memory to score one row after the other; for one thread at a time.
pub struct FlockRow(Row);

/// Makes the memory for single rows of a program.
///
/// # Errors
/// A [`FlockStatus`].
/// # Safety
/// As for [`flock_batch`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flock_row_new(program: *const FlockProgram, row: *mut *mut FlockRow) -> i32 {
    guarded(|| {
        if row.is_null() {
            return Err(missing("row"));
        }
        // SAFETY: the caller's promise.
        let model = unsafe { model::get(program) }?;
        let made = Box::new(FlockRow(Row::new(Arc::clone(&model.program))));
        // SAFETY: not null, and the caller's to be written.
        unsafe { row.write(Box::into_raw(made)) };
        Ok(())
    })
}

/// Scores one row. `input` and `output` are the structures that flockc writes for the program, `struct NAME_input` and
/// `struct NAME_output`. Text of the output is valid until the next call with this `row`, or until it is freed. Nothing is
/// allocated, unless new text is made.
///
/// # Errors
/// A [`FlockStatus`]; what the output holds then is not defined.
/// # Safety
/// `row` is from [`flock_row_new`], not freed, and used by no other thread now; texts of the input are as long as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flock_row(row: *mut FlockRow, input: *const c_void, output: *mut c_void) -> i32 {
    guarded(|| {
        if row.is_null() || input.is_null() || output.is_null() {
            return Err(missing("row, input, output"));
        }
        // SAFETY: the caller's promise.
        unsafe { (*row).0.score(input.cast(), output.cast()) }.map_err(|e| vec![e])
    })
}

/// Frees the memory for single rows; null is nothing to free.
/// # Safety
/// `row` is from [`flock_row_new`], freed once, and used by no other thread now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flock_row_free(row: *mut FlockRow) {
    if !row.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(row) });
    }
}
