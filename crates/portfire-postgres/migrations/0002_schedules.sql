-- Recurring jobs: what is put, and which slots had their turn. A slot of a schedule is one row of `slot`
-- at most, whoever fires it: that is what keeps it from getting two jobs.

-- The slot that a job was made for.
ALTER TABLE portfire_job ADD COLUMN schedule text COLLATE "C", ADD COLUMN slot_at bigint;

-- `next_at` is null while nothing is to come: flagged if there is a problem, else paused.
CREATE TABLE portfire_schedule (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    cron text NOT NULL,
    zone text NOT NULL,
    definition text NOT NULL,
    revision bigint NOT NULL,
    next_at bigint,
    problem text,
    last_slot bigint,
    last_job uuid,
    created_at bigint NOT NULL
);
CREATE INDEX portfire_schedule_due ON portfire_schedule (next_at, id) WHERE next_at IS NOT NULL;

CREATE TABLE portfire_slot (
    schedule text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    fired_at bigint NOT NULL,
    fate text NOT NULL,
    job uuid,
    PRIMARY KEY (schedule, at)
);

-- Where a job is; null if there is no such job.
CREATE FUNCTION portfire_state_of(job uuid) RETURNS text LANGUAGE sql STABLE
SET search_path FROM CURRENT AS $$
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id) THEN 'processing'
        WHEN EXISTS (SELECT 1 FROM portfire_awaiting AS a WHERE a.id = j.id) THEN 'awaiting'
        ELSE coalesce(
            (SELECT f.state FROM portfire_finished AS f WHERE f.id = j.id),
            (SELECT CASE WHEN s.retrying THEN 'retrying' ELSE 'scheduled' END
                FROM portfire_scheduled AS s WHERE s.run_at = j.run_at AND s.id = j.id),
            'enqueued')
        END
    FROM portfire_job AS j WHERE j.id = job
$$;

-- The latest job of a schedule that has not ended, or else the latest. A history is short.
CREATE FUNCTION portfire_run_of(of_schedule text, last_job uuid) RETURNS uuid LANGUAGE sql STABLE
SET search_path FROM CURRENT AS $$
    SELECT coalesce((
        SELECT t.job FROM portfire_slot AS t JOIN portfire_job AS j ON j.id = t.job
        WHERE t.schedule = of_schedule AND NOT EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.id = t.job)
        ORDER BY t.at DESC LIMIT 1), last_job)
$$;
