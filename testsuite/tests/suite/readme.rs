//! The README's commands run, and print what it shows.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::arrows::root;

/// The binary of this build, made if it is not there.
pub fn flockc() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--package", "flockc", "--bin", "flockc", "--quiet"]).current_dir(root());
        for (feature, is_here) in [("query", cfg!(feature = "query")), ("llvm", cfg!(feature = "llvm"))] {
            if is_here {
                command.args(["--features", feature]);
            }
        }
        assert!(command.status().unwrap().success(), "flockc does not build");
        let target = std::env::var_os("CARGO_TARGET_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
        target.unwrap_or_else(|| root().join("target")).join("release/flockc")
    })
}

/// A command of a page, with what the page shows behind it.
struct Shown {
    command: String,
    output: String,
}

/// The `console` blocks of a page, between the rest of its text.
fn blocks(page: &str) -> Vec<Result<Vec<Shown>, String>> {
    let mut parts = vec![Err(String::new())];
    for line in page.lines() {
        match (line, parts.last_mut().unwrap()) {
            ("```console", _) => parts.push(Ok(Vec::new())),
            ("```", Ok(_)) => parts.push(Err(String::new())),
            (line, Ok(shown)) => match line.strip_prefix("$ ") {
                Some(command) => shown.push(Shown { command: command.into(), output: String::new() }),
                None => shown.last_mut().unwrap().output.push_str(&format!("{line}\n")),
            },
            (line, Err(text)) => text.push_str(&format!("{line}\n")),
        }
    }
    parts
}

/// Times differ from run to run.
fn without_times(text: &str) -> String {
    let word = |w: &str| match w.trim_end_matches([',', ';']).parse::<f64>() {
        Ok(_) if w.contains('.') => "#".to_owned(),
        _ => w.to_owned(),
    };
    let timed = |line: &str| line.contains(" rows in ");
    let line =
        |l: &str| if timed(l) { l.split(' ').map(word).collect::<Vec<_>>().join(" ") } else { l.trim_end().to_owned() };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn run(command: &str) -> String {
    let binary = flockc().display().to_string();
    let line = command.replacen("cargo run --release --", &binary, 1).replacen(
        "flockc ",
        &format!("{binary} "),
        usize::from(command.starts_with("flockc ")),
    );
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{line} 2>&1"))
        .current_dir(root())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "`{command}` failed:\n{text}");
    text
}

#[test]
fn readme() {
    let path = root().join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let bless = std::env::var_os("FLOCK_BLESS").is_some();
    // What a feature adds is not in the default build that the page shows.
    let default = cfg!(not(any(feature = "query", feature = "llvm")));
    let (mut fresh, mut wrong, mut commands) = (String::new(), Vec::new(), 0);
    for part in blocks(&page) {
        match part {
            Err(text) => fresh.push_str(&text),
            Ok(block) => {
                fresh.push_str("```console\n");
                for Shown { command, output } in block {
                    fresh.push_str(&format!("$ {command}\n"));
                    let found = if command.starts_with("cargo test") { output.clone() } else { run(&command) };
                    commands += 1;
                    if default && without_times(&found) != without_times(&output) {
                        wrong.push(format!("`{command}` prints\n{found}\nthe page shows\n{output}"));
                    }
                    let keep = without_times(&found) == without_times(&output);
                    fresh.push_str(if keep { &output } else { &found });
                }
                fresh.push_str("```\n");
            }
        }
    }
    assert!(commands >= 5, "the README shows only {commands} commands");
    if bless && default {
        std::fs::write(path, fresh).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}\nFLOCK_BLESS=1 writes the page again", wrong.join("\n"));
    }
}
