//! Chores that need Python: the oracle's environments, the flights, the numbers of the cases, a throw-away PostgreSQL.
//!
//! `cargo xtask` alone prints the verbs. Environments are made on first use and made again when their pins change.

mod flights;
mod header;
mod layout;
mod oracle;
mod postgres;
mod process;
mod venv;

use layout::Layout;
use process::Failure;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask venv                  make the pinned Python environments
cargo xtask flights [--models] [--expected]
                                  target/flights/*.parquet and the committed sample;
                                  --models trains and writes testsuite/data/flights/*.{joblib,onnx},
                                  --expected writes what scikit-learn and onnxruntime answer on every flight
cargo xtask oracle [--check] [NAME…]
                                  the numbers of the cases (whose path contains a NAME); --check writes nothing
cargo xtask random N [--seed S] [--jobs J] [--only CLASS…]
                                  N random pipelines, flockc beside the library; failures become cases in target/random
cargo xtask skops                 save the models of the cases by skops as well; prints `FLOCK_SKOPS=…`
cargo xtask engines               answer requests for databases, a JSON per line
cargo xtask header [--check]      runtime/static/include/flock.h by cbindgen; --check writes nothing
cargo xtask postgres DIR [--stop] a throw-away PostgreSQL in DIR; prints `FLOCK_POSTGRES=…`

FLOCK_ORACLE_DIR   where the environments live, else target/oracle
FLOCK_PYTHON       the Python 3.11 to make them with, else python3.11";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("{message}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(message)) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let layout = Layout::find();
    let Some((verb, rest)) = arguments.split_first() else {
        println!("{USAGE}");
        return Ok(());
    };
    match verb.as_str() {
        "venv" => venv::make_all(&layout),
        "flights" => flights::run(&layout, rest),
        "oracle" => oracle::run(&layout, rest),
        "random" => oracle::random(&layout, rest),
        "skops" => oracle::skops(&layout),
        "engines" => oracle::engines(&layout),
        "header" => header::run(&layout, rest),
        "postgres" => postgres::run(rest),
        _ => Err(Failure::Usage(format!("there is no verb `{verb}`"))),
    }
}
