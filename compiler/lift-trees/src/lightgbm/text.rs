//! The lines of a file: a header, trees, parameters, and the categories that pandas gave.

use std::collections::HashMap;
use std::str::FromStr;

use crate::json;
use crate::value::Value;
use crate::{Res, damaged, unsupported};

/// Keys and values of a tree: so few that they are looked through. The last of equal keys counts.
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// None yet, but as many are expected as the last tree has.
    fn after(last: Option<&Fields<'_>>) -> Fields<'a> {
        Fields(Vec::with_capacity(last.map_or(0, |f| f.0.len())))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    /// Sets the value of a key; false where there are too many of them.
    fn set(&mut self, key: &'a str, value: &'a str) -> bool {
        if let Some(known) = self.0.iter_mut().find(|(k, _)| *k == key) {
            known.1 = value;
            return true;
        }
        let fits = self.0.len() < FIELDS;
        if fits {
            self.0.push((key, value));
        }
        fits
    }
}

/// A file in its parts.
pub(crate) struct File<'a> {
    header: HashMap<&'a str, &'a str>,
    /// One entry per tree.
    pub trees: Vec<Fields<'a>>,
    parameters: HashMap<&'a str, &'a str>,
    /// Per column of pandas categories their values.
    pub pandas: Option<Value<'a>>,
}

/// Most fields of a tree, so that each is found by looking through all. LightGBM writes about 20.
const FIELDS: usize = 64;

/// The last version whose files are known.
const VERSION: &str = "v4";

impl<'a> File<'a> {
    /// Splits a text.
    pub fn read(text: &'a str) -> Res<File<'a>> {
        let mut lines = text.lines();
        let mut header = HashMap::new();
        let mut trees: Vec<Fields<'a>> = Vec::new();
        for line in lines.by_ref() {
            if line.starts_with("Tree=") {
                trees.push(Fields::after(None));
                break;
            }
            if line.trim() == "end of trees" {
                break;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            header.insert(key.trim(), value.trim());
        }
        if !trees.is_empty() {
            read_trees(&mut lines, &mut trees)?;
        }
        let mut parameters = HashMap::new();
        let mut pandas = None;
        for line in lines {
            if let Some((key, value)) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')?.split_once(':')) {
                parameters.insert(key.trim(), value.trim());
            } else if let Some(categories) = line.strip_prefix("pandas_categorical:") {
                let value = json::parse(categories.trim().as_bytes(), json::Width::F64);
                pandas = Some(value.map_err(|e| damaged("pandas_categorical", e))?);
            }
        }
        let file = File { header, trees, parameters, pandas: pandas.filter(|p| !matches!(p, Value::Null)) };
        match file.header("version") {
            Some("v2" | "v3" | VERSION) => Ok(file),
            version => {
                let found = version.unwrap_or("none");
                Err(unsupported("version", format!("model format `{found}`; v2 to {VERSION} are known")))
            }
        }
    }

    /// A value of the header.
    pub fn header(&self, key: &str) -> Option<&'a str> {
        self.header.get(key).copied()
    }

    /// A value of the parameters that the model was trained with.
    pub fn parameter(&self, key: &str) -> Option<&'a str> {
        self.parameters.get(key).copied()
    }

    /// A number of the header that must be there.
    pub fn size(&self, key: &str) -> Res<usize> {
        let value = self.header(key).ok_or_else(|| damaged("header", format!("no `{key}`")))?;
        value.parse().map_err(|_| damaged(key, format!("`{}` is no size", excerpt(value))))
    }
}

fn read_trees<'a>(lines: &mut std::str::Lines<'a>, trees: &mut Vec<Fields<'a>>) -> Res<()> {
    for line in lines {
        match (line.split_once('='), line.trim()) {
            (_, "end of trees") => return Ok(()),
            (_, "") => {}
            (Some(("Tree", _)), _) => trees.push(Fields::after(trees.last())),
            (Some((key, value)), _) => {
                if !trees.last_mut().is_none_or(|tree| tree.set(key.trim(), value.trim())) {
                    let place = format!("tree {}", trees.len() - 1);
                    return Err(damaged(place, format!("more than {FIELDS} fields, expected about 20")));
                }
            }
            (None, other) => {
                let place = format!("tree {}", trees.len() - 1);
                return Err(damaged(place, format!("a line without `=`: {}", excerpt(other))));
            }
        }
    }
    Err(damaged("trees", "the file ends before `end of trees`"))
}

/// The beginning of a text, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Exactly `n` numbers between spaces.
pub(crate) fn numbers<T: FromStr>(fields: &Fields<'_>, key: &str, n: usize) -> Result<Vec<T>, String> {
    let text = fields.get(key).ok_or_else(|| format!("no `{key}`"))?;
    // A number takes a digit and a space.
    let mut parsed: Vec<T> = Vec::with_capacity(n.min(text.len().div_ceil(2)));
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let end = rest.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = rest[end..].trim_ascii_start();
        let number = word.parse().map_err(|_| format!("`{}` in `{key}` is no number that fits", excerpt(word)))?;
        parsed.push(number);
    }
    if parsed.len() == n { Ok(parsed) } else { Err(format!("{} numbers in `{key}`, {n} expected", parsed.len())) }
}

/// One number.
pub(crate) fn number<T: FromStr>(fields: &Fields<'_>, key: &str) -> Result<T, String> {
    let text = fields.get(key).ok_or_else(|| format!("no `{key}`"))?;
    text.parse().map_err(|_| format!("`{}` in `{key}` is no number that fits", excerpt(text)))
}
