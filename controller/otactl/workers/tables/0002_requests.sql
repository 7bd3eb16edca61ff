-- When a pass of an environment was last asked for that no pass has answered since, and how urgent it is.
ALTER TABLE environments ADD COLUMN asked_at timestamptz, ADD COLUMN asked_priority integer NOT NULL DEFAULT 0;
