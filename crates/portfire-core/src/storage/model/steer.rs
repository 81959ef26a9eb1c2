//! What operators want of queues and servers, and what the model keeps of what persons did.

use super::world::World;
use crate::limits::AUDIT_KEPT;
use crate::storage::{
    AuditEntry, AuditId, AuditRequest, By, Deed, Directed, PausedQueue, QueueOrder, ServerOrder, Target,
};
use crate::{Result, ServerId, Timestamp};

impl World {
    pub(super) fn direct_queues(
        &mut self,
        queues: &[Box<str>],
        order: QueueOrder,
        by: &By,
        now: Timestamp,
    ) -> Result<Vec<Directed>> {
        QueueOrder::check(queues)?;
        let mut all = Vec::new();
        for queue in queues {
            let directed = self.direct_queue(queue, order, by, now);
            self.remember(by, Deed::on_queue(queue, order, directed), now);
            all.push(directed);
        }
        Ok(all)
    }

    fn direct_queue(&mut self, queue: &str, order: QueueOrder, by: &By, now: Timestamp) -> Directed {
        if self.paused.contains_key(queue) == (order == QueueOrder::Pause) {
            return Directed::Unchanged;
        }
        match order {
            QueueOrder::Pause => {
                let person = by.person();
                let paused = PausedQueue {
                    queue: queue.into(),
                    since: now,
                    by: person.map(|person| person.name().into()),
                    reason: person.and_then(|person| person.reason()).map(Into::into),
                };
                self.paused.insert(queue.into(), paused);
            }
            QueueOrder::Resume => {
                self.paused.remove(queue);
                self.changed();
            }
        }
        Directed::Done
    }

    pub(super) fn direct_servers(
        &mut self,
        servers: &[ServerId],
        order: ServerOrder,
        by: &By,
        now: Timestamp,
    ) -> Vec<Directed> {
        let mut all = Vec::new();
        for id in servers {
            let Some(server) = self.servers.get_mut(id) else {
                all.push(Directed::Missing);
                continue;
            };
            let before = server.order;
            let directed = before.then(order);
            if directed == Directed::Done {
                server.order = order;
            }
            self.remember(by, Deed::on_server(*id, before, order, directed), now);
            all.push(directed);
        }
        all
    }

    /// Keeps what was done, if it was a person.
    pub(super) fn remember(&mut self, by: &By, deed: Option<Deed>, at: Timestamp) {
        let (Some(person), Some(deed)) = (by.person(), deed) else { return };
        self.audited += 1;
        let Deed { target, action, before, after, outcome } = deed;
        let id = AuditId::from_number(self.audited);
        let (by, action) = (person.clone(), action.into());
        self.audit.insert(id, AuditEntry { id, at, target, action, by, before, after, outcome });
    }

    pub(super) fn audit(&self, about: Option<&Target>, page: &AuditRequest) -> Vec<AuditEntry> {
        let wanted = |entry: &&AuditEntry| {
            about.is_none_or(|about| entry.target == *about)
                && page.before.is_none_or(|before| entry.id < before)
        };
        let latest_first = self.audit.values().rev().filter(wanted);
        latest_first.take(page.bounded_limit() as usize).cloned().collect()
    }

    pub(super) fn prune_audit(&mut self, limit: u32, now: Timestamp) {
        let kept_since = now.before(AUDIT_KEPT);
        let old = self.audit.values().filter(|entry| entry.at <= kept_since);
        let old: Vec<_> = old.take(limit as usize).map(|entry| entry.id).collect();
        for id in old {
            self.audit.remove(&id);
        }
    }
}
