"""Runs of a project: generations and commands that somebody's machine reports, with their logs and files."""
