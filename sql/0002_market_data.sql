-- Market data: what is traded, under which names, from where, and at what price. Shared by all tenants.

CREATE TABLE ballast.asset (
    asset_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL UNIQUE CHECK (symbol ~ '^[A-Za-z0-9][A-Za-z0-9._:/=^-]{0,31}$'),
    name text NOT NULL DEFAULT '',
    class text NOT NULL DEFAULT 'equity' CHECK (class IN ('equity', 'etf', 'fund', 'index', 'crypto', 'fx', 'other')),
    calendar text NOT NULL DEFAULT 'XNYS' CHECK (calendar IN ('XNYS', '24/7')),
    currency text NOT NULL DEFAULT 'USD',
    long_identifier text,   -- a Solana mint, an ISIN: never in market_data
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A name that meant this asset during [valid_from, valid_to): FB was META until 2022-06-09.
CREATE TABLE ballast.asset_alias (
    alias text NOT NULL CHECK (alias <> ''),
    symbol text NOT NULL,   -- the symbol in market_data; the asset row may come later
    valid_from date NOT NULL DEFAULT '-infinity',
    valid_to date NOT NULL DEFAULT 'infinity',
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (alias, valid_from),
    CHECK (valid_from < valid_to)
);
INSERT INTO ballast.asset_alias (alias, symbol, valid_from, valid_to, reason) VALUES
    ('FB', 'META', '2012-05-18', '2022-06-09', 'Facebook, Inc. became Meta Platforms, Inc.; ticker changed on 2022-06-09');

CREATE TABLE ballast.source (
    source_id text PRIMARY KEY CHECK (source_id ~ '^[a-z][a-z0-9_-]{0,31}$'),
    name text NOT NULL,
    rank int NOT NULL DEFAULT 100,   -- a lower rank wins; a higher one never overwrites it
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO ballast.source (source_id, name, rank) VALUES
    ('sql', 'Plain SQL', 0), ('push', 'Pushed over HTTP', 10), ('csv', 'CSV folder', 20),
    ('coinbase', 'Coinbase Exchange candles', 30), ('pyth', 'Pyth price accounts on Solana', 40);

CREATE TABLE ballast.etl_run (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    source_id text NOT NULL REFERENCES ballast.source,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed', 'interrupted')),
    requests int NOT NULL DEFAULT 0,
    fetched bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    error_class text,
    detail text
);

-- Where a source's job stands: the start of the last final bar it has stored, or any token it needs (a file's digest).
CREATE TABLE ballast.etl_checkpoint (
    job text NOT NULL,
    item text NOT NULL,
    position text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, item)
);

-- The specification's table: its columns first, ours after them. A plain INSERT of its six columns works.
CREATE TABLE public.market_data (
    asset_symbol text NOT NULL CHECK (asset_symbol ~ '^[A-Za-z0-9][A-Za-z0-9._:/=^-]{0,31}$'),
    "timestamp" timestamptz NOT NULL CHECK ("timestamp" > '-infinity' AND "timestamp" < 'infinity'),
    -- In SQL NaN is greater than every number: the second half refuses NaN and Infinity.
    price numeric NOT NULL CHECK (price > 0 AND price < 'Infinity'),
    volume numeric CHECK (volume >= 0 AND volume < 'Infinity'),
    "return" numeric CHECK ("return" >= -1 AND "return" < 'Infinity'),
    created_at timestamptz NOT NULL DEFAULT now(),
    "interval" text NOT NULL DEFAULT '1d' CHECK ("interval" ~ '^[1-9][0-9]{0,3}[smhdw]$'),
    source text NOT NULL DEFAULT 'sql' REFERENCES ballast.source,
    run_id bigint,
    quality int NOT NULL DEFAULT 0,   -- bit set of quality flags; 0 is clean
    PRIMARY KEY (asset_symbol, "interval", "timestamp")
);

-- Every value that a later batch changed, with what it was.
CREATE TABLE ballast.market_data_revision (
    asset_symbol text NOT NULL,
    "interval" text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    revised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    old_price numeric NOT NULL,
    new_price numeric NOT NULL,
    old_source text NOT NULL,
    run_id bigint
);
CREATE INDEX ON ballast.market_data_revision (asset_symbol, "interval", "timestamp");

-- Rows that broke a rule: kept aside, never lost, never used.
CREATE TABLE ballast.quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id text NOT NULL,
    asset_symbol text,
    "timestamp" timestamptz,
    rule text NOT NULL,
    raw jsonb NOT NULL,
    run_id bigint,
    first_seen timestamptz NOT NULL DEFAULT now(),
    times bigint NOT NULL DEFAULT 1,
    digest bytea NOT NULL UNIQUE   -- sha256 of source, rule and raw: seen again = counted, not repeated
);

-- Unknown symbols become assets by themselves, so that a plain INSERT needs no second statement.
CREATE FUNCTION ballast.register_assets() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, ballast AS $$
BEGIN
    INSERT INTO ballast.asset (symbol, class, calendar)
    SELECT DISTINCT n.asset_symbol,
        CASE WHEN n.source IN ('coinbase', 'pyth') THEN 'crypto' ELSE 'equity' END,
        CASE WHEN n.source IN ('coinbase', 'pyth') THEN '24/7' ELSE 'XNYS' END
    FROM new_rows n
    WHERE NOT EXISTS (SELECT FROM ballast.asset a WHERE a.symbol = n.asset_symbol)
    ON CONFLICT (symbol) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER register_assets AFTER INSERT ON public.market_data
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ballast.register_assets();

GRANT SELECT ON ballast.asset, ballast.asset_alias, ballast.source, public.market_data TO ballast_app, ballast_feed;
GRANT INSERT, UPDATE ON public.market_data, ballast.asset TO ballast_app;
GRANT SELECT, INSERT, UPDATE ON ballast.quarantine, ballast.market_data_revision, ballast.etl_run, ballast.etl_checkpoint
    TO ballast_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA ballast TO ballast_app;

ALTER TABLE public.market_data ENABLE ROW LEVEL SECURITY;
CREATE POLICY market_data_read ON public.market_data FOR SELECT USING (true);
CREATE POLICY market_data_insert ON public.market_data FOR INSERT TO ballast_app WITH CHECK (true);
CREATE POLICY market_data_update ON public.market_data FOR UPDATE TO ballast_app USING (true) WITH CHECK (true);
