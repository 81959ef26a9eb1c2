//! Every sort of service at once, each with a trouble of its own: failures, panics, hangs, in any order.
//! Whatever happens, the host ends within its budget, leaves nothing running, and says the truth.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portfire::hosting::{
    Background, Every, Host, Lifetime, OnFailure, Order, Part, Periodic, Report, Restart, Service,
    ServiceContext, TaskQueue, Tick, Web,
};
use portfire::{Backoff, DurationExt, JobError};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

const STARTUP: Duration = Duration::from_secs(20);
const SHUTDOWN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum Sort {
    Service,
    Background,
    Periodic,
    Queue,
    Web,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// At its start: an address that is taken, an error, a panic, a hang.
    Start,
    Fails,
    Panics,
    /// Ignores every request to stop.
    Hangs,
    /// Panics when it is asked to stop.
    PanicsAtStop,
}

fn troubles() -> impl Strategy<Value = Vec<(Sort, Trouble)>> {
    let sorts = prop_oneof![
        Just(Sort::Service),
        Just(Sort::Background),
        Just(Sort::Periodic),
        Just(Sort::Queue),
        Just(Sort::Web)
    ];
    let troubles = prop_oneof![
        4 => Just(Trouble::None),
        1 => Just(Trouble::Start),
        2 => Just(Trouble::Fails),
        2 => Just(Trouble::Panics),
        2 => Just(Trouble::Hangs),
        1 => Just(Trouble::PanicsAtStop),
    ];
    proptest::collection::vec((sorts, troubles), 1..7)
}

/// Counts whatever runs.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>);

struct One(Alive);

impl Alive {
    fn one(&self) -> One {
        self.0.fetch_add(1, SeqCst);
        One(self.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// A panic that says nothing on its way.
fn panic() -> ! {
    std::panic::resume_unwind(Box::new("boom"))
}

/// What work does that has this trouble; `stop` is when it is asked to.
async fn work(_alive: One, trouble: Trouble, stop: impl Future<Output = ()>) -> Result<(), JobError> {
    match trouble {
        Trouble::Fails => return Err(JobError::message("no luck")),
        Trouble::Panics => panic(),
        Trouble::Hangs => return pending().await,
        Trouble::None | Trouble::Start | Trouble::PanicsAtStop => {}
    }
    stop.await;
    if trouble == Trouble::PanicsAtStop { panic() } else { Ok(()) }
}

/// One host with everything in it, and what goes with it.
struct World {
    host: Host,
    lifetime: Lifetime,
    alive: Alive,
    /// Those whose address is taken.
    taken: Vec<TcpListener>,
    addresses: Vec<(SocketAddr, Arc<Notify>)>,
}

impl World {
    fn new(together: (bool, bool)) -> Self {
        let order = |together| if together { Order::Together } else { Order::OneByOne };
        let host = Host::new()
            .startup_timeout(STARTUP)
            .shutdown_timeout(SHUTDOWN)
            .start_order(order(together.0))
            .stop_order(order(together.1));
        let lifetime = host.lifetime();
        Self { host, lifetime, alive: Alive::default(), taken: Vec::new(), addresses: Vec::new() }
    }

    async fn add(&mut self, name: String, sort: Sort, trouble: Trouble) {
        let host = std::mem::take(&mut self.host);
        let alive = self.alive.clone();
        self.host = match sort {
            Sort::Service => host.service(name, Moody(trouble, alive)),
            Sort::Background => host.add(background(name, trouble, alive)),
            Sort::Periodic => host.add(periodic(name, trouble, alive)),
            Sort::Queue => host.queue(&queue(name, trouble, alive)),
            Sort::Web => {
                let web = self.web(trouble).await;
                host.add(web.name(name))
            }
        };
    }

    async fn web(&mut self, trouble: Trouble) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, alive, lifetime) = (Arc::new(Notify::new()), self.alive.clone(), self.lifetime.clone());
        let begin = begun.clone();
        let handler = get(move || async move {
            let alive = alive.one();
            begin.notify_one();
            work(alive, trouble, lifetime.stopping()).await.map_err(|error| error.to_string())
        });
        let router = Router::new().route("/", handler);
        if trouble == Trouble::Start {
            self.taken.push(listener);
            return Web::new(address.to_string(), router);
        }
        self.addresses.push((address, begun));
        Web::on(listener, router)
    }

    /// Starts, has every handler of the web at work, lets time pass, and stops.
    async fn live(self) -> Result<Report, portfire::Error> {
        let running = self.host.start().await?;
        // What comes over a connection takes real time.
        tokio::time::resume();
        for (address, begun) in self.addresses {
            tokio::select! {
                () = begin_request(address, &begun) => {}
                () = self.lifetime.stopping() => {}
            }
        }
        tokio::time::pause();
        tokio::select! {
            () = tokio::time::sleep(5.seconds()) => {}
            () = self.lifetime.stopping() => {}
        }
        Ok(running.stop().await)
    }
}

/// Asks for the page, and returns when its handler runs; the answer is nobody's.
async fn begin_request(address: SocketAddr, begun: &Notify) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let request = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    if stream.write_all(request).await.is_ok() {
        tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        begun.notified().await;
    }
}

struct Moody(Trouble, Alive);

impl Service for Moody {
    async fn start(&self, _ctx: &ServiceContext) -> Result<(), JobError> {
        if self.0 == Trouble::Start { work(self.1.one(), Trouble::Hangs, pending()).await } else { Ok(()) }
    }

    async fn stop(&self, ctx: &ServiceContext) -> Result<(), JobError> {
        work(self.1.one(), self.0, ctx.cancelled()).await
    }
}

/// Fails again and again; or fails at once, which ends the host.
fn background(name: String, trouble: Trouble, alive: Alive) -> Part {
    let restart = Restart::new().for_ever().backoff(Backoff::Fixed(1.second()));
    let on_failure = if trouble == Trouble::Start { OnFailure::StopHost } else { restart.into() };
    let does = if trouble == Trouble::Start { Trouble::Fails } else { trouble };
    let background = Background::new(name, move |ctx| {
        let alive = alive.one();
        async move { work(alive, does, ctx.cancelled()).await }
    });
    background.on_failure(on_failure).into()
}

fn periodic(name: String, trouble: Trouble, alive: Alive) -> Part {
    let every = Every::interval(1.second()).at_once();
    let tick = move |tick: Tick| {
        let alive = alive.one();
        async move { work(alive, trouble, tick.cancelled()).await }
    };
    Periodic::new(name, every, tick).into()
}

/// Two workers, one of which is in trouble.
fn queue(name: String, trouble: Trouble, alive: Alive) -> TaskQueue {
    let queue = TaskQueue::builder(name).workers(2).build();
    for trouble in [trouble, Trouble::None] {
        let alive = alive.one();
        let task = queue.try_push(move |task| async move {
            work(alive, trouble, async move { task.cancellation().cancelled().await }).await
        });
        drop(task.unwrap());
    }
    queue
}

/// Whether the host has to start.
fn is_fatal(&(sort, trouble): &(Sort, Trouble)) -> bool {
    trouble == Trouble::Start && matches!(sort, Sort::Service | Sort::Web)
}

/// Whether the end cannot be clean.
fn is_unclean(&(sort, trouble): &(Sort, Trouble)) -> bool {
    match (sort, trouble) {
        (_, Trouble::Hangs) => true,
        (_, Trouble::None) => false,
        (Sort::Service, Trouble::Fails | Trouble::Panics) => true,
        // The task has no end of its own, and is lost.
        (Sort::Service | Sort::Background | Sort::Queue, Trouble::PanicsAtStop) => true,
        (Sort::Background, Trouble::Start) => true,
        // A tick, a task and a request that fail are done, and said to have failed.
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_befalls_any_sort_of_service_nothing_is_left_and_the_report_is_true(
        troubles in troubles(),
        together in any::<(bool, bool)>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(together);
            for (number, (sort, trouble)) in troubles.iter().enumerate() {
                world.add(format!("{sort:?} {number}"), *sort, *trouble).await;
            }
            let (alive, begin) = (world.alive.clone(), Instant::now());
            let lived = tokio::time::timeout(1.hour(), world.live()).await.expect("a deadlock");
            let longest = STARTUP + 5.seconds() + SHUTDOWN + 1.second();
            assert!(begin.elapsed() <= longest, "{:?}", begin.elapsed());
            match lived {
                Err(error) => {
                    assert!(error.is_broken(), "{error}");
                    let may_end_it = |one: &(Sort, Trouble)| is_fatal(one) || matches!(one, (Sort::Background, Trouble::Start));
                    assert!(troubles.iter().any(may_end_it), "{error}");
                }
                Ok(report) => {
                    assert!(!troubles.iter().any(is_fatal), "{report}");
                    assert_eq!(report.is_clean(), !troubles.iter().any(is_unclean), "{report}");
                    assert!(report.took <= SHUTDOWN + 50.milliseconds(), "{report}");
                }
            }
            // What was dropped ends at its next await.
            tokio::time::sleep(1.milliseconds()).await;
            assert_eq!(alive.0.load(SeqCst), 0, "something is left running");
        });
    }
}
