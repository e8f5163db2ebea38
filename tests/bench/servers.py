"""The servers that are measured: ours, nchan, the C floor and an empty Quart handler."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, Protocol

from tests.bench.native_tools import Tools
from tests.bench.process import HOST, ROOT, Process, free_port
from tests.bench.trees import Tree

TOPIC: Final = "bench/t"

NCHAN_MODULE: Final = "ngx_nchan_module.so"
_NCHAN_CONFIG: Final = """\
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16000; multi_accept on; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;      # no request body is ever written to a file
    nchan_max_reserved_memory 512m;
    server {{
        listen {host}:{port} backlog=4096;
        location = /pub {{
            nchan_publisher http;
            nchan_channel_id $arg_id;
            nchan_message_buffer_length 10000;   # as many events as our tail keeps
            nchan_message_timeout 1h;
        }}
        location = /sub {{
            nchan_subscriber websocket eventsource;
            nchan_channel_id $arg_id;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


class StreamServer(Protocol):
    """What a fan-out needs to know of a server."""

    @property
    def name(self) -> str: ...
    @property
    def process(self) -> Process: ...
    @property
    def publish_path(self) -> str: ...
    @property
    def tells_live(self) -> bool:
        """Whether a stream says "caught_up" when it is live; else its response head has to do."""

    def stream_path(self, mode: str, topic: str) -> str: ...


class Twinwire:
    """`twinwire serve` of a tree on a new durable database, with its defaults and whatever `env` says."""

    name = "twinwire"
    publish_path = "/api/events"
    tells_live = True

    def __init__(self, folder: Path, tree: Tree, env: Mapping[str, str] | None = None) -> None:
        self.folder = Path(mkdtemp(prefix="twinwire-", dir=folder))
        self.database = self.folder / "bench.db"
        port = free_port()
        command = [tree.python, "-m", "service", "serve", "--port", str(port), "--database", str(self.database)]
        self.process = Process(command, port, self.folder, {**(env or {}), "PYTHONPATH": str(tree.root)})

    def stream_path(self, mode: str, topic: str) -> str:
        return f"/api/{mode}?topic={topic}"


class Ephemeral(Twinwire):
    """The same with events that are not kept, of which one sender may send as many as he likes."""

    publish_path = "/api/ephemeral"

    def __init__(self, folder: Path, tree: Tree, env: Mapping[str, str] | None = None) -> None:
        rate = {"TWINWIRE_EPHEMERAL_RATE": "1000000", "TWINWIRE_EPHEMERAL_BURST": "1000000"}
        super().__init__(folder, tree, {**(env or {}), **rate})

    def stream_path(self, mode: str, topic: str) -> str:
        return f"{super().stream_path(mode, topic)}&ephemeral=1"


class Nchan:
    """nginx with nchan: one worker, messages in memory. A peer that is known to be fast."""

    name = "nchan"
    publish_path = f"/pub?id={TOPIC}"
    tells_live = False

    def __init__(self, folder: Path) -> None:
        self.folder = Path(mkdtemp(prefix="nchan-", dir=folder))
        folder.chmod(0o755)
        self.folder.chmod(0o777)  # nginx's worker is another user where the master is root
        port = free_port()
        module = nchan_module()
        assert module is not None, "ask `nchan_module` first"
        config = self.folder / "nginx.conf"
        config.write_text(_NCHAN_CONFIG.format(module=module, folder=self.folder, host=HOST, port=port))
        command = [_nginx() or "nginx", "-p", str(self.folder), "-c", str(config)]
        self.process = Process(command, port, self.folder)

    def stream_path(self, mode: str, topic: str) -> str:
        return f"/sub?id={topic}"


class Floor:
    """The C loop: one write a message a connection."""

    name = "floor"
    publish_path = "/pub"
    tells_live = False

    def __init__(self, folder: Path, tools: Tools) -> None:
        port = free_port()
        self.process = Process([str(tools["floor"]), f"port={port}"], port, Path(mkdtemp(prefix="floor-", dir=folder)))

    def stream_path(self, mode: str, topic: str) -> str:
        return f"/{mode}"


def quart_process(folder: Path) -> Process:
    """An empty Quart handler on Hypercorn with our configuration, on uvloop as ours."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.reference.empty_handler", str(port), str(ROOT / "hypercorn.toml")]
    return Process(command, port, Path(mkdtemp(prefix="quart-", dir=folder)))


def _nginx() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin:/usr/bin:/usr/local/bin")


def nchan_module() -> Path | None:
    """The nchan module of the nginx that is installed, or None."""
    nginx = _nginx()
    if nginx is None:
        return None
    told = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=False).stderr
    folders = [word.partition("=")[2] for word in told.split() if word.startswith("--modules-path=")]
    found = [Path(folder) / NCHAN_MODULE for folder in folders if (Path(folder) / NCHAN_MODULE).exists()]
    return found[0] if found else None
