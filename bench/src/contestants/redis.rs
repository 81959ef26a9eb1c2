//! A Redis server as the peers on it share it: emptied before and after each heat, and told when it flushes its
//! append-only file. It is here for them alone: Portfire needs a database that has transactions on disk.

use std::any::Any;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::contestant::{Doing, Fallible};
use crate::database::{Answer, Counts, Database, Ground};
use crate::processes::family_cpu;
use crate::workload::Workload;

/// Where it listens unless its address says otherwise.
const PORT: &str = "6379";

/// When a command counts as done: `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushing {
    /// When the operating system has it, which is flushed once a second.
    EverySecond,
    /// When it is on the disk.
    Always,
}

impl Flushing {
    const fn word(self) -> &'static str {
        match self {
            Self::EverySecond => "everysec",
            Self::Always => "always",
        }
    }
}

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    pub(crate) url: String,
    pub(crate) flushing: Flushing,
}

impl Database for Redis {
    fn name(&self) -> &'static str {
        match self.flushing {
            Flushing::EverySecond => "redis/everysec",
            Flushing::Always => "redis/always",
        }
    }

    fn promise(&self) -> &'static str {
        match self.flushing {
            Flushing::EverySecond => "a power cut may take the last second",
            Flushing::Always => "commands survive a power cut",
        }
    }

    fn takes(&self, workload: Workload) -> bool {
        !matches!(workload, Workload::Pinned { .. })
    }

    fn version(&self) -> Answer<'_, String> {
        Box::pin(async {
            let version = number_or_word(&Connection::open(&self.url)?.info()?, "redis_version");
            Ok(format!("Redis {}, appendonly yes", version.unwrap_or_default()))
        })
    }

    fn open<'a>(&'a self, _: &'a Path) -> Answer<'a, Box<dyn Ground>> {
        Box::pin(async {
            let mut server = Connection::open(&self.url)?;
            server.ask("FLUSHALL")?;
            server.ask("CONFIG SET appendonly yes")?;
            server.ask(&format!("CONFIG SET appendfsync {}", self.flushing.word()))?;
            let process = number_or_word(&server.info()?, "process_id").and_then(|id| id.parse().ok());
            Ok(Box::new(Emptied { url: self.url.clone(), process }) as Box<dyn Ground>)
        })
    }
}

/// The server during one heat.
struct Emptied {
    url: String,
    process: Option<u32>,
}

impl Ground for Emptied {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    fn cpu(&self) -> Option<u64> {
        family_cpu(self.process?, &["redis-server"])
    }

    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(async {
            let info = Connection::open(&self.url)?.info()?;
            let number = |name: &str| number_or_word(&info, name)?.parse().ok();
            let (statements, logged) = (number("total_commands_processed"), number("aof_current_size"));
            Ok(Counts { statements, logged, ..Counts::default() })
        })
    }

    fn alone(&self) -> Doing<'_> {
        Box::pin(async { Ok(()) })
    }

    fn pin(&self) -> Answer<'_, Box<dyn Any>> {
        Box::pin(async { Err("Redis has no old versions to hold on to".into()) })
    }

    fn clear(&self) -> Doing<'_> {
        Box::pin(async { Connection::open(&self.url)?.ask("FLUSHALL").map(drop) })
    }
}

/// A connection for questions whose answer is a text. Whoever asks has nothing else to do.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(url: &str) -> Fallible<Self> {
        let address = address(url);
        let stream = TcpStream::connect(&address).map_err(|e| format!("no Redis at {address}: {e}"))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    fn info(&mut self) -> Fallible<String> {
        self.ask("INFO everything")
    }

    /// One command in its inline form, and its answer (RESP2: `+word`, `$length` and so many bytes, `-error`).
    fn ask(&mut self, command: &str) -> Fallible<String> {
        write!(self.stream.get_mut(), "{command}\r\n")?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match (line.get(..1), line.get(1..).unwrap_or_default().trim()) {
            (Some("+"), word) => Ok(word.to_owned()),
            (Some("$"), length) => {
                let mut text = vec![0; length.parse::<usize>()? + 2];
                self.stream.read_exact(&mut text)?;
                Ok(String::from_utf8(text)?)
            }
            (_, said) => Err(format!("Redis answered `{command}` with: {said}").into()),
        }
    }
}

/// The host and port of a URL.
fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split_once('/').map_or(rest, |(place, _)| place);
    if place.contains(':') { place.to_owned() } else { format!("{place}:{PORT}") }
}

/// What stands behind `name:` in the answer to INFO.
fn number_or_word(info: &str, name: &str) -> Option<String> {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{address, number_or_word};

    #[test]
    fn an_address_is_that_of_the_url() {
        assert_eq!(address("redis://127.0.0.1:7000/0"), "127.0.0.1:7000");
        assert_eq!(address("redis://cache"), "cache:6379");
    }

    #[test]
    fn what_a_server_says_of_itself_is_found_by_its_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nprocess_id:42\r\n";
        assert_eq!(number_or_word(info, "process_id").as_deref(), Some("42"));
        assert_eq!(number_or_word(info, "process"), None);
    }
}
