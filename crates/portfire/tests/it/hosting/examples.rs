//! The example programs, run as programs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::program::example;

fn interrupt(process: &Child) {
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
}

/// Runs the program until it has said this, asks it to stop, and gives all it said.
fn run_until(command: &mut Command, line: &str, then: impl FnOnce(&str)) -> String {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains(line) {
        assert!(output.read_line(&mut said).unwrap() > 0, "the program ended without saying {line}: {said}");
    }
    then(&said);
    interrupt(&process);
    output.read_to_string(&mut said).unwrap();
    assert!(process.wait().unwrap().success(), "{said}");
    said
}

#[test]
fn the_hosted_service_starts_works_and_stops() {
    let said = run_until(&mut example("hosted_service"), "working, for the 1. time", |_| {});
    assert!(
        said.starts_with("Data Cleanup Service is starting.") && said.ends_with("is stopping.\n"),
        "{said}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn the_background_service_removes_what_expired_over_a_connection_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users.db");
    let users = rusqlite::Connection::open(&path).unwrap();
    users
        .execute_batch(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL, is_deleted INTEGER NOT NULL);
             INSERT INTO users (name, created_at, is_deleted) VALUES
                 ('old and deleted', 0, 1), ('old', 0, 0), ('just deleted', unixepoch(), 1)",
        )
        .unwrap();
    run_until(example("background_service").arg(&path), "Cleaned up 1 expired records.", |_| {});
    let left: i64 = users.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2);
}

#[cfg(feature = "web")]
#[test]
fn the_task_queue_takes_an_upload_and_finishes_it_before_it_stops() {
    let said = run_until(example("task_queue").arg("127.0.0.1:0"), "listening on", |said| {
        let address = said.trim().rsplit(' ').next().unwrap();
        let answer = upload(address, "name,email\nAda,ada@example.com\n");
        assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("已接收"), "{answer}");
    });
    assert!(said.contains("imported 2 lines"), "{said}");
}

#[cfg(feature = "web")]
fn upload(address: &str, text: &str) -> String {
    use std::io::Write;
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"users.csv\"\r\n\r\n{text}\r\n--x--\r\n"
    );
    let head = format!(
        "POST /api/import/upload HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
