//! The seed's first chapter: a service that is started and stopped with the application, and cleans up every
//! hour in between.
//!
//! `cargo run -p portfire --example hosted_service`, then Ctrl-C.
#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use portfire::hosting::{Every, Host, Service, ServiceContext};
use portfire::{DurationExt, JobError};

/// As an `IHostedService`: something with a beginning and an end.
struct DataCleanup;

impl Service for DataCleanup {
    async fn start(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        println!("Data Cleanup Service is starting.");
        Ok(())
    }

    async fn stop(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        println!("Data Cleanup Service is stopping.");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> portfire::Result<()> {
    Host::new()
        .service("cleanup", DataCleanup)
        .periodic("hourly", Every::delay(1.hour()).at_once(), |tick| async move {
            println!("Data Cleanup Service is working, for the {}. time.", tick.number());
            Ok(())
        })
        .run()
        .await
}
