"""`python -m tests.bench [GROUP ...]`; BENCH_QUICK=1 for a quick look, BENCH_RUNS for the rounds of each row."""

from tests.bench.run import command

command()
