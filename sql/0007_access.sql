-- Access: limits a key, answers that are given once for each Idempotency-Key, and an audit chain that proves itself.

ALTER TABLE ballast.api_key ADD COLUMN rate_limit int CHECK (rate_limit > 0);   -- requests a minute; null: the service's default
COMMENT ON COLUMN ballast.api_key.rate_limit IS 'Most requests a minute; null for the default of the service.';

-- The lookup tells the limit too. Its result type changes, so that it is made anew.
DROP FUNCTION ballast.api_key_lookup(text);
CREATE FUNCTION ballast.api_key_lookup(p_key_id text)
RETURNS TABLE (
    tenant_id uuid, secret_sha256 bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz, rate_limit int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ballast AS $$
BEGIN
    RETURN QUERY SELECT k.tenant_id, k.secret_sha256, k.scopes, k.expires_at, k.revoked_at, k.rate_limit
        FROM ballast.api_key k WHERE k.key_id = p_key_id;
END $$;
REVOKE ALL ON FUNCTION ballast.api_key_lookup(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.api_key_lookup(text) TO ballast_app;

-- A request that brought an Idempotency-Key: running under a lease, or finished with its answer.
CREATE TABLE ballast.idempotency (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    route text NOT NULL,              -- method and path
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    owner text NOT NULL,              -- the request that runs; another takes over when its lease has run out
    lease_until timestamptz,          -- null: finished
    status int,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key, route),
    CHECK ((lease_until IS NULL) = (status IS NOT NULL))
);
CREATE INDEX idempotency_expired ON ballast.idempotency (tenant_id, expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.idempotency TO ballast_app;
ALTER TABLE ballast.idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON ballast.idempotency
    USING (tenant_id = ballast.current_tenant()) WITH CHECK (tenant_id = ballast.current_tenant());

-- Who may go on with a key: 'run' (yes), 'running' (another request is at it), 'other' (the key belongs to another request), 'done'
-- (here is its answer). p_owner names the request: no other has ever had the same.
CREATE FUNCTION ballast.idempotency_claim(
    p_key text, p_route text, p_request_sha256 bytea, p_owner text, p_lease interval, p_keep interval,
    OUT outcome text, OUT status int, OUT headers jsonb, OUT body bytea
)
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_now timestamptz := clock_timestamp();
    v_row ballast.idempotency;
BEGIN
    -- What is over is cleared away by those who come after it, a little at a time.
    DELETE FROM ballast.idempotency i WHERE i.ctid = ANY (ARRAY(
        SELECT e.ctid FROM ballast.idempotency e WHERE e.tenant_id = v_tenant AND e.expires_at < v_now LIMIT 20 FOR UPDATE SKIP LOCKED));
    INSERT INTO ballast.idempotency AS i (tenant_id, key, route, request_sha256, owner, lease_until, expires_at)
    VALUES (v_tenant, p_key, p_route, p_request_sha256, p_owner, v_now + p_lease, v_now + p_keep)
    ON CONFLICT (tenant_id, key, route) DO NOTHING;
    SELECT * INTO v_row FROM ballast.idempotency i
    WHERE i.tenant_id = v_tenant AND i.key = p_key AND i.route = p_route FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'running';   -- it was there a moment ago and is being cleared away: the next try finds room
    ELSIF v_row.owner = p_owner THEN
        outcome := 'run';
    ELSIF v_row.request_sha256 <> p_request_sha256 THEN
        outcome := 'other';
    ELSIF v_row.lease_until IS NULL THEN
        outcome := 'done';
        status := v_row.status;
        headers := v_row.headers;
        body := v_row.body;
    ELSIF v_row.lease_until < v_now THEN
        UPDATE ballast.idempotency i SET owner = p_owner, lease_until = v_now + p_lease
        WHERE i.tenant_id = v_tenant AND i.key = p_key AND i.route = p_route;
        outcome := 'run';
    ELSE
        outcome := 'running';
    END IF;
END $$;

-- The chain of the running tenant, checked link by link. No row: it holds. Else where it first breaks and how.
CREATE FUNCTION ballast.audit_verify(OUT seq bigint, OUT fault text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, ballast AS $$
#variable_conflict use_column
DECLARE
    v_row ballast.audit;
    v_seq bigint := 0;
    v_hash bytea := '\x'::bytea;
BEGIN
    FOR v_row IN SELECT * FROM ballast.audit a WHERE a.tenant_id = ballast.current_tenant() ORDER BY a.seq LOOP
        seq := v_seq + 1;
        IF v_row.seq <> v_seq + 1 THEN
            fault := 'a row is missing';
        ELSIF v_row.prev_hash <> v_hash THEN
            fault := 'the row does not follow the one before';
        ELSIF v_row.hash <> ballast.audit_hash(v_row.prev_hash, v_row.tenant_id, v_row.seq, v_row.at, v_row.actor, v_row.action,
                v_row.object, v_row.detail, v_row.request_id) THEN
            fault := 'the row was changed';
        ELSE
            v_seq := v_row.seq;
            v_hash := v_row.hash;
            CONTINUE;
        END IF;
        RETURN NEXT;
        RETURN;
    END LOOP;
END $$;

-- Rows are added and read, by the owner of the tables too: who changes one has to take this trigger away first.
CREATE FUNCTION ballast.audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ballast.audit
    FOR EACH STATEMENT EXECUTE FUNCTION ballast.audit_refuse();

-- The newest hash of each tenant's chain, to be kept outside of the database: it proves that no row was cut off at the end.
CREATE FUNCTION ballast.audit_heads() RETURNS TABLE (tenant_id uuid, seq bigint, hash bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ballast AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT ON (a.tenant_id) a.tenant_id, a.seq, a.hash FROM ballast.audit a ORDER BY a.tenant_id, a.seq DESC;
END $$;
CREATE POLICY heads_by_owner ON ballast.audit FOR SELECT TO CURRENT_USER USING (true);
REVOKE ALL ON FUNCTION ballast.audit_heads() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.audit_heads() TO ballast_feed;
