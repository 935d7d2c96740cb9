-- How far a job's solves are, beside its phase: iterations, the gap to what is proven possible, and equal parts (fits, points, samples).

ALTER TABLE ballast.job
    ADD COLUMN iteration bigint,
    ADD COLUMN gap double precision,
    ADD COLUMN parts_done int,
    ADD COLUMN parts int;

CREATE OR REPLACE FUNCTION ballast.job_tell(p_tenant uuid, p_job text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE v_row ballast.job;
BEGIN
    UPDATE ballast.job j SET events = j.events + 1 WHERE j.tenant_id = p_tenant AND j.job_id = p_job RETURNING * INTO v_row;
    INSERT INTO ballast.job_event (tenant_id, job_id, seq, body) VALUES (p_tenant, p_job, v_row.events, json_build_object(
        'job_id', v_row.job_id, 'state', v_row.state, 'progress', v_row.progress, 'phase', v_row.phase, 'eta_s', v_row.eta_s,
        'iteration', v_row.iteration, 'gap', v_row.gap, 'parts_done', v_row.parts_done, 'parts', v_row.parts));
    PERFORM pg_notify('ballast_job', p_job);
END $$;

-- As before, with what is new at the end and optional: a service of the release before this one goes on calling it without. A subscriber is told
-- of a new phase, of each hundredth, and every five seconds of whatever has changed.
DROP FUNCTION ballast.job_beat(text, text, bigint, double precision, text, double precision);
CREATE FUNCTION ballast.job_beat(
    p_job text, p_owner text, p_fence bigint, p_progress double precision, p_phase text, p_eta_s double precision,
    p_iteration bigint DEFAULT NULL, p_gap double precision DEFAULT NULL, p_parts_done int DEFAULT NULL, p_parts int DEFAULT NULL
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
        phase = p_phase, eta_s = p_eta_s, iteration = p_iteration, gap = p_gap, parts_done = p_parts_done, parts = p_parts
        WHERE j.tenant_id = v_tenant AND j.job_id = p_job;
    IF v_before.phase <> p_phase OR p_progress >= v_before.progress + 0.01
        OR (p_iteration IS DISTINCT FROM v_before.iteration AND NOT EXISTS (SELECT FROM ballast.job_event e
            WHERE e.tenant_id = v_tenant AND e.job_id = p_job AND e.seq = v_before.events
            AND e.at > clock_timestamp() - interval '5 seconds'))
    THEN
        PERFORM ballast.job_tell(v_tenant, p_job);
    END IF;
    RETURN true;
END $$;
