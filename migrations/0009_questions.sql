-- Questions that agents and commands ask people, and what became of them.

CREATE TABLE questions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they were asked; never reused
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    agent TEXT,                                -- the agent that asks; null for whoever asked by a request
    key TEXT NOT NULL,                         -- whoever asks again with the same one asks no other question
    run INTEGER,                               -- the number of a run of the project
    text TEXT NOT NULL,
    choices TEXT,                              -- JSON, a list of texts; null where any text is an answer
    fallback TEXT,                             -- the answer at the deadline, if there is no other
    author TEXT,                               -- the subject that asked
    asked INTEGER NOT NULL,                    -- Unix milliseconds, like every time below
    deadline INTEGER NOT NULL,
    how TEXT CHECK (how IN ('person', 'default', 'unanswered', 'withdrawn')),  -- null while it is open
    answer TEXT,
    answerer TEXT,                             -- the subject that answered, or withdrew it
    answered INTEGER
) STRICT;

CREATE UNIQUE INDEX questions_key ON questions (project, coalesce(agent, ''), key);
CREATE INDEX questions_project ON questions (project, number);
CREATE INDEX questions_open ON questions (deadline) WHERE how IS NULL;
