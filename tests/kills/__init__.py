"""`kill -9`, again and again, and what must be zero after it.

    python -m tests.kills --cycles 1000      half an hour on two cores
    python -m tests.kills --seconds 60       as many as fit
    python -m tests.kills --seed 7           the same moments again, as far as a machine repeats itself

One server on one database and one port is killed at random moments and started again (`killer.py`), while publishers
of every kind publish (`publishers.py`), topics are trimmed and retention takes events, and seven clients follow with a
cursor that they keep (`readers.py`). Nobody is told of a kill: publishers and clients see connections that break.

What was sent and acknowledged is written down in a `Ledger`, what each client heard in its `Journal` (`ledger.py`); at
the end `judge.py` holds them, and what the log keeps, against each other. An event without an acknowledgement may
appear or not, but to all alike.
"""
