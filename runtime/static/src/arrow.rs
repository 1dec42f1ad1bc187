//! Batches in: the structures of the Arrow C Data Interface, and columns made of them with everything checked that can be.
//! Source: <https://arrow.apache.org/docs/format/CDataInterface.html>.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};

use flock_core::{Code, Column, CoreError, Field, FlockStatus};

use crate::{Faults, missing};

/// The type of an array, as the interface lays it down.
#[repr(C)]
pub struct ArrowSchema {
    /// The type's code.
    pub format: *const c_char,
    /// The field's name, or null.
    pub name: *const c_char,
    /// Not read.
    pub metadata: *const c_char,
    /// Bits; 2 says that elements may be null.
    pub flags: i64,
    /// Types of the children.
    pub n_children: i64,
    /// These.
    pub children: *mut *mut ArrowSchema,
    /// The type of a dictionary's values, or null.
    pub dictionary: *mut ArrowSchema,
    /// Null once released.
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    /// The producer's.
    pub private_data: *mut c_void,
}

/// An array, as the interface lays it down.
#[repr(C)]
pub struct ArrowArray {
    /// Elements.
    pub length: i64,
    /// Nulls among them; -1 where nobody has counted.
    pub null_count: i64,
    /// Elements to skip in every buffer.
    pub offset: i64,
    /// Buffers.
    pub n_buffers: i64,
    /// Children.
    pub n_children: i64,
    /// These buffers.
    pub buffers: *mut *const c_void,
    /// These children.
    pub children: *mut *mut ArrowArray,
    /// A dictionary's values, or null.
    pub dictionary: *mut ArrowArray,
    /// Null once released.
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    /// The producer's.
    pub private_data: *mut c_void,
}

/// The flag of [`ArrowSchema::flags`] for elements that may be null.
pub(crate) const NULLABLE: i64 = 2;

/// A batch's columns, one per input.
pub(crate) struct Imported<'a> {
    pub columns: Vec<Column<'a>>,
    pub rows: usize,
}

type Result<T> = std::result::Result<T, CoreError>;

fn fault<T>(status: FlockStatus, place: &str, message: impl Into<String>) -> Result<T> {
    Err(CoreError::new(status, place, message))
}

/// A count of the interface as one of ours.
fn count(n: i64, place: &str, what: &str) -> Result<usize> {
    match usize::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) => fault(FlockStatus::Length, place, format!("{what} is {n}")),
    }
}

/// Whether there can be as many elements.
fn fits(n: usize) -> bool {
    n <= isize::MAX as usize
}

/// The columns of a batch that the inputs name.
///
/// # Errors
/// All faults of the batch.
/// # Safety
/// The structures are null or as the interface says, and live for 'a.
pub(crate) unsafe fn import<'a>(
    inputs: &[Field],
    array: *const ArrowArray,
    schema: *const ArrowSchema,
) -> std::result::Result<Imported<'a>, Faults> {
    // SAFETY: the caller's promise.
    let (Some(array), Some(schema)) = (unsafe { array.as_ref() }, unsafe { schema.as_ref() }) else {
        return Err(missing("batch, schema"));
    };
    // SAFETY: as above.
    let (rows, start, children) = unsafe { table(array, schema) }.map_err(|e| vec![e])?;
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (k, (s, _)) in children.iter().enumerate() {
        // SAFETY: a name is null or a string of C.
        let name = if s.name.is_null() { b"" } else { unsafe { CStr::from_ptr(s.name) }.to_bytes() };
        places.entry(name).or_default().push(k);
    }
    let mut faults = Vec::new();
    let mut columns = Vec::with_capacity(inputs.len());
    for f in inputs {
        let found = match places.get(f.name.as_bytes()).map(Vec::as_slice) {
            None => fault(FlockStatus::Schema, &f.name, format!("no column of that name; expected {}", f.kind.name())),
            Some([k]) => {
                let (s, a) = children[*k];
                // SAFETY: as above.
                let column = unsafe { slice(s, a, &f.name, start, rows) };
                column.and_then(|c| f.check(&c, rows).map(|()| c))
            }
            Some(several) => {
                fault(FlockStatus::Schema, &f.name, format!("{} columns of that name, expected one", several.len()))
            }
        };
        match found {
            Ok(column) => columns.push(column),
            Err(e) => faults.push(e),
        }
    }
    if faults.is_empty() { Ok(Imported { columns, rows }) } else { Err(faults) }
}

type Children<'a> = Vec<(&'a ArrowSchema, &'a ArrowArray)>;

/// The rows of a struct array, where its children's begin, and the children.
unsafe fn table<'a>(array: &'a ArrowArray, schema: &'a ArrowSchema) -> Result<(usize, usize, Children<'a>)> {
    const BATCH: &str = "batch";
    if array.release.is_none() || schema.release.is_none() {
        return fault(FlockStatus::Argument, BATCH, "it was released");
    }
    // SAFETY: the caller's promise: a format is null or a string of C.
    let format = unsafe { text(schema.format) };
    if format != "+s" {
        return fault(FlockStatus::Schema, BATCH, format!("its format is `{format}`, expected a struct, `+s`"));
    }
    let rows = count(array.length, BATCH, "its length")?;
    let start = count(array.offset, BATCH, "its offset")?;
    let n = count(array.n_children, BATCH, "its number of children")?;
    if array.n_children != schema.n_children {
        let message = format!("{} columns, and {} in its schema", array.n_children, schema.n_children);
        return fault(FlockStatus::Length, BATCH, message);
    }
    if !start.checked_add(rows).is_some_and(fits) {
        return fault(FlockStatus::Length, BATCH, "its length and offset overflow");
    }
    if n > 0 && (array.children.is_null() || schema.children.is_null()) {
        return fault(FlockStatus::Argument, BATCH, "its children are a null pointer");
    }
    // SAFETY: as above.
    unsafe {
        if let Some((bits, offset)) = validity(array, BATCH, start, rows, 1)? {
            let there = |i: usize| bits[(offset + i) / 8] >> ((offset + i) % 8) & 1 != 0;
            if let Some(row) = (0..rows).find(|i| !there(*i)) {
                return fault(FlockStatus::Null, BATCH, format!("row {row} is null as a whole"));
            }
        }
        let mut children = Vec::new();
        for k in 0..n {
            match ((*schema.children.add(k)).as_ref(), (*array.children.add(k)).as_ref()) {
                (Some(s), Some(a)) => children.push((s, a)),
                _ => return fault(FlockStatus::Argument, BATCH, format!("child {k} is a null pointer")),
            }
        }
        Ok((rows, start, children))
    }
}

/// A string of C for a message; empty where it is null.
unsafe fn text<'a>(at: *const c_char) -> std::borrow::Cow<'a, str> {
    // SAFETY: the caller's promise: null or a string of C.
    if at.is_null() { "".into() } else { unsafe { CStr::from_ptr(at) }.to_string_lossy() }
}

/// Elements `start` to `start + rows` of a child.
unsafe fn slice<'a>(
    s: &'a ArrowSchema,
    a: &'a ArrowArray,
    name: &str,
    start: usize,
    rows: usize,
) -> Result<Column<'a>> {
    let (length, offset) = extent(s, a, name)?;
    if start + rows > length {
        let message = format!("{length} elements, expected {} or more", start + rows);
        return fault(FlockStatus::Length, name, message);
    }
    let Some(first) = offset.checked_add(start).filter(|f| f.checked_add(rows).is_some_and(fits)) else {
        return fault(FlockStatus::Length, name, "its offset overflows");
    };
    // SAFETY: the caller's promise.
    unsafe { column(s, a, name, first, rows) }
}

/// The length and the offset of an array that is there.
fn extent(s: &ArrowSchema, a: &ArrowArray, name: &str) -> Result<(usize, usize)> {
    if s.release.is_none() || a.release.is_none() {
        return fault(FlockStatus::Argument, name, "it was released");
    }
    Ok((count(a.length, name, "its length")?, count(a.offset, name, "its offset")?))
}

/// A column of `n` elements from the `first` of the buffers on.
unsafe fn column<'a>(s: &'a ArrowSchema, a: &'a ArrowArray, name: &str, first: usize, n: usize) -> Result<Column<'a>> {
    // SAFETY: the caller's promise, for all of these.
    unsafe {
        let format = text(s.format);
        if !s.dictionary.is_null() {
            return dictionary(s, a, name, &format, first, n);
        }
        let buffers = match &*format {
            "n" => 0,
            "b" | "c" | "C" | "s" | "S" | "i" | "I" | "l" | "L" | "f" | "g" => 2,
            "u" | "U" => 3,
            "vu" => return views(a, name, first, n),
            other => {
                let message = format!("its format is `{other}`, expected a number, text or truth values");
                return fault(FlockStatus::Schema, name, message);
            }
        };
        has_buffers(a, name, buffers)?;
        macro_rules! numbers {
            ($t:ty) => {
                Column::numbers(elements::<$t>(a, name, 1, first, n)?)
            };
        }
        let column = match &*format {
            "b" => Column::bits(elements(a, name, 1, 0, (first + n).div_ceil(8))?, first, n)?,
            "c" => numbers!(i8),
            "C" => numbers!(u8),
            "s" => numbers!(i16),
            "S" => numbers!(u16),
            "i" => numbers!(i32),
            "I" => numbers!(u32),
            "l" => numbers!(i64),
            "L" => numbers!(u64),
            "f" => numbers!(f32),
            "g" => numbers!(f64),
            "u" => {
                let offsets = offsets(a, name, first, n, &[0i32])?;
                let bytes = elements(a, name, 2, 0, (*offsets.last().unwrap_or(&0)).max(0) as usize)?;
                at(name, Column::str32(offsets, bytes))?
            }
            "U" => {
                let offsets = offsets(a, name, first, n, &[0i64])?;
                let bytes = elements(a, name, 2, 0, (*offsets.last().unwrap_or(&0)).max(0) as usize)?;
                at(name, Column::str64(offsets, bytes))?
            }
            _ => Column::null(n),
        };
        with_validity(column, a, name, first, n, buffers)
    }
}

/// The fault of a column under its name.
fn at<T>(name: &str, result: Result<T>) -> Result<T> {
    result.map_err(|e| CoreError { place: name.to_owned(), ..e })
}

unsafe fn with_validity<'a>(
    column: Column<'a>,
    a: &'a ArrowArray,
    name: &str,
    first: usize,
    n: usize,
    buffers: i64,
) -> Result<Column<'a>> {
    // SAFETY: the caller's promise.
    match unsafe { validity(a, name, first, n, buffers) }? {
        Some((bits, offset)) if buffers > 0 => at(name, column.validity(bits, offset)),
        _ => Ok(column),
    }
}

fn has_buffers(a: &ArrowArray, name: &str, expected: i64) -> Result<()> {
    match a.n_buffers {
        n if n == expected => Ok(()),
        n => fault(FlockStatus::Length, name, format!("{n} buffers, expected {expected}")),
    }
}

/// The bitmap of what is there, if there is one and it says something; `buffers` is how many there must be.
unsafe fn validity<'a>(
    a: &'a ArrowArray,
    name: &str,
    first: usize,
    n: usize,
    buffers: i64,
) -> Result<Option<(&'a [u8], usize)>> {
    has_buffers(a, name, buffers)?;
    if a.null_count < -1 || a.null_count > a.length {
        let message = format!("{} nulls in {} elements", a.null_count, a.length);
        return fault(FlockStatus::Length, name, message);
    }
    if buffers == 0 || a.null_count == 0 || n == 0 {
        return Ok(None);
    }
    if a.buffers.is_null() {
        return fault(FlockStatus::Argument, name, "its buffers are a null pointer");
    }
    // SAFETY: there are that many buffers; the first one is the bitmap, of a bit per element.
    unsafe {
        let bits = *a.buffers;
        if bits.is_null() {
            return match a.null_count {
                -1 => Ok(None),
                nulls => fault(FlockStatus::Argument, name, format!("{nulls} nulls, and no bitmap that says which")),
            };
        }
        Ok(Some((std::slice::from_raw_parts(bits.cast(), (first + n).div_ceil(8)), first)))
    }
}

/// Elements `first` to `first + n` of a buffer.
unsafe fn elements<'a, T>(a: &'a ArrowArray, name: &str, buffer: usize, first: usize, n: usize) -> Result<&'a [T]> {
    if n == 0 {
        return Ok(&[]);
    }
    if a.buffers.is_null() || a.n_buffers <= buffer as i64 {
        return fault(FlockStatus::Argument, name, format!("buffer {buffer} is not there"));
    }
    let end = first.checked_add(n).and_then(|end| end.checked_mul(size_of::<T>()));
    if end.is_none_or(|end| end > isize::MAX as usize) {
        return fault(FlockStatus::Length, name, "its length overflows");
    }
    // SAFETY: there are that many buffers; this one has as many elements as the array says.
    unsafe {
        let at = (*a.buffers.add(buffer)).cast::<T>();
        if at.is_null() {
            return fault(FlockStatus::Argument, name, format!("buffer {buffer} is a null pointer"));
        }
        if !at.is_aligned() {
            let message = format!("buffer {buffer} is not aligned to {} bytes", align_of::<T>());
            return fault(FlockStatus::Alignment, name, message);
        }
        Ok(std::slice::from_raw_parts(at.add(first), n))
    }
}

/// The offsets of `n` texts. An array of none need not have any.
unsafe fn offsets<'a, T>(a: &'a ArrowArray, name: &str, first: usize, n: usize, none: &'a [T]) -> Result<&'a [T]> {
    // SAFETY: the caller's promise.
    if n == 0 { Ok(none) } else { unsafe { elements(a, name, 1, first, n + 1) } }
}

/// Text by views: validity, views, any number of buffers, and the lengths of these.
unsafe fn views<'a>(a: &'a ArrowArray, name: &str, first: usize, n: usize) -> Result<Column<'a>> {
    if a.n_buffers < 3 {
        let message = format!("{} buffers, expected 3 or more", a.n_buffers);
        return fault(FlockStatus::Length, name, message);
    }
    // SAFETY: the caller's promise.
    unsafe {
        let views = elements::<[u32; 4]>(a, name, 1, first, n)?;
        let count = (a.n_buffers - 3) as usize;
        let lengths = elements::<i64>(a, name, count + 2, 0, count)?;
        let mut buffers: Vec<&[u8]> = Vec::with_capacity(count);
        for (k, length) in lengths.iter().enumerate() {
            let length = self::count(*length, name, "the length of a buffer")?;
            buffers.push(elements(a, name, k + 2, 0, length)?);
        }
        let column = at(name, Column::words(views, &buffers))?;
        with_validity(column, a, name, first, n, a.n_buffers)
    }
}

/// Codes of a dictionary of text.
unsafe fn dictionary<'a>(
    s: &'a ArrowSchema,
    a: &'a ArrowArray,
    name: &str,
    format: &str,
    first: usize,
    n: usize,
) -> Result<Column<'a>> {
    // SAFETY: the caller's promise, for all of these.
    unsafe {
        let (Some(values), Some(entries)) = (s.dictionary.as_ref(), a.dictionary.as_ref()) else {
            return fault(FlockStatus::Argument, name, "its dictionary is a null pointer");
        };
        let (length, offset) = extent(values, entries, name)?;
        let kind = text(values.format);
        if !matches!(&*kind, "u" | "U" | "vu" | "n") || !values.dictionary.is_null() {
            return fault(FlockStatus::Schema, name, format!("a dictionary of `{kind}`, expected one of text"));
        }
        if !offset.checked_add(length).is_some_and(fits) {
            return fault(FlockStatus::Length, name, "its dictionary's offset overflows");
        }
        has_buffers(a, name, 2)?;
        // Of nulls alone there is nothing to look up, however many they say they are.
        let length = if kind == "n" { 0 } else { length };
        let entries = column(values, entries, name, offset, length)?;
        unsafe fn codes<'a, T: Code + 'a>(
            a: &'a ArrowArray,
            name: &str,
            first: usize,
            n: usize,
            entries: Column<'a>,
        ) -> Result<Column<'a>> {
            // SAFETY: the caller's promise.
            unsafe { Ok(Column::dictionary(elements::<T>(a, name, 1, first, n)?, entries)) }
        }
        let column = match format {
            "c" => codes::<i8>(a, name, first, n, entries),
            "C" => codes::<u8>(a, name, first, n, entries),
            "s" => codes::<i16>(a, name, first, n, entries),
            "S" => codes::<u16>(a, name, first, n, entries),
            "i" => codes::<i32>(a, name, first, n, entries),
            "I" => codes::<u32>(a, name, first, n, entries),
            "l" => codes::<i64>(a, name, first, n, entries),
            "L" => codes::<u64>(a, name, first, n, entries),
            other => fault(FlockStatus::Schema, name, format!("codes of format `{other}`, expected integers")),
        }?;
        with_validity(column, a, name, first, n, 2)
    }
}
