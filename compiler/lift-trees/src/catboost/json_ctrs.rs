//! The counters of a JSON file: what they are under `features_info.ctrs`, their tables under `ctr_data`, by identifier.
//!
//! A table is a list of `hash_stride` elements per row: a hash as text, then the counts. A hash of all ones is an empty
//! place.

use std::collections::HashMap;

use super::Border;
use super::ctr::{Counts, Ctr, CtrKind, CtrTable, Ctrs, Projection};
use crate::value::Value;
use crate::{Res, damaged, unsupported};

/// The counters, and for each border of each of them, in order, its counter and itself.
pub(super) fn read(ctrs: &[Value<'_>], data: Option<&Value<'_>>) -> Res<(Ctrs, Vec<(u32, f32)>)> {
    let mut all = Ctrs::default();
    let mut borders = Vec::new();
    let mut tables: HashMap<&str, usize> = HashMap::new();
    let stored: HashMap<&str, &Value<'_>> = match data {
        Some(Value::Object(entries)) => entries.iter().map(|(name, table)| (&**name, table)).collect(),
        _ => HashMap::new(),
    };
    for (i, value) in ctrs.iter().enumerate() {
        let place = format!("features_info.ctrs[{i}]");
        let fault = || damaged(&*place, "a counter without its fields");
        let identifier = value.get("identifier").and_then(Value::text).ok_or_else(fault)?;
        let table = match tables.get(identifier) {
            Some(table) => *table,
            None => {
                let kind = value.get("ctr_type").and_then(Value::text).ok_or_else(fault)?;
                let known = CtrKind::of(Some(kind), 0);
                let kind = known.ok_or_else(|| unsupported(&*place, format!("a counter of the type `{kind}`")))?;
                let projection = all.projection(projection(value).ok_or_else(fault)?);
                let stored = stored.get(identifier).ok_or_else(|| damaged(&*place, "a counter without its table"))?;
                let table = table(stored, projection, kind).ok_or_else(|| damaged(&*place, "its table is damaged"))?;
                all.tables.push(table);
                tables.insert(identifier, all.tables.len() - 1);
                all.tables.len() - 1
            }
        };
        let number = |name: &str| value.get(name).and_then(Value::number);
        let float = |name: &str| number(name).map(|x| x as f32).ok_or_else(fault);
        let target = number("target_border_idx").filter(|t| *t >= 0.0).ok_or_else(fault)? as u32;
        // The library's own spelling.
        let prior = [float("prior_numerator")?, float("prior_denomerator")?];
        all.ctrs.push(Ctr { table: table as u32, target, prior, shift: float("shift")?, scale: float("scale")? });
        let own = value.get("borders").and_then(Value::numbers);
        borders.extend(own.iter().flat_map(|n| n.iter().map(|b| (i as u32, b as f32)).collect::<Vec<_>>()));
    }
    Ok((all, borders))
}

fn projection(ctr: &Value<'_>) -> Option<Projection> {
    let mut projection = Projection::default();
    for element in ctr.get("elements")?.items()?.iter() {
        let number = |name: &str| element.get(name).and_then(Value::number);
        let index = |name: &str| number(name).filter(|i| *i >= 0.0 && *i < 4e9).map(|i| i as u32);
        match element.get("combination_element")?.text()? {
            "cat_feature_value" => projection.categories.push(index("cat_feature_index")?),
            "float_feature" => {
                let (feature, border) = (index("float_feature_index")?, number("border")? as f32);
                projection.above.push(Projection::border(Border { feature, border }));
            }
            "cat_feature_exact_value" => projection.equal.push((index("cat_feature_index")?, number("value")? as i32)),
            _ => return None,
        }
    }
    Some(projection)
}

fn table(value: &Value<'_>, projection: usize, kind: CtrKind) -> Option<CtrTable> {
    let denominator = value.get("counter_denominator").and_then(Value::number).unwrap_or(0.0) as i32;
    let stride = value.get("hash_stride").and_then(Value::number).filter(|s| *s >= 2.0)? as usize;
    let Value::List(list) = value.get("hash_map")? else { return None };
    let rows = list.chunks_exact(stride);
    if !rows.remainder().is_empty() || kind == CtrKind::Mean && stride != 3 {
        return None;
    }
    let keys = rows.clone().map(|row| row[0].text()?.parse().ok()).collect::<Option<_>>()?;
    let counts = match kind {
        CtrKind::Mean => Counts::Means(
            rows.map(|row| Some((row[1].number()? as f32, row[2].number()? as i32))).collect::<Option<_>>()?,
        ),
        _ => {
            let counts = rows.flat_map(|row| row[1..].iter().map(|n| n.number().map(|n| n as i32)));
            Counts::Rows(stride - 1, counts.collect::<Option<_>>()?)
        }
    };
    Some(CtrTable { projection, kind, keys, counts, denominator })
}
