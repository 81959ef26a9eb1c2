use portfire::prelude::*;

struct Plain;

#[job]
async fn takes_plain(plain: Plain) {}

fn main() {}
