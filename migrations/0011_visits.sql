-- The record of who came and went: visits whose beginning is an event, and whose end is none yet.

CREATE TABLE visits (
    place TEXT NOT NULL,
    user TEXT NOT NULL,
    since INTEGER NOT NULL,                    -- Unix milliseconds, like every time below
    gone INTEGER,                              -- since when nobody of his is there, where the service stopped before that was told
    PRIMARY KEY (place, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE visits_seen (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL                        -- when the service was last known to serve while there was a visit
) STRICT;
INSERT INTO visits_seen (one, at) VALUES (1, 0);
