use portfire::prelude::*;

struct Mailer;

#[job]
async fn borrowed_argument(name: &str) {}

#[job]
async fn borrowed_inside(names: Vec<&str>) {}

#[job]
async fn borrowed_by_lifetime<'a>(name: std::borrow::Cow<'a, str>) {}

#[job]
async fn pattern((left, right): (u8, u8)) {}

#[job]
async fn nameless(_: u8) {}

#[job]
async fn by_reference_pattern(ref name: String) {}

#[job]
async fn opaque(name: impl ToString) {}

#[job]
async fn mutable_context(ctx: &mut JobContext) {}

#[job]
async fn owned_context(ctx: JobContext) {}

#[job]
async fn two_contexts(first: &JobContext, second: &JobContext) {}

#[job]
async fn from_with_a_value(#[from(pool)] mailer: &Mailer) {}

#[job]
async fn stored_and_injected(
    #[from]
    #[serde(default)]
    mailer: &Mailer,
) {
}

fn main() {}
