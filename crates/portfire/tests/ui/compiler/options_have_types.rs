use portfire::prelude::*;

const SECONDS: u64 = 30;

#[job(timeout = SECONDS, backoff = 5, retry_delay = wrong)]
async fn typed() {}

fn wrong(retry: u32) -> u32 {
    retry
}

fn main() {}
