-- Step 4. Who may sign in, and who has. utc_ns is UTC in nanoseconds as the box knew it; began_ns is CLOCK_BOOTTIME of that boot.

-- password and pin are argon2id's own text (or bcrypt's, imported and not used since), '' = none. age is what was said on age_on.
-- locked: too many wrong passwords, an administrator unlocks. must_change: somebody else has chosen the password.
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

-- Who is signed in: digest is the SHA-256 of what the browser holds. Those of another boot are over.
CREATE TABLE sign_ins (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people,
    screen TEXT NOT NULL,
    boot TEXT NOT NULL,
    began_ns INTEGER NOT NULL
) STRICT;

-- Where a person may enter a PIN: at a screen (the SHA-256 of what it holds) where that person gave the password.
CREATE TABLE enrolments (
    person TEXT NOT NULL REFERENCES people,
    screen TEXT NOT NULL,
    boot TEXT NOT NULL,
    began_ns INTEGER NOT NULL,
    PRIMARY KEY (person, screen)
) STRICT;

-- Machines that may ask the box (docs/api.md): digest is the SHA-256 of a token, which is shown once and kept nowhere. scopes:
-- JSON, sorted words of daemon/model/scopes.py. expires_utc_ns NULL: never. made_by, revoked_by: who did it.
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

-- Whose a device is, one row a claim, never deleted. claimed: waits for a confirmation; owned; over: ended says how. proof: what
-- confirmed it, the device that answered under its serial number here, or a person at a screen.
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
CREATE UNIQUE INDEX ownership_claimed ON ownership (device) WHERE state = 'claimed';
CREATE UNIQUE INDEX ownership_owned ON ownership (device) WHERE state = 'owned';
