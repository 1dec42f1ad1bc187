//! Encoders of feature_engine: a number, a common word or flags for the categories of some columns.
//!
//! | `encoder_dict_` | column → category → number, or column → categories |   | `variables_` | the columns |
//! | `unseen` | a category that is not there: `ignore` gives NaN, `raise` refuses the row, `encode` gives `_unseen` |
//! | `missing_values` | `raise` refuses what is missing, `ignore` takes it for unseen |   | `replace_with` | the common word |
//!
//! Source: feature_engine 1.9, `encoding/`.

use flock_ir_spec::{Attr, DType, Diagnostic, FrameType, NodeId, Op};

use super::feature_engine::{listed, names, replaced, shown};
use crate::categories::Categories;
use crate::columns::{Columns, Facts, Kind};
use crate::features::lookup;
use crate::labels::text;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Matrix, Plain, View};

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    encoder("feature_engine.encoding.count_frequency.CountFrequencyEncoder"),
    encoder("feature_engine.encoding.mean_encoding.MeanEncoder"),
    Lifter {
        class: "feature_engine.encoding.one_hot.OneHotEncoder",
        reads: &["encoder_dict_", "variables_"],
        ignores: &["drop_last", "drop_last_binary", "ignore_format", "top_categories", "variables", "variables_binary_"],
        lift: one_hot,
    },
    encoder("feature_engine.encoding.ordinal.OrdinalEncoder"),
    Lifter {
        class: "feature_engine.encoding.rare_label.RareLabelEncoder",
        reads: &["encoder_dict_", "variables_", "missing_values", "replace_with"],
        ignores: &["ignore_format", "max_n_categories", "n_categories", "tol", "variables"],
        lift: rare,
    },
    encoder("feature_engine.encoding.woe.WoEEncoder"),
];

const fn encoder(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &["encoder_dict_", "variables_", "missing_values", "unseen", "_unseen"],
        ignores: &["encoding_method", "fill_value", "ignore_format", "smoothing", "variables"],
        lift: encode,
    }
}

/// Refuses rows in which the column is missing.
fn refuse_missing(cx: &mut Lift, view: &View<'_>, column: &Columns, kind: Kind) -> Res<()> {
    let (x, found) = cx.single(column, kind, view)?;
    let missing = cx.op(if found == Kind::Number { Op::IsNan } else { Op::IsNull }, &[x])?;
    let there = cx.op(Op::Not, &[missing])?;
    cx.b.refuse_unless(there);
    Ok(())
}

/// Whether a missing value is refused; `WoEEncoder` has no choice.
fn refuses_missing(view: &View<'_>) -> bool {
    view.get("missing_values").is_none_or(|m| m.str() != Some("ignore"))
}

fn dictionary<'a>(view: &View<'a>, variable: &str) -> Res<View<'a>> {
    let dict = view.attr("encoder_dict_")?;
    dict.entry(variable).ok_or_else(|| dict.expected(&format!("an entry for `{variable}`")))
}

/// The position of each value among the categories, as many as there are where it is none of them.
fn positions(cx: &mut Lift, place: &View<'_>, column: &Columns, categories: &Categories) -> Res<NodeId> {
    let n = categories.len();
    let order: Vec<Option<usize>> = (0..n).map(Some).collect();
    cx.settle(column)?;
    cx.positions(column, categories, &order, n, n as i64, place)
}

fn encode(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let unseen = view.attr("unseen")?.text()?;
    let other = if unseen == "encode" { view.attr("_unseen")?.f64()? } else { f64::NAN };
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let place = dictionary(view, variable)?;
        let entries = place.entries()?;
        let keys = entries.iter().map(|(key, _)| key.plain()).collect::<Res<Vec<_>>>()?;
        let mut values = entries.iter().map(|(_, value)| value.f64()).collect::<Res<Vec<_>>>()?;
        let categories = Categories::from(keys, &place)?;
        if refuses_missing(view) {
            refuse_missing(cx, view, &column, categories.kind())?;
        }
        let position = positions(cx, &place, &column, &categories)?;
        if unseen == "raise" {
            let known = cx.b.constant(flock_ir_spec::Frame::row_i64([categories.len() as i64]));
            let known = cx.op(Op::Lt, &[position, known])?;
            cx.b.refuse_unless(known);
        }
        values.push(other);
        let node = lookup(cx, position, &Matrix { rows: values.len(), columns: 1, values })?;
        Ok(Columns::node(node, 1, Facts { nan: true, ..Facts::CODES }, None))
    })?;
    Ok(Lifted::Columns(out))
}

/// The categories that are common, and one word for all others.
fn rare(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let word = view.attr("replace_with")?;
    let word = word.plain()?;
    let Plain::Str(word) = word else {
        return Err(view.unsupported("a number in place of rare categories"));
    };
    let out = replaced(cx, view, &input, |cx, variable, column| {
        let place = dictionary(view, variable)?;
        let keys = place.plains()?;
        let texts: Option<Vec<String>> =
            keys.iter().map(|k| if let Plain::Str(s) = k { Some(s.clone()) } else { None }).collect();
        let texts = texts.ok_or_else(|| place.unsupported("rare numbers, which a word replaces"))?;
        if refuses_missing(view) {
            refuse_missing(cx, view, &column, Kind::Text)?;
        }
        let (x, kind) = cx.single(&column, Kind::Text, view)?;
        if kind != Kind::Text {
            return Err(place.unsupported(format!("rare categories of a column that is {}", kind.name())));
        }
        let set = cx.text_row(texts);
        let common = cx.op(Op::InSet, &[x, set])?;
        let word = cx.text_row([word.clone()]);
        let node = cx.op(Op::Select, &[common, x, word])?;
        // What is missing is no rare category.
        let null = cx.op(Op::IsNull, &[x])?;
        let node = cx.op(Op::Select, &[null, x, node])?;
        Ok(Columns::node(node, 1, Facts::CODES, None))
    })?;
    Ok(Lifted::Columns(out))
}

/// The other columns, and then the flags of each.
fn one_hot(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let variables = listed(view, "variables_", &names)?;
    let columns = cx.split(&input)?;
    let kept: Vec<usize> = (0..names.len()).filter(|i| !variables.contains(i)).collect();
    let mut named = input.clone();
    named.names = Some(shown(&names, &input));
    let mut out = cx.select(&named, &kept)?;
    for i in variables {
        let place = dictionary(view, &names[i])?;
        let keys = place.plains()?;
        if keys.is_empty() {
            continue;
        }
        let labels = keys.iter().map(|k| format!("{}_{}", names[i], text(k))).collect();
        let categories = Categories::from(keys, &place)?;
        refuse_missing(cx, view, &columns[i], categories.kind())?;
        let position = positions(cx, &place, &columns[i], &categories)?;
        let ty = FrameType::new(DType::F64, categories.len() as u32);
        let node = cx.op_with(Op::OneHot, Attr::Type(ty), &[position])?;
        out.append(Columns::node(node, categories.len(), Facts::CODES, Some(labels)));
    }
    Ok(Lifted::Columns(out))
}
