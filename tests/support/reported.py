"""A second implementation of what `twinwire run` asks of a service (docs/protocol.md, section 6), which misbehaves on
demand: so that each fault of a network or a service comes when a test says so.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

PROJECT: Final = "abcdefghijkm"

Fault = int | str | None
"""An HTTP status that is answered instead; `before` or `after`: the connection is cut, and nothing of the request was
carried out, or all; None: all is well."""


class Told:
    """A run as the service has it."""

    def __init__(self, number: int, key: str, command: str) -> None:
        self.number = number
        self.key = key
        self.command = command
        self.reported = 0
        self.items: list[dict[str, Any]] = []
        self.end: dict[str, Any] | None = None
        self.is_cancelled = False

    @property
    def log(self) -> bytes:
        """Its output; what was cut out is not in it."""
        return b"".join(
            item["output"].encode() if "output" in item else base64.b64decode(item["output_base64"])
            for item in self.items
            if "output" in item or "output_base64" in item
        )

    def of(self, kind: str) -> list[Any]:
        return [item[kind] for item in self.items if kind in item]


class Reported:
    """`fault` is asked with each request's method and path; `limits` are those that a run is told."""

    def __init__(self, fault: Callable[[str, str], Fault] = lambda method, path: None) -> None:
        self.fault = fault
        self.limits = {"bytes": 8 << 20, "items": 1_000, "body": 512 << 10}
        self.most: int | None = None
        """Bytes of output of a run that are taken, if it is not what runs are told."""
        self.projects: dict[str, str] = {}
        self.runs: list[Told] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.tried = 0
        """Requests that came, whatever became of them."""
        self.retry_after: str | None = None
        self.changed = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, is_so: Callable[[], object], seconds: float = 30.0) -> None:
        """Until that is so. Raises AssertionError if it does not become so."""
        with self.changed:
            assert self.changed.wait_for(is_so, seconds), self.requests[-5:]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.changed:
            fault = self.fault(handler.command, handler.path)
            self.tried += 1
            status, value = (fault, {}) if isinstance(fault, int) else (200, {})
            if fault in (None, "after"):
                self.requests.append((handler.path, body))
                status, value = self._take(handler.path, body)
            self.changed.notify_all()
        if isinstance(fault, str):
            handler.close_connection = True
            return
        if status >= 400:
            value = {"status": status, "title": "Trouble", "detail": f"it is {status}"} | value
        text = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
        handler.send_header("Content-Length", str(len(text)))
        if self.retry_after and status in (429, 503):
            handler.send_header("Retry-After", self.retry_after)
        handler.end_headers()
        handler.wfile.write(text)

    def _take(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/api/projects":
            assert body["brief"] is None
            assert body["once"] is True
            return 200, {"id": self.projects.setdefault(body["name"], PROJECT)}
        if not (found := re.fullmatch(r"/api/projects/(\w+)/runs(?:/(\d+)/reports)?", path)):
            return 404, {}
        if found[1] not in self.projects.values():
            return 404, {}
        return self._report(int(found[2]), body) if found[2] else self._begin(body)

    def _begin(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for run in self.runs:
            if run.key == body["key"]:
                return 200, self._shown(run)
        self.runs.append(Told(len(self.runs) + 1, body["key"], body["command"]))
        return 201, self._shown(self.runs[-1])

    def _shown(self, run: Told) -> dict[str, Any]:
        return {"number": run.number, "reported": run.reported, "limits": self.limits}

    def _report(self, number: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = next((run for run in self.runs if run.number == number), None)
        if run is None:
            return 404, {}
        items = body["items"]
        assert items
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= self.limits["body"]
        assert len(items) <= self.limits["items"]
        new = items[max(0, run.reported + 1 - body["from"]) :]
        if body["from"] > run.reported + 1:
            return 409, {"reported": run.reported, "field": "from"}
        if new and run.end is not None:
            return 409, {"field": "items"}
        before = len(run.items)
        run.items += new
        size = len(run.log) + 150 * len(run.of("cut"))  # which are lines of the log too
        if size > (self.limits["bytes"] if self.most is None else self.most) and any("output" in item for item in new):
            del run.items[before:]
            return 413, {"field": "items"}
        run.reported += len(new)
        run.end = next(iter(run.of("end")), None)
        return 200, {"reported": run.reported} | ({"cancel": True} if run.is_cancelled else {})
