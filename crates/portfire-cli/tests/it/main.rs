//! The command as a process.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::pedantic)]

use std::process::{Output, Stdio};

use portfire::Jobs;
use portfire_core::storage::{AuditRequest, Via};
use portfire_core::{Json, NewJob};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// A database of its own.
struct Bed {
    directory: TempDir,
}

impl Bed {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.directory.path().join("jobs.db").display())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portfire"));
        command.args(arguments).env("PORTFIRE_DATABASE", self.url()).env("USER", "ming").kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        said(self.command(arguments).output().await.unwrap())
    }

    /// Stores a job.
    async fn job(&self) -> String {
        let jobs = Jobs::connect(&self.url()).await.unwrap();
        let id = jobs.new_id();
        let args = Json::trusted("{\"n\":9007199254740993}");
        jobs.storage().insert(vec![NewJob::new(id, "send_mail", args)]).await.unwrap();
        id.to_string()
    }

    /// A file with a line for somebody whose secret is `open sesame`.
    async fn keys(&self, name: &str) -> String {
        let mut child = self.command(&["hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"open sesame\n").await.unwrap();
        let hash = String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap();
        let path = self.directory.path().join(name);
        std::fs::write(&path, format!("# who\nann operator {hash}")).unwrap();
        path.display().to_string()
    }

    /// Starts the dashboard; answers where it is.
    async fn serve(&self, more: &[&str]) -> (Child, String) {
        let arguments = [&["dashboard", "--listen", "127.0.0.1:0"], more].concat();
        let mut child = self.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("it says where it is");
        (child, first.trim_end_matches('/').to_owned())
    }
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn jobs_are_listed_shown_cancelled_and_retried() {
    let bed = Bed::new();
    let (code, migrated, _) = bed.run(&["migrate"]).await;
    assert!(code == 0 && migrated.contains("SQLite"), "{migrated}");
    let id = bed.job().await;
    let (_, listed, _) = bed.run(&["jobs", "list", "--state", "enqueued"]).await;
    assert!(listed.starts_with(&format!("{id}\tenqueued\tsend_mail\tdefault\t0\t")), "{listed}");
    let (_, shown, _) = bed.run(&["jobs", "get", &id]).await;
    assert!(shown.contains("args\t{\"n\":9007199254740993}"), "{shown}");
    let (code, cancelled, _) = bed.run(&["jobs", "cancel", &id, "--reason", "測試"]).await;
    assert_eq!((code, cancelled), (0, format!("{id}\tcancelled\n")));
    let (code, _, refused) = bed.run(&["jobs", "cancel", &id]).await;
    assert!(code == 5 && refused.contains("is cancelled"), "{code} {refused}");
    let (code, retried, _) = bed.run(&["jobs", "retry", &id]).await;
    assert_eq!((code, retried), (0, format!("{id}\tenqueued\n")));
    let jobs = Jobs::connect(&bed.url()).await.unwrap();
    let entries = jobs.storage().audit(None, AuditRequest::default()).await.unwrap();
    let by = &entries.last().unwrap().by;
    assert_eq!((by.name(), by.via(), by.reason()), ("ming", Via::CommandLine, Some("測試")));
    let (code, _, missing) = bed.run(&["jobs", "get", "019a0000-0000-7000-8000-000000000001"]).await;
    assert!(code == 3 && missing.contains("there is no job"), "{code} {missing}");
}

#[tokio::test]
async fn the_dashboard_shows_this_machine_the_database() {
    let bed = Bed::new();
    let id = bed.job().await;
    let (mut child, address) = bed.serve(&["--name", "staging"]).await;
    let page = reqwest::get(format!("{address}/jobs")).await.unwrap().text().await.unwrap();
    assert!(page.contains(&id) && page.contains("staging"), "{page}");
    let cancel = reqwest::Client::new().post(format!("{address}/api/v1/jobs/cancel"));
    let answer: serde_json::Value =
        cancel.json(&serde_json::json!({"jobs": [id]})).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["items"][0]["state"], "cancelled", "{answer}");
    let foreign = reqwest::Client::new().get(&address).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    child.kill().await.unwrap();
}

#[tokio::test]
async fn an_address_that_others_can_reach_asks_who_they_are() {
    let bed = Bed::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let (code, _, refused) = bed.run(&["dashboard", "--listen", address]).await;
        assert!(
            code == 2 && refused.contains("--basic-auth FILE") && refused.contains("portfire hash"),
            "{refused}"
        );
    }
    let (people, programs) = (bed.keys("people").await, bed.keys("programs").await);
    let (mut child, address) = bed.serve(&["--basic-auth", &people, "--token", &programs]).await;
    let get = || reqwest::Client::new().get(format!("{address}/api/v1/me"));
    let asked = get().send().await.unwrap();
    assert_eq!(asked.status(), 401);
    assert!(asked.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    assert_eq!(get().basic_auth("ann", Some("wrong")).send().await.unwrap().status(), 401);
    for request in [get().basic_auth("ann", Some("open sesame")), get().bearer_auth("open sesame")] {
        let me: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(me["actor"], "ann");
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let bed = Bed::new();
    let (code, _, wrong) = bed.run(&["migrate", "--database", "mongodb://x"]).await;
    assert!(code == 2 && wrong.contains("no backend for the URL scheme `mongodb`"), "{wrong}");
    let (code, _, wrong) = bed.run(&["dashboard", "--basic-auth", "/nowhere"]).await;
    assert!(code == 2 && wrong.contains("/nowhere cannot be read"), "{wrong}");
    let (code, _, wrong) = bed.run(&["jobs", "list", "--state", "broken"]).await;
    assert!(code == 2 && wrong.contains("broken"), "{wrong}");
}
