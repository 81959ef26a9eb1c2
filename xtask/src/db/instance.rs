//! A throwaway server: its own data folder, a free port of 127.0.0.1, gone with its command.
//!
//! 1. The data folder is made in the system's temporary folder, or where its disk is to be measured, named after
//!    the command's process.
//! 2. The server is started and has said that it is ready before its URL is given out.
//! 3. Dropping the instance stops the server and removes the folder. If the command is killed, the system
//!    interrupts the server (on Linux), and the next start sweeps what is left.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::engine::{Engine, Programs};
use super::server::Server;
use crate::unpack::run;

/// How the folders of instances begin.
const FOLDER: &str = "portfire-db-";
/// How often, and how many times, a starting server is asked whether it is ready: a minute in all, since a
/// cold disk has taken twenty seconds.
const ASK_EVERY: Duration = Duration::from_millis(50);
const ASKS_MAX: u32 = 1_200;

/// How an instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Ends with this command.
    Command,
    /// Ends with this command too; meanwhile it may be killed.
    Mortal,
    /// Until `down`.
    UntilDown,
}

impl Life {
    const fn ends_with_us(self) -> bool {
        !matches!(self, Self::UntilDown)
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Instance {
    engine: Engine,
    folder: PathBuf,
    port: u16,
    url: String,
    life: Life,
    durable: bool,
    child: Child,
}

impl Instance {
    /// Makes and starts a server with its data in `place`. Without `durable` it does not wait for the disk.
    pub(crate) fn start(
        engine: Engine,
        programs: &Programs,
        place: &Path,
        life: Life,
        durable: bool,
    ) -> Result<Self, String> {
        sweep(place);
        let folder = folder(place, engine, life);
        fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
        let server =
            Server { engine, programs, folder: &folder, dies_with_us: life.ends_with_us(), root: is_root() };
        server.initialize()?;
        let port = free_port()?;
        let child = serve(&server, durable, port)?;
        let mut instance = Self { engine, folder, port, url: url(engine, port), life, durable, child };
        instance.announce()?;
        Ok(instance)
    }

    /// Starts the server of this folder once more, after its process has ended.
    pub(crate) fn serve_again(&mut self, programs: &Programs) -> Result<(), String> {
        let dies_with_us = self.life.ends_with_us();
        let Self { engine, folder, .. } = self;
        let server = Server { engine: *engine, programs, folder, dies_with_us, root: is_root() };
        self.child = serve(&server, self.durable, self.port)?;
        self.announce()
    }

    /// Waits until the server's process has ended.
    pub(crate) fn wait(&mut self) {
        let _ = self.child.wait();
    }

    /// The file that names the server's process.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// Waits until it is ready, and says where it is.
    fn announce(&mut self) -> Result<(), String> {
        self.wait_until_ready(self.port)?;
        fs::write(self.folder.join("url"), &self.url).map_err(|e| e.to_string())?;
        fs::write(self.pid_file(), self.child.id().to_string()).map_err(|e| e.to_string())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn wait_until_ready(&mut self, port: u16) -> Result<(), String> {
        for _ in 0..ASKS_MAX {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.complaint(&format!("ended with {status}")));
            }
            if is_ready(self.engine, &self.folder, port) {
                return Ok(());
            }
            pause();
        }
        Err(self.complaint("was not ready within a minute"))
    }

    fn complaint(&self, what: &str) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(2_000);
        let end = log.get(log.ceil_char_boundary(start)..).unwrap_or_default();
        format!("the {} server {what}; it said:\n{end}", self.engine.name())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.life.ends_with_us() {
            signal(self.engine.stop_signal(), self.child.id());
            let _ = self.child.wait();
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn serve(server: &Server<'_>, durable: bool, port: u16) -> Result<Child, String> {
    let log = fs::File::create(server.folder.join("log")).map_err(|e| e.to_string())?;
    let also = log.try_clone().map_err(|e| e.to_string())?;
    let mut command = server.command(durable, port);
    command.stdout(also).stderr(log);
    command.spawn().map_err(|e| format!("{} cannot be started: {e}", server.engine.server()))
}

/// Asks the process that this file names to end.
pub(crate) fn end_process(engine: Engine, pid_file: &Path) {
    if let Some(pid) = fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse().ok()) {
        signal(engine.stop_signal(), pid);
    }
}

/// The URL of the instance that was brought up to stay, if it runs.
pub(crate) fn standing(engine: Engine) -> Option<String> {
    let folder = folder(&std::env::temp_dir(), engine, Life::UntilDown);
    running_pid(&folder)?;
    fs::read_to_string(folder.join("url")).ok()
}

/// Ends the instance that was brought up to stay.
pub(crate) fn take_down(engine: Engine) {
    end(&folder(&std::env::temp_dir(), engine, Life::UntilDown));
}

/// Ends what commands left behind there that were killed.
fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(owner) = owner(&name)
            && !is_running(owner)
        {
            end(&folder);
        }
    }
}

/// The command that made a folder of this name; none for instances that stay and for other folders.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(FOLDER)?.rsplit_once('-')?.1.parse().ok()
}

fn end(folder: &Path) {
    if let Some(pid) = running_pid(folder) {
        signal("INT", pid);
        signal("TERM", pid);
        for _ in 0..ASKS_MAX {
            if !is_running(pid) {
                break;
            }
            pause();
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// The server of a folder. Its word is not taken for it: the process must be one that knows the folder.
fn running_pid(folder: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(folder.join("pid")).ok()?.trim().parse().ok()?;
    let pid_text = pid.to_string();
    let arguments = run(Command::new("ps").args(["-o", "args=", "-p", &pid_text])).ok()?;
    arguments.contains(&*folder.to_string_lossy()).then_some(pid)
}

fn is_running(pid: u32) -> bool {
    let pid = pid.to_string();
    run(Command::new("kill").args(["-0", &pid])).is_ok()
}

fn signal(signal: &str, pid: u32) {
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

fn folder(place: &Path, engine: Engine, life: Life) -> PathBuf {
    let owner = match life {
        Life::Command => std::process::id().to_string(),
        Life::Mortal => format!("mortal-{}", std::process::id()),
        Life::UntilDown => "up".to_owned(),
    };
    place.join(format!("{FOLDER}{}-{owner}", engine.name()))
}

fn url(engine: Engine, port: u16) -> String {
    match engine {
        Engine::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        Engine::Mariadb | Engine::Mysql => format!("mysql://root@127.0.0.1:{port}/portfire"),
    }
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> Result<u16, String> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|e| format!("no free port: {e}"))
}

fn is_ready(engine: Engine, folder: &Path, port: u16) -> bool {
    if engine == Engine::Postgres {
        // Its eighth line; a connection would be accepted, but refused, while it starts.
        let status = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        return status.lines().nth(7).is_some_and(|status| status.trim() == "ready");
    }
    // The others greet who connects, once they are ready.
    let Ok(mut greeting) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = greeting.set_read_timeout(Some(Duration::from_secs(1)));
    greeting.read(&mut [0; 16]).is_ok_and(|bytes| bytes > 5)
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// Lets a moment pass before a server is asked again.
#[expect(clippy::disallowed_methods, reason = "a starting server gives no signal; looking is the only way")]
pub(crate) fn pause() {
    std::thread::sleep(ASK_EVERY);
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn only_folders_of_commands_have_an_owner() {
        assert_eq!(owner("portfire-db-postgres-4711"), Some(4_711));
        assert_eq!(owner("portfire-db-postgres-mortal-4711"), Some(4_711));
        assert_eq!(owner("portfire-db-postgres-up"), None);
        assert_eq!(owner("other-postgres-4711"), None);
    }
}
