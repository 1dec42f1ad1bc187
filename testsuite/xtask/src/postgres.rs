//! `cargo xtask postgres`: a throw-away PostgreSQL on a free loopback port.

use crate::process::{self, Failure};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Starts a cluster in a folder and prints how to reach it, or stops it and removes the folder.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] if folder != "--stop" => start(&absolute(folder)?),
        [folder, "--stop"] | ["--stop", folder] => stop(&absolute(folder)?),
        _ => Err(Failure::Usage("`postgres` needs a folder, and knows `--stop`".to_owned())),
    }
}

fn start(folder: &Path) -> Result<(), Failure> {
    let data = folder.join("data");
    if data.exists() {
        return Err(Failure::Failed(format!("{} is already there; `--stop` removes it", data.display())));
    }
    make_folder(folder)?;
    let port = free_port()?;
    let settings = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off");
    server("initdb", [OsStr::new("-D"), data.as_os_str(), "-U".as_ref(), "flock".as_ref(), "-A".as_ref(), "trust".as_ref(), "-E".as_ref(), "UTF8".as_ref(), "--locale=C.UTF-8".as_ref(), "--no-sync".as_ref()])?;
    let log = folder.join("log");
    server("pg_ctl", [OsStr::new("-D"), data.as_os_str(), "-l".as_ref(), log.as_os_str(), "-o".as_ref(), settings.as_ref(), "-w".as_ref(), "start".as_ref()])?;
    println!("FLOCK_POSTGRES=postgresql://flock@127.0.0.1:{port}/postgres");
    Ok(())
}

fn stop(folder: &Path) -> Result<(), Failure> {
    let data = folder.join("data");
    if !data.join("PG_VERSION").exists() {
        return Err(Failure::Failed(format!("there is no cluster in {}", folder.display())));
    }
    if data.join("postmaster.pid").exists() {
        server("pg_ctl", [OsStr::new("-D"), data.as_os_str(), "-m".as_ref(), "immediate".as_ref(), "stop".as_ref()])?;
    }
    for part in [data, folder.join("log")] {
        remove(&part)?;
    }
    Ok(())
}

/// The folder, which the server's user must own.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::because(&format!("cannot make {}", folder.display()), error))?;
    if is_root() { process::run(Command::new("chown").arg("postgres").arg(folder)) } else { Ok(()) }
}

fn remove(path: &Path) -> Result<(), Failure> {
    let done = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    done.map_err(|error| Failure::because(&format!("cannot remove {}", path.display()), error))
}

/// Runs a program of the server, as user `postgres` where we are root: the server refuses root.
fn server<const N: usize>(program: &str, arguments: [&OsStr; N]) -> Result<(), Failure> {
    let program = binaries()?.join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    process::run(command.args(arguments).current_dir("/").stdout(std::process::Stdio::null()))
}

/// The newest `/usr/lib/postgresql/*/bin`, where Debian puts the server.
fn binaries() -> Result<PathBuf, Failure> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()))).max();
    newest
        .map(|(_, path)| path.join("bin"))
        .ok_or_else(|| Failure::Failed("there is no PostgreSQL server; on Debian: apt-get install postgresql".to_owned()))
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
