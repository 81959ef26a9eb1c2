//! A host does what the operating system says.
//!
//! A thread and a runtime of its own listen, so that a second signal ends the process at once even when every
//! other thread is stuck: that is what a second Ctrl-C is for.

use std::io;

use portfire_core::{Error, Result};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::lifetime::{Lifetime, StopCause};
use crate::signals::{Heard, Listener};

/// Listens until the process ends. The receiver gets one item per request to reload.
pub(super) fn listen(lifetime: &Lifetime, reloads: bool) -> Result<UnboundedReceiver<()>> {
    let failed = |error: io::Error| Error::broken("the process cannot listen for signals").caused_by(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (reload, asked) = unbounded_channel();
    // Registered here, so that a signal that arrives right after this is not missed.
    let listener = {
        let _inside = runtime.enter();
        Listener::new(reloads)?
    };
    let lifetime = lifetime.clone();
    let thread = std::thread::Builder::new().name("portfire-signals".into());
    thread.spawn(move || attend(&runtime, listener, &lifetime, &reload)).map_err(failed)?;
    Ok(asked)
}

fn attend(runtime: &Runtime, mut listener: Listener, lifetime: &Lifetime, reload: &UnboundedSender<()>) {
    let mut is_asked = false;
    loop {
        match runtime.block_on(listener.next()) {
            // Nobody listens any more once the host has stopped.
            Heard::Reload => drop(reload.send(())),
            Heard::Stop(signal) if is_asked || lifetime.is_stopped() => {
                tracing::warn!(
                    signal = signal.name,
                    "there is nothing more to wait for: the process exits at once"
                );
                std::process::exit(signal.exit_code);
            }
            Heard::Stop(signal) => {
                is_asked = true;
                tracing::info!(signal = signal.name, "the host stops; a second signal exits at once");
                lifetime.stop_because(StopCause::Signal(signal.name));
            }
        }
    }
}
