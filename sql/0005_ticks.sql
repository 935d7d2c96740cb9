-- Ticks: the order of the change log. A tick stores a snapshot; its events are those visible in it and not in the one before.
-- Nothing is lost whatever the order of commits, and an open transaction holds nobody up. Source: research/realtime.md 4.2, PgQ.

-- How the events inside the tick are ordered, fixed when it is made: a change of the server's setting moves no event.
ALTER TABLE rt.tick ADD COLUMN by_commit_time boolean NOT NULL DEFAULT false;

-- Partitions well ahead: a stopped notifier must not stop the writers.
SELECT rt.maintain(interval '72 hours', 30);

-- Makes the next tick when there is anything new; returns its number, or null.
-- Any number of callers: one at a time by the lock, and by the primary key of rt.tick should the lock ever fail.
CREATE FUNCTION rt.make_tick() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, rt SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_prev rt.tick;
    v_cur pg_snapshot;
    v_from xid8;
    v_open xid8[];
    v_n bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'rt.make_tick() needs READ COMMITTED: its snapshot has to be newer than its lock'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('rt.make_tick', 0));
    -- Each statement from here on has its own, newer snapshot.
    SELECT * INTO STRICT v_prev FROM rt.tick t ORDER BY t.tick DESC LIMIT 1;
    v_cur := pg_current_snapshot();
    IF pg_snapshot_xmax(v_prev.snap) > pg_snapshot_xmax(v_cur) THEN
        -- Restored into a cluster with younger transaction ids: the old log cannot be continued. A gap in the numbers
        -- tells every cursor that it has expired.
        DELETE FROM rt.event;
        DELETE FROM rt.tick;
        UPDATE rt.epoch SET epoch = gen_random_uuid();
        INSERT INTO rt.tick (tick, snap, at, n) VALUES (
            v_prev.tick + 2, v_cur, greatest(clock_timestamp(), v_prev.at + (v_prev.n + 1) * interval '1 microsecond'), 0);
        PERFORM pg_notify('rt_tick', (v_prev.tick + 2)::text);
        RETURN v_prev.tick + 2;
    END IF;
    v_from := pg_snapshot_xmax(v_prev.snap);
    v_open := ARRAY(SELECT pg_snapshot_xip(v_prev.snap));
    -- Snapshots as values: a join with rt.tick would read the whole log.
    SELECT sum(e.n) INTO v_n FROM (
        SELECT count(*) AS n FROM rt.event
        WHERE xid >= v_from AND xid < pg_snapshot_xmax(v_cur) AND pg_visible_in_snapshot(xid, v_cur)
        UNION ALL
        SELECT count(*) FROM rt.event WHERE xid = ANY (v_open) AND pg_visible_in_snapshot(xid, v_cur)
    ) e;
    IF v_n = 0 THEN
        RETURN NULL;
    END IF;
    INSERT INTO rt.tick (tick, snap, at, n, by_commit_time) VALUES (
        v_prev.tick + 1, v_cur,
        -- An event's commit_timestamp is at + pos microseconds: unique and increasing over the whole log.
        greatest(clock_timestamp(), v_prev.at + greatest(v_prev.n, 1) * interval '1 microsecond'),
        v_n, current_setting('track_commit_timestamp')::boolean
    );
    PERFORM pg_notify('rt_tick', (v_prev.tick + 1)::text);   -- once a tick, for the readers that do not make them
    RETURN v_prev.tick + 1;
END $$;

-- The events of one tick, in order, pos = 0, 1, ... The same answer to every reader and after every restart.
-- A tick whose predecessor has been dropped by rt.maintain cannot be read any more: SQLSTATE RT001, and the reader starts afresh.
CREATE FUNCTION rt.events_of(p_tick bigint) RETURNS TABLE (
    pos bigint, commit_timestamp timestamptz, event_id bigint, tenant_id uuid, rel oid, schema_name text, table_name text,
    op "char", record jsonb, old_record jsonb
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, rt SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    v_tick rt.tick;
    v_prev rt.tick;
    v_from xid8;
    v_to xid8;
    v_open xid8[];
    v_by_time boolean;
BEGIN
    SELECT * INTO v_tick FROM rt.tick t WHERE t.tick = p_tick;
    SELECT * INTO v_prev FROM rt.tick t WHERE t.tick = p_tick - 1;
    IF v_tick.tick IS NULL OR v_prev.tick IS NULL THEN
        RAISE EXCEPTION 'tick % is not in the log', p_tick USING ERRCODE = 'RT001';
    END IF;
    v_from := pg_snapshot_xmax(v_prev.snap);
    v_to := pg_snapshot_xmax(v_tick.snap);
    v_open := ARRAY(SELECT pg_snapshot_xip(v_prev.snap));
    v_by_time := v_tick.by_commit_time AND current_setting('track_commit_timestamp')::boolean;
    RETURN QUERY
    SELECT o.n, v_tick.at + o.n * interval '1 microsecond', o.id, o.tenant_id, o.rel::oid, s.nspname::text, c.relname::text,
        o.op, o.record, o.old_record
    FROM (
        SELECT row_number() OVER (ORDER BY e.cts NULLS FIRST, CASE WHEN e.cts IS NOT NULL THEN e.xid END, e.id) - 1 AS n, e.*
        FROM (
            SELECT *, CASE WHEN v_by_time THEN pg_xact_commit_timestamp(xid::xid) END AS cts FROM rt.event
            WHERE xid >= v_from AND xid < v_to AND pg_visible_in_snapshot(xid, v_tick.snap)
            UNION ALL
            SELECT *, CASE WHEN v_by_time THEN pg_xact_commit_timestamp(xid::xid) END FROM rt.event
            WHERE xid = ANY (v_open) AND pg_visible_in_snapshot(xid, v_tick.snap)
        ) e
    ) o
    LEFT JOIN pg_class c ON c.oid = o.rel
    LEFT JOIN pg_namespace s ON s.oid = c.relnamespace
    ORDER BY o.n;
END $$;

-- From a commit_timestamp that was sent back to the position it stands for; no row when it is older than the log.
CREATE FUNCTION rt.position_of(p_commit_timestamp timestamptz, OUT tick bigint, OUT pos bigint) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, rt AS $$
    SELECT t.tick, least((extract(epoch FROM p_commit_timestamp - t.at) * 1000000)::bigint, t.n - 1)
    FROM rt.tick t WHERE t.at <= p_commit_timestamp ORDER BY t.at DESC LIMIT 1
$$;

REVOKE ALL ON FUNCTION rt.make_tick(), rt.events_of(bigint), rt.position_of(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rt.make_tick(), rt.events_of(bigint), rt.position_of(timestamptz) TO ballast_feed;
