-- What on a topic an event is about, and which events the latest of each subject is made of. Rows that are there have no
-- subject, and are not written anew.

ALTER TABLE events ADD COLUMN subject TEXT;
ALTER TABLE events ADD COLUMN mark INTEGER;  -- 1: its data is appended to the value, 2: it closes the value, or both
ALTER TABLE events ADD COLUMN gone INTEGER;  -- where there is a subject: the offset of the event that has replaced or
                                             -- deleted its value, below 0 if that lacked its beginning, 0 while that
                                             -- lacks it, NULL while it counts

-- Each with the rowid behind it: all events of a subject; what counts, of a topic and of all, in the order of the log;
-- what does not count any more, by when.
CREATE INDEX events_subject ON events (topic, subject) WHERE subject IS NOT NULL;
CREATE INDEX events_current ON events (topic) WHERE subject IS NOT NULL AND gone IS NULL;
CREATE INDEX events_state ON events (offset) WHERE subject IS NOT NULL AND gone IS NULL;
CREATE INDEX events_gone ON events (gone, topic) WHERE subject IS NOT NULL AND gone IS NOT NULL;

-- Subjects of whose value retention has taken all that there was: what is appended later lacks its beginning.
CREATE TABLE cut_subjects (
    topic         INTEGER NOT NULL REFERENCES topics (id),
    subject       TEXT    NOT NULL,
    final         INTEGER NOT NULL,          -- 1: it was closed
    time          INTEGER NOT NULL,          -- Unix ms
    PRIMARY KEY (topic, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX cut_subjects_time ON cut_subjects (time);

-- 1 once any event has had a subject.
ALTER TABLE log ADD COLUMN subjects INTEGER NOT NULL DEFAULT 0;
