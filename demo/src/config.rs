//! What can be set from outside: options of the command line, or the environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::i18n::Language;

/// The import service of Portfire: users from CSV files, imported by durable jobs.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Config {
    /// Where users and jobs are kept. Default: the file demo.db in the data directory.
    #[arg(long, env = "PORTFIRE_DEMO_DATABASE", value_name = "URL")]
    pub database: Option<String>,
    /// The address to listen on. Port 0 takes a free one and prints it.
    #[arg(long, env = "PORTFIRE_DEMO_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: String,
    /// Where uploads, mail and reports are kept. One process per directory.
    #[arg(long, env = "PORTFIRE_DEMO_DATA_DIR", default_value = "./demo-data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The key that opens the dashboard. Default: another one at each start, in the link that is printed.
    #[arg(long, env = "PORTFIRE_DEMO_KEY", value_name = "KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Do not import the sample on start.
    #[arg(long, env = "PORTFIRE_DEMO_NO_SAMPLE")]
    pub no_sample: bool,
    /// Send mail by this server (smtp://, smtps://). Default: mail becomes files in the data directory.
    #[arg(long, env = "PORTFIRE_DEMO_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Who the mail is from.
    #[arg(long, env = "PORTFIRE_DEMO_MAIL_FROM", default_value = "Portfire demo <demo@example.com>")]
    pub mail_from: lettre::message::Mailbox,
    /// Who gets the summary of an import.
    #[arg(long, env = "PORTFIRE_DEMO_ADMIN_EMAIL", default_value = "admin@example.com")]
    pub admin_email: lettre::message::Mailbox,
    /// Largest upload, in bytes.
    #[arg(long, env = "PORTFIRE_DEMO_UPLOAD_MAX", default_value_t = 2 << 30, value_name = "BYTES")]
    pub upload_max: u64,
    /// Seconds after which the jobs of a killed server go on.
    #[arg(long, env = "PORTFIRE_DEMO_LEASE", default_value_t = 5, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease: u64,
    /// The zone in which the nightly cleanup keeps its hour.
    #[arg(long, env = "PORTFIRE_DEMO_TIME_ZONE", default_value = "Asia/Taipei", value_name = "ZONE")]
    pub time_zone: String,
    /// The language of the words on the terminal.
    #[arg(long, env = "PORTFIRE_DEMO_LANGUAGE", default_value = "en")]
    pub language: Language,
}

impl Config {
    /// The URL of the database.
    pub fn database_url(&self) -> String {
        let default = || format!("sqlite://{}", self.data_dir.join("demo.db").display());
        self.database.clone().unwrap_or_else(default)
    }

    /// How long a server's jobs stay with it after its last heartbeat.
    pub const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease)
    }
}
