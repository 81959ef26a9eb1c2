//! The cases, by what they are about.

pub mod claim;
pub mod enter;
pub mod family;
pub mod faults;
pub mod fence;
pub mod hostile;
pub mod keep;
pub mod lease;
pub mod line;
pub mod look;
pub mod notes;
pub mod operate;
pub mod recur;
pub mod search;
pub mod settle;
pub mod steer;
pub mod tallies;
pub mod unique;
