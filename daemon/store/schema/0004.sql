-- readable_by: 3
-- Step 4. Reports, and what became of them on their way out. The files lie in the folder beside this one; a row is one file.

-- uuid: the report's id; session: its name. state: as made, confirmed by a clinician, or a confirmed one made anew. A report that
-- is confirmed or amended is a new row and a new file: amends names the one in whose place it is, and both stay.
-- about_utc_ns: where what it shows begins. patient: JSON as the session has it. options: JSON, what it was made with, enough to
-- make it again. made: JSON, the statements of the box with their criteria; edited: JSON, the lines that a clinician left (NULL: as
-- made). gone_utc_ns: when its file was given up.
CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    bed INTEGER NOT NULL REFERENCES bedsides,
    kind TEXT NOT NULL CHECK (kind IN ('ecg', 'session', 'night', 'oxygen')),
    state TEXT NOT NULL CHECK (state IN ('preliminary', 'confirmed', 'amended')),
    made_utc_ns INTEGER NOT NULL,
    about_utc_ns INTEGER NOT NULL,
    actor TEXT NOT NULL,
    automatic INTEGER NOT NULL CHECK (automatic IN (0, 1)),
    patient TEXT,
    file TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    pages INTEGER NOT NULL,
    samples_sha256 TEXT NOT NULL,
    options TEXT NOT NULL,
    made TEXT NOT NULL,
    edited TEXT,
    confirmed_by TEXT NOT NULL,
    confirmed_utc_ns INTEGER,
    amends TEXT UNIQUE REFERENCES reports (uuid),
    gone_utc_ns INTEGER
) STRICT;
CREATE INDEX reports_by_time ON reports (made_utc_ns, id);
CREATE INDEX reports_by_session ON reports (session, kind);

-- The newest that is known of sending a report's file to a destination (its name in the configuration). remote: its id or address
-- there, never with a secret in it; tries: how often it was sent.
CREATE TABLE uploads (
    report INTEGER NOT NULL REFERENCES reports,
    destination TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('done', 'waiting', 'refused')),
    utc_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    remote TEXT NOT NULL,
    tries INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (report, destination)
) STRICT, WITHOUT ROWID;
