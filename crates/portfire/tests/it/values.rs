//! Values that handlers take from the server, and when they are let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portfire::prelude::*;

use crate::bed::{on_every_backend, stop};

/// Counts how many were made and how many are alive.
#[derive(Clone, Default)]
struct Counter(Arc<(AtomicU32, AtomicU32)>);

impl Counter {
    fn make(&self) -> Scoped {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.fetch_add(1, Ordering::SeqCst);
        Scoped { counter: self.clone(), touched: 0 }
    }

    fn made(&self) -> u32 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn alive(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// The counterpart of a scoped `DbContext`.
struct Scoped {
    counter: Counter,
    touched: u32,
}

impl Drop for Scoped {
    fn drop(&mut self) {
        self.counter.0.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[job]
async fn borrows(#[from] first: &Scoped, #[from] second: &Scoped) -> Result<bool, JobError> {
    Ok(std::ptr::eq(first, second))
}

#[job]
async fn owns(#[from] mine: &mut Scoped, #[from] given: Scoped) -> Result<u32, JobError> {
    mine.touched += 1;
    Ok(mine.touched + given.touched)
}

#[job(attempts = 1)]
async fn panics_with(#[from] scoped: &Scoped) {
    assert_eq!(scoped.touched, 1, "it is never touched");
}

#[job(attempts = 1, timeout = Duration::from_millis(20))]
async fn hangs_with(#[from] scoped: &Scoped) {
    std::future::pending::<()>().await;
    drop(scoped.counter.clone());
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("boom");
        }
    }
}

#[job(attempts = 1, timeout = Duration::from_millis(20))]
async fn hangs_with_a_bomb() {
    let bomb = Bomb;
    std::future::pending::<()>().await;
    drop(bomb);
}

#[job(attempts = 1)]
async fn leaves_a_bomb(#[from] _bomb: &Bomb, #[from] _scoped: &Scoped) {}

/// An attempt whose end was not told would hold its slot for ever, and no stop would end.
#[test]
fn a_panic_while_things_are_dropped_is_the_outcome() {
    on_every_backend(|bed| async move {
        let counter = Counter::default();
        let server = server(&bed, &counter).provide_with(|_| async { Ok(Bomb) }).slots(1);
        let server = server.job::<hangs_with_a_bomb>().job::<leaves_a_bomb>().start().await.unwrap();
        let jobs = [
            hangs_with_a_bomb().enqueue(&bed.jobs).await.unwrap().id(),
            leaves_a_bomb().enqueue(&bed.jobs).await.unwrap().id(),
        ];
        for job in jobs {
            let details = bed.until(job, State::Failed).await;
            assert_eq!(&*details.history[0].outcome, "panicked");
            assert_eq!(&*details.history[0].fault.clone().unwrap().message, "boom");
        }
        assert_eq!((counter.made(), counter.alive()), (1, 0), "the other value is dropped all the same");
        stop(server).await;
    });
}

fn server(bed: &crate::bed::Bed, counter: &Counter) -> Server {
    let shared = counter.clone();
    bed.server().provide(shared).provide_with(|scope| async move {
        let counter = scope.value::<Counter>().await?;
        Ok(counter.make())
    })
}

#[test]
fn borrowed_values_are_made_once_per_attempt_and_owned_ones_each_time() {
    on_every_backend(|bed| async move {
        let counter = Counter::default();
        let server = server(&bed, &counter).job::<borrows>().job::<owns>().start().await.unwrap();
        let borrowed = borrows().enqueue(&bed.jobs).await.unwrap();
        bed.until(&borrowed, State::Succeeded).await;
        assert_eq!(bed.jobs.result(&borrowed).await.unwrap(), Some(true));
        assert_eq!((counter.made(), counter.alive()), (1, 0));
        let owned = owns().enqueue(&bed.jobs).await.unwrap();
        bed.until(&owned, State::Succeeded).await;
        assert_eq!((counter.made(), counter.alive()), (3, 0));
        stop(server).await;
    });
}

#[test]
fn values_are_let_go_after_a_panic_and_a_timeout() {
    on_every_backend(|bed| async move {
        let counter = Counter::default();
        let server = server(&bed, &counter).job::<panics_with>().job::<hangs_with>().start().await.unwrap();
        let panicked = panics_with().enqueue(&bed.jobs).await.unwrap();
        let hung = hangs_with().enqueue(&bed.jobs).await.unwrap();
        bed.until(&panicked, State::Failed).await;
        bed.until(&hung, State::Failed).await;
        assert_eq!((counter.made(), counter.alive()), (2, 0));
        stop(server).await;
    });
}

#[test]
fn a_failing_factory_is_a_failed_attempt() {
    on_every_backend(|bed| async move {
        let broken = bed.server().provide_with(|_| async { Err::<Scoped, _>(JobError::message("no pool")) });
        let server = broken.job::<panics_with>().start().await.unwrap();
        let job = panics_with().enqueue(&bed.jobs).await.unwrap();
        let details = bed.until(&job, State::Failed).await;
        assert!(details.history[0].fault.clone().unwrap().message.contains("no pool"));
        stop(server).await;
    });
}

#[job]
async fn keeps_its_context(#[from] scoped: &Scoped, #[from] kept: &Kept, ctx: &JobContext) {
    assert_eq!(scoped.touched, 0);
    kept.0.lock().unwrap().push(ctx.clone());
}

/// What handlers hold on to after their end.
#[derive(Clone, Default)]
struct Kept(Arc<std::sync::Mutex<Vec<JobContext>>>);

#[test]
fn values_are_let_go_even_if_somebody_keeps_the_context() {
    on_every_backend(|bed| async move {
        let (counter, kept) = (Counter::default(), Kept::default());
        let server = server(&bed, &counter).provide(kept.clone()).job::<keeps_its_context>();
        let server = server.start().await.unwrap();
        let job = keeps_its_context().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Succeeded).await;
        assert_eq!((counter.made(), counter.alive(), kept.0.lock().unwrap().len()), (1, 0, 1));
        stop(server).await;
    });
}

#[job(attempts = 1, timeout = Duration::from_millis(20))]
async fn hangs_and_leaves_its_token(#[from] kept: &Kept, ctx: &JobContext) {
    kept.0.lock().unwrap().push(ctx.clone());
    std::future::pending::<()>().await;
}

#[test]
fn a_timeout_cancels_the_token_for_whatever_still_works() {
    on_every_backend(|bed| async move {
        let kept = Kept::default();
        let server = bed.server().provide(kept.clone()).job::<hangs_and_leaves_its_token>();
        let server = server.start().await.unwrap();
        let job = hangs_and_leaves_its_token().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Failed).await;
        assert!(kept.0.lock().unwrap()[0].is_cancelled());
        stop(server).await;
    });
}

#[job]
async fn borrows_a_number(#[from] number: &u32) -> Result<u32, JobError> {
    Ok(*number)
}

#[test]
fn a_value_of_the_attempt_comes_before_a_shared_one() {
    on_every_backend(|bed| async move {
        let server = bed.server().provide(7_u32).provide_with(|_| async { Ok(8_u32) });
        let server = server.job::<borrows_a_number>().start().await.unwrap();
        let job = borrows_a_number().enqueue(&bed.jobs).await.unwrap();
        bed.until(&job, State::Succeeded).await;
        assert_eq!(bed.jobs.result(&job).await.unwrap(), Some(8));
        stop(server).await;
    });
}
