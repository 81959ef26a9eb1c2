//! The seed's upload: the file is taken, the answer is 202 at once, and a bounded queue works on it in this
//! process.
//!
//! ```sh
//! cargo run -p portfire --features web --example task_queue
//! curl -F file=@users.csv localhost:8080/api/import/upload
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::{Router, routing::post};
use portfire::JobError;
use portfire::hosting::{Host, TaskContext, TaskQueue, Web};
use tokio::net::TcpListener;

/// Takes a file and says at once that it will be worked on.
async fn upload(State(queue): State<TaskQueue>, mut form: Multipart) -> (StatusCode, String) {
    let Ok(Some(field)) = form.next_field().await else {
        return (StatusCode::BAD_REQUEST, "請選擇檔案\n".into());
    };
    let name = field.file_name().unwrap_or("upload").to_owned();
    let Ok(text) = field.text().await else {
        return (StatusCode::BAD_REQUEST, "請選擇檔案\n".into());
    };
    match queue.push_named(name.clone(), move |task| import(task, text)).await {
        Ok(task) => (StatusCode::ACCEPTED, format!("檔案 {name} 已接收，正在背景處理中（{}）\n", task.id())),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn import(task: TaskContext, text: String) -> Result<(), JobError> {
    let mut lines = 0;
    for line in text.lines() {
        task.check_cancelled()?;
        process(line).await;
        lines += 1;
    }
    println!("imported {lines} lines");
    Ok(())
}

/// Where a line would be parsed and stored.
async fn process(_line: &str) {
    tokio::task::yield_now().await;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let queue = TaskQueue::new("imports");
    let host = Host::new();
    let router = Router::new()
        .route("/api/import/upload", post(upload))
        .with_state(queue.clone())
        .merge(host.health().router());
    host.queue(&queue).add(Web::on(listener, router)).run().await?;
    Ok(())
}
