//! Lets the machine itself in, and nobody else.
//!
//! A loopback peer alone proves little: a proxy on the same machine has one for the whole internet, and a page
//! that a browser on the machine shows can send requests to it under a name of its own (DNS rebinding). So
//! the peer, the `Host` and the absence of forwarding headers are all asked for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{FORWARDED, HOST};
use axum::http::request::Parts;

use super::{Access, Answer, Gate, Grant, Permissions};

/// Lets in what comes from this machine itself, strictly: a loopback peer, asking a loopback host, without any
/// header that a proxy adds. Everything is allowed in a debug build, seeing in a release build.
#[derive(Clone, Copy, Debug)]
pub struct LoopbackGate {
    can: Permissions,
}

impl Default for LoopbackGate {
    fn default() -> Self {
        Self { can: if cfg!(debug_assertions) { Permissions::admin() } else { Permissions::viewer() } }
    }
}

impl LoopbackGate {
    /// The gate with these rights for the machine itself.
    pub const fn with(can: Permissions) -> Self {
        Self { can }
    }

    fn decide(self, parts: &Parts) -> Access {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Access::Denied(NO_PEER.into());
        };
        let forwarded = parts.headers.keys().any(|name| {
            *name == FORWARDED
                || name.as_str().starts_with("x-forwarded-")
                || name == "x-real-ip"
                || name == "via"
        });
        let mut hosts = parts.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host,
            (None, None) => parts.uri.authority().map_or("", |authority| authority.as_str()),
            _ => "",
        };
        if !peer.ip().to_canonical().is_loopback() || forwarded || !is_loopback_host(host) {
            return Access::Denied(NOT_LOCAL.into());
        }
        Access::Granted(Grant::new("local", self.can))
    }
}

impl Gate for LoopbackGate {
    fn access<'a>(&'a self, parts: &'a Parts) -> Answer<'a> {
        Box::pin(std::future::ready(self.decide(parts)))
    }
}

const NO_PEER: &str = "The dashboard has no gate, and cannot see who asks. Give it a gate, or serve the \
                       application with `into_make_service_with_connect_info::<SocketAddr>()`.";
const NOT_LOCAL: &str = "The dashboard has no gate, so it answers only this machine itself, directly and under \
                         a local name. Give it a gate to let others in.";

/// Whether a `Host` header, with or without a port, names this machine.
fn is_loopback_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or(("", rest)),
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port_is_one =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let name = name.to_ascii_lowercase();
    let is_local = name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    port_is_one && is_local
}

#[cfg(test)]
mod tests {
    use super::is_loopback_host;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in
            ["localhost", "LOCALHOST:3000", "a.localhost:80", "127.0.0.1", "127.8.9.1:1", "[::1]", "[::1]:80"]
        {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.0.1",
            "::2",
            "[::2]:80",
            "localhost:evil",
            "0.0.0.0",
            "[::1",
            "xlocalhost",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
