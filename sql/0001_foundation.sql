-- Foundation: schema, roles, tenants, credentials, audit.
-- Runs on a plain PostgreSQL 15 and on a plain Supabase project (no superuser needed: roles are made only where allowed).

CREATE SCHEMA IF NOT EXISTS ballast;
COMMENT ON SCHEMA ballast IS 'Tables of the Ballast portfolio platform; market_data stays in public by its specification.';

-- ballast_app: what the services work as after SET LOCAL ROLE; it cannot bypass row-level security and has no DDL.
-- ballast_feed: reads events and job rows of all tenants through narrow policies.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ballast_app') THEN
        CREATE ROLE ballast_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ballast_feed') THEN
        CREATE ROLE ballast_feed NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    EXECUTE format('GRANT ballast_app, ballast_feed TO %I', current_user);
END $$;

GRANT USAGE ON SCHEMA ballast TO ballast_app, ballast_feed;

-- The tenant of the running transaction; null when none is set, which matches no row.
CREATE FUNCTION ballast.current_tenant() RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN nullif(current_setting('app.tenant', true), '')::uuid;

CREATE TABLE ballast.tenant (
    tenant_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO ballast.tenant (tenant_id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'default');

CREATE TABLE ballast.api_key (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    key_id text NOT NULL UNIQUE CHECK (key_id ~ '^[0-9A-Za-z]{8}$'),
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);

-- Append-only, one hash chain a tenant: hash = sha256(prev_hash || canonical text of the row).
CREATE TABLE ballast.audit (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    request_id text,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);

CREATE FUNCTION ballast.audit_append(
    p_tenant uuid, p_actor text, p_action text, p_object text, p_detail jsonb, p_request_id text
) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_seq bigint;
    v_prev bytea;
    v_at timestamptz := clock_timestamp();
BEGIN
    -- One writer a tenant at a time: the chain is serial by intent.
    PERFORM pg_advisory_xact_lock(hashtextextended('ballast.audit:' || p_tenant::text, 0));
    SELECT seq, hash INTO v_seq, v_prev FROM ballast.audit WHERE tenant_id = p_tenant ORDER BY seq DESC LIMIT 1;
    v_seq := coalesce(v_seq, 0) + 1;
    v_prev := coalesce(v_prev, '\x'::bytea);
    INSERT INTO ballast.audit (tenant_id, seq, at, actor, action, object, detail, request_id, prev_hash, hash)
    VALUES (
        p_tenant, v_seq, v_at, p_actor, p_action, p_object, p_detail, p_request_id, v_prev,
        ballast.audit_hash(v_prev, p_tenant, v_seq, v_at, p_actor, p_action, p_object, p_detail, p_request_id)
    );
    RETURN v_seq;
END $$;

CREATE FUNCTION ballast.audit_hash(
    p_prev bytea, p_tenant uuid, p_seq bigint, p_at timestamptz, p_actor text, p_action text, p_object text,
    p_detail jsonb, p_request_id text
) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog SET timezone = 'UTC'
RETURN sha256(p_prev || convert_to(
    jsonb_build_array(
        p_tenant, p_seq, extract(epoch FROM p_at)::text, p_actor, p_action, p_object, p_detail, p_request_id
    )::text, 'UTF8'));

GRANT SELECT ON ballast.tenant TO ballast_app, ballast_feed;
GRANT SELECT, INSERT, UPDATE ON ballast.api_key TO ballast_app;
GRANT SELECT, INSERT ON ballast.audit TO ballast_app;

ALTER TABLE ballast.api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.api_key FORCE ROW LEVEL SECURITY;
ALTER TABLE ballast.audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.audit FORCE ROW LEVEL SECURITY;
ALTER TABLE ballast.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.tenant FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON ballast.api_key
    USING (tenant_id = ballast.current_tenant()) WITH CHECK (tenant_id = ballast.current_tenant());
CREATE POLICY tenant_isolation ON ballast.audit
    USING (tenant_id = ballast.current_tenant()) WITH CHECK (tenant_id = ballast.current_tenant());
CREATE POLICY tenant_isolation ON ballast.tenant
    USING (tenant_id = ballast.current_tenant()) WITH CHECK (tenant_id = ballast.current_tenant());
CREATE POLICY feed_reads ON ballast.tenant FOR SELECT TO ballast_feed USING (true);

-- Before a credential is verified there is no tenant yet: one narrow function finds a key by its public id.
CREATE FUNCTION ballast.api_key_lookup(p_key_id text)
RETURNS TABLE (tenant_id uuid, secret_sha256 bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, ballast AS $$
BEGIN
    RETURN QUERY SELECT k.tenant_id, k.secret_sha256, k.scopes, k.expires_at, k.revoked_at
        FROM ballast.api_key k WHERE k.key_id = p_key_id;
END $$;
-- The definer is the tables' owner, and FORCE binds owners too: this policy opens the row for the function only.
CREATE POLICY lookup_by_owner ON ballast.api_key FOR SELECT TO CURRENT_USER
    USING (true);
REVOKE ALL ON FUNCTION ballast.api_key_lookup(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ballast.api_key_lookup(text) TO ballast_app;

-- New keys and revocations reach every replica's cache at once.
CREATE FUNCTION ballast.notify_api_key() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('ballast_api_key', '');
    RETURN NULL;
END $$;
CREATE TRIGGER api_key_changed AFTER INSERT OR UPDATE OR DELETE ON ballast.api_key
    FOR EACH STATEMENT EXECUTE FUNCTION ballast.notify_api_key();
