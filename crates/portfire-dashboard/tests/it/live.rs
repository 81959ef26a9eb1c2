//! Hints that something changed.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt;
use portfire_core::State;
use portfire_dashboard::{Builder, Permissions};
use tower::ServiceExt;

use crate::site::{Site, admit, request};

#[tokio::test(start_paused = true)]
async fn a_stream_says_that_something_changed_and_ends_after_a_minute() {
    let site = Site::full().await;
    let job = site.jobs(State::Enqueued).await[0];
    for path in ["/events".to_owned(), format!("/events?job={job}")] {
        let response = site.router.clone().oneshot(request("GET", &path, &[], "")).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut frames = response.into_body().into_data_stream();
        let mut next =
            async || frames.next().await.map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap());
        assert_eq!(next().await.as_deref(), Some("retry: 500\n\n"));
        let form = format!("job={job}&priority={}", if path.len() > 8 { 3 } else { 2 });
        assert_eq!(site.post("/jobs/prioritize", &form).await.status, StatusCode::SEE_OTHER);
        site.post("/queues/pause", "queue=mail").await;
        let mut said = "event: change\ndata: {}\n\n".to_owned();
        if path.len() > 8 {
            said += &format!("event: job\ndata: {job}\n\n");
        }
        assert_eq!(next().await, Some(said));
        while next().await.is_some() {}
        site.post("/queues/resume", "queue=mail").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_the_host_stops() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let open = |builder: Builder| admit(builder, Permissions::admin()).until(async { drop(stopped.await) });
    let site = Site::with(open).await;
    let response = site.router.clone().oneshot(request("GET", "/events", &[], "")).await.unwrap();
    let mut frames = response.into_body().into_data_stream();
    assert!(frames.next().await.is_some(), "it greets");
    drop(stop);
    let ended = tokio::time::timeout(Duration::from_secs(1), frames.next()).await;
    assert!(ended.expect("before its next look").is_none(), "it says nothing more");
}

#[tokio::test]
async fn a_fragment_is_the_content_alone() {
    let site = Site::full().await;
    let fragment = site.get_as("/jobs", &[("accept", "text/vnd.portfire.fragment+html")]).await.body;
    assert!(
        fragment.starts_with("<main") && fragment.ends_with("</main>") && fragment.contains("render_report")
    );
}
