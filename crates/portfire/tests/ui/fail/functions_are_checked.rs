use portfire::prelude::*;

#[job]
async fn generic<T, const N: usize>(value: T) {}

#[job]
async unsafe fn not_safe() {}

#[job]
extern "C" fn foreign() {}

#[job]
const fn constant() {}

#[job]
async fn returns_an_impl() -> impl Sized {}

#[job]
async fn never_returns() -> ! {
    loop {}
}

#[job]
async fn returns_a_number() -> u32 {
    7
}

#[job]
async fn returns_an_option(number: u32) -> Option<(u32, String)> {
    None
}

#[job]
async fn returns_a_pair() -> (u32, String) {
    (7, String::new())
}

#[job]
struct Structure;

struct Type;

impl Type {
    #[job]
    async fn method(&self) {}
}

fn main() {}
