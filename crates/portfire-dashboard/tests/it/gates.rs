//! Who comes in.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use base64::Engine;
use portfire_dashboard::{BasicGate, BearerGate, PasswordHash, Permissions, hash_password};

use crate::site::{Site, request};

fn kept(password: &str) -> PasswordHash {
    PasswordHash::parse(&hash_password(password).unwrap()).unwrap()
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn without_a_gate_only_this_machine_itself_comes_in() {
    let site = Site::with(|builder| builder).await;
    assert_eq!(site.get("/").await.status, StatusCode::OK);
    for headers in [
        &[("x-forwarded-for", "10.0.0.1")][..],
        &[("x-forwarded-host", "a")],
        &[("forwarded", "for=10.0.0.1")],
        &[("x-real-ip", "10.0.0.1")],
        &[("host", "evil.example")],
        &[("host", "localhost"), ("host", "localhost")],
        &[("host", "localhost.evil.example")],
    ] {
        let answer = site.get_as("/", headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(!answer.body.contains("<nav"), "who does not come in sees no navigation");
    }
    let mut asked = request("GET", "/", &[], "");
    asked.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 168, 0, 7], 1))));
    assert_eq!(site.ask(asked).await.status, StatusCode::FORBIDDEN);
    let mut asked = request("GET", "/", &[], "");
    asked.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
    let answer = site.ask(asked).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("into_make_service_with_connect_info"), "it says what to do");
    let mut asked = request("GET", "/", &[("host", "[::1]:3000")], "");
    asked.extensions_mut().insert(ConnectInfo("[::ffff:127.0.0.1]:1".parse::<SocketAddr>().unwrap()));
    assert_eq!(site.ask(asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_may_not_come_in_does_not_learn_what_is_there() {
    let site = Site::with(|builder| builder).await;
    let stranger = [("host", "evil.example")];
    let (known, unknown) = (site.get_as("/jobs", &stranger).await, site.get_as("/nothing", &stranger).await);
    assert_eq!((known.status, known.body), (unknown.status, unknown.body.replace("/nothing", "/jobs")));
}

#[tokio::test]
async fn a_name_with_its_password_comes_in_and_wrong_ones_wait() {
    let gate = BasicGate::new().user("ming", kept("right"), Permissions::viewer()).user(
        "ann",
        kept("other"),
        Permissions::admin(),
    );
    let site = Site::with(|builder| builder.gate(gate)).await;
    let asked = site.get("/").await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert_eq!(asked.header("www-authenticate"), "Basic realm=\"jobs\", charset=\"UTF-8\"");
    let right = site.get_as("/", &[("authorization", &basic("ming", "right"))]).await;
    assert!(right.status == StatusCode::OK && right.body.contains("Signed in as ming"));
    for (name, password) in
        [("ming", "wrong"), ("ming", "other"), ("ann", "right"), ("nobody", "right"), ("", "")]
    {
        let answer = site.get_as("/", &[("authorization", &basic(name, password))]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}:{password}");
    }
    let sixth = site.get_as("/", &[("authorization", &basic("ann", "wrong"))]).await;
    assert_eq!(sixth.status, StatusCode::TOO_MANY_REQUESTS);
    let known = site.get_as("/", &[("authorization", &basic("ming", "right"))]).await;
    assert_eq!(known.status, StatusCode::OK, "who was right before is not shut out by others' guesses");
}

#[tokio::test]
async fn a_token_comes_in_and_may_post_without_being_a_browser() {
    let gate = BearerGate::new().token("deploy", kept("a-long-token"), Permissions::admin());
    let site = Site::with(|builder| builder.gate(gate)).await;
    let right = [("authorization", "bearer a-long-token")];
    assert_eq!(site.get_as("/", &right).await.status, StatusCode::OK);
    let posted = site.ask(request("POST", "/queues/pause", &right, "queue=mail")).await;
    assert_eq!(posted.status, StatusCode::SEE_OTHER);
    for wrong in ["Bearer a-long-tokem", "Bearer ", "Basic a-long-token", "a-long-token"] {
        assert_eq!(
            site.get_as("/", &[("authorization", wrong)]).await.status,
            StatusCode::UNAUTHORIZED,
            "{wrong}"
        );
    }
}

#[test]
fn only_bounded_argon2id_hashes_are_taken() {
    let good = hash_password("x").unwrap();
    assert!(PasswordHash::parse(&good).is_ok());
    for bad in [
        "",
        "secret",
        &good.replace("argon2id", "argon2i"),
        &good.replace("m=19456", "m=4194304"),
        &good.replace("t=2", "t=99"),
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
    ] {
        assert!(PasswordHash::parse(bad).unwrap_err().is_misuse(), "{bad}");
    }
    assert_eq!(format!("{:?}", PasswordHash::parse(&good).unwrap()), "PasswordHash(…)");
}
