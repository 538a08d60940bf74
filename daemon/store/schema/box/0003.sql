-- Step 3. Which bed a device belongs to, where a person has said so: device is its serial number, or the label of its port.
CREATE TABLE homes (
    device TEXT PRIMARY KEY,
    bed TEXT NOT NULL,
    since_utc_ns INTEGER NOT NULL,
    command TEXT NOT NULL UNIQUE
) STRICT;
