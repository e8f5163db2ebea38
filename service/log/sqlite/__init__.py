"""The embedded engine: one SQLite file, one writing connection, reads from read-only ones."""
