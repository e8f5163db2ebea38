"""Whether this is the Hypercorn that the guards were written for, and how they get into it.

The guards are subclasses of Hypercorn's connection and protocols, put in their place by one name in one module. What
they override and lean on stands in the files below, so these must be the ones that the guards were written against,
byte by byte. If one is not, nothing is replaced: another Hypercorn serves, unguarded, and the service says so.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

import hypercorn
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer

from service.stream.hypercorn.guards import STATE
from service.stream.hypercorn.server import GuardedServer

KNOWN: Final = {
    "asyncio/run.py": "bf2ccecd84affc35ec69c243248347a5b50bf61ba44247e2a83e13517874456f",
    "asyncio/task_group.py": "71257bea26162a3e4198812ae906f66e9a923adbdf47e4e0af251732d9ca9c0f",
    "asyncio/tcp_server.py": "a1919b81b107506829ca9d13f2a10df31da21cc86e83e3fc49a94f902d1b4fa4",
    "asyncio/worker_context.py": "b1f2929943535272f9c70d75abe966bff6597ce539b77eb42262efafc5bf136e",
    "protocol/h11.py": "5d2cfe635578adc65941fd5dc7b35ad1d89a61a9beff3e97742dd94f359ee9e0",
    "protocol/h2.py": "4023f69abd2239e53927fd38a2fe8008cffd45450add2cb075a3e217e7ede740",
    "protocol/http_stream.py": "b28bb59de67f2f2813642846cc089fc52bf771f2270f813d039456ba4fe34f7f",
    "protocol/ws_stream.py": "5eb34e4ac40b06f546154181246bc3d3fe10ab906f3eb7afa06c61167e281e68",
}
"""SHA-256 of the files in Hypercorn 0.18.0."""


def install() -> list[str]:
    """Guard the connections of every server in this process whose lifespan has the state for it. Idempotent.

    Returns the files that are not those of KNOWN; then nothing was done.
    """
    found = changed()
    if not found:
        vars(run)["TCPServer"] = _connection
    return found


def _connection(app: Any, loop: Any, config: Any, context: Any, state: Any, reader: Any, writer: Any) -> TCPServer:
    """Hypercorn calls this as it would call `TCPServer`, for each connection."""
    kind = GuardedServer if STATE in state else TCPServer
    return kind(app, loop, config, context, state, reader, writer)


def changed(root: Path | None = None) -> list[str]:
    """The files below Hypercorn's folder that are not what the guards were written against."""
    folder = Path(hypercorn.__file__).parent if root is None else root
    return [name for name, digest in KNOWN.items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
