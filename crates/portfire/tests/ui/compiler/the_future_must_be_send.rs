use portfire::prelude::*;

async fn wait() {}

#[job]
async fn keeps_what_belongs_to_one_thread() {
    let shared = std::rc::Rc::new(1);
    wait().await;
    drop(shared);
}

fn main() {}
