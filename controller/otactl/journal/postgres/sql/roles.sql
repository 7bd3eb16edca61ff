-- The roles of journals on PostgreSQL, and the schema they are in. Run it once in the journals' database as a role that
-- may create roles (psql -f, or any client); a second time it changes nothing. Then, as a member of otactl_owner:
--   otactl journal init postgresql://HOST/DATABASE
-- No one logs in as these: grant them to users or to IAM roles, such as  GRANT otactl_controller TO my_runner;
--   otactl_owner       creates and upgrades the tables, and creates journals
--   otactl_controller  for reconcile: reads, writes records and leases, appends events; changes no event and no table
--   otactl_reader      for status, drift, report and metrics: reads
-- A journal is open to every member of the last two, until it is given roles of its own:
--   CREATE ROLE prod_controller NOLOGIN IN ROLE otactl_controller;
--   DELETE FROM otactl.grants WHERE journal = 'prod';
--   INSERT INTO otactl.grants VALUES ('prod', 'prod_controller');
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'otactl_owner') THEN
        CREATE ROLE otactl_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'otactl_controller') THEN
        CREATE ROLE otactl_controller NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'otactl_reader') THEN
        CREATE ROLE otactl_reader NOLOGIN;
    END IF;
    CREATE SCHEMA IF NOT EXISTS otactl AUTHORIZATION otactl_owner;
    GRANT USAGE ON SCHEMA otactl TO otactl_controller, otactl_reader;
END
$$;
