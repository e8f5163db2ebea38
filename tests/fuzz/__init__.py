"""Inputs by grammar, a million of them: nothing that a stranger can write crashes, is a 500, or takes a step too long.

    python -m tests.fuzz --count 20000            all targets, as CI does
    python -m tests.fuzz --count 5000 briefs      one of them
    python -m tests.fuzz --seed 42 ...            the same inputs again

`grammar.py` has the strategies: what is right, what is nearly right, and what is noise. `values.py` reads text into
values in this process, `service.py` asks the whole application in this process, `wire.py` a real server over a socket.
Each target judges its answers; `run.py` counts, and judges the CPU time of each input.
"""
