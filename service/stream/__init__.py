"""The life of one stream, on any connection."""
