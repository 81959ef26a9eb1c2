//! The Redis that a peer works on: a throwaway server with an append-only file on the disk that is measured. The
//! measuring stick itself says when that is flushed.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::db::find::libraries;
use crate::db::{free_port, interrupted_with_us, pause};
use crate::unpack::{self, Suite};
use crate::variable;

/// Where the measuring stick looks for its address.
const VARIABLE: &str = "PORTFIRE_BENCH_REDIS_URL";
const SERVER: &str = "redis-server";
/// How often it is asked whether it is ready.
const ASKS_MAX: u32 = 200;

/// A running server, or the address of one that somebody else runs.
pub(super) struct Redis {
    url: String,
    own: Option<(Child, PathBuf)>,
}

impl Redis {
    /// Takes the one in the environment, or starts one that keeps its data in `place`.
    pub(super) fn start(root: &Path, place: &Path) -> Result<Self, String> {
        if let Some(url) = variable(VARIABLE) {
            return Ok(Self { url, own: None });
        }
        let (program, libraries) = program(&root.join("target/db/redis"))?;
        println!("==> redis: {}", program.display());
        let folder = place.join(format!("redis-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
        let port = free_port()?;
        let mut command = interrupted_with_us("TERM", vec![program]);
        if !libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap_or_default());
        }
        command.args([
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
            "--save",
            "",
            "--port",
            &port.to_string(),
        ]);
        command.arg("--dir").arg(&folder).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{SERVER} cannot be started: {e}"))?;
        let redis = Self { url: format!("redis://127.0.0.1:{port}/0"), own: Some((child, folder)) };
        if (0..ASKS_MAX).any(|_| answers(port) || wait()) {
            Ok(redis)
        } else {
            Err(format!("{SERVER} is not ready"))
        }
    }

    /// Its address, for the environment.
    pub(super) fn variable(&self) -> (String, String) {
        (VARIABLE.into(), self.url.clone())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some((child, folder)) = &mut self.own {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// On the PATH, or unpacked from the distribution's packages, with the folders of its libraries.
fn program(store: &Path) -> Result<(PathBuf, Vec<PathBuf>), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) =
        std::env::split_paths(&path).map(|folder| folder.join(SERVER)).find(|file| file.is_file())
    {
        return Ok((found, Vec::new()));
    }
    let root = unpack::packages(&[SERVER], Suite::Host, is_of_use, store)?;
    Ok((root.join("usr/bin").join(SERVER), libraries(&root)))
}

/// Whether a package of the closure is of use: the server and its libraries, but not the host's C library.
fn is_of_use(package: &str) -> bool {
    let of_the_host = ["libc6", "libc-", "libperl"].iter().any(|name| package.starts_with(name));
    package.starts_with("redis-") || package.starts_with("lib") && !of_the_host || package.starts_with("lua-")
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut answer = [0; 5];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut answer).is_ok() && answer == *b"+PONG"
}

/// Lets a moment pass; never the answer.
fn wait() -> bool {
    pause();
    false
}

#[cfg(test)]
mod tests {
    use super::is_of_use;

    #[test]
    fn the_server_and_its_libraries_are_fetched() {
        assert!(
            ["redis-server", "redis-tools", "libjemalloc2", "lua-cjson"].iter().all(|name| is_of_use(name))
        );
        assert!(!["libc6", "adduser", "perl-base", "libperl5.36"].iter().any(|name| is_of_use(name)));
    }
}
