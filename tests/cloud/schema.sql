-- The reference cloud's tables: the seeds' (users, sessions, metrics, waveforms, reports) with what they lack, and ours.
-- Everything that is taken has a `key`: storing it twice is storing it once (indexes.sql).

CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY,
    full_name TEXT NOT NULL,
    age INT,
    gender TEXT,
    phone TEXT,
    address TEXT,
    device_serial TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_login TIMESTAMPTZ
);

-- Requests that were carried out, by their Idempotency-Key: the same one again is answered from here.
CREATE TABLE IF NOT EXISTS requests (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    reply JSONB NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);

-- session_uuid: the box's; unknown for a client of the plan alone. start_time NULL: data came before the session's start.
CREATE TABLE IF NOT EXISTS sessions (
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    session_uuid TEXT,
    named TEXT,  -- the client's own id, where ours is another
    device_serial TEXT NOT NULL DEFAULT '',
    start_time TIMESTAMPTZ,
    end_time TIMESTAMPTZ,
    duration_seconds DOUBLE PRECISION,
    average_heart_rate DOUBLE PRECISION,
    patient JSONB,
    summary JSONB,
    PRIMARY KEY (user_id, session_id)
);

-- Every canonical envelope as it came, but the samples of waveforms. source: rest, mqtt, file.
CREATE TABLE IF NOT EXISTS records (
    arrival BIGSERIAL PRIMARY KEY,
    key TEXT NOT NULL,
    seq BIGINT NOT NULL,
    schema TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    session TEXT NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL,
    clock TEXT NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL,
    body JSON NOT NULL,  -- not JSONB: numbers stay as they were written
    source TEXT NOT NULL,
    arrived_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Numbers of every service; `metrics` as it came, the ECG's in columns as the plan has them.
CREATE TABLE IF NOT EXISTS metrics (
    metric_id BIGSERIAL PRIMARY KEY,
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    session_id TEXT NOT NULL,
    "timestamp" TIMESTAMPTZ NOT NULL,
    heart_rate DOUBLE PRECISION,
    pr_interval DOUBLE PRECISION,
    qrs_duration DOUBLE PRECISION,
    qrs_axis DOUBLE PRECISION,
    st_segment DOUBLE PRECISION,
    qt_interval DOUBLE PRECISION,
    qtc_interval DOUBLE PRECISION,
    hrv DOUBLE PRECISION,
    rr_interval DOUBLE PRECISION,
    sampling_rate DOUBLE PRECISION,
    metrics JSONB NOT NULL
);
CREATE INDEX IF NOT EXISTS metrics_by_session ON metrics (user_id, session_id, "timestamp");

-- Samples: counts (channel by channel, with the gains that make them mV) where the box said enough, else millivolts.
CREATE TABLE IF NOT EXISTS waveforms (
    waveform_id BIGSERIAL PRIMARY KEY,
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    session_id TEXT NOT NULL,
    "timestamp" TIMESTAMPTZ NOT NULL,
    sampling_rate DOUBLE PRECISION NOT NULL,
    segment TEXT,
    first BIGINT,
    n INT NOT NULL,
    channels JSONB NOT NULL,
    counts INT[],
    millivolts DOUBLE PRECISION[]
);
CREATE INDEX IF NOT EXISTS waveforms_by_session ON waveforms (user_id, session_id, "timestamp");

-- Arrhythmias, alarms, events, facts, losses, errors.
CREATE TABLE IF NOT EXISTS events (
    event_id BIGSERIAL PRIMARY KEY,
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    type TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    session_id TEXT NOT NULL,
    "timestamp" TIMESTAMPTZ NOT NULL,
    body JSONB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events ("timestamp");

CREATE TABLE IF NOT EXISTS reports (
    report_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    session_id TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT,
    size_bytes BIGINT,
    file BYTEA,  -- NULL: it is where destinations keep files
    metadata JSONB NOT NULL
);

-- The orchestrator's registry, and what is desired of devices.
CREATE TABLE IF NOT EXISTS devices (
    serial TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    backend TEXT NOT NULL,
    url TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS prefixes (
    prefix TEXT PRIMARY KEY,
    backend TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS configs (
    serial TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    version INT NOT NULL,
    desired JSON NOT NULL,
    reported JSON,
    reported_version INT
);
INSERT INTO prefixes VALUES ('ECG-', 'ecg'), ('CPAP-', 'cpap'), ('OXY-', 'oxygen') ON CONFLICT DO NOTHING;
