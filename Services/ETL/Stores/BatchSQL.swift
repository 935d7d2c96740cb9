import PostgresClient

/// The statements of a batch.
enum BatchSQL {
    static let staging: SQL = """
        CREATE TEMP TABLE etl_staging (
            position bigint NOT NULL, asset_symbol text NOT NULL, "interval" text NOT NULL, "timestamp" timestamptz NOT NULL,
            price numeric NOT NULL, volume numeric, stated_return numeric, quality int NOT NULL
        ) ON COMMIT DROP
        """

    static let copy: SQL = """
        COPY etl_staging (position, asset_symbol, "interval", "timestamp", price, volume, stated_return, quality)
        FROM STDIN (FORMAT binary)
        """

    /// One collector writes at a time, so that returns are chained on what is really stored.
    ///
    /// And every row is looked up by the key: a planner that has no statistics yet takes market_data for tiny, scans it once
    /// for each staged row, and is not done after minutes. The penalty on scans would call the just-in-time compiler; off too.
    static let lock: SQL = """
        SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true),
            pg_advisory_xact_lock(hashtextextended('ballast.etl.market_data', 0))::text
        """

    /// Simple return on a base price: exact numerics, independent of how many zeros either was written with.
    private static func simpleReturn(of price: SQL, on base: SQL) -> SQL {
        """
        trim_scale(round((trim_scale(\(price)) - trim_scale(\(base))) * 1.0000000000000000 / trim_scale(\(base)), 16))
        """
    }

    /// Staging into market_data, in one statement: the last of equal keys wins; a source never overwrites one of a lower rank;
    /// returns are against the bar before, stored or staged; the bar after a changed one gets its return anew; changed prices
    /// are recorded as revisions. Rows that say nothing new are not touched, not even locked.
    ///
    /// Answers one row: inserted, updated, returns recomputed, revisions, refused by rank, distinct keys.
    static func merge(source: String, run: Int64) -> SQL {
        """
        WITH latest AS (
            SELECT DISTINCT ON (asset_symbol, "interval", "timestamp")
                asset_symbol, "interval", "timestamp", price, volume, stated_return, quality
            FROM etl_staging
            ORDER BY asset_symbol, "interval", "timestamp", position DESC
        ), merged AS (
            SELECT l.asset_symbol, l."interval", l."timestamp", a.accepted,
                m.price AS old_price, m."return" AS old_return, m.source AS old_source,
                CASE WHEN a.accepted THEN l.price ELSE m.price END AS price,
                CASE WHEN a.accepted THEN coalesce(l.volume, m.volume) ELSE m.volume END AS volume,
                CASE WHEN a.accepted THEN l.quality ELSE m.quality END AS quality,
                CASE WHEN a.accepted THEN l.stated_return END AS stated_return,
                a.accepted AND l.price IS DISTINCT FROM m.price AS moved,
                a.accepted AND m.price IS NOT NULL
                    AND (m.price, m.volume, m.source, m.quality)
                        IS DISTINCT FROM (l.price, coalesce(l.volume, m.volume), \(source), l.quality) AS revised
            FROM latest l
            LEFT JOIN public.market_data m USING (asset_symbol, "interval", "timestamp")
            LEFT JOIN ballast.source s ON s.source_id = m.source
            CROSS JOIN LATERAL (
                SELECT m.price IS NULL
                    OR s.rank >= (SELECT rank FROM ballast.source WHERE source_id = \(source)) AS accepted
            ) a
        ), chained AS (
            SELECT g.*, lag("timestamp") OVER series AS lag_time, lag(price) OVER series AS lag_price,
                lag(moved) OVER series AS lag_moved, lead("timestamp") OVER series AS lead_time
            FROM merged g
            WINDOW series AS (PARTITION BY asset_symbol, "interval" ORDER BY "timestamp")
        ), based AS (
            SELECT c.*, coalesce(before.price, c.lag_price) AS base,
                coalesce(c.lag_moved AND before.price IS NULL, false) AS base_moved
            FROM chained c
            LEFT JOIN LATERAL (
                SELECT p.price FROM public.market_data p
                WHERE (c.old_price IS NULL OR c.revised OR c.lag_moved)
                    AND p.asset_symbol = c.asset_symbol AND p."interval" = c."interval"
                    AND p."timestamp" < c."timestamp" AND p."timestamp" > coalesce(c.lag_time, '-infinity')
                ORDER BY p."timestamp" DESC LIMIT 1
            ) before ON true
        ), wanted AS (
            SELECT b.*,
                CASE
                    WHEN NOT (old_price IS NULL OR revised OR base_moved) THEN old_return
                    WHEN base IS NULL THEN coalesce(stated_return, old_return)
                    ELSE \(simpleReturn(of: "price", on: "base"))
                END AS new_return
            FROM based b
        ), written AS (
            INSERT INTO public.market_data AS t
                (asset_symbol, "interval", "timestamp", price, volume, "return", source, run_id, quality)
            SELECT asset_symbol, "interval", "timestamp", price, volume, new_return, \(source), \(run), quality
            FROM wanted
            WHERE old_price IS NULL OR revised
            ORDER BY asset_symbol, "interval", "timestamp"
            ON CONFLICT (asset_symbol, "interval", "timestamp") DO UPDATE
            SET price = excluded.price, volume = excluded.volume, "return" = excluded."return", source = excluded.source,
                run_id = excluded.run_id, quality = excluded.quality
            WHERE (t.price, t.volume, t."return", t.source, t.quality) IS DISTINCT FROM
                    (excluded.price, excluded.volume, excluded."return", excluded.source, excluded.quality)
                AND (SELECT rank FROM ballast.source WHERE source_id = t.source)
                    >= (SELECT rank FROM ballast.source WHERE source_id = excluded.source)
            RETURNING (xmax = 0) AS inserted
        ), followers AS (
            SELECT f.asset_symbol, f."interval", f."timestamp",
                \(simpleReturn(of: "f.price", on: "w.price")) AS new_return
            FROM wanted w
            CROSS JOIN LATERAL (
                SELECT p.asset_symbol, p."interval", p."timestamp", p.price, p."return" FROM public.market_data p
                WHERE w.moved AND p.asset_symbol = w.asset_symbol AND p."interval" = w."interval"
                    AND p."timestamp" > w."timestamp" AND p."timestamp" < coalesce(w.lead_time, 'infinity')
                ORDER BY p."timestamp" LIMIT 1
            ) f
            WHERE f."return" IS DISTINCT FROM \(simpleReturn(of: "f.price", on: "w.price"))
            UNION ALL
            SELECT asset_symbol, "interval", "timestamp", new_return
            FROM wanted
            WHERE old_price IS NOT NULL AND NOT revised AND new_return IS DISTINCT FROM old_return
        ), rechained AS (
            UPDATE public.market_data t SET "return" = f.new_return, run_id = \(run)
            FROM followers f
            WHERE t.asset_symbol = f.asset_symbol AND t."interval" = f."interval" AND t."timestamp" = f."timestamp"
            RETURNING 1
        ), recorded AS (
            INSERT INTO ballast.market_data_revision
                (asset_symbol, "interval", "timestamp", old_price, new_price, old_source, run_id)
            SELECT asset_symbol, "interval", "timestamp", old_price, price, old_source, \(run)
            FROM wanted
            WHERE moved AND old_price IS NOT NULL AND quality & \(sampledBit) = 0
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM written WHERE inserted), (SELECT count(*) FROM written WHERE NOT inserted),
            (SELECT count(*) FROM rechained), (SELECT count(*) FROM recorded),
            (SELECT count(*) FROM wanted WHERE NOT accepted), (SELECT count(*) FROM latest)
        """
    }

    /// A sampled bar is expected to move until its interval ends: that is no revision. `QualityFlags.sampled`.
    private static let sampledBit: Int32 = 4
}
