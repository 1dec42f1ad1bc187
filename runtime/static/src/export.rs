//! Results as a struct array of the Arrow C Data Interface.

use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

use flock_core::{Field, FlockKind, OutputColumn, Values};

use crate::arrow::{ArrowArray, ArrowSchema, NULLABLE};

/// What an exported array owns: its children, and its memory.
struct Owned {
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    _column: Option<OutputColumn>,
}

/// What an exported schema owns.
struct OwnedSchema {
    children: Vec<*mut ArrowSchema>,
    /// Ended by a zero. No `CString`: that owns its bytes alone, and others read these.
    _name: Vec<u8>,
}

/// The outputs as one struct array, and its schema.
pub(crate) fn batch(fields: &[Field], columns: Vec<OutputColumn>, rows: usize) -> (ArrowArray, ArrowSchema) {
    let arrays: Vec<ArrowArray> = columns.into_iter().map(|c| column(c, rows)).collect();
    let schemas: Vec<ArrowSchema> =
        fields.iter().map(|f| schema(&f.name, format(f.kind), NULLABLE, Vec::new())).collect();
    let validity = vec![null()];
    (array(rows, 0, validity, arrays, None), schema("", c"+s".as_ptr(), 0, schemas))
}

fn format(kind: FlockKind) -> *const c_char {
    match kind {
        FlockKind::Bool => c"b",
        FlockKind::I64 => c"l",
        FlockKind::F32 => c"f",
        FlockKind::F64 => c"g",
        FlockKind::Str => c"u",
    }
    .as_ptr()
}

fn column(c: OutputColumn, rows: usize) -> ArrowArray {
    let validity = c.validity.as_ref().map_or(null(), |v| v.as_ptr().cast());
    let mut buffers: Vec<*const c_void> = vec![validity];
    match &c.values {
        Values::Bool(v) => buffers.push(v.as_ptr().cast()),
        Values::I64(v) => buffers.push(v.as_ptr().cast()),
        Values::F32(v) => buffers.push(v.as_ptr().cast()),
        Values::F64(v) => buffers.push(v.as_ptr().cast()),
        Values::Str { offsets, bytes } => buffers.extend([offsets.as_ptr().cast(), bytes.as_ptr().cast()]),
    }
    array(rows, c.null_count(rows), buffers, Vec::new(), Some(c))
}

fn array(
    rows: usize,
    nulls: usize,
    buffers: Vec<*const c_void>,
    children: Vec<ArrowArray>,
    column: Option<OutputColumn>,
) -> ArrowArray {
    let children = children.into_iter().map(|c| Box::into_raw(Box::new(c))).collect();
    let mut owned = Box::new(Owned { buffers, children, _column: column });
    ArrowArray {
        length: rows as i64,
        null_count: nulls as i64,
        offset: 0,
        n_buffers: owned.buffers.len() as i64,
        n_children: owned.children.len() as i64,
        buffers: owned.buffers.as_mut_ptr(),
        children: owned.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_array),
        private_data: Box::into_raw(owned).cast(),
    }
}

fn schema(name: &str, format: *const c_char, flags: i64, children: Vec<ArrowSchema>) -> ArrowSchema {
    let name = CString::new(name.replace('\0', "\u{fffd}")).unwrap_or_default().into_bytes_with_nul();
    let children = children.into_iter().map(|c| Box::into_raw(Box::new(c))).collect();
    let mut owned = Box::new(OwnedSchema { children, _name: name });
    let name_at = owned._name.as_ptr().cast();
    ArrowSchema {
        format,
        name: name_at,
        metadata: null(),
        flags,
        n_children: owned.children.len() as i64,
        children: owned.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_schema),
        private_data: Box::into_raw(owned).cast(),
    }
}

/// Releases the children that were not moved elsewhere, and the memory.
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the interface's contract: an array is released once, and this one was made by `array`.
    unsafe {
        let Some(array) = array.as_mut().filter(|a| a.release.is_some()) else { return };
        let owned = Box::from_raw(array.private_data.cast::<Owned>());
        for child in &owned.children {
            if let Some(release) = (**child).release {
                release(*child);
            }
            drop(Box::from_raw(*child));
        }
        array.release = None;
        array.private_data = null_mut();
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: as for `release_array`.
    unsafe {
        let Some(schema) = schema.as_mut().filter(|s| s.release.is_some()) else { return };
        let owned = Box::from_raw(schema.private_data.cast::<OwnedSchema>());
        for child in &owned.children {
            if let Some(release) = (**child).release {
                release(*child);
            }
            drop(Box::from_raw(*child));
        }
        schema.release = None;
        schema.private_data = null_mut();
    }
}
