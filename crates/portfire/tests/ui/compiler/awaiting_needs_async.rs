use portfire::prelude::*;

async fn wait() {}

#[job]
fn awaits() {
    wait().await;
}

fn main() {}
