//! `cargo xtask header`: `runtime/static/include/flock.h`, written by cbindgen from the runtime's own source.

use crate::layout::Layout;
use crate::process::Failure;
use cbindgen::{Builder, Config, ItemType, Language};
use std::fs;

/// What is not written by cbindgen: types that C sees as names alone, and Arrow's structures behind the guard that every
/// library puts around them.
const AFTER: &str = r#"
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

#endif

typedef struct ArrowSchema ArrowSchema;
typedef struct ArrowArray ArrowArray;

/**
 * A compiled pipeline: read-only data of an object file.
 */
typedef struct FlockProgram FlockProgram;
"#;

/// Writes the header, or says that it is not what the source says.
pub fn run(layout: &Layout, arguments: &[String]) -> Result<(), Failure> {
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => return Err(Failure::Usage("`header` knows `--check` alone".to_owned())),
    };
    let title = "/* The runtime of compiled Flock pipelines: `cargo xtask header` writes this from its source. */";
    let mut config = Config {
        language: Language::C,
        header: Some(title.into()),
        include_guard: Some("FLOCK_H".into()),
        no_includes: true,
        sys_includes: ["stddef.h", "stdint.h"].map(String::from).into(),
        after_includes: Some(AFTER.into()),
        cpp_compat: true,
        usize_is_size_t: true,
        ..Config::default()
    };
    config.enumeration.prefix_with_name = true;
    config.enumeration.rename_variants = cbindgen::RenameRule::ScreamingSnakeCase;
    config.export.item_types = vec![ItemType::Enums, ItemType::Structs, ItemType::OpaqueItems, ItemType::Functions];
    config.export.include = ["FlockStatus", "FlockStr"].map(String::from).into();
    config.export.exclude = ["ArrowSchema", "ArrowArray", "FlockProgram"].map(String::from).into();
    let source = |file: &str| layout.runtime().join(file);
    let bindings = Builder::new()
        .with_config(config)
        .with_src(source("core/src/abi.rs"))
        .with_src(source("static/src/arrow.rs"))
        .with_src(source("static/src/lib.rs"))
        .generate()
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let path = source("static/include/flock.h");
    if !check {
        return fs::write(&path, text).map_err(|error| Failure::because(&path.display().to_string(), error));
    }
    match fs::read(&path) {
        Ok(found) if found == text => Ok(()),
        _ => Err(Failure::Failed(format!("{} is not what its source says: cargo xtask header", path.display()))),
    }
}
