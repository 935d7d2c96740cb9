-- What trading at a venue has cost beside what plans predicted, and executions that pause.

-- Sums of the estimator of `CostCalibration`: one row a tenant and venue, updated in the commit that ends a plan.
CREATE TABLE ballast.trading_cost (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    venue text NOT NULL,
    orders int NOT NULL DEFAULT 0,
    spread_square float8 NOT NULL DEFAULT 0,
    product float8 NOT NULL DEFAULT 0,
    impact_square float8 NOT NULL DEFAULT 0,
    spread_moment float8 NOT NULL DEFAULT 0,
    impact_moment float8 NOT NULL DEFAULT 0,
    scale float8 NOT NULL DEFAULT 0.5 CHECK (scale > 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, venue)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.trading_cost TO ballast_app;
ALTER TABLE ballast.trading_cost ENABLE ROW LEVEL SECURITY;
ALTER TABLE ballast.trading_cost FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON ballast.trading_cost USING (tenant_id = ballast.current_tenant())
    WITH CHECK (tenant_id = ballast.current_tenant());

-- A paused execution sends nothing new. Once nothing of it is open it rests, and nobody looks after it until it is resumed.
ALTER TABLE ballast.rebalance_execution ADD COLUMN paused_reason text, ADD COLUMN is_resting boolean NOT NULL DEFAULT false;
