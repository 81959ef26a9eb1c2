//! The bounded queue: every mode, every end of a task.

use std::future::pending;
use std::sync::Arc;

use portfire::hosting::testing::TestHost;
use portfire::hosting::{DroppedTask, Fate, Host, TaskQueue, TaskState, WhenFull, on_start};
use portfire::{DurationExt, JobError};
use tokio::sync::{Notify, Semaphore};

use super::{Diary, Guard};

/// A queue of two places, whose one worker waits for permission, and a diary of what runs and what drops.
struct Bed {
    queue: TaskQueue,
    gate: Arc<Semaphore>,
    diary: Diary,
}

impl Bed {
    fn new(when_full: WhenFull) -> Self {
        let diary = Diary::default();
        let notes = diary.clone();
        let on_drop = move |task: &DroppedTask| notes.note(format!("dropped {}", task.name));
        let queue = TaskQueue::builder("work").capacity(2).when_full(when_full).on_drop(on_drop).build();
        Self { queue, gate: Arc::new(Semaphore::new(0)), diary }
    }

    async fn push(
        &self,
        name: &'static str,
    ) -> portfire::Result<portfire::hosting::TaskHandle<&'static str>> {
        let (gate, notes) = (self.gate.clone(), self.diary.clone());
        let task = move |_| async move {
            gate.acquire().await.unwrap().forget();
            notes.note(format!("ran {name}"));
            Ok(name)
        };
        self.queue.push_named(name, task).await
    }

    /// Starts the host, with `first` running and two more waiting.
    async fn filled(&self) -> TestHost {
        let host = TestHost::start(Host::new().queue(&self.queue)).await.unwrap();
        self.push("first").await.unwrap();
        host.advance(1.second()).await;
        self.push("second").await.unwrap();
        self.push("third").await.unwrap();
        assert_eq!((self.queue.running(), self.queue.waiting()), (1, 2));
        host
    }

    async fn finish(&self, host: TestHost) -> Vec<String> {
        self.gate.add_permits(100);
        assert!(host.stop().await.is_clean());
        self.diary.entries()
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_push_wait() {
    let bed = Bed::new(WhenFull::Wait);
    let host = bed.filled().await;
    let early = tokio::time::timeout(1.minute(), bed.push("early")).await;
    assert!(early.is_err(), "there was no place");
    let refused = bed.queue.try_push(|_| async { Ok(()) }).unwrap_err();
    assert!(refused.is_transient() && refused.to_string().contains("full"), "{refused}");
    let (pushed, ()) = tokio::join!(bed.push("late"), async { bed.gate.add_permits(1) });
    assert_eq!(pushed.unwrap().state(), TaskState::Waiting);
    assert_eq!(bed.finish(host).await, ["ran first", "ran second", "ran third", "ran late"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_by_option() {
    let bed = Bed::new(WhenFull::Reject);
    let host = bed.filled().await;
    let refused = bed.push("late").await.unwrap_err();
    assert!(refused.is_transient() && refused.to_string().contains("`work` is full"), "{refused}");
    assert_eq!(bed.finish(host).await, ["ran first", "ran second", "ran third"]);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_gives_way_by_option_and_the_drop_is_reported() {
    let bed = Bed::new(WhenFull::DropOldest);
    let host = bed.filled().await;
    bed.push("late").await.unwrap();
    assert_eq!(bed.finish(host).await, ["dropped second", "ran first", "ran third", "ran late"]);
}

#[tokio::test(start_paused = true)]
async fn a_report_of_drops_that_panics_harms_nobody() {
    let on_drop = |task: &DroppedTask| assert!(task.id.get() == 0, "boom");
    let queue =
        TaskQueue::builder("work").capacity(1).when_full(WhenFull::DropOldest).on_drop(on_drop).build();
    let old = queue.push(|_| async { Ok(()) }).await.unwrap();
    let new = queue.push(|_| async { Ok(7) }).await.unwrap();
    assert!(old.await.unwrap_err().is_dropped());
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    assert_eq!(new.await.unwrap(), 7);
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_newest_gives_way_by_option_and_its_pusher_hears_of_it() {
    let bed = Bed::new(WhenFull::DropNewest);
    let host = bed.filled().await;
    let late = bed.push("late").await.unwrap();
    let later = bed.push("later").await.unwrap();
    let failure = late.await.unwrap_err();
    assert!(failure.is_dropped() && failure.to_string().contains("gave way"), "{failure}");
    let entries = bed.finish(host).await;
    assert_eq!(entries, ["dropped third", "dropped late", "ran first", "ran second", "ran later"]);
    assert_eq!(later.await.unwrap(), "later");
}

#[tokio::test(start_paused = true)]
async fn tasks_run_one_after_the_other_or_a_few_at_once() {
    for workers in [1, 3] {
        let queue = TaskQueue::builder("work").workers(workers).build();
        let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
        let begin = tokio::time::Instant::now();
        let mut tasks = Vec::new();
        for number in 0..6 {
            tasks.push(
                queue
                    .push(move |_| async move {
                        tokio::time::sleep(6.seconds()).await;
                        Ok(number)
                    })
                    .await
                    .unwrap(),
            );
        }
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), number);
        }
        assert_eq!(begin.elapsed().as_secs(), 36 / u64::try_from(workers).unwrap());
        assert!(host.stop().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_a_panic_end_the_task_and_nothing_else() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let fails = queue.push(|_| async { Err::<(), _>(JobError::message("no luck")) }).await.unwrap();
    let panics = queue.push(|_| async { if true { panic!("boom") } else { Ok(()) } }).await.unwrap();
    let works = queue.push(|_| async { Ok(7) }).await.unwrap();
    let (fails, panics) = (fails.await.unwrap_err(), panics.await.unwrap_err());
    assert!(fails.is_failed() && fails.to_string().contains("no luck"), "{fails}");
    assert!(panics.is_failed() && panics.to_string().contains("boom"), "{panics}");
    assert_eq!(works.await.unwrap(), 7);
    assert!(host.stop().await.is_clean(), "what failed was done");
}

#[tokio::test(start_paused = true)]
async fn a_task_has_an_id_a_state_and_can_be_cancelled() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let runs = queue
        .push(|task| async move {
            task.cancellation().cancelled().await;
            task.check_cancelled()
        })
        .await
        .unwrap();
    let waits = queue.push(|_| async { Ok(()) }).await.unwrap();
    host.advance(1.second()).await;
    assert_eq!((runs.id().get(), waits.id().get()), (1, 2));
    assert_eq!((runs.state(), waits.state()), (TaskState::Running, TaskState::Waiting));
    waits.cancel();
    assert_eq!((waits.state(), queue.waiting()), (TaskState::Cancelled, 0));
    runs.cancel();
    assert!(runs.await.unwrap_err().is_cancelled() && waits.await.unwrap_err().is_cancelled());
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_queue_drains_at_the_stop_and_takes_in_nothing_more() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let diary = Diary::default();
    for _ in 0..5 {
        let notes = diary.clone();
        let task = queue.push(move |_| async move {
            tokio::time::sleep(2.seconds()).await;
            notes.note("done");
            Ok(())
        });
        task.await.unwrap();
    }
    let report = host.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(diary.count("done"), 5);
    let closed = queue.push(|_| async { Ok(()) }).await.unwrap_err();
    assert!(closed.is_closed(), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_deadline_is_reported_and_the_end_is_not_clean() {
    let diary = Diary::default();
    let notes = diary.clone();
    let on_drop = move |task: &DroppedTask| notes.note(format!("dropped {}", task.name));
    let queue = TaskQueue::builder("work").on_drop(on_drop).build();
    let host = TestHost::start(Host::new().queue(&queue).shutdown_timeout(10.seconds())).await.unwrap();
    let guard = Guard(diary.clone(), "stopped");
    let hangs = queue.push_named("hangs", move |_| async move {
        let _guard = guard;
        pending::<Result<(), JobError>>().await
    });
    let hangs = hangs.await.unwrap();
    let waits = queue.push_named("waits", |_| async { Ok(()) }).await.unwrap();
    host.advance(1.second()).await;
    let report = host.stop().await;
    assert!(!report.is_clean() && report.took <= 10.seconds(), "{report}");
    let left: Vec<_> =
        report.service("work").unwrap().left.iter().map(|left| (&*left.what, left.fate)).collect();
    assert_eq!(left, [("hangs", Fate::Dropped), ("waits", Fate::Dropped)]);
    assert_eq!(diary.entries(), ["stopped", "dropped hangs", "dropped waits"]);
    assert!(report.to_string().contains("hangs, waits"), "{report}");
    assert!(hangs.await.unwrap_err().is_dropped() && waits.await.unwrap_err().is_dropped());
}

#[tokio::test(start_paused = true)]
async fn tasks_that_run_at_the_stop_are_asked_to_end_before_the_deadline() {
    let queue = TaskQueue::new("work");
    let host = TestHost::start(Host::new().queue(&queue).shutdown_timeout(10.seconds())).await.unwrap();
    let polite = queue.push(|task| async move {
        task.cancellation().cancelled().await;
        assert!(task.time_left().is_some_and(|left| !left.is_zero()));
        Ok("saved my work")
    });
    let polite = polite.await.unwrap();
    host.advance(1.second()).await;
    assert!(host.stop().await.is_clean());
    assert_eq!(polite.await.unwrap(), "saved my work");
}

#[tokio::test(start_paused = true)]
async fn tasks_take_values_of_the_queue_and_the_host() {
    let diary = Diary::default();
    let made = diary.clone();
    let queue = TaskQueue::builder("work")
        .provide("the queue's")
        .provide_with(move |_| {
            let made = made.clone();
            async move { Ok(Guard(made, "dropped")) }
        })
        .build();
    let host = Host::new().provide("the host's").provide(7_u32).queue(&queue);
    let host = TestHost::start(host).await.unwrap();
    let task = queue.push(|task| async move {
        task.value::<Guard>().await?;
        Ok((*task.value::<&str>().await?, *task.value::<u32>().await?))
    });
    assert_eq!(task.await.unwrap().await.unwrap(), ("the queue's", 7));
    assert_eq!(diary.entries(), ["dropped"]);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_wait_for_the_host_to_start() {
    let queue = TaskQueue::new("work");
    let task = queue.push(|_| async { Ok(7) }).await.unwrap();
    assert_eq!(task.state(), TaskState::Waiting);
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    assert_eq!(task.await.unwrap(), 7);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_host_cannot_have_the_queue() {
    let queue = TaskQueue::new("work");
    let first = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    let diary = Diary::default();
    let notes = diary.clone();
    let before = on_start(move |_| {
        notes.note("started");
        async { Ok(()) }
    });
    let second = Host::new().service("before", before).queue(&queue.clone());
    let error = second.start().await.unwrap_err();
    assert!(error.is_misuse() && error.to_string().contains("`work`"), "{error}");
    assert!(error.to_string().contains("make a queue for each host"), "{error}");
    assert!(diary.entries().is_empty(), "nothing was started");
    assert_eq!(queue.push(|_| async { Ok(7) }).await.unwrap().await.unwrap(), 7, "the first has it still");
    assert!(first.stop().await.is_clean());
    assert!(Host::new().queue(&queue).start().await.unwrap_err().is_misuse(), "it ended with its host");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_never_started_keeps_no_queue() {
    let queue = TaskQueue::new("work");
    drop(Host::new().queue(&queue));
    let host = TestHost::start(Host::new().queue(&queue)).await.unwrap();
    assert!(host.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_health_report_says_how_full_it_is() {
    let bed = Bed::new(WhenFull::Reject);
    let host = bed.filled().await;
    let report = host.health().report().await;
    assert_eq!(report.services[0].detail.as_deref(), Some("2 of 2 waiting, 1 of 1 running"));
    bed.finish(host).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_host_drops_its_tasks_and_says_so() {
    let queue = TaskQueue::new("work");
    let running = Arc::new(Notify::new());
    let notify = running.clone();
    let host = Host::new().queue(&queue).start().await.unwrap();
    let task = queue.push(move |_| async move {
        notify.notify_one();
        pending::<Result<(), JobError>>().await
    });
    let task = task.await.unwrap();
    running.notified().await;
    drop(host);
    assert!(task.await.unwrap_err().is_dropped());
}
