"""A process with few descriptors: streams are refused before it is out of them, and everything else is answered."""

from pathlib import Path

from tests.support import api
from tests.support.clients import RefusedStreamError, SSECollector, open_sse
from tests.support.http import Response, request
from tests.support.server import ServerProcess

LIMIT = 256


async def test_streams_are_refused_while_everything_else_is_answered(tmp_path: Path) -> None:
    streams: list[SSECollector] = []
    refused: list[Response] = []
    with ServerProcess(tmp_path, descriptors=LIMIT) as server:
        for _ in range(LIMIT):
            try:
                streams.append(await open_sse(server.url, "/api/sse?topic=t"))
            except RefusedStreamError as error:
                refused.append(error.response)
        assert len(refused) > 64
        assert {(one.status, int(one.header("retry-after") or 0) > 0) for one in refused} == {(503, True)}
        assert len(streams) > LIMIT // 3
        for path in ("/api/health", "/api/ready", "/metrics", "/", "/client/index.js", "/api/topics"):
            assert (await request(server.url, "GET", path)).status == 200, path
        cursor = await api.publish(server.url, "t", 1)
        assert (await streams[0].events_until(cursor))[-1].id == cursor
        for stream in streams:
            await stream.close()
        assert server.faults() == []
