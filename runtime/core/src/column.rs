//! Input columns made from plain slices, with everything checked that a kernel relies on.

use std::marker::PhantomData;

use crate::abi::{FlockColumn, FlockKind, FlockLayout, FlockStatus};
use crate::batch::{OutputColumn, Values};
use crate::error::CoreError;
use crate::kernels::columns::{each_text, flock_load_bool, flock_load_f32, flock_load_f64, flock_load_i64, pack_bits};

/// A number type that a column can hold.
pub trait Number: Copy {
    /// Its layout.
    const LAYOUT: FlockLayout;
}
macro_rules! number {
    ($($t:ty = $l:ident),*) => { $( impl Number for $t { const LAYOUT: FlockLayout = FlockLayout::$l; } )* };
}
number!(i8 = I8, i16 = I16, i32 = I32, i64 = I64, u8 = U8, u16 = U16, u32 = U32, u64 = U64, f32 = F32, f64 = F64);

/// A number type that can be a code of a dictionary.
pub trait Code: Number {}
macro_rules! code {
    ($($t:ty),*) => { $( impl Code for $t {} )* };
}
code!(i8, i16, i32, i64, u8, u16, u32, u64);

/// A borrowed input column. Made without copies from what Arrow arrays are made of.
pub struct Column<'a> {
    raw: FlockColumn,
    dictionary: Option<Box<Column<'a>>>,
    _buffers: Vec<*const u8>,
    lives: PhantomData<&'a [u8]>,
}

// SAFETY: the pointers are those of shared slices that live for 'a.
unsafe impl Send for Column<'_> {}
// SAFETY: as above; nothing is written through them.
unsafe impl Sync for Column<'_> {}

fn short(what: &str) -> CoreError {
    CoreError::new(FlockStatus::Length, "batch", format!("{what} reaches beyond its buffer"))
}

impl<'a> Column<'a> {
    fn raw(layout: FlockLayout, length: usize, data: *const u8) -> Column<'a> {
        let raw = FlockColumn {
            layout: layout as u32,
            codes: 0,
            length,
            data,
            offset: 0,
            validity: std::ptr::null(),
            validity_offset: 0,
            offsets: std::ptr::null(),
            buffers: std::ptr::null(),
            dictionary: std::ptr::null(),
        };
        Column { raw, dictionary: None, _buffers: Vec::new(), lives: PhantomData }
    }

    /// Nothing but missing elements.
    pub fn null(length: usize) -> Column<'a> {
        Column::raw(FlockLayout::Null, length, std::ptr::null())
    }

    /// Numbers.
    pub fn numbers<T: Number>(values: &'a [T]) -> Column<'a> {
        Column::raw(T::LAYOUT, values.len(), values.as_ptr().cast())
    }

    /// Truth values: `length` bits from bit `offset` on, least significant first.
    pub fn bits(bytes: &'a [u8], offset: usize, length: usize) -> Result<Column<'a>, CoreError> {
        covers(bytes, offset, length)?;
        let mut c = Column::raw(FlockLayout::Bool, length, bytes.as_ptr());
        c.raw.offset = offset;
        Ok(c)
    }

    /// Text by `length + 1` offsets into bytes.
    pub fn str32(offsets: &'a [i32], bytes: &'a [u8]) -> Result<Column<'a>, CoreError> {
        let inside = offsets.first().is_some_and(|o| *o >= 0)
            && offsets.windows(2).all(|w| w[0] <= w[1])
            && offsets.last().is_some_and(|o| *o as usize <= bytes.len());
        Column::text(FlockLayout::Str32, inside, offsets.len(), offsets.as_ptr().cast(), bytes)
    }

    /// The same with 64-bit offsets.
    pub fn str64(offsets: &'a [i64], bytes: &'a [u8]) -> Result<Column<'a>, CoreError> {
        let inside = offsets.first().is_some_and(|o| *o >= 0)
            && offsets.windows(2).all(|w| w[0] <= w[1])
            && offsets.last().is_some_and(|o| usize::try_from(*o).is_ok_and(|o| o <= bytes.len()));
        Column::text(FlockLayout::Str64, inside, offsets.len(), offsets.as_ptr().cast(), bytes)
    }

    fn text(
        layout: FlockLayout,
        inside: bool,
        offsets: usize,
        at: *const u8,
        bytes: &'a [u8],
    ) -> Result<Column<'a>, CoreError> {
        if !inside {
            return Err(short("a text"));
        }
        let mut c = Column::raw(layout, offsets - 1, bytes.as_ptr());
        c.raw.offsets = at;
        Ok(c)
    }

    /// Text by Arrow's views (length and 12 bytes, or length, prefix, buffer, offset) and the buffers they name.
    pub fn views(views: &'a [u128], buffers: &[&'a [u8]]) -> Result<Column<'a>, CoreError> {
        // SAFETY: the same bytes, of a lesser alignment.
        Column::words(unsafe { std::slice::from_raw_parts(views.as_ptr().cast(), views.len()) }, buffers)
    }

    /// The same with views as words, in the order in which they lie: other libraries align them less.
    pub fn words(views: &'a [[u32; 4]], buffers: &[&'a [u8]]) -> Result<Column<'a>, CoreError> {
        let inside = |[len, _, buffer, start]: &[u32; 4]| {
            let end = u64::from(*start) + u64::from(*len);
            *len <= 12 || buffers.get(*buffer as usize).is_some_and(|b| end <= b.len() as u64)
        };
        if !views.iter().all(inside) {
            return Err(short("a text"));
        }
        let mut c = Column::raw(FlockLayout::StrView, views.len(), views.as_ptr().cast());
        c._buffers = buffers.iter().map(|b| b.as_ptr()).collect();
        c.raw.buffers = c._buffers.as_ptr();
        Ok(c)
    }

    /// Codes into a text column.
    pub fn dictionary<T: Code>(codes: &'a [T], values: Column<'a>) -> Column<'a> {
        let mut c = Column::raw(FlockLayout::Dictionary, codes.len(), codes.as_ptr().cast());
        c.raw.codes = T::LAYOUT as u32;
        let values = Box::new(values);
        c.raw.dictionary = &raw const values.raw;
        c.dictionary = Some(values);
        c
    }

    /// The same with a bitmap of what is there, from bit `offset` on.
    pub fn validity(mut self, bits: &'a [u8], offset: usize) -> Result<Column<'a>, CoreError> {
        covers(bits, offset, self.raw.length)?;
        (self.raw.validity, self.raw.validity_offset) = (bits.as_ptr(), offset);
        Ok(self)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.raw.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As compiled code reads it, for as long as this column lives.
    pub fn as_raw(&self) -> &FlockColumn {
        &self.raw
    }

    pub(crate) fn values(&self) -> Option<&Column<'a>> {
        self.dictionary.as_deref()
    }

    fn is(&self, layout: FlockLayout) -> bool {
        self.raw.layout == layout as u32
    }

    /// What it holds, for a message.
    pub(crate) fn describe(&self) -> &'static str {
        const NAMES: [&str; 16] = [
            "nulls",
            "truth values",
            "i8",
            "i16",
            "i32",
            "i64",
            "u8",
            "u16",
            "u32",
            "u64",
            "f32",
            "f64",
            "text",
            "text",
            "text",
            "a dictionary",
        ];
        NAMES.get(self.raw.layout as usize).copied().unwrap_or("an unknown layout")
    }

    /// Whether the loading kernels can make that kind of it.
    pub(crate) fn gives(&self, kind: FlockKind) -> bool {
        let l = self.raw.layout;
        let integer = (FlockLayout::I8 as u32..=FlockLayout::U64 as u32).contains(&l);
        let text = |l: u32| (FlockLayout::Str32 as u32..=FlockLayout::StrView as u32).contains(&l);
        self.is(FlockLayout::Null)
            || match kind {
                FlockKind::Bool => self.is(FlockLayout::Bool),
                FlockKind::I64 => integer || self.is(FlockLayout::Bool),
                FlockKind::F32 | FlockKind::F64 => {
                    integer || [FlockLayout::Bool, FlockLayout::F32, FlockLayout::F64].iter().any(|x| self.is(*x))
                }
                FlockKind::Str => {
                    text(l) || self.values().is_some_and(|v| text(v.raw.layout) || v.is(FlockLayout::Null))
                }
            }
    }

    /// Number of missing elements.
    pub fn null_count(&self) -> usize {
        let n = self.len();
        if self.is(FlockLayout::Null) {
            return n;
        }
        if self.dictionary.is_some() {
            let mut there = 0;
            // SAFETY: the column was checked when it was made.
            unsafe { each_text(&self.raw, 0, n, std::ptr::null_mut(), |_, _, _| there += 1) };
            return n - there;
        }
        if self.raw.validity.is_null() { 0 } else { (0..n).filter(|i| !self.is_valid(*i)).count() }
    }

    fn is_valid(&self, i: usize) -> bool {
        let bit = self.raw.validity_offset + i;
        // SAFETY: the bitmap was checked to cover the elements when it was set.
        self.raw.validity.is_null() || unsafe { *self.raw.validity.add(bit / 8) >> (bit % 8) & 1 != 0 }
    }

    /// The first row whose unsigned value is beyond i64.
    pub(crate) fn beyond_i64(&self) -> Option<usize> {
        if !self.is(FlockLayout::U64) || self.is_empty() {
            return None;
        }
        // SAFETY: the layout says that it was made from a slice of u64 of that length.
        let values = unsafe { std::slice::from_raw_parts(self.raw.data.cast::<u64>(), self.len()) };
        (0..values.len()).find(|i| values[*i] > i64::MAX as u64 && self.is_valid(*i))
    }
}

fn covers(bits: &[u8], offset: usize, length: usize) -> Result<(), CoreError> {
    let end = offset.checked_add(length).ok_or_else(|| short("a bitmap"))?;
    if end.div_ceil(8) <= bits.len() { Ok(()) } else { Err(short("a bitmap")) }
}

impl Column<'_> {
    /// All elements as that kind, as the loading kernels convert them.
    ///
    /// # Errors
    /// `Schema` where it cannot become that kind, `Length` where an unsigned value is beyond i64 or text beyond 2 GiB.
    pub fn to_kind(&self, kind: FlockKind) -> Result<OutputColumn, CoreError> {
        if !self.gives(kind) {
            let message = format!("{} cannot become {}", self.describe(), kind.name());
            return Err(CoreError::new(FlockStatus::Schema, "batch", message));
        }
        if let Some(row) = self.beyond_i64().filter(|_| kind == FlockKind::I64) {
            return Err(CoreError::new(FlockStatus::Length, "batch", format!("row {row} is beyond the range of i64")));
        }
        let n = self.len();
        let mut valid = vec![0u8; n];
        // SAFETY: the column was checked when it was made and `gives` the kind; every vector has n elements.
        let values = unsafe {
            let (c, v) = (&raw const self.raw, valid.as_mut_ptr());
            match kind {
                FlockKind::F64 => Values::F64(filled(n, |out| flock_load_f64(c, 0, n, out, v))),
                FlockKind::F32 => Values::F32(filled(n, |out| flock_load_f32(c, 0, n, out, v))),
                FlockKind::I64 => Values::I64(filled(n, |out| flock_load_i64(c, 0, n, out, v))),
                FlockKind::Bool => {
                    let bytes = filled(n, |out| flock_load_bool(c, 0, n, out, v));
                    let mut bits = vec![0; n.div_ceil(8)];
                    pack_bits(bytes.as_ptr(), n, bits.as_mut_ptr());
                    Values::Bool(bits)
                }
                FlockKind::Str => {
                    let (mut offsets, mut bytes) = (vec![0; n + 1], Vec::new());
                    each_text(&self.raw, 0, n, v, |i, s, _| {
                        bytes.extend_from_slice(s.bytes());
                        offsets[i + 1] = bytes.len();
                    });
                    (1..=n).for_each(|i| offsets[i] = offsets[i].max(offsets[i - 1]));
                    let offsets = offsets.into_iter().map(|o| i32::try_from(o).map_err(|_| short("text beyond 2 GiB")));
                    Values::Str { offsets: offsets.collect::<Result<_, _>>()?, bytes }
                }
            }
        };
        let mut bits = vec![0; n.div_ceil(8)];
        // SAFETY: n bytes, n bits.
        unsafe { pack_bits(valid.as_ptr(), n, bits.as_mut_ptr()) };
        Ok(OutputColumn { values, validity: valid.contains(&0).then_some(bits) })
    }
}

fn filled<T: Copy + Default>(n: usize, load: impl FnOnce(*mut T) -> i32) -> Vec<T> {
    let mut out = vec![T::default(); n];
    load(out.as_mut_ptr());
    out
}
