-- Jobs that are backtests: the same rows, another kind.

ALTER TABLE ballast.job DROP CONSTRAINT job_kind_check,
    ADD CONSTRAINT job_kind_check CHECK (kind IN ('optimize', 'backtest'));
