//! A plan's data as an object file holds it, whoever writes the file.
//!
//! ```text
//! NAME_constant_0, …   the blobs, 64-byte aligned                       read-only
//! NAME_names           the names of inputs and outputs, end to end      read-only
//! NAME_constants       pointers to the blobs                            read-only once relocated
//! NAME_fields          FlockField of the inputs, then of the outputs    read-only once relocated
//! NAME_memos           Memo                                             read-only
//! NAME_program         FlockProgram: points to all of these and to the code, NAME_entry
//! ```
//! Integers are little-endian and pointers have 64 bits, as on every target that there is code for.

use std::borrow::Cow;
use std::mem::{offset_of, size_of};

use flock_core::{ALIGN, FLOCK_ABI, Field, FlockField, FlockProgram, Memo};

use crate::Plan;

/// Bytes of an object file under a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataItem<'a> {
    /// The symbol.
    pub symbol: String,
    /// Whether other files may name it.
    pub global: bool,
    /// The bytes; zeros where a relocation goes.
    pub bytes: Cow<'a, [u8]>,
    /// A power of two.
    pub align: usize,
    /// Addresses of 8 bytes to fill in, in ascending order.
    pub relocations: Vec<Relocation>,
}

/// The address of a symbol within a [`DataItem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where it goes.
    pub offset: usize,
    /// Whose address: another item, or the entry.
    pub symbol: String,
    /// Bytes to add to it.
    pub addend: usize,
}

/// The symbol of the compiled function.
pub fn entry_symbol(name: &str) -> String {
    format!("{name}_entry")
}

/// The symbol of the [`FlockProgram`].
pub fn program_symbol(name: &str) -> String {
    format!("{name}_program")
}

impl Plan {
    /// The data of an object file whose symbols begin with `name`. Its code must define [`entry_symbol`].
    pub fn image(&self, name: &str) -> Vec<DataItem<'_>> {
        let blob = |k: usize| format!("{name}_constant_{k}");
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let fields: Vec<&Field> = inputs.iter().chain(&outputs).collect();

        let mut items: Vec<DataItem<'_>> = Vec::new();
        for (k, b) in self.blobs.iter().enumerate() {
            // A symbol of no bytes could share its address with what follows.
            let bytes = if b.is_empty() { Cow::Owned(vec![0]) } else { Cow::Borrowed(b.as_bytes()) };
            items.push(DataItem { symbol: blob(k), global: false, bytes, align: ALIGN, relocations: Vec::new() });
        }
        let text: Vec<u8> = fields.iter().flat_map(|f| f.name.bytes()).collect();
        let names = Record { item: item(format!("{name}_names"), 1, text) };

        let mut constants = Record::zeroed(format!("{name}_constants"), self.blobs.len() * 8);
        (0..self.blobs.len()).for_each(|k| constants.pointer(k * 8, &blob(k), 0));

        let mut list = Record::zeroed(format!("{name}_fields"), fields.len() * size_of::<FlockField>());
        let mut start = 0;
        for (k, f) in fields.iter().enumerate() {
            let at = k * size_of::<FlockField>();
            if !f.name.is_empty() {
                list.pointer(at + offset_of!(FlockField, name), &names.item.symbol, start);
            }
            list.word(at + offset_of!(FlockField, name_length), f.name.len());
            list.half(at + offset_of!(FlockField, kind), f.kind as u32);
            list.half(at + offset_of!(FlockField, nullable), u32::from(f.nullable));
            start += f.name.len();
        }

        let mut memos = Record::zeroed(format!("{name}_memos"), self.memos.len() * size_of::<Memo>());
        for (k, m) in self.memos.iter().enumerate() {
            let at = k * size_of::<Memo>();
            memos.word(at + offset_of!(Memo, input), m.input);
            memos.word(at + offset_of!(Memo, table), m.table);
        }

        let mut program = Record::zeroed(program_symbol(name), size_of::<FlockProgram>());
        program.item.global = true;
        program.half(offset_of!(FlockProgram, version), FLOCK_ABI);
        program.pointer(offset_of!(FlockProgram, entry), &entry_symbol(name), 0);
        program.word(offset_of!(FlockProgram, block_rows), self.block_rows);
        program.word(offset_of!(FlockProgram, scratch_bytes), self.scratch_bytes);
        let after = inputs.len() * size_of::<FlockField>();
        for (at, count_at, from, addend, count) in [
            (offset_of!(FlockProgram, inputs), offset_of!(FlockProgram, input_count), &list, 0, inputs.len()),
            (offset_of!(FlockProgram, outputs), offset_of!(FlockProgram, output_count), &list, after, outputs.len()),
            (offset_of!(FlockProgram, memos), offset_of!(FlockProgram, memo_count), &memos, 0, self.memos.len()),
            (
                offset_of!(FlockProgram, constants),
                offset_of!(FlockProgram, constant_count),
                &constants,
                0,
                self.blobs.len(),
            ),
        ] {
            if count > 0 {
                program.pointer(at, &from.item.symbol, addend);
            }
            program.word(count_at, count);
        }
        let rest = [names, constants, list, memos, program].map(|r| r.item);
        items.extend(rest.into_iter().filter(|i| !i.bytes.is_empty()));
        items
    }
}

fn item<'a>(symbol: String, align: usize, bytes: Vec<u8>) -> DataItem<'a> {
    DataItem { symbol, global: false, bytes: Cow::Owned(bytes), align, relocations: Vec::new() }
}

/// A structure being filled in.
struct Record<'a> {
    item: DataItem<'a>,
}

impl Record<'_> {
    fn zeroed(symbol: String, bytes: usize) -> Self {
        Record { item: item(symbol, 8, vec![0; bytes]) }
    }

    fn bytes(&mut self, at: usize, value: &[u8]) {
        self.item.bytes.to_mut()[at..at + value.len()].copy_from_slice(value);
    }

    fn half(&mut self, at: usize, value: u32) {
        self.bytes(at, &value.to_le_bytes());
    }

    fn word(&mut self, at: usize, value: usize) {
        self.bytes(at, &(value as u64).to_le_bytes());
    }

    fn pointer(&mut self, at: usize, symbol: &str, addend: usize) {
        self.item.relocations.push(Relocation { offset: at, symbol: symbol.to_owned(), addend });
    }
}
