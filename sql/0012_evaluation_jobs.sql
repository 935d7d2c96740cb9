-- Jobs that are backtests: the same rows, another kind.

ALTER TABLE ballast.job DROP CONSTRAINT job_kind_check,
    ADD CONSTRAINT job_kind_check CHECK (kind IN ('optimize', 'backtest'));

-- The trace that a job was asked for in, as its request's traceparent said.
ALTER TABLE ballast.job ADD COLUMN traceparent text CHECK (length(traceparent) = 55);
