//! Constant model data: bytes that code reads through a pointer, without relocations of their own.

use std::alloc::Layout;

/// Alignment of every blob, of every section inside of one, and of scratch: a cache line.
pub const ALIGN: usize = 64;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; ALIGN]);

/// Bytes aligned to [`ALIGN`]. Position-independent: what points inside is an offset from its start.
#[derive(Clone, Default)]
pub struct Blob {
    lines: Vec<Line>,
    len: usize,
}

impl Blob {
    /// Zeros.
    pub fn zeroed(len: usize) -> Blob {
        Blob { lines: vec![Line([0; ALIGN]); len.div_ceil(ALIGN)], len }
    }

    /// A blob that is one plain slice.
    pub fn of<T: Plain>(values: &[T]) -> Blob {
        let mut blob = Blob::default();
        blob.section(values);
        blob
    }

    /// Makes room for so many more bytes in one go.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.lines.reserve(bytes.div_ceil(ALIGN));
    }

    /// Appends a slice at the next multiple of [`ALIGN`] and gives its offset.
    pub fn section<T: Plain>(&mut self, values: &[T]) -> usize {
        let at = self.len.next_multiple_of(ALIGN);
        let bytes = std::mem::size_of_val(values);
        self.lines.resize((at + bytes).div_ceil(ALIGN), Line([0; ALIGN]));
        self.len = at + bytes;
        // SAFETY: `Plain` types have no padding and any bytes are fine to read; the target was just made long enough.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), self.as_mut_ptr().add(at), bytes);
        }
        at
    }

    /// Overwrites the start with a header that was reserved by a first `section`.
    pub fn set_header<T: Plain>(&mut self, header: T) {
        assert!(size_of::<T>() <= self.len, "the header was reserved");
        // SAFETY: as in `section`.
        unsafe { self.as_mut_ptr().cast::<T>().write(header) }
    }

    /// Overwrites what was reserved at an offset.
    pub(crate) fn overwrite<T: Plain>(&mut self, at: usize, value: T) {
        assert!(at + size_of::<T>() <= self.len && at.is_multiple_of(align_of::<T>()), "the place was reserved");
        // SAFETY: as in `section`; the place is inside and aligned.
        unsafe { self.as_mut_ptr().add(at).cast::<T>().write(value) }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `lines` holds at least `len` initialised bytes.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    /// Start of the bytes, aligned to [`ALIGN`].
    pub fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.len)
    }
}

const _: () = assert!(Layout::new::<Line>().align() == ALIGN);

/// Types that are nothing but bytes.
/// # Safety
/// No padding, no pointers, no invalid bit patterns.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($t:ty),*) => { $(
        // SAFETY: a primitive number.
        unsafe impl Plain for $t {}
    )* };
}
plain!(u8, u16, u32, u64, usize, i32, i64, f32, f64);

// SAFETY: an array has no padding beyond that of its elements, which have none.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
