-- A number that grows with every change of what assets are called and when they trade: answers that are kept in memory hang on it, as they
-- hang on the change log for prices.

CREATE TABLE ballast.catalogue_version (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), version bigint NOT NULL DEFAULT 1);
INSERT INTO ballast.catalogue_version DEFAULT VALUES;
GRANT SELECT ON ballast.catalogue_version TO ballast_app, ballast_feed;

-- A row and no sequence: the number is seen when the change is, neither before nor after.
CREATE FUNCTION ballast.catalogue_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, ballast AS $$
BEGIN
    -- Most inserts of prices find their assets known: nothing has changed then, and nobody waits for this row.
    IF EXISTS (SELECT FROM changed_rows) THEN
        UPDATE ballast.catalogue_version SET version = version + 1;
    END IF;
    RETURN NULL;
END $$;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['asset', 'asset_alias'] LOOP
        EXECUTE format('CREATE TRIGGER catalogue_insert AFTER INSERT ON ballast.%I REFERENCING NEW TABLE AS changed_rows '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ballast.catalogue_changed()', t);
        EXECUTE format('CREATE TRIGGER catalogue_update AFTER UPDATE ON ballast.%I REFERENCING NEW TABLE AS changed_rows '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ballast.catalogue_changed()', t);
        EXECUTE format('CREATE TRIGGER catalogue_delete AFTER DELETE ON ballast.%I REFERENCING OLD TABLE AS changed_rows '
            || 'FOR EACH STATEMENT EXECUTE FUNCTION ballast.catalogue_changed()', t);
    END LOOP;
END $$;
