-- Recalculation: from changed prices to the portfolios that hold them, one job row a portfolio, and how a result is stored.
-- Source of the design: research/reliability.md 2.1-2.3 (transactional cursor, coalescing by construction, lease and fence).

-- Text as it was sent: jsonb would forget the order of members.
ALTER TABLE ballast.portfolio ALTER COLUMN request TYPE json USING request::json;
ALTER TABLE ballast.portfolio_result ALTER COLUMN response TYPE json USING response::json;

-- Which result stands. Null: the newest. Set when data went back to a state that already has a result.
ALTER TABLE ballast.portfolio ADD COLUMN current_revision bigint;
-- An identical request of a tenant finds its portfolio again.
CREATE INDEX portfolio_by_request ON ballast.portfolio (tenant_id, request_hash);
CREATE INDEX portfolio_by_age ON ballast.portfolio (tenant_id, created_at, portfolio_id);

-- The dates a portfolio looks at: a change outside of them wakes nobody.
ALTER TABLE ballast.portfolio_asset
    ADD COLUMN window_start date NOT NULL DEFAULT '-infinity',
    ADD COLUMN window_end date NOT NULL DEFAULT 'infinity';

ALTER TABLE ballast.recalculation_job SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- The fan-out's cursor starts where the log stands today; there is no portfolio yet.
INSERT INTO rt.subscriber (name, topic, tick) SELECT 'optimizer', '', max(tick) FROM rt.tick
ON CONFLICT (name, topic) DO NOTHING;

-- Wants a portfolio recalculated: quiet time after the last change, at most max_wait after the first.
-- A parked job gets another chance at the next change, at most once a minute.
CREATE FUNCTION ballast.recalculation_mark(p_tenants uuid[], p_portfolios text[], p_changed timestamptz) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_marked int;
BEGIN
    INSERT INTO ballast.recalculation_job AS j (tenant_id, portfolio_id, wanted, first_wanted, run_after)
    SELECT p.tenant_id, p.portfolio_id, 1, v_now,
        least(
            v_now + p.max_wait_ms * interval '1 millisecond',
            -- The quiet time counts from the change itself; a late fan-out can shorten it by a tenth at most.
            v_now - least(greatest(v_now - p_changed, interval '0'), p.quiet_ms * interval '0.1 millisecond') + p.quiet_ms * interval '1 millisecond')
    FROM unnest(p_tenants, p_portfolios) w (tenant_id, portfolio_id)
    JOIN ballast.portfolio p USING (tenant_id, portfolio_id)
    WHERE p.recalculation_enabled
    ORDER BY p.tenant_id, p.portfolio_id      -- one order for all: no deadlock
    ON CONFLICT (tenant_id, portfolio_id) DO UPDATE SET
        wanted = j.wanted + 1,
        first_wanted = CASE WHEN j.wanted > (CASE WHEN j.lease_until > v_now THEN j.claimed ELSE j.done END)
            THEN coalesce(j.first_wanted, v_now) ELSE v_now END,
        run_after = CASE
            WHEN j.attempts > 0 AND j.lease_until IS NULL AND j.wanted > j.done THEN j.run_after   -- backing off
            WHEN j.wanted > (CASE WHEN j.lease_until > v_now THEN j.claimed ELSE j.done END)
                -- excluded.run_after - excluded.first_wanted is at most max_wait; the pending wait started earlier.
                THEN least(excluded.run_after, coalesce(j.first_wanted, v_now) + (
                    SELECT p.max_wait_ms * interval '1 millisecond' FROM ballast.portfolio p
                    WHERE p.tenant_id = j.tenant_id AND p.portfolio_id = j.portfolio_id))
            ELSE excluded.run_after END,
        attempts = CASE WHEN j.parked_at < v_now - interval '1 minute' THEN 0 ELSE j.attempts END,
        crashed = CASE WHEN j.parked_at < v_now - interval '1 minute' THEN 0 ELSE j.crashed END,
        parked_at = CASE WHEN j.parked_at < v_now - interval '1 minute' THEN NULL ELSE j.parked_at END;
    GET DIAGNOSTICS v_marked = ROW_COUNT;
    RETURN v_marked;
END $$;

-- One step of the fan-out, any replica: who gets the cursor's lock leads; the others return with leader = false.
-- It does not wait for its commit to be durable: the cursor and the marks are lost together, and made again together.
CREATE FUNCTION ballast.recalculation_fan_out(
    OUT leader boolean, OUT from_tick bigint, OUT to_tick bigint, OUT symbols int, OUT marked int, OUT expired boolean,
    OUT more boolean
)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_from rt.tick;
    v_to rt.tick;
    v_open xid8[];
    v_last bigint;
    v_tenants uuid[];
    v_portfolios text[];
    v_changed timestamptz;
BEGIN
    leader := false; symbols := 0; marked := 0; expired := false; more := false;
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT s.tick INTO from_tick FROM rt.subscriber s WHERE s.name = 'optimizer' AND s.topic = '' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        -- Held by another replica, or lost: then it starts again from nothing known.
        INSERT INTO rt.subscriber (name, topic, tick) VALUES ('optimizer', '', -1) ON CONFLICT (name, topic) DO NOTHING;
        more := FOUND;
        RETURN;
    END IF;
    leader := true;
    SELECT max(t.tick) INTO v_last FROM rt.tick t;
    to_tick := from_tick;
    IF v_last = from_tick THEN
        RETURN;
    END IF;
    SELECT * INTO v_from FROM rt.tick t WHERE t.tick = from_tick;
    IF v_from.tick IS NULL OR v_last < from_tick THEN
        -- The log no longer reaches back to the cursor (or the database is an older copy): every portfolio is in doubt.
        expired := true;
        to_tick := v_last;
        SELECT array_agg(p.tenant_id), array_agg(p.portfolio_id), clock_timestamp() INTO v_tenants, v_portfolios, v_changed
        FROM ballast.portfolio p WHERE p.recalculation_enabled;
    ELSE
        -- As many ticks as hold some 100,000 events, and one at least.
        SELECT max(t.tick) INTO to_tick FROM (
            SELECT k.tick, sum(k.n) OVER (ORDER BY k.tick) AS total FROM rt.tick k
            WHERE k.tick > from_tick AND k.tick <= from_tick + 10000
        ) t WHERE t.total <= 100000 OR t.tick = from_tick + 1;
        more := to_tick < v_last;
        SELECT * INTO STRICT v_to FROM rt.tick t WHERE t.tick = to_tick;
        v_open := ARRAY(SELECT pg_snapshot_xip(v_from.snap));
        WITH event AS (
            SELECT * FROM rt.event
            WHERE xid >= pg_snapshot_xmax(v_from.snap) AND xid < pg_snapshot_xmax(v_to.snap)
                AND pg_visible_in_snapshot(xid, v_to.snap) AND rel = 'public.market_data'::regclass
            UNION ALL
            SELECT * FROM rt.event
            WHERE xid = ANY (v_open) AND pg_visible_in_snapshot(xid, v_to.snap) AND rel = 'public.market_data'::regclass
        ), touched AS (
            SELECT v.r ->> 'asset_symbol' AS symbol, max(e.at) AS changed,
                min(((v.r ->> 'timestamp')::timestamptz AT TIME ZONE 'UTC')::date) AS first_day,
                max(((v.r ->> 'timestamp')::timestamptz AT TIME ZONE 'UTC')::date) AS last_day
            FROM event e CROSS JOIN LATERAL (VALUES (e.record), (e.old_record)) v (r)
            WHERE v.r IS NOT NULL AND v.r ->> 'interval' = '1d'
                -- A new volume or a new source moves no weight.
                AND NOT (e.op = 'U'
                    AND e.record -> 'price' = e.old_record -> 'price'
                    AND e.record -> 'timestamp' = e.old_record -> 'timestamp'
                    AND e.record -> 'asset_symbol' = e.old_record -> 'asset_symbol'
                    AND e.record -> 'interval' = e.old_record -> 'interval')
            GROUP BY 1
        ), concerned AS (
            SELECT DISTINCT a.tenant_id, a.portfolio_id
            FROM touched t JOIN ballast.portfolio_asset a ON a.asset_symbol = t.symbol
                AND a.window_start <= t.last_day AND a.window_end >= t.first_day
        )
        SELECT (SELECT count(*) FROM touched), (SELECT max(changed) FROM touched),
            (SELECT array_agg(c.tenant_id ORDER BY c.tenant_id, c.portfolio_id) FROM concerned c),
            (SELECT array_agg(c.portfolio_id ORDER BY c.tenant_id, c.portfolio_id) FROM concerned c)
        INTO symbols, v_changed, v_tenants, v_portfolios;
    END IF;
    IF v_portfolios IS NOT NULL THEN
        marked := ballast.recalculation_mark(v_tenants, v_portfolios, v_changed);
    END IF;
    UPDATE rt.subscriber s SET tick = to_tick, pos = -1, seen = clock_timestamp() WHERE s.name = 'optimizer' AND s.topic = '';
END $$;

-- Takes up to eight due jobs for 15 seconds. A lease that ended by silence counts as a crash; the third parks the job.
-- The literal LIMIT matters: as a parameter it plans a sort of the whole backlog (reliability.md M5).
-- Its commit need not be durable: the fence carries the owner, so a claim that a crash forgot can never finish for another.
CREATE FUNCTION ballast.recalculation_claim(p_owner text) RETURNS TABLE (
    tenant_id uuid, portfolio_id text, fence bigint, attempts int, late_ms double precision
)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    WITH due AS (
        SELECT j.tenant_id, j.portfolio_id FROM ballast.recalculation_job j
        WHERE j.wanted > j.done AND j.run_after <= v_now AND j.parked_at IS NULL
            AND (j.lease_until IS NULL OR j.lease_until <= v_now)
        ORDER BY j.run_after LIMIT 8 FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE ballast.recalculation_job j SET
            claimed = j.wanted, fence = j.fence + 1, owner = p_owner,
            attempts = j.attempts + 1,
            crashed = j.crashed + (j.lease_until IS NOT NULL)::int,
            lease_until = CASE WHEN j.crashed + (j.lease_until IS NOT NULL)::int >= 3 THEN NULL
                ELSE v_now + interval '15 seconds' END,
            parked_at = CASE WHEN j.crashed + (j.lease_until IS NOT NULL)::int >= 3 THEN v_now END,
            last_error = CASE WHEN j.crashed + (j.lease_until IS NOT NULL)::int >= 3
                THEN 'three leases ended by silence' ELSE j.last_error END
        FROM due d WHERE j.tenant_id = d.tenant_id AND j.portfolio_id = d.portfolio_id
        RETURNING j.tenant_id, j.portfolio_id, j.fence, j.attempts, j.run_after, j.parked_at
    )
    SELECT t.tenant_id, t.portfolio_id, t.fence, t.attempts, extract(epoch FROM v_now - t.run_after)::float8 * 1000
    FROM taken t WHERE t.parked_at IS NULL;
END $$;

-- Milliseconds until the next job that nobody holds is due; null when there is none. Leased ones are found by the poll.
CREATE FUNCTION ballast.recalculation_next() RETURNS double precision
LANGUAGE sql VOLATILE SET search_path = pg_catalog, ballast AS $$
    SELECT extract(epoch FROM j.run_after - clock_timestamp())::float8 * 1000 FROM ballast.recalculation_job j
    WHERE j.wanted > j.done AND j.parked_at IS NULL AND j.lease_until IS NULL
    ORDER BY j.run_after LIMIT 1
$$;

-- Stores a result of the running tenant, or finds the one that the same input already has; either way it is current after.
-- The caller holds the portfolio's row lock.
CREATE FUNCTION ballast.store_result(
    p_portfolio text, p_request_hash bytea, p_fingerprint bytea, p_response json, p_weights jsonb, p_metrics jsonb,
    p_tick bigint, p_engine text, p_trigger text, p_solve_ms double precision, OUT revision bigint, OUT stored boolean
)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_newest bigint;
    v_current bigint;
BEGIN
    SELECT coalesce(max(r.revision), 0) INTO v_newest FROM ballast.portfolio_result r
    WHERE r.tenant_id = v_tenant AND r.portfolio_id = p_portfolio;
    INSERT INTO ballast.portfolio_result AS r (
        tenant_id, portfolio_id, revision, request_hash, fingerprint, response, weights, metrics, data_tick, engine, trigger, solve_ms)
    VALUES (v_tenant, p_portfolio, v_newest + 1, p_request_hash, p_fingerprint, p_response, p_weights, p_metrics, p_tick,
        p_engine, p_trigger, p_solve_ms)
    ON CONFLICT (tenant_id, portfolio_id, request_hash, fingerprint) DO NOTHING
    RETURNING r.revision INTO revision;
    stored := revision IS NOT NULL;
    IF NOT stored THEN
        SELECT r.revision INTO STRICT revision FROM ballast.portfolio_result r
        WHERE r.tenant_id = v_tenant AND r.portfolio_id = p_portfolio
            AND r.request_hash = p_request_hash AND r.fingerprint = p_fingerprint;
        v_current := CASE WHEN revision < v_newest THEN revision END;
    END IF;
    UPDATE ballast.portfolio p SET current_revision = v_current, updated_at = now()
    WHERE p.tenant_id = v_tenant AND p.portfolio_id = p_portfolio AND p.current_revision IS DISTINCT FROM v_current;
END $$;

-- The end of a run, in one transaction: result, audit and done, if the lease is still this worker's.
-- Outcome: stored | unchanged (this input has the current result already) | superseded (the request changed meanwhile: it runs
-- again) | fenced (another worker took over: nothing is written).
CREATE FUNCTION ballast.recalculation_finish(
    p_portfolio text, p_owner text, p_fence bigint, p_request_hash bytea, p_fingerprint bytea, p_response json, p_weights jsonb,
    p_metrics jsonb, p_tick bigint, p_engine text, p_solve_ms double precision, p_problem text
) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_now timestamptz := clock_timestamp();
    v_hash bytea;
    v_result record;
    v_superseded boolean;
BEGIN
    -- The order of locks is everywhere: portfolio, then job.
    SELECT p.request_hash INTO v_hash FROM ballast.portfolio p
    WHERE p.tenant_id = v_tenant AND p.portfolio_id = p_portfolio FOR NO KEY UPDATE;   -- lets the job's foreign key through
    v_superseded := v_hash IS DISTINCT FROM p_request_hash;
    UPDATE ballast.recalculation_job j SET
        done = CASE WHEN v_superseded THEN j.done ELSE j.claimed END,
        run_after = CASE WHEN v_superseded THEN v_now ELSE j.run_after END,
        first_wanted = CASE WHEN v_superseded OR j.wanted > j.claimed THEN coalesce(j.first_wanted, v_now) END,
        lease_until = NULL, owner = NULL, attempts = 0, crashed = 0, last_error = p_problem, cost_ms = p_solve_ms
    WHERE j.tenant_id = v_tenant AND j.portfolio_id = p_portfolio AND j.fence = p_fence AND j.owner = p_owner;
    IF NOT FOUND THEN
        RETURN 'fenced';
    END IF;
    IF v_superseded THEN
        RETURN 'superseded';
    END IF;
    IF p_response IS NULL THEN
        RETURN 'unchanged';
    END IF;
    SELECT * INTO v_result FROM ballast.store_result(
        p_portfolio, p_request_hash, p_fingerprint, p_response, p_weights, p_metrics, p_tick, p_engine, 'recalculation', p_solve_ms);
    PERFORM ballast.audit_append(
        v_tenant, 'recalculation', 'portfolio.recalculate', p_portfolio,
        jsonb_build_object('revision', v_result.revision, 'fingerprint', encode(p_fingerprint, 'hex'), 'tick', p_tick), NULL);
    RETURN CASE WHEN v_result.stored THEN 'stored' ELSE 'restored' END;
END $$;

-- A run that failed: again after min(2^attempts, 300) s, half to one and a half times; parked after the fifth.
CREATE FUNCTION ballast.recalculation_fail(p_portfolio text, p_owner text, p_fence bigint, p_error text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_now timestamptz := clock_timestamp();
BEGIN
    UPDATE ballast.recalculation_job j SET
        run_after = v_now + least(2 ^ j.attempts, 300) * (0.5 + random()) * interval '1 second',
        lease_until = NULL, owner = NULL, last_error = left(p_error, 500),
        parked_at = CASE WHEN j.attempts >= 5 THEN v_now END
    WHERE j.tenant_id = ballast.current_tenant() AND j.portfolio_id = p_portfolio AND j.fence = p_fence AND j.owner = p_owner;
    RETURN FOUND;
END $$;

-- Gives a job back untried: the service stops, or the database went away under it.
CREATE FUNCTION ballast.recalculation_release(p_portfolio text, p_owner text, p_fence bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
BEGIN
    UPDATE ballast.recalculation_job j SET
        run_after = least(j.run_after, clock_timestamp()), lease_until = NULL, owner = NULL, attempts = greatest(j.attempts - 1, 0)
    WHERE j.tenant_id = ballast.current_tenant() AND j.portfolio_id = p_portfolio AND j.fence = p_fence AND j.owner = p_owner;
    RETURN FOUND;
END $$;

-- Wants the running tenant's portfolio recalculated now; returns what to give to recalculation_settle, or null when it is off.
CREATE FUNCTION ballast.recalculation_want(p_portfolio text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE v_wanted bigint;
BEGIN
    IF ballast.recalculation_mark(ARRAY[ballast.current_tenant()], ARRAY[p_portfolio], clock_timestamp()) = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE ballast.recalculation_job j SET parked_at = NULL, attempts = 0, crashed = 0
    WHERE j.tenant_id = ballast.current_tenant() AND j.portfolio_id = p_portfolio AND j.parked_at IS NOT NULL;
    SELECT j.wanted INTO v_wanted FROM ballast.recalculation_job j
    WHERE j.tenant_id = ballast.current_tenant() AND j.portfolio_id = p_portfolio;
    RETURN v_wanted;
END $$;

-- A request reads prices in one snapshot and commits its portfolio later. A change in between was fanned out while nobody could see
-- the portfolio yet. So its transaction wants a run, and after the commit this takes the wish back unless such a change exists.
CREATE FUNCTION ballast.recalculation_settle(p_portfolio text, p_wanted bigint, p_snapshot pg_snapshot) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET plan_cache_mode = force_custom_plan AS $$
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF EXISTS (
        SELECT FROM rt.event e WHERE e.xid >= pg_snapshot_xmin(p_snapshot) AND NOT pg_visible_in_snapshot(e.xid, p_snapshot)
            AND e.rel = 'public.market_data'::regclass
            AND EXISTS (SELECT FROM ballast.portfolio_asset a WHERE a.tenant_id = v_tenant AND a.portfolio_id = p_portfolio
                AND a.asset_symbol IN (e.record ->> 'asset_symbol', e.old_record ->> 'asset_symbol'))
    ) THEN
        RETURN false;
    END IF;
    UPDATE ballast.recalculation_job j SET done = j.wanted, first_wanted = NULL
    WHERE j.tenant_id = v_tenant AND j.portfolio_id = p_portfolio AND j.wanted = p_wanted AND j.lease_until IS NULL;
    RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION ballast.recalculation_mark(uuid[], text[], timestamptz), ballast.recalculation_fan_out(),
    ballast.recalculation_claim(text), ballast.recalculation_next() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.recalculation_mark(uuid[], text[], timestamptz) TO ballast_app, ballast_feed;
GRANT EXECUTE ON FUNCTION ballast.recalculation_fan_out(), ballast.recalculation_claim(text), ballast.recalculation_next()
    TO ballast_feed;
