//! The command line as clap sees it.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::codegen::Codegen;

/// Compiles machine-learning pipelines to SQL and native code, and runs them where the data is.
#[derive(Parser, Debug)]
#[command(name = "flockc", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// Give reports and diagnostics as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Compile a pipeline to SQL, or to Flock IR.
    #[command(
        after_help = "Example:\n  flockc compile late.joblib --to sql --dialect duckdb --table flights --keep id"
    )]
    Compile(Compile),
    /// Score files with a pipeline.
    #[command(after_help = "Example:\n  flockc run late.joblib --data flights.parquet --keep id -o scores.parquet")]
    Run(Run),
    /// Run a SQL query that asks for predictions, or print it optimised for a database.
    #[command(
        after_help = "Example:\n  flockc query \"SELECT id, predict_proba(late, '1') AS p FROM flights WHERE carrier = 'AA'\" \\\n    --model late=late.joblib --table flights=flights.parquet"
    )]
    Query(Query),
    /// Show the IR before and after optimisation, which rewrites fired, and what they saved.
    #[command(after_help = "Example:\n  flockc explain late.joblib")]
    Explain(Explain),
    /// Show what a pipeline is: steps, inputs, outputs, sizes, and which target can take it.
    #[command(after_help = "Example:\n  flockc inspect late.joblib")]
    Inspect(Inspect),
    /// Compare every engine with the reference on rows made to be hard, and on a file.
    #[command(after_help = "Example:\n  flockc verify late.joblib --data flights.parquet --certificate late.json")]
    Verify(Verify),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  flockc completions bash > /etc/bash_completion.d/flockc")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The names that a pipeline's inputs have.
#[derive(Args, Debug, Default, Clone)]
pub struct Names {
    /// Names of the inputs, in order, for a pipeline trained on an unnamed array.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub columns: Vec<String>,
    /// Flock IR text with a function per custom class, named for it; repeatable.
    #[arg(long, value_name = "FILE")]
    pub define: Vec<PathBuf>,
}

impl Names {
    /// The names, if any were given.
    pub fn given(&self) -> Option<Vec<String>> {
        (!self.columns.is_empty()).then(|| self.columns.clone())
    }
}

/// Which columns come out.
#[derive(Args, Debug, Default, Clone)]
pub struct Columns {
    /// Keep these outputs only; what the others need is not computed.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", value_parser = NonEmptyStringValueParser::new())]
    pub outputs: Vec<String>,
    /// Keep this output; repeatable, for names with commas.
    #[arg(long = "output", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub output: Vec<String>,
    /// Pass these columns of the input through; `*` for all.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub keep: Vec<String>,
    /// Input names.
    #[command(flatten)]
    pub names: Names,
}

impl Columns {
    /// The outputs asked for, in order; empty for all.
    pub fn wanted(&self) -> Vec<String> {
        self.outputs.iter().chain(&self.output).cloned().collect()
    }
}

/// What `compile` emits.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One SELECT statement.
    Sql,
    /// Flock IR as text.
    Ir,
    /// An object file.
    Object,
    /// A static library.
    Staticlib,
    /// A shared library.
    Sharedlib,
    /// A GPU kernel.
    Wgsl,
}

/// How plain lower-case names are quoted.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Identifiers {
    /// In the case that the dialect stores.
    #[default]
    Fold,
    /// As they are.
    Exact,
}

/// `flockc compile`.
#[derive(Args, Debug)]
pub struct Compile {
    /// The pipeline's file.
    pub pipeline: PathBuf,
    /// What to emit.
    #[arg(long)]
    pub to: Target,
    /// Where to; standard output without it.
    #[arg(short, long, value_name = "OUT")]
    pub output_file: Option<PathBuf>,
    /// The SQL dialect.
    #[arg(long, value_name = "NAME")]
    pub dialect: Option<String>,
    /// The table that is scored; may be qualified (`schema.table`).
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Case of plain names in SQL.
    #[arg(long, value_enum)]
    pub identifiers: Option<Identifiers>,
    /// Emit what was lifted, without optimising it.
    #[arg(long)]
    pub no_optimize: bool,
    /// The processor that code is for.
    #[arg(long, value_name = "NAME")]
    pub cpu: Option<String>,
    /// Who writes machine code; Cranelift without it.
    #[arg(long, value_enum)]
    pub codegen: Option<Codegen>,
    /// Columns.
    #[command(flatten)]
    pub columns: Columns,
}

/// Who computes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Engine {
    /// The cheapest that can.
    #[default]
    Auto,
    /// Machine code made on the spot.
    Native,
    /// The generated SQL in the embedded SQL engine.
    Sql,
    /// A GPU.
    Gpu,
    /// The reference evaluator: the meaning, slowly.
    Reference,
}

/// `flockc run`.
#[derive(Args, Debug)]
pub struct Run {
    /// The pipeline's file.
    pub pipeline: PathBuf,
    /// The rows: .parquet, .csv, .arrow, .json, a folder or a glob of them.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Where the scores go (.parquet, .csv, .arrow, .json); the first rows as a table without it.
    #[arg(short, long, value_name = "OUT")]
    pub output_file: Option<PathBuf>,
    /// Who computes.
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Who writes machine code; what is cheaper of what this build has without it, Cranelift with --engine native.
    #[arg(long, value_enum)]
    pub codegen: Option<Codegen>,
    /// Threads; the machine's cores without it.
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Fail when a row is one that the library would refuse: exit 1, and nothing is written to OUT.
    #[arg(long)]
    pub strict: bool,
    /// With `--engine reference`: move every step that is equal only up to rounding by some units in the last place, at
    /// random. How far the answer moves is what rounding can change of it.
    #[arg(long, value_name = "SEED")]
    pub rounding: Option<u64>,
    /// Columns.
    #[command(flatten)]
    pub columns: Columns,
}

/// What a query names.
#[derive(Args, Debug, Default, Clone)]
pub struct Named {
    /// A model of the query; repeatable.
    #[arg(long, value_name = "NAME=PIPELINE", value_parser = pair)]
    pub model: Vec<(String, PathBuf)>,
    /// A table of the query; repeatable.
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    pub table: Vec<(String, PathBuf)>,
    /// Flock IR text with a function per custom class, named for it; repeatable.
    #[arg(long, value_name = "FILE")]
    pub define: Vec<PathBuf>,
}

/// `flockc explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// The query, a file that holds it, or a pipeline's file.
    #[arg(value_name = "SQL|FILE")]
    pub subject: String,
    /// Models and tables.
    #[command(flatten)]
    pub named: Named,
}

/// `flockc query`.
#[derive(Args, Debug)]
pub struct Query {
    /// The query, or a file that holds it.
    #[arg(value_name = "SQL|FILE")]
    pub sql: String,
    /// Models and tables.
    #[command(flatten)]
    pub named: Named,
    /// Where the result goes; the first rows as a table without it.
    #[arg(short, long, value_name = "OUT")]
    pub output_file: Option<PathBuf>,
    /// Who computes.
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Who writes machine code; Cranelift without it.
    #[arg(long, value_enum)]
    pub codegen: Option<Codegen>,
    /// Show the plan in place of running it.
    #[arg(long, conflicts_with_all = ["output_file", "threads"])]
    pub explain: bool,
    /// Print the optimised statement in place of running it.
    #[arg(long, value_parser = ["sql"], requires = "dialect")]
    pub to: Option<String>,
    /// The dialect of the printed statement.
    #[arg(long, value_name = "NAME", requires = "to")]
    pub dialect: Option<String>,
    /// Threads; the machine's cores without it.
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
}

/// `flockc inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The pipeline's file.
    #[arg(required_unless_present = "classes")]
    pub pipeline: Option<PathBuf>,
    /// List the classes and operators that this build can lift, in place of a pipeline.
    #[arg(long, conflicts_with = "pipeline")]
    pub classes: bool,
    /// Input names.
    #[command(flatten)]
    pub names: Names,
}

/// `flockc verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The pipeline's file.
    pub pipeline: PathBuf,
    /// Rows to compare on, beside the ones made to be hard.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What the library itself answered for those rows, in the same order.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub expected: Option<PathBuf>,
    /// The engines; all that this build has without it.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub engines: Vec<String>,
    /// Who writes the machine code of the engine `native`; Cranelift without it. The engine `llvm` is always LLVM's.
    #[arg(long, value_enum)]
    pub codegen: Option<Codegen>,
    /// Write what was compared, on which rows, with which versions and hashes, as JSON.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Input names.
    #[command(flatten)]
    pub names: Names,
}

fn pair(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("expected NAME=FILE".to_owned()),
    }
}
