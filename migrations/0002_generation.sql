-- The generator's tables: projects, their runs, the stages of a run, and the files that agents wrote.
-- They are written in the transactions of the events that announce them, so a snapshot and its cursor agree.

CREATE TABLE projects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which projects were made; never reused
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    brief TEXT NOT NULL,
    created INTEGER NOT NULL                   -- Unix milliseconds, like every time below
) STRICT;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    message TEXT NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    finished INTEGER
) STRICT;

CREATE INDEX runs_project ON runs (project, number);

-- At most one unfinished run a project, whatever the code above does.
CREATE UNIQUE INDEX runs_unfinished ON runs (project) WHERE status IN ('queued', 'running');

CREATE TABLE stages (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,                   -- from 1
    agent TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'started', 'completed', 'failed')),
    message TEXT NOT NULL,
    duration REAL,                             -- seconds; null until the stage has ended
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    project TEXT NOT NULL,
    path TEXT NOT NULL,
    run TEXT NOT NULL,                         -- the run that wrote it last
    content TEXT NOT NULL,
    size INTEGER NOT NULL,                     -- bytes of content in UTF-8
    updated INTEGER NOT NULL,
    PRIMARY KEY (project, path)
) STRICT;
