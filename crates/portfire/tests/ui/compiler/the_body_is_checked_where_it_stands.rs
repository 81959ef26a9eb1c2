use portfire::prelude::*;

#[job]
async fn adds(left: u32, right: String) -> Result<u32, JobError> {
    let sum: u64 = left;
    Ok(right)
}

fn main() {
    let _ = adds("one", String::new());
}
