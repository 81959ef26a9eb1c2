//! Recurring jobs through the client: put, look at, direct, run now; and a server that fires them.

use portfire::prelude::*;
use portfire::{Directed, Put, SlotFate, Standing};
use tokio::sync::mpsc;

use crate::bed::{on_every_backend, stop};

#[job(queue = "nightly", attempts = 3, tags = ["cleanup"])]
async fn clean_up(days: u32) {
    let _ = days;
}

type Slots = mpsc::UnboundedSender<portfire::Slot>;

#[job]
async fn tell_slot(#[from] slots: &Slots, ctx: &JobContext) -> Result<(), JobError> {
    let slot = ctx.slot().cloned().ok_or_else(|| JobError::message("made by no schedule"))?;
    slots.send(slot)?;
    Ok(())
}

#[test]
fn a_recurring_job_is_put_looked_at_and_directed() {
    on_every_backend(|bed| async move {
        let put = |days| {
            let jobs = bed.jobs.clone();
            async move {
                let nightly = jobs.recurring("cleanup", "0 2 * * *").time_zone("Asia/Taipei");
                nightly
                    .misfire(Misfire::Skip)
                    .overlap(Overlap::Skip)
                    .upsert(clean_up(days).priority(-1))
                    .await
            }
        };
        assert_eq!(put(30).await.unwrap(), Put::New);
        assert_eq!(put(30).await.unwrap(), Put::Unchanged);
        assert_eq!(put(60).await.unwrap(), Put::Changed);
        let schedule = bed.jobs.schedule("cleanup");
        let view = schedule.get().await.unwrap().unwrap();
        let job = &view.schedule.job;
        assert_eq!((&*job.kind, &*job.queue, job.priority), ("clean_up", "nightly", -1));
        assert_eq!(
            (job.policy.attempts_max, &*job.tags, job.args.as_str()),
            (3, &["cleanup".into()][..], r#"{"days":60}"#)
        );
        assert!(matches!(view.standing, Standing::Active { .. }));
        assert_eq!(schedule.pause().await.unwrap(), Directed::Done);
        assert_eq!(bed.jobs.schedules(None, 10).await.unwrap()[0].standing, Standing::Paused);
        let id = schedule.trigger().await.unwrap();
        let made = bed.jobs.get(id).await.unwrap().unwrap();
        assert_eq!(
            (made.summary.state, made.slot.map(|slot| slot.schedule)),
            (State::Enqueued, Some("cleanup".into()))
        );
        let history = schedule.history(None, 10).await.unwrap();
        assert_eq!((history.len(), history[0].fate, history[0].job), (1, SlotFate::Triggered, Some(id)));
        assert_eq!(schedule.resume().await.unwrap(), Directed::Done);
        assert_eq!(schedule.remove().await.unwrap(), Directed::Done);
        assert_eq!(schedule.remove().await.unwrap(), Directed::Missing);
        assert!(schedule.trigger().await.unwrap_err().is_misuse());
    });
}

#[test]
fn what_cannot_recur_is_refused_with_the_reason() {
    on_every_backend(|bed| async move {
        let parent = clean_up(1).enqueue(&bed.jobs).await.unwrap();
        let calls = [
            (clean_up(1).after(1.hour()), "a time to start"),
            (clean_up(1).after_end_of(&parent), "a parent"),
            (clean_up(1).unique("one"), "a unique name"),
            (clean_up(1).id(bed.jobs.new_id()), "an id of its own"),
        ];
        for (call, reason) in calls {
            let refused = bed.jobs.recurring("cleanup", "* * * * *").upsert(call).await.unwrap_err();
            assert!(refused.is_misuse() && refused.to_string().contains(reason), "{refused}");
        }
        for (cron, zone, reason) in [
            ("* * * *", "UTC", "* * * *"),
            ("61 * * * *", "UTC", "61"),
            ("* * * * *", "Asia/Taipeh", "Asia/Taipei"),
        ] {
            let recurring = bed.jobs.recurring("cleanup", cron).time_zone(zone);
            let refused = recurring.upsert(clean_up(1)).await.unwrap_err();
            assert!(refused.is_misuse() && refused.to_string().contains(reason), "{refused}");
        }
        assert!(bed.jobs.schedules(None, 10).await.unwrap().is_empty());
    });
}

/// The slots of a schedule of each second come one after the other, none twice, though two servers fire.
#[test]
fn two_servers_fire_each_slot_once() {
    on_every_backend(|bed| async move {
        let (sender, mut slots) = mpsc::unbounded_channel::<portfire::Slot>();
        let server = || bed.server().job::<tell_slot>().provide(sender.clone());
        let (one, two) = (server().start().await.unwrap(), server().start().await.unwrap());
        bed.jobs.recurring("each second", "* * * * * *").upsert(tell_slot()).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let slot = slots.recv().await.unwrap();
            assert_eq!((&*slot.schedule, slot.at.as_micros() % 1_000_000), ("each second", 0));
            seen.push(slot.at);
        }
        assert_eq!(bed.jobs.schedule("each second").remove().await.unwrap(), Directed::Done);
        stop(one).await;
        stop(two).await;
        drop(sender);
        while let Some(slot) = slots.recv().await {
            seen.push(slot.at);
        }
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "a slot came twice: {seen:?}");
    });
}
