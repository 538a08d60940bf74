BEGIN TRANSACTION;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL UNIQUE,
    utc_ns INTEGER NOT NULL,
    clock TEXT NOT NULL CHECK (clock IN ('unset', 'set')),
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    bed TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO "audit" VALUES(1,'act-1',1735689601000000000,'set','nurse','admit','1','p-1','{"full_name":"John Doe"}','a48fd010b3c7edd9b0f1ee0b1a5ee0cc156c338a0bc623c6874a33f635a6dd1c');
INSERT INTO "audit" VALUES(2,'act-2',1735689602000000000,'set','nurse','discharge','1','p-1','{}','2d43c7148c1516e555c84970a44af64eb25eaacea7a4851e10793d157b8d5b2e');
INSERT INTO "audit" VALUES(3,'act-3',1735689603000000000,'set','','admit','1','p-2','{"full_name":"Jane Roe"}','db3600d366096cc483b1c586961231a19ae77ca71df37bdda3437841491aae92');
INSERT INTO "audit" VALUES(4,'act-4',1735689604000000000,'set','bedside screen','assign_device','1','CPAP-1','{"to":"1"}','5e0e9a602c70a6e2b665e4f9da9e84a3b0a3e07f329db2a588c3225e6d1e274c');
INSERT INTO "audit" VALUES(5,'act-5',1735689605000000000,'set','cloud ward','wish','1','CPAP-1','{"version":3}','0f70d175a14fe79ba323653a5b161d431bca8dddb5273713d8c68a7b1a3928a0');
CREATE TABLE homes (
    device TEXT PRIMARY KEY,
    bed TEXT NOT NULL,
    since_utc_ns INTEGER NOT NULL,
    command TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO "homes" VALUES('CPAP-1','1',1735689600000000000,'act-4');
CREATE TABLE patients (
    id TEXT PRIMARY KEY,
    full_name TEXT NOT NULL,
    birth_date TEXT,
    age INTEGER,
    age_on TEXT,
    gender TEXT,
    address TEXT,
    phone TEXT,
    registration_date TEXT NOT NULL
) STRICT;
INSERT INTO "patients" VALUES('p-1','John Doe','1970-01-31',NULL,NULL,'Male','1 Main St','+1','2025-01-01');
INSERT INTO "patients" VALUES('p-2','Jane Roe',NULL,45,'2025-01-01','Female','','','2025-01-01');
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    origin TEXT NOT NULL,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('staged', 'proposed', 'accepted', 'applied', 'refused', 'rejected')),
    reason TEXT NOT NULL DEFAULT '',
    wished_utc_ns INTEGER NOT NULL,
    decided_utc_ns INTEGER,
    decided_by TEXT NOT NULL DEFAULT '',
    UNIQUE (origin, device, name)
) STRICT;
INSERT INTO "proposals" VALUES(1,'ward','CPAP-1','target_pressure_cm_h2o','12','proposed','',1735689600000000000,NULL,'');
CREATE TABLE stays (
    id INTEGER PRIMARY KEY,
    bed TEXT NOT NULL,
    patient TEXT NOT NULL REFERENCES patients,
    admitted_utc_ns INTEGER NOT NULL,
    admitted_by TEXT NOT NULL UNIQUE,
    discharged_utc_ns INTEGER,
    discharged_by TEXT UNIQUE
) STRICT;
INSERT INTO "stays" VALUES(1,'1','p-1',1735689600000000000,'act-1',1735689601000000000,'act-2');
INSERT INTO "stays" VALUES(2,'1','p-2',1735689602000000000,'act-3',NULL,NULL);
CREATE TABLE wishes (
    origin TEXT NOT NULL,
    device TEXT NOT NULL,
    service TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    heard_utc_ns INTEGER NOT NULL,
    faults TEXT NOT NULL,
    PRIMARY KEY (origin, device)
) STRICT;
INSERT INTO "wishes" VALUES('ward','CPAP-1','cpap',3,'abc',1735689600000000000,'{}');
CREATE UNIQUE INDEX stays_now ON stays (bed) WHERE discharged_by IS NULL;
CREATE UNIQUE INDEX stays_of_now ON stays (patient) WHERE discharged_by IS NULL;
CREATE INDEX stays_by_patient ON stays (patient);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit is never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit is never deleted'); END;
CREATE INDEX proposals_by_device ON proposals (device);
COMMIT;
