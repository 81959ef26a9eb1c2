//! A storage with something of everything in it: for snapshots, for the gallery, and for whoever looks.

use std::time::Duration;

use portfire_core::storage::{
    Action, Beat, By, Claimed, Exchange, LogLine, Note, Person, Progress, QueueOrder, ServerInfo, Via, Want,
    WantQueue,
};
use portfire_core::{Clock, Keep, Retention};
use portfire_core::{
    Dependency, Dice, Fault, IdSequence, JobId, Json, Misfire, NewJob, Order, Outcome, Overlap, Policy,
    Schedule, ServerId, Start, Storage, Template, Timestamp, Trigger, VirtualClock, schedule, settle,
};

/// Where the clock of the fixture begins: noon of 1 October 2026, UTC.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_micros(1_790_856_000_000_000)
}

/// What makes the fixture.
struct Maker<'m> {
    storage: &'m dyn Storage,
    clock: &'m VirtualClock,
    ids: IdSequence,
    dice: Dice,
}

fn by(name: &str, reason: &str) -> By {
    By::Person(Person::new(name, Via::Dashboard).unwrap().because(reason))
}

const SERVERS: [(&str, u32, &[&str], u32); 3] = [
    ("mail-1", 4_211, &["mail", "default"], 8),
    ("reports-1", 4_212, &["reports", "default"], 4),
    ("old-host", 977, &["default"], 4),
];

/// Fills the storage. Everything in it is the same at every call.
pub(crate) async fn fill(storage: &dyn Storage, clock: &VirtualClock) {
    let mut maker = Maker {
        storage,
        clock,
        ids: IdSequence::new(Dice::from_seed([1, 2])),
        dice: Dice::from_seed([3, 4]),
    };
    let servers = maker.servers().await;
    maker.ended(servers[0]).await;
    maker.running(servers[1]).await;
    maker.waiting().await;
    maker.schedules().await;
}

impl Maker<'_> {
    async fn servers(&mut self) -> Vec<ServerId> {
        let mut servers = Vec::new();
        for (name, pid, queues, slots) in SERVERS {
            let id = self.ids.server(self.clock.now());
            self.beat(id, name, pid, queues, slots, 0).await;
            servers.push(id);
        }
        self.clock.advance(Duration::from_secs(60));
        self.beat(servers[0], SERVERS[0].0, 4_211, SERVERS[0].2, 8, 0).await;
        self.beat(servers[1], SERVERS[1].0, 4_212, SERVERS[1].2, 4, 2).await;
        servers
    }

    async fn beat(&self, server: ServerId, name: &str, pid: u32, queues: &[&str], slots: u32, running: u32) {
        let queues = queues.iter().map(|queue| (*queue).into()).collect();
        let info = ServerInfo {
            name: name.into(),
            host: format!("{name}.example.net").into(),
            build: "shop 2.4.1".into(),
            pid,
            queues,
            slots,
            running,
        };
        let lease = if name == "old-host" { Duration::from_secs(30) } else { Duration::from_secs(86_400) };
        self.storage.beat(Beat { server, lease, info }).await.unwrap();
    }

    fn job(&mut self, kind: &str, queue: &str, args: &str) -> NewJob {
        let id = self.ids.job(self.clock.now());
        NewJob { queue: queue.into(), ..NewJob::new(id, kind, Json::trusted(args)) }
    }

    async fn insert(&self, job: NewJob) -> JobId {
        let id = job.id;
        self.storage.insert(vec![job]).await.unwrap();
        id
    }

    async fn claim(&mut self, server: ServerId, queue: &str) -> Claimed {
        let token = self.ids.token(self.clock.now());
        let kinds = ["send_welcome_email", "charge_card", "render_report", "import_users", "無法辨識的工作"];
        let want = Want {
            token,
            limit: 1,
            queues: vec![WantQueue { name: queue.into(), limit: 1 }],
            kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
        };
        let exchange = Exchange { server, notes: Vec::new(), settlements: Vec::new(), want: Some(want) };
        self.storage.exchange(exchange).await.unwrap().claimed.pop().unwrap()
    }

    async fn settle(&mut self, server: ServerId, claimed: &Claimed, outcome: Outcome) {
        let settlement = settle(&claimed.facts, outcome, &mut self.dice);
        let exchange = Exchange { server, notes: Vec::new(), settlements: vec![settlement], want: None };
        self.storage.exchange(exchange).await.unwrap();
    }

    /// One attempt of what waits first in a queue.
    async fn attempt(&mut self, server: ServerId, queue: &str, takes: u64, outcome: Outcome) -> JobId {
        let claimed = self.claim(server, queue).await;
        self.clock.advance(Duration::from_millis(takes));
        let id = claimed.facts.lease.job;
        self.settle(server, &claimed, outcome).await;
        id
    }

    async fn ended(&mut self, server: ServerId) {
        for user in 1..=12_u64 {
            let job = self.job(
                "send_welcome_email",
                "mail",
                &format!("{{\"user_id\":{user},\"locale\":\"zh-TW\"}}"),
            );
            self.insert(job).await;
            self.clock.advance(Duration::from_millis(130 * user));
            self.attempt(
                server,
                "mail",
                80 + 7 * user,
                Outcome::Succeeded(Some(Json::trusted("{\"sent\":true}"))),
            )
            .await;
        }
        let card = r#"{"account":9007199254740993,"amount":"129.00","card":{"number":"4242","password":"secret"},"note":"<script>alert(1)</script>"}"#;
        for (times, kind) in [(2, "charge_card"), (1, "charge_card"), (1, "無法辨識的工作")] {
            let policy = Policy { attempts_max: times, ..Policy::default() };
            let tags = vec!["billing".into(), "客戶 42".into()];
            let job = NewJob {
                policy,
                tags,
                unique: Some(format!("card-{times}-{kind}").into()),
                ..self.job(kind, "mail", card)
            };
            let id = self.insert(job).await;
            for left in (0..times).rev() {
                let text =
                    "the payment service answered 503\ncaused by: connection closed before the message ended";
                self.attempt(server, "mail", 2_300, Outcome::Failed(Fault::new(text))).await;
                if left > 0 {
                    self.storage.act(vec![id], Action::RunNow, by("ming", "the bank is back")).await.unwrap();
                    self.clock.advance(Duration::from_secs(11));
                }
            }
        }
        let job = self.job("send_welcome_email", "mail", "{\"user_id\":99}");
        let id = self.insert(job).await;
        self.storage.act(vec![id], Action::Cancel, by("林小明", "")).await.unwrap();
        let job = self.job("charge_card", "mail", card);
        self.insert(job).await;
        self.attempt(server, "mail", 900, Outcome::TimedOut(Duration::from_millis(900))).await;
    }

    async fn running(&mut self, server: ServerId) {
        let args = "{\"path\":\"/srv/import/users-2026.csv\",\"dry_run\":false,\"options\":{\"encoding\":\"utf-8\",\"skip\":[1,2,3]}}";
        let job = self.job("import_users", "reports", args);
        self.insert(job).await;
        let claimed = self.claim(server, "reports").await;
        let lease = claimed.facts.lease;
        self.clock.advance(Duration::from_secs(42));
        let at = self.clock.now();
        let line = |text: &str| Note::Log(lease, LogLine { at, attempt: 1, text: text.into() });
        let progress = Progress { done: 42_000, total: Some(98_000), message: Some("第 42,000 列".into()) };
        let notes = vec![
            line("reading /srv/import/users-2026.csv"),
            line("row 17: 缺少電子郵件"),
            Note::Progress(lease, progress),
        ];
        let exchange = Exchange { server, notes, settlements: Vec::new(), want: None };
        self.storage.exchange(exchange).await.unwrap();
        let job = self.job("render_report", "reports", "{\"month\":\"2026-09\"}");
        let parent = self.insert(job).await;
        self.claim(server, "reports").await;
        let after = vec![Dependency { parent, on: Trigger::Success }];
        let child = NewJob { after, ..self.job("send_welcome_email", "mail", "{\"user_id\":7}") };
        self.insert(child).await;
    }

    async fn waiting(&mut self) {
        for (user, delay) in [(1, 90), (2, 3_600), (3, 200_000)] {
            let start = Start::After(Duration::from_secs(delay));
            let job = NewJob {
                start,
                ..self.job("send_welcome_email", "mail", &format!("{{\"user_id\":{user}}}"))
            };
            self.insert(job).await;
        }
        for (kind, queue, priority) in [
            ("render_report", "reports", 0),
            ("send_welcome_email", "mail", -5),
            ("charge_card", "nobody", 0),
        ] {
            let job = NewJob { priority, ..self.job(kind, queue, "{}") };
            self.insert(job).await;
        }
    }

    async fn schedules(&mut self) {
        let kept = Retention { succeeded: Keep::For(Duration::from_secs(3_600)), ..Retention::default() };
        let policy = Policy { retention: kept, timeout: Some(Duration::from_secs(600)), ..Policy::default() };
        let schedules = [
            ("cleanup", "0 2 * * *", "Asia/Taipei", Overlap::Skip),
            ("每週報表", "30 9 * * 1", "Asia/Taipei", Overlap::OneWaiting),
            ("nyc/closing?a=b", "30 1 * * 0", "America/New_York", Overlap::Allow),
            ("heartbeat", "*/5 * * * *", "UTC", Overlap::Allow),
        ];
        let all = schedules.map(|(id, cron, zone, overlap)| Schedule {
            id: id.into(),
            cron: cron.into(),
            zone: zone.into(),
            misfire: Misfire::Once,
            overlap,
            job: Template {
                kind: "render_report".into(),
                queue: "reports".into(),
                priority: 0,
                args: Json::trusted("{\"month\":\"2026-09\"}"),
                policy: policy.clone(),
                tags: vec!["recurring".into()],
            },
        });
        self.storage.put_schedules(all.into()).await.unwrap();
        for _ in 0..6 {
            self.clock.advance(Duration::from_secs(300));
            let due = self.storage.due_schedules(10).await.unwrap();
            let firings =
                due.due.iter().filter_map(|view| schedule::plan(view, due.now, &mut self.ids)).collect();
            self.storage.fire(firings, By::Program).await.unwrap();
        }
        let queues = vec!["nobody".into()];
        self.storage.direct_queues(queues, QueueOrder::Pause, by("ming", "移轉資料中")).await.unwrap();
        self.storage.direct_schedules(vec!["每週報表".into()], Order::Pause, by("ming", "")).await.unwrap();
    }
}
