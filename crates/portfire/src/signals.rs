//! What the operating system says to the process: the one file that knows which system that is.
//!
//! - Unix: SIGINT, SIGTERM and SIGQUIT ask to stop; SIGHUP asks to reload, where somebody does.
//! - Windows: Ctrl-C, Ctrl-Break, the closing of the console and the shutdown of the system ask to stop.
//!   After the latter two the system itself ends the process a few seconds later, so keep the time to stop
//!   shorter there.
//!
//! Nothing that is said after the listener was made is missed.

use std::io;

use portfire_core::{Error, Result};

/// What was said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    Stop(StopSignal),
    #[cfg_attr(windows, expect(dead_code, reason = "nothing there asks to reload"))]
    Reload,
}

/// A signal that asks to stop: its name, and the exit code of a process that it ends at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopSignal {
    pub(crate) name: &'static str,
    pub(crate) exit_code: i32,
}

/// Listens from the moment it is made.
pub(crate) struct Listener(system::Signals);

impl Listener {
    /// Without `reloads`, a request to reload does to the process what the system thinks fit.
    ///
    /// # Errors
    /// Broken if the system refuses.
    pub(crate) fn new(reloads: bool) -> Result<Self> {
        let failed =
            |error: io::Error| Error::broken("the process cannot listen for signals").caused_by(error);
        system::Signals::new(reloads).map(Self).map_err(failed)
    }

    pub(crate) async fn next(&mut self) -> Heard {
        self.0.next().await
    }
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Heard, StopSignal, io};

    /// The signals of a terminal, of `kill`, of a service manager.
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        quit: Signal,
        hangup: Option<Signal>,
    }

    impl Signals {
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
mod system {
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    };

    use super::{Heard, StopSignal, io};

    /// What a console says. Nothing there asks to reload.
    pub(super) struct Signals {
        interrupt: CtrlC,
        pause: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Signals {
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
