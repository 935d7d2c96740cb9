-- Reallocation plans: one row a plan, each change of state one row of an append-only chain, guarded where two people press at once.

CREATE TABLE ballast.rebalance_plan (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    plan_id text NOT NULL CHECK (plan_id ~ '^[0-9A-Za-z_-]{4,64}$'),
    -- Null for a plan whose holdings came with the request.
    portfolio_id text,
    portfolio_version bigint,
    -- What the holdings were: a plan over other holdings than today's is stale.
    holdings_hash bytea,
    state text NOT NULL CHECK (state IN ('NOT_NEEDED', 'REJECTED_BY_COST', 'AWAITING_CONFIRM', 'REJECTED', 'EXPIRED', 'SUPERSEDED',
        'CONFIRMED', 'EXECUTING', 'PAUSED', 'COMPLETED', 'COMPLETED_SHORT', 'HALTED', 'VERIFIED', 'MISMATCH', 'RECORDED')),
    plan_hash bytea NOT NULL,
    body json NOT NULL,               -- the plan as sent, byte for byte what the hash is of
    request json NOT NULL,
    prices jsonb NOT NULL,            -- asset: price, for the guard at confirmation
    price_tolerance numeric NOT NULL CHECK (price_tolerance >= 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    idempotency_key text,
    execution json,                   -- what became of the orders, once they are booked
    PRIMARY KEY (tenant_id, plan_id),
    FOREIGN KEY (tenant_id, portfolio_id) REFERENCES ballast.portfolio ON DELETE CASCADE
);
CREATE INDEX rebalance_plan_by_portfolio ON ballast.rebalance_plan (tenant_id, portfolio_id, created_at DESC);

-- Who moved a plan, when, from where to where and why. Each row holds the hash of the one before.
CREATE TABLE ballast.rebalance_event (
    tenant_id uuid NOT NULL,
    plan_id text NOT NULL,
    seq int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}',
    request_id text,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, seq),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES ballast.rebalance_plan ON DELETE CASCADE
);

-- The log of an execution: intents, answers and fills in the order in which they were written. Replaying it gives the books.
CREATE TABLE ballast.rebalance_execution_event (
    tenant_id uuid NOT NULL,
    plan_id text NOT NULL,
    seq int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event jsonb NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, seq),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES ballast.rebalance_plan ON DELETE CASCADE
);
-- A venue's fill is booked once.
CREATE UNIQUE INDEX rebalance_execution_fill ON ballast.rebalance_execution_event (tenant_id, (event ->> 'fill'))
    WHERE event ->> 'event' = 'fill';

CREATE FUNCTION ballast.rebalance_event_hash(
    p_prev bytea, p_tenant uuid, p_plan text, p_seq int, p_at timestamptz, p_actor text, p_from text, p_to text, p_reason text,
    p_detail jsonb, p_request_id text
) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog SET timezone = 'UTC'
RETURN sha256(p_prev || convert_to(
    jsonb_build_array(
        p_tenant, p_plan, p_seq, extract(epoch FROM p_at)::text, p_actor, p_from, p_to, p_reason, p_detail, p_request_id
    )::text, 'UTF8'));

-- One more link of a plan's chain, and of the tenant's. The caller holds the plan's row lock.
CREATE FUNCTION ballast.rebalance_record(
    p_plan text, p_actor text, p_from text, p_to text, p_reason text, p_detail jsonb, p_request_id text
) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, ballast AS $$
DECLARE
    v_tenant uuid := ballast.current_tenant();
    v_seq int;
    v_prev bytea;
    v_at timestamptz := clock_timestamp();
BEGIN
    SELECT seq, hash INTO v_seq, v_prev FROM ballast.rebalance_event
        WHERE tenant_id = v_tenant AND plan_id = p_plan ORDER BY seq DESC LIMIT 1;
    v_seq := coalesce(v_seq, 0) + 1;
    v_prev := coalesce(v_prev, '\x'::bytea);
    INSERT INTO ballast.rebalance_event (tenant_id, plan_id, seq, at, actor, from_state, to_state, reason, detail, request_id, prev_hash, hash)
    VALUES (
        v_tenant, p_plan, v_seq, v_at, p_actor, p_from, p_to, p_reason, p_detail, p_request_id, v_prev,
        ballast.rebalance_event_hash(v_prev, v_tenant, p_plan, v_seq, v_at, p_actor, p_from, p_to, p_reason, p_detail, p_request_id));
    PERFORM ballast.audit_append(
        v_tenant, p_actor, 'rebalance.' || lower(p_to), p_plan, jsonb_build_object('from', p_from, 'reason', p_reason) || p_detail, p_request_id);
    RETURN v_seq;
END $$;

-- Whether every link of a plan's chain is what its content hashes to and follows the one before.
CREATE FUNCTION ballast.rebalance_chain_holds(p_plan text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, ballast
RETURN (
    SELECT coalesce(bool_and(
        hash = ballast.rebalance_event_hash(prev_hash, tenant_id, plan_id, seq, at, actor, from_state, to_state, reason, detail, request_id)
        AND prev_hash = coalesce(before, '\x'::bytea) AND seq = place), true)
    FROM (
        SELECT e.*, lag(hash) OVER (ORDER BY seq) AS before, row_number() OVER (ORDER BY seq) AS place
        FROM ballast.rebalance_event e WHERE tenant_id = ballast.current_tenant() AND plan_id = p_plan
    ) chain);

GRANT SELECT, INSERT, UPDATE ON ballast.rebalance_plan TO ballast_app;
-- Append-only: no UPDATE, no DELETE.
GRANT SELECT, INSERT ON ballast.rebalance_event, ballast.rebalance_execution_event TO ballast_app;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['rebalance_plan', 'rebalance_event', 'rebalance_execution_event'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
    END LOOP;
END $$;
