//! The C header of a library, and its page.

use std::collections::BTreeSet;
use std::fmt::Write;

use flock_core::{Field, FlockKind, RowLayout};

use super::{Kind, Library};

/// Words that C or C++ keep to themselves.
const RESERVED: &str = " alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const \
    consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else \
    enum explicit export extern false float for friend goto if inline int long main mutable namespace new noexcept not not_eq nullptr \
    operator or or_eq private protected public register reinterpret_cast requires restrict return short signed sizeof static \
    static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned \
    using virtual void volatile wchar_t while xor xor_eq ";

/// Whether a word cannot be a name in C or C++.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&format!(" {word} "))
}

/// A member of a structure: its name in C, its type, and what it is for a reader.
pub(super) struct Member {
    pub name: String,
    ctype: &'static str,
    what: String,
}

/// The members of a row: values, then bytes that say what is missing.
pub(super) struct Members {
    /// One per field.
    pub values: Vec<Member>,
    /// Per field, its byte in `bytes` if it has one.
    byte_of: Vec<Option<usize>>,
    bytes: Vec<Member>,
    layout: RowLayout,
}

impl Members {
    /// Of the inputs.
    pub fn inputs(fields: &[Field]) -> Members {
        Members::of(fields, RowLayout::inputs(fields))
    }

    /// Of the outputs.
    pub fn outputs(fields: &[Field]) -> Members {
        Members::of(fields, RowLayout::outputs(fields))
    }

    fn of(fields: &[Field], layout: RowLayout) -> Members {
        let mut taken = BTreeSet::new();
        let mut fresh = |wanted: String| {
            let (mut name, mut n) = (wanted.clone(), 1);
            while is_reserved(&name) || !taken.insert(name.clone()) {
                n += 1;
                name = format!("{wanted}_{n}");
            }
            name
        };
        let value = |f: &Field, byte: &Option<usize>, name| {
            let what = format!("`{}`, {}; missing: {}", one_line(&f.name), f.kind.name(), missing(f, byte.is_some()));
            Member { name, ctype: ctype(f.kind), what }
        };
        let both = || fields.iter().zip(&layout.fields);
        let values: Vec<Member> = both().map(|(f, (_, b))| value(f, b, fresh(identifier(&f.name)))).collect();
        let (mut bytes, mut byte_of) = (Vec::new(), Vec::new());
        for ((f, (_, byte)), m) in both().zip(&values) {
            byte_of.push(byte.map(|_| bytes.len()));
            if byte.is_some() {
                let what = format!("1: `{}` is missing", one_line(&f.name));
                bytes.push(Member { name: fresh(format!("{}_is_null", m.name)), ctype: "uint8_t", what });
            }
        }
        Members { values, byte_of, bytes, layout }
    }

    /// Per field, its value and its byte.
    pub fn pairs(&self) -> impl Iterator<Item = (&Member, Option<&Member>)> {
        self.values.iter().zip(&self.byte_of).map(|(m, b)| (m, b.map(|b| &self.bytes[b])))
    }

    /// The structure of that name.
    fn structure(&self, name: &str) -> String {
        let mut text = format!("struct {name} {{\n");
        for m in self.values.iter().chain(&self.bytes) {
            let _ = writeln!(text, "  {} {}; /* {} */", m.ctype, m.name, m.what);
        }
        if self.values.is_empty() {
            let _ = writeln!(text, "  uint8_t nothing; /* there is no column */");
        }
        text + "};\n"
    }

    /// The table of the page.
    fn table(&self, fields: &[Field]) -> String {
        let mut text = String::from("| column | type | member | C type | missing |\n|---|---|---|---|---|\n");
        for (f, (m, byte)) in fields.iter().zip(self.pairs()) {
            let (name, kind) = (one_line(&f.name), f.kind.name());
            let missing = missing(f, byte.is_some());
            let _ = writeln!(text, "| `{name}` | {kind} | `{}` | `{}` | {missing} |", m.name, m.ctype);
        }
        text
    }
}

/// How a value says that it is missing.
fn missing(f: &Field, byte: bool) -> &'static str {
    match (f.nullable, f.kind) {
        (false, _) => "never",
        (true, _) if byte => "its `_is_null` member is 1",
        (true, FlockKind::Str) => "`ptr` is NULL",
        (true, _) => "NaN, or null in a batch",
    }
}

fn ctype(kind: FlockKind) -> &'static str {
    match kind {
        FlockKind::Bool => "uint8_t",
        FlockKind::I64 => "int64_t",
        FlockKind::F32 => "float",
        FlockKind::F64 => "double",
        FlockKind::Str => "FlockStr",
    }
}

/// A column's name as an identifier of C.
pub(super) fn identifier(name: &str) -> String {
    let mut text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) {
        text.insert(0, '_');
    }
    text
}

/// Text that cannot end a comment or a table's row.
fn one_line(text: &str) -> String {
    text.replace("*/", "* /").replace(['\n', '\r'], " ").replace('|', "\\|")
}

/// What `NAME.h` declares, but for its functions.
pub(super) fn declarations(l: &Library<'_>) -> String {
    let name = l.name;
    let (inputs, outputs) = (Members::inputs(&l.inputs), Members::outputs(&l.outputs));
    let sizes = format!(
        "sizeof(struct {name}_input) == {} && sizeof(struct {name}_output) == {}, \"a row's layout\"",
        inputs.layout.size, outputs.layout.size
    );
    format!(
        "{runtime}
#include <stdlib.h>

#ifdef __cplusplus
extern \"C\" {{
#endif

/* The compiled pipeline. */
extern const FlockProgram {name}_program;

/* One row in. */
{input}
/* One row out. */
{output}
#ifdef __cplusplus
}}
static_assert({sizes});
#else
_Static_assert({sizes});
#endif
",
        runtime = flock_runtime::HEADER,
        input = inputs.structure(&format!("{name}_input")),
        output = outputs.structure(&format!("{name}_output")),
    )
}

/// `NAME.h`.
pub(super) fn header(l: &Library<'_>) -> String {
    let (name, guard) = (l.name, l.name.to_uppercase());
    format!(
        "/* Made by flockc {version} from {source}. {name}.md says how to use it. */
#ifndef {guard}_FLOCK_MODEL_H
#define {guard}_FLOCK_MODEL_H

{declarations}
/* Scores a batch; see flock_batch. */
static inline int {name}_batch(const struct ArrowArray *batch, const struct ArrowSchema *schema, uint32_t threads,
                         struct ArrowArray *out, struct ArrowSchema *out_schema) {{
  return flock_batch(&{name}_program, batch, schema, threads, out, out_schema);
}}

/* Makes the memory for single rows; one for each thread. Free it with flock_row_free. */
static inline int {name}_row_new(FlockRow **row) {{
  return flock_row_new(&{name}_program, row);
}}

/* Scores one row; `row` is from {name}_row_new. */
static inline int {name}_row(FlockRow *row, const struct {name}_input *input, struct {name}_output *output) {{
  return flock_row(row, input, output);
}}

#endif
",
        version = env!("CARGO_PKG_VERSION"),
        source = one_line(&l.source),
        declarations = declarations(l),
    )
}

/// A line of the example that sets an input.
fn set(f: &Field, m: &Member) -> String {
    match f.kind {
        FlockKind::Str => format!("  in.{0}.ptr = (const uint8_t *)\"AA\"; in.{0}.len = 2;\n", m.name),
        FlockKind::Bool => format!("  in.{} = 1;\n", m.name),
        FlockKind::I64 => format!("  in.{} = 7;\n", m.name),
        FlockKind::F32 | FlockKind::F64 => format!("  in.{} = 1.5;\n", m.name),
    }
}

/// A line of the example that shows an output.
fn show(f: &Field, m: &Member) -> String {
    let (format, value) = match f.kind {
        FlockKind::Str => ("%.*s", format!("(int)out.{0}.len, (const char *)out.{0}.ptr", m.name)),
        FlockKind::Bool => ("%d", format!("out.{}", m.name)),
        FlockKind::I64 => ("%lld", format!("(long long)out.{}", m.name)),
        FlockKind::F32 | FlockKind::F64 => ("%.17g", format!("out.{}", m.name)),
    };
    format!("  printf(\"{}: {format}\\n\", {value});\n", m.name)
}

/// How a program is linked, by kind.
fn linked(l: &Library<'_>) -> String {
    match l.kind {
        Kind::Object => format!("gcc main.c {} libflock_runtime.a -lm -lpthread -o main", l.file),
        Kind::Static => format!("gcc main.c {} -lm -lpthread -o main", l.file),
        Kind::Shared => format!("gcc main.c ./{} -o main", l.file),
    }
}

/// What the page says of databases.
fn databases(l: &Library<'_>) -> String {
    let (name, file) = (l.name, l.file);
    let outputs = Members::outputs(&l.outputs);
    let first = outputs.values.first().map_or("prediction", |m| &m.name);
    let inputs: Vec<String> = l.inputs.iter().map(|f| format!("\"{}\"", one_line(&f.name))).collect();
    let call = format!("{name}_{first}({})", inputs.join(", "));
    format!(
        "
## Databases

A function per output, `{name}_OUTPUT`, takes the inputs in the order above; a null is a missing value.

SQLite: `.load ./{file}`, then `SELECT {call} FROM data`.

PostgreSQL 13 and later, on 64-bit Linux: copy `{file}` to `$(pg_config --pkglibdir)`, run `{name}.sql`, then the same statement.
Text is read as UTF-8: in databases of another encoding, functions of text refuse. A function takes at most 100 arguments: there is
no `{name}.sql` for a model of more inputs.

DuckDB: its Arrow result goes into `{name}_batch`, and what comes out is an Arrow table that it scans.
"
    )
}

/// `NAME.md`.
pub(super) fn page(l: &Library<'_>) -> String {
    let name = l.name;
    let (inputs, outputs) = (Members::inputs(&l.inputs), Members::outputs(&l.outputs));
    let sets: String = l.inputs.iter().zip(&inputs.values).map(|(f, m)| set(f, m)).collect();
    let shows: String = l.outputs.iter().zip(&outputs.values).map(|(f, m)| show(f, m)).collect();
    format!(
        "# {name}

`{file}` is the pipeline of `{source}`, compiled by flockc {version}. `{name}.h` declares it. It opens no file, starts nothing
when it is loaded, and can be called by any number of threads at once.

## Inputs

{inputs}
## Outputs

{outputs}
A row that the training library would refuse is missing in every output.

## One row

```c
#include <stdio.h>
#include \"{name}.h\"

int main(void) {{
  FlockRow *row;
  struct {name}_input in = {{0}};
  struct {name}_output out;
{sets}  if ({name}_row_new(&row) || {name}_row(row, &in, &out)) {{
    fprintf(stderr, \"%s\\n\", flock_message());
    return 1;
  }}
{shows}  flock_row_free(row);
  return 0;
}}
```

```
{linked}
```

`FlockRow` is memory for one thread at a time; nothing is allocated per row. Text in `out` is valid until the next call.

## Batches

`{name}_batch` takes a struct array of the Arrow C Data Interface, as every Arrow library and DuckDB exports it. Columns are bound
by name, others are ignored. Integers and floats of any width, truth values, text as `utf8`, `large_utf8`, `utf8_view` or a
dictionary of it are read where they lie. The batch stays yours: it is not released. The result is a struct array of a column per
output, which you release. `threads` (0: all processors) does not change the result.

## Faults

Functions give 0, or a status, and `flock_message()` says what was wrong, one fault a line:

| status | |
|---|---|
| `FLOCK_STATUS_SCHEMA` | a column is absent, there twice, or of a type that the input cannot be made of |
| `FLOCK_STATUS_LENGTH` | a length, an offset or a count is negative, overflows, or does not fit the others |
| `FLOCK_STATUS_NULL` | a null where none is allowed |
| `FLOCK_STATUS_MEMORY` | memory cannot be had, or text outgrows 2 GiB in one batch |
| `FLOCK_STATUS_ARGUMENT` | a null pointer where there must be a structure or a buffer, or a structure that was released |
| `FLOCK_STATUS_ALIGNMENT` | a buffer or a structure is not aligned to its elements |
| `FLOCK_STATUS_VERSION` | the object is of another version of the runtime, or damaged |
| `FLOCK_STATUS_INTERNAL` | a fault of the library |
{databases}",
        file = l.file,
        source = one_line(&l.source),
        version = env!("CARGO_PKG_VERSION"),
        inputs = inputs.table(&l.inputs),
        outputs = outputs.table(&l.outputs),
        linked = linked(l),
        databases = if l.kind == Kind::Shared { databases(l) } else { String::new() },
    )
}
