-- The journals of one database. Every row names its journal; otactl.grants says which roles see it.
CREATE TABLE otactl.journals (
    journal text PRIMARY KEY,
    id text NOT NULL,
    replaces text NOT NULL DEFAULT '[]',
    recent text[] NOT NULL DEFAULT '{}'
);

CREATE TABLE otactl.grants (
    journal text NOT NULL REFERENCES otactl.journals ON DELETE CASCADE,
    role text NOT NULL,
    PRIMARY KEY (journal, role)
);

-- One row for each environment: its lease, and the names of its newest writes. Every write locks it, so writes of one
-- environment come one after the other, and those of others do not wait.
CREATE TABLE otactl.environments (
    journal text NOT NULL REFERENCES otactl.journals,
    environment text NOT NULL,
    fencing bigint NOT NULL DEFAULT 0 CHECK (fencing >= 0),
    held text,
    recent text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (journal, environment)
);

CREATE TABLE otactl.records (
    journal text NOT NULL,
    environment text NOT NULL,
    name text NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    record text NOT NULL,
    chain text,
    PRIMARY KEY (journal, environment, name),
    FOREIGN KEY (journal, environment) REFERENCES otactl.environments
);

CREATE TABLE otactl.events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal text NOT NULL,
    environment text NOT NULL,
    name text NOT NULL,
    revision bigint NOT NULL,
    event text NOT NULL,
    link text,
    FOREIGN KEY (journal, environment, name) REFERENCES otactl.records
);
CREATE INDEX events_of_a_rollout ON otactl.events (journal, environment, name, sequence);

-- The clock by which a lease runs out: the server's, the same for every machine.
CREATE FUNCTION otactl.server_time() RETURNS timestamptz
    LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';

-- History is only added to, whoever asks: the owner would first have to disable this trigger.
CREATE FUNCTION otactl.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events of a journal are never changed or deleted' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON otactl.events
    FOR EACH STATEMENT EXECUTE FUNCTION otactl.refuse_change();

-- A role that does not own the tables sees the journals that a role of its own is granted, and no other.
ALTER TABLE otactl.journals ENABLE ROW LEVEL SECURITY;
ALTER TABLE otactl.environments ENABLE ROW LEVEL SECURITY;
ALTER TABLE otactl.records ENABLE ROW LEVEL SECURITY;
ALTER TABLE otactl.events ENABLE ROW LEVEL SECURITY;
CREATE VIEW otactl.my_journals AS
    SELECT DISTINCT g.journal FROM otactl.grants g JOIN pg_catalog.pg_roles r ON r.rolname = g.role
    WHERE pg_catalog.pg_has_role(current_user, r.oid, 'USAGE');
CREATE POLICY of_my_journals ON otactl.journals USING (journal IN (SELECT m.journal FROM otactl.my_journals m));
CREATE POLICY of_my_journals ON otactl.environments USING (journal IN (SELECT m.journal FROM otactl.my_journals m));
CREATE POLICY of_my_journals ON otactl.records USING (journal IN (SELECT m.journal FROM otactl.my_journals m));
CREATE POLICY of_my_journals ON otactl.events USING (journal IN (SELECT m.journal FROM otactl.my_journals m));
