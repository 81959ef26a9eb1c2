//! Hello, world: one stored job and the server that runs it, until Ctrl-C. Word for word the README's program.
#![expect(clippy::print_stdout, reason = "a greeting goes to the terminal")]

use portfire::prelude::*;

#[job]
async fn greet(name: String) -> Result<(), JobError> {
    println!("Hello, {name}!");
    Ok(())
}

#[tokio::main]
async fn main() -> portfire::Result<()> {
    let jobs = Jobs::connect("sqlite://hello.db").await?;
    greet("world".into()).enqueue(&jobs).await?;
    Server::new(&jobs).job::<greet>().run().await
}
