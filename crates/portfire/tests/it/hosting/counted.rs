//! What is counted, by the names that dashboards will use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use portfire::hosting::testing::TestHost;
use portfire::hosting::{Background, Every, Host, TaskQueue};
use portfire::{DurationExt, JobError};

/// Counters by name and labels.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

struct One(Counts, String);

impl CounterFn for One {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, _value: u64) {}
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Counter::from_arc(Arc::new(One(self.clone(), name)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn failures_restarts_ticks_and_tasks_are_counted() {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let queue = TaskQueue::new("work");
    let later = Background::new("later", |_| async { Err(JobError::message("busy").retry_after(1.hour())) });
    let host = Host::new().add(later).queue(&queue).periodic(
        "tick",
        Every::interval(1.minute()),
        |tick| async move { if tick.number() == 2 { Err(JobError::message("no luck")) } else { Ok(()) } },
    );
    let host = TestHost::start(host).await.unwrap();
    queue.push(|_| async { Ok(()) }).await.unwrap();
    queue.push(|_| async { Err::<(), _>(JobError::message("no luck")) }).await.unwrap();
    host.advance(3.minutes()).await;
    host.stop().await;
    let counted: Vec<_> =
        counts.0.lock().unwrap().clone().into_iter().filter(|(_, count)| *count > 0).collect();
    let expected = [
        ("portfire_service_failures_total service=later", 1),
        ("portfire_service_failures_total service=tick", 1),
        ("portfire_service_restarts_total service=later", 1),
        ("portfire_tasks_total queue=work end=failed", 1),
        ("portfire_tasks_total queue=work end=succeeded", 1),
        ("portfire_ticks_total service=tick end=failed", 1),
        ("portfire_ticks_total service=tick end=ok", 2),
    ];
    assert_eq!(counted, expected.map(|(name, count)| (name.to_owned(), count)));
}
