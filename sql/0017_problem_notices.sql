-- What went wrong, told to those who did not make the call: a row on the change log, and a webhook event. The services write one at once and later ones
-- of the same code together once a minute.

CREATE TABLE ballast.problem_notice (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    notice_id uuid NOT NULL DEFAULT gen_random_uuid(),
    code text NOT NULL CHECK (code ~ '^[A-Z]{3}-[0-9]{3}$'),
    class text NOT NULL CHECK (class IN ('data_validation', 'optimization', 'system')),
    title text NOT NULL,
    detail text NOT NULL,             -- of the first
    source text NOT NULL,             -- of the first: the request's identifier, the job's or the portfolio's
    count bigint NOT NULL CHECK (count > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, notice_id)
);
CREATE INDEX problem_notice_told ON ballast.problem_notice (tenant_id, told_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.problem_notice TO ballast_app;
ALTER TABLE ballast.problem_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.problem_notice FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON ballast.problem_notice USING (tenant_id = ballast.current_tenant())
    WITH CHECK (tenant_id = ballast.current_tenant());
SELECT rt.publish('ballast.problem_notice');

-- Tells the running tenant. What was told a week ago makes room.
CREATE FUNCTION ballast.problem_tell(
    p_code text, p_class text, p_title text, p_detail text, p_source text, p_count bigint, p_first timestamptz, p_last timestamptz
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, ballast SET timezone = 'UTC' AS $$
DECLARE v_tenant uuid := ballast.current_tenant();
BEGIN
    DELETE FROM ballast.problem_notice n WHERE n.ctid = ANY (ARRAY(SELECT o.ctid FROM ballast.problem_notice o
        WHERE o.tenant_id = v_tenant AND o.told_at < clock_timestamp() - interval '7 days' LIMIT 20 FOR UPDATE SKIP LOCKED));
    INSERT INTO ballast.problem_notice (tenant_id, code, class, title, detail, source, count, first_at, last_at)
    VALUES (v_tenant, p_code, p_class, p_title, p_detail, p_source, p_count, p_first, p_last);
    PERFORM ballast.webhook_tell(v_tenant, 'problem', json_build_object('code', p_code, 'class', p_class, 'title', p_title,
        'detail', p_detail, 'source', p_source, 'count', p_count, 'first_at', to_char(p_first, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'last_at', to_char(p_last, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
END $$;
