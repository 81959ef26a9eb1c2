//! The dashboard over a memory full of varied jobs, to look at: `cargo run -p portfire-dashboard --example gallery`.
//!
//! Prints its address. `--empty` shows it as it is on the first day.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use portfire_core::{ModelStorage, VirtualClock};
use portfire_dashboard::dashboard;

#[path = "../tests/it/fixture.rs"]
mod fixture;

#[tokio::main]
async fn main() {
    let clock = Arc::new(VirtualClock::at(fixture::noon()));
    let storage = Arc::new(ModelStorage::new(clock.clone()));
    if !std::env::args().any(|argument| argument == "--empty") {
        fixture::fill(&*storage, &clock).await;
    }
    let router = dashboard(storage).clock(clock).name("gallery").build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
}
