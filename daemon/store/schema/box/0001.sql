-- Step 1 of box.db: patients, where they lay, and who did what. utc_ns is UTC in nanoseconds as the box knew it then.

-- age is what was said where no birth date is known, with the day on which it was said; dates are YYYY-MM-DD.
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

-- A patient's time at a bed; the acts are the commands that began and ended it (their rows are in vitald.db).
CREATE TABLE stays (
    id INTEGER PRIMARY KEY,
    bed TEXT NOT NULL,
    patient TEXT NOT NULL REFERENCES patients,
    admitted_utc_ns INTEGER NOT NULL,
    admitted_by TEXT NOT NULL UNIQUE,
    discharged_utc_ns INTEGER,
    discharged_by TEXT UNIQUE
) STRICT;
CREATE UNIQUE INDEX stays_now ON stays (bed) WHERE discharged_by IS NULL;
CREATE UNIQUE INDEX stays_of_now ON stays (patient) WHERE discharged_by IS NULL;
CREATE INDEX stays_by_patient ON stays (patient);

-- Who did what, for ever: a row's hash is over the row and the hash before it (daemon/audit.py), so that a row that was
-- changed or taken away shows. act: a verb; subject: whom or what it was done to; body: JSON; command: the act's id.
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
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit is never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit is never deleted'); END;
