"""An empty Quart POST handler on Hypercorn: `python -m tests.bench.reference.empty_handler PORT CONFIG`."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart


def create_app() -> Quart:
    app = Quart(__name__)

    @app.post("/api/events")
    async def empty() -> str:
        return ""

    return app


async def main(port: int, config_file: Path) -> None:
    config = Config.from_toml(config_file)
    config.bind = [f"127.0.0.1:{port}"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def until_stopped() -> Any:
        await stop.wait()

    await serve(create_app(), config, shutdown_trigger=until_stopped, mode="asgi")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), Path(sys.argv[2])))
