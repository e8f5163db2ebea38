-- A topic without events is forgotten after a while. What is left of all that were are two numbers, each of which only
-- rises: the floor of whatever is not known, and the number that no later topic may have again.

ALTER TABLE log ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;      -- highest floor of a topic that was forgotten
ALTER TABLE log ADD COLUMN last_topic INTEGER NOT NULL DEFAULT 0;  -- highest topics.id there was when one was

-- Unix ms since when it has no events, as of log.counted; 0 while it has. Those that have none now begin now.
ALTER TABLE topics ADD COLUMN emptied INTEGER NOT NULL DEFAULT 0;
UPDATE topics SET emptied = unixepoch() * 1000 WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.topic = topics.id);
