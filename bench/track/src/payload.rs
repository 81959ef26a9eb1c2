//! The arguments of every job of every contestant: some 100 bytes of JSON.

use serde::{Deserialize, Serialize};

/// What a welcome mail would need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Which job it is.
    pub number: u32,
    address: String,
    template: String,
    locale: String,
}

impl Mail {
    /// The arguments of this job.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            address: format!("user.number.{number}@mail.example.org"),
            template: "welcome".into(),
            locale: "zh-TW".into(),
        }
    }
}
