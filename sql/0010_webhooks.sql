-- Webhooks: what happened is posted to an address of the tenant's, signed, and again until it is taken. Deliveries are rows, written by the
-- transaction that they tell of.

CREATE TABLE ballast.webhook (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    webhook_id text NOT NULL CHECK (webhook_id ~ '^[0-9a-z]{14}$'),
    url text NOT NULL CHECK (length(url) <= 2000),
    secret text NOT NULL,             -- signs deliveries: it has to be known as it is, and is shown once
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, webhook_id)
);

CREATE TABLE ballast.webhook_delivery (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL DEFAULT gen_random_uuid(),
    webhook_id text NOT NULL,
    event text NOT NULL,
    body json NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_status int,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES ballast.webhook ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX webhook_delivery_due ON ballast.webhook_delivery (next_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_of ON ballast.webhook_delivery (tenant_id, webhook_id, created_at);

GRANT SELECT, INSERT, DELETE ON ballast.webhook TO ballast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.webhook_delivery TO ballast_app;
GRANT SELECT ON ballast.webhook TO ballast_feed;
GRANT SELECT, INSERT, UPDATE ON ballast.webhook_delivery TO ballast_feed;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['webhook', 'webhook_delivery'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
        EXECUTE format('CREATE POLICY feed ON ballast.%I TO ballast_feed USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

-- One delivery for each webhook of the tenant that asked for the event.
CREATE FUNCTION ballast.webhook_tell(p_tenant uuid, p_event text, p_data json) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET timezone = 'UTC' AS $$
BEGIN
    INSERT INTO ballast.webhook_delivery (tenant_id, webhook_id, event, body)
    SELECT w.tenant_id, w.webhook_id, p_event, json_build_object('type', p_event,
        'timestamp', to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'data', p_data)
    FROM ballast.webhook w WHERE w.tenant_id = p_tenant AND p_event = ANY (w.events);
    IF FOUND THEN
        PERFORM pg_notify('ballast_webhook', '');
    END IF;
END $$;

CREATE FUNCTION ballast.webhook_result() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
BEGIN
    PERFORM ballast.webhook_tell(NEW.tenant_id, 'portfolio.result', json_build_object('portfolio_id', NEW.portfolio_id,
        'revision', NEW.revision, 'trigger', NEW.trigger, 'weights', NEW.weights, 'metrics', NEW.metrics));
    RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER INSERT ON ballast.portfolio_result FOR EACH ROW EXECUTE FUNCTION ballast.webhook_result();

CREATE FUNCTION ballast.webhook_problem() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
BEGIN
    PERFORM ballast.webhook_tell(NEW.tenant_id, 'portfolio.problem', json_build_object('portfolio_id', NEW.portfolio_id,
        'problem', NEW.last_error, 'parked', NEW.parked_at IS NOT NULL));
    RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER UPDATE OF last_error, parked_at ON ballast.recalculation_job FOR EACH ROW
    WHEN (NEW.last_error IS NOT NULL AND (NEW.last_error IS DISTINCT FROM OLD.last_error OR (NEW.parked_at IS NOT NULL AND OLD.parked_at IS NULL)))
    EXECUTE FUNCTION ballast.webhook_problem();

CREATE FUNCTION ballast.webhook_job() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
BEGIN
    PERFORM ballast.webhook_tell(NEW.tenant_id, 'job.' || NEW.state, json_build_object('job_id', NEW.job_id, 'state', NEW.state,
        'problem', NEW.problem));
    RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER UPDATE OF state ON ballast.job FOR EACH ROW
    WHEN (NEW.state <> OLD.state AND NEW.state IN ('done', 'failed', 'cancelled')) EXECUTE FUNCTION ballast.webhook_job();

-- The next deliveries that are due, each held for a minute: a sender that dies leaves them to the next one.
CREATE FUNCTION ballast.webhook_claim(p_limit int)
RETURNS TABLE (tenant_id uuid, delivery_id uuid, url text, secret text, body text, attempts int)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT d.tenant_id, d.delivery_id FROM ballast.webhook_delivery d
        WHERE d.state = 'pending' AND d.next_at <= clock_timestamp() ORDER BY d.next_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), held AS (
        UPDATE ballast.webhook_delivery d SET attempts = d.attempts + 1, next_at = clock_timestamp() + interval '60 seconds'
        FROM due WHERE d.tenant_id = due.tenant_id AND d.delivery_id = due.delivery_id
        RETURNING d.tenant_id, d.delivery_id, d.webhook_id, d.body::text AS body, d.attempts
    )
    SELECT h.tenant_id, h.delivery_id, w.url, w.secret, h.body, h.attempts
    FROM held h JOIN ballast.webhook w ON w.tenant_id = h.tenant_id AND w.webhook_id = h.webhook_id;
END $$;

-- What became of an attempt. Taken: sent. Else again later: 5 s, 30 s, 2 min, 10 min, 1 h, 6 h, 24 h; then
-- failed. What ended a week ago is cleared away.
CREATE FUNCTION ballast.webhook_finish(p_delivery uuid, p_attempt int, p_status int, p_error text, p_taken boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_now timestamptz := clock_timestamp();
    v_waits int[] := ARRAY[5, 30, 120, 600, 3600, 21600, 86400];
    v_over boolean := p_taken OR p_attempt > 7;
BEGIN
    UPDATE ballast.webhook_delivery d SET
        state = CASE WHEN p_taken THEN 'sent' WHEN v_over THEN 'failed' ELSE 'pending' END,
        next_at = CASE WHEN v_over THEN d.next_at ELSE v_now + v_waits[p_attempt] * (0.8 + 0.4 * random()) * interval '1 second' END,
        ended_at = CASE WHEN v_over THEN v_now END, last_status = p_status, last_error = left(p_error, 300)
    WHERE d.tenant_id = v_tenant AND d.delivery_id = p_delivery AND d.attempts = p_attempt AND d.state = 'pending';
    DELETE FROM ballast.webhook_delivery d WHERE d.ctid = ANY (ARRAY(SELECT o.ctid FROM ballast.webhook_delivery o
        WHERE o.tenant_id = v_tenant AND o.ended_at < v_now - interval '7 days' LIMIT 20 FOR UPDATE SKIP LOCKED));
END $$;

REVOKE ALL ON FUNCTION ballast.webhook_claim(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.webhook_claim(int) TO ballast_feed;
