"""The vocabulary: immutable values, their limits and errors. No I/O, no clock of its own, no third-party import."""
