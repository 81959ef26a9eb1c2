//! The cases, by what they are about.

pub mod claim;
pub mod enter;
pub mod family;
pub mod keep;
pub mod lease;
pub mod look;
pub mod operate;
pub mod settle;
