//! Hosts as real processes: signals, exit codes, systemd.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::example;

/// Longest wait of any case: only a broken build gets near it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Program {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(manner: &str) -> Self {
        Self::start_with(manner, |command| command)
    }

    fn start_with(manner: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = example("host_under_test");
        let mut process =
            with(command.arg(manner).stdout(Stdio::piped()).stderr(Stdio::piped())).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, output }
    }

    fn until(&mut self, line: &str) {
        let found = self.output.by_ref().any(|said| said.unwrap() == line);
        assert!(found, "the program ended without saying {line}");
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// The exit code, and what was said on both streams.
    fn end(mut self) -> (Option<i32>, String, String) {
        // Read beside the wait: a program that hangs never closes its output.
        let output = self.output;
        let said = std::thread::spawn(|| output.map(Result::unwrap).collect::<Vec<_>>());
        let begin = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            if begin.elapsed() > PATIENCE {
                self.process.kill().unwrap();
                panic!("the program does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let said = said.join().unwrap();
        let output = self.process.wait_with_output().unwrap();
        (output.status.code(), said.join("\n"), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn sigterm_under_load_drains_within_the_budget_and_exits_with_0() {
    for signal in ["-TERM", "-INT", "-QUIT"] {
        let mut program = Program::start("drains");
        program.until("ready");
        program.signal(signal);
        let (code, said, _) = program.end();
        // One or a few may be done before "ready" is said.
        let done = said.matches("done").count();
        assert!(code == Some(0) && (90..=100).contains(&done), "{signal}: {code:?}, {done} done");
    }
}

#[test]
fn work_that_is_lost_at_the_deadline_makes_the_exit_code_say_so() {
    let mut program = Program::start("overruns");
    program.until("ready");
    program.signal("-TERM");
    let (code, _, error) = program.end();
    assert!(code == Some(1) && error.contains("endless") && error.contains("SIGTERM"), "{code:?}: {error}");
}

#[test]
fn a_failing_service_that_stops_the_host_exits_with_a_failure() {
    let (code, _, error) = Program::start("fails").end();
    assert!(code == Some(1) && error.contains("`work`") && error.contains("no luck"), "{code:?}: {error}");
}

#[test]
fn a_panic_after_the_signal_makes_the_exit_code_say_so() {
    let mut program = Program::start("panics late");
    program.until("ready");
    program.signal("-TERM");
    let (code, _, error) = program.end();
    assert!(code == Some(1) && error.contains("`work`") && error.contains("boom"), "{code:?}: {error}");
}

#[test]
fn a_second_signal_exits_at_once_even_when_every_thread_is_stuck() {
    let mut program = Program::start("blocks");
    program.until("ready");
    program.signal("-INT");
    program.until("blocking");
    program.signal("-INT");
    assert_eq!(program.end().0, Some(130));
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let mut program = Program::start("serves");
    program.until("running");
    program.signal("-INT");
    program.until("asked to stop");
    program.signal("-INT");
    let (code, _, error) = program.end();
    assert!(code == Some(1) && error.contains("a second signal"), "{code:?}: {error}");
}

/// A socket as systemd has it, and what is said there.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path, _directory: directory }
    }

    /// What is said next.
    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("nothing is said");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn until(&self, part: &str) -> String {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE, "nobody says {part}");
            let said = self.next();
            if said.contains(part) {
                return said;
            }
        }
    }
}

#[test]
fn systemd_hears_ready_reloading_stopping() {
    let manager = Manager::new();
    let mut program = Program::start_with("reloads", |command| command.env("NOTIFY_SOCKET", &manager.path));
    program.until("ready");
    assert!(manager.next().starts_with("READY=1\nSTATUS="));
    program.signal("-HUP");
    let reloading = manager.next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    program.until("reloaded");
    assert!(manager.next().starts_with("READY=1"));
    program.signal("-TERM");
    assert_eq!(manager.next().trim(), "STOPPING=1");
    assert!(manager.until("STATUS=").contains("SIGTERM"));
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn the_watchdog_is_fed_during_a_reload_and_a_stop_cancels_it() {
    let manager = Manager::new();
    let mut program = Program::start_with("reloads slowly", |command| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "100000")
    });
    program.until("ready");
    program.signal("-HUP");
    manager.until("RELOADING=1");
    manager.until("WATCHDOG=1");
    program.signal("-TERM");
    manager.until("STOPPING=1");
    program.until("reload cancelled");
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn the_watchdog_is_fed_until_a_loop_is_stuck() {
    let manager = Manager::new();
    let program = Program::start_with("sticks", |command| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "100000")
    });
    manager.until("WATCHDOG=1");
    assert_eq!(manager.until("STATUS=stuck").trim(), "STATUS=stuck: pump");
    assert!(!manager.next().contains("WATCHDOG=1"));
    program.signal("-TERM");
    assert_eq!(program.end().0, Some(0));
}
