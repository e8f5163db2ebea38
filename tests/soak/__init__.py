"""A server in use for twenty minutes, and whether anything of it grows.

    python -m tests.soak                 twenty minutes, and the plots of docs/reliability.md
    python -m tests.soak --minutes 2     a look

Everybody does everything, at a moderate rate (`load.py`): the publishers, clients and trims of `tests/kills`, whose
books are closed here too; streams that come and go, slow readers, replays of all that is kept, history, projects. The
server is one as a user starts it, with the probe of `tests/hostile` before it, which tells the steps of its loop in
CPU time: what others do on the machine is not held against it. `sample.py` looks every second, `verdict.py` says what
is flat.
"""
