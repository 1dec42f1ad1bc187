//! `CountVectorizer`, `TfidfVectorizer` and `HashingVectorizer`: documents to counts of their terms.
//!
//! | `vocabulary_` | term → column |   | `n_features`, `alternate_sign` | columns by hash, and whether half of the terms count -1 |
//! | `lowercase`, `strip_accents` | what is done to a document first, in that order |
//! | `analyzer`, `token_pattern`, `ngram_range`, `stop_words` | what its terms are |
//! | `binary` | 1 for a term however often it is there |   | `_tfidf` | the `TfidfTransformer` behind the counts |
//!
//! They take one column of text. A document that is missing is refused, as an object that is no text is by the library.
//! Functions of the user in the place of a step are refused. Source: scikit-learn `feature_extraction/text.py`.

use std::sync::Arc;

use flock_ir_spec::terms::TokenPattern;
use flock_ir_spec::{Attr, Diagnostic, Features, Frame, NodeId, Op, Terms, Unit, Word};

use super::tfidf_transformer;
use crate::columns::{Columns, Facts, Kind};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;
use crate::stop_words::english;

type Res<T> = Result<T, Diagnostic>;

macro_rules! steps {
    ($($more:literal),*) => {
        &["input", "preprocessor", "tokenizer", "lowercase", "strip_accents", "analyzer", "token_pattern", "ngram_range",
          "stop_words", "binary", "dtype", $($more),*]
    };
}

/// What decides the vocabulary, and how bytes would be read; a table has text.
const IGNORES: &[&str] = &[
    "decode_error", "encoding", "_stop_words_id", "max_df", "min_df", "max_features", "vocabulary", "fixed_vocabulary_",
    "stop_words_",
    // Of TfidfVectorizer, whose `_tfidf` has them as they were at fit.
    "norm", "use_idf", "smooth_idf", "sublinear_tf",
];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.feature_extraction.text.CountVectorizer",
        reads: steps!["vocabulary_"],
        ignores: IGNORES,
        lift: count,
    },
    Lifter {
        class: "sklearn.feature_extraction.text.HashingVectorizer",
        reads: steps!["n_features", "alternate_sign", "norm"],
        ignores: &["decode_error", "encoding", "_stop_words_id"],
        lift: hash,
    },
    Lifter {
        class: "sklearn.feature_extraction.text.TfidfVectorizer",
        reads: steps!["vocabulary_", "_tfidf"],
        ignores: IGNORES,
        lift: weigh,
    },
];

/// Whether an estimator reads documents, first thing: then it wants a column and no table of one.
pub(super) fn reads_documents(view: &View<'_>) -> bool {
    let mut first = view.clone();
    while let Some(step) = first.get("steps").and_then(|s| s.items().ok()?.first()?.items().ok()?.into_iter().nth(1)) {
        first = step;
    }
    first.class().is_some_and(|c| LIFTERS.iter().any(|l| l.class == crate::lift::public_name(&c)))
}

fn count(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let (counts, names) = counts_by_vocabulary(cx, view, &input)?;
    let width = cx.width(counts);
    let mut out = Columns::node(counts, width, Facts::CODES, Some(names));
    out.sparse = true;
    Ok(Lifted::Columns(out))
}

fn weigh(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let (counts, names) = counts_by_vocabulary(cx, view, &input)?;
    let tfidf = view.attr("_tfidf")?;
    cx.open(&tfidf, &tfidf_transformer::LIFTER);
    let (weighed, facts) = tfidf_transformer::weighed(cx, &tfidf, counts, Facts::CODES)?;
    let mut out = Columns::node(weighed, cx.width(weighed), facts, Some(names));
    out.sparse = true;
    Ok(Lifted::Columns(out))
}

fn hash(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let columns = view.attr("n_features")?.size()?;
    let columns = u32::try_from(columns).ok().filter(|n| (1..=flock_ir_spec::types::MAX_WIDTH).contains(n));
    let Some(columns) = columns else {
        return Err(view.attr("n_features")?.unsupported(format!("more than {} columns", flock_ir_spec::types::MAX_WIDTH)));
    };
    let signed = view.attr("alternate_sign")?.bool()?;
    let counts = counts(cx, view, &input, Features::Hashed { columns, signed })?;
    let norm = view.attr("norm")?;
    let normed = tfidf_transformer::normed(cx, &norm, counts)?;
    let mut out = Columns::node(normed, columns as usize, Facts::CODES, None);
    out.sparse = true;
    Ok(Lifted::Columns(out))
}

/// The counts, and the term of each column.
fn counts_by_vocabulary(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<(NodeId, Vec<String>)> {
    let vocabulary = view.attr("vocabulary_")?;
    let entries = vocabulary.entries()?;
    let mut terms: Vec<Option<Arc<str>>> = vec![None; entries.len()];
    for (term, column) in entries {
        let place = terms.get_mut(column.size()?);
        *place.ok_or_else(|| vocabulary.expected("columns without gaps"))? = Some(Arc::from(term.text()?));
    }
    let terms: Option<Vec<Arc<str>>> = terms.into_iter().collect();
    let terms = terms.ok_or_else(|| vocabulary.expected("a term for each column"))?;
    if terms.is_empty() {
        return Err(vocabulary.unsupported("no terms"));
    }
    let names = terms.iter().map(|t| t.to_string()).collect();
    Ok((counts(cx, view, input, Features::Vocabulary(terms))?, names))
}

fn counts(cx: &mut Lift, view: &View<'_>, input: &Columns, features: Features) -> Res<NodeId> {
    let terms = terms(view, features)?;
    let documents = documents(cx, view, input)?;
    let terms = cx.b.constant(terms);
    cx.op(Op::TermCounts, &[documents, terms])
}

/// The documents in lower case, without accents.
fn documents(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Res<NodeId> {
    if input.width() != 1 {
        return Err(view.unsupported(format!("documents of {} columns, expected one of text", input.width())));
    }
    let content = view.attr("input")?;
    if content.str() != Some("content") {
        return Err(content.unsupported("documents that are read from files"));
    }
    for step in ["preprocessor", "tokenizer"] {
        let step = view.attr(step)?;
        if !step.is_none() {
            return Err(step.unsupported("a function of the user in the place of a step"));
        }
    }
    let (text, kind) = cx.single(input, Kind::Text, view)?;
    if kind != Kind::Text {
        return Err(view.unsupported("numbers where documents are expected"));
    }
    if cx.frame_type(text).nullable {
        let missing = cx.op(Op::IsNull, &[text])?;
        let there = cx.op(Op::Not, &[missing])?;
        cx.b.refuse_unless(there);
    }
    let mut text = cx.or_else(text, Frame::row_str([""]))?;
    if view.attr("lowercase")?.bool()? {
        text = cx.op(Op::Lower, &[text])?;
    }
    let accents = view.attr("strip_accents")?;
    match accents.str() {
        Some("unicode") => cx.op_with(Op::WithoutAccents, Attr::Word(Word::Unicode), &[text]),
        Some("ascii") => cx.op_with(Op::WithoutAccents, Attr::Word(Word::Ascii), &[text]),
        None if accents.is_none() => Ok(text),
        _ => Err(accents.unsupported("a function of the user that changes documents")),
    }
}

fn terms(view: &View<'_>, features: Features) -> Res<Terms> {
    let dtype = view.attr("dtype")?;
    if super::dtype_is_single(&dtype)? {
        return Err(dtype.unsupported("counts of float32"));
    }
    let analyzer = view.attr("analyzer")?;
    let unit = analyzer.str().and_then(|name| Unit::ALL.into_iter().find(|u| u.name() == name));
    let unit = unit.ok_or_else(|| analyzer.unsupported("a function of the user that splits documents"))?;
    let range = view.attr("ngram_range")?;
    let [first, last] = range.tuple::<2>()?;
    let sizes = [first.size()?, last.size()?].map(u32::try_from);
    let [Ok(first), Ok(last)] = sizes else { return Err(range.expected("two sizes")) };
    if first == 0 || first > last || last > flock_ir_spec::terms::MAX_UNITS {
        return Err(range.unsupported(format!("terms of {first} to {last} units")));
    }
    let (pattern, stop) = match unit {
        Unit::Word => (token_pattern(view)?, stop_words(view)?),
        Unit::Char | Unit::CharWb => (String::new(), Vec::new()),
    };
    let binary = view.attr("binary")?.bool()?;
    Ok(Terms { unit, first, last, pattern: pattern.into(), stop, binary, features })
}

fn token_pattern(view: &View<'_>) -> Res<String> {
    let place = view.attr("token_pattern")?;
    let pattern = place.text()?;
    match TokenPattern::new(&pattern) {
        Ok(_) => Ok(pattern),
        Err(why) => Err(place.unsupported(format!("the token pattern {pattern:?}: {why}"))),
    }
}

fn stop_words(view: &View<'_>) -> Res<Vec<Arc<str>>> {
    let place = view.attr("stop_words")?;
    if place.is_none() {
        return Ok(Vec::new());
    }
    if place.str() == Some("english") {
        return Ok(english().map(Arc::from).collect());
    }
    place.items()?.iter().map(|word| word.text().map(Arc::from)).collect()
}
