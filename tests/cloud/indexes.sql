-- What makes it all idempotent. Left out, the same data arrives as often as it is sent: the control of tests.
CREATE UNIQUE INDEX IF NOT EXISTS records_key ON records (key);
CREATE UNIQUE INDEX IF NOT EXISTS metrics_key ON metrics (key);
CREATE UNIQUE INDEX IF NOT EXISTS waveforms_key ON waveforms (key);
CREATE UNIQUE INDEX IF NOT EXISTS events_key ON events (key);
