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
INSERT INTO "audit" VALUES(6,'e026df6a-ee4c-428b-bfe8-75c6d36855e4',1790000000000000000,'set','console (root)','person_added','','01a0c450-6c00-7af8-9f64-0db162101638','{"by":{"origin":"console (root)","role":"console"},"full_name":"Ada Admin","role":"admin"}','25487c7a46fbd00b14275a9b50a2d798be81713ac6e25d8ebead597cf55ed9b4');
INSERT INTO "audit" VALUES(7,'68e584e1-4526-4612-abad-4d3840ab1d1c',1790000000000000000,'set','console (root)','person_added','','01a0c450-6c00-7072-a5d9-1f0913bcb5b1','{"by":{"origin":"console (root)","role":"console"},"full_name":"Nora Nurse","role":"nurse"}','1c677775e24d96128aadc81d96e7ce2fe169ec713b45ce91aa89fb96dbc1ec5e');
INSERT INTO "audit" VALUES(8,'01a0c450-6c00-712a-969c-56808ab7d0a3',1790000000000000000,'set','Nora Nurse','sign_in','','01a0c450-6c00-7072-a5d9-1f0913bcb5b1','{"by":{"origin":"127.0.0.1","person":"01a0c450-6c00-7072-a5d9-1f0913bcb5b1","role":"nurse"},"full_name":"Nora Nurse","with":"password"}','3b473e7ab0d5629d9fce91dd5b1d46ef55f4381276416b38fb2e5b0bc7533a13');
CREATE TABLE enrolments (
    person TEXT NOT NULL REFERENCES people,
    screen TEXT NOT NULL,
    boot TEXT NOT NULL,
    began_ns INTEGER NOT NULL,
    PRIMARY KEY (person, screen)
) STRICT;
INSERT INTO "enrolments" VALUES('01a0c450-6c00-7072-a5d9-1f0913bcb5b1','a9505d6172ea2ddccdfe54a9e0b572e35638ce2206133e310c8b05b16bc13356','boot-1',1000000000000);
CREATE TABLE errors_sent (
    fingerprint TEXT NOT NULL,
    utc_ns INTEGER NOT NULL
) STRICT;
INSERT INTO "errors_sent" VALUES('f-1',1790000000000000000);
CREATE TABLE firmware_jobs (
    origin TEXT NOT NULL,
    device TEXT NOT NULL,
    job TEXT NOT NULL,
    version TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    since_utc_ns INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    PRIMARY KEY (origin, device)
) STRICT;
INSERT INTO "firmware_jobs" VALUES('ward','VLP-1','job-1','2.0','f.bin',3,'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd','offered','',1790000000000000000,'');
CREATE TABLE homes (
    device TEXT PRIMARY KEY,
    bed TEXT NOT NULL,
    since_utc_ns INTEGER NOT NULL,
    command TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO "homes" VALUES('CPAP-1','1',1735689600000000000,'act-4');
CREATE TABLE ownership (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'owned', 'over')),
    claimed_utc_ns INTEGER NOT NULL,
    claimed_by TEXT NOT NULL,
    proof TEXT NOT NULL DEFAULT '' CHECK (proof IN ('', 'device', 'person')),
    confirmed_utc_ns INTEGER,
    confirmed_by TEXT NOT NULL DEFAULT '',
    ended TEXT NOT NULL DEFAULT '' CHECK (ended IN ('', 'released', 'transferred', 'withdrawn', 'replaced')),
    ended_utc_ns INTEGER,
    ended_by TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO "ownership" VALUES(1,'CPAP-1','Nora Nurse','owned',1790000000000000000,'Nora Nurse','device',1790000000000000001,'Nora Nurse','',NULL,'');
INSERT INTO "ownership" VALUES(2,'OXY-1','Nora Nurse','claimed',1790000000000000000,'Nora Nurse','',NULL,'','',NULL,'');
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
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    full_name TEXT NOT NULL,
    age INTEGER,
    age_on TEXT,
    gender TEXT NOT NULL,
    address TEXT NOT NULL,
    phone TEXT NOT NULL,
    machine_serial_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'nurse', 'clinician', 'technician', 'admin')),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    locked INTEGER NOT NULL CHECK (locked IN (0, 1)),
    must_change INTEGER NOT NULL CHECK (must_change IN (0, 1)),
    password TEXT NOT NULL,
    pin TEXT NOT NULL,
    registered_utc_ns INTEGER NOT NULL
) STRICT;
INSERT INTO "people" VALUES('01a0c450-6c00-7af8-9f64-0db162101638','Ada Admin',NULL,NULL,'','','','BOX-7','admin',1,0,0,'$argon2id$v=19$m=64,t=1,p=1$XoImMpShv1s3rFJXhXHR0Q$J/n4DtJOQ4weQAZ6VHc/beQN5BCnBE7xD0Gp97vxSCg','',1790000000000000000);
INSERT INTO "people" VALUES('01a0c450-6c00-7072-a5d9-1f0913bcb5b1','Nora Nurse',NULL,NULL,'','','','','nurse',1,0,0,'$argon2id$v=19$m=64,t=1,p=1$ajm+rnAjziFAvK5mE4iiKA$21qCgjIBhAR8nFHjgD1DEd/Q/wxdv8jt3aye48g2TVU','$argon2id$v=19$m=64,t=1,p=1$GALyxfn43JYRKBZi2pG/DQ$S705lqthT35tWuhUqwLaktKEgRv0YLvGHbw/wDH/HD8',1790000000000000000);
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
CREATE TABLE readable (at_step INTEGER NOT NULL, by_step INTEGER NOT NULL) STRICT;
INSERT INTO "readable" VALUES(6,4);
CREATE TABLE settings (
    level TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    command TEXT NOT NULL,
    PRIMARY KEY (level, name)
) STRICT;
INSERT INTO "settings" VALUES('ward','language','de','act-6');
CREATE TABLE sign_ins (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people,
    screen TEXT NOT NULL,
    boot TEXT NOT NULL,
    began_ns INTEGER NOT NULL
) STRICT;
INSERT INTO "sign_ins" VALUES('d697eaeda04288297775a02e510ecd688a3fcbc425c75cb05782ad25835687c1','01a0c450-6c00-7072-a5d9-1f0913bcb5b1','a9505d6172ea2ddccdfe54a9e0b572e35638ce2206133e310c8b05b16bc13356','boot-1',1000000000000);
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
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    made_utc_ns INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    expires_utc_ns INTEGER,
    used_utc_ns INTEGER,
    revoked_utc_ns INTEGER,
    revoked_by TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO "tokens" VALUES('t-1','ward display','abababababababababababababababababababababababababababababababab','["vitals:read"]',1790000000000000000,'Ada Admin',NULL,NULL,NULL,'');
CREATE TABLE ward_limits (
    alarm TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    command TEXT NOT NULL,
    PRIMARY KEY (alarm, name)
) STRICT;
INSERT INTO "ward_limits" VALUES('hr_high','above','130','act-7');
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
CREATE UNIQUE INDEX ownership_claimed ON ownership (device) WHERE state = 'claimed';
CREATE UNIQUE INDEX ownership_owned ON ownership (device) WHERE state = 'owned';
CREATE INDEX errors_sent_at ON errors_sent (utc_ns);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('proposals',1);
COMMIT;
