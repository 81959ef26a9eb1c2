//! The jobs of the service, and the server that works them.

mod import;
mod mail;
mod report;
mod upkeep;

use std::time::Duration;

use portfire::{Jobs, Server};

use crate::database::Database;
use crate::files::DataDir;
use crate::mailer::Mailer;

pub use import::{ImportCounts, import_users};
pub use mail::{send_import_summary, send_welcome_email};
pub use report::generate_report;
pub use upkeep::{Administrator, check_notifications, cleanup_expired_data, put_schedules};

/// A server that knows every job of the service.
pub fn server(
    jobs: &Jobs,
    database: Database,
    data: DataDir,
    mailer: Mailer,
    administrator: Administrator,
    lease: Duration,
) -> Server {
    Server::new(jobs)
        .job::<import_users>()
        .job::<send_import_summary>()
        .job::<send_welcome_email>()
        .job::<generate_report>()
        .job::<cleanup_expired_data>()
        .job::<check_notifications>()
        .provide(database)
        .provide(data)
        .provide(mailer)
        .provide(administrator)
        .queue_slots("imports", 2)
        .lease(lease)
        .shutdown_timeout(Duration::from_secs(10))
        .name("demo")
}
