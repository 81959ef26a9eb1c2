//! Passwords and tokens as they are kept: hashed with Argon2id.

use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Argon2, Params};
use portfire_core::{Error, Result};

/// Most memory that a hash may ask for, in KiB: 64 MiB. The hash comes from configuration, but a slip there
/// should not stop a server.
const MEMORY_KIB_MAX: u32 = 64 << 10;
/// Most rounds that a hash may ask for.
const ROUNDS_MAX: u32 = 10;

/// The hash of a password or token: a PHC string that begins with `$argon2id$`.
#[derive(Clone)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Reads a hash, as [`hash_password`] and the `argon2` command make them.
    ///
    /// # Errors
    /// [`Error::is_misuse`] if it is not an Argon2id hash, or asks for more than 64 MiB or 10 rounds.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Error::misuse(
                "a password is given as an Argon2id hash (`$argon2id$v=19$m=…`) of at most 64 MiB and 10 rounds",
            )
        };
        let hash = phc::PasswordHash::new(text.trim()).map_err(|_| refuse())?;
        let params = Params::try_from(&hash).map_err(|_| refuse())?;
        let bounded = params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= ROUNDS_MAX;
        let whole = hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some();
        if whole && bounded { Ok(Self(hash)) } else { Err(refuse()) }
    }

    /// Whether this is the password. Takes tens of milliseconds of computing, whatever the answer.
    pub(super) fn is_of(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The Argon2id hash of a password or token, to be kept in configuration.
///
/// # Errors
/// [`Error::is_broken`] if the operating system has no randomness for the salt.
///
/// ```
/// use portfire_dashboard::{PasswordHash, hash_password};
///
/// let kept = hash_password("correct horse battery staple")?;
/// assert!(kept.starts_with("$argon2id$"));
/// PasswordHash::parse(&kept)?;
/// # Ok::<(), portfire_core::Error>(())
/// ```
pub fn hash_password(password: &str) -> Result<String> {
    let broken = |what: &str| Error::broken(format!("a password cannot be hashed: {what}"));
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| broken("no randomness").caused_by(error.to_string()))?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| broken(&error.to_string()))
}
