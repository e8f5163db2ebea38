"""What a proxy has to let through of credentials: one check for each way in which they come."""

from tests.support.bearers import bearer, ticket, token
from tests.support.http import Connection, request
from tests.support.websocket import WebSocketClient


async def check_carriers(front: str, guarded: str, prefix: str) -> None:
    """In a header, as a subprotocol, as a ticket whose cookie is sent back below the prefix; no other scheme does.

    `front` is the URL of what stands before the server at `guarded`, which has keys.
    """
    mine = token("ada", subscribe=["a"])
    for headers, status in ((bearer(mine), 200), ({}, 401), ({"Authorization": "Basic YTpi"}, 400)):
        answer = await request(front, "GET", f"{prefix}/api/events", query={"topic": "a"}, headers=headers)
        assert answer.status == status
    socket = await WebSocketClient.open(
        front, f"{prefix}/api/ws", query={"topic": "a"}, subprotocols=["twinwire.v1", f"twinwire.bearer.{mine}"]
    )
    assert '"subject":"ada"' in (await socket.receive())[0]
    socket.reset()
    connection = await Connection.open(front)
    await connection.send("GET", f"{prefix}/api/sse?topic=a&ticket={await ticket(guarded, mine)}")
    cookie = (await connection.read_head()).header("set-cookie") or ""
    connection.reset()
    assert f"; Path={prefix}/api/sse; " in cookie
