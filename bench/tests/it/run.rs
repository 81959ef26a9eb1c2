//! A small run ends with figures, ratios and three files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn bench(arguments: &[&str], out: &Path) -> Output {
    bench_with(arguments, &[], out)
}

/// With these programs of peers.
fn bench_with(arguments: &[&str], peers: &[&Path], out: &Path) -> Output {
    let peers: Vec<_> = peers.iter().map(|peer| peer.display().to_string()).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments).arg("--out").arg(out);
    for database in ["POSTGRES", "MARIADB", "MYSQL", "REDIS"] {
        command.env_remove(format!("PORTFIRE_BENCH_{database}_URL"));
    }
    command.env_remove("PORTFIRE_BENCH_PEERS");
    if !peers.is_empty() {
        command.env("PORTFIRE_BENCH_PEERS", peers.join(":"));
    }
    command.output().expect("the program starts")
}

/// What a run that succeeded has printed.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_run_prints_and_writes_rates_and_their_ratio_to_the_bare_statements() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["drain/64 sqlite/full", "--quick"], dir.path());
    let text = printed(output);
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
fn the_packed_form_takes_part_if_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        bench(&["drain/256 sqlite/full", "lifecycle/1024 sqlite/full", "--quick", "--packed"], dir.path());
    let text = printed(output);
    assert!(text.contains("--quick --packed --runs 1"), "the command repeats it:\n{text}");
    for name in ["packed/100", "packed/1000", "packed+expanded/100", "packed+expanded/1000"] {
        let is_rate = |line: &&str| line.starts_with("| drain/256 ") || line.starts_with("| lifecycle/1024 ");
        let rows = text.lines().filter(is_rate).filter(|line| line.contains(&format!("| {name} ")));
        assert_eq!(rows.count(), 2, "{name} in\n{text}");
    }
    assert!(text.contains("no look-up of a finished job until it is expanded"), "{text}");
}

#[test]
fn a_filter_may_name_a_contestant() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["drain/64 sqlite/full portfire", "--quick"], dir.path());
    let text = printed(output);
    assert!(text.contains("| drain/64 | sqlite/full | portfire ") && !text.contains("| bare/"), "{text}");
}

#[test]
fn delays_amid_others_have_a_rate_and_the_readme_has_its_section() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        bench(&["half-load sqlite/full", "drain/1024 sqlite/full", "--quick", "--readme"], dir.path());
    let text = printed(output);
    assert!(text.contains("| half-load | sqlite/full | portfire ") && text.contains("| p99.9 µs "), "{text}");
    let file = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(file("delays.svg").contains("half-load on sqlite/full"));
    for (name, heading, row) in [
        ("readme.md", "## Speed", "| Portfire, SQLite |"),
        ("readme.zh-TW.md", "## 速度", "| *裸 SQL*, SQLite |"),
    ] {
        let section = file(name);
        assert!(section.starts_with(heading) && section.contains(row), "{section}");
        assert!(section.contains("--readme --runs 1"), "the command that makes it:\n{section}");
    }
    assert!(file("speed.svg").contains("drain/1024 on SQLite"));
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
    let dir = tempfile::tempdir().expect("a folder");
    let url = std::env::var(variable).expect("`cargo xtask test` starts the servers");
    let filters = [format!("drain/64 {database}"), format!("lifecycle/1024 {database}")];
    let arguments = [&filters[0], &filters[1], "--quick", "--packed", &format!("--{database}"), &url];
    let output = bench(&arguments, dir.path());
    let text = printed(output);
    let is_ours = |line: &str| line.starts_with("| drain/64 ") && line.contains(&format!("| {database} "));
    assert!(text.lines().any(is_ours), "the drain is missing in\n{text}");
    for said in ["| bare/1000 ", "| packed/1000 ", "| packed+expanded/100 ", version, "| server CPU "] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    let report = fs::read(dir.path().join("report.json")).expect("a report");
    let json: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    for result in json["results"].as_array().expect("results") {
        let counts = &result["samples"][0]["counts"];
        // PostgreSQL counts statements in a module that not every server has loaded.
        let statements = (database != "postgres").then_some("statements");
        for count in ["commits", "logged", "dead"].into_iter().chain(statements) {
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

/// A program with one peer, which does this for a task.
fn program(dir: &Path, name: &str, does: &str) -> PathBuf {
    let path = dir.join(name);
    let takes =
        format!(r#"[{{"name":"{name} 1.0","database":"sqlite/full","promises":"none","bulk":false}}]"#);
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --who ]; then echo 'track: {takes}'; exit; fi\nread task\n{does}\n"
    );
    fs::write(&path, text).expect("a program");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("rights");
    path
}

#[test]
fn a_peer_is_measured_in_its_own_program_and_judged_by_what_it_says() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let done = r#"{"Done":{"cost":{"wall":500000,"cpu":250000,"written":null,"peak_rss":1024},"jobs":50,"delays":[]}}"#;
    let does = format!(
        "echo a library talks\necho 'track: \"Ready\"'\nread go\n[ \"$go\" = go ] && echo 'track: {done}'"
    );
    let peer = program(dir.path(), "talker", &does);
    let output = bench_with(&["drain/1024 sqlite/full", "--quick", "--peers"], &[&peer], out.path());
    let text = printed(output);
    assert!(text.contains("--quick --peers --runs 1"), "the command repeats it:\n{text}");
    let row = text.lines().find(|line| line.contains("| talker 1.0 ") && line.contains("drain")).unwrap();
    assert!(
        row.contains("| 100 ") && row.contains("| 5,000.0 "),
        "50 jobs in half a second of 0.25 s of CPU: {row}"
    );
    assert!(text.contains("| drain/1024, of the fastest peer "), "{text}");
}

#[test]
fn a_peer_that_fails_is_left_out_and_costs_nobody_else_a_figure() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let peer = program(dir.path(), "stumbler", "exit 1");
    let output = bench_with(&["drain/1024 sqlite/full", "--quick", "--peers"], &[&peer], out.path());
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("left out"), "{said}");
    assert!(text.contains("| portfire ") && !text.contains("stumbler"), "{text}");
}

#[test]
fn peers_that_are_not_built_are_an_error_that_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(&["drain/1024 sqlite/full", "--quick", "--peers"], dir.path());
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("cargo xtask bench --peers"));
}
