use portfire::prelude::*;

#[job(colour = "red")]
async fn unknown_option() {}

#[job(queue = "mail", queue = "post")]
async fn option_twice() {}

#[job(attempts = 0)]
async fn zero_attempts() {}

#[job(attempts = 65536)]
async fn too_many_attempts() {}

#[job(attempts = "five")]
async fn attempts_in_words() {}

#[job(priority = 40_000)]
async fn priority_out_of_range() {}

#[job(priority = -32769)]
async fn priority_below_range() {}

#[job(timeout = 30)]
async fn timeout_without_unit() {}

#[job(retry_delay = "seconds")]
async fn retry_delay_is_no_function() {}

#[job(queue)]
async fn option_without_value() {}

#[job("mail")]
async fn value_without_option() {}

#[job(portfire::queue = "mail")]
async fn option_with_a_path() {}

fn main() {}
