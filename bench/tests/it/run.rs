//! A small run ends with figures, ratios and three files.

use std::fs;
use std::process::Command;

fn bench(arguments: &[&str], out: &std::path::Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .arg("--out")
        .arg(out)
        .env_remove("PORTFIRE_BENCH_POSTGRES_URL")
        .env_remove("PORTFIRE_BENCH_MARIADB_URL")
        .env_remove("PORTFIRE_BENCH_MYSQL_URL")
        .output()
        .expect("the program starts")
}

#[test]
fn a_run_prints_and_writes_rates_and_their_ratio_to_the_bare_statements() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["drain/64 sqlite/full", "--quick"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for said in ["| drain/64 | sqlite/full | portfire ", "| bare/100 ", "fdatasync", "cargo xtask bench"] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(json["results"].as_array().unwrap().len(), 3, "portfire and two batches of bare");
    assert!(fs::read_to_string(dir.path().join("chart.svg")).unwrap().starts_with("<svg"));
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 3, "the databases are removed");
}

#[test]
fn postgres_is_measured_too_and_nothing_is_left_in_it() {
    measures("postgres", "PORTFIRE_TEST_POSTGRES_URL", "PostgreSQL ");
}

#[test]
fn mariadb_is_measured_too_and_nothing_is_left_in_it() {
    measures("mariadb", "PORTFIRE_TEST_MARIADB_URL", "mariadb ");
}

#[test]
fn mysql_is_measured_too_and_nothing_is_left_in_it() {
    measures("mysql", "PORTFIRE_TEST_MYSQL_URL", "mysql ");
}

fn measures(database: &str, variable: &str, version: &str) {
    let dir = tempfile::tempdir().unwrap();
    let url = std::env::var(variable).expect("`cargo xtask test` starts the servers");
    let filter = format!("drain/64 {database}");
    let output = bench(&[&filter, "--quick", &format!("--{database}"), &url], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours = format!("| drain/64 | {database} ");
    for said in [&*ours, "| bare/1000 ", version, "| server CPU "] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    for result in json["results"].as_array().unwrap() {
        let counts = &result["samples"][0]["counts"];
        for count in ["commits", "logged", "dead"] {
            assert!(counts[count].as_u64() > Some(0), "{count} of {}", result["contestant"]);
        }
    }
}

#[test]
fn a_server_that_is_not_given_is_an_error_that_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["drain/64 postgres", "--quick"], dir.path());
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("PORTFIRE_BENCH_POSTGRES_URL"));
}

#[test]
fn a_filter_that_matches_nothing_is_an_error_that_repeats_it() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["dran", "--quick"], dir.path());
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("`dran`"));
}
