//! Input that means harm gets clear answers, and the service goes on.

use serde_json::Value;

use crate::bed::{Bed, answer};

#[tokio::test]
async fn files_full_of_harm_are_read_to_their_end() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let mut file = b"display name,email\nGood,good@example.com\n".to_vec();
    file.extend_from_slice(b"N\0ul,nul@example.com\n\xFF\xFE,bytes@example.com\n=1+1,=1+1\n");
    file.resize(file.len() + (5 << 20), b'x');
    file.extend_from_slice(b",huge@example.com\n\"never closed,quote@example.com\nLast,last@example.com\n");
    let job = demo.import(file).await;
    let ended = demo.wait_for_end(&job).await;
    assert_eq!(
        (ended["state"].as_str(), ended["imported"].as_u64()),
        (Some("succeeded"), Some(2)),
        "{ended}"
    );
    let errors = demo.get(&format!("/api/import/errors/{job}")).header("accept-language", "en");
    let errors = errors.send().await.unwrap().text().await.unwrap();
    let lines: Vec<_> = errors.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["3", "4", "5", "6", "7"], "{errors}");
    assert!(errors.contains("not UTF-8 text") && errors.contains("'=1+1"), "{errors}");
}

#[tokio::test]
async fn names_of_files_lead_nowhere() {
    let bed = Bed::new();
    let demo = bed.start().await;
    for name in ["../../etc/passwd.csv", "..\\..\\boot.csv", "/tmp/x.CSV", "a%00b.csv", ".csv.csv"] {
        let (status, accepted) = answer(demo.upload(name, "A,a@example.com\n")).await;
        assert_eq!(status, 202, "{name}: {accepted}");
        let ended = demo.wait_for_end(accepted["jobId"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "succeeded", "{name}");
    }
    assert!(bed.files("uploads").is_empty());
}

#[tokio::test]
async fn bodies_that_are_none_are_refused() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let deep_field = format!("{{\"displayName\":\"A\",\"email\":\"a@example.com\",\"x\":{deep}}}");
    let nul = r#"{"displayName":"A\u0000","email":"a@example.com"}"#.to_owned();
    let bodies = [
        (deep, 422),
        (deep_field, 422),
        (nul, 422),
        ("{".into(), 400),
        ("null".into(), 422),
        (format!("\"{}\"", "x".repeat(1 << 20)), 413),
    ];
    for (body, expected) in bodies {
        let shown: String = body.chars().take(40).collect();
        let (status, refused) =
            answer(demo.post("/api/users").header("content-type", "application/json").body(body)).await;
        assert_eq!(status, expected, "{shown}: {refused}");
        assert!(refused["error"].is_string(), "{shown}");
    }
    let not_utf8 = demo.post("/api/users").header("content-type", "application/json");
    assert_eq!(answer(not_utf8.body(b"{\"displayName\":\"\xFF\"}".to_vec())).await.0, 400);
    assert_eq!(answer(demo.post("/api/users").body("{}")).await.0, 415);
}

#[tokio::test]
async fn broken_uploads_are_refused() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let form = || demo.post("/api/import/users").header("content-type", "multipart/form-data; boundary=x");
    let cut =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nA,a@example.com";
    for body in ["", "--y--", cut] {
        assert_eq!(answer(form().body(body)).await.0, 400, "{body}");
    }
    assert!(bed.files("uploads").is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let unknown = "0198c0de-0000-7000-8000-000000000000";
    let ids = [unknown, "1", "%00", "%ff", "..%2f..%2fetc%2fpasswd", &"9".repeat(5_000)];
    for id in ids {
        for what in ["status", "errors"] {
            let (status, refused) = answer(demo.get(&format!("/api/import/{what}/{id}"))).await;
            assert_eq!((status, refused["error"].as_str()), (404, Some("找不到該工作")), "{what} {id}");
        }
    }
    let (status, refused): (u16, Value) = answer(demo.get("/nowhere").header("accept-language", "en")).await;
    assert_eq!((status, refused["error"].as_str()), (404, Some("There is nothing at this address.")));
    assert_eq!(answer(demo.get("/api/import/users")).await.0, 405);
}
