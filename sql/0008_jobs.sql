-- Jobs: long work that a caller does not wait for. Rows, so that a restart loses nothing and any replica takes over.

CREATE TABLE ballast.job (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    job_id text NOT NULL CHECK (job_id ~ '^[0-9a-z]{14}$'),
    kind text NOT NULL CHECK (kind IN ('optimize')),
    request json NOT NULL,            -- as text, so that it is decoded exactly as it came
    is_strict boolean NOT NULL DEFAULT false,
    subject text NOT NULL,            -- who asked, for the audit
    request_id text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    progress double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    phase text NOT NULL DEFAULT 'queued',
    eta_s double precision,
    result json,
    problem json,
    estimate_s double precision NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,  -- grows with each claim and with a cancellation
    owner text,
    lease_until timestamptz,
    crashed int NOT NULL DEFAULT 0,
    events int NOT NULL DEFAULT 0,    -- the number of the newest event
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, job_id)
) WITH (fillfactor = 70);
CREATE INDEX job_open ON ballast.job (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX job_over ON ballast.job (tenant_id, finished_at) WHERE finished_at IS NOT NULL;

-- What a subscriber of a job is told, numbered: whoever comes back asks for what came after.
CREATE TABLE ballast.job_event (
    tenant_id uuid NOT NULL,
    job_id text NOT NULL,
    seq int NOT NULL,
    body json NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, job_id, seq),
    FOREIGN KEY (tenant_id, job_id) REFERENCES ballast.job ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.job, ballast.job_event TO ballast_app;
GRANT SELECT, UPDATE ON ballast.job TO ballast_feed;
GRANT SELECT, INSERT ON ballast.job_event TO ballast_feed;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['job', 'job_event'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
        EXECUTE format('CREATE POLICY feed ON ballast.%I TO ballast_feed USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

-- One more event of a job, with the state as it stands, and a wake-up for whoever listens.
CREATE FUNCTION ballast.job_tell(p_tenant uuid, p_job text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_row ballast.job;
BEGIN
    UPDATE ballast.job j SET events = j.events + 1 WHERE j.tenant_id = p_tenant AND j.job_id = p_job RETURNING * INTO v_row;
    INSERT INTO ballast.job_event (tenant_id, job_id, seq, body) VALUES (p_tenant, p_job, v_row.events, json_build_object(
        'job_id', v_row.job_id, 'state', v_row.state, 'progress', v_row.progress, 'phase', v_row.phase, 'eta_s', v_row.eta_s));
    PERFORM pg_notify('ballast_job', p_job);
END $$;

CREATE FUNCTION ballast.job_add(
    p_job text, p_kind text, p_request json, p_strict boolean, p_subject text, p_request_id text, p_estimate_s double precision
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    -- Jobs that ended a week ago make room, a few for each new one.
    DELETE FROM ballast.job j WHERE j.ctid = ANY (ARRAY(SELECT o.ctid FROM ballast.job o
        WHERE o.tenant_id = v_tenant AND o.finished_at < clock_timestamp() - interval '7 days' LIMIT 10 FOR UPDATE SKIP LOCKED));
    INSERT INTO ballast.job (tenant_id, job_id, kind, request, is_strict, subject, request_id, estimate_s, eta_s)
    VALUES (v_tenant, p_job, p_kind, p_request, p_strict, p_subject, p_request_id, p_estimate_s, p_estimate_s);
    PERFORM ballast.job_tell(v_tenant, p_job);
END $$;

-- The next job for a worker: one that waits, or one whose worker fell silent. The tenant with the fewest running jobs goes first, then age.
-- After three silent workers a job is given up, with p_given_up as its problem: it is taken for what kills them.
CREATE FUNCTION ballast.job_claim(p_owner text, p_given_up json)
RETURNS TABLE (tenant_id uuid, job_id text, fence bigint, kind text, request text, is_strict boolean, subject text,
    request_id text, estimate_s double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_row ballast.job;
BEGIN
    FOR v_row IN
        SELECT j.* FROM ballast.job j
        LEFT JOIN LATERAL (SELECT count(*) AS running FROM ballast.job r
            WHERE r.tenant_id = j.tenant_id AND r.state = 'running' AND r.lease_until >= v_now) busy ON true
        WHERE j.state = 'queued' OR (j.state = 'running' AND j.lease_until < v_now)
        ORDER BY busy.running, j.created_at LIMIT 8 FOR UPDATE OF j SKIP LOCKED
    LOOP
        IF v_row.state = 'running' AND v_row.crashed >= 2 THEN
            UPDATE ballast.job j SET state = 'failed', phase = 'failed', finished_at = v_now, owner = NULL, lease_until = NULL,
                fence = j.fence + 1, eta_s = NULL, crashed = j.crashed + 1, problem = p_given_up
            WHERE j.tenant_id = v_row.tenant_id AND j.job_id = v_row.job_id;
            PERFORM ballast.job_tell(v_row.tenant_id, v_row.job_id);
            CONTINUE;
        END IF;
        UPDATE ballast.job j SET state = 'running', phase = 'loading', owner = p_owner, fence = j.fence + 1,
            lease_until = v_now + interval '15 seconds', started_at = coalesce(j.started_at, v_now),
            crashed = j.crashed + CASE WHEN v_row.state = 'running' THEN 1 ELSE 0 END
        WHERE j.tenant_id = v_row.tenant_id AND j.job_id = v_row.job_id RETURNING j.* INTO v_row;
        PERFORM ballast.job_tell(v_row.tenant_id, v_row.job_id);
        RETURN QUERY SELECT v_row.tenant_id, v_row.job_id, v_row.fence, v_row.kind, v_row.request::text, v_row.is_strict,
            v_row.subject, v_row.request_id, v_row.estimate_s;
        RETURN;
    END LOOP;
END $$;

-- Holds a job for 15 more seconds and says how far it is; false where it is no longer the worker's: cancelled, or taken over.
CREATE FUNCTION ballast.job_beat(
    p_job text, p_owner text, p_fence bigint, p_progress double precision, p_phase text, p_eta_s double precision
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_before ballast.job;
BEGIN
    SELECT * INTO v_before FROM ballast.job j WHERE j.tenant_id = v_tenant AND j.job_id = p_job AND j.owner = p_owner
        AND j.fence = p_fence AND j.state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE ballast.job j SET lease_until = clock_timestamp() + interval '15 seconds', progress = greatest(j.progress, p_progress),
        phase = p_phase, eta_s = p_eta_s WHERE j.tenant_id = v_tenant AND j.job_id = p_job;
    IF v_before.phase <> p_phase OR p_progress >= v_before.progress + 0.01 THEN
        PERFORM ballast.job_tell(v_tenant, p_job);
    END IF;
    RETURN true;
END $$;

-- The end of a job: its result or its problem, if it is still the worker's.
CREATE FUNCTION ballast.job_finish(p_job text, p_owner text, p_fence bigint, p_result json, p_problem json) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    UPDATE ballast.job j SET state = CASE WHEN p_problem IS NULL THEN 'done' ELSE 'failed' END,
        phase = CASE WHEN p_problem IS NULL THEN 'done' ELSE 'failed' END,
        progress = CASE WHEN p_problem IS NULL THEN 1 ELSE j.progress END, eta_s = CASE WHEN p_problem IS NULL THEN 0 END,
        result = p_result, problem = p_problem, finished_at = clock_timestamp(), owner = NULL, lease_until = NULL
    WHERE j.tenant_id = v_tenant AND j.job_id = p_job AND j.owner = p_owner AND j.fence = p_fence AND j.state = 'running';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM ballast.job_tell(v_tenant, p_job);
    RETURN true;
END $$;

-- Gives a job back untried: the service stops, or the database went away under it.
CREATE FUNCTION ballast.job_release(p_job text, p_owner text, p_fence bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    UPDATE ballast.job j SET state = 'queued', phase = 'queued', owner = NULL, lease_until = NULL
    WHERE j.tenant_id = v_tenant AND j.job_id = p_job AND j.owner = p_owner AND j.fence = p_fence AND j.state = 'running';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM ballast.job_tell(v_tenant, p_job);
    RETURN true;
END $$;

-- Cancels a job that has not ended. Its worker can write nothing more from here on. Null: there is none; else its state after it.
CREATE FUNCTION ballast.job_cancel(p_job text, OUT state text, OUT cancelled boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    SELECT j.state INTO state FROM ballast.job j WHERE j.tenant_id = v_tenant AND j.job_id = p_job FOR NO KEY UPDATE;
    cancelled := coalesce(state IN ('queued', 'running'), false);
    IF cancelled THEN
        UPDATE ballast.job j SET state = 'cancelled', phase = 'cancelled', eta_s = NULL, finished_at = clock_timestamp(),
            owner = NULL, lease_until = NULL, fence = j.fence + 1 WHERE j.tenant_id = v_tenant AND j.job_id = p_job;
        PERFORM ballast.job_tell(v_tenant, p_job);
        state := 'cancelled';
    END IF;
END $$;

REVOKE ALL ON FUNCTION ballast.job_claim(text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.job_claim(text, json) TO ballast_feed;
