//! What each address answers.

pub mod imports;
pub mod reports;
pub mod users;
