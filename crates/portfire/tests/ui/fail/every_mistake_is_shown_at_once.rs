use portfire::prelude::*;

#[job(attempts = 0, colour = "red", tags = ["", "a\nb"])]
unsafe fn everything<T>(name: &str, (left, right): (T, T), context: &mut JobContext) -> impl Sized {}

fn main() {}
