//! `str.lower()` and `str.upper()` of Python.

use crate::classes::{is_assigned, is_cased, is_ignorable};

/// The text in lower case: each character's full mapping, and a sigma at the end of a word as `ς`.
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            'Σ' if is_final(text, at) => out.push('ς'),
            c if is_assigned(c) => out.extend(c.to_lowercase()),
            c => out.push(c),
        }
    }
    out
}

/// Whether the sigma there stands behind a letter and before none.
fn is_final(text: &str, at: usize) -> bool {
    let letter = |c: Option<char>| c.is_some_and(is_cased);
    letter(text[..at].chars().rev().find(|c| !is_ignorable(*c)))
        && !letter(text[at + 'Σ'.len_utf8()..].chars().find(|c| !is_ignorable(*c)))
}

/// The text in upper case: each character's full mapping.
pub fn upper(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // An old letter may have a capital that is younger than the tables.
        if is_assigned(c) && c.to_uppercase().all(is_assigned) { out.extend(c.to_uppercase()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{LOWER_DIGEST, UPPER_DIGEST};

    /// As `digest` of the script that writes the tables.
    pub(crate) fn digest(change: impl Fn(&str) -> String) -> u64 {
        let all = (0..=0x10_ffff).filter_map(char::from_u32).map(|c| change(&c.to_string()));
        let numbers = all.flat_map(|s| s.chars().map(u64::from).chain([0]).collect::<Vec<_>>());
        numbers.fold(0xcbf2_9ce4_8422_2325, |h, n| (h ^ n).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn every_character_is_changed_as_python_changes_it() {
        assert_eq!(digest(lower), LOWER_DIGEST);
        assert_eq!(digest(upper), UPPER_DIGEST);
        assert_eq!(digest(crate::without_accents), crate::tables::ACCENTS_DIGEST);
    }

    #[test]
    fn a_sigma_looks_around() {
        for (text, expected) in
            [("ΑΣ", "ας"), ("ΑΣΑ", "ασα"), ("Σ", "σ"), ("Α'Σ", "α'ς"), ("ΑΣ'Α", "ασ'α"), ("ΑΣ.", "ας."), ("1Σ", "1σ")]
        {
            assert_eq!(lower(text), expected, "{text}");
        }
    }
}
