//! Class labels and category names: their type, and the text that Python's `str` gives them.

use std::sync::Arc;

use flock_ir_spec::{Data, Diagnostic, Frame, Scalar};

use crate::read::numpy::Kind;
use crate::read::view::{Plain, View};

/// The labels of a classifier, in the order of `classes_`.
pub struct Labels {
    /// `str(label)` of each.
    pub texts: Vec<String>,
    /// A table of one column: row i is label i.
    pub table: Frame,
}

impl Labels {
    /// The labels of `classes_`: all int, all str, all bool or all float.
    pub fn of(view: &View<'_>) -> Result<Labels, Diagnostic> {
        let plains = view.plains()?;
        if view.element_kind() == Some(Kind::Float) && view.element_size() != Some(8) {
            return Err(view.unsupported("class labels of a float that is not float64"));
        }
        let texts = plains.iter().map(text).collect();
        let data =
            match plains.first() {
                Some(Plain::Int(_)) => {
                    Data::I64(all(view, &plains, |p| if let Plain::Int(i) = p { Some(*i) } else { None })?)
                }
                Some(Plain::Bool(_)) => {
                    Data::Bool(all(view, &plains, |p| if let Plain::Bool(b) = p { Some(*b) } else { None })?)
                }
                Some(Plain::Float(_)) => {
                    Data::F64(all(view, &plains, |p| if let Plain::Float(f) = p { Some(*f) } else { None })?)
                }
                Some(Plain::Str(_)) => Data::Str(all(view, &plains, |p| {
                    if let Plain::Str(s) = p { Some(Arc::from(s.as_str())) } else { None }
                })?),
                _ => return Err(view.expected("class labels of one type")),
            };
        let table = Frame::new(plains.len(), 1, data).ok_or_else(|| view.expected("class labels"))?;
        Ok(Labels { texts, table })
    }

    /// 0 and 1, of a column of an indicator matrix.
    pub fn no_and_yes() -> Labels {
        Labels::numbers(2)
    }

    /// 0 to n - 1.
    pub fn numbers(n: usize) -> Labels {
        let table = Frame { rows: n, width: 1, data: Data::I64((0..n as i64).collect()), valid: None };
        Labels { texts: (0..n).map(|i| i.to_string()).collect(), table }
    }

    /// The position of the label that is equal to a value, as Python compares: `True` is 1.
    pub fn position(&self, value: &Plain) -> Option<usize> {
        let equal = |label: Scalar| match (label, value) {
            (Scalar::Str(label), Plain::Str(value)) => *label == **value,
            (Scalar::Bool(label), value) => value.number() == Some(f64::from(u8::from(label))),
            (Scalar::I64(label), Plain::Int(value)) => label == *value,
            (Scalar::I64(label), value) => value.number() == Some(label as f64),
            (Scalar::F64(label), value) => value.number() == Some(label),
            _ => false,
        };
        (0..self.len()).find(|i| equal(self.table.get(*i, 0)))
    }

    /// A label per row of a table.
    pub fn stored(table: Frame) -> Labels {
        let text_of = |i: usize| match table.get(i, 0) {
            Scalar::Bool(b) => text(&Plain::Bool(b)),
            Scalar::I64(x) => x.to_string(),
            Scalar::F32(x) => float(f64::from(x)),
            Scalar::F64(x) => float(x),
            Scalar::Str(s) => s.to_string(),
            Scalar::Null => text(&Plain::None),
        };
        Labels { texts: (0..table.rows).map(text_of).collect(), table }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Label i as a constant of one row.
    pub fn row(&self, i: usize) -> Frame {
        let data = match &self.table.data {
            Data::Bool(v) => Data::Bool(vec![v[i]]),
            Data::I64(v) => Data::I64(vec![v[i]]),
            Data::F32(v) => Data::F32(vec![v[i]]),
            Data::F64(v) => Data::F64(vec![v[i]]),
            Data::Str(v) => Data::Str(vec![v[i].clone()]),
        };
        Frame { rows: 1, width: 1, data, valid: None }
    }
}

fn all<T>(view: &View<'_>, plains: &[Plain], of: impl Fn(&Plain) -> Option<T>) -> Result<Vec<T>, Diagnostic> {
    plains.iter().map(of).collect::<Option<_>>().ok_or_else(|| view.expected("class labels of one type"))
}

/// Python's `str` of a value.
pub fn text(plain: &Plain) -> String {
    match plain {
        Plain::None => "None".into(),
        Plain::Na => "<NA>".into(),
        Plain::Bool(b) => if *b { "True" } else { "False" }.into(),
        Plain::Int(i) => i.to_string(),
        Plain::Float(f) => float(*f),
        Plain::Str(s) => s.clone(),
    }
}

/// Python's `repr` of a float: the shortest digits that read back, in scientific form below 1e-4 and from 1e16 on.
pub fn float(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "nan".into()
        } else if x > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if x != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{x}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_print_as_python_prints_them() {
        for (x, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(x), text);
        }
    }
}
