//! The command line: arguments in, exit code out.

pub mod args;
mod show;
mod verbs;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

pub use args::{Cli, Engine, Verb};

use crate::error::Error;

/// Room for readers and emitters that walk nested input; their depth is bounded well below this.
const STACK_BYTES: usize = 256 << 20;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version go to standard output with 0, wrong usage to standard error with 2.
            if e.use_stderr() && json_asked() {
                let e = usage(&e);
                report(&e, true);
                return ExitCode::from(e.exit_code());
            }
            let code = u8::try_from(e.exit_code()).unwrap_or(2);
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    let json = cli.json;
    let work = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || verbs::dispatch(&cli));
    let result = match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => return internal_error(),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            report(&e, json);
            ExitCode::from(e.exit_code())
        }
    }
}

/// Whether reports are wanted as JSON, of a command line that cannot be read as a whole.
fn json_asked() -> bool {
    std::env::args_os().skip(1).take_while(|a| a != "--").any(|a| a == "--json")
}

/// What clap says, as the other errors are: the argument, what is wrong, and what helps.
fn usage(e: &clap::Error) -> Error {
    let named = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| e.get(kind));
    let place = match named {
        Some(ContextValue::String(s)) => s.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => "command line".to_owned(),
    };
    let text = e.render().to_string();
    if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::usage(&place, "a verb is missing", text.trim());
    }
    let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
    Error::usage(&place, message.trim_start_matches("error: ").trim(), help.trim())
}

/// A panic is a fault of ours, whatever the input; its message is on standard error already.
fn internal_error() -> ExitCode {
    eprintln!("flockc: an internal error; please report it with the input that caused it. Nothing was written.");
    ExitCode::from(1)
}

fn report(e: &Error, json: bool) {
    let text = if json { format!("{:#}\n", e.json()) } else { e.report(colour()) };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether standard error takes colours.
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal()
}
