"""`twinwire run`: a command whose output is also a run of a project, live (docs/run.md)."""
