//! A server that tests may kill: it comes back by itself, on its port and with its data.
//!
//! 1. It starts as every [`Instance`] does; its process is named in a file, anew for each life.
//! 2. A thread waits for its end, and serves the same folder again, until it is ready.
//! 3. Dropping it ends the watch, then the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::engine::{Engine, Programs};
use super::instance::{Instance, Life};

/// A server under watch.
pub(crate) struct Mortal {
    engine: Engine,
    url: String,
    pid_file: PathBuf,
    wanted: Arc<AtomicBool>,
    watch: Option<JoinHandle<Result<(), String>>>,
}

impl Mortal {
    /// Starts one. It always waits for the disk: what it acknowledged is what the tests look for.
    pub(crate) fn start(engine: Engine, programs: Programs) -> Result<Self, String> {
        let instance = Instance::start(engine, &programs, &std::env::temp_dir(), Life::Mortal, true)?;
        let (url, pid_file) = (instance.url().to_owned(), instance.pid_file());
        let wanted = Arc::new(AtomicBool::new(true));
        let still_wanted = Arc::clone(&wanted);
        let watch = std::thread::spawn(move || watch(instance, &programs, &still_wanted));
        Ok(Self { engine, url, pid_file, wanted, watch: Some(watch) })
    }

    /// What tests look for in their environment: where it is, and the file that names its process.
    pub(crate) fn variables(&self) -> [(String, String); 2] {
        let name = self.engine.variable().replace("_URL", "_MORTAL");
        [
            (format!("{name}_URL"), self.url.clone()),
            (format!("{name}_PID"), self.pid_file.display().to_string()),
        ]
    }

    /// Stays with it for as long as it can be served.
    pub(crate) fn watch(mut self) {
        let _ = self.watch.take().map(JoinHandle::join);
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::SeqCst);
        super::instance::end_process(self.engine, &self.pid_file);
        if let Some(Ok(Err(why))) = self.watch.take().map(JoinHandle::join) {
            eprintln!("==> the {} server that tests may kill: {why}", self.engine.name());
        }
    }
}

fn watch(mut instance: Instance, programs: &Programs, wanted: &AtomicBool) -> Result<(), String> {
    loop {
        instance.wait();
        if !wanted.load(Ordering::SeqCst) {
            return Ok(());
        }
        instance.serve_again(programs)?;
    }
}
