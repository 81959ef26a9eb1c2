//! What the operating system says to the process.
//!
//! A thread and a runtime of its own listen, so that a second signal ends the process at once even when every
//! other thread is stuck: that is what a second Ctrl-C is for.

use std::io;

use portfire_core::{Error, Result};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::lifetime::{Lifetime, StopCause};
use listener::Listener;

/// A signal that asks to stop: its name, and the exit code of a process that it ends at once.
#[derive(Clone, Copy, Debug)]
struct StopSignal {
    name: &'static str,
    exit_code: i32,
}

/// Listens until the process ends. The receiver gets one item per request to reload.
pub(super) fn listen(lifetime: &Lifetime, reloads: bool) -> Result<UnboundedReceiver<()>> {
    let failed = |error: io::Error| Error::broken("the process cannot listen for signals").caused_by(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (reload, asked) = unbounded_channel();
    // Registered here, so that a signal that arrives right after this is not missed.
    let listener = {
        let _inside = runtime.enter();
        Listener::new(reloads).map_err(failed)?
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

enum Heard {
    Stop(StopSignal),
    Reload,
}

#[cfg(unix)]
mod listener {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Heard, StopSignal, io};

    /// The signals of a terminal, of `kill`, of a service manager.
    pub(super) struct Listener {
        interrupt: Signal,
        terminate: Signal,
        quit: Signal,
        hangup: Option<Signal>,
    }

    impl Listener {
        pub(super) fn new(reloads: bool) -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                quit: signal(SignalKind::quit())?,
                hangup: reloads.then(|| signal(SignalKind::hangup())).transpose()?,
            })
        }

        pub(super) async fn next(&mut self) -> Heard {
            // 128 + the number of the signal, as a shell would say.
            let stop = |name, number| Heard::Stop(StopSignal { name, exit_code: 128 + number });
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => stop("SIGINT", 2),
                _ = self.terminate.recv() => stop("SIGTERM", 15),
                _ = self.quit.recv() => stop("SIGQUIT", 3),
                _ = hangup => Heard::Reload,
            }
        }
    }
}

#[cfg(windows)]
mod listener {
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    };

    use super::{Heard, StopSignal, io};

    /// What a console and the service manager say.
    pub(super) struct Listener {
        interrupt: CtrlC,
        pause: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Listener {
        pub(super) fn new(_reloads: bool) -> io::Result<Self> {
            Ok(Self {
                interrupt: ctrl_c()?,
                pause: ctrl_break()?,
                close: ctrl_close()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Heard {
            let stop = |name| Heard::Stop(StopSignal { name, exit_code: 1 });
            tokio::select! {
                _ = self.interrupt.recv() => stop("Ctrl-C"),
                _ = self.pause.recv() => stop("Ctrl-Break"),
                _ = self.close.recv() => stop("the closing of the console"),
                _ = self.shutdown.recv() => stop("the shutdown of the system"),
            }
        }
    }
}
