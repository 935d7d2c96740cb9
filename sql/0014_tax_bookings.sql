-- What fills did to the tax year: shares sold by fill and lot, and the losses that purchases took away.

CREATE TABLE ballast.realised_gain (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    plan_id text NOT NULL,
    fill_id text NOT NULL,            -- the venue's
    lot_id text NOT NULL,
    asset_symbol text NOT NULL,
    sold_on date NOT NULL,
    acquired date NOT NULL,           -- from which the holding period counted
    quantity numeric NOT NULL CHECK (quantity > 0),
    proceeds numeric NOT NULL,        -- after commission
    basis numeric NOT NULL,
    term text NOT NULL CHECK (term IN ('short', 'long')),
    PRIMARY KEY (tenant_id, portfolio_id, fill_id, lot_id),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES ballast.rebalance_plan ON DELETE CASCADE
);
CREATE INDEX realised_gain_by_day ON ballast.realised_gain (tenant_id, portfolio_id, sold_on);
CREATE INDEX realised_gain_by_plan ON ballast.realised_gain (tenant_id, plan_id);

-- A loss goes to the basis of its replacement. `plan_id` is the plan that made it so, which may be a later one than the sale's.
CREATE TABLE ballast.wash_adjustment (
    tenant_id uuid NOT NULL,
    portfolio_id text NOT NULL,
    plan_id text NOT NULL,
    fill_id text NOT NULL,
    lot_id text NOT NULL,
    replacement_lot text NOT NULL,
    quantity numeric NOT NULL CHECK (quantity > 0),
    disallowed numeric NOT NULL CHECK (disallowed >= 0),
    days_carried int NOT NULL,
    PRIMARY KEY (tenant_id, portfolio_id, fill_id, lot_id, replacement_lot),
    FOREIGN KEY (tenant_id, portfolio_id, fill_id, lot_id) REFERENCES ballast.realised_gain ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, plan_id) REFERENCES ballast.rebalance_plan ON DELETE CASCADE
);
CREATE INDEX wash_adjustment_by_plan ON ballast.wash_adjustment (tenant_id, plan_id);

GRANT SELECT, INSERT, DELETE ON ballast.realised_gain, ballast.wash_adjustment TO ballast_app;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['realised_gain', 'wash_adjustment'] LOOP
        EXECUTE format('ALTER TABLE ballast.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE ballast.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON ballast.%I USING (tenant_id = ballast.current_tenant()) '
            || 'WITH CHECK (tenant_id = ballast.current_tenant())', t);
    END LOOP;
END $$;
