"""The Python client on one core: how fast a program reads and publishes through it."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, Row, Sample
from tests.bench.native_tools import publish
from tests.bench.process import CLIENT_CORE, ROOT, pin

READ: Final = 20_000.0
PUBLISHED: Final = 5_000.0
"""Events a second, at least."""

READERS: Final = {
    "websocket": "AsyncTwinwire over WebSocket",
    "sse": "AsyncTwinwire over SSE",
    "poll": "AsyncTwinwire over long polling",
    "blocking": "Twinwire over WebSocket",
}


def rows(context: Context) -> Iterator[Row]:
    ours = context.twinwire({"TWINWIRE_APPS": "none"})
    count = max(2_000, context.scale.durable // 4)
    with ours.process:
        where = {"port": ours.process.port, "path": ours.publish_path, "topic": "bench/read"}
        publish(context.tools, {**where, "conns": 1, "batch": 500, "total": count})
        url = f"http://127.0.0.1:{ours.process.port}"
        for verb, what in READERS.items():
            samples = [beside_bare(verb, url, count) for _ in context.rounds(what)]
            yield Row(
                f"python-read-{verb}",
                f"a Python program reads {count:,} events by {what}",
                "events/s (reference: `websockets` and `json` alone)",
                "1/s",
                "at least",
                READ,
                samples,
            )
        samples = [
            Sample.alone(run("publish", url, "bench/published", count))
            for _ in context.rounds("a batch of AsyncTwinwire")
        ]
        what = f"a Python program publishes {count:,} events through a batch"
        yield Row("python-publish", what, "events/s", "1/s", "at least", PUBLISHED, samples)


def beside_bare(verb: str, url: str, count: int) -> Sample:
    """What is asked for is a rate, so that is the value; the reference is shown beside it."""
    rate = run(verb, url, "bench/read", count)
    return Sample(rate, run("bare", url, "bench/read", count), rate)


def run(verb: str, url: str, topic: str, count: int) -> float:
    command = [sys.executable, "-m", "tests.bench.python_client", verb, url, topic, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=pin(CLIENT_CORE))
    return float(done.stdout)
