use portfire::prelude::*;

struct Total;

#[job]
async fn returns_a_total() -> Total {
    Total
}

#[job]
fn returns_text_as_its_error() -> Result<(), String> {
    Ok(())
}

fn main() {}
