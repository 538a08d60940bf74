-- Step 2. Alarms: their log is events of kind alarm, append-only. Beside it the newest state of every bed's alarms, so that a
-- daemon that starts again goes on where the last one stood: limits, the patient's own limits (daemon/alarms/limits.py);
-- state, as daemon/alarms/resume.py makes it, as of t_ns. Both are JSON.
CREATE TABLE alarm_states (
    bed INTEGER PRIMARY KEY REFERENCES bedsides,
    boot INTEGER NOT NULL REFERENCES boots,
    t_ns INTEGER NOT NULL,
    limits TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT;

CREATE INDEX alarms_by_time ON events (boot, t_ns) WHERE kind = 'alarm';
