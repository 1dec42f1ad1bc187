//! `strip_accents_unicode` and `strip_accents_ascii` of scikit-learn.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use crate::classes::is_assigned;

/// The compatible decomposition (NFKD) without combining characters. Where those go does not depend on their order, so
/// that each character is changed by itself.
pub fn without_accents(text: &str) -> String {
    if text.is_ascii() { text.into() } else { decomposed(text).filter(|c| !is_combining(*c)).collect() }
}

/// What of the compatible decomposition is ASCII.
pub fn without_accents_ascii(text: &str) -> String {
    if text.is_ascii() { text.into() } else { decomposed(text).filter(char::is_ascii).collect() }
}

fn decomposed(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|c| {
        let young = (!is_assigned(c)).then_some(c);
        let old = is_assigned(c).then(|| std::iter::once(c).nfkd());
        young.into_iter().chain(old.into_iter().flatten())
    })
}

fn is_combining(c: char) -> bool {
    is_assigned(c) && canonical_combining_class(c) != 0
}
