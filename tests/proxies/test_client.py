"""The client alone, on Node with real sockets, through every mode of the rig: exactly the log's events, in order."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.proxies.cases import Case, cases
from tests.proxies.conftest import selected
from tests.proxies.nodes import PROGRAM, dispatch, node
from tests.proxies.rounds import EVENTS, Listener
from tests.support.api import history
from tests.support.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

Ending = tuple[Listener, asyncio.Task[dict[str, Any]]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def endings(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[dict[str, Ending]]:
    """The cases of the tests that were selected, all under way in one Node process, by name."""
    async with AsyncExitStack() as stack:
        listeners: dict[str, Listener] = {}
        for case in selected(request.session, "endings"):
            listener = listeners[case.name] = Listener.of(case, "node", server.port)
            await stack.enter_async_context(listener.proxy)
        streams = [[name, f"{one.proxy.url}/", one.topic] for name, one in listeners.items()]
        # Until Node 22 the global WebSocket had to be asked for.
        process = await asyncio.create_subprocess_exec(
            node(), "--experimental-websocket", str(PROGRAM), json.dumps(streams), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        output = asyncio.create_task(dispatch(process.stdout, listeners))
        tasks = {name: asyncio.create_task(one.put_through(server.url)) for name, one in listeners.items()}
        yield {name: (listeners[name], task) for name, task in tasks.items()}
        if process.returncode is None:
            process.kill()
        await process.wait()
        for task in (output, *tasks.values()):
            task.cancel()
        await asyncio.gather(output, *tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("case", [case for case in cases() if not case.forward], ids=str)
async def test_the_client_delivers_the_log(case: Case, endings: dict[str, Ending], server: ServerProcess) -> None:
    listener, running = endings[case.name]
    came_to = await running
    expected = [event["id"] for event in await history(server.url, [listener.topic])]
    assert came_to["events"] == expected, came_to["faults"]
    assert len(expected) == EVENTS
    assert came_to["anomalies"] == came_to["gaps"] == 0
    assert came_to["transport"] in case.ends_on, came_to["faults"]
