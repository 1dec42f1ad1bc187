//! The scikit-learn versions that are known.

use flock_ir_spec::Diagnostic;

use crate::read::view::View;

/// Major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// The first and the last version whose sources the lifters were compared with.
pub const KNOWN: (Version, Version) = (Version(1, 2), Version(1, 9));

impl Version {
    /// The version of a text such as `1.9.1`; releases only.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|p| p.parse().ok());
        Some(Version(parts.next()??, parts.next()??))
    }

    /// The version that fitted an estimator.
    pub fn of(view: &View<'_>) -> Result<Version, Diagnostic> {
        let text = view.get("_sklearn_version").and_then(|v| v.str()).unwrap_or("none");
        let version = Version::parse(text);
        version.filter(|v| (KNOWN.0..=KNOWN.1).contains(v)).ok_or_else(|| {
            let (from, to) = KNOWN;
            let known = format!("{}.{} to {}.{}", from.0, from.1, to.0, to.1);
            let message = format!("fitted with scikit-learn {text}; {known} are known");
            Diagnostic::new("flock::lift::version", view.path(), message)
                .help("fit and save the pipeline with a known version, or update flockc")
        })
    }
}
