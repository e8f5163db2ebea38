-- What a run has used of a language model, so that a restart does not give it as much again.

ALTER TABLE runs ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN waited REAL NOT NULL DEFAULT 0;       -- seconds
