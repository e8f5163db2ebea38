"""Opening what a run has made: which version, how it is started, and what pages are told of it."""
