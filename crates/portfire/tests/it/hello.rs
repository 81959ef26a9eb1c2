//! The first program of a new user: as the README prints it, as a process, and what it costs.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::bed::PATIENCE;

/// Most lines of the program that are still "hello world".
const LINES_MAX: usize = 15;
/// Most memory that the whole process may ever have had, in kB. It is the debug build that is held to it, which
/// needs no less than the release build: 7,136 kB on x86-64 Linux.
#[cfg(target_os = "linux")]
const RSS_KB_MAX: u64 = 20_000;

const EXAMPLE: &str = include_str!("../../examples/hello.rs");

fn first_program(readme: &str) -> &str {
    let block = readme.split("```rust").nth(1).expect("the README has a Rust program");
    let (_, program) = block.split("```").next().expect("it ends").split_once('\n').expect("it has lines");
    program
}

#[test]
fn both_readmes_begin_with_the_example_in_at_most_15_lines() {
    let program = &EXAMPLE[EXAMPLE.find("use portfire").expect("the example uses the crate")..];
    assert!(program.lines().count() <= LINES_MAX);
    for readme in [include_str!("../../../../README.md"), include_str!("../../../../README.zh-TW.md")] {
        assert_eq!(first_program(readme), program);
    }
}

/// The example as a process, in a directory of its own.
struct Hello {
    process: Child,
    said: mpsc::Receiver<String>,
    _dir: tempfile::TempDir,
}

impl Hello {
    /// Starts it, and waits for the greeting.
    fn greeted() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Command::new(program()).current_dir(&dir).stdout(Stdio::piped()).spawn().unwrap();
        let (says, said) = mpsc::channel();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut first = String::new();
            let _ = lines.read_line(&mut first);
            let _ = says.send(first);
            let mut rest = String::new();
            let _ = lines.read_to_string(&mut rest);
            let _ = says.send(rest);
        });
        let hello = Self { process, said, _dir: dir };
        assert_eq!(hello.said.recv_timeout(PATIENCE).unwrap(), "Hello, world!\n");
        hello
    }

    /// Sends a signal, and waits for the end.
    #[cfg(unix)]
    fn stop_by(mut self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(self.said.recv_timeout(PATIENCE).unwrap(), "", "it says nothing more");
        assert_eq!(self.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `cargo test` builds examples beside the tests; when only this test was built, the example is built now.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/hello");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    if !path.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "-p", "portfire", "--example", "hello"]).status();
        assert!(built.unwrap().success());
    }
    path
}

#[cfg(unix)]
#[test]
fn it_greets_and_ends_well_when_asked_to() {
    for signal in ["-TERM", "-INT"] {
        Hello::greeted().stop_by(signal);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn its_server_stays_under_20_megabytes() {
    let hello = Hello::greeted();
    let status = std::fs::read_to_string(format!("/proc/{}/status", hello.process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("the hello-world server needed {peak} kB");
    assert!(peak < RSS_KB_MAX, "{peak} kB");
}
