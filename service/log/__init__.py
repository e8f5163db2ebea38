"""Durability: the contract of the event log (`base`), and a folder for each engine."""
