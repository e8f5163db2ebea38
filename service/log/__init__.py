"""Durability: the event log's contract and its SQLite implementation."""
