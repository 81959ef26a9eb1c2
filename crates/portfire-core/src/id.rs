//! Names of jobs, servers and claims. All are UUIDs made by the caller, so that an insert or a claim
//! can be repeated after a lost acknowledgement and no database has to hand ids back.
//!
//! Ids are version 7 (RFC 9562): a millisecond time stamp first, then a sub-millisecond sequence, so
//! ids made by one process sort in the order in which they were made.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Dice, Error, Timestamp};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes, in the order in which ids sort.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let uuid = Uuid::try_parse(text)
                    .map_err(|_| Error::misuse(concat!("not a ", $what, " id: a UUID is expected")))?;
                Ok(Self(uuid))
            }
        }
    };
}

id!(
    /// The name of one job.
    JobId, "job"
);
id!(
    /// The name of one running server, made anew at every start (never the host name).
    ServerId, "server"
);
id!(
    /// The fence of a claim: made anew for every claim, so a write that carries an old one is refused.
    Token, "claim"
);

/// The right to run one attempt of one job, until its server's heartbeat stops or the job is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The fence.
    pub token: Token,
}

/// Makes ids that sort in the order in which they were made, even within one microsecond.
#[derive(Debug)]
pub struct IdSequence {
    /// 48 bits of milliseconds and 12 bits of sub-millisecond sequence of the last id.
    last: u64,
    dice: Dice,
}

impl IdSequence {
    /// A sequence that takes its random bits from `dice`.
    pub const fn new(dice: Dice) -> Self {
        Self { last: 0, dice }
    }

    /// The next job id.
    pub fn job(&mut self, now: Timestamp) -> JobId {
        JobId(self.next(now))
    }

    /// The next server id.
    pub fn server(&mut self, now: Timestamp) -> ServerId {
        ServerId(self.next(now))
    }

    /// The next claim token.
    pub fn token(&mut self, now: Timestamp) -> Token {
        Token(self.next(now))
    }

    /// RFC 9562 §6.2 method 3: the 12 bits after the version hold a finer clock; when two ids would
    /// meet, the later one takes the next value, running ahead of the clock by 1/4096 ms an id.
    fn next(&mut self, now: Timestamp) -> Uuid {
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        let fine = ((micros / 1_000) << 12) | ((micros % 1_000) * 4_096 / 1_000);
        self.last = fine.max(self.last + 1);
        let high = ((self.last >> 12) << 16) | 0x7000 | (self.last & 0x0FFF);
        let low = (self.dice.bits() >> 2) | (0b10 << 62);
        Uuid::from_u64_pair(high, low)
    }
}
