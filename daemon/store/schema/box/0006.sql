-- readable_by: 4
-- Step 6. New firmware for devices: the newest job of each cloud ("" = a technician's own) for each device (daemon/devices/firmware.py).
-- file: name in the staging folder; size in bytes; sha256 in hex; state: daemon/store/firmware.py.
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
