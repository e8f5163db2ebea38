"""`python -m tests.support.mounts serve --host H --port P --database D`: an application with a Twinwire in it, on a
server, for `ServerProcess`.

MOUNT_FRAMEWORK and MOUNT_SERVER say which; MOUNT_STARTED=0 that the application forgot the lifespan; MOUNT_CALLER that
it says who asks: who has a cookie `user`, for MOUNT_SECONDS if that is set, and as long as there is no file `refused`.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import twinwire
from service.apps.projects.app import ProjectsApp
from tests.support.mounts.frameworks import FRAMEWORKS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("serve")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--database")
    given = parser.parse_args()
    by_caller = "MOUNT_CALLER" in os.environ
    is_open = not (by_caller or os.environ.get("TWINWIRE_TOKEN_KEYS"))
    apps = [ProjectsApp()] if os.environ.get("TWINWIRE_APPS", "projects") == "projects" else []
    live = twinwire.asgi(given.database, caller=caller if by_caller else None, open=is_open, apps=apps)
    build = FRAMEWORKS[os.environ.get("MOUNT_FRAMEWORK", "alone")]
    app = build(live, is_started=os.environ.get("MOUNT_STARTED", "1") == "1")
    serve = on_hypercorn if os.environ.get("MOUNT_SERVER") == "hypercorn" else on_uvicorn
    serve(app, given.host, given.port)


def caller(scope: dict[str, Any]) -> twinwire.Caller | None:
    """The session of the application is a name, as it stands in a cookie."""
    cookies = SimpleCookie("; ".join(value.decode() for name, value in scope["headers"] if name == b"cookie"))
    if "user" not in cookies or Path("refused").exists():
        return None
    seconds = os.environ.get("MOUNT_SECONDS")
    return twinwire.Caller(
        cookies["user"].value,
        subscribe=["orders/*", "users/{sub}"],
        publish=["orders/*"],
        expires=None if seconds is None else time.time() + float(seconds),
    )


def announce(host: str, port: int) -> None:
    print(f"http://{host}:{port}/", flush=True)


def on_uvicorn(app: Any, host: str, port: int) -> None:
    import uvicorn

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(host, port)

    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn hands it on to whoever was there before, once it is done
        signal.signal(number, lambda *_: sys.exit(0))
    Announcing(uvicorn.Config(app, host=host, port=port, log_level="warning", ws_per_message_deflate=False)).run()


def on_hypercorn(app: Any, host: str, port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{host}:{port}"]

    async def run() -> None:
        stop = asyncio.Event()

        async def trigger() -> None:
            announce(host, port)
            await stop.wait()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await serve(app, config, shutdown_trigger=trigger, mode="asgi")

    asyncio.run(run())


if __name__ == "__main__":
    main()
