-- The log: one row an event, in one order, and the topics it is filed under.

CREATE TABLE log (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    epoch         TEXT    NOT NULL,             -- identity of this incarnation of the log
    boot          TEXT    NOT NULL DEFAULT '',  -- the machine's boot while it was last open
    clean         INTEGER NOT NULL DEFAULT 1,   -- 0 while a server has it open
    counted       INTEGER NOT NULL DEFAULT 0,   -- topics.count and topics.bytes include events up to here
    probed        INTEGER NOT NULL DEFAULT 0    -- Unix ms of the last write that only tested the disk
) STRICT;

CREATE TABLE topics (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    floor         INTEGER NOT NULL DEFAULT 0,   -- highest offset that retention removed
    head          INTEGER NOT NULL DEFAULT 0,   -- newest offset, as of log.counted
    count         INTEGER NOT NULL DEFAULT 0,   -- kept events, as of log.counted
    bytes         INTEGER NOT NULL DEFAULT 0    -- kept bytes of data, as of log.counted
) STRICT;

-- "offset" is assigned by the one writer, which never reuses one: a rowid of SQLite's own choice could be
-- reused after the newest rows were trimmed.
CREATE TABLE events (
    offset        INTEGER PRIMARY KEY,
    topic         INTEGER NOT NULL REFERENCES topics (id),
    prev          INTEGER NOT NULL,             -- the offset before this one on the same topic, 0 for none
    time          INTEGER NOT NULL,             -- Unix ms, never smaller than the row's before it
    type          TEXT    NOT NULL,
    data          TEXT    NOT NULL,             -- JSON on one line, as it arrived
    key           TEXT                          -- idempotency key
) STRICT;

CREATE INDEX events_topic ON events (topic);    -- with the rowid behind it: (topic, offset)
CREATE UNIQUE INDEX events_key ON events (topic, key) WHERE key IS NOT NULL;
