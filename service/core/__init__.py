"""The vocabulary: immutable values, their limits and their errors. No I/O, no clock, no third-party import."""
