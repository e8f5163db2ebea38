"""The application of `outbox_writer`, with sessions of SQLAlchemy.

    python -m tests.support.alchemy_writer DSN SEED TOPIC ...

Each event is published before what it tells of is flushed, and every few of them also in a savepoint that is rolled
back.
"""

import random
import sys
import time

from sqlalchemy.orm import Session, sessionmaker

from tests.support.alchemy import Counter, engine_of
from tests.support.outbox_writer import go_on
from twinwire.contrib.sqlalchemy import publish

Sessions = sessionmaker[Session]


def application(dsn: str) -> Sessions:
    return sessionmaker(engine_of(dsn))


def write(sessions: Sessions, draw: random.Random, topics: list[str]) -> None:
    """One transaction, as `outbox_writer.write`."""
    is_kept = draw.random() < 0.8
    with sessions() as session:
        for topic in sorted(draw.sample(topics, draw.choice((1, 2)))):
            counter = session.get(Counter, topic, with_for_update=True)
            assert counter is not None
            counter.n += 1
            publish(session, topic, "n" if is_kept else "never", counter.n)
            if draw.random() < 0.3:
                with session.begin_nested() as savepoint:
                    publish(session, topic, "never", counter.n)
                    savepoint.rollback()
        if is_kept:
            session.commit()
    time.sleep(0.002)  # others have a turn


if __name__ == "__main__":
    go_on(sys.argv[1:], application, write)
