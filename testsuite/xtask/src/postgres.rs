//! `cargo xtask postgres`: a throw-away PostgreSQL on a free loopback port.

use crate::process::{self, Failure};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Starts a cluster in an empty folder and prints how to reach it, or stops it and removes the folder.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] if folder != "--stop" => start(&absolute(folder)?),
        [folder, "--stop"] | ["--stop", folder] => stop(&absolute(folder)?),
        _ => Err(Failure::Usage("`postgres` needs a folder, and knows `--stop`".to_owned())),
    }
}

/// Durability is off and loopback connections are trusted: for tests on this machine alone.
fn start(data: &Path) -> Result<(), Failure> {
    make_empty(data)?;
    server("initdb", data, &["-U", "flock", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])?;
    let port = free_port()?;
    let settings = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off");
    server("pg_ctl", data, &["-l", "server.log", "-o", &settings, "-w", "start"])?;
    println!("FLOCK_POSTGRES=postgresql://flock@127.0.0.1:{port}/postgres");
    Ok(())
}

fn stop(data: &Path) -> Result<(), Failure> {
    if !data.join("PG_VERSION").exists() {
        return Err(Failure::Failed(format!("there is no cluster in {}", data.display())));
    }
    if data.join("postmaster.pid").exists() {
        server("pg_ctl", data, &["-m", "immediate", "-w", "stop"])?;
    }
    fs::remove_dir_all(data).map_err(|error| Failure::because(&format!("cannot remove {}", data.display()), error))
}

/// Makes the folder, which must be empty if it is there and which the server's user must own.
fn make_empty(data: &Path) -> Result<(), Failure> {
    let entries = fs::create_dir_all(data).and_then(|()| fs::read_dir(data));
    let mut entries = entries.map_err(|error| Failure::because(&format!("cannot make {}", data.display()), error))?;
    if entries.next().is_some() {
        return Err(Failure::Failed(format!("{} is not empty; `--stop` ends and removes a cluster", data.display())));
    }
    if is_root() { process::run(Command::new("chown").arg("postgres").arg(data)) } else { Ok(()) }
}

/// Runs a program of the server on the cluster in `data`, as user `postgres` where we are root: the server refuses root.
fn server(program: &str, data: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let program = binaries()?.join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    process::run(command.arg("-D").arg(data).args(arguments).current_dir(data).stdout(Stdio::null()))
}

/// The newest `/usr/lib/postgresql/*/bin`, where Debian puts the server.
fn binaries() -> Result<PathBuf, Failure> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()))).max();
    newest.map(|(_, path)| path.join("bin")).ok_or_else(|| {
        Failure::Failed("there is no PostgreSQL server; on Debian: apt-get install postgresql".to_owned())
    })
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| Failure::because("no free port", error))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout.trim_ascii() == b"0")
}

fn absolute(path: &str) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::because(path, error))
}
