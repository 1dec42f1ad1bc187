//! Reading and writing of `.flk` cases. `cases/README.md` describes the format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flock_ir_spec::{DType, Scalar};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file.
    pub path: PathBuf,
    /// What is claimed.
    pub prose: String,
    /// Sections in the order of the file: name, body without blank lines at its end.
    pub sections: Vec<(String, String)>,
}

impl Case {
    /// Reads a case.
    pub fn read(path: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut case = Case { path: path.to_owned(), prose: String::new(), sections: Vec::new() };
        for line in text.lines() {
            let body = match line.strip_prefix("=== ") {
                Some(name) => {
                    case.sections.push((name.trim().to_owned(), String::new()));
                    continue;
                }
                None => case.sections.last_mut().map_or(&mut case.prose, |(_, body)| body),
            };
            body.push_str(line);
            body.push('\n');
        }
        for (_, body) in &mut case.sections {
            body.truncate(body.trim_end().len());
        }
        case.prose.truncate(case.prose.trim_end().len());
        Ok(case)
    }

    /// Its name: the path below `cases/`, without the ending.
    pub fn name(&self) -> String {
        let below = self.path.strip_prefix(cases_folder()).unwrap_or(&self.path);
        below.with_extension("").display().to_string()
    }

    /// The body of a section.
    pub fn section(&self, name: &str) -> Option<&str> {
        self.sections.iter().find(|(n, _)| n == name).map(|(_, body)| body.as_str())
    }

    /// A value of the section `options`.
    pub fn option(&self, key: &str) -> Option<&str> {
        let lines = self.section("options")?.lines();
        lines.filter_map(|l| l.split_once(':')).find(|(k, _)| k.trim() == key).map(|(_, v)| v.trim())
    }

    /// Puts a section's body, at the end where it is new.
    pub fn put(&mut self, name: &str, body: &str) {
        let body = body.trim_end().to_owned();
        match self.sections.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = body,
            None => self.sections.push((name.to_owned(), body)),
        }
    }

    /// Writes the case to its file.
    pub fn write(&self) -> std::io::Result<()> {
        let mut text = format!("{}\n", self.prose);
        for (name, body) in &self.sections {
            let body = if body.is_empty() { String::new() } else { format!("{body}\n") };
            text.push_str(&format!("\n=== {name}\n{body}"));
        }
        std::fs::write(&self.path, text)
    }

    /// The scikit-learn versions that fitted its model, the newest first; none without a section `sklearn`.
    pub fn versions(&self) -> Vec<&str> {
        if self.section("sklearn").is_none() {
            return Vec::new();
        }
        let listed = self.option("versions").map(|v| v.split(',').map(str::trim).collect::<Vec<_>>());
        VERSIONS.into_iter().filter(|v| listed.as_ref().is_none_or(|l| l.contains(v))).collect()
    }

    /// The model files of the case with the suffix of their expectations: `sklearn-1.9`, …, `onnx`.
    pub fn models(&self) -> Vec<(String, PathBuf)> {
        let stem = self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = self.path.with_file_name("models");
        let ending = match self.option("format") {
            Some("pickle") => "pkl",
            Some(format) => format,
            None => "joblib",
        };
        let fitted = self.versions().into_iter().map(|v| format!("sklearn-{v}"));
        let fitted = fitted.map(|suffix| (folder.join(format!("{stem}.{suffix}.{ending}")), suffix));
        let graph = self.section("onnx").or_else(|| self.section("graph"));
        let twin = graph.map(|_| (folder.join(format!("{stem}.onnx")), "onnx".to_owned()));
        let boosters = self.boosters().into_iter().map(|suffix| (folder.join(format!("{stem}.{suffix}")), suffix));
        fitted.chain(twin).chain(boosters).map(|(file, suffix)| (suffix, file)).collect()
    }

    /// The gradient boosting files of the case: library and format, `xgboost.ubj`.
    fn boosters(&self) -> Vec<String> {
        let given = self.option("formats").map(|f| f.split(',').map(str::trim).collect::<Vec<_>>());
        let of = |(library, formats): &(&'static str, &[&str])| {
            let chosen = formats.iter().filter(|f| given.as_ref().is_none_or(|g| g.contains(*f)));
            chosen.map(|format| format!("{library}.{format}")).collect::<Vec<_>>()
        };
        BOOSTERS.iter().filter(|(library, _)| self.section(library).is_some()).flat_map(of).collect()
    }

    /// What the library answered with the model of that suffix: an older scikit-learn that answers as the case's newest
    /// one does has no section of its own.
    pub fn run(&self, suffix: &str) -> Option<&str> {
        let newest = || self.versions().first().map(|v| format!("run:sklearn-{v}"));
        let own = self.section(&format!("run:{suffix}"));
        let of_library = |(library, _): &(&str, _)| suffix.strip_prefix(library).is_some_and(|s| s.starts_with('.'));
        if let Some((library, _)) = BOOSTERS.iter().find(|b| of_library(b)) {
            return self.section(&format!("run:{library}"));
        }
        own.or_else(|| suffix.strip_prefix("sklearn-").and_then(|_| self.section(&newest()?)))
    }
}

/// The gradient boosting libraries with the endings of their formats.
const BOOSTERS: &[(&str, &[&str])] =
    &[("lightgbm", &["txt"]), ("xgboost", &["json", "ubj"]), ("catboost", &["json", "cbm"])];

/// The scikit-learn versions whose files are read, the newest first.
pub const VERSIONS: [&str; 4] = ["1.9", "1.7", "1.5", "1.2"];

/// The folder of cases.
pub fn cases_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Every case below the folder, ordered by path.
pub fn all_cases() -> Result<Vec<Case>, String> {
    let mut folders = vec![cases_folder()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "flk") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|p| Case::read(p)).collect()
}

/// A table of a case.
#[derive(Clone, Debug)]
pub struct Table {
    /// Names and dtypes.
    pub columns: Vec<(String, DType)>,
    /// Rows of cells.
    pub rows: Vec<Vec<Scalar>>,
}

impl Table {
    /// Reads a table.
    pub fn parse(text: &str) -> Result<Table, String> {
        let mut lines = text.lines().filter(|l| !l.is_empty());
        let header = cells(lines.next().ok_or("an empty table")?)?;
        let columns = header
            .into_iter()
            .map(|(cell, _)| {
                let (name, ty) = cell.rsplit_once(':').ok_or_else(|| format!("no type in `{cell}`"))?;
                Ok((name.to_owned(), DType::parse(ty).ok_or_else(|| format!("`{ty}` is no type"))?))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let row = |line: &str| {
            let cells = cells(line)?;
            if cells.len() != columns.len() {
                return Err(format!("{} cells for {} columns: {line}", cells.len(), columns.len()));
            }
            cells.iter().zip(&columns).map(|((text, quoted), (_, dtype))| scalar(text, *quoted, *dtype)).collect()
        };
        let rows = lines.map(row).collect::<Result<_, String>>()?;
        Ok(Table { columns, rows })
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(n, _)| n == name)
    }
}

/// The cells of a line, and whether they were quoted.
fn cells(line: &str) -> Result<Vec<(String, bool)>, String> {
    let mut cells = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        let (text, quoted) = match chars.next_if_eq(&'"') {
            Some(_) => (quoted(&mut chars).ok_or_else(|| format!("an open quote: {line}"))?, true),
            None => (std::iter::from_fn(|| chars.next_if(|c| *c != ',')).collect(), false),
        };
        cells.push((text, quoted));
        match chars.next() {
            Some(',') => {}
            Some(c) => return Err(format!("`{c}` behind a quote: {line}")),
            None => return Ok(cells),
        }
    }
}

/// The text up to the next quote that is not doubled; None where there is none.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' if chars.next_if_eq(&'"').is_some() => text.push('"'),
            '"' => return Some(text),
            c => text.push(c),
        }
    }
}

fn scalar(text: &str, quoted: bool, dtype: DType) -> Result<Scalar, String> {
    if !quoted && (text.is_empty() || text == "NULL") {
        return Ok(Scalar::Null);
    }
    let error = || format!("`{text}` is no {dtype}");
    Ok(match dtype {
        DType::Bool => Scalar::Bool(text.parse().map_err(|_| error())?),
        DType::I64 => Scalar::I64(text.parse().map_err(|_| error())?),
        DType::F32 => Scalar::F32(text.parse().map_err(|_| error())?),
        DType::F64 => Scalar::F64(text.parse().map_err(|_| error())?),
        DType::Str => Scalar::Str(Arc::from(text)),
    })
}
