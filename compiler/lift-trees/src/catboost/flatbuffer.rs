//! As much of FlatBuffers as a cbm file needs. Everything is checked: an offset that points outside is nothing.
//! Source: the FlatBuffers "Internals" page.

/// A table: the buffer and where it lies.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A vector: its bytes, and how many elements it has.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'a> {
    bytes: &'a [u8],
    start: usize,
    len: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word) as usize)
}

impl<'a> Table<'a> {
    /// The root of a buffer.
    pub fn root(bytes: &'a [u8]) -> Option<Table<'a>> {
        Some(Table { bytes, at: u32_at(bytes, 0)? })
    }

    /// Where a field lies; None where the table does not have it.
    fn field(self, index: usize) -> Option<usize> {
        let back = i32::from_le_bytes(*self.bytes.get(self.at..)?.first_chunk::<4>()?);
        let vtable = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let half = |at: usize| Some(usize::from(u16::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<2>()?)));
        let at = 4 + 2 * index;
        if at + 2 > half(vtable)? {
            return None;
        }
        half(vtable + at).filter(|offset| *offset != 0).and_then(|offset| self.at.checked_add(offset))
    }

    fn target(self, index: usize) -> Option<usize> {
        let at = self.field(index)?;
        at.checked_add(u32_at(self.bytes, at)?)
    }

    /// A table within.
    pub fn table(self, index: usize) -> Option<Table<'a>> {
        Some(Table { at: self.target(index)?, ..self })
    }

    /// A vector of elements of `size` bytes.
    pub fn vector(self, index: usize, size: usize) -> Option<Vector<'a>> {
        let at = self.target(index)?;
        let (start, len) = (at.checked_add(4)?, u32_at(self.bytes, at)?);
        let end = start.checked_add(len.checked_mul(size)?)?;
        (end <= self.bytes.len()).then_some(Vector { bytes: self.bytes, start, len })
    }

    /// Bytes; none where the table does not have them.
    pub fn bytes(self, index: usize) -> &'a [u8] {
        self.vector(index, 1).map(|v| &self.bytes[v.start..v.start + v.len]).unwrap_or_default()
    }

    /// Text.
    pub fn text(self, index: usize) -> Option<&'a str> {
        let v = self.vector(index, 1)?;
        std::str::from_utf8(&self.bytes[v.start..v.start + v.len]).ok()
    }

    /// A byte; 0 where there is none.
    pub fn byte(self, index: usize) -> u8 {
        self.field(index).and_then(|at| self.bytes.get(at).copied()).unwrap_or(0)
    }

    /// A 32-bit integer.
    pub fn int(self, index: usize) -> Option<i32> {
        self.field(index).and_then(|at| Some(i32::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<4>()?)))
    }

    /// A float.
    pub fn float(self, index: usize) -> Option<f32> {
        self.field(index).and_then(|at| Some(f32::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<4>()?)))
    }

    /// A double.
    pub fn double(self, index: usize) -> Option<f64> {
        self.field(index).and_then(|at| Some(f64::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<8>()?)))
    }
}

impl<'a> Vector<'a> {
    /// Number of elements.
    pub fn len(self) -> usize {
        self.len
    }

    fn chunks<const N: usize>(self) -> &'a [[u8; N]] {
        let bytes = self.bytes.get(self.start..self.start + self.len * N).unwrap_or_default();
        bytes.as_chunks::<N>().0
    }

    /// Signed words.
    pub fn ints(self) -> impl Iterator<Item = i32> + 'a {
        self.chunks::<4>().iter().map(|c| i32::from_le_bytes(*c))
    }

    /// Floats.
    pub fn floats(self) -> impl Iterator<Item = f32> + 'a {
        self.chunks::<4>().iter().map(|c| f32::from_le_bytes(*c))
    }

    /// Doubles.
    pub fn doubles(self) -> impl Iterator<Item = f64> + 'a {
        self.chunks::<8>().iter().map(|c| f64::from_le_bytes(*c))
    }

    /// Pairs of half words.
    pub fn pairs(self) -> impl Iterator<Item = [usize; 2]> + 'a {
        self.chunks::<4>()
            .iter()
            .map(|c| [u16::from_le_bytes([c[0], c[1]]).into(), u16::from_le_bytes([c[2], c[3]]).into()])
    }

    /// Structures of two words.
    pub fn words(self) -> impl Iterator<Item = [[u8; 4]; 2]> + 'a {
        self.chunks::<8>().iter().map(|c| [[c[0], c[1], c[2], c[3]], [c[4], c[5], c[6], c[7]]])
    }

    /// Text by text; what is none is left out.
    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        self.targets().filter_map(move |at| {
            let bytes = self.bytes.get(at.checked_add(4)?..)?.get(..u32_at(self.bytes, at)?)?;
            std::str::from_utf8(bytes).ok()
        })
    }

    /// Tables.
    pub fn tables(self) -> impl Iterator<Item = Table<'a>> {
        self.targets().map(move |at| Table { bytes: self.bytes, at })
    }

    fn targets(self) -> impl Iterator<Item = usize> {
        let at = move |i: usize| self.start + 4 * i;
        (0..self.len).filter_map(move |i| at(i).checked_add(u32_at(self.bytes, at(i))?))
    }
}
