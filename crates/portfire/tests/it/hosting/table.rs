//! The tables against .NET in the guide: each row names a test, the test exists, both languages say the same,
//! and nothing of .NET's hosting is passed over.

use std::path::{Path, PathBuf};

/// Each page with a table, and what of .NET it has to speak of.
const PAGES: [(&str, &[&str]); 2] = [
    (
        "from-background-service.md",
        &[
            "IHostedService",
            "IHostedLifecycleService",
            "StartAsync",
            "StartupTimeout",
            "ShutdownTimeout",
            "ServicesStartConcurrently",
            "ServicesStopConcurrently",
            "shutdownTimeoutSeconds",
            "BackgroundServiceExceptionBehavior.StopHost",
            "BackgroundServiceExceptionBehavior.Ignore",
            "ExecuteAsync",
            "ExecuteTask",
            "IHostApplicationLifetime",
            "SIGQUIT",
            "UseSystemd",
            "journald",
            "WATCHDOG",
            "UseWindowsService",
            "CreateScope",
            "PeriodicTimer",
            "Timer",
            "FakeTimeProvider",
            "IHealthCheckPublisher",
        ],
    ),
    (
        "from-channel-queues.md",
        &[
            "IBackgroundTaskQueue",
            "QueuedHostedService",
            "BoundedChannelFullMode.Wait",
            "BoundedChannelFullMode.DropWrite",
            "BoundedChannelFullMode.DropOldest",
            "BoundedChannelFullMode.DropNewest",
            "CreateUnbounded`",
            "SingleReader",
            "CreateUnboundedPrioritized",
        ],
    ),
];

#[test]
fn every_row_of_the_tables_names_a_test_that_exists() {
    let tests = std::fs::read_dir(root().join("crates/portfire/tests/it/hosting")).unwrap();
    let tests: String = tests.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    for (page, _) in PAGES {
        let [english, chinese] = ["en", "zh-TW"].map(|language| tests_named_in(&text(language, page)));
        assert!(english.len() >= 20, "{page}: only {} rows", english.len());
        for name in &english {
            assert!(tests.contains(&format!("fn {name}(")), "{page}: there is no test `{name}`");
        }
        assert_eq!(english, chinese, "{page}: both languages have the same rows");
    }
}

#[test]
fn nothing_of_dotnet_is_passed_over() {
    for (page, terms) in PAGES {
        for language in ["en", "zh-TW"] {
            let text = text(language, page);
            let missing: Vec<_> = terms.iter().filter(|term| !text.contains(**term)).collect();
            assert!(missing.is_empty(), "{language}/{page} says nothing of {missing:?}");
        }
    }
}

/// Of each row of a table that ends in a proof, the name of its test.
fn tests_named_in(page: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        is_inside =
            line.starts_with('|') && (is_inside || line.ends_with("| proof |") || line.ends_with("| 證明 |"));
        if is_inside && line.starts_with("| ") {
            rows.push(line);
        }
    }
    let name = |row: &&str| {
        let name = row.split("`test: ").nth(1).and_then(|rest| rest.split('`').next());
        name.unwrap_or_else(|| panic!("this row names no test: {row}")).to_owned()
    };
    rows.iter().filter(|row| !row.ends_with("| proof |") && !row.ends_with("| 證明 |")).map(name).collect()
}

fn text(language: &str, page: &str) -> String {
    std::fs::read_to_string(root().join("docs/guide").join(language).join(page)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
