"""The launcher: a program of its own, in the standard library alone, that shuts itself in and then runs another."""
