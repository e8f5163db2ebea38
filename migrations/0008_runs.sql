-- Runs of two kinds: generations, and commands that somebody's machine reports. Each has a number within its project, and
-- its log and its files are kept with it, whatever retention takes of the events.

ALTER TABLE projects ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;  -- numbers given to runs so far: none is given twice
CREATE INDEX projects_name ON projects (name, number);

ALTER TABLE runs RENAME TO runs_before;
CREATE TABLE runs (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which runs were made; never reused
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    number INTEGER NOT NULL,                   -- from 1, within the project
    kind TEXT NOT NULL CHECK (kind IN ('generation', 'command')),
    key TEXT,                                  -- a command's: with which it was begun
    command TEXT,
    author TEXT,                               -- subject of the token that began it
    host TEXT,
    may_run INTEGER NOT NULL DEFAULT 1,        -- whether who began it may have the service run what agents wrote
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    message TEXT NOT NULL,
    stage INTEGER NOT NULL DEFAULT 0,          -- the one it is at or ended in; 0 for none
    exit INTEGER,
    signal TEXT,
    created INTEGER NOT NULL,
    started INTEGER,
    finished INTEGER,
    changed INTEGER NOT NULL DEFAULT 0,        -- files that it created or changed
    kept INTEGER NOT NULL DEFAULT 1,           -- 0: its log and its files are not there any more
    -- Of a command's reports
    reported INTEGER NOT NULL DEFAULT 0,       -- the last item that was accepted
    heard INTEGER NOT NULL DEFAULT 0,          -- when, Unix ms
    silent INTEGER NOT NULL DEFAULT 0,         -- 1: not for a while
    cancelling INTEGER NOT NULL DEFAULT 0,     -- 1: its reporter is to end it
    cancelled_by TEXT,                         -- who wishes that, if he is known
    ended INTEGER NOT NULL DEFAULT 0,          -- 1: its end was reported: nothing more is accepted
    -- Of its log
    pieces INTEGER NOT NULL DEFAULT 0,
    lines INTEGER NOT NULL DEFAULT 0,          -- with the last, if that is not finished
    bytes INTEGER NOT NULL DEFAULT 0,
    cut INTEGER NOT NULL DEFAULT 0,            -- bytes that are missing
    unfinished INTEGER NOT NULL DEFAULT 0,     -- 1: its last line does not end
    tail BLOB NOT NULL DEFAULT x''             -- the beginning of a character at its end, which no event has told
) STRICT;
INSERT INTO runs (serial, id, project, number, kind, status, progress, message, created, started, finished, kept)
    SELECT number, id, project, row_number() OVER (PARTITION BY project ORDER BY number), 'generation', status, progress,
        message, created, started, finished, finished IS NULL  -- an unfinished one goes on, and has a log from here
    FROM runs_before;
DROP TABLE runs_before;
UPDATE runs SET may_run = 0;  -- nobody was asked for it

CREATE UNIQUE INDEX runs_number ON runs (project, number);
UPDATE projects SET runs = (SELECT count(*) FROM runs WHERE project = projects.id);
CREATE INDEX runs_kind ON runs (project, kind, number);
CREATE UNIQUE INDEX runs_key ON runs (project, key) WHERE key IS NOT NULL;
-- At most one unfinished generation a project, whatever the code above does.
CREATE UNIQUE INDEX runs_unfinished ON runs (project) WHERE kind = 'generation' AND status IN ('queued', 'running');
CREATE INDEX runs_heard ON runs (heard) WHERE kind = 'command' AND status = 'running';
CREATE INDEX runs_kept ON runs (finished) WHERE kept = 1 AND finished IS NOT NULL;

ALTER TABLE stages RENAME TO stages_before;
CREATE TABLE stages (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,                   -- from 1
    name TEXT NOT NULL,                        -- of a generation's: its agent's
    status TEXT NOT NULL CHECK (status IN ('pending', 'started', 'completed', 'failed', 'cancelled')),
    message TEXT NOT NULL,
    started INTEGER,                           -- Unix ms
    duration REAL,                             -- seconds; null until the stage has ended
    first_line INTEGER,                        -- of the run's log that is its own; null until it begins
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
INSERT INTO stages (run, number, name, status, message, duration)
    SELECT run, number, agent,
        CASE WHEN status = 'failed' AND (SELECT status FROM runs WHERE id = run) = 'cancelled'
            THEN 'cancelled' ELSE status END,
        message, duration
    FROM stages_before;
DROP TABLE stages_before;

-- The log of each run, in pieces: what a command or an agent put out, as bytes, or a line that an agent logged.
CREATE TABLE run_log (
    run INTEGER NOT NULL,                      -- runs.serial
    piece INTEGER NOT NULL,                    -- from 1
    line INTEGER NOT NULL,                     -- in which it begins, from 1
    joined INTEGER NOT NULL,                   -- 1: it goes on with the line of the piece before
    stage INTEGER NOT NULL,                    -- 0 for none
    time INTEGER NOT NULL,
    level TEXT,                                -- of what was logged; 'cut': of what tells that something is missing
    stream TEXT,
    data BLOB NOT NULL,
    PRIMARY KEY (run, piece)
) STRICT;
CREATE INDEX run_log_line ON run_log (run, line, piece);

-- What files hold, once each however many runs wrote it; it goes with the last that refers to it.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,               -- SHA-256 of the UTF-8, or of what is older than this table some name
    text TEXT NOT NULL,
    size INTEGER NOT NULL                      -- bytes in UTF-8
) STRICT;
INSERT INTO contents (id, digest, text, size) SELECT rowid, 'file ' || rowid, content, size FROM files;

ALTER TABLE files RENAME TO files_before;
CREATE TABLE files (
    project TEXT NOT NULL,
    path TEXT NOT NULL,
    run TEXT NOT NULL,                         -- the run that wrote it last
    content INTEGER NOT NULL,                  -- contents.id
    updated INTEGER NOT NULL,
    PRIMARY KEY (project, path)
) STRICT;
INSERT INTO files (project, path, run, content, updated) SELECT project, path, run, rowid, updated FROM files_before;
DROP TABLE files_before;
CREATE INDEX files_content ON files (content);

-- The files as each run wrote them, of each stage that did: the last is what the run left.
CREATE TABLE run_files (
    run INTEGER NOT NULL,                      -- runs.serial
    path TEXT NOT NULL,
    stage INTEGER NOT NULL,
    content INTEGER,                           -- contents.id; null: this run removed it
    before INTEGER,                            -- what the project's file held when the run came to it, if it had one
    PRIMARY KEY (run, path, stage)
) STRICT;
CREATE INDEX run_files_content ON run_files (content);
-- Of what is not finished, as far as it is known: what it has written so far.
INSERT INTO run_files (run, path, stage, content)
    SELECT r.serial, f.path, 0, f.content FROM files f JOIN runs r ON r.id = f.run WHERE r.kept = 1;

CREATE TRIGGER files_changed AFTER UPDATE OF content ON files WHEN old.content IS NOT new.content BEGIN
    DELETE FROM contents WHERE id = old.content
        AND NOT EXISTS (SELECT 1 FROM files WHERE content = old.content)
        AND NOT EXISTS (SELECT 1 FROM run_files WHERE content = old.content);
END;
CREATE TRIGGER files_removed AFTER DELETE ON files BEGIN
    DELETE FROM contents WHERE id = old.content
        AND NOT EXISTS (SELECT 1 FROM files WHERE content = old.content)
        AND NOT EXISTS (SELECT 1 FROM run_files WHERE content = old.content);
END;
CREATE TRIGGER run_files_changed AFTER UPDATE OF content ON run_files WHEN old.content IS NOT new.content BEGIN
    DELETE FROM contents WHERE id = old.content
        AND NOT EXISTS (SELECT 1 FROM files WHERE content = old.content)
        AND NOT EXISTS (SELECT 1 FROM run_files WHERE content = old.content);
END;
CREATE TRIGGER run_files_removed AFTER DELETE ON run_files BEGIN
    DELETE FROM contents WHERE id = old.content
        AND NOT EXISTS (SELECT 1 FROM files WHERE content = old.content)
        AND NOT EXISTS (SELECT 1 FROM run_files WHERE content = old.content);
END;

-- Runs whose log and files are to be removed, which is done in small steps. Nothing is added to those any more.
CREATE TABLE run_leftovers (run INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER runs_removed AFTER DELETE ON runs BEGIN
    INSERT OR IGNORE INTO run_leftovers (run) VALUES (old.serial);
END;
CREATE TRIGGER runs_dropped AFTER UPDATE OF kept ON runs WHEN new.kept = 0 BEGIN
    INSERT OR IGNORE INTO run_leftovers (run) VALUES (old.serial);
END;

-- Bytes of all logs and of all contents.
CREATE TABLE run_total (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO run_total (id, bytes) SELECT 1, coalesce(sum(size), 0) FROM contents;
CREATE TRIGGER run_log_added AFTER INSERT ON run_log BEGIN
    UPDATE run_total SET bytes = bytes + length(new.data);
END;
CREATE TRIGGER run_log_removed AFTER DELETE ON run_log BEGIN
    UPDATE run_total SET bytes = bytes - length(old.data);
END;
CREATE TRIGGER contents_added AFTER INSERT ON contents BEGIN
    UPDATE run_total SET bytes = bytes + new.size;
END;
CREATE TRIGGER contents_removed AFTER DELETE ON contents BEGIN
    UPDATE run_total SET bytes = bytes - old.size;
END;
