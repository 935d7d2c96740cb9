-- Portfolios, their results, holdings, and the jobs that recalculate them.

CREATE TABLE ballast.portfolio (
    tenant_id uuid NOT NULL REFERENCES ballast.tenant ON DELETE CASCADE,
    portfolio_id text NOT NULL CHECK (portfolio_id ~ '^[0-9A-Za-z_-]{4,64}$'),
    name text NOT NULL DEFAULT '',
    request jsonb NOT NULL,           -- the request as decoded, so that it can be run again
    request_hash bytea NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    recalculation_enabled boolean NOT NULL DEFAULT true,
    quiet_ms int NOT NULL DEFAULT 250 CHECK (quiet_ms BETWEEN 0 AND 3600000),
    max_wait_ms int NOT NULL DEFAULT 2000 CHECK (max_wait_ms BETWEEN 0 AND 86400000),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, portfolio_id)
);

-- Which market_data symbols a portfolio depends on: the fan-out's index.
CREATE TABLE ballast.portfolio_asset (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    asset_symbol text NOT NULL,
    PRIMARY KEY (tenant_id, portfolio_id, asset_symbol),
    FOREIGN KEY (tenant_id, portfolio_id) REFERENCES ballast.portfolio ON DELETE CASCADE
);
CREATE INDEX portfolio_asset_by_symbol ON ballast.portfolio_asset (asset_symbol, tenant_id, portfolio_id);

-- One result for each input: the same fingerprint of data never makes a second entry for one version of the request.
CREATE TABLE ballast.portfolio_result (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    revision bigint NOT NULL,         -- 1, 2, ... for each portfolio
    request_hash bytea NOT NULL,
    fingerprint bytea NOT NULL,
    response jsonb NOT NULL,          -- the answer as sent, without meta of the single call
    weights jsonb NOT NULL,
    metrics jsonb NOT NULL,
    data_tick bigint NOT NULL DEFAULT 0,
    engine text NOT NULL,
    trigger text NOT NULL CHECK (trigger IN ('request', 'recalculation')),
    solve_ms double precision NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, portfolio_id, revision),
    UNIQUE (tenant_id, portfolio_id, request_hash, fingerprint),
    FOREIGN KEY (tenant_id, portfolio_id) REFERENCES ballast.portfolio ON DELETE CASCADE
);

CREATE TABLE ballast.holding (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    asset_symbol text NOT NULL,       -- CASH:<currency> for money
    quantity numeric NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, portfolio_id, asset_symbol),
    FOREIGN KEY (tenant_id, portfolio_id) REFERENCES ballast.portfolio ON DELETE CASCADE
);

CREATE TABLE ballast.tax_lot (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    asset_symbol text NOT NULL,
    lot_id text NOT NULL,
    acquired date NOT NULL,
    quantity numeric NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'),
    basis_per_share numeric NOT NULL CHECK (basis_per_share >= 0 AND basis_per_share < 'Infinity'),
    PRIMARY KEY (tenant_id, portfolio_id, lot_id),
    FOREIGN KEY (tenant_id, portfolio_id, asset_symbol) REFERENCES ballast.holding ON DELETE CASCADE
);

-- One row a portfolio: a burst of changes coalesces by construction. Fenced and leased on the database's clock.
CREATE TABLE ballast.recalculation_job (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    wanted bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    claimed bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    run_after timestamptz NOT NULL DEFAULT now(),
    first_wanted timestamptz,
    lease_until timestamptz,
    owner text,
    attempts int NOT NULL DEFAULT 0,
    crashed int NOT NULL DEFAULT 0,
    last_error text,
    parked_at timestamptz,
    cost_ms double precision,
    PRIMARY KEY (tenant_id, portfolio_id),
    FOREIGN KEY (tenant_id, portfolio_id) REFERENCES ballast.portfolio ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE INDEX recalculation_job_pending ON ballast.recalculation_job (run_after) WHERE wanted > done;

GRANT SELECT, INSERT, UPDATE, DELETE ON ballast.portfolio, ballast.portfolio_asset, ballast.holding, ballast.tax_lot,
    ballast.recalculation_job TO ballast_app;
GRANT SELECT, INSERT ON ballast.portfolio_result TO ballast_app;
GRANT SELECT ON ballast.portfolio, ballast.portfolio_asset TO ballast_feed;
GRANT SELECT, INSERT, UPDATE ON ballast.recalculation_job TO ballast_feed;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['portfolio', 'portfolio_asset', 'portfolio_result', 'holding', 'tax_lot', 'recalculation_job'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
    END LOOP;
    -- The recalculation of all tenants: which portfolios hold a changed asset, and the jobs themselves. Nothing else.
    EXECUTE 'CREATE POLICY feed ON ballast.portfolio FOR SELECT TO ballast_feed USING (true)';
    EXECUTE 'CREATE POLICY feed ON ballast.portfolio_asset FOR SELECT TO ballast_feed USING (true)';
    EXECUTE 'CREATE POLICY feed ON ballast.recalculation_job TO ballast_feed USING (true) WITH CHECK (true)';
END $$;
