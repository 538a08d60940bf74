-- Step 2 of box.db: what clouds wish for devices, and what has become of it. utc_ns is UTC in nanoseconds as the box knew it.

-- The newest wish of a cloud (origin: the destination's name) for a device; hash: of its content; faults: JSON, setting -> why
-- it is not by the contract.
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

-- Each setting of these wishes, once a cloud, device and name. value: JSON. Another value is another proposal: its number is
-- never used again, so that nobody agrees to what he has not seen. decided_by: who accepted or refused it.
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
CREATE INDEX proposals_by_device ON proposals (device);
