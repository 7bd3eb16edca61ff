-- When a run counts as ended, whatever its worker says of it; null in rows of earlier versions.
ALTER TABLE runs ADD COLUMN ends_by timestamptz;
CREATE INDEX runs_open ON runs (environment) WHERE ended_at IS NULL;
