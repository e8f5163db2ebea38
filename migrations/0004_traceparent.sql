-- What a publisher's request said of the trace that it is part of (W3C Trace Context): frames carry it beside the data.
-- Rows that are there have none, and are not written anew.

ALTER TABLE events ADD COLUMN traceparent TEXT;

-- 1 once any event has carried one: until then nobody asks for the column.
ALTER TABLE log ADD COLUMN traced INTEGER NOT NULL DEFAULT 0;
