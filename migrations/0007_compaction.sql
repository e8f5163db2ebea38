-- Events that were taken out from among others, which a floor does not tell: below that everything has gone.

ALTER TABLE topics ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0;    -- up to there some went that nothing replaces
ALTER TABLE topics ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;  -- up to there some went that others replaced
ALTER TABLE topics ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;    -- how many went so

-- Keys of events that went so: a late repeat is none the less one.
CREATE TABLE removed_keys (
    topic         INTEGER NOT NULL REFERENCES topics (id),
    key           TEXT    NOT NULL,
    offset        INTEGER NOT NULL,          -- what the event had
    time          INTEGER NOT NULL,          -- when it went, Unix ms
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_keys_time ON removed_keys (time);
