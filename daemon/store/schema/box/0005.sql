-- readable_by: 4
-- Step 5. How the box is set. level: "ward", "bed:KEY" or "person:ID" (daemon/model/settings.py); value: text, as set.
CREATE TABLE settings (
    level TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    command TEXT NOT NULL,
    PRIMARY KEY (level, name)
) STRICT;

-- The ward's own defaults of alarm limits: row and key of the alarm table; value: JSON, a number or true / false.
CREATE TABLE ward_limits (
    alarm TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    command TEXT NOT NULL,
    PRIMARY KEY (alarm, name)
) STRICT;

-- Reports of errors that were queued for the clouds, for the limits on how many: fingerprint of the report.
CREATE TABLE errors_sent (
    fingerprint TEXT NOT NULL,
    utc_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX errors_sent_at ON errors_sent (utc_ns);
