//! What the service shows on the terminal when it starts: the sample goes through its own front door.
//!
//! 1. An import that was interrupted is watched; otherwise the sample is uploaded over HTTP.
//! 2. A progress bar follows the status address until the import has ended.
//! 3. Reports are asked for, so that the dashboard has more than one kind of job to show.
//! 4. A summary, and commands to try next.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use crate::database::Database;
use crate::files::{DataDir, write_atomically};
use crate::i18n::Language;
use crate::sample;

/// The rest between batches of the sample: 20 batches become a few seconds, long enough to kill.
const PAUSE_MS: u32 = 200;
/// How many reports are asked for.
const REPORTS: u32 = 3;
const POLL: Duration = Duration::from_millis(200);

/// Why the tour ended early. The service goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// The service did not answer as it should.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// The sample could not be written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The answer to the upload names no job.
    #[error("the upload was not accepted: {0}")]
    Refused(Value),
}

/// A guide through the service at one address.
#[derive(Clone, Debug)]
pub struct Tour {
    address: String,
    key: String,
    language: Language,
    http: Client,
}

impl Tour {
    /// A tour of the service at `address`, as in `http://127.0.0.1:8080`, whose dashboard this key opens.
    pub fn new(address: String, key: &str, language: Language) -> Self {
        Self { address, key: key.to_owned(), language, http: Client::new() }
    }

    /// Says where the service listens, and how to see its jobs.
    pub fn say_address(&self) {
        let link = format!("{}/login?key={}", self.address, self.key);
        match self.language {
            Language::Chinese => say(&format!("服務位址：{}\n工作的儀表板：{link}", self.address)),
            Language::English => {
                say(&format!("Listening on {}\nThe dashboard of its jobs: {link}", self.address));
            }
        }
    }

    /// Shows an import from upload to summary.
    ///
    /// # Errors
    /// If the service does not answer as it should.
    ///
    /// # Cancel safety
    /// If dropped, the import goes on without being watched.
    pub async fn show(&self, database: &Database, data: &DataDir) -> Result<(), TourError> {
        let job = match self.interrupted(database).await? {
            Some(job) => job,
            None => self.upload(data).await?,
        };
        let ended = self.watch(&job).await?;
        self.ask_for_reports().await?;
        self.say_summary(&job, &ended);
        Ok(())
    }

    async fn ask_for_reports(&self) -> Result<(), TourError> {
        for report in 1..=REPORTS {
            self.http.post(format!("{}/api/reports/{report}", self.address)).send().await?;
        }
        Ok(())
    }

    /// The import that an earlier process left unfinished, if it still goes on.
    async fn interrupted(&self, database: &Database) -> Result<Option<String>, TourError> {
        let Some(job) = database.unfinished_import().await? else { return Ok(None) };
        let status = self.status(&job).await?;
        if status["state"].is_null() || is_over(&status) {
            return Ok(None);
        }
        say(match self.language {
            Language::Chinese => "發現上次中斷的匯入，從中斷處繼續；先等待上一個行程的租約到期。",
            Language::English => {
                "Found an import that was interrupted. It goes on where it was, once the old process's lease ends."
            }
        });
        Ok(Some(job))
    }

    async fn upload(&self, data: &DataDir) -> Result<String, TourError> {
        let content = sample::csv();
        write_atomically(&data.sample(), content.as_bytes()).await?;
        say(&match self.language {
            Language::Chinese => format!("上傳範例 {}（{} 列）……", data.sample().display(), sample::ROWS),
            Language::English => format!("Uploading {} ({} rows)…", data.sample().display(), sample::ROWS),
        });
        let form = Form::new().part("file", Part::bytes(content.into_bytes()).file_name("sample.csv"));
        let url = format!("{}/api/import/users?pauseMs={PAUSE_MS}", self.address);
        let request = self.http.post(url).header("accept-language", self.tag()).multipart(form);
        let answer: Value = request.send().await?.json().await?;
        let job = answer["jobId"].as_str().map(str::to_owned);
        job.ok_or(TourError::Refused(answer))
    }

    async fn watch(&self, job: &str) -> Result<Value, TourError> {
        let bar = ProgressBar::new(100);
        let style = ProgressStyle::with_template("  {bar:40} {percent:>3} %  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            let status = self.status(job).await?;
            bar.set_position(status["progress"].as_u64().unwrap_or(0));
            bar.set_message(format!("{} · {}", status["state"].as_str().unwrap_or("?"), status["imported"]));
            if is_over(&status) {
                bar.finish();
                return Ok(status);
            }
        }
    }

    async fn status(&self, job: &str) -> Result<Value, TourError> {
        let url = format!("{}/api/import/status/{job}", self.address);
        Ok(self.http.get(url).header("accept-language", self.tag()).send().await?.json().await?)
    }

    const fn tag(&self) -> &'static str {
        match self.language {
            Language::Chinese => "zh-TW",
            Language::English => "en",
        }
    }

    fn say_summary(&self, job: &str, status: &Value) {
        let (address, state) = (&self.address, status["state"].as_str().unwrap_or("?"));
        let (imported, rejected) = (&status["imported"], &status["rejected"]);
        say(&match self.language {
            Language::Chinese => format!(
                "\n匯入結果：{state}，已匯入 {imported} 列，未匯入 {rejected} 列。摘要郵件在資料目錄的 mail 裡。\n\n\
                 接下來試試看：\n{}\n\n按 Ctrl-C 結束；或在匯入時 kill -9 {}，再啟動一次。",
                commands(address, job, "zh-TW"),
                std::process::id(),
            ),
            Language::English => format!(
                "\nImport {state}: {imported} rows imported, {rejected} rejected. The summary mail is in `mail` in \
                 the data directory.\n\nTry next:\n{}\n\nCtrl-C ends it; or kill -9 {} during an import, and start \
                 it again.",
                commands(address, job, "en"),
                std::process::id(),
            ),
        });
    }
}

fn commands(address: &str, job: &str, language: &str) -> String {
    format!(
        "  curl {address}/api/import/errors/{job} -H 'Accept-Language: {language}'\n  \
           curl '{address}/api/users?limit=3'\n  \
           curl {address}/api/users --json '{{\"displayName\":\"Ada\",\"email\":\"ada@example.com\"}}'\n  \
           curl -X POST {address}/api/reports/1 && sleep 1 && curl {address}/api/reports/1/csv\n  \
           curl {address}/api/import/users -F file=@users.csv"
    )
}

fn is_over(status: &Value) -> bool {
    matches!(status["state"].as_str(), Some("succeeded" | "failed" | "cancelled") | None)
}

/// Says a line. A terminal that is gone is no reason to stop serving.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
