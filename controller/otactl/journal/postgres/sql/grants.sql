-- What the roles may do with the tables. It runs after the numbered files too, and again whenever a person runs it; it
-- grants nothing to a role that does not exist, and nothing where the tables do not exist yet.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'otactl' AND c.relname = 'events') THEN
        RETURN;
    END IF;
    REVOKE ALL ON ALL TABLES IN SCHEMA otactl FROM PUBLIC;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA otactl FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'otactl_reader') THEN
        GRANT USAGE ON SCHEMA otactl TO otactl_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA otactl TO otactl_reader;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'otactl_controller') THEN
        GRANT USAGE ON SCHEMA otactl TO otactl_controller;
        GRANT SELECT ON ALL TABLES IN SCHEMA otactl TO otactl_controller;
        GRANT INSERT, UPDATE ON otactl.environments, otactl.records TO otactl_controller;
        GRANT INSERT ON otactl.events TO otactl_controller;
        GRANT EXECUTE ON FUNCTION otactl.server_time() TO otactl_controller;
    END IF;
END
$$;
