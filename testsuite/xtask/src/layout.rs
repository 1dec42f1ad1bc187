//! Where things lie: the repository, its build directory, the environments.

use std::env;
use std::path::PathBuf;

/// The folders that the chores read and write.
pub struct Layout {
    repository: PathBuf,
    target: PathBuf,
    environments: PathBuf,
}

impl Layout {
    /// The repository that cargo runs this for, or it was built from; `CARGO_TARGET_DIR` and `FLOCK_ORACLE_DIR` are honoured.
    pub fn find() -> Layout {
        // A target directory may be shared by checkouts, so cargo is asked first.
        let here = directory("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let repository = here.ancestors().nth(2).unwrap_or(&here).to_path_buf();
        let target = directory("CARGO_TARGET_DIR").unwrap_or_else(|| repository.join("target"));
        let environments = directory("FLOCK_ORACLE_DIR").unwrap_or_else(|| target.join("oracle"));
        Layout { repository, target, environments }
    }

    /// The full flights and what the libraries answer on them.
    pub fn flights(&self) -> PathBuf {
        self.target.join("flights")
    }

    /// The committed sample and models of the flights.
    pub fn committed_flights(&self) -> PathBuf {
        self.repository.join("testsuite/data/flights")
    }

    /// The binary of a release build.
    pub fn flockc(&self) -> PathBuf {
        self.target.join("release/flockc")
    }

    /// Where random pipelines that fail are written, as cases.
    pub fn random(&self) -> PathBuf {
        self.target.join("random")
    }

    /// The models of the cases as skops writes them.
    pub fn skops(&self) -> PathBuf {
        self.target.join("skops")
    }

    /// The crates that programs run with.
    pub fn runtime(&self) -> PathBuf {
        self.repository.join("runtime")
    }

    /// The root of the `.flk` files.
    pub fn cases(&self) -> PathBuf {
        self.repository.join("testsuite/cases")
    }

    /// A script or requirements file of the oracle.
    pub fn oracle(&self, file: &str) -> PathBuf {
        self.repository.join("testsuite/oracle").join(file)
    }

    /// The folder of an environment.
    pub fn environment(&self, name: &str) -> PathBuf {
        self.environments.join(name)
    }
}

/// An absolute path from the environment variable `name`, if it is set and not empty.
fn directory(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some(std::path::absolute(&value).unwrap_or_else(|_| PathBuf::from(value)))
}
