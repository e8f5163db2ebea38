"""The command's own client: publish and follow over plain HTTP, with the standard library."""

import http.client
import json
import random
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from service.core.errors import TwinwireError


class ClientError(TwinwireError):
    """The server refused, or can't be reached."""

    title = "Request failed"


class Client:
    """Talks to the Twinwire at `url`, which may have a path prefix."""

    def __init__(self, url: str, timeout: float = 75.0) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError as error:
            raise ClientError(f"{url!r} has no port that is a number from 0 to 65535") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(f"{url!r} is not an http or https URL")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, port, timeout=timeout)
        self._prefix = parts.path.rstrip("/")

    def publish(self, topic: str, type: str, data: str, key: str | None = None) -> dict[str, Any]:
        """Publish `data`, JSON text, as it is. Raises ClientError."""
        try:
            json.loads(data)
        except ValueError as error:
            raise ClientError(f"DATA is not JSON: {error}") from error
        fields = {"topic": topic, "type": type} | ({"key": key} if key else {})
        body = f'{json.dumps(fields)[:-1]}, "data": {data}}}'
        return self._request("POST", "/api/events", body, {"Content-Type": "application/json"})

    def follow(self, topics: tuple[str, ...], after: str | None, wait: float, once: bool) -> Iterator[dict[str, Any]]:
        """Events, and gaps as `{"type": "gap", ...}`, from `after` on; for ever, unless `once`.

        Goes on from its cursor after a failure, as a browser would. Raises ClientError for what a retry can't help.
        """
        query = "".join(f"&topic={quote(topic)}" for topic in topics)
        after = after or "latest"
        failures = 0
        while True:
            try:
                answer = self._request("GET", f"/api/events?after={quote(after)}&wait={0 if once else wait}{query}")
            except ClientError as error:
                if error.status < 500 or once:
                    raise
                failures += 1
                time.sleep(random.uniform(0, min(30.0, 2.0**failures)))
                continue
            failures = 0
            if answer["gap"]:
                yield {"type": "gap", **answer["gap"]}
            yield from answer["events"]
            after = str(answer["cursor"])
            if once and not answer["more"]:
                return

    def _request(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            self._connection.request(
                method, self._prefix + path, None if body is None else body.encode(), headers or {}
            )
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            where = f"{self._connection.host} port {self._connection.port}"
            raise ClientError(f"no answer from {where}: {error}", status=503) from error
        return _answer(response.status, content)


def _answer(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if status < 300 and isinstance(answer, dict):
        return answer
    detail = f"{status} {answer.get('title', '')}: {answer.get('detail', 'no reason given')}"
    raise ClientError(detail, status=status, field=answer.get("field"))
