//! The dashboard by itself, for a database whose application does not mount it.
//!
//! 1. An address that others can reach is refused unless somebody is asked who they are.
//! 2. The address is taken before the database is opened, so that a second process fails at once.
//! 3. It is served until Ctrl-C or SIGTERM. Nothing has to be finished: it only looks and asks.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use portfire_core::{Error, Result};
use portfire_dashboard::{Builder, LoopbackGate, Permissions, dashboard};
use tokio::net::TcpListener;

use crate::keys::{self, Door};
use crate::{Database, Ended, say};

/// What can be set.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    database: Database,
    /// The address to listen on. Port 0 takes a free one and prints it.
    #[arg(long, env = "PORTFIRE_LISTEN", default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Ask for names and passwords: a file with lines of `name role hash` (see `portfire hash`). May be repeated.
    #[arg(long, value_name = "FILE")]
    basic_auth: Vec<PathBuf>,
    /// Let programs in by bearer tokens: a file of the same form. May be repeated.
    #[arg(long, value_name = "FILE")]
    token: Vec<PathBuf>,
    /// The path under which a proxy serves it, if that strips it.
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// A further origin from which changes may come, as in `https://jobs.example`, for a proxy that rewrites Host.
    #[arg(long, value_name = "ORIGIN")]
    trusted_origin: Vec<String>,
    /// A name for this installation, shown beside the product's.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Hide the values of this field in arguments and results. May be repeated.
    #[arg(long, value_name = "FIELD")]
    redact: Vec<String>,
}

impl Options {
    fn asks_who_it_is(&self) -> bool {
        !self.basic_auth.is_empty() || !self.token.is_empty()
    }

    /// Refuses to show everybody everything.
    fn check(&self) -> Result<()> {
        if self.listen.ip().to_canonical().is_loopback() || self.asks_who_it_is() {
            return Ok(());
        }
        Err(Error::misuse(format!(
            "{} can be reached by others, and nobody would be asked who they are. Make a hash by `printf %s \
             \"$PASSWORD\" | portfire hash`, write `name operator HASH` into a file, and add `--basic-auth FILE`; \
             or listen on 127.0.0.1 and come by a tunnel (`ssh -L`)",
            self.listen
        )))
    }

    fn admit(&self, builder: Builder) -> Result<Builder> {
        if !self.asks_who_it_is() {
            // Who may read the address of the database could do all of it without us.
            return Ok(builder.gate(LoopbackGate::with(Permissions::admin())));
        }
        let all = |paths: &[PathBuf]| {
            let keys: Result<Vec<_>> = paths.iter().map(|path| keys::read(path)).collect();
            keys.map(|keys| keys.into_iter().flatten().collect())
        };
        Ok(builder.gate(Door::new(all(&self.basic_auth)?, all(&self.token)?)))
    }

    fn set_up(&self, mut builder: Builder) -> Result<Builder> {
        if let Some(path) = &self.base_path {
            builder = builder.base_path(path.as_str());
        }
        if let Some(name) = &self.name {
            builder = builder.name(name.as_str());
        }
        builder = self
            .trusted_origin
            .iter()
            .fold(builder, |builder, origin| builder.trusted_origin(origin.as_str()));
        builder = self.redact.iter().fold(builder, |builder, field| builder.redact(field.as_str()));
        self.admit(builder)
    }
}

/// Serves until it is told to end.
pub(crate) async fn serve(options: Options) -> Result<Ended> {
    options.check()?;
    let taken = |cause: std::io::Error| {
        Error::misuse(format!(
            "cannot listen on {}; `--listen 127.0.0.1:0` takes a free port",
            options.listen
        ))
        .caused_by(cause)
    };
    let listener = TcpListener::bind(options.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let storage = options.database.open_for_dashboard().await?;
    let router = options.set_up(dashboard(storage))?.build();
    say(&format!("http://{address}/"));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
    tokio::select! {
        ended = server => ended.map_err(taken)?,
        () = interrupted() => {}
    }
    Ok(Ended::Done)
}

/// Waits for Ctrl-C, or SIGTERM where there is one.
fn interrupted() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending();
    async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
    }
}
