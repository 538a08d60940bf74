-- Step 1. forward.db: what every destination has, is being sent and refuses. The forwarder alone writes it. Conventions:
--   seq     a record of the outbox of the store named in `store`; seqs of another store mean nothing
--   lane    daemon/model/outgoing.py; *_ms: UTC in milliseconds, by the box's clock, for people

CREATE TABLE store (
    uuid TEXT NOT NULL
) STRICT;

-- standing: JSON, daemon/forward/delivery.py Standing.
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    standing TEXT NOT NULL DEFAULT '{}',
    error TEXT NOT NULL DEFAULT '',
    error_ms INTEGER NOT NULL DEFAULT 0,
    success_ms INTEGER NOT NULL DEFAULT 0,
    failing_since_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a lane came to so far.
CREATE TABLE sums (
    destination INTEGER NOT NULL REFERENCES destinations,
    lane INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, lane)
) STRICT, WITHOUT ROWID;

-- Seqs first .. last of a lane are done with at a destination. Spans neither touch nor overlap.
CREATE TABLE done (
    destination INTEGER NOT NULL REFERENCES destinations,
    lane INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (destination, lane, first)
) STRICT, WITHOUT ROWID;

-- A request, sealed before its first try: the same bytes under the same key until it is done or halved. members: JSON [seq].
-- The bytes are kept, not their hash: a clock that is set, an update or a full disk would change what is sealed anew.
-- No index: there are never more than a few, and each index is one more page to write for every request.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    destination INTEGER NOT NULL REFERENCES destinations,
    lane INTEGER NOT NULL,
    live INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    members TEXT NOT NULL,
    path TEXT NOT NULL,
    media TEXT NOT NULL,
    coding TEXT NOT NULL,
    file TEXT NOT NULL,
    data BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Single records that a destination refuses. They stay in the store; `reply` is for a person, times: how often it was refused.
CREATE TABLE quarantine (
    destination INTEGER NOT NULL REFERENCES destinations,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message TEXT NOT NULL,
    device TEXT NOT NULL,
    session TEXT NOT NULL,
    utc_ms INTEGER NOT NULL,
    reply TEXT NOT NULL,
    refused_ms INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    retried INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;

-- The registry of serial numbers as it was last pulled.
CREATE TABLE registry (
    url TEXT PRIMARY KEY,
    etag TEXT NOT NULL,
    document TEXT NOT NULL,
    pulled_ms INTEGER NOT NULL
) STRICT;
