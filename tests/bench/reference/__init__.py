"""What the figures are held against, where it is Python: an empty handler, and plain SQLite."""
