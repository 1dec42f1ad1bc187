//! The features of a file, and since 3.1 the values of their categories.
//!
//! Without stored values a category is a code. A value that is none of the stored ones is an error of the library, and its
//! row is refused (3.1 and 3.2 took some such values for their neighbours, which 3.3 mended).

use flock_ir_spec::Frame;

use super::XgBoost;
use crate::inputs::{Feature, Kind, Unknown, positions};
use crate::value::Value;
use crate::{Res, damaged, unsupported};

/// The features in order.
pub(crate) fn features(file: &XgBoost<'_>) -> Res<Vec<Feature>> {
    let n = file.parameter("num_feature", 0)?;
    let names = file.at(&["feature_names"]).ok().and_then(Value::items).unwrap_or_default();
    let names: Vec<String> = match names.len() {
        0 if n <= crate::inputs::MAX_FEATURES => positions(n),
        len if len == n => names.iter().map(|v| v.text().unwrap_or_default().to_owned()).collect(),
        len => return Err(damaged("learner.feature_names", format!("{len} names for {n} features"))),
    };
    let stored = ["gbtree", "model"].iter().try_fold(file.at(&["gradient_booster"])?, |v, name| {
        // The model of dart lies one step deeper.
        Some(v.get(name).unwrap_or(v))
    });
    let stored = stored.and_then(|m| m.at(&["cats", "enc"])).and_then(Value::items).unwrap_or_default();
    let version = file.root.get("version").and_then(Value::numbers);
    let number = |i| version.as_ref().and_then(|v| v.get(i)).unwrap_or(0.0);
    let old = (number(0), number(1)) < (3.0, 4.0);
    let kind = |i: usize| match stored.get(i) {
        Some(categories) => values(categories, old).map_err(|e| unsupported(format!("cats.enc[{i}]"), e)),
        None => Ok(Kind::Number),
    };
    names.into_iter().enumerate().map(|(i, name)| Ok(Feature { name, kind: kind(i)? })).collect()
}

/// The categories of a feature: text as offsets into bytes, or numbers. Before 3.4 the library took characters for bytes where
/// it stored them, so that text beyond ASCII is cut short there.
fn values(categories: &Value<'_>, old: bool) -> Result<Kind, String> {
    let values = categories.get("values").and_then(Value::numbers).ok_or("no `values`")?;
    let Some(offsets) = categories.get("offsets") else {
        let values = Frame::row_f64(values.iter().collect::<Vec<_>>());
        return Ok(Kind::Category { values, unknown: Unknown::Refused });
    };
    let offsets: Vec<usize> = offsets.numbers().ok_or("no `offsets`")?.iter().map(|x| x as usize).collect();
    if offsets.len() < 2 {
        return Ok(Kind::Number);
    }
    // Bytes are signed in UBJSON.
    let bytes: Vec<u8> = values.iter().map(|x| x as i64 as u8).collect();
    if old && !bytes.is_ascii() {
        return Err("categories beyond ASCII, which XGBoost before 3.4 stores cut short".into());
    }
    let text = |w: &[usize]| {
        let text = bytes.get(w[0]..w[1]).and_then(|b| std::str::from_utf8(b).ok());
        text.map(str::to_owned).ok_or("a category that is no text")
    };
    let texts = offsets.windows(2).map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(Kind::Category { values: Frame::row_str(texts), unknown: Unknown::Refused })
}
