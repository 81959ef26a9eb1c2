//! Starts and kills the real program, and talks to it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::schema::{Engine, Schema};

/// The longest wait for anything: far above what it takes, so that only a real fault ends it.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// A data directory, in which the program can be started again and again.
pub(crate) struct Bed {
    directory: TempDir,
    /// Where users and jobs are kept, if not in the directory.
    database: Option<Schema>,
}

/// A running program.
pub(crate) struct Demo {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) address: String,
    http: Client,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), database: None }
    }

    pub(crate) fn on(engine: Engine) -> Self {
        Self { database: Some(Schema::new(engine)), ..Self::new() }
    }

    pub(crate) const fn is_on_a_server(&self) -> bool {
        self.database.is_some()
    }

    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.path().join("demo.db").display());
        self.database.as_ref().map_or_else(file, Schema::url)
    }

    pub(crate) async fn start(&self) -> Demo {
        self.start_with(&["--no-sample"]).await
    }

    pub(crate) async fn start_with(&self, options: &[&str]) -> Demo {
        let mut process = self.command(options).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let first =
            tokio::time::timeout(PATIENCE, output.next_line()).await.expect("the program says nothing");
        let first = first.unwrap().expect("the program ended at once");
        let address = first[first.find("http://").expect("no address in the first line")..].to_owned();
        // Each request on a connection of its own: the service closes those of refused uploads.
        let http = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Demo { process, output, address, http }
    }

    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.args(["--listen", "127.0.0.1:0", "--lease", "1", "--data-dir"]).arg(self.directory.path());
        if let Some(schema) = &self.database {
            command.args(["--database", &schema.url()]);
        }
        command.args(options).kill_on_drop(true);
        command
    }

    pub(crate) fn files(&self, directory: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The messages whose text has this word in it, decoded as far as ASCII goes.
    pub(crate) fn mail_with(&self, word: &str) -> usize {
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        self.files("mail").iter().filter(|path| read(path).contains(word)).count()
    }

    /// Waits until there is no such file.
    pub(crate) async fn wait_until_gone(&self, path: &str) {
        until(&format!("{path} to go"), async || (!self.path().join(path).exists()).then_some(())).await;
    }

    /// Waits until there are as many files as this.
    pub(crate) async fn wait_for_files(&self, directory: &str, extension: &str, count: usize) {
        let there = async || {
            let is_one = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
            (self.files(directory).into_iter().filter(is_one).count() >= count).then_some(())
        };
        until(&format!("{count} files in {directory}"), there).await;
    }
}

impl Demo {
    /// As `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// As Ctrl-C.
    pub(crate) async fn interrupt(mut self) -> ExitStatus {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it does not end").unwrap()
    }

    /// Reads what the program says until a line has this in it.
    pub(crate) async fn wait_for_line(&mut self, part: &str) {
        let found = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                if line.contains(part) {
                    return;
                }
            }
            panic!("the program ended without saying {part}");
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the line does not come");
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.address))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.address))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.http.delete(format!("{}{path}", self.address))
    }

    pub(crate) fn upload(&self, name: &str, content: impl Into<Vec<u8>>) -> RequestBuilder {
        let part = Part::bytes(content.into()).file_name(name.to_owned());
        self.post("/api/import/users").multipart(Form::new().part("file", part))
    }

    /// Uploads a file and returns the job's id.
    pub(crate) async fn import(&self, content: impl Into<Vec<u8>>) -> String {
        let (status, answer) = answer(self.upload("users.csv", content)).await;
        assert_eq!(status, 202, "{answer}");
        answer["jobId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self, job: &str) -> Value {
        let (status, answer) = answer(self.get(&format!("/api/import/status/{job}"))).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until the import has stored this many rows, or is over.
    pub(crate) async fn wait_for_rows(&self, job: &str, rows: u64) {
        let there = async || {
            let status = self.status(job).await;
            (is_over(&status) || status["imported"].as_u64().unwrap() >= rows).then_some(())
        };
        until("rows", there).await;
    }

    /// Waits until the import is over; returns its last status.
    pub(crate) async fn wait_for_end(&self, job: &str) -> Value {
        until("the end of the import", async || Some(self.status(job).await).filter(is_over)).await
    }

    /// Waits until this address answers with success.
    pub(crate) async fn wait_for_page(&self, path: &str) -> Response {
        until(path, async || {
            let response = self.get(path).send().await.unwrap();
            response.status().is_success().then_some(response)
        })
        .await
    }
}

/// The status and the JSON of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.expect("every answer is JSON"))
}

fn is_over(status: &Value) -> bool {
    matches!(status["state"].as_str(), Some("succeeded" | "failed" | "cancelled"))
}

/// Asks again and again until there is an answer: HTTP has no other signal. The only such place.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(POLL);
    let asking = async {
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A test of each case on each database, named after both.
macro_rules! with_each_database {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $case() { super::$case(crate::bed::Bed::new()).await; })+
        }
        crate::bed::with_each_database!(@ on_postgres Postgres $($case)+);
        crate::bed::with_each_database!(@ on_mariadb Mariadb $($case)+);
        crate::bed::with_each_database!(@ on_mysql Mysql $($case)+);
    };
    (@ $server:ident $engine:ident $($case:ident)+) => {
        mod $server {
            use crate::{bed::Bed, schema::Engine};
            $(#[tokio::test] async fn $case() { super::$case(Bed::on(Engine::$engine)).await; })+
        }
    };
}
pub(crate) use with_each_database;
