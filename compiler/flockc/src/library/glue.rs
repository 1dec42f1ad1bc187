//! The functions that a shared library exports, in C: each calls the runtime with the pipeline's program. Databases call
//! through C alone, because some of what they offer jumps out of its caller.

use std::fmt::Write;

use flock_core::{Field, FlockKind};

use super::Library;
use super::header::{Member, Members, declarations};

/// Columns that a function of PostgreSQL and of SQLite may take.
const MOST_ARGUMENTS: [usize; 2] = [100, 127];

/// What is compiled beside the object.
pub(super) struct Glue {
    /// The source.
    pub source: String,
    /// The names that it defines for others.
    pub exports: Vec<String>,
    /// `CREATE FUNCTION` for PostgreSQL.
    pub script: Option<String>,
}

/// The glue of a library.
pub(super) fn glue(l: &Library<'_>) -> Glue {
    let name = l.name;
    let mut exports: Vec<String> =
        ["batch", "row_new", "row", "row_free", "message"].map(|f| format!("{name}_{f}")).into();
    let mut source = declarations(l);
    let _ = writeln!(
        source,
        "int {name}_batch(const struct ArrowArray *batch, const struct ArrowSchema *schema, uint32_t threads, struct ArrowArray *out,
    struct ArrowSchema *out_schema) {{
  return flock_batch(&{name}_program, batch, schema, threads, out, out_schema);
}}
int {name}_row_new(FlockRow **row) {{ return flock_row_new(&{name}_program, row); }}
int {name}_row(FlockRow *row, const struct {name}_input *input, struct {name}_output *output) {{ return flock_row(row, input, output); }}
void {name}_row_free(FlockRow *row) {{ flock_row_free(row); }}
const char *{name}_message(void) {{ return flock_message(); }}
"
    );
    let sides = Sides { inputs: Members::inputs(&l.inputs), outputs: Members::outputs(&l.outputs) };
    source.push_str(include_str!("sqlite.c"));
    source.push_str(&sqlite(l, &sides));
    exports.extend([EXTENSION.to_owned(), sqlite_entry(name)]);
    let mut script = None;
    if l.inputs.len() <= MOST_ARGUMENTS[0] {
        source.push_str(include_str!("postgres.c"));
        source.push_str(&postgres(l, &sides));
        exports.push("Pg_magic_func".into());
        for m in &sides.outputs.values {
            exports.extend([format!("{name}_pg_{}", m.name), format!("pg_finfo_{name}_pg_{}", m.name)]);
        }
        script = Some(create_functions(l, &sides));
    }
    Glue { source, exports, script }
}

struct Sides {
    inputs: Members,
    outputs: Members,
}

/// Text as a literal of C.
fn literal(text: &str) -> String {
    let byte = |b: u8| match b {
        b'"' | b'\\' => format!("\\{}", b as char),
        b' '..=b'~' if b != b'?' => (b as char).to_string(),
        b => format!("\\{b:03o}"),
    };
    format!("\"{}\"", text.bytes().map(byte).collect::<String>())
}

fn getter(kind: FlockKind) -> &'static str {
    match kind {
        FlockKind::Bool => "bool",
        FlockKind::I64 => "int64",
        FlockKind::F32 => "float",
        FlockKind::F64 => "double",
        FlockKind::Str => "text",
    }
}

/// A call that reads argument k.
fn get(database: &str, before: &str, argument: &str, f: &Field, m: &Member, byte: Option<&Member>) -> String {
    let null = match (f.kind, byte) {
        (FlockKind::I64 | FlockKind::Bool, Some(b)) => format!(", &in.{}", b.name),
        (FlockKind::I64 | FlockKind::Bool, None) => ", 0".to_owned(),
        _ => String::new(),
    };
    let (getter, name, nullable) = (getter(f.kind), literal(&f.name), u8::from(f.nullable));
    format!("{database}_get_{getter}({before}{argument}, {name}, {nullable}, &in.{}{null})", m.name)
}

/// The entry that SQLite looks for first.
const EXTENSION: &str = "sqlite3_extension_init";

/// The entry that it looks for then: the letters of the file's name, in lower case.
fn sqlite_entry(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    format!("sqlite3_{letters}_init")
}

fn sqlite(l: &Library<'_>, sides: &Sides) -> String {
    let name = l.name;
    let mut reads = String::new();
    for (k, (f, (m, byte))) in l.inputs.iter().zip(sides.inputs.pairs()).enumerate() {
        let _ = writeln!(reads, "  if ({}) return;", get("sqlite", "context, ", &format!("argv[{k}]"), f, m, byte));
    }
    let mut gives = String::new();
    for (o, (f, (m, byte))) in l.outputs.iter().zip(sides.outputs.pairs()).enumerate() {
        let value = match f.kind {
            FlockKind::Bool | FlockKind::I64 => format!("sqlite_result_int64(context, out.{})", m.name),
            FlockKind::F32 | FlockKind::F64 => format!("sqlite_result_double(context, out.{})", m.name),
            FlockKind::Str => {
                format!("sqlite_result_text(context, (const char *)out.{0}.ptr, (int)out.{0}.len, SQLITE_COPY)", m.name)
            }
        };
        let null = byte.map_or(String::new(), |b| format!("if (out.{}) sqlite_result_null(context); else ", b.name));
        let _ = writeln!(gives, "  case {o}: {null}{value}; break;");
    }
    let names: Vec<String> = sides.outputs.values.iter().map(|m| literal(&format!("{name}_{}", m.name))).collect();
    let entry = sqlite_entry(name);
    format!(
        "
static void {name}_sqlite(void *context, int argc, void **argv) {{
  SqliteOutput *this = sqlite_user_data(context);
  struct {name}_input in;
  struct {name}_output out;
  memset(&in, 0, sizeof in);
{reads}  if (flock_row(this->row, &in, &out)) {{
    sqlite_result_error(context, flock_message(), -1);
    return;
  }}
  switch (this->output) {{
{gives}  }}
}}

static void {name}_sqlite_free(void *output) {{
  flock_row_free(((SqliteOutput *)output)->row);
  free(output);
}}

int {entry}(void *db, char **error, const SqliteApi *api) {{
  static const char *const names[] = {{ {names} }};
  sqlite = api;
  if ({inputs} > {most}) {{
    *error = sqlite_printf(\"a function of SQLite takes {most} arguments, and this model has {inputs}\");
    return 1;
  }}
  for (int o = 0; o < {outputs}; o++) {{
    SqliteOutput *output = calloc(1, sizeof *output);
    if (!output || flock_row_new(&{name}_program, &output->row)) {{
      free(output);
      *error = sqlite_printf(\"%s\", flock_message());
      return 1;
    }}
    output->output = o;
    /* SQLite frees the output, also where it refuses it. */
    int status = sqlite_create(db, names[o], {inputs}, SQLITE_FLAGS, output, {name}_sqlite, 0, 0, {name}_sqlite_free);
    if (status) return status;
  }}
  return 0;
}}

{alias}
",
        alias = match &*entry {
            EXTENSION => String::new(),
            _ => format!(
                "int {EXTENSION}(void *db, char **error, const SqliteApi *api) {{ return {entry}(db, error, api); }}\n"
            ),
        },
        names = names.join(", "),
        inputs = l.inputs.len(),
        outputs = l.outputs.len(),
        most = MOST_ARGUMENTS[1],
    )
}

fn postgres(l: &Library<'_>, sides: &Sides) -> String {
    let name = l.name;
    let mut reads = String::new();
    for (k, (f, (m, byte))) in l.inputs.iter().zip(sides.inputs.pairs()).enumerate() {
        let _ = writeln!(reads, "  {};", get("pg", "", &format!("&call->args[{k}]"), f, m, byte));
    }
    let mut text = format!(
        "
static void {name}_pg(PgCall *call, struct {name}_output *out) {{
  /* A backend is one thread. */
  static FlockRow *row;
  struct {name}_input in;
  memset(&in, 0, sizeof in);
{reads}  if ((!row && flock_row_new(&{name}_program, &row)) || flock_row(row, &in, out)) pg_refuse(0, flock_message());
}}
"
    );
    for (f, (m, byte)) in l.outputs.iter().zip(sides.outputs.pairs()) {
        let value = match f.kind {
            FlockKind::F64 => format!("pg_from_double(out.{})", m.name),
            FlockKind::F32 => format!("pg_from_float(out.{})", m.name),
            FlockKind::Str => format!("pg_from_text(out.{})", m.name),
            FlockKind::Bool | FlockKind::I64 => format!("(Datum)out.{}", m.name),
        };
        let null = byte.map_or(String::new(), |b| format!("  if (out.{}) {{ call->isnull = 1; return 0; }}\n", b.name));
        let _ = writeln!(
            text,
            "
const PgInfo *pg_finfo_{name}_pg_{m}(void) {{ static const PgInfo info = {{ 1 }}; return &info; }}
Datum {name}_pg_{m}(PgCall *call) {{
  struct {name}_output out;
  {name}_pg(call, &out);
{null}  return {value};
}}",
            m = m.name
        );
    }
    text
}

fn sql_type(kind: FlockKind) -> &'static str {
    match kind {
        FlockKind::Bool => "boolean",
        FlockKind::I64 => "bigint",
        FlockKind::F32 => "real",
        FlockKind::F64 => "double precision",
        FlockKind::Str => "text",
    }
}

/// Bytes of the longest name that PostgreSQL takes.
const NAME_BYTES: usize = 63;

fn create_functions(l: &Library<'_>, sides: &Sides) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let argument = |f: &Field| match f.name.len() {
        1..=NAME_BYTES => format!("    {} {}", quoted(&f.name), sql_type(f.kind)),
        _ => format!("    {}", sql_type(f.kind)),
    };
    let arguments = l.inputs.iter().map(argument).collect::<Vec<_>>().join(",\n");
    let mut text = format!(
        "-- Functions of {file} for PostgreSQL 13 and later, on the server's own processors and in its own processes.
-- The library goes where the server looks for libraries: cp {file} \"$(pg_config --pkglibdir)\"
",
        file = l.file
    );
    for (f, m) in l.outputs.iter().zip(&sides.outputs.values) {
        let (name, sql) = (l.name, sql_type(f.kind));
        let function = quoted(&format!("{name}_{}", m.name));
        let file = l.file.replace('\'', "''");
        let _ = writeln!(
            text,
            "
CREATE OR REPLACE FUNCTION {function}(
{arguments}
) RETURNS {sql} AS '$libdir/{file}', '{name}_pg_{m}' LANGUAGE C IMMUTABLE PARALLEL SAFE;",
            m = m.name
        );
    }
    text
}
