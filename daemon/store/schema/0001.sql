-- Step 1. Conventions of the whole file:
--   *_ns    nanoseconds of CLOCK_BOOTTIME; order is (boot, t_ns). UTC = t_ns + the boot's last offset.
--   place   segment * 2^40 + sample number: the key of everything that belongs to a sample. It sorts by segment and
--           sample, needs no second index, and has room for 2^23 segments of 34 years at 1 kHz each.
--   From the first chunk or gap of a segment to the last, a sample number is in exactly one chunk or in exactly one gap.
--   A segment that does not begin at 0 has its beginning in a file that was damaged and moved aside.

CREATE TABLE boots (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL UNIQUE,
    began_ns INTEGER NOT NULL
) STRICT;

-- Append-only: a clock that is set or steps adds a row, the last row of a boot explains all of it.
CREATE TABLE clock_offsets (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boots,
    t_ns INTEGER NOT NULL,
    utc_offset_ns INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('unset', 'set'))
) STRICT;
CREATE INDEX clock_offsets_by_boot ON clock_offsets (boot, id);

CREATE TABLE bedsides (
    id INTEGER PRIMARY KEY,
    bed TEXT NOT NULL UNIQUE
) STRICT;

-- The newest state of every device that was ever here; its changes of state are events.
CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL DEFAULT '',
    title TEXT NOT NULL DEFAULT '',
    firmware TEXT NOT NULL DEFAULT ''
) STRICT;

-- channels: JSON [{name, quantity, unit, gain, offset, low, high}]. Another channel set is another stream.
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    name TEXT NOT NULL,
    rate_hz REAL NOT NULL,
    channels TEXT NOT NULL,
    UNIQUE (device, name, rate_hz, channels)
) STRICT;

-- A recording session of a bed, from its first samples to the stop of the daemon (a crash: to the last row it wrote).
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    bed INTEGER NOT NULL REFERENCES bedsides,
    boot INTEGER NOT NULL REFERENCES boots,
    began_ns INTEGER NOT NULL,
    ended_ns INTEGER,
    ended_by TEXT CHECK (ended_by IN ('stop', 'crash'))
) STRICT;

-- chunk_n: samples of a whole chunk; chunks are cut at its multiples.
-- ended_ns: directly after its last sample or gap; NULL while it is open.
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    stream INTEGER NOT NULL REFERENCES streams,
    bed INTEGER NOT NULL REFERENCES bedsides,
    boot INTEGER NOT NULL REFERENCES boots,
    session INTEGER NOT NULL REFERENCES sessions,
    connection INTEGER NOT NULL,
    began_ns INTEGER NOT NULL,
    chunk_n INTEGER NOT NULL,
    ended_ns INTEGER,
    ended_by TEXT CHECK (ended_by IN ('reconnect', 'stop', 'crash'))
) STRICT;
CREATE INDEX segments_by_stream ON segments (boot, stream, began_ns);

-- n samples of every channel of the stream, coded by codec (daemon/store/codec.py). t0_ns, period_ns and error_ns are the
-- fit of the device's clock for these samples; arrived_ns is when the last of them was in hand. crc32 is that of the samples.
CREATE TABLE chunks (
    place INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    t0_ns INTEGER NOT NULL,
    period_ns REAL NOT NULL,
    error_ns REAL NOT NULL,
    arrived_ns INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Lowest and highest count of every channel in each of `bins` chunk lengths from place on (60 = a minute), coded like
-- samples: first the lows of all channels, then the highs. A bin without samples has low > high. t0_ns and period_ns are
-- the time of sample `place` and the sample period, by the fit of the first chunk in it.
CREATE TABLE envelopes (
    place INTEGER PRIMARY KEY,
    bins INTEGER NOT NULL,
    t0_ns INTEGER NOT NULL,
    period_ns REAL NOT NULL,
    crc32 INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Samples that are not here, and why. received = 1: they came, were shown and could not be kept (cause disk).
CREATE TABLE gaps (
    place INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    t0_ns INTEGER NOT NULL,
    t_ns INTEGER NOT NULL,
    cause TEXT NOT NULL,
    received INTEGER NOT NULL
) STRICT;

-- The rule, with its version, that said a finding ("qrs/1").
CREATE TABLE rules (
    id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL UNIQUE
) STRICT;

-- A heartbeat at the sample of its place; first and last are the evidence, samples of the same segment.
CREATE TABLE beats (
    place INTEGER PRIMARY KEY,
    t_ns INTEGER NOT NULL,
    due_ns INTEGER NOT NULL,
    label TEXT NOT NULL,
    rr_ms REAL,
    late INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    rule INTEGER NOT NULL REFERENCES rules
) STRICT;

-- What a number is: measured by us (device '') or given by a device.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    bed INTEGER NOT NULL REFERENCES bedsides,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    lead TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (bed, device, name, lead, unit)
) STRICT;

-- value NULL: absent, and why says the reason. segment, first and last are the evidence.
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boots,
    t_ns INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES series,
    value REAL,
    why TEXT,
    quality REAL NOT NULL,
    segment INTEGER,
    first INTEGER,
    last INTEGER,
    rule INTEGER REFERENCES rules
) STRICT;
CREATE INDEX metrics_by_time ON metrics (boot, t_ns);

-- Everything that changes now and then. kind: leads, quality, device, fact, command; body: JSON, see docs/store.md.
-- bed NULL: the whole box.
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boots,
    t_ns INTEGER NOT NULL,
    bed INTEGER REFERENCES bedsides,
    kind TEXT NOT NULL,
    segment INTEGER,
    first INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_time ON events (boot, t_ns);
