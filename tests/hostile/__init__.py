"""What one stranger can do to the others: a victim, a witness, and a list of attacks.

    python -m tests.hostile --all            every attack, with one connection and with 200
    python -m tests.hostile --quick          short times, the worse number of connections only
    python -m tests.hostile tiny-frames      one of them

The *victim* is a server process as a user starts it, with a probe before it (`probe.py`). The *witness* is a process
apart (`witness.py`): it asks for health all the time, and follows a topic that it publishes to. An *attack* is a
function of about ten lines in `attacks/`. `run.py` lets it do its worst between two calm phases, and `verdict.py`
holds what was measured against the bounds.
"""
