portfire_attempt.job binary(16) NOT NULL
portfire_attempt.seq int NOT NULL
portfire_attempt.attempt int NOT NULL
portfire_attempt.started_at bigint NOT NULL
portfire_attempt.ended_at bigint NOT NULL
portfire_attempt.server binary(16) NOT NULL
portfire_attempt.outcome varchar(32) NOT NULL COLLATE by bytes
portfire_attempt.fault mediumtext COLLATE by bytes
portfire_audit.id bigint NOT NULL AUTO_INCREMENT
portfire_audit.at bigint NOT NULL
portfire_audit.sort varchar(16) NOT NULL COLLATE by bytes
portfire_audit.target varchar(128) NOT NULL COLLATE by bytes
portfire_audit.action varchar(32) NOT NULL COLLATE by bytes
portfire_audit.actor varchar(128) NOT NULL COLLATE by bytes
portfire_audit.via varchar(16) NOT NULL COLLATE by bytes
portfire_audit.reason text COLLATE by bytes
portfire_audit.was text COLLATE by bytes
portfire_audit.became text COLLATE by bytes
portfire_audit.outcome varchar(16) NOT NULL COLLATE by bytes
portfire_awaiting.id binary(16) NOT NULL
portfire_awaiting.waiting_for int NOT NULL
portfire_closed.server binary(16) NOT NULL
portfire_closed.token binary(16) NOT NULL
portfire_dependency.child binary(16) NOT NULL
portfire_dependency.position int NOT NULL
portfire_dependency.parent binary(16) NOT NULL
portfire_dependency.on_end varchar(16) NOT NULL COLLATE by bytes
portfire_dependency.state varchar(16) COLLATE by bytes
portfire_dependency.result mediumtext COLLATE by bytes
portfire_fault_group.fingerprint varchar(16) NOT NULL COLLATE by bytes
portfire_fault_group.kind varchar(128) NOT NULL COLLATE by bytes
portfire_fault_group.sample text NOT NULL COLLATE by bytes
portfire_fault_group.first_at bigint NOT NULL
portfire_fault_group.last_at bigint NOT NULL
portfire_fault_group.count bigint NOT NULL
portfire_fault_group.last_job binary(16) NOT NULL
portfire_finished.id binary(16) NOT NULL
portfire_finished.state varchar(16) NOT NULL COLLATE by bytes
portfire_finished.finished_at bigint NOT NULL
portfire_finished.started_at bigint
portfire_finished.token binary(16)
portfire_finished.server binary(16)
portfire_finished.prune_at bigint
portfire_finished.fingerprint varchar(16) COLLATE by bytes
portfire_job.id binary(16) NOT NULL
portfire_job.kind varchar(128) NOT NULL COLLATE by bytes
portfire_job.queue varchar(128) NOT NULL COLLATE by bytes
portfire_job.priority smallint NOT NULL
portfire_job.run_at bigint NOT NULL
portfire_job.created_at bigint NOT NULL
portfire_job.args mediumtext NOT NULL COLLATE by bytes
portfire_job.policy text COLLATE by bytes
portfire_job.unique_name varchar(128) COLLATE by bytes
portfire_job.tags text COLLATE by bytes
portfire_job.has_parents tinyint NOT NULL
portfire_job.cancelled_keep bigint
portfire_job.schedule varchar(128) COLLATE by bytes
portfire_job.slot_at bigint
portfire_job.attempts int NOT NULL
portfire_job.crashes int NOT NULL
portfire_job.last_token binary(16)
portfire_job.last_state varchar(16) COLLATE by bytes
portfire_log.job binary(16) NOT NULL
portfire_log.seq int NOT NULL
portfire_log.attempt int NOT NULL
portfire_log.at bigint NOT NULL
portfire_log.text text NOT NULL COLLATE by bytes
portfire_meta.version bigint NOT NULL
portfire_paused_queue.name varchar(128) NOT NULL COLLATE by bytes
portfire_paused_queue.since bigint NOT NULL
portfire_paused_queue.actor varchar(128) COLLATE by bytes
portfire_paused_queue.reason text COLLATE by bytes
portfire_progress.job binary(16) NOT NULL
portfire_progress.done bigint NOT NULL
portfire_progress.total bigint
portfire_progress.message text COLLATE by bytes
portfire_ready.queue varchar(128) NOT NULL COLLATE by bytes
portfire_ready.priority smallint NOT NULL
portfire_ready.run_at bigint NOT NULL
portfire_ready.id binary(16) NOT NULL
portfire_ready.kind varchar(128) NOT NULL COLLATE by bytes
portfire_result.job binary(16) NOT NULL
portfire_result.result mediumtext NOT NULL COLLATE by bytes
portfire_running.id binary(16) NOT NULL
portfire_running.token binary(16) NOT NULL
portfire_running.place int NOT NULL
portfire_running.server binary(16) NOT NULL
portfire_running.attempt int NOT NULL
portfire_running.started_at bigint NOT NULL
portfire_running.cancel_requested tinyint NOT NULL
portfire_schedule.id varchar(128) NOT NULL COLLATE by bytes
portfire_schedule.cron varchar(256) NOT NULL COLLATE by bytes
portfire_schedule.zone varchar(64) NOT NULL COLLATE by bytes
portfire_schedule.definition mediumtext NOT NULL COLLATE by bytes
portfire_schedule.revision bigint NOT NULL
portfire_schedule.next_at bigint
portfire_schedule.problem text COLLATE by bytes
portfire_schedule.last_slot bigint
portfire_schedule.last_job binary(16)
portfire_schedule.created_at bigint NOT NULL
portfire_scheduled.run_at bigint NOT NULL
portfire_scheduled.id binary(16) NOT NULL
portfire_scheduled.retrying tinyint NOT NULL
portfire_server.id binary(16) NOT NULL
portfire_server.started_at bigint NOT NULL
portfire_server.lease_until bigint NOT NULL
portfire_server.info mediumtext NOT NULL COLLATE by bytes
portfire_server.ordered varchar(16) NOT NULL COLLATE by bytes
portfire_slot.schedule varchar(128) NOT NULL COLLATE by bytes
portfire_slot.at bigint NOT NULL
portfire_slot.fired_at bigint NOT NULL
portfire_slot.fate varchar(16) NOT NULL COLLATE by bytes
portfire_slot.job binary(16)
portfire_tag.tag varchar(128) NOT NULL COLLATE by bytes
portfire_tag.job binary(16) NOT NULL
portfire_tally.width int NOT NULL
portfire_tally.at bigint NOT NULL
portfire_tally.shard bigint UNSIGNED NOT NULL
portfire_tally.kind varchar(128) NOT NULL COLLATE by bytes
portfire_tally.queue varchar(128) NOT NULL COLLATE by bytes
portfire_tally.created bigint NOT NULL
portfire_tally.succeeded bigint NOT NULL
portfire_tally.failed bigint NOT NULL
portfire_tally.cancelled bigint NOT NULL
portfire_tally.retried bigint NOT NULL
portfire_tally.crashed bigint NOT NULL
portfire_tally.waited bigint NOT NULL
portfire_tally.ran bigint NOT NULL
portfire_unique_name.kind varchar(128) NOT NULL COLLATE by bytes
portfire_unique_name.name varchar(128) NOT NULL COLLATE by bytes
portfire_unique_name.job binary(16) NOT NULL

UNIQUE portfire_attempt.PRIMARY (job, seq)
UNIQUE portfire_audit.PRIMARY (id)
portfire_audit.prune (at)
portfire_audit.target (sort, target, id)
UNIQUE portfire_awaiting.PRIMARY (id)
UNIQUE portfire_closed.PRIMARY (server)
portfire_dependency.parent (parent, child)
UNIQUE portfire_dependency.PRIMARY (child, position)
portfire_fault_group.latest (last_at, fingerprint)
portfire_fault_group.most (count, fingerprint)
UNIQUE portfire_fault_group.PRIMARY (fingerprint)
portfire_finished.fault (fingerprint, finished_at, id)
portfire_finished.list (state, finished_at, id)
UNIQUE portfire_finished.PRIMARY (id)
portfire_finished.prune (prune_at, id)
UNIQUE portfire_job.PRIMARY (id)
UNIQUE portfire_log.PRIMARY (job, seq)
UNIQUE portfire_meta.PRIMARY (version)
UNIQUE portfire_paused_queue.PRIMARY (name)
UNIQUE portfire_progress.PRIMARY (job)
UNIQUE portfire_ready.PRIMARY (queue, priority, run_at, id)
UNIQUE portfire_result.PRIMARY (job)
portfire_running.cancel (cancel_requested, server)
UNIQUE portfire_running.claim (token, place)
UNIQUE portfire_running.PRIMARY (id)
portfire_schedule.due (next_at, id)
UNIQUE portfire_schedule.PRIMARY (id)
portfire_scheduled.list (retrying, run_at, id)
UNIQUE portfire_scheduled.PRIMARY (run_at, id)
UNIQUE portfire_server.PRIMARY (id)
UNIQUE portfire_slot.PRIMARY (schedule, at)
portfire_tag.job (job)
UNIQUE portfire_tag.PRIMARY (tag, job)
UNIQUE portfire_tally.PRIMARY (width, at, shard, kind, queue)
portfire_tally.shards (shard, at)
portfire_unique_name.job (job)
UNIQUE portfire_unique_name.PRIMARY (kind, name)
