-- The change log: every committed change of a published table, written by the transaction that made it.
-- Order is by snapshot ticks: a plain "id > last" cursor loses a third of concurrent events.

CREATE SCHEMA rt;
GRANT USAGE ON SCHEMA rt TO ballast_app, ballast_feed;

-- Transaction ids mean nothing in a restored copy: a cursor carries the epoch and a foreign one is refused.
CREATE TABLE rt.epoch (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), epoch uuid NOT NULL DEFAULT gen_random_uuid());
INSERT INTO rt.epoch DEFAULT VALUES;

CREATE TABLE rt.event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id uuid,                    -- null: shared data, visible to every tenant
    rel regclass NOT NULL,
    op "char" NOT NULL,                -- I, U, D
    record jsonb,
    old_record jsonb,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX event_by_xid ON rt.event (xid, id);

CREATE TABLE rt.tick (
    tick bigint PRIMARY KEY,
    snap pg_snapshot NOT NULL,
    at timestamptz NOT NULL UNIQUE,
    n bigint NOT NULL
);
-- The start: everything before this transaction is before the log.
INSERT INTO rt.tick SELECT 0, pg_current_snapshot(), clock_timestamp(), 0;

-- Durable cursors of our own readers (the optimizer) and of named subscribers.
CREATE TABLE rt.subscriber (
    name text NOT NULL,
    topic text NOT NULL DEFAULT '',
    tick bigint NOT NULL,
    pos bigint NOT NULL DEFAULT -1,    -- last acknowledged position inside the tick
    seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, topic)
);

-- Makes the partitions of the days ahead and drops those older than keep. Called by the notifier each hour and at start.
CREATE FUNCTION rt.maintain(p_keep interval DEFAULT interval '72 hours', p_ahead int DEFAULT 3) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, rt SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    v_day date;
    v_dropped int := 0;
    v_part record;
    v_floor bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('rt.maintain', 0));
    FOR v_day IN SELECT generate_series(current_date - 1, current_date + p_ahead, interval '1 day')::date LOOP
        -- DDL locks the whole log for an instant: only where a partition is missing.
        CONTINUE WHEN to_regclass(format('rt.%I', 'event_' || to_char(v_day, 'YYYYMMDD'))) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE rt.%I PARTITION OF rt.event FOR VALUES FROM (%L) TO (%L)',
            'event_' || to_char(v_day, 'YYYYMMDD'), v_day::timestamptz, (v_day + 1)::timestamptz);
        EXECUTE format('ALTER TABLE rt.%I ENABLE ROW LEVEL SECURITY', 'event_' || to_char(v_day, 'YYYYMMDD'));
    END LOOP;
    FOR v_part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'rt.event'::regclass AND c.relname ~ '^event_[0-9]{8}$'
          AND to_date(substr(c.relname, 7), 'YYYYMMDD') + 1 < (now() - p_keep)::date
    LOOP
        EXECUTE format('DROP TABLE rt.%I', v_part.relname);
        v_dropped := v_dropped + 1;
    END LOOP;
    DELETE FROM rt.tick WHERE at < now() - p_keep AND tick < (SELECT max(tick) FROM rt.tick);
    RETURN v_dropped;
END $$;
SELECT rt.maintain();

CREATE FUNCTION rt.log_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, rt SET timezone = 'UTC' AS $$
BEGIN
    INSERT INTO rt.event (rel, op, tenant_id, record)
    SELECT TG_RELID, 'I', (j ->> 'tenant_id')::uuid, j FROM (SELECT to_jsonb(n) AS j FROM new_rows n) r;
    IF FOUND THEN PERFORM pg_notify('rt', ''); END IF;   -- a constant payload: once a transaction
    RETURN NULL;
END $$;

CREATE FUNCTION rt.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, rt SET timezone = 'UTC' AS $$
BEGIN
    INSERT INTO rt.event (rel, op, tenant_id, record, old_record)
    SELECT TG_RELID, 'U', (n.j ->> 'tenant_id')::uuid, n.j, o.j
    FROM (SELECT to_jsonb(x) AS j, row_number() OVER () AS r FROM new_rows x) n
    JOIN (SELECT to_jsonb(x) AS j, row_number() OVER () AS r FROM old_rows x) o USING (r)
    WHERE n.j IS DISTINCT FROM o.j
    ORDER BY r;
    IF FOUND THEN PERFORM pg_notify('rt', ''); END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION rt.log_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, rt SET timezone = 'UTC' AS $$
BEGIN
    INSERT INTO rt.event (rel, op, tenant_id, old_record)
    SELECT TG_RELID, 'D', (j ->> 'tenant_id')::uuid, j FROM (SELECT to_jsonb(o) AS j FROM old_rows o) r;
    IF FOUND THEN PERFORM pg_notify('rt', ''); END IF;
    RETURN NULL;
END $$;

-- Publishes a table on the change log. UPDATE and DELETE need a trigger each: transition tables forbid OR.
CREATE FUNCTION rt.publish(p_table regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, rt AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER rt_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows '
        || 'FOR EACH STATEMENT EXECUTE FUNCTION rt.log_insert()', p_table);
    EXECUTE format('CREATE TRIGGER rt_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
        || 'FOR EACH STATEMENT EXECUTE FUNCTION rt.log_update()', p_table);
    EXECUTE format('CREATE TRIGGER rt_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows '
        || 'FOR EACH STATEMENT EXECUTE FUNCTION rt.log_delete()', p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rt_insert', p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rt_update', p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rt_delete', p_table);
END $$;

SELECT rt.publish('public.market_data');
SELECT rt.publish('ballast.portfolio');
SELECT rt.publish('ballast.portfolio_result');

ALTER TABLE rt.event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_shared ON rt.event FOR SELECT TO ballast_app
    USING (tenant_id IS NULL OR tenant_id = ballast.current_tenant());
CREATE POLICY feed ON rt.event FOR SELECT TO ballast_feed USING (true);
GRANT SELECT ON rt.event, rt.tick, rt.epoch TO ballast_app, ballast_feed;
GRANT SELECT, INSERT, UPDATE, DELETE ON rt.subscriber TO ballast_feed, ballast_app;
GRANT INSERT, DELETE ON rt.tick TO ballast_feed;
REVOKE ALL ON FUNCTION rt.maintain(interval, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rt.maintain(interval, int) TO ballast_feed;
