//! Every address, every status, both languages.

use serde_json::json;

use crate::bed::{Bed, answer, with_each_database};

with_each_database! {
    an_import_goes_from_upload_to_summary,
    a_row_with_a_known_address_updates_its_user,
    refused_uploads_say_why_in_the_clients_language,
    a_new_user_gets_a_welcome,
    users_are_listed_page_by_page,
    a_report_is_made_and_fetched,
    the_tour_shows_an_import_and_control_c_ends_it,
}

async fn an_import_goes_from_upload_to_summary(bed: Bed) {
    let demo = bed.start().await;
    let (status, accepted) = answer(demo.upload("users.csv", demo::sample::rows(1_000))).await;
    assert_eq!((status, &accepted["status"]), (202, &json!("Queued")));
    assert_eq!(accepted["message"], "檔案已加入處理佇列，請稍後查看結果");

    let job = accepted["jobId"].as_str().unwrap();
    let ended = demo.wait_for_end(job).await;
    let expected = json!({
        "jobId": job, "state": "succeeded", "createdAt": ended["createdAt"], "progress": 100,
        "imported": 990, "rejected": 10, "error": null,
    });
    assert_eq!(ended, expected);
    bed.wait_for_files("mail", "eml", 1).await;
    assert!(bed.files("uploads").is_empty());

    let errors = demo.get(&format!("/api/import/errors/{job}")).send().await.unwrap();
    assert_eq!(errors.headers()["content-type"], "text/csv; charset=utf-8");
    let errors = errors.text().await.unwrap();
    assert_eq!(errors.lines().count(), 11);
    assert!(errors.contains("電子郵件格式不正確") && errors.contains("'=cmd(300)"), "{errors}");
}

async fn a_row_with_a_known_address_updates_its_user(bed: Bed) {
    let demo = bed.start().await;
    for name in ["Ada", "Countess"] {
        let job = demo.import(format!("display name,email\n{name},Ada@Example.com\n")).await;
        assert_eq!(demo.wait_for_end(&job).await["imported"], 1);
    }
    let (_, list) = answer(demo.get("/api/users")).await;
    assert_eq!((&list["total"], &list["users"][0]["displayName"]), (&json!(1), &json!("Countess")));
}

async fn refused_uploads_say_why_in_the_clients_language(bed: Bed) {
    let demo = bed.start_with(&["--no-sample", "--upload-max", "1000"]).await;
    let cases = [
        ("users.csv", 0, 400, "請選擇 CSV 檔案", "Choose a CSV file."),
        ("users.txt", 9, 400, "只接受 CSV 檔案", "Only CSV files are accepted."),
        (
            "users.csv",
            3 << 20,
            413,
            "檔案太大，上限為 1000 位元組",
            "The file is too large; the limit is 1000 bytes.",
        ),
    ];
    for (name, size, status, chinese, english) in cases {
        let upload = || demo.upload(name, vec![b'x'; size]);
        assert_eq!(answer(upload()).await, (status, json!({ "error": chinese })));
        let in_english = upload().header("accept-language", "en-GB,en;q=0.9");
        assert_eq!(answer(in_english).await, (status, json!({ "error": english })));
    }
    let (status, refused) = answer(demo.post("/api/import/users")).await;
    assert_eq!((status, &refused["error"]), (400, &json!("請選擇 CSV 檔案")));
    assert!(bed.files("uploads").is_empty());
}

async fn a_new_user_gets_a_welcome(bed: Bed) {
    let demo = bed.start().await;
    let create = |body| answer(demo.post("/api/users").header("accept-language", "en").json(&body));
    let (status, user) = create(json!({ "displayName": " Ada ", "email": "ada@example.com" })).await;
    assert_eq!((status, &user["displayName"], &user["id"]), (201, &json!("Ada"), &json!(1)));
    bed.wait_for_files("mail", "eml", 1).await;
    assert_eq!(bed.mail_with("Hello Ada"), 1);

    let (status, taken) = create(json!({ "displayName": "Ada", "email": "ADA@example.com" })).await;
    assert_eq!((status, &taken["error"]), (409, &json!("This e-mail address is taken.")));
    let (status, wrong) = create(json!({ "displayName": "Ada", "email": "ada" })).await;
    assert_eq!((status, &wrong["error"]), (422, &json!("not an e-mail address")));
    assert_eq!(create(json!({ "displayName": "Ada" })).await.0, 422);
}

async fn users_are_listed_page_by_page(bed: Bed) {
    let demo = bed.start().await;
    let job = demo.import(demo::sample::rows(250)).await;
    demo.wait_for_end(&job).await;
    let (mut seen, mut after) = (0, 0);
    loop {
        let (_, page) = answer(demo.get(&format!("/api/users?limit=100&after={after}"))).await;
        assert_eq!(page["total"], 248);
        let users = page["users"].as_array().unwrap();
        let Some(last) = users.last() else { break };
        assert!(last["id"].as_u64().unwrap() > after);
        (seen, after) = (seen + users.len(), last["id"].as_u64().unwrap());
    }
    assert_eq!(seen, 248);
    assert_eq!(answer(demo.get("/api/users?limit=many")).await.0, 400);
}

async fn a_report_is_made_and_fetched(bed: Bed) {
    let demo = bed.start().await;
    let job = demo.import(demo::sample::rows(100)).await;
    demo.wait_for_end(&job).await;
    assert_eq!(answer(demo.get("/api/reports/7")).await.0, 404);
    let (status, accepted) = answer(demo.post("/api/reports/7")).await;
    assert!(status == 202 && accepted["jobId"].is_string());
    let page = demo.wait_for_page("/api/reports/7").await.text().await.unwrap();
    assert!(page.contains("<svg") && page.contains("example.com"), "{page}");
    let csv = demo.wait_for_page("/api/reports/7/csv").await.text().await.unwrap();
    assert!(csv.starts_with("by,label,users\n"), "{csv}");
    for wrong in ["/api/reports/x", "/api/reports/-1", "/api/reports/..%2f..%2fdemo.db"] {
        assert_eq!(answer(demo.get(wrong)).await.0, 400, "{wrong}");
    }
}

async fn the_tour_shows_an_import_and_control_c_ends_it(bed: Bed) {
    let mut demo = bed.start_with(&[]).await;
    demo.wait_for_line("9900 rows imported, 100 rejected").await;
    demo.wait_for_line("curl").await;
    assert!(demo.interrupt().await.success());
}

#[tokio::test]
async fn a_taken_port_is_said_plainly() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let taken = demo.address.trim_start_matches("http://").to_owned();
    let other = Bed::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_demo"));
    let output = command.args(["--listen", &taken, "--data-dir"]).arg(other.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("cannot listen on") && said.contains("--listen"),
        "{said}"
    );
}
