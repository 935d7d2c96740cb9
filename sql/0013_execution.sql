-- Executions in steps: one row while a plan trades, a lease for whoever works on it, and the tenant's kill switch.

CREATE TABLE ballast.rebalance_execution (
    tenant_id uuid NOT NULL,
    plan_id text NOT NULL,
    portfolio_id text NOT NULL,
    venue text NOT NULL,
    settings json NOT NULL,           -- of the call: seed, limits
    before json NOT NULL,             -- the holdings that the books start from
    actor text NOT NULL,
    request_id text NOT NULL,
    owner text,
    lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
    stop_reason text,                 -- somebody wants it to end
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, plan_id),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES ballast.rebalance_plan ON DELETE CASCADE
);
-- One executing plan a portfolio.
CREATE UNIQUE INDEX rebalance_execution_open ON ballast.rebalance_execution (tenant_id, portfolio_id) WHERE ended_at IS NULL;
CREATE INDEX rebalance_execution_lease ON ballast.rebalance_execution (lease_until) WHERE ended_at IS NULL;

-- The kill switch: while a tenant has a row nothing new is sent, and what is open is taken back.
CREATE TABLE ballast.trading_halt (
    tenant_id uuid PRIMARY KEY REFERENCES ballast.tenant ON DELETE CASCADE,
    reason text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

GRANT SELECT, INSERT, UPDATE ON ballast.rebalance_execution TO ballast_app;
GRANT SELECT ON ballast.rebalance_execution TO ballast_feed;
GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.trading_halt TO ballast_app;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['rebalance_execution', 'trading_halt'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
    END LOOP;
END $$;
CREATE POLICY feed ON ballast.rebalance_execution FOR SELECT TO ballast_feed USING (true);
