//! What the host does beside the jobs: previews, cleanup, health.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::bed::{Bed, answer};

#[tokio::test]
async fn an_upload_gets_a_preview_of_its_first_rows() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let job = demo.import("Ada,ada@example.com\n<b>,b@example.com\nnobody\n").await;
    let page = demo.wait_for_page(&format!("/api/import/preview/{job}")).await.text().await.unwrap();
    assert!(
        page.contains("ada@example.com") && page.contains("&lt;b&gt;") && page.contains("nobody"),
        "{page}"
    );
    let (status, missing) = answer(demo.get("/api/import/preview/none")).await;
    assert_eq!((status, &missing["error"]), (404, &json!("找不到該工作")));
    let unknown = demo.get("/api/import/preview/01990000-0000-7000-8000-000000000000");
    assert_eq!(answer(unknown).await, (404, json!({ "error": "找不到該預覽，可能尚未完成" })));
}

#[tokio::test]
async fn files_that_are_older_than_30_days_are_removed() {
    let bed = Bed::new();
    bed.start().await.interrupt().await;
    for (name, days) in [("old.html", 31), ("young.html", 29)] {
        let file = File::create(bed.path().join("reports").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60)).unwrap();
    }
    let demo = bed.start().await;
    bed.wait_until_gone("reports/old.html").await;
    assert!(bed.path().join("reports/young.html").exists());
    assert!(demo.interrupt().await.success());
}

#[tokio::test]
async fn the_service_says_how_each_of_its_parts_is() {
    let bed = Bed::new();
    let demo = bed.start().await;
    let (status, live) = answer(demo.get("/livez")).await;
    assert_eq!((status, live), (200, json!({ "is_live": true, "stuck": [] })));
    for path in ["/readyz", "/healthz"] {
        let (status, report) = answer(demo.get(path)).await;
        assert_eq!((status, &report["is_ready"]), (200, &json!(true)), "{report}");
        let names: Vec<_> = report["services"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
        assert_eq!(names, ["old uploads", "demo", "previews", "deleted users", "old files", "tour", "web"]);
        assert_eq!(report["checks"], json!([{ "name": "storage of demo", "status": "healthy" }]));
    }
}
