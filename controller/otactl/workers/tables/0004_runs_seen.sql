-- When the worker of a run last said that it is under way: a worker of the same name that started since does not.
ALTER TABLE runs ADD COLUMN seen_at timestamptz NOT NULL DEFAULT clock_timestamp();
