BEGIN TRANSACTION;
CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        environment TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        event TEXT NOT NULL,
        FOREIGN KEY (environment, name) REFERENCES records (environment, name));
INSERT INTO "events" VALUES(1,'prod-eu','soil',1,'{"at":"2026-03-01T12:00:00Z","kind":"note","subject":"soil","message":"one","data":{}}');
INSERT INTO "events" VALUES(2,'prod-eu','soil',1,'{"at":"2026-03-01T12:00:00Z","kind":"note","subject":"soil","message":"two","data":{}}');
INSERT INTO "events" VALUES(3,'prod-eu','valve',1,'{"at":"2026-03-01T12:00:00Z","kind":"note","subject":"valve","message":"three","data":{}}');
INSERT INTO "events" VALUES(4,'prod-eu','soil',2,'{"at":"2026-03-01T12:00:00Z","kind":"note","subject":"soil","message":"four","data":{}}');
CREATE TABLE identity (id TEXT NOT NULL, replaces TEXT NOT NULL);
INSERT INTO "identity" VALUES('eea3ebc026d24e5a','[]');
CREATE TABLE leases (
        environment TEXT PRIMARY KEY,
        fencing INTEGER NOT NULL CHECK (fencing > 0),
        held TEXT NOT NULL);
INSERT INTO "leases" VALUES('prod-eu',1,'{"lease":{"environment":"prod-eu","holder":"cron","host":"runner","pid":1,"expiresAt":"2026-03-01T12:00:00Z","fencing":1,"released":true,"tookOver":""},"process":{"host":"runner","pid":1,"place":"","started":"5246855"}}');
CREATE TABLE records (
        environment TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL CHECK (revision > 0),
        record TEXT NOT NULL,
        PRIMARY KEY (environment, name));
INSERT INTO "records" VALUES('prod-eu','soil',2,'{"environment":"prod-eu","name":"soil","backend":"","generation":"","manifest":"","source":"","manifestPath":"","version":"2.4.1","phase":"Pending","waves":[],"intents":[],"drift":[],"conditions":[],"requeueAt":null,"targetCount":0,"previousNames":[],"renamedTo":"","holds":[],"failure":null,"lastRun":null,"home":null,"declaration":""}');
INSERT INTO "records" VALUES('prod-eu','valve',1,'{"environment":"prod-eu","name":"valve","backend":"","generation":"","manifest":"","source":"","manifestPath":"","version":"","phase":"Pending","waves":[],"intents":[],"drift":[],"conditions":[],"requeueAt":null,"targetCount":0,"previousNames":[],"renamedTo":"","holds":[],"failure":null,"lastRun":null,"home":null,"declaration":""}');
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO "schema_version" VALUES(2);
CREATE INDEX events_of_a_rollout ON events (environment, name, sequence);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',4);
COMMIT;
