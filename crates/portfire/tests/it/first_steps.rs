//! What goes wrong in the first ten minutes, and whether the answer says what to do about it.

use std::sync::{Arc, LazyLock, Mutex};

use portfire::prelude::*;
use portfire::{Filter, PageRequest};

use crate::bed::{PATIENCE, on_every_backend, stop};

/// What the servers of this process log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

impl Log {
    fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(text).count()
    }

    async fn until_it_has(&self, text: &str, times: usize) {
        let search = async {
            while self.count(text) < times {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it is logged");
    }
}

#[job]
async fn known() {}

#[job(kind = "forgotten to register")]
async fn forgotten() {}

#[test]
fn a_kind_that_nobody_registered_is_named_in_the_log_once() {
    let log = LOG.clone();
    on_every_backend(|bed| {
        let (log, before) = (log.clone(), log.count("forgotten to register"));
        async move {
            bed.jobs.enqueue_many((0..3).map(|_| forgotten())).await.unwrap();
            known().enqueue(&bed.jobs).await.unwrap();
            let server = bed.server().job::<known>().start().await.unwrap();
            log.until_it_has(r#"kind="forgotten to register" queue="default""#, before + 1).await;
            stop(server).await;
            assert_eq!(log.count("forgotten to register"), before + 1);
            assert_eq!(log.count(r#"kind="known""#), 0, "a known kind is no stranger");
        }
    });
}

async fn refused(url: &str) -> String {
    let error = Jobs::connect(url).await.expect_err(url);
    assert!(error.is_misuse(), "{url}: {error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_mistyped_url_is_answered_with_a_right_one() {
    for url in ["jobs.db", "", "/srv/jobs.db"] {
        assert!(refused(url).await.contains("begins with a scheme, as in `sqlite://jobs.db`"), "{url}");
    }
    for url in ["sqlite:jobs.db", "sqlite:/srv/jobs.db", "sqlite::memory:"] {
        assert!(refused(url).await.contains("has two slashes"), "{url}");
    }
    for url in ["sqlite3://jobs.db", "sqllite://jobs.db", "file://jobs.db", "://jobs.db"] {
        assert!(refused(url).await.contains("this build knows `sqlite://"), "{url}");
    }
    let dir = tempfile::tempdir().unwrap();
    let url = |rest: &str| format!("SQLite://{}/{rest}", dir.path().display());
    assert!(refused(&url("a.db?synchronous=off")).await.contains("`synchronous=full`"));
    assert!(refused(&url("a.db?prefix=a-b")).await.contains("prefix"));
    assert!(!dir.path().join("a.db").exists(), "nothing is created before all is understood");
    Jobs::connect(&url("a.db?synchronous=normal&prefix=mine_")).await.unwrap();
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| format!("sqlite://{}", dir.path().join(path).display());
    assert!(refused(&at("")).await.contains("is a directory; name a file in it"));
    assert!(refused(&at("missing/jobs.db")).await.contains("its directory does not exist"));
    let path = dir.path().join("locked.db");
    std::fs::write(&path, "").unwrap();
    let mut permissions = path.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    assert!(refused(&at("locked.db")).await.contains("is read-only"));
}

#[tokio::test]
async fn two_programs_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("jobs.db").display());
    let (ours, theirs) = (Jobs::connect(&url).await.unwrap(), Jobs::connect(&url).await.unwrap());
    let first = Server::new(&ours).job::<known>().start().await.unwrap();
    let second = Server::new(&theirs).job::<known>().start().await.unwrap();
    assert_ne!(first.id(), second.id());
    let stored = ours.enqueue_many((0..20).map(|_| known())).await.unwrap();
    let done = async {
        let succeeded = Filter { state: Some(State::Succeeded), ..Filter::default() };
        while theirs.list(succeeded.clone(), PageRequest::default()).await.unwrap().jobs.len() < stored.len()
        {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("all of them run");
    assert_eq!(ours.overview().await.unwrap().servers.len(), 2);
    stop(first).await;
    stop(second).await;
}

#[test]
fn a_server_that_was_asked_for_the_impossible_says_what() {
    on_every_backend(|bed| async move {
        let says = |server: Server| async move {
            let error = server.start().await.expect_err("it is refused");
            assert!(error.is_misuse(), "{error:?}");
            error.to_string()
        };
        let server = || bed.server().job::<known>();
        assert!(says(server().slots(0)).await.contains("0 slots"));
        assert!(says(server().lease(999.milliseconds())).await.contains("at least 1s"));
        assert!(says(server().poll_interval(0.seconds())).await.contains("poll interval of zero"));
        assert!(says(server().queues(Queues::ordered([""; 0]))).await.contains("no queue"));
        assert!(says(server().queues(Queues::weighted([("default", 0)]))).await.contains("weight 0"));
        server().lease(1.second()).start().await.unwrap().stop().await.unwrap();
    });
}
