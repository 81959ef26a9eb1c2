//! Health over HTTP, and the web server as a service.

use axum::Router;
use axum::routing::get;
use portfire::hosting::{Background, Host, OnFailure, RunningHost, Web};
use portfire::{DurationExt, JobError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request over a connection of its own: the status, and the body.
async fn request(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn served(host: Host) -> (RunningHost, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = get(|| async {
        tokio::time::sleep(300.milliseconds()).await;
        "slow"
    });
    let router = Router::new().route("/slow", slow).merge(host.health().router());
    (host.add(Web::on(listener, router)).start().await.unwrap(), address)
}

#[tokio::test]
async fn the_health_addresses_answer_with_the_whole_report() {
    let host = Host::new()
        .background("work", |ctx| async move {
            ctx.doing("counting");
            ctx.cancelled().await;
            Ok(())
        })
        .check("disk", || async { Ok(()) });
    let (host, address) = served(host).await;
    assert_eq!(request(address, "/livez").await, (200, r#"{"is_live":true,"stuck":[]}"#.to_owned()));
    for path in ["/readyz", "/healthz"] {
        let (status, body) = request(address, path).await;
        let report: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &report["status"]), (200, &serde_json::json!("healthy")), "{path}: {body}");
        assert_eq!(report["services"][0]["name"], "work");
        assert_eq!(report["services"][1]["detail"], format!("http://{address}"));
        assert_eq!(report["checks"][0]["name"], "disk");
    }
    assert!(host.stop().await.is_clean());
}

#[tokio::test]
async fn what_is_wrong_is_named_and_only_the_right_address_says_no() {
    let dead = Background::new("dead", |_| async { Err(JobError::message("no luck")) });
    let host = Host::new()
        .add(dead.on_failure(OnFailure::LeaveDead))
        .check("partner", || async { Err(JobError::message("no answer")) });
    let (host, address) = served(host).await;
    assert_eq!(request(address, "/livez").await.0, 200);
    assert_eq!(request(address, "/readyz").await.0, 503);
    let (status, body) = request(address, "/healthz").await;
    assert!(status == 503 && body.contains("no luck") && body.contains("no answer"), "{body}");
    host.stop().await;
}

#[tokio::test]
async fn a_check_that_hangs_does_not_keep_the_liveness_waiting() {
    let diary = super::Diary::default();
    let notes = diary.clone();
    let host = Host::new().check("partner", move || {
        notes.note("asked");
        std::future::pending()
    });
    let (host, address) = served(host).await;
    assert_eq!((request(address, "/livez").await.0, diary.count("asked")), (200, 0));
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_is_there_before_a_probe_gives_up() {
    let host = Host::new().check("partner", std::future::pending).start().await.unwrap();
    let report = tokio::time::timeout(1.second(), host.health().report()).await.unwrap();
    assert!(report.checks[0].problem.as_ref().unwrap().contains("no answer"), "{report:?}");
    host.stop().await;
}

#[tokio::test]
async fn a_stuck_loop_makes_the_host_not_live() {
    let host = Host::new().background("stuck", |ctx| async move {
        ctx.beat(1.milliseconds());
        ctx.cancelled().await;
        Ok(())
    });
    let (host, address) = served(host).await;
    tokio::time::sleep(20.milliseconds()).await;
    let (status, body) = request(address, "/livez").await;
    assert!(status == 503 && body.contains(r#""stuck":["stuck"]"#), "{body}");
    host.stop().await;
}

#[tokio::test]
async fn readiness_goes_false_before_connections_close_and_requests_are_finished() {
    let (host, address) = served(Host::new().shutdown_delay(200.milliseconds())).await;
    let slow = tokio::spawn(request(address, "/slow"));
    tokio::time::sleep(50.milliseconds()).await;
    host.lifetime().stop();
    assert_eq!(request(address, "/readyz").await.0, 503, "it still answers, and says no");
    let report = host.wait().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(slow.await.unwrap(), (200, "slow".to_owned()));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_hangs_is_dropped_with_the_web_server() {
    let (diary, begun) = (super::Diary::default(), std::sync::Arc::new(tokio::sync::Notify::new()));
    let (notes, begin) = (diary.clone(), begun.clone());
    let hangs = get(move || async move {
        let _guard = super::Guard(notes, "dropped");
        begin.notify_one();
        std::future::pending::<()>().await;
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hangs", hangs);
    let host = Host::new().add(Web::on(listener, router)).shutdown_timeout(100.milliseconds());
    let host = host.start().await.unwrap();
    let request = tokio::spawn(request(address, "/hangs"));
    begun.notified().await;
    let report = host.stop().await;
    assert!(!report.is_clean(), "{report}");
    let answer = tokio::time::timeout(30.seconds(), request).await.expect("its handler still runs");
    assert_eq!((answer.unwrap().0, diary.count("dropped")), (503, 1));
}

#[tokio::test]
async fn a_taken_address_fails_the_start_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let diary = super::Diary::default();
    let notes = diary.clone();
    let host = Host::new()
        .service(
            "first",
            portfire::hosting::on_start(move |_| {
                notes.note("started");
                async { Ok(()) }
            }),
        )
        .web(address, Router::new());
    let error = host.start().await.unwrap_err();
    assert!(
        error.to_string().contains("cannot listen on") && error.to_string().contains("port 0"),
        "{error}"
    );
    assert!(diary.entries().is_empty());
}
