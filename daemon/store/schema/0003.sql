-- Step 3. Sessions as people and clouds know them, and the messages for the clouds.

-- What was called a session is a run: a bed's recording by one process, from its first samples to the stop of the daemon (a
-- crash: to the last row it wrote).
ALTER TABLE sessions RENAME TO runs;
ALTER TABLE segments RENAME COLUMN session TO run;

-- Names this file. A message's key is made of it and of its seq, the same for ever.
CREATE TABLE identity (uuid TEXT NOT NULL) STRICT;
INSERT INTO identity SELECT lower(printf('%s-%s-4%s-%s%s-%s', hex(randomblob(4)), hex(randomblob(2)), substr(hex(randomblob(2)), 2),
    substr('89ab', 1 + (abs(random()) % 4), 1), substr(hex(randomblob(2)), 2), hex(randomblob(6))));

-- Who is at a bed: JSON (daemon/patients.py, Patient.told). A copy of what box.db knows, for the sessions that begin here;
-- command: the act that it came with. patient NULL: nobody is admitted.
CREATE TABLE occupants (
    bed INTEGER PRIMARY KEY REFERENCES bedsides,
    patient TEXT,
    command TEXT NOT NULL
) STRICT;

-- A stretch of a bed's recording that has a name (session_20250108_123456: UTC at its beginning, or the next second that is
-- free) and one patient or none. Recording goes on whatever its sessions do: samples, numbers and events belong to the session
-- of their bed and time. began_by: samples, or a person's act; actor names who it was. stream is what streamed when it began.
-- summary: JSON as in box.session_end/1.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL UNIQUE,
    bed INTEGER NOT NULL REFERENCES bedsides,
    boot INTEGER NOT NULL REFERENCES boots,
    began_ns INTEGER NOT NULL,
    began_by TEXT NOT NULL CHECK (began_by IN ('samples', 'person')),
    actor TEXT NOT NULL,
    patient TEXT,
    stream INTEGER REFERENCES streams,
    ended_ns INTEGER,
    ended_by TEXT CHECK (ended_by IN ('person', 'discharge', 'stop', 'crash')),
    summary TEXT
) STRICT;
CREATE INDEX sessions_by_bed ON sessions (bed, boot, began_ns);

-- Runs of before: one session each, without messages (nobody was told of them).
INSERT INTO sessions (name, uuid, bed, boot, began_ns, began_by, actor, ended_ns, ended_by)
SELECT name || CASE WHEN nth > 1 THEN '_' || nth ELSE '' END, uuid, bed, boot, began_ns, 'samples', '', ended_ns, ended_by FROM (
    SELECT *, row_number() OVER (PARTITION BY name ORDER BY id) AS nth FROM (
        SELECT runs.*, strftime('session_%Y%m%d_%H%M%S', (began_ns + coalesce((SELECT utc_offset_ns FROM clock_offsets o
            WHERE o.boot = runs.boot ORDER BY o.id DESC LIMIT 1), 0)) / 1000000000, 'unixepoch') AS name,
            lower(printf('%s-%s-4%s-%s%s-%s', hex(randomblob(4)), hex(randomblob(2)), substr(hex(randomblob(2)), 2),
            substr('89ab', 1 + (abs(random()) % 4), 1), substr(hex(randomblob(2)), 2), hex(randomblob(6)))) AS uuid
        FROM runs)) ORDER BY id;

-- What leaves the house, in the order in which it was said; seq is never used twice: the newest row is
-- never deleted. lane: daemon/model/outgoing.py; message:
-- its contract ("ecg.metrics/1"); device: a serial number, '' = the box; session: its name, '' = none; place: the chunk of a
-- waveform; body: that of every other message, JSON.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    message TEXT NOT NULL,
    boot INTEGER NOT NULL REFERENCES boots,
    t_ns INTEGER NOT NULL,
    device TEXT NOT NULL,
    session TEXT NOT NULL,
    place INTEGER,
    body TEXT
) STRICT;
-- Lanes 2 and 3 (numbers, samples) are nearly all of it and found in the table itself: an index of theirs costs 7 kB/s of writing.
CREATE INDEX outbox_by_lane ON outbox (lane, seq) WHERE lane NOT IN (2, 3);

-- Samples of before are sent too.
INSERT INTO outbox (lane, message, boot, t_ns, device, session, place)
SELECT 3, streams.name || '.waveform/1', g.boot, c.t0_ns, d.device, coalesce((SELECT s.name FROM sessions s WHERE s.bed = g.bed
    AND s.boot = g.boot AND s.began_ns <= c.t0_ns ORDER BY s.began_ns DESC LIMIT 1), ''), c.place
FROM chunks c JOIN segments g ON g.id = c.place >> 40 JOIN streams ON streams.id = g.stream JOIN devices d ON d.id = streams.device
ORDER BY g.boot, c.t0_ns;

-- What every receiver has: all messages of a lane up to seq, as the forwarder says.
CREATE TABLE confirmed (
    lane INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;

-- Bytes of what may be given up when room is short, by class (daemon/store/retention.py); written once a minute, so that a crash
-- makes it wrong by a minute's.
CREATE TABLE usage (
    class TEXT NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO usage VALUES
    ('waveform', (SELECT coalesce(sum(length(data) + 90), 0) FROM chunks) + (SELECT coalesce(sum(length(data) + 60), 0) FROM envelopes)),
    ('numbers', (SELECT count(*) * 90 FROM metrics));

-- How far a damaged file that was moved aside has been read (daemon/store/salvage.py): the last key of each of its tables.
CREATE TABLE salvaged (
    file TEXT NOT NULL,
    part TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (file, part)
) STRICT, WITHOUT ROWID;
