//! awa, fang, pgqrs, sqlxmq and underway, as the measuring stick runs them.

mod awa_queue;
mod fang_queue;
mod pgqrs_queue;
mod sqlxmq_queue;
mod underway_queue;

use std::process::ExitCode;

fn main() -> ExitCode {
    let peers = [
        track::entry::<awa_queue::Awa>(),
        track::entry::<fang_queue::Fang>(),
        track::entry::<pgqrs_queue::Pgqrs>(),
        track::entry::<sqlxmq_queue::Sqlxmq>(),
        track::entry::<underway_queue::Underway>(),
    ];
    track::take_part(&peers, include_str!("../Cargo.lock"))
}
