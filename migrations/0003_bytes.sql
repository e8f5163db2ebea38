-- topics.bytes counted characters, so that "max_bytes" kept up to four times what it says of text that is not ASCII.

UPDATE topics SET bytes = (
    SELECT coalesce(sum(length(CAST(data AS BLOB))), 0) FROM events
    WHERE events.topic = topics.id AND events.offset <= (SELECT coalesce(max(counted), 0) FROM log)
);
