//! Data of an object file as constants of LLVM.
//!
//! ```text
//! @score_constant_0 = internal constant [5 x i8] c"ab\\00\\01c", align 64
//! @score_program = constant <{ [8 x i8], ptr }> <{ [8 x i8] c"…", ptr getelementptr (i8, ptr @score_fields, i64 24) }>, align 8
//! ```

use flock_plan::DataItem;

use crate::text::Module;

/// Adds an item to a module.
pub(crate) fn write(module: &mut Module, item: &DataItem<'_>) {
    // What lies between the addresses, and the addresses.
    let mut pieces: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    for r in &item.relocations {
        pieces.extend(bytes(&item.bytes[at..r.offset]));
        let address = match r.addend {
            0 => format!("@{}", r.symbol),
            n => format!("getelementptr (i8, ptr @{}, i64 {n})", r.symbol),
        };
        pieces.push(("ptr".to_owned(), address));
        at = r.offset + 8;
    }
    pieces.extend(bytes(&item.bytes[at..]));
    let (ty, value) = match &pieces[..] {
        [one] => one.clone(),
        all => {
            let types: Vec<&str> = all.iter().map(|(ty, _)| ty.as_str()).collect();
            let values: Vec<String> = all.iter().map(|(ty, value)| format!("{ty} {value}")).collect();
            (format!("<{{ {} }}>", types.join(", ")), format!("<{{ {} }}>", values.join(", ")))
        }
    };
    let linkage = if item.global { "" } else { "internal" };
    module.add(format_args!("@{} = {linkage} constant {ty} {value}, align {}", item.symbol, item.align));
}

/// Type and value of bytes; none of none.
fn bytes(all: &[u8]) -> Option<(String, String)> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(all.len() * 3 + 4);
    text.push_str("c\"");
    for b in all {
        match b {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => {
                text.push('\\');
                text.push(char::from(DIGITS[usize::from(b >> 4)]));
                text.push(char::from(DIGITS[usize::from(b & 15)]));
            }
            _ => text.push(char::from(*b)),
        }
    }
    text.push('"');
    (!all.is_empty()).then(|| (format!("[{} x i8]", all.len()), text))
}
