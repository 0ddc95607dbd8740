/**
 * The database's shape, as a list of steps: step n takes `user_version` n-1 to n. A released step is never edited; a new
 * one is added. Records are kept as the JSON of the contract's shapes, so that a new optional field needs no step; what is
 * searched or joined is a column derived from the JSON, so the two cannot disagree.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    at_ms REAL NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX journal_by_type ON journal (type, seq);
  CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

  CREATE TABLE jobs (
    job_id INTEGER PRIMARY KEY,
    stage TEXT NOT NULL,
    subject TEXT NOT NULL,
    cause_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before_ms REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    reason TEXT,
    UNIQUE (stage, subject)
  ) STRICT;
  CREATE INDEX jobs_waiting ON jobs (stage, job_id, not_before_ms) WHERE state = 'waiting';
  CREATE INDEX jobs_by_state ON jobs (state, stage);

  CREATE TABLE frames (
    frame_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    night_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'nightId') VIRTUAL,
    field_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'fieldId') VIRTUAL,
    type TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'type') VIRTUAL,
    state TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'state') VIRTUAL,
    captured_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'capturedAtMs') VIRTUAL
  ) STRICT;
  CREATE INDEX frames_by_time ON frames (captured_at_ms, frame_id);
  CREATE INDEX frames_by_night ON frames (night_id, type, state, captured_at_ms);
  CREATE INDEX frames_by_field ON frames (field_id, captured_at_ms);
  CREATE INDEX frames_by_state ON frames (state, captured_at_ms);

  CREATE TABLE masters (
    master_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    type TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'type') VIRTUAL,
    width INTEGER NOT NULL GENERATED ALWAYS AS (record ->> 'width') VIRTUAL,
    height INTEGER NOT NULL GENERATED ALWAYS AS (record ->> 'height') VIRTUAL,
    filter TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'filter') VIRTUAL,
    exposure_seconds REAL NOT NULL GENERATED ALWAYS AS (record ->> 'exposureSeconds') VIRTUAL,
    built_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'builtAtMs') VIRTUAL
  ) STRICT;
  CREATE INDEX masters_by_kind ON masters (type, width, height, filter, built_at_ms);

  CREATE TABLE field_references (
    reference_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    field_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'fieldId') VIRTUAL,
    filter TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'filter') VIRTUAL,
    built_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'builtAtMs') VIRTUAL
  ) STRICT;
  CREATE INDEX references_by_field ON field_references (field_id, filter, built_at_ms);

  CREATE TABLE detections (
    detection_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    frame_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'frameId') VIRTUAL REFERENCES frames (frame_id),
    state TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'state') VIRTUAL,
    probability REAL NOT NULL GENERATED ALWAYS AS (record ->> 'probability') VIRTUAL,
    detected_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'detectedAtMs') VIRTUAL
  ) STRICT;
  CREATE INDEX detections_by_time ON detections (detected_at_ms, probability, detection_id);
  CREATE INDEX detections_by_state ON detections (state, detected_at_ms, probability, detection_id);
  CREATE INDEX detections_by_frame ON detections (frame_id, state, detected_at_ms, probability, detection_id);

  CREATE TABLE labels (
    label_id INTEGER PRIMARY KEY,
    detection_id TEXT NOT NULL REFERENCES detections (detection_id),
    label TEXT NOT NULL,
    given_by TEXT NOT NULL,
    at_ms REAL NOT NULL
  ) STRICT;
  CREATE INDEX labels_by_detection ON labels (detection_id, label_id);

  CREATE TABLE entries (
    entry_id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    name TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'name') VIRTUAL,
    ra_deg REAL NOT NULL GENERATED ALWAYS AS (record ->> 'raDeg') VIRTUAL,
    dec_deg REAL NOT NULL GENERATED ALWAYS AS (record ->> 'decDeg') VIRTUAL,
    zone INTEGER NOT NULL GENERATED ALWAYS AS (CAST(((record ->> 'decDeg') + 90.0) * 60.0 AS INTEGER)) VIRTUAL,
    last_seen_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'lastSeenMs') VIRTUAL
  ) STRICT;
  CREATE INDEX entries_by_zone ON entries (zone, ra_deg);
  CREATE INDEX entries_by_name ON entries (name);
  CREATE INDEX entries_by_time ON entries (last_seen_ms, entry_id);

  CREATE TABLE entry_detections (
    detection_id TEXT PRIMARY KEY REFERENCES detections (detection_id),
    entry_id TEXT NOT NULL REFERENCES entries (entry_id)
  ) STRICT;
  CREATE INDEX entry_detections_by_entry ON entry_detections (entry_id, detection_id);

  CREATE TABLE outbox (
    event_id TEXT NOT NULL,
    rev INTEGER NOT NULL,
    destination TEXT NOT NULL,
    urgency INTEGER NOT NULL,
    record TEXT NOT NULL,
    envelope TEXT NOT NULL,
    entry_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'entryId') VIRTUAL REFERENCES entries (entry_id),
    detection_id TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'detectionId') VIRTUAL REFERENCES detections (detection_id),
    state TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'state') VIRTUAL,
    queued_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'queuedAtMs') VIRTUAL,
    next_attempt_at_ms REAL NOT NULL GENERATED ALWAYS AS (record ->> 'nextAttemptAtMs') VIRTUAL,
    PRIMARY KEY (event_id, rev, destination)
  ) STRICT;
  CREATE INDEX outbox_waiting ON outbox (destination, urgency, queued_at_ms, event_id, rev, next_attempt_at_ms)
    WHERE state = 'waiting';
  CREATE INDEX outbox_of_event ON outbox (event_id, destination, next_attempt_at_ms) WHERE state = 'waiting';
  CREATE INDEX outbox_by_state ON outbox (state);
  CREATE INDEX outbox_by_time ON outbox (queued_at_ms, event_id);
  CREATE INDEX outbox_by_detection ON outbox (detection_id, rev);
  CREATE INDEX outbox_by_entry ON outbox (entry_id);

  CREATE TABLE accounts (
    username TEXT PRIMARY KEY,
    record TEXT NOT NULL
  ) STRICT;

  CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    username TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'username') VIRTUAL REFERENCES accounts (username)
  ) STRICT;
  CREATE INDEX sessions_by_user ON sessions (username);
  `,
  `
  CREATE TABLE taken_files (
    path TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    modified_at_ms REAL NOT NULL,
    sha256 TEXT NOT NULL,
    frame_id TEXT NOT NULL REFERENCES frames (frame_id)
  ) STRICT;
  `,
]
