-- The newest revision in which no manifest with an error could be about the environment; empty where none was seen.
ALTER TABLE environments ADD COLUMN good_revision text NOT NULL DEFAULT '';
