//! Only named files read clocks, keep time, start tasks or read the environment; everything else takes what it
//! needs as an argument. `clippy.toml` bans the calls; this rule knows who may be excused.

use super::Tree;

/// The edges, each with what it does there.
const EDGES: [&str; 32] = [
    // reads the system's clocks, for the client and the server
    "crates/portfire/src/clock.rs",
    // starts a host's one long task
    "crates/portfire/src/hosting/run.rs",
    // starts the task of a service
    "crates/portfire/src/hosting/task.rs",
    // moves a paused clock
    "crates/portfire/src/hosting/testing.rs",
    // keeps the grace of an attempt that was asked to stop
    "crates/portfire/src/server/attempt.rs",
    // pauses after a failed wait
    "crates/portfire/src/server/driver.rs",
    // keeps the heartbeat's time
    "crates/portfire/src/server/pulse.rs",
    // starts a server's one long task
    "crates/portfire/src/server/running.rs",
    // reads the host's clock, and passes the time between two looks of a live page
    "crates/portfire-dashboard/src/clock.rs",
    // measures time, and finds the database in the environment
    "crates/portfire-dashboard/examples/scale.rs",
    // finds the browser of the tests in the environment
    "crates/portfire-dashboard/tests/it/chromium.rs",
    // finds the databases of the tests in the environment
    "crates/portfire-dashboard/tests/it/storages.rs",
    // reads how many jobs are wished for
    "crates/portfire-testkit/src/scale.rs",
    // reads the host's clock, for SQLite
    "crates/portfire-sqlite/src/clock.rs",
    // looks again at a new file that others are turning to write-ahead logging
    "crates/portfire-sqlite/src/connect.rs",
    // waits some microseconds for callers that come together
    "crates/portfire-sqlite/src/threads.rs",
    // finds the database of the tests in the environment
    "bench/tests/it/main.rs",
    // measures time
    "bench/track/src/stopwatch.rs",
    // looks at the file every few milliseconds
    "crates/portfire-sqlite/src/wake.rs",
    // pauses before a call is repeated
    "crates/portfire-postgres/src/pool.rs",
    // finds the database of the tests in the environment
    "crates/portfire-postgres/tests/it/main.rs",
    // pauses before a call is repeated
    "crates/portfire-mysql/src/pool.rs",
    // finds the databases of the tests in the environment
    "crates/portfire-mysql/tests/it/main.rs",
    // waits for a database server to start
    "xtask/src/db/instance.rs",
    // finds the databases and the browser that are given in the environment
    "xtask/src/main.rs",
    // races real tasks for one job
    "crates/portfire-testkit/src/suite/claim.rs",
    // an application keeps its own time
    "demo/src/lib.rs",
    // reads how many cases are wished for
    "crates/portfire-core/tests/it/cron_oracle.rs",
    // programs under test talk, listen to signals and take their time
    "crates/portfire/tests/programs/host.rs",
    "crates/portfire/tests/programs/server.rs",
    // tests that wait in real time, in one place each
    "crates/portfire/tests/it/main.rs",
    "demo/tests/it/main.rs",
];

/// The file that spells the lint's name out.
const THIS: &str = "xtask/src/tidy/edges.rs";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.each(".rs", |name, text| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let excused = code.into_iter().any(|line| line.contains("clippy::disallowed_methods"));
        if !excused || EDGES.contains(&name) || name == THIS {
            return Vec::new();
        }
        let what = "makes a call that only an edge may make; take the time, the task or the setting as an \
                    argument, or name the file in `xtask/src/tidy/edges.rs` with its reason";
        vec![what.to_owned()]
    })
}

#[cfg(test)]
mod tests {
    use super::{EDGES, Tree, check};

    #[test]
    fn a_file_that_is_no_edge_may_not_be_excused() {
        let text = "//! B.\n#[expect(clippy::disallowed_methods, reason = \"…\")]\nfn now() {}\n";
        assert!(check(&Tree::of([("crates/portfire/src/call.rs", text)]))[0].contains("only an edge"));
        assert!(check(&Tree::of([(EDGES[0], text)])).is_empty());
        assert!(check(&Tree::of([("crates/portfire/src/call.rs", "//! B.\n")])).is_empty());
    }
}
