-- Everything streamspike remembers. Times are UTC epoch seconds, surprise is in nats, intervals are half-open.
-- Version 10. A change gets a new version and a migration in database.py.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE cameras (
    id              TEXT PRIMARY KEY,
    state           TEXT,              -- core.CameraState, NULL before the first report
    state_reason    TEXT NOT NULL DEFAULT '',
    state_at        REAL,
    last_sequence   INTEGER NOT NULL DEFAULT 0,  -- of the messages about events of this camera; never goes back
    threshold_state TEXT,              -- JSON of belief.calibrate.Calibrator.export
    commanded       TEXT,              -- JSON of what was commanded while running and outlives a restart
    scorer_state    TEXT,              -- JSON of belief.scorers.RatedScorer.export, NULL when it is no such scorer
    fallback_state  TEXT,              -- JSON of pipeline.fallback.Fallback.export
    refine          INTEGER NOT NULL DEFAULT 1 CHECK (refine IN (0, 1))  -- 0: no model may learn from its footage
) STRICT;

-- A slice of the stream. (epoch, number) start again from 0 with the process, hence the time in the key.
CREATE TABLE segments (
    id            INTEGER PRIMARY KEY,
    camera_id     TEXT NOT NULL REFERENCES cameras (id),
    started_at    REAL NOT NULL,
    epoch         INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    start_seconds REAL NOT NULL,       -- [start, end) of stream time within the epoch
    end_seconds   REAL NOT NULL,
    motion        REAL NOT NULL,
    UNIQUE (camera_id, started_at, epoch, number)
) STRICT;
CREATE INDEX segments_by_time ON segments (started_at);

-- What one model believed about a segment. Another model may score the same segment later.
CREATE TABLE observations (
    segment_id     INTEGER NOT NULL REFERENCES segments (id) ON DELETE CASCADE,
    model          TEXT NOT NULL,
    surprise_nats  REAL NOT NULL,
    jensen_shannon REAL NOT NULL,
    caption        TEXT NOT NULL,
    summary        TEXT NOT NULL,
    beliefs        TEXT NOT NULL,      -- JSON: [{"text": ..., "prior": ..., "posterior": ...}, ...]
    stage_seconds  TEXT NOT NULL,      -- JSON: {"vision": ..., ...}
    p_value        REAL NOT NULL DEFAULT 1,  -- of the surprise among the camera's recent ones
    threshold_nats REAL NOT NULL DEFAULT 0,  -- what it was compared with
    kind           TEXT NOT NULL DEFAULT 'surprise',  -- core.EventKind
    change_nats    REAL NOT NULL DEFAULT 0,  -- part of surprise_nats
    unrest_nats    REAL NOT NULL DEFAULT 0,  -- surprise_nats, what lasts of earlier ones, and how much moves
    PRIMARY KEY (segment_id, model)
) STRICT, WITHOUT ROWID;

-- Every revision of every event; never deleted.
CREATE TABLE events (
    id             TEXT NOT NULL,
    revision       INTEGER NOT NULL,
    camera_id      TEXT NOT NULL REFERENCES cameras (id),
    sequence       INTEGER NOT NULL,   -- of the message, per camera, from 1 without gaps
    phase          TEXT NOT NULL CHECK (phase IN ('start', 'update', 'end')),
    epoch          INTEGER NOT NULL,
    onset_at       REAL NOT NULL,
    peak_at        REAL NOT NULL,
    end_at         REAL,
    onset_index    INTEGER NOT NULL,
    peak_index     INTEGER NOT NULL,
    surprise_nats  REAL NOT NULL,
    threshold_nats REAL NOT NULL,
    expected       TEXT NOT NULL,      -- JSON: [[text, prior], ...], most likely first
    believed       TEXT NOT NULL,      -- JSON: [[text, posterior], ...], most likely first
    saw            TEXT NOT NULL,
    model          TEXT NOT NULL,
    p_value        REAL NOT NULL DEFAULT 1,
    kind           TEXT NOT NULL DEFAULT 'surprise',  -- core.EventKind
    change_nats    REAL NOT NULL DEFAULT 0,  -- part of surprise_nats
    PRIMARY KEY (id, revision),
    UNIQUE (camera_id, sequence)
) STRICT;
CREATE INDEX events_by_time ON events (onset_at);

-- Frames chosen for the user: those of an event, and those chosen all the time under a budget.
CREATE TABLE keyframes (
    id        INTEGER PRIMARY KEY,
    camera_id TEXT NOT NULL REFERENCES cameras (id),
    event_id  TEXT NOT NULL,           -- '' when it was chosen under the budget and not for an event
    number    INTEGER NOT NULL,        -- core.Keyframe.index
    taken_at  REAL NOT NULL,
    width_px  INTEGER NOT NULL,
    height_px INTEGER NOT NULL,
    jpeg      BLOB NOT NULL,
    surprise_nats REAL,                -- of its segment; NULL when it was not chosen by it, or before version 7
    saw       TEXT NOT NULL DEFAULT '',  -- the caption of its segment
    UNIQUE (camera_id, event_id, number)
) STRICT;
CREATE INDEX keyframes_by_time ON keyframes (camera_id, taken_at);
CREATE INDEX keyframes_by_event ON keyframes (event_id);

-- Video files around events, one per event at most, and of ordinary footage; the files lie in clips.folder.
CREATE TABLE clips (
    event_id   TEXT PRIMARY KEY,       -- ordinary footage has an id of its own, which no event has
    camera_id  TEXT NOT NULL REFERENCES cameras (id),
    file_name  TEXT NOT NULL,
    started_at REAL NOT NULL,          -- UTC of its first frame, time 0 in the file
    seconds    REAL NOT NULL,
    bytes      INTEGER NOT NULL,
    codec      TEXT NOT NULL,          -- FFmpeg's name: h264, hevc, ...
    kind       TEXT NOT NULL DEFAULT 'event' CHECK (kind IN ('event', 'ordinary'))
) STRICT;
CREATE INDEX clips_by_time ON clips (started_at);

-- What people said of events; the last verdict counts.
CREATE TABLE feedback (
    event_id  TEXT PRIMARY KEY,
    camera_id TEXT NOT NULL REFERENCES cameras (id),
    verdict   INTEGER NOT NULL CHECK (verdict IN (-1, 1)),  -- not useful, useful
    heeded    INTEGER NOT NULL DEFAULT 0,  -- the verdict that has moved the camera's threshold
    given_at  REAL NOT NULL
) STRICT;

-- Messages that must reach the broker at least once, in the order of id.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    camera_id    TEXT NOT NULL REFERENCES cameras (id),
    sequence     INTEGER NOT NULL,
    topic        TEXT NOT NULL,
    payload      TEXT NOT NULL,
    qos          INTEGER NOT NULL CHECK (qos IN (1, 2)),
    retain       INTEGER NOT NULL CHECK (retain IN (0, 1)),
    queued_at    REAL NOT NULL,
    published_at REAL                  -- when the broker acknowledged it
) STRICT;
CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;

-- LoRA adapters: where each came from, and what the gate said of it; their files lie in refine.folder.
CREATE TABLE adapters (
    name          TEXT PRIMARY KEY,
    base          TEXT NOT NULL,       -- name and version of the model it belongs to
    version       TEXT NOT NULL,       -- of its weights
    parent        TEXT NOT NULL,       -- adapter that its training started from, '' for the base itself
    method        TEXT NOT NULL,
    config        TEXT NOT NULL,       -- JSON, of the training
    data_hash     TEXT NOT NULL,
    metrics       TEXT NOT NULL,       -- JSON
    registered_at REAL NOT NULL,
    state         TEXT NOT NULL DEFAULT 'candidate' CHECK (state IN ('candidate', 'refused', 'promoted', 'retired')),
    accepted      INTEGER CHECK (accepted IN (0, 1)),  -- by the gate, NULL before it was asked
    against       TEXT,                -- adapter it was compared with, '' for the base itself
    reasons       TEXT NOT NULL DEFAULT '[]',  -- JSON: sentences
    report_path   TEXT,
    changed_at    REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX adapter_in_service ON adapters (base) WHERE state = 'promoted';

-- What was in service when; never deleted.
CREATE TABLE promotions (
    id       INTEGER PRIMARY KEY,
    base     TEXT NOT NULL,
    name     TEXT REFERENCES adapters (name),  -- NULL: the base itself
    replaced TEXT REFERENCES adapters (name),
    how      TEXT NOT NULL CHECK (how IN ('gate', 'forced', 'rollback')),
    at       REAL NOT NULL
) STRICT;

INSERT INTO meta (key, value) VALUES ('schema_version', '10');
