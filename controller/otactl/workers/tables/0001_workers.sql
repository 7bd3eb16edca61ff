-- Environments as the newest manifests declare them, and what their last pass left. A slot is claimed by one worker.
CREATE TABLE environments (
    name text PRIMARY KEY,
    source text NOT NULL,
    digest text NOT NULL,
    every_seconds double precision NOT NULL,
    slot double precision NOT NULL DEFAULT 0,
    live boolean NOT NULL DEFAULT false,
    aborted text[] NOT NULL DEFAULT '{}',
    troubled boolean NOT NULL DEFAULT false,
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row a pass; the newest of each environment are kept.
CREATE TABLE runs (
    id text PRIMARY KEY,
    environment text NOT NULL,
    worker text NOT NULL,
    revision text NOT NULL,
    waited_seconds double precision NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT 'running',
    message text NOT NULL DEFAULT '',
    passes integer NOT NULL DEFAULT 0,
    calls integer NOT NULL DEFAULT 0,
    writes integer NOT NULL DEFAULT 0
);
CREATE INDEX runs_environment ON runs (environment, started_at DESC);

CREATE TABLE workers (
    name text PRIMARY KEY,
    version text NOT NULL,
    concurrency integer NOT NULL,
    running integer NOT NULL,
    revision text NOT NULL,
    problem text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopping boolean NOT NULL DEFAULT false
);

-- What was fetched last from a source, by the clock of this server at the start of the fetch.
CREATE TABLE sources (
    name text PRIMARY KEY,
    revision text NOT NULL,
    good_revision text NOT NULL,
    problem text NOT NULL,
    fetched_at timestamptz NOT NULL
);

-- The next free slot of an operation at a place: an account's Region, or a service's own address.
CREATE TABLE pace (
    place text NOT NULL,
    key text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (place, key)
);
