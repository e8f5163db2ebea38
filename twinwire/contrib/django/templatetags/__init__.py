"""Tags, by what a template loads them with."""
