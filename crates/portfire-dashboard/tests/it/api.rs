//! The API: its description is true of its routes and its answers, and it does what the pages do.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use portfire_core::State;
use portfire_dashboard::{Method, Permission, Permissions, Scope, Surface, routes};
use serde_json::{Value, json};

use crate::site::{Answer, Site, admit, admit_to, request};

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// What is wrong with a value, by the schema; empty if nothing is.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let named = document.pointer(name.trim_start_matches('#')).expect(name);
        return faults(document, named, value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| faults(document, choice, value, place).is_empty());
        return if fits { Vec::new() } else { vec![format!("{place}: {value} is none of the choices")] };
    }
    let mut found = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return found,
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&actual) {
        return vec![format!("{place}: {value} is no {types:?}")];
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_err())
    {
        found.push(format!("{place}: {value} is no time"));
    }
    if schema["format"] == "uuid" && value.as_str().is_some_and(|text| text.len() != 36) {
        found.push(format!("{place}: {value} is no id"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value) && !value.is_null()) {
        found.push(format!("{place}: {value} is none of the words"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(faults(document, &schema["items"], item, &format!("{place}[{at}]")));
    }
    if let Some(object) = value.as_object() {
        let known = schema["properties"].as_object().expect("an object says what it has");
        found.extend(
            object
                .keys()
                .filter(|name| !known.contains_key(*name))
                .map(|name| format!("{place}.{name}: not described")),
        );
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(
            required
                .filter(|name| !object.contains_key(*name))
                .map(|name| format!("{place}.{name}: missing")),
        );
        for (name, inner) in object {
            found.extend(faults(document, &known[name], inner, &format!("{place}.{name}")));
        }
    }
    found
}

/// The JSON of an answer, which is as the document says.
fn described(answer: &Answer, method: &str, path: &str) -> Value {
    let document = document();
    let value: Value =
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{path}: {}", answer.body));
    let responses = &document["paths"][path][method]["responses"];
    let (response, kind) = match answer.status {
        StatusCode::OK => (&responses["200"], "application/json"),
        _ => (&responses["default"], "application/problem+json"),
    };
    assert_eq!(answer.header("content-type"), kind, "{path}");
    let found = faults(&document, &response["content"][kind]["schema"], &value, path);
    assert!(response["content"][kind].is_object() && found.is_empty(), "{path}: {found:#?}");
    value
}

async fn read(site: &Site, path: &str, query: &str) -> Value {
    let answer = site.get(&format!("{path}{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}{query}: {}", answer.body);
    described(&answer, "get", path)
}

async fn post(site: &Site, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    site.ask(request("POST", path, &headers, &body.to_string())).await
}

async fn done(site: &Site, path: &str, body: &Value) -> Value {
    let answer = post(site, path, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {}", answer.body);
    described(&answer, "post", path)
}

#[test]
fn the_description_and_the_table_name_the_same_routes() {
    let document = document();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        })
        .collect();
    let known: BTreeSet<_> = routes()
        .iter()
        .filter(|route| route.surface == Surface::Api)
        .map(|route| {
            let method = if route.method == Method::Get { "get" } else { "post" };
            (route.path.to_owned(), method.to_owned())
        })
        .collect();
    assert_eq!(described, known);
}

#[test]
fn whatever_a_page_does_the_api_does_with_the_same_right() {
    let of = |surface| {
        let of_it = routes().iter().filter(move |route| route.surface == surface);
        let changes = of_it.filter(|route| route.effect == portfire_dashboard::Effect::Change);
        changes.map(|route| {
            (route.path.trim_start_matches("/api/v1").to_owned(), route.permission.map(Permission::as_str))
        })
    };
    assert_eq!(of(Surface::Page).collect::<BTreeSet<_>>(), of(Surface::Api).collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let site = Site::full().await;
    for (path, query) in [
        ("/api/v1/me", ""),
        ("/api/v1/overview", ""),
        ("/api/v1/history", "?span=day"),
        ("/api/v1/jobs", ""),
        ("/api/v1/jobs", "?q=state:failed&limit=2"),
        ("/api/v1/faults", "?order=most"),
        ("/api/v1/recurring", ""),
        ("/api/v1/recurring/one", "?id=cleanup"),
        ("/api/v1/queues", ""),
        ("/api/v1/servers", ""),
        ("/api/v1/audit", ""),
        ("/api/v1/about", ""),
    ] {
        let value = read(&site, path, query).await;
        assert!(
            value.get("items").is_none_or(|items| !items.as_array().unwrap().is_empty()),
            "{path}: {value}"
        );
    }
    for state in State::ALL {
        for id in site.jobs(state).await {
            let answer = site.get(&format!("/api/v1/jobs/{id}")).await;
            let job = described(&answer, "get", "/api/v1/jobs/{id}");
            assert_eq!((&job["id"], &job["state"]), (&json!(id.to_string()), &json!(state.as_str())));
        }
    }
}

#[tokio::test]
async fn arguments_keep_every_digit() {
    let site = Site::full().await;
    let id = site.jobs(State::Enqueued).await[0];
    let mut ids = portfire_core::IdSequence::new(portfire_core::Dice::from_seed([5, 5]));
    let args = portfire_core::Json::trusted("{\"n\":123456789012345678901234567890.10}");
    let job = portfire_core::NewJob::new(ids.job(site.storage.now().await.unwrap()), "k", args.clone());
    let exact = job.id;
    site.storage.insert(vec![job]).await.unwrap();
    assert_ne!(exact, id);
    let answer = site.get(&format!("/api/v1/jobs/{exact}")).await;
    assert!(answer.body.contains(&format!("\"args\":{args},")), "{}", answer.body);
}

#[tokio::test]
async fn a_list_is_walked_page_by_page() {
    let site = Site::full().await;
    let all = site.storage.list(Default::default(), Default::default()).await.unwrap().jobs.len();
    let (mut seen, mut query) = (BTreeSet::new(), "?limit=3".to_owned());
    loop {
        let page = read(&site, "/api/v1/jobs", &query).await;
        for job in page["items"].as_array().unwrap() {
            assert!(seen.insert(job["id"].as_str().unwrap().to_owned()), "twice: {job}");
        }
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&after={next}");
    }
    assert_eq!(seen.len(), all);
}

#[tokio::test]
async fn jobs_are_steered_and_it_is_written_down_by_whom() {
    let site = Site::full().await;
    let id = site.jobs(State::Enqueued).await[0].to_string();
    let gone = "019a0000-0000-7000-8000-000000000001";
    let body = json!({"jobs": [id, gone], "queue": "elsewhere", "reason": "測試"});
    let moved = done(&site, "/api/v1/jobs/move", &body).await;
    assert_eq!(moved["items"][0], json!({"id": id, "outcome": "done", "state": "enqueued"}));
    assert_eq!(moved["items"][1], json!({"id": gone, "outcome": "missing", "state": null}));
    done(&site, "/api/v1/jobs/prioritize", &json!({"jobs": [id], "priority": -7})).await;
    let later = json!({"jobs": [id], "at": "2030-01-01T08:00:00+08:00", "expect": "enqueued"});
    assert_eq!(done(&site, "/api/v1/jobs/reschedule", &later).await["items"][0]["state"], "scheduled");
    let job: Value = serde_json::from_str(&site.get(&format!("/api/v1/jobs/{id}")).await.body).unwrap();
    assert_eq!(job["run_at"], "2030-01-01T00:00:00.000000Z");
    assert_eq!((&job["queue"], &job["priority"]), (&json!("elsewhere"), &json!(-7)));
    done(&site, "/api/v1/jobs/run", &json!({"jobs": [id]})).await;
    done(&site, "/api/v1/jobs/cancel", &json!({"jobs": [id]})).await;
    done(&site, "/api/v1/jobs/delete", &json!({"jobs": [id]})).await;
    let audit = read(&site, "/api/v1/audit", &format!("?sort=job&name={id}")).await;
    let entries = audit["items"].as_array().unwrap();
    assert_eq!(entries.len(), 6, "{audit}");
    assert_eq!((&entries[5]["reason"], &entries[5]["via"]), (&json!("測試"), &json!("api")));
}

#[tokio::test]
async fn a_job_that_changed_is_left_alone() {
    let site = Site::full().await;
    let id = site.jobs(State::Enqueued).await[0].to_string();
    let refused = post(&site, "/api/v1/jobs/cancel", &json!({"jobs": [id], "expect": "processing"})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(described(&refused, "post", "/api/v1/jobs/cancel")["code"], "changed");
    assert_eq!(site.jobs(State::Enqueued).await[0].to_string(), id);
}

#[tokio::test]
async fn schedules_queues_and_servers_are_steered() {
    let site = Site::full().await;
    let schedule = json!({"schedule": "cleanup"});
    assert!(done(&site, "/api/v1/recurring/run", &schedule).await["job"].is_string());
    for (verb, outcome) in [("pause", "done"), ("resume", "done"), ("remove", "done")] {
        let path = format!("/api/v1/recurring/{verb}");
        assert_eq!(done(&site, &path, &schedule).await["outcome"], outcome, "{verb}");
    }
    assert_eq!(post(&site, "/api/v1/recurring/run", &schedule).await.status, StatusCode::NOT_FOUND);
    let queue = json!({"queue": "mail", "reason": "r"});
    for (verb, outcome) in [("pause", "done"), ("pause", "unchanged"), ("resume", "done")] {
        assert_eq!(
            done(&site, &format!("/api/v1/queues/{verb}"), &queue).await["outcome"],
            outcome,
            "{verb}"
        );
    }
    let servers = read(&site, "/api/v1/servers", "").await;
    let server = json!({"server": servers["items"][0]["id"]});
    for (verb, outcome) in [("quiet", "done"), ("resume", "done"), ("stop", "done"), ("resume", "refused")] {
        assert_eq!(
            done(&site, &format!("/api/v1/servers/{verb}"), &server).await["outcome"],
            outcome,
            "{verb}"
        );
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_named() {
    let site = Site::full().await;
    let id = site.jobs(State::Enqueued).await[0].to_string();
    for (path, body, named) in [
        ("/api/v1/jobs/cancel", json!({"job": [id]}), "unknown field `job`"),
        ("/api/v1/jobs/cancel", json!({"jobs": [id], "queue": "a"}), "`queue` is not taken here"),
        ("/api/v1/jobs/cancel", json!([id]), "not a JSON object"),
        ("/api/v1/jobs/move", json!({"jobs": [id], "queue": 1}), "`queue` must be a string"),
        ("/api/v1/recurring/run", json!({}), "`schedule` is missing"),
        ("/api/v1/servers/stop", json!({"server": "x"}), ""),
    ] {
        let refused = post(&site, path, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {body}: {}", refused.body);
        let problem = described(&refused, "post", path);
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    }
    for (path, query) in [
        ("/api/v1/jobs", "?query=x"),
        ("/api/v1/jobs", "?q=color:red"),
        ("/api/v1/jobs", "?after=x"),
        ("/api/v1/jobs", "?limit=x"),
        ("/api/v1/history", "?span=century"),
        ("/api/v1/faults", "?order=least"),
        ("/api/v1/audit", "?sort=job"),
    ] {
        let refused = site.get(&format!("{path}{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}{query}");
        described(&refused, "get", path);
    }
}

#[tokio::test]
async fn what_may_not_be_seen_on_a_page_is_not_in_the_api() {
    let can = Permissions::admin().without(Permission::ViewArgs).without(Permission::ViewErrors);
    let site = Site::with(|builder| admit(builder, can)).await;
    for id in site.jobs(State::Failed).await {
        let answer = site.get(&format!("/api/v1/jobs/{id}")).await;
        let job = described(&answer, "get", "/api/v1/jobs/{id}");
        assert_eq!((&job["args"], &job["fault"]), (&json!("‹hidden›"), &Value::Null));
        assert!(!answer.body.contains("payment service"), "{}", answer.body);
    }
    let scope = Scope::Queues(vec!["reports".into()]);
    let site = Site::with(|builder| admit_to(builder, Permissions::admin(), scope)).await;
    let theirs = read(&site, "/api/v1/jobs", "").await;
    let queues: BTreeSet<_> =
        theirs["items"].as_array().unwrap().iter().map(|job| job["queue"].to_string()).collect();
    assert_eq!(queues, BTreeSet::from(["\"reports\"".to_owned()]));
    for path in ["/api/v1/queues", "/api/v1/recurring", "/api/v1/overview", "/api/v1/servers"] {
        assert!(!site.get(path).await.body.contains("\"mail\""), "{path}");
    }
    let foreign = site.jobs(State::Failed).await[0];
    assert_eq!(site.get(&format!("/api/v1/jobs/{foreign}")).await.status, StatusCode::NOT_FOUND);
    let body = json!({"jobs": [foreign.to_string()]});
    assert_eq!(done(&site, "/api/v1/jobs/delete", &body).await["items"][0]["outcome"], "missing");
    for path in ["/api/v1/audit", "/api/v1/faults", "/api/v1/history"] {
        assert_eq!(site.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_schedule_is_found_behind_many_that_do_not_exist_for_who_looks() {
    let site =
        Site::with(|builder| admit_to(builder, Permissions::admin(), Scope::Queues(vec!["theirs".into()])))
            .await;
    let schedule = |id: String, queue: &str| portfire_core::Schedule {
        id: id.into(),
        cron: "0 0 * * *".into(),
        zone: "UTC".into(),
        misfire: portfire_core::Misfire::Once,
        overlap: portfire_core::Overlap::Allow,
        job: portfire_core::Template {
            kind: "k".into(),
            queue: queue.into(),
            priority: 0,
            args: portfire_core::Json::trusted("{}"),
            policy: portfire_core::Policy::default(),
            tags: Vec::new(),
        },
    };
    let many = (0..150).map(|number| schedule(format!("a{number:03}"), "foreign"));
    let all = many.chain([schedule("b".to_owned(), "theirs")]).collect();
    site.storage.put_schedules(all).await.unwrap();
    let found = read(&site, "/api/v1/recurring", "").await;
    let ids: Vec<_> = found["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!((ids, &found["next"]), (vec![&json!("b")], &Value::Null));
}

#[tokio::test]
async fn a_login_page_is_no_answer_for_a_program() {
    let site =
        Site::with(|builder| builder.gate_fn(|_| portfire_dashboard::Access::Redirect("/login".into())))
            .await;
    let answer = site.get("/api/v1/jobs").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(described(&answer, "get", "/api/v1/jobs")["code"], "login_needed");
}

#[tokio::test]
async fn the_description_is_there_for_everybody() {
    let site = Site::with(|builder| admit(builder, Permissions::none())).await;
    let answer = site.get("/api/v1/openapi.json").await;
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), document());
}
